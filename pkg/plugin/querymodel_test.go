package plugin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func parsed(t *testing.T, body string) *query {
	t.Helper()
	_, i := newDefault(t)
	q, err := i.parseQuery(dataQuery("A", body), false)
	require.NoError(t, err, body)
	return q
}

func TestParseQueryDefaults(t *testing.T) {
	q := parsed(t, `{"expr":" {app=\"api\"} "}`)
	require.Equal(t, &query{
		refID: "A", expr: `{app="api"}`, limit: linesDefault, direction: storage.Backward, step: 15 * time.Second,
		interval: model.Interval{Start: model.TimestampOf(t0.Add(-time.Hour)), End: model.TimestampOf(t0)},
	}, q)
	for _, absent := range []string{
		`{"expr":"{a=\"b\"}","queryType":"","maxLines":null,"direction":"","step":"","legendFormat":"","resolution":null}`,
		`{"expr":"{a=\"b\"}","maxLines":"","step":" ","unknown":[1,2]}`,
		`{"expr":"{a=\"b\"}","maxLines":0}`,
	} {
		q := parsed(t, absent)
		require.Equal(t, linesDefault, q.limit)
		require.Equal(t, 15*time.Second, q.step)
		require.Equal(t, storage.Backward, q.direction)
		require.False(t, q.instant)
	}
}

func TestParseQueryFields(t *testing.T) {
	require.True(t, parsed(t, `{"expr":"x","queryType":"instant"}`).instant)
	require.True(t, parsed(t, `{"expr":"x","instant":true}`).instant)
	require.False(t, parsed(t, `{"expr":"x","instant":true,"queryType":"range"}`).instant)
	require.Equal(t, storage.Forward, parsed(t, `{"expr":"x","direction":"Forward"}`).direction)
	require.Equal(t, storage.Backward, parsed(t, `{"expr":"x","direction":"scan"}`).direction)
	require.Equal(t, 7, parsed(t, `{"expr":"x","maxLines":7}`).limit)
	require.Equal(t, 7, parsed(t, `{"expr":"x","maxLines":"7"}`).limit)
	require.Equal(t, "{{app}}", parsed(t, `{"expr":"x","legendFormat":"{{app}}"}`).legend)
	require.True(t, parsed(t, `{"expr":"x","supportingQueryType":"logsVolume"}`).volume)
	require.False(t, parsed(t, `{"expr":"x","supportingQueryType":"infiniteScroll"}`).volume)

	_, i := newDefault(t)
	q, err := i.parseQuery(dataQuery("log-volume-A", `{"expr":"x"}`), true)
	require.NoError(t, err)
	require.True(t, q.volume)
	require.True(t, q.fromAlert)
}

func TestParseQueryStep(t *testing.T) {
	f := func(fields string, want time.Duration) {
		t.Helper()
		require.Equal(t, want, parsed(t, `{"expr":"x"`+fields+`}`).step, fields)
	}
	f("", 15*time.Second)
	f(`,"step":"30s"`, 30*time.Second)
	f(`,"step":"1d"`, 24*time.Hour)
	f(`,"step":"1.5m"`, 90*time.Second)
	f(`,"step":"20"`, 20*time.Second)
	f(`,"step":"$__interval"`, 15*time.Second)
	f(`,"step":"${__interval_ms}ms"`, 15*time.Second)
	f(`,"resolution":2`, 30*time.Second)
	f(`,"step":"10s","resolution":10`, 100*time.Second)
	f(`,"resolution":11`, 15*time.Second)
	f(`,"resolution":-1`, 15*time.Second)
	f(`,"step":"1ms"`, 328*time.Millisecond) // an hour in 11,000 points
}

func TestParseQueryStepWithoutSuggestion(t *testing.T) {
	_, i := newDefault(t)
	q := dataQuery("A", `{"expr":"x"}`)
	q.Interval, q.MaxDataPoints = 0, 360
	got, err := i.parseQuery(q, false)
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, got.step)
	q.MaxDataPoints = 0
	got, err = i.parseQuery(q, false)
	require.NoError(t, err)
	require.Equal(t, 3600*time.Millisecond, got.step)
	q.TimeRange.From = q.TimeRange.To
	got, err = i.parseQuery(q, false)
	require.NoError(t, err)
	require.Equal(t, time.Millisecond, got.step)
}

func TestInterpolation(t *testing.T) {
	v := interpolation{interval: 15 * time.Second, span: 3600*time.Second + 400*time.Millisecond, auto: time.Minute}
	f := func(in, want string) { t.Helper(); require.Equal(t, want, v.text(in)) }
	f(`rate({a="b"}[$__interval])`, `rate({a="b"}[15s])`)
	f(`$__interval_ms|${__interval_ms}|${__interval}`, `15000|15000|15s`)
	f(`$__range $__range_s $__range_ms`, `3600s 3600 3600400`)
	f(`${__range} ${__range_s} ${__range_ms}`, `3600s 3600 3600400`)
	f(`$__rate_interval ${__rate_interval} $__rate_interval_ms`, `15s 15s 15000`)
	f(`[$__auto] ${__auto}`, `[1m] 1m`)
	f(`$1 $app ${app} $$ $`, `$1 $app ${app} $$ $`)
	f(`no variables`, `no variables`)
	zero := interpolation{}
	require.Equal(t, "1s 1ms 1 1ms", zero.text("$__range $__interval $__interval_ms $__auto"), "0s is not LogQL")
}

func TestAutoIsTheRangeOfInstantQueries(t *testing.T) {
	require.Equal(t, `count_over_time({a="b"}[1h])`, parsed(t, `{"expr":"count_over_time({a=\"b\"}[$__auto])","queryType":"instant"}`).expr)
	require.Equal(t, `count_over_time({a="b"}[2m])`, parsed(t, `{"expr":"count_over_time({a=\"b\"}[$__auto])","step":"2m"}`).expr)
}

func TestParseQueryFaults(t *testing.T) {
	_, i := newDefault(t)
	f := func(body, want string) {
		t.Helper()
		got := askOne(t, i, body)
		require.EqualError(t, got.Error, want)
		require.Equal(t, backend.StatusBadRequest, got.Status)
		require.Equal(t, backend.ErrorSourceDownstream, got.ErrorSource)
		require.Empty(t, got.Frames)
	}
	f(`{"expr":""}`, `The query is empty. Begin with a selector, for example {app="api"}.`)
	f(``, `The query is empty. Begin with a selector, for example {app="api"}.`)
	f(`{}`, `The query is empty. Begin with a selector, for example {app="api"}.`)
	f(`{"expr":"x","queryType":"tail"}`, `queryType "tail" is neither range nor instant.`)
	f(`{"expr":"x","queryType":"stream"}`, `queryType "stream" (live tail) is not available; use range.`)
	f(`{"expr":"x","direction":"up"}`, `direction "up" is neither backward nor forward.`)
	f(`{"expr":"x","maxLines":-1}`, `maxLines is -1; it must be positive.`)
	f(`{"expr":"x","step":"soon"}`, `step "soon" is not a positive duration; write for example 30s or 5m.`)
	f(`{"expr":"x","step":"-5s"}`, `step "-5s" is not a positive duration; write for example 30s or 5m.`)
	f(`{"expr":"x","step":"NaN"}`, `step "NaN" is not a positive duration; write for example 30s or 5m.`)
	f(`{"expr":"x","step":"$nope"}`, `step "$nope" is not a positive duration; write for example 30s or 5m.`)

	got := askOne(t, i, `{"expr":`)
	require.ErrorContains(t, got.Error, "The query could not be read: ")
	got = askOne(t, i, `{"expr":"x","maxLines":"many"}`)
	require.ErrorContains(t, got.Error, `"many" is not a whole number`)
	long, err := json.Marshal(map[string]string{"expr": string(make([]byte, queryBytesMax+1))})
	require.NoError(t, err)
	require.ErrorContains(t, askOne(t, i, string(long)).Error, "at most 131072 are read")
}

func TestParseQueryTimeRanges(t *testing.T) {
	_, i := newDefault(t)
	f := func(from, to time.Time, want string) {
		t.Helper()
		q := dataQuery("A", `{"expr":"x"}`)
		q.TimeRange = backend.TimeRange{From: from, To: to}
		_, err := i.parseQuery(q, false)
		require.EqualError(t, err, want)
	}
	f(t0, t0.Add(-1), "The time range ends before it begins.")
	f(time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), t0, "The time range lies outside the years 1678 to 2262.")
	f(t0, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), "The time range lies outside the years 1678 to 2262.")
}

func TestAlignToStep(t *testing.T) {
	f := func(start, end int64, step time.Duration, wantStart, wantEnd int64) {
		t.Helper()
		s, e := alignToStep(model.Timestamp(start), model.Timestamp(end), step)
		require.Equal(t, [2]model.Timestamp{model.Timestamp(wantStart), model.Timestamp(wantEnd)}, [2]model.Timestamp{s, e})
	}
	f(0, 100, 10, 0, 100)
	f(1, 99, 10, 0, 100)
	f(9, 101, 10, 0, 110)
	f(-1, -1, 10, -10, 0)
	f(-10, -10, 10, -10, -10)
	f(int64(model.MinTimestamp), int64(model.MaxTimestamp), 10, int64(model.MinTimestamp), int64(model.MaxTimestamp))
}

// FuzzParseQuery looks for query JSON that hurts: whatever is accepted has a step, a limit and a text that are usable.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		`{"expr":"{a=\"b\"} |= \"x\"","queryType":"range","maxLines":"100","step":"$__interval","resolution":3}`,
		`{"expr":"rate({a=\"b\"}[$__auto])","instant":true,"legendFormat":"{{a}}","direction":"forward"}`,
		`{"expr":1}`, `[]`, `{"maxLines":1e300}`, `{"step":"1e9","expr":"x"}`,
	} {
		f.Add(seed, int64(15e9), int64(3600e9), int64(1000))
	}
	i := &Instance{settings: settings{maxLines: linesDefault}}
	f.Fuzz(func(t *testing.T, body string, interval, span, points int64) {
		dq := backend.DataQuery{
			RefID: "A", JSON: json.RawMessage(body), Interval: time.Duration(interval), MaxDataPoints: points,
			TimeRange: backend.TimeRange{From: t0, To: t0.Add(time.Duration(span))},
		}
		q, err := i.parseQuery(dq, false)
		if err != nil {
			return
		}
		require.Positive(t, q.step)
		require.Zero(t, q.step%time.Millisecond)
		require.Positive(t, q.limit)
		require.NotEmpty(t, q.expr)
		require.LessOrEqual(t, (q.interval.End-q.interval.Start)/model.Timestamp(q.step), model.Timestamp(stepsMax))
		start, end := alignToStep(q.interval.Start, q.interval.End, q.step)
		require.LessOrEqual(t, start, q.interval.Start)
		require.GreaterOrEqual(t, end, q.interval.End)
	})
}

// TestDurationsAreLogQL holds durationText to the grammar.
func TestDurationsAreLogQL(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Millisecond, 1500 * time.Millisecond, time.Second, 90 * time.Second, 25 * time.Hour, 8 * 24 * time.Hour, 400 * 24 * time.Hour} {
		_, err := syntax.Parse(`rate({a="b"}[` + durationText(d) + `])`)
		require.NoError(t, err, "%s", d)
	}
}
