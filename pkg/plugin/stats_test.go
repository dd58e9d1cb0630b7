package plugin

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/history"
)

// memory is a History of samples that a test wrote down: by metric, every 15 s, the last one at t0.
type memory map[string][]history.Series

func (m memory) Select(metric string) []history.Series { return m[metric] }

func (m memory) add(metric string, set map[string]string, v ...float64) {
	s := history.Series{Labels: set}
	for n, x := range v {
		s.Samples = append(s.Samples, history.Sample{At: t0.Add(time.Duration(n-len(v)+1) * history.Resolution), Step: history.Resolution, Value: x})
	}
	m[metric] = append(m[metric], s)
}

var nan = math.NaN()

// statsOf asks for the last minute: five steps of 15 s, of which the last holds the sample at t0.
func statsOf(t *testing.T, m memory, body string) map[string][]float64 {
	t.Helper()
	p := newPlugin(t, newProcess(), nil)
	p.History = m
	return statsVia(t, newInstance(t, p, ""), body)
}

func statsVia(t *testing.T, i *Instance, body string) map[string][]float64 {
	t.Helper()
	q := dataQuery("A", body)
	q.TimeRange.From = t0.Add(-time.Minute)
	resp := ask(t, i, q).Responses["A"]
	require.NoError(t, resp.Error)
	out := map[string][]float64{}
	for _, frame := range resp.Frames {
		if len(frame.Fields) == 0 {
			continue
		}
		for n := range frame.Rows() {
			v := frame.Fields[1].At(n).(float64)
			out[frame.Fields[1].Config.DisplayNameFromDS] = append(out[frame.Fields[1].Config.DisplayNameFromDS], math.Round(v*1e6)/1e6)
		}
	}
	return out
}

func stat(name string) string { return fmt.Sprintf(`{"queryType":"stats","stat":%q}`, name) }

func TestStatsOfGauges(t *testing.T) {
	m := memory{}
	m.add("woodshed_block_bytes", nil, 1, 2, 3, 4, 5)
	m.add("woodshed_wal_bytes", nil, 10, 10, nan, 10, 10)
	require.Equal(t, map[string][]float64{"blocks": {1, 2, 3, 4, 5}, "log": {10, 10, 10, 10}}, statsOf(t, m, stat("disk_bytes")))
	require.Equal(t, map[string][]float64{"On disk": {11, 12, 3, 14, 15}}, statsOf(t, m, `{"queryType":"stats","stat":"disk_bytes","by":"none"}`))
	require.Equal(t, map[string][]float64{"blocks": {5}, "log": {10}}, statsOf(t, m, `{"queryType":"stats","stat":"disk_bytes","instant":true}`))
	require.Equal(t, map[string][]float64{"on disk: log": {10}, "on disk: blocks": {5}},
		statsOf(t, m, `{"queryType":"stats","stat":"disk_bytes","instant":true,"legendFormat":"on disk: {{kind}}"}`))
	require.Empty(t, statsOf(t, m, stat("memory_bytes")), "nothing is known of it")
}

func TestStatsOfCounters(t *testing.T) {
	m := memory{}
	m.add(metricAlways, nil, 1, 1, 1, 1, 1)
	require.Equal(t, map[string][]float64{"Entries stored": {0, 0, 0, 0}}, statsOf(t, m, stat("ingest_entries")), "nothing counted is 0")
	m.add(metricReceivedEntries, map[string]string{"tenant": "a"}, 0, 15, 30, 30, 60)
	m.add(metricReceivedEntries, map[string]string{"tenant": "b"}, nan, nan, nan, 150, 150) // begins at 0
	m.add(metricDiscardedEntries, map[string]string{"tenant": "a", "reason": "rate_limited"}, 0, 0, 15, 15, 15)
	// Each rate is over the 15 s that end with a sample, so a step has that of its sample's end.
	require.Equal(t, []float64{1, 0, 10, 2}, statsOf(t, m, stat("ingest_entries"))["Entries stored"])
	require.Equal(t, map[string][]float64{"a": {1, 0, 0, 2}, "b": {10, 0}}, statsOf(t, m, `{"queryType":"stats","stat":"ingest_entries","by":"tenant"}`))
	require.Equal(t, map[string][]float64{"rate_limited": {0, 15, 0, 0}}, statsOf(t, m, stat("refused_entries")))
	m.add(metricDiscardedEntries, map[string]string{"tenant": "a", "reason": "line_too_long"}, 7, 7, 7, 7, 7)
	require.Len(t, statsOf(t, m, stat("refused_entries")), 1, "nothing was refused for another reason")
	require.Equal(t, map[string][]float64{"Entries stored": {195.0 / 60}}, statsOf(t, m, `{"queryType":"stats","stat":"ingest_entries","instant":true}`))
	require.Equal(t, map[string][]float64{"rate_limited": {15}}, statsOf(t, m, `{"queryType":"stats","stat":"refused_entries","instant":true}`))
}

func TestStatsAcrossARestart(t *testing.T) {
	m := memory{}
	m.add(metricReceivedEntries, nil, 0, 15, 30)
	s := &m[metricReceivedEntries][0]
	for n := range 2 {
		s.Samples[n].At = s.Samples[n].At.Add(-30 * time.Second)
	}
	s.Samples[1].At = t0.Add(-45 * time.Second)
	// Samples at -60, -45 and 0: nothing ran for 45 s, then 15 entries came in the last 15.
	got := statsOf(t, m, stat("ingest_entries"))
	require.Equal(t, map[string][]float64{"Entries stored": {1, 1}}, got)
}

func TestStatsOfHistograms(t *testing.T) {
	m := memory{}
	for le, v := range map[string][]float64{"0.1": {0, 0, 50}, "1": {0, 0, 90}, history.LabelInf: {0, 0, 100}} {
		m.add(metricQuerySeconds, map[string]string{"kind": "logs", history.LabelLE: le}, v...)
	}
	require.Equal(t, map[string][]float64{"p50": {0.1}, "p95": {1}, "p99": {1}}, statsOf(t, m, stat("query_latency")))
	require.Equal(t, map[string][]float64{"p50 logs": {0.1}, "p95 logs": {1}, "p99 logs": {1}}, statsOf(t, m, `{"queryType":"stats","stat":"query_latency","by":"kind"}`))
	require.Equal(t, map[string][]float64{"logs": {0, 6.666667}}, statsOf(t, m, stat("queries")))
	require.Empty(t, statsOf(t, memory{}, stat("query_latency")))
}

func TestStatsOfRatiosAndAges(t *testing.T) {
	m := memory{}
	m.add("woodshed_block_raw_bytes", nil, 0, 40, 50)
	m.add("woodshed_block_bytes", nil, 0, 10, 10)
	m.add("woodshed_oldest_entry_timestamp_seconds", nil, 0, 0, float64(t0.Unix()-3600))
	require.Equal(t, map[string][]float64{"Compression": {4, 5}}, statsOf(t, m, stat("compression")))
	require.Equal(t, map[string][]float64{"Age of the oldest entry": {3600}}, statsOf(t, m, stat("oldest_age")))
}

func TestStatsFrames(t *testing.T) {
	m := memory{}
	m.add("woodshed_block_bytes", nil, 1, 2, 3)
	p := newPlugin(t, newProcess(), nil)
	p.History = m
	i := newInstance(t, p, "")
	frame := askOne(t, i, stat("disk_bytes")).Frames[0]
	require.Equal(t, data.FrameTypeTimeSeriesMulti, frame.Meta.Type)
	require.Equal(t, "bytes", frame.Fields[1].Config.Unit)
	require.InDelta(t, 15_000, frame.Fields[0].Config.Interval, 0)
	require.Equal(t, data.Labels{"kind": "blocks"}, frame.Fields[1].Labels)
	frame = askOne(t, i, `{"queryType":"stats","stat":"disk_bytes","instant":true}`).Frames[0]
	require.Equal(t, data.FrameTypeNumericMulti, frame.Meta.Type)
	frame = askOne(t, i, stat("memory_bytes")).Frames[0]
	require.Empty(t, frame.Fields, "no data is a typed frame without fields")
	require.Equal(t, data.FrameTypeTimeSeriesMulti, frame.Meta.Type)
}

func TestStatsFaults(t *testing.T) {
	p := newPlugin(t, newProcess(), nil)
	i := newInstance(t, p, "")
	f := func(body string, status int, says string) {
		t.Helper()
		got := askOne(t, i, body)
		require.ErrorContains(t, got.Error, says)
		require.Equal(t, backend.Status(status), got.Status)
	}
	f(stat("disk_bytes"), 503, "keeps no statistics")
	p.History = memory{}
	f(stat("disk"), 400, `There is no statistic "disk". There are: ingest_entries, ingest_bytes,`)
	f(`{"queryType":"stats"}`, 400, "There are: ingest_entries")
	f(`{"queryType":"stats","stat":"cpu","by":"tenant"}`, 400, `cpu cannot be split by "tenant", but by none.`)
	f(`{"queryType":"stats","stat":"cpu","step":"soon"}`, 400, "is not a positive duration")
	f(`{"queryType":"stats","stat":7}`, 400, "could not be read")
}

// TestStatsScope is who sees whose numbers.
func TestStatsScope(t *testing.T) {
	m := memory{}
	m.add("woodshed_head_streams", map[string]string{"tenant": "a"}, 1, 1, 1)
	m.add("woodshed_head_streams", map[string]string{"tenant": "b"}, 10, 10, 10)
	m.add("woodshed_wal_bytes", nil, 100, 100, 100)
	requests := map[string]backend.PluginContext{"alert without user": pluginContext(1, ""), "public dashboard": pluginContext(1, " ")}
	for _, role := range []string{"Viewer", "Editor", "Admin"} {
		requests[role] = pluginContext(1, role)
	}
	requests["anonymous"] = pluginContext(1, "Viewer")
	requests["anonymous"].User.Login = ""
	requests["alert rule"] = pluginContext(1, "Admin") // as Grafana's scheduler, whoever wrote the rule
	requests["alert rule"].User.Login = "grafana_scheduler"

	// see returns the streams, the bytes of the log, and the tenants told apart; -1 is a refusal.
	see := func(pc backend.PluginContext, change func(*config.Config)) [3]float64 {
		p := newPlugin(t, newProcess(), change)
		p.History = m
		i := newInstance(t, p, "")
		var out [3]float64
		for n, body := range []string{
			`{"queryType":"stats","stat":"streams","instant":true}`, `{"queryType":"stats","stat":"disk_bytes","by":"none","instant":true}`,
			`{"queryType":"stats","stat":"streams","by":"tenant","instant":true}`,
		} {
			resp, err := i.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: pc, Queries: []backend.DataQuery{dataQuery("A", body)}})
			require.NoError(t, err)
			got := resp.Responses["A"]
			switch {
			case got.Error != nil:
				require.Equal(t, backend.StatusForbidden, got.Status, got.Error)
				require.Empty(t, got.Frames)
				out[n] = -1
			case n == 2:
				out[n] = float64(len(got.Frames))
			default:
				out[n] = got.Frames[0].Fields[1].At(0).(float64)
			}
		}
		return out
	}
	open := func(*config.Config) {}
	apart := func(c *config.Config) { c.AuthEnabled, c.OrgTenants = true, config.OrgTenants{1: {"a"}, 2: {"b"}} }
	mapped := func(c *config.Config) { c.OrgTenants = config.OrgTenants{1: {"a"}} }
	named := func(orgs ...int64) func(*config.Config) {
		return func(c *config.Config) { apart(c); c.Grafana.StatsOrgs = orgs }
	}
	everything, own, nothing := [3]float64{11, 100, 2}, [3]float64{1, -1, -1}, [3]float64{-1, -1, -1}
	for who, pc := range requests {
		require.Equal(t, everything, see(pc, open), "%s: one store for all", who)
		require.Equal(t, own, see(pc, apart), "%s: organisations apart", who)
		require.Equal(t, own, see(pc, mapped), "%s: apart by org_tenants alone", who)
		require.Equal(t, own, see(pc, named(2)), "%s: another organisation is named", who)
		require.Equal(t, nothing, see(pc, func(c *config.Config) { c.AuthEnabled = true }), "%s: no tenant", who)
		want := own
		if who == "Admin" || who == "alert rule" {
			want = [3]float64{1, 100, 2}
		}
		require.Equal(t, want, see(pc, named(2, 1)), "%s: this organisation is named", who)
	}
}

// TestStatsOfARealHistory asks for every statistic in every split, of metrics as they are registered.
func TestStatsOfARealHistory(t *testing.T) {
	r := prometheus.NewRegistry()
	for _, m := range StatMetrics() {
		switch {
		case slices.Contains([]string{metricQuerySeconds, metricRequestSeconds, "woodshed_wal_sync_seconds"}, m.Name):
			v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name}, m.By)
			r.MustRegister(v)
			v.WithLabelValues(labelValues0(m.By)...).Observe(0.2)
		default:
			v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name}, m.By)
			r.MustRegister(v)
			v.WithLabelValues(labelValues0(m.By)...).Add(3)
		}
	}
	h, err := history.New(history.Config{Gatherer: r, Metrics: StatMetrics(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return t0 }})
	require.NoError(t, err)
	p := newPlugin(t, newProcess(), nil)
	p.History = h
	i := newInstance(t, p, "")
	for _, s := range statistics {
		for _, split := range s.by {
			for _, instant := range []bool{false, true} {
				resp := askOne(t, i, fmt.Sprintf(`{"queryType":"stats","stat":%q,"by":%q,"instant":%t}`, s.name, split, instant))
				require.NoError(t, resp.Error, "%s by %s", s.name, split)
				require.NotEmpty(t, resp.Frames)
			}
		}
	}
}

func labelValues0(by []string) []string {
	out := make([]string, len(by))
	for n := range out {
		out[n] = "x"
	}
	return out
}

// Every label by which a statistic splits or selects is kept, or named by its terms.
func TestStatisticsAreConsistent(t *testing.T) {
	names := map[string]bool{}
	for _, s := range statistics {
		require.False(t, names[s.name], s.name)
		names[s.name] = true
		require.NotEmpty(t, s.title)
		require.NotEmpty(t, s.unit)
		for _, term := range s.terms {
			for _, split := range s.by {
				if split != splitNone && !(split == "kind" && term.as != "") {
					require.Contains(t, labelsKept[term.metric], split, "%s: %s", s.name, term.metric)
				}
			}
			for name := range maps.All(term.not) {
				require.Contains(t, labelsKept[term.metric], name)
			}
			if !s.process {
				require.Contains(t, labelsKept[term.metric], "tenant", "%s would be told to other tenants", s.name)
			}
		}
	}
}

// The rates of all steps, times their length, are what was counted, whatever the step.
func TestRatesAddUp(t *testing.T) {
	m := memory{}
	counted := make([]float64, 200)
	for n := 1; n < len(counted); n++ {
		counted[n] = counted[n-1] + float64(n*7919%31)
	}
	m.add("x", nil, counted...)
	for _, step := range []time.Duration{15 * time.Second, 20 * time.Second, time.Minute, 7 * time.Minute} {
		a := axis{start: t0.Add(-2 * time.Hour).Truncate(step), step: step, count: int(3*time.Hour/step) + 1}
		sum := 0.0
		for _, v := range readIncrease(m["x"][0].Samples, a) {
			if !math.IsNaN(v) {
				sum += v
			}
		}
		require.InDelta(t, counted[len(counted)-1], sum, 1e-6)
		sum = 0
		for _, v := range readRate(m["x"][0].Samples, a)[1:] {
			if !math.IsNaN(v) {
				sum += v * step.Seconds()
			}
		}
		require.InEpsilon(t, counted[len(counted)-1], sum, 0.2*step.Minutes(), "%s: the first and the last step are not full", step)
	}
}

func TestStatisticsAreListed(t *testing.T) {
	_, i := newDefault(t)
	status, body := call(t, i, http.MethodGet, "statistics")
	require.Equal(t, 200, status)
	require.Contains(t, body, `{"name":"disk_bytes","title":"On disk","by":["kind","none"],"process":true}`)
}
