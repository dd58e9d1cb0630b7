package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sec = model.Timestamp(time.Second)

// ticks is one stream with an entry a second from 1s to n s.
func ticks(n int, nameValue ...string) model.Stream {
	s := model.Stream{Labels: labels.FromStrings(nameValue...)}
	for i := 1; i <= n; i++ {
		s.Entries = append(s.Entries, model.Entry{Timestamp: model.Timestamp(i) * sec, Line: fmt.Sprintf("line %d", i)})
	}
	return s
}

// spy remembers the reads of a store, and hands out batches one by one.
type spy struct {
	*logqltest.SlowStore
	requests []storage.SelectRequest
	counts   []storage.CountRequest
	batches  int
	closed   int
	before   func() // each Next, and each part of a Count
	warnings []string
	fail     error
}

func (s *spy) Select(ctx context.Context, tenant model.TenantID, r storage.SelectRequest) (storage.Iterator, error) {
	s.requests = append(s.requests, r)
	it, err := s.SlowStore.Select(ctx, tenant, r)
	return &spyIterator{it, s}, err
}

func (s *spy) Count(ctx context.Context, tenant model.TenantID, r storage.CountRequest, add func(*storage.Counts) error) (storage.ScanStats, error) {
	s.counts = append(s.counts, r)
	st, err := s.SlowStore.Count(ctx, tenant, r, func(c *storage.Counts) error {
		if s.before != nil {
			s.before()
		}
		if s.fail != nil {
			return s.fail
		}
		s.batches++
		return add(c)
	})
	st.Warnings = s.warnings
	return st, err
}

type spyIterator struct {
	storage.Iterator
	spy *spy
}

func (it *spyIterator) Next(ctx context.Context) (*storage.Batch, error) {
	if it.spy.before != nil {
		it.spy.before()
	}
	if it.spy.fail != nil {
		return nil, it.spy.fail
	}
	b, err := it.Iterator.Next(ctx)
	if b != nil {
		it.spy.batches++
	}
	return b, err
}

func (it *spyIterator) Stats() storage.ScanStats {
	st := it.Iterator.Stats()
	st.Warnings = it.spy.warnings
	return st
}

func (it *spyIterator) Close() error {
	it.spy.closed++
	return it.Iterator.Close()
}

func newEngine(t *testing.T, cfg engine.Config, streams ...model.Stream) (*engine.Engine, *spy) {
	t.Helper()
	s := &spy{SlowStore: logqltest.NewSlowStore(streams...)}
	cfg.Querier = s
	e, err := engine.New(cfg)
	require.NoError(t, err)
	return e, s
}

func limited(l engine.Limits) engine.Config {
	return engine.Config{Limits: func(model.TenantID) engine.Limits { return l }}
}

func logParams(query string) engine.Params {
	return engine.Params{Query: query, Start: 0, End: 1000 * sec, Limit: 100, Direction: storage.Forward}
}

func rangeParams(query string) engine.Params {
	return engine.Params{Query: query, Start: 0, End: 100 * sec, Step: 10 * time.Second}
}

func TestNewErrors(t *testing.T) {
	_, err := engine.New(engine.Config{})
	require.EqualError(t, err, "engine: a Querier is required")
	_, err = engine.New(engine.Config{Querier: logqltest.NewSlowStore(), MemoryBytes: -1})
	require.EqualError(t, err, "engine: MemoryBytes is -1")
}

// With nothing left to test, the store gets the limit; else batches are pulled only until there are enough entries.
func TestLogStopsEarly(t *testing.T) {
	p := logParams(`{app="x"} |= "line"`)
	p.Limit = 7
	e, s := newEngine(t, engine.Config{}, ticks(1000, "app", "x"))
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, res.Entries, 7)
	require.Equal(t, 7, s.requests[0].Limit)
	require.Equal(t, []string{"line"}, res.SearchWords)
	require.Equal(t, []storage.LineFilter{{Any: []string{"line"}}}, s.requests[0].Filters)

	e, s = newEngine(t, engine.Config{}, ticks(1000, "app", "x"))
	p.Query += ` | app="x"`
	res, err = e.Exec(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, res.Entries, 7)
	require.Zero(t, s.requests[0].Limit)
	require.Equal(t, 2, s.batches, "five entries each")
	require.Equal(t, 1, s.closed)
}

func TestStats(t *testing.T) {
	e, s := newEngine(t, engine.Config{}, ticks(20, "app", "x"), ticks(5, "app", "y"))
	s.warnings = []string{"chunk 7 is damaged"}
	res, err := e.Exec(t.Context(), logParams(`{app=~".+"} |= "1" | app="x"`))
	require.NoError(t, err)
	require.Len(t, res.Entries, 11) // 1, 10 to 19
	res.Stats.Exec = 0
	require.Equal(t, engine.Stats{
		Bytes: 9*6 + 11*7, Lines: 20, LinesMatched: 11, Chunks: 1, EntriesReturned: 11,
	}, res.Stats)
	require.Equal(t, []string{"chunk 7 is damaged"}, res.Warnings)

	res, err = e.Exec(t.Context(), rangeParams(`sum by (a) (count_over_time({app="x"}[1m]))`))
	require.NoError(t, err)
	require.Equal(t, []string{"chunk 7 is damaged"}, res.Warnings, "two scans, one warning")
	require.Equal(t, uint64(20), res.Stats.LinesMatched)
}

func TestExecMeasuresTime(t *testing.T) {
	now := time.Unix(100, 0)
	cfg := engine.Config{Now: func() time.Time { now = now.Add(3 * time.Second); return now }}
	e, _ := newEngine(t, cfg, ticks(1, "app", "x"))
	res, err := e.Exec(t.Context(), logParams(`{app="x"}`))
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, res.Stats.Exec)
}

// Answers are the store's order; the same entry has the same ID whichever way it is asked for, and identical entries have
// different ones.
func TestEntryIDs(t *testing.T) {
	twin := model.Entry{Timestamp: 2 * sec, Line: "same"}
	other := model.Entry{Timestamp: 2 * sec, Line: "other"}
	s := model.Stream{Labels: labels.FromStrings("app", "x"), Entries: []model.Entry{
		{Timestamp: sec, Line: "same"}, twin, other, twin, twin, {Timestamp: 3 * sec, Line: "same"},
		{Timestamp: 3 * sec, Line: "same", Metadata: []model.Pair{{Name: "a", Value: "b"}}}, {Timestamp: 3 * sec, Line: "same", Level: "info"},
	}}
	e, _ := newEngine(t, engine.Config{}, s, model.Stream{Labels: labels.FromStrings("app", "y"), Entries: []model.Entry{twin}})
	ids := func(d storage.Order, limit int) []string {
		p := logParams(`{app=~".+"}`)
		p.Direction, p.Limit = d, limit
		res, err := e.Exec(t.Context(), p)
		require.NoError(t, err)
		var list []string
		for _, e := range res.Entries {
			list = append(list, e.ID)
		}
		return list
	}
	forward := ids(storage.Forward, 100)
	require.Len(t, forward, 9)
	seen := map[string]bool{}
	for _, id := range forward {
		require.False(t, seen[id])
		require.Regexp(t, `^[0-9a-f]{16}_[0-2]$`, id)
		seen[id] = true
	}
	require.Equal(t, forward[1][:16], forward[3][:16])
	require.Equal(t, []string{"0", "1", "2"}, []string{forward[1][17:], forward[3][17:], forward[4][17:]})

	backward := ids(storage.Backward, 100)
	for i, id := range backward {
		require.Equal(t, forward[len(forward)-1-i], id)
	}
	// Pinned: IDs are kept by browsers and shared links.
	require.Equal(t, "a4264c0603a2df78_0", forward[0])
	// Cut through the twins, the IDs are of them still.
	for _, id := range ids(storage.Backward, 5) {
		require.True(t, seen[id])
	}
}

// The answer owns its memory: the slow store scribbles over every batch.
func TestResultOwnsItsMemory(t *testing.T) {
	s := model.Stream{Labels: labels.FromStrings("app", "x")}
	for i := range 50 {
		s.Entries = append(s.Entries, model.Entry{
			Timestamp: model.Timestamp(i+1) * sec, Line: fmt.Sprint("line ", i), Level: "info",
			Metadata: []model.Pair{{Name: "n", Value: fmt.Sprint(i)}},
		})
	}
	e, _ := newEngine(t, engine.Config{}, s)
	res, err := e.Exec(t.Context(), logParams(`{app="x"}`))
	require.NoError(t, err)
	for i, got := range res.Entries {
		require.Equal(t, s.Entries[i].Line, got.Line)
		require.Equal(t, "info", got.Level)
		require.Equal(t, []model.Pair{{Name: "detected_level", Value: "info"}, {Name: "n", Value: fmt.Sprint(i)}}, got.Metadata)
	}
	res, err = e.Exec(t.Context(), rangeParams(`count_over_time({app="x"}[100s])`))
	require.NoError(t, err)
	require.Len(t, res.Series, 50)
	for _, s := range res.Series {
		require.NotContains(t, s.Labels.String(), "!")
	}
}

// Where a pair of logfmt is broken is said in a text of the batch's.
func TestErrorsOwnTheirMemory(t *testing.T) {
	streams := ticks(20, "app", "x")
	for i := range streams.Entries {
		streams.Entries[i].Line = strings.Repeat(" ", i) + "="
	}
	e, _ := newEngine(t, engine.Config{}, streams)
	for _, query := range []string{`{app="x"} | logfmt --strict`, `{app="x"} | logfmt --strict | label_format __error_details__="{{.__error_details__}}"`} {
		res, err := e.Exec(t.Context(), logParams(query))
		require.NoError(t, err)
		for i, got := range res.Entries {
			want := fmt.Sprintf("logfmt syntax error at pos %d : unexpected '='", i+1)
			require.Equal(t, model.Pair{Name: "__error_details__", Value: want}, got.Parsed[len(got.Parsed)-1], query)
		}
	}
}

func TestLimits(t *testing.T) {
	var streams []model.Stream
	for i := range 20 {
		streams = append(streams, ticks(30, "app", "x", "pod", fmt.Sprint(i)))
	}
	f := func(l engine.Limits, p engine.Params, want string) {
		t.Helper()
		e, s := newEngine(t, limited(l), streams...)
		_, err := e.Exec(t.Context(), p)
		if want == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, storage.ErrLimit)
		require.ErrorContains(t, err, want)
		require.Len(t, s.requests, s.closed, "every iterator is closed")
	}
	logs, series := logParams(`{app="x"}`), rangeParams(`count_over_time({app="x"}[1m])`)
	f(engine.Limits{}, logs, "")
	f(engine.Limits{}, series, "")
	f(engine.Limits{Entries: 100}, logs, "")
	f(engine.Limits{Entries: 99}, logs, "max entries limit per query exceeded, limit > max_entries_limit_per_query (100 > 99)")
	f(engine.Limits{Entries: 1}, series, "")
	f(engine.Limits{Series: 20}, series, "")
	f(engine.Limits{Series: 1}, rangeParams(`max(count_over_time({app="x"}[1m]))`), "")
	f(engine.Limits{Matchers: 1}, logs, "")
	f(engine.Limits{Matchers: 1}, rangeParams(`1 + sum(rate({app="x", pod="1"}[1m]))`), "max streams matchers per query exceeded, matchers-count > limit (2 > 1)")
	f(engine.Limits{Length: time.Minute}, logs, "the query time range exceeds the limit (query length: 16m40s, limit: 1m)")
	f(engine.Limits{Length: time.Minute}, engine.Params{Query: series.Query, Instant: true, End: 1000 * sec}, "")
	f(engine.Limits{Range: time.Second}, series, "[interval] value exceeds limit: [1m] > [1s]")
	f(engine.Limits{BytesRead: 4020}, logs, "")
	f(engine.Limits{BytesRead: 4019}, logs, "the query would read too many bytes (query: 3.9 KiB, limit: 3.9 KiB)")
	f(engine.Limits{BytesRead: 4020}, rangeParams(`sum(rate({app="x"}[5m])) + sum(rate({app="x"}[5m]))`), "the query would read too many bytes (query: 7.9 KiB")
}

func TestBadParams(t *testing.T) {
	e, s := newEngine(t, engine.Config{}, ticks(1, "app", "x"))
	f := func(p engine.Params, is error, want string) {
		t.Helper()
		_, err := e.Exec(t.Context(), p)
		require.ErrorIs(t, err, is)
		require.ErrorContains(t, err, want)
		require.Empty(t, s.requests, "refused before anything is read")
	}
	series := `count_over_time({app="x"}[1m])`
	f(engine.Params{Query: series, Start: 5, End: 4, Step: 1}, storage.ErrInvalid, "end timestamp must not be before or equal to start time")
	f(engine.Params{Query: series, End: 4}, storage.ErrInvalid, "zero or negative query resolution step widths are not accepted")
	f(engine.Params{Query: series, End: 4, Step: -5}, storage.ErrInvalid, "zero or negative query resolution step widths are not accepted")
	f(engine.Params{Query: series, End: 11_001, Step: 1}, storage.ErrLimit, "exceeded maximum resolution of 11,000 points per time series")
	f(engine.Params{Query: series, Start: model.MinTimestamp, End: model.MaxTimestamp, Step: 1}, storage.ErrLimit, "exceeded maximum resolution")
	f(engine.Params{Query: `{app="x"}`, End: 4, Direction: storage.Forward}, storage.ErrInvalid, "limit must be a positive value")
	f(engine.Params{Query: `{app="x"}`, End: 4, Limit: 4}, storage.ErrInvalid, "a log query needs a direction")
	f(engine.Params{Query: `{app="x"}`, Instant: true, Limit: 4}, storage.ErrInvalid, "a log query needs a direction")
	_, err := e.Exec(t.Context(), engine.Params{Query: `{app=`})
	var pe *syntax.ParseError
	require.ErrorAs(t, err, &pe)
}

// Times at the ends of what can be told do no harm.
func TestExtremeTimes(t *testing.T) {
	s := model.Stream{Labels: labels.FromStrings("app", "x", "v", "5"), Entries: []model.Entry{
		{Timestamp: model.MinTimestamp, Line: "a"}, {Timestamp: 0, Line: "b"}, {Timestamp: model.MaxTimestamp, Line: "c"},
	}}
	e, _ := newEngine(t, engine.Config{}, s)
	f := func(query string, start, end model.Timestamp, step time.Duration) {
		t.Helper()
		_, err := e.Exec(t.Context(), engine.Params{Query: query, Start: start, End: end, Step: step})
		require.NoError(t, err)
	}
	for _, offset := range []string{"", " offset 290y", " offset -290y", " offset -2562047h47m16.854775808s"} {
		for _, length := range []string{"0s", "1ms", "290y"} {
			for _, query := range []string{
				`count_over_time({app="x"}[` + length + `]` + offset + `)`,
				`absent_over_time({app="x"}[` + length + `]` + offset + `)`,
				`max_over_time({app="x"} | unwrap v [` + length + `]` + offset + `)`,
				`rate_counter({app="x"} | unwrap v [` + length + `]` + offset + `)`,
				`quantile_over_time(0.5, {app="x"} | unwrap v [` + length + `]` + offset + `)`,
			} {
				f(query, model.MinTimestamp, model.MaxTimestamp, math.MaxInt64)
				f(query, model.MaxTimestamp-10, model.MaxTimestamp, 1)
				f(query, model.MinTimestamp, model.MinTimestamp+10, 1)
				f(query, 0, 10, 1)
			}
		}
	}
}

// A metric query that would keep too much fails; a log query gives what it has.
func TestMemoryIsBounded(t *testing.T) {
	s := model.Stream{Labels: labels.FromStrings("app", "x")}
	for i := range 500 {
		s.Entries = append(s.Entries, model.Entry{
			Timestamp: model.Timestamp(i+1) * sec, Line: strings.Repeat("x", 1000), Metadata: []model.Pair{{Name: "id", Value: fmt.Sprint(i)}},
		})
	}
	e, _ := newEngine(t, engine.Config{MemoryBytes: 100 << 10}, s)
	p := logParams(`{app="x"}`)
	p.Limit = 500
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, res.Entries, 79)
	require.Equal(t, []string{"the answer ends after 79 lines, for it would take more than 100 KiB of memory; lower the line limit, or ask for a " +
		"shorter time range"}, res.Warnings)

	for _, query := range []string{
		`count_over_time({app="x"}[1m])`, `max(count_over_time({app="x"}[1m]))`, `min_over_time({app="x"} | unwrap id [1m]) by (id)`,
		`quantile_over_time(0.5, {app="x"} | unwrap id [1m]) by (id)`, `topk(1, count_over_time({app="x"}[1m]))`,
	} {
		p := rangeParams(query)
		p.End = 500 * sec
		_, err = e.Exec(t.Context(), p)
		require.ErrorIs(t, err, storage.ErrLimit)
		require.ErrorContains(t, err, "the query would keep more than 100 KiB in memory")
	}
	res, err = e.Exec(t.Context(), rangeParams(`sum(count_over_time({app="x"}[1m]))`))
	require.NoError(t, err)
	require.Len(t, res.Series, 1)

	many := rangeParams(strings.Repeat(`vector(1) + (`, 100) + `vector(1)` + strings.Repeat(`)`, 100))
	many.Step = time.Second
	_, err = e.Exec(t.Context(), many)
	require.ErrorContains(t, err, "the query would keep more than 100 KiB in memory")
}

// What a part of a query kept is given back when it is done with: many parts take no more than a few.
// A label that is made of a line, ten thousand times.
func TestLabelReplaceIsBounded(t *testing.T) {
	streams := ticks(1, "app", "x")
	streams.Entries[0].Line = strings.Repeat("x", 1<<20)
	e, _ := newEngine(t, engine.Config{}, streams)
	p := rangeParams("label_replace(sum by (l) (count_over_time({app=`x`} | label_format l=`{{__line__}}` [1m])), `l`, `" +
		strings.Repeat("$1", 10_000) + "`, `l`, `(.*)`)")
	_, err := e.Exec(t.Context(), p)
	require.ErrorIs(t, err, storage.ErrLimit)
}

// group_left gives a label that is made of a line to every series of the other side.
func TestGroupLeftIsBounded(t *testing.T) {
	streams := ticks(1000, "app", "x")
	for i := range streams.Entries {
		streams.Entries[i] = model.Entry{Timestamp: sec, Line: fmt.Sprint(i)}
	}
	streams.Entries[0].Line = strings.Repeat("x", 1<<20)
	e, _ := newEngine(t, engine.Config{}, streams)
	p := rangeParams("count(sum by (app, n) (count_over_time({app=`x`} | label_format n=`{{trunc 9 __line__}}` [1m]))" +
		" * on (app) group_left(l) sum by (app, l) (count_over_time({app=`x`} |= `xxxx` | label_format l=`{{__line__}}` [1m])))")
	_, err := e.Exec(t.Context(), p)
	require.ErrorIs(t, err, storage.ErrLimit)
}

func TestMemoryIsGivenBack(t *testing.T) {
	s := ticks(100, "app", "x", "v", "5")
	f := func(query string) {
		t.Helper()
		e, _ := newEngine(t, engine.Config{MemoryBytes: 100 << 10}, s)
		p := rangeParams(query)
		p.Step = time.Second
		res, err := e.Exec(t.Context(), p)
		require.NoError(t, err, query)
		require.Len(t, res.Series, 1)
		require.Len(t, res.Series[0].Samples, 101)
	}
	chain := func(operand, op string, n int) string { return operand + strings.Repeat(op+operand, n) }
	for _, op := range []string{" + ", " and ", " or ", " >= bool ", " + on () group_left () ", " == "} {
		f(chain("vector(1)", op, 100))
	}
	f(chain("vector(1)", " unless vector(1) or ", 100))
	for _, function := range []string{"topk(1, ", "stddev(", "sum(", "sort(", "1 + ("} {
		f(strings.Repeat(function, 100) + "vector(1)" + strings.Repeat(")", 100))
	}
	for _, op := range []string{"sum_over_time(", "rate_counter(", "quantile_over_time(0.5, "} {
		f(chain(op+`{app="x"} | unwrap v [1m] offset -1s)`, " + ", 50))
		f(chain(op+`{app="x"} | unwrap v [1s] offset -1s) + 0`, " or ", 50) + " or " + `label_replace(vector(0), "app", "x", "", "")`)
	}
	f(chain(`absent_over_time({app="y"}[1s])`, " + ", 50))
}

func TestCancel(t *testing.T) {
	for _, p := range []engine.Params{
		logParams(`{app="x"} | app="x"`), rangeParams(`count_over_time({app="x"} |= "l" [1m])`), rangeParams(`count_over_time({app="x"}[1m])`),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		e, s := newEngine(t, engine.Config{}, ticks(100, "app", "x"))
		s.before = func() {
			if s.batches == 1 {
				cancel()
			}
		}
		_, err := e.Exec(ctx, p)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 2, s.batches, "the batch under way is the last")
		require.Equal(t, len(s.requests), s.closed)
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, limited(engine.Limits{Timeout: time.Minute}), ticks(100, "app", "x"))
		s.before = func() { time.Sleep(25 * time.Second) }
		_, err := e.Exec(t.Context(), rangeParams(`count_over_time({app="x"}[1m])`))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3, s.batches)

		res, err := e.Exec(t.Context(), logParams(`{app="x"} | __error__=""`))
		require.NoError(t, err, "lines that were found are worth something")
		require.Less(t, len(res.Entries), 100)
		require.Equal(t, []string{fmt.Sprintf("the answer ends after %d lines, for the query took longer than query_timeout; ask for a "+
			"shorter time range, or add label matchers", len(res.Entries))}, res.Warnings)

		_, err = e.Exec(t.Context(), logParams(`{app="x"} |= "no such line"`))
		require.NoError(t, err, "no batch is read")
		_, err = e.Exec(t.Context(), logParams(`{app="x"} | app="y" or none="y"`))
		require.ErrorIs(t, err, context.DeadlineExceeded, "nothing was found")
	})
}

func TestStoreErrors(t *testing.T) {
	e, s := newEngine(t, engine.Config{}, ticks(100, "app", "x"))
	s.fail = errors.New("disk on fire")
	_, err := e.Exec(t.Context(), logParams(`{app="x"}`))
	require.ErrorIs(t, err, s.fail)
	_, err = e.Exec(t.Context(), rangeParams(`max(count_over_time({app="x"}[1m])) + 1`))
	require.ErrorIs(t, err, s.fail)
	_, err = e.Exec(t.Context(), rangeParams(`1 - max(count_over_time({app="x"}[1m]))`))
	require.EqualError(t, err, "count: disk on fire")
	_, err = e.Exec(t.Context(), rangeParams(`1 - max(count_over_time({app="x"} |= "l" [1m]))`))
	require.EqualError(t, err, "read batch: disk on fire")
}

// The store counts what it can; where a window's border is no time, entries are read.
func TestCountsUnlessTimesAreFar(t *testing.T) {
	f := func(query string, at model.Timestamp, counts, requests int, want float64) {
		t.Helper()
		e, s := newEngine(t, engine.Config{}, ticks(100, "app", "x"))
		res, err := e.Exec(t.Context(), engine.Params{Query: query, Instant: true, End: at})
		require.NoError(t, err)
		require.Len(t, s.counts, counts)
		require.Len(t, s.requests, requests)
		require.Equal(t, want, res.Series[0].Samples[0].Value)
	}
	f(`sum(count_over_time({app="x"}[1m]))`, 90*sec, 1, 0, 60)
	f(`sum(count_over_time({app="x"}[1m] offset -10s))`, 80*sec, 1, 0, 60)
	f(`sum(count_over_time({app="x"} |= "line" [1m]))`, 90*sec, 0, 1, 60)
	f(`sum(count_over_time({app="x"}[1m] offset 200y))`, 200*365*24*3600*sec+90*sec, 0, 1, 60)
}

// Keys of entries are a cache: a query that folds a million of them away keeps none, and counts right all the same.
func TestManyKeysFewSeries(t *testing.T) {
	const streams, entries = 3, 20_000
	var list []model.Stream
	for n := range streams {
		s := model.Stream{Labels: labels.FromStrings("app", "x", "pod", fmt.Sprint(n))}
		for i := range entries {
			s.Entries = append(s.Entries, model.Entry{Timestamp: sec, Metadata: []model.Pair{
				{Name: "trace", Value: fmt.Sprintf("%0400d", i)},
			}})
		}
		list = append(list, s)
	}
	e, _ := newEngine(t, engine.Config{MemoryBytes: 10 << 10}, list...)
	p := engine.Params{Query: `sum without (trace) (count_over_time({app="x"}[1m]))`, Instant: true, End: sec}
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, res.Series, streams)
	for _, s := range res.Series {
		require.Equal(t, []engine.Sample{{Timestamp: sec, Value: entries}}, s.Samples)
	}
}
