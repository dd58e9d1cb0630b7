package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func smallCorpus(lines int) corpus {
	return corpus{seed: 1, lines: lines, streams: 100, start: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), span: 6 * time.Hour, kind: everyKind}
}

// everything decodes all bodies of all clients of a corpus.
func generated(t testing.TB, c corpus, clients int, each func(client int, labels, line string, at time.Time, trace string)) {
	t.Helper()
	for client := range clients {
		g := newGenerator(c, client, clients)
		var b pushBody
		for g.fill(&b, 100_000) {
			for _, s := range decodePush(t, b.encode()).Streams {
				for _, e := range s.Entries {
					trace := ""
					for _, p := range e.StructuredMetadata {
						require.Equal(t, "trace_id", p.Name)
						trace = p.Value
					}
					each(client, s.Labels, e.Line, e.Timestamp, trace)
				}
			}
			b.reset()
		}
	}
}

func TestGeneratedCorpus(t *testing.T) {
	const lines, clients = 40_003, 4
	c := smallCorpus(lines)
	total, needles, traces, stacks, bytes := 0, 0, 0, 0, 0
	byFormat := map[string]int{}
	streams := map[string]int{}
	owner := map[string]int{}
	last := map[string]time.Time{}
	generated(t, c, clients, func(client int, labels, line string, at time.Time, trace string) {
		total++
		bytes += len(line)
		streams[labels]++
		if o, seen := owner[labels]; seen {
			require.Equal(t, o, client, "a stream has one client, so its times rise")
		}
		owner[labels] = client
		require.False(t, at.Before(last[labels]))
		last[labels] = at
		require.False(t, at.Before(c.start))
		require.True(t, at.Before(c.start.Add(c.span)))
		_, format, _ := strings.Cut(labels, `format="`)
		format, _, _ = strings.Cut(format, `"`)
		byFormat[format]++
		switch format {
		case "json":
			require.True(t, json.Valid([]byte(line)), line)
		case "text":
			if strings.Contains(line, "\n\tat ") {
				stacks++
			}
		}
		if strings.Contains(line, needleWord) {
			needles++
		}
		if trace == needleTrace {
			traces++
		}
	})
	require.Equal(t, lines, total)
	require.Equal(t, needleLines, needles)
	require.Equal(t, traceLines, traces)
	require.Positive(t, stacks)
	require.InDelta(t, 180, bytes/total, 60, "lines are about as long as in the comparison")
	for _, f := range formats {
		require.InDelta(t, f.share, 100*float64(byFormat[f.name])/lines, 1.5, f.name)
	}
	require.Len(t, streams, c.streams)

	// The same corpus again is the same; another seed is another.
	digest := func(c corpus) string {
		var b strings.Builder
		generated(t, c, clients, func(_ int, labels, line string, at time.Time, trace string) {
			fmt.Fprint(&b, labels, line, at, trace)
		})
		return b.String()
	}
	small := smallCorpus(2000)
	first := digest(small)
	require.True(t, first == digest(small))
	small.seed = 2
	require.False(t, first == digest(small))
}

func BenchmarkGenerate(b *testing.B) {
	g := newGenerator(smallCorpus(1<<40), 0, 4)
	var body pushBody
	b.ReportAllocs()
	for b.Loop() {
		g.fill(&body, 1<<20)
		b.SetBytes(int64(body.lineBytes))
		body.encode()
		body.reset()
	}
}

// benchStore counts what it is sent, and answers each query with what it should.
type benchStore struct {
	lines, pushes atomic.Int64
	wrong         bool
	mu            sync.Mutex // guards tenants
	tenants       map[string]bool
}

func (s *benchStore) answer(t *testing.T) func(http.ResponseWriter, asked) {
	return func(w http.ResponseWriter, a asked) {
		s.mu.Lock()
		s.tenants[a.tenant] = true
		s.mu.Unlock()
		q := a.form.Get("query")
		switch {
		case a.path == "/metrics":
			n := float64(s.pushes.Load())
			fmt.Fprintf(w, "# HELP x\nprocess_cpu_seconds_total %g\nprocess_resident_memory_bytes 5e+07\nother{a=\"b\"} 1\n", 1+n)
		case a.path == "/loki/api/v1/push":
			if s.pushes.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable) // sent again
				return
			}
			for _, st := range decodePush(t, a.body).Streams {
				s.lines.Add(int64(len(st.Entries)))
			}
			w.WriteHeader(http.StatusNoContent)
		case a.path == "/flush":
			require.Equal(t, http.MethodPost, a.method)
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(a.path, "/series"):
			fmt.Fprint(w, `{"data":[{}]}`)
		case strings.HasSuffix(a.path, "/values"):
			fmt.Fprint(w, `{"data":["a","b"]}`)
		case strings.Contains(q, "| json"):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "json is not supported yet\nmore")
		case a.path == "/loki/api/v1/query" && strings.Contains(q, "timeout"):
			fmt.Fprint(w, `{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"77"]}]}}`)
		case a.path == "/loki/api/v1/query":
			n := s.lines.Load()
			if s.wrong {
				n--
			}
			fmt.Fprintf(w, `{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"%d"]}]}}`, n)
		case strings.Contains(q, "etzalco"), strings.Contains(q, "QUETZAL"):
			fmt.Fprint(w, streamOf(needleLines))
		case strings.Contains(q, "feedface"):
			fmt.Fprint(w, streamOf(traceLines))
		case strings.Contains(q, "xylo"), strings.Contains(q, "qzjx"):
			fmt.Fprint(w, streamOf(0))
		default:
			fmt.Fprint(w, streamOf(100))
		}
	}
}

func streamOf(n int) string {
	values := strings.TrimSuffix(strings.Repeat(`["1","x"],`, n), ",")
	return `{"data":{"resultType":"streams","result":[{"stream":{},"values":[` + values + `]}]}}`
}

func TestBench(t *testing.T) {
	bs := &benchStore{tenants: map[string]bool{}}
	store := newFakeStore(t, bs.answer(t))
	got := session{env: map[string]string{"WOODSHED_TENANT": "production"}}.run(t, "bench", "--addr", store.URL, "--lines", "5000", "--batch-bytes", "50000", "--repeat", "2", "--flush", "--json")
	require.Zero(t, got.code, got.err)
	var r benchReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &r))
	require.EqualValues(t, 5000, bs.lines.Load())
	require.Equal(t, map[string]bool{r.Tenant: true}, bs.tenants)
	require.Regexp(t, `^bench-\d{8}T\d{6}$`, r.Tenant, "generated lines never go to a tenant in use")
	require.EqualValues(t, 5000, r.Push.Lines)
	require.EqualValues(t, 1, r.Push.Retries)
	require.Equal(t, bs.pushes.Load(), r.Push.Requests)
	require.Positive(t, r.Push.MBPerSecond)
	require.Positive(t, r.Push.LatencyMS.Median)
	require.GreaterOrEqual(t, r.Push.LatencyMS.Max, r.Push.LatencyMS.P99)
	require.InDelta(t, float64(r.Push.Requests), r.Push.ServerCPUSeconds, 0.01)
	require.EqualValues(t, 50_000_000, r.Push.ServerResidentBytes)
	require.Positive(t, r.FlushSeconds)
	byName := map[string]benchResult{}
	for _, q := range r.Queries {
		byName[q.Name] = q
		if q.Error == "" {
			require.Positive(t, q.MS.Median, q.Name)
			require.LessOrEqual(t, q.MS.Min, q.MS.Median)
			require.LessOrEqual(t, q.MS.Median, q.MS.Max)
			require.Positive(t, q.Bytes)
		}
	}
	require.Len(t, byName, len(r.Queries), "names are unique")
	require.Equal(t, 5000, byName["count of everything"].Results)
	require.Equal(t, 77, byName["count of lines with a common substring"].Results)
	require.Equal(t, needleLines, byName["rare word"].Results)
	require.Equal(t, "json is not supported yet\nmore", byName["json, numeric label filter, newest 1000"].Error)
	require.Equal(t, 2, byName["label values"].Results)
	require.Zero(t, r.wrong())

	// The table, and a wrong count.
	bs.wrong = true
	got = session{}.run(t, "bench", "--addr", store.URL, "--lines", "0", "--from-lines", "5000", "--tenant", r.Tenant, "--only", "everything|json, num", "--repeat", "1")
	require.Equal(t, exitFailed, got.code)
	require.Equal(t, "gpx_woodshed bench: 1 queries gave a wrong answer\n", got.err)
	require.Regexp(t, `(?m)^count of everything +\d+\.\d+ +\d+\.\d+ +\d+\.\d+ +4,999  WRONG, it is 5000$`, got.out)
	require.Regexp(t, `(?m)^json, numeric label filter, newest 1000  json is not supported yet$`, got.out)
	require.NotContains(t, got.out, "rare word")
}

func TestBenchTable(t *testing.T) {
	bs := &benchStore{tenants: map[string]bool{}}
	store := newFakeStore(t, bs.answer(t))
	got := session{}.run(t, "bench", "--addr", store.URL, "--lines", "2000", "--repeat", "1", "--only", "^rare word$")
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.out, "pushed 2,000 lines (")
	require.Contains(t, got.out, "request latency: median ")
	require.Contains(t, got.out, "50 MB resident\n")
	require.Contains(t, got.out, "these clients: ")
}

func TestBenchFails(t *testing.T) {
	f := func(answer func(http.ResponseWriter, asked), want string, args ...string) {
		t.Helper()
		store := newFakeStore(t, answer)
		got := session{}.run(t, append([]string{"bench", "--addr", store.URL, "--lines", "500"}, args...)...)
		require.Equal(t, exitFailed, got.code)
		require.Contains(t, got.err, want)
		require.Empty(t, got.out)
	}
	f(says(400, "max entry size exceeded"), "push: ")
	f(func(w http.ResponseWriter, a asked) {
		if a.path == "/loki/api/v1/push" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	}, `query "rare word": `)
	f(func(w http.ResponseWriter, a asked) {
		if a.path == "/loki/api/v1/push" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fmt.Fprint(w, "no json")
	}, `query "rare word": read the answer: `)
	f(says(503, "replaying"), "not done within --max-time 50ms", "--max-time", "50ms")
	f(func(w http.ResponseWriter, a asked) {
		w.WriteHeader(map[bool]int{true: 204, false: 404}[a.path == "/loki/api/v1/push"])
	}, "flush: ", "--flush")
}

func TestLoopback(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", "127.8.9.1", "::ffff:127.0.0.1", "localhost"} {
		require.NoError(t, loopback(t.Context(), host), host)
	}
	for _, host := range []string{"192.0.2.1", "0.0.0.0", "2001:db8::1"} {
		require.Error(t, loopback(t.Context(), host), host)
	}
}

func TestQuantile(t *testing.T) {
	f := func(q, want float64, ms ...int) {
		t.Helper()
		var times []time.Duration
		for _, m := range ms {
			times = append(times, time.Duration(m)*time.Millisecond)
		}
		require.InDelta(t, want, quantile(times, q), 0)
	}
	f(0.5, 0)
	f(0.5, 1, 1)
	f(0, 1, 1, 2, 3)
	f(0.5, 2, 1, 2, 3)
	f(0.5, 2, 1, 2, 3, 4)
	f(0.99, 4, 1, 2, 3, 4)
	f(1, 4, 1, 2, 3, 4)
}

func TestParseProcess(t *testing.T) {
	_, err := parseProcess(strings.NewReader("process_cpu_seconds_total x\n"))
	require.ErrorContains(t, err, "read metric process_cpu_seconds_total")
	_, err = parseProcess(strings.NewReader("a 1\n"))
	require.ErrorIs(t, err, errNoProcessMetrics)
	_, err = parseProcess(bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20)))
	require.ErrorContains(t, err, "read metrics")
}

func TestCountResults(t *testing.T) {
	f := func(body string, want int) {
		t.Helper()
		got, err := countResults([]byte(body))
		require.NoError(t, err)
		require.Equal(t, want, got, body)
	}
	f(`{"status":"success"}`, 0)
	f(`{"data":["a","b"]}`, 2)
	f(streamOf(3), 3)
	f(`{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"12"]}]}}`, 12)
	f(`{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"12"]}]}}`, 1)
	f(`{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]},{"metric":{},"values":[[1,"1"]]}]}}`, 3)
	for _, bad := range []string{"", "x", `{"data":{"result":3}}`, `{"data":{"result":[{"value":[1,"x"]}]}}`} {
		_, err := countResults([]byte(bad))
		require.Error(t, err, bad)
	}
}
