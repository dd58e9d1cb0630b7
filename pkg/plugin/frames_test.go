package plugin

import (
	"encoding/json"
	"flag"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/experimental"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares the frames of an answer with testdata/NAME.jsonc.
func golden(t *testing.T, name string, f frames) {
	t.Helper()
	experimental.CheckGoldenJSONResponse(t, "testdata", name, &backend.DataResponse{Status: backend.StatusOK, Frames: f}, *update)
}

func rangeQuery(change func(*query)) *query {
	q := &query{
		refID: "A", expr: `{app="api"} |= "boom"`, limit: 100, direction: storage.Backward, step: 15 * time.Second,
		interval: model.Interval{Start: model.TimestampOf(t0.Add(-time.Hour)), End: model.TimestampOf(t0)},
	}
	if change != nil {
		change(q)
	}
	return q
}

func logResult() *engine.Result {
	api := labels.FromStrings("app", "api", "stream", "stderr")
	at := model.TimestampOf(t0)
	return &engine.Result{
		Type: engine.ResultStreams,
		Entries: []engine.Entry{
			{
				Timestamp: at - 1, Line: "boom \x1b[31mred\x1b[0m <b>", Labels: api, Level: "error", ID: "00000000000000a1_0",
				Metadata: []model.Pair{{Name: "detected_level", Value: "error"}, {Name: "trace_id", Value: "ab\"c"}},
				Parsed:   []model.Pair{{Name: "status", Value: "503"}, {Name: "trace_id_extracted", Value: "x"}},
			},
			{
				Timestamp: at - 2, Line: "bad utf8 \xff and\nnew line", Labels: api, Level: "warn", ID: "00000000000000a2_0",
				Metadata: []model.Pair{{Name: "app", Value: "metadata must not hide the stream's label"}, {Name: "bad\xff", Value: "\xfe"}, {Name: "detected_level", Value: "warn"}},
			},
			{Timestamp: at - 2, Line: "", Labels: labels.FromStrings("app", "worker"), ID: "00000000000000a3_1"},
		},
		Stats: engine.Stats{Exec: 1500 * time.Microsecond, Bytes: 2048, Lines: 40, LinesMatched: 3, Chunks: 5, ChunksSkipped: 2, EntriesReturned: 3},
	}
}

func TestLogsFrame(t *testing.T) {
	_, i := newDefault(t)
	golden(t, "logs", i.p.framesFromResult(rangeQuery(func(q *query) { q.words = []string{"boom", `b\+`} }), logResult()))
}

func TestEmptyAnswerIsAnEmptyLogsFrame(t *testing.T) {
	_, i := newDefault(t)
	full := i.p.framesFromResult(rangeQuery(nil), logResult())
	empty := i.p.framesFromResult(rangeQuery(nil), &engine.Result{Type: engine.ResultStreams})
	golden(t, "logs_empty", empty)
	require.Len(t, empty, 1)
	require.Len(t, empty[0].Fields, len(full[0].Fields))
	for n, field := range empty[0].Fields {
		require.Equal(t, full[0].Fields[n].Name, field.Name)
		require.Equal(t, full[0].Fields[n].Type(), field.Type())
		require.Zero(t, field.Len())
	}
}

func customOf(t *testing.T, f *data.Frame) customMeta {
	t.Helper()
	c, ok := f.Meta.Custom.(customMeta)
	require.True(t, ok)
	return c
}

func TestLogsAreCutAtTheBytesOfTheAnswer(t *testing.T) {
	p := newPlugin(t, newProcess(), func(c *config.Config) { c.Grafana.ResponseBytesMax = 10_000 })
	r := &engine.Result{Type: engine.ResultStreams}
	for n := range 50 {
		r.Entries = append(r.Entries, engine.Entry{Timestamp: model.TimestampOf(t0) - model.Timestamp(n), Line: strings.Repeat("x", 900), Labels: labels.FromStrings("a", "b")})
	}
	f := p.framesFromResult(rangeQuery(nil), r)
	require.Equal(t, 10, f[0].Rows())
	require.Equal(t, "Newest 10 of 50 lines: the answer reached 10 kB. Lower the line limit or narrow the query.", customOf(t, f[0]).Error)

	f = p.framesFromResult(rangeQuery(func(q *query) { q.direction = storage.Forward }), r)
	require.Contains(t, customOf(t, f[0]).Error, "Oldest 10 of 50 lines")

	r.Entries = []engine.Entry{{Line: strings.Repeat("x", 20_000)}, {Line: "y"}}
	f = p.framesFromResult(rangeQuery(nil), r)
	require.Equal(t, 1, f[0].Rows(), "the first row is always there")
}

func TestMoreLinesThanAllowed(t *testing.T) {
	_, i := newDefault(t)
	r := &engine.Result{Type: engine.ResultStreams, Entries: make([]engine.Entry, 6)}
	q := rangeQuery(func(q *query) { q.limit, q.asked = 5, 20_000 })
	f := i.p.framesFromResult(q, r)
	require.Equal(t, 5, f[0].Rows(), "an engine that returns too much is cut too")
	require.Equal(t, "Newest 5 lines: 20,000 were asked for, and one query may return no more (grafana.rows_max, max_entries_limit_per_query).", customOf(t, f[0]).Error)

	r.Entries = r.Entries[:4]
	require.Empty(t, customOf(t, i.p.framesFromResult(q, r)[0]).Error, "nothing is missing")
}

func TestPartialAnswersSaySo(t *testing.T) {
	_, i := newDefault(t)
	r := logResult()
	r.Warnings = []string{"chunk 3 of block X is corrupt", "two.", "three", "four", "five"}
	const want = "Partial answer: chunk 3 of block X is corrupt. Partial answer: two. Partial answer: three. 2 more warnings of this kind."
	require.Equal(t, want, customOf(t, i.p.framesFromResult(rangeQuery(nil), r)[0]).Error)
	require.Len(t, i.p.framesFromResult(rangeQuery(nil), r)[0].Meta.Notices, 4, "panels show these")
	m := &engine.Result{Type: engine.ResultMatrix, Warnings: r.Warnings}
	f := i.p.framesFromResult(rangeQuery(nil), m)
	require.Equal(t, want, customOf(t, f[0]).Error)
	require.Len(t, f[0].Meta.Notices, 4)
}

func TestHighlightWords(t *testing.T) {
	f := func(expr string, want ...string) {
		t.Helper()
		logs, got, err := inspectQuery(expr)
		require.NoError(t, err)
		require.True(t, logs)
		require.Equal(t, want, got)
	}
	f(`{a="b"}`)
	f(`{a="b"} |= "boom" |= "boom" |~ "x+|(?i)y" != "no" !~ "neither"`, "boom", "x+|(?i)y")
	f(`{a="b"} |= "f(x)[1]{2}" or "C:\\a.b/c*?|^$+"`, `f\x28x\)\x5b1\]\x7b2\}`, `C:\\a\.b\/c\*\?\|\^\$\+`)
	f(`{a="b"} |= ip("10.0.0.0/8") |= ""`)
	f(`{a="b"} | json | line_format "x" |= "late"`, "late")
	f(`{a="b"} |= "` + strings.Repeat("x", searchWordBytes+1) + `"`)

	many := `{a="b"}`
	for n := range 2 * searchWordsMax {
		many += ` |= "` + strings.Repeat("w", n+1) + `"`
	}
	_, got, err := inspectQuery(many)
	require.NoError(t, err)
	require.Len(t, got, searchWordsMax)

	logs, got, err := inspectQuery(`rate({a="b"} |= "x" [1m])`)
	require.NoError(t, err)
	require.False(t, logs)
	require.Empty(t, got)
}

func TestSeverity(t *testing.T) {
	f := func(level, stream, want string) {
		t.Helper()
		require.Equal(t, want, severity(&engine.Entry{Level: level, Labels: labels.FromStrings("level", stream)}))
	}
	f("error", "", "error")
	f("ERROR", "info", "error")
	f("fatal", "", "critical")
	f("critical", "", "critical")
	f("warn", "", "warning")
	f("info", "", "info")
	f("debug", "", "debug")
	f("trace", "", "trace")
	f("unknown", "error", "unknown")
	f("", "Warn", "warning")
	f("", "4", "warning")
	f("", "", "unknown")
	f("audit", "", "unknown")
}

func matrix() *engine.Result {
	at := model.TimestampOf(t0)
	sample := func(back time.Duration, v float64) engine.Sample {
		return engine.Sample{Timestamp: at.Add(-back), Value: v}
	}
	return &engine.Result{
		Type: engine.ResultMatrix,
		Series: []engine.Series{
			{Labels: labels.EmptyLabels(), Samples: []engine.Sample{sample(time.Minute, 1)}},
			{Labels: labels.FromStrings("app", "api", "detected_level", "warn"), Samples: []engine.Sample{sample(30*time.Second, 2), sample(0, math.NaN())}},
			{Labels: labels.FromStrings("app", "api", "level", "ERR"), Samples: []engine.Sample{sample(0, math.Inf(1))}},
		},
		Stats: engine.Stats{Bytes: 10, Lines: 2},
	}
}

func TestMatrixFrames(t *testing.T) {
	_, i := newDefault(t)
	golden(t, "matrix", i.p.framesFromResult(rangeQuery(func(q *query) { q.expr = `sum by (app) (rate({app="api"}[1m]))` }), matrix()))
}

func TestVolumeFrames(t *testing.T) {
	_, i := newDefault(t)
	golden(t, "volume", i.p.framesFromResult(rangeQuery(func(q *query) { q.volume = true }), matrix()))
}

func TestVectorFrames(t *testing.T) {
	_, i := newDefault(t)
	r := matrix()
	r.Type = engine.ResultVector
	r.Series[1].Samples = r.Series[1].Samples[:1]
	golden(t, "vector", i.p.framesFromResult(rangeQuery(func(q *query) { q.instant, q.legend = true, "{{app}} / {{ gone }}-{{detected_level}}" }), r))
}

func TestScalarFrame(t *testing.T) {
	_, i := newDefault(t)
	r := &engine.Result{Type: engine.ResultScalar, Scalar: engine.Sample{Timestamp: model.TimestampOf(t0), Value: 42}}
	golden(t, "scalar", i.p.framesFromResult(rangeQuery(func(q *query) { q.expr, q.instant = "6*7", true }), r))
}

func TestNoSeries(t *testing.T) {
	_, i := newDefault(t)
	golden(t, "matrix_empty", i.p.framesFromResult(rangeQuery(nil), &engine.Result{Type: engine.ResultMatrix}))
	f := i.p.framesFromResult(rangeQuery(nil), &engine.Result{Type: engine.ResultVector})
	require.Equal(t, data.FrameTypeNumericMulti, f[0].Meta.Type)
}

func TestSeriesAreBounded(t *testing.T) {
	_, i := newDefault(t)
	r := &engine.Result{Type: engine.ResultMatrix, Series: make([]engine.Series, seriesMax+3)}
	f := i.p.framesFromResult(rangeQuery(nil), r)
	require.Len(t, f, seriesMax)
	require.Equal(t, "First 5,000 of 5,003 series: the answer is too large. Group by fewer labels or widen the step.", customOf(t, f[0]).Error)

	r = &engine.Result{Type: engine.ResultMatrix, Series: make([]engine.Series, 4)}
	for n := range r.Series {
		r.Series[n].Samples = make([]engine.Sample, samplesMax/2)
	}
	require.Len(t, i.p.framesFromResult(rangeQuery(nil), r), 2)
}

func TestDisplayName(t *testing.T) {
	ls := labels.FromStrings("app", "api", "pod", "p{{1}}")
	f := func(legend, want string) {
		t.Helper()
		require.Equal(t, want, displayName(&query{legend: legend, expr: "EXPR"}, ls))
	}
	f("", `{app="api", pod="p{{1}}"}`)
	f("{{app}}", "api")
	f("{{ app }}-{{pod}}", "api-p{{1}}")
	f("{{none}}", "")
	f("static {app}", "static {app}")
	require.Equal(t, "EXPR", displayName(&query{expr: "EXPR"}, labels.EmptyLabels()))
}

// FuzzLabelEncoding feeds any labels and expects JSON objects with the same keys on both sides, and a frame that Arrow
// can carry.
func FuzzLabelEncoding(f *testing.F) {
	f.Add("app", "api", "trace", "x", "p", "1", "line")
	f.Add("a\"", "\xff\x00", "a\"", "\u2028", "", "<&>", "\xf0\x28")
	_, i := newDefault(f)
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3, line string) {
		e := engine.Entry{
			Timestamp: model.TimestampOf(t0), Line: line, Labels: labels.FromStrings(n1, v1),
			Metadata: []model.Pair{{Name: n2, Value: v2}, {Name: n2, Value: v3}}, Parsed: []model.Pair{{Name: n3, Value: v3}, {Name: n1, Value: "no"}},
		}
		enc := labelEncoder{streams: map[uint64]streamJSON{}}
		set, types := enc.encode(&e)
		again, _ := enc.encode(&e)
		require.Equal(t, set, again)
		var values, kinds map[string]string
		require.NoError(t, json.Unmarshal(set, &values))
		require.NoError(t, json.Unmarshal(types, &kinds))
		require.Len(t, kinds, len(values))
		for name := range values {
			require.Contains(t, []string{"I", "S", "P"}, kinds[name])
		}
		frames := i.p.framesFromResult(rangeQuery(nil), &engine.Result{Type: engine.ResultStreams, Entries: []engine.Entry{e}})
		_, err := frames.MarshalArrow()
		require.NoError(t, err)
		_, err = json.Marshal(frames[0])
		require.NoError(t, err)
	})
}

func BenchmarkLogsFrame(b *testing.B) {
	_, i := newDefault(b)
	r := &engine.Result{Type: engine.ResultStreams}
	api := labels.FromStrings("app", "api", "namespace", "prod", "pod", "api-7d9c5c7b9-abcde", "stream", "stderr", "service_name", "api")
	bytes := 0
	for n := range 1000 {
		e := engine.Entry{
			Timestamp: model.TimestampOf(t0) - model.Timestamp(n), Labels: api, Level: "error", ID: "00000000000000a1_0",
			Line:     `level=error ts=2026-03-01T12:00:00Z caller=handler.go:42 msg="request failed" path=/api/v1/items status=503`,
			Metadata: []model.Pair{{Name: "detected_level", Value: "error"}, {Name: "trace_id", Value: "0af7651916cd43dd8448eb211c80319c"}},
		}
		bytes += len(e.Line)
		r.Entries = append(r.Entries, e)
	}
	q := rangeQuery(func(q *query) { q.limit = 1000 })
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		if f := i.p.framesFromResult(q, r); f[0].Rows() != 1000 {
			b.Fatal("rows are missing")
		}
	}
}
