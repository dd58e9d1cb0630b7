package lokiapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	pmodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares an answer with testdata/name, which holds it indented.
func golden(t *testing.T, name, body string) {
	t.Helper()
	require.True(t, strings.HasSuffix(body, "\n"))
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, []byte(body), "", "  "))
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, pretty.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), pretty.String())
}

func lsets(selectors ...string) []labels.Labels {
	var sets []labels.Labels
	for _, s := range selectors {
		ms, err := syntax.ParseSelector(s)
		if err != nil {
			panic(err)
		}
		b := labels.NewBuilder(labels.EmptyLabels())
		for _, m := range ms {
			b.Set(m.Name, m.Value)
		}
		sets = append(sets, b.Labels())
	}
	return sets
}

var someStats = engine.Stats{
	Exec: 250 * time.Millisecond, Bytes: 1000, Lines: 100, LinesMatched: 10, Chunks: 7, ChunksSkipped: 3, EntriesReturned: 4,
	Skipped: storage.SkippedChunks{Filter: 3}, Pages: 9, BytesRead: 500, BytesDecoded: 1200,
}

func logResult() *engine.Result {
	sets := lsets(`{app="web"}`, `{app="api", env="prod"}`)
	meta := []model.Pair{{Name: "detected_level", Value: "info"}, {Name: "env_extracted", Value: "hidden"}, {Name: "trace", Value: "t1"}}
	parsed := []model.Pair{{Name: "status", Value: "500"}}
	return &engine.Result{Type: engine.ResultStreams, Stats: someStats, Entries: []engine.Entry{
		{Timestamp: 5, Line: "newest <b>&", Labels: sets[0]},
		{Timestamp: 4, Line: "bad \xff utf-8, \u2028 \u0000 \"quoted\" \\ \t", Labels: sets[1], Metadata: meta, Parsed: parsed},
		{Timestamp: 4, Line: "äöü 日本 🎉", Labels: sets[1], Metadata: meta[:1]},
		{Timestamp: -3, Line: "", Labels: sets[0]},
	}}
}

func TestGoldenAnswers(t *testing.T) {
	s := newSite(t)
	f := func(name, query string, res *engine.Result, headers ...string) {
		t.Helper()
		s.exec = func(context.Context, engine.Params) (*engine.Result, error) { return res, nil }
		path := rangePath
		if res.Type == engine.ResultVector || res.Type == engine.ResultScalar {
			path = instantPath
		}
		got := s.get(t, path+"?query="+url.QueryEscape(query), headers...)
		require.Equal(t, 200, got.status, got.body)
		require.Equal(t, contentTypeJSON, got.header.Get("Content-Type"))
		golden(t, name, got.body)
	}
	const categorize = "X-Loki-Response-Encoding-Flags: categorize-labels"
	f("streams.json", logQuery, logResult())
	f("streams_categorized.json", logQuery, logResult(), categorize)
	f("streams_categorized.json", logQuery, logResult(), "X-Loki-Response-Encoding-Flags: other, categorize-labels")
	f("streams_empty.json", logQuery, &engine.Result{})
	warned := &engine.Result{Warnings: []string{"chunk 3 of block X is <damaged>", "two"}}
	f("streams_warnings.json", logQuery, warned, categorize)
	explained := &engine.Result{Explain: &engine.Explain{Plan: "Log limited in the store\n  Scan {app=\"api\"} time, line\n", Scans: []engine.ExplainScan{
		{Scan: `Scan {app="api"} time, line`, Complete: true, Passed: 1, Took: 1500 * time.Microsecond, Store: storage.ScanStats{
			Chunks: 2, ChunksSkipped: 3, Entries: 4, Bytes: 5, EntriesMatched: 6,
			Skipped: storage.SkippedChunks{Time: 7, Filter: 8, Metadata: 9, Level: 10, Implied: 11, Delete: 12, Order: 13},
			Counted: storage.CountedChunks{Directory: 14, Total: 15, Minutes: 16, Columns: 17, Entries: 18}, Pages: 19, BytesRead: 20, BytesDecoded: 21,
		}},
	}}}
	f("streams_explained.json", logQuery, explained)
	f("explained_without_scans.json", logQuery, &engine.Result{Explain: &engine.Explain{Plan: "Scalar 1\n"}})

	sets := lsets(`{app="api"}`, `{}`)
	samples := []engine.Sample{{Timestamp: 1700000000_000000000, Value: 1}, {Timestamp: 1700000000_500000000, Value: math.NaN()},
		{Timestamp: 1700000001_234567890, Value: math.Inf(1)}, {Timestamp: 1700000002_000000000, Value: math.Inf(-1)}, {Timestamp: 1700000003_010000000, Value: 1e21 / 3}}
	matrix := []engine.Series{{Labels: sets[0], Samples: samples}, {Labels: sets[1], Samples: samples[:1]}}
	f("matrix.json", metricQuery, &engine.Result{Type: engine.ResultMatrix, Series: matrix, Stats: someStats})
	vector := []engine.Series{{Labels: sets[0], Samples: samples[1:2]}, {Labels: sets[1], Samples: samples[:1]}, {Labels: sets[1]}}
	f("vector.json", metricQuery, &engine.Result{Type: engine.ResultVector, Series: vector})
	f("scalar.json", "1+1", &engine.Result{Type: engine.ResultScalar, Scalar: engine.Sample{Timestamp: 1700000000_000000000, Value: 2}})
	f("scalar_nan.json", "1/0", &engine.Result{Type: engine.ResultScalar, Scalar: engine.Sample{Timestamp: 0, Value: math.NaN()}})
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", "<&>\"\\", "\x00\x1f\x7f\b\f\n\r\t", "\xff\xfe", "ä\xc3", "\u2028\u2029", "🎉\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, string(want), string(appendJSONString(nil, s)))
	})
}

// A string that is escaped in parts is the same as one escaped whole, wherever the cuts fall.
func TestLongStringsInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ä", "日", "🎉", "\xff", "\x80", "\xf0\x9f", "<", "\u2028", "\xf0\x9f\x8e"}), 1, 40).Draw(t, "piece")
		unit := strings.Join(piece, "")
		s := strings.Repeat("x", rapid.IntRange(0, 5).Draw(t, "shift")) + strings.Repeat(unit, 1+(2*responsePieceBytes+100)/len(unit))
		w := httptest.NewRecorder()
		require.NoError(t, respond(w, httptest.NewRequest(http.MethodGet, "/", nil), func(an *answer) { an.str(s) }))
		want, err := json.Marshal(s)
		require.NoError(t, err)
		require.True(t, string(want) == w.Body.String())
	})
}

func TestRuneCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{'a', 0xff, 0x80, 0xbf, 0xc3, 0xa4, 0xe6, 0x97, 0xf0, 0x9f, 0x8e, 0x89}), 8, 30).Draw(t, "bytes")
		n := rapid.IntRange(4, len(b)-1).Draw(t, "n")
		cut := runeCut(string(b), n)
		require.Positive(t, cut)
		runes := func(s []byte) (out []rune) {
			for len(s) > 0 {
				r, size := utf8.DecodeRune(s)
				out, s = append(out, r), s[size:]
			}
			return out
		}
		require.Equal(t, runes(b), append(runes(b[:cut]), runes(b[cut:])...))
	})
}

func TestSampleTimeAndValueAsPrometheus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(-9e12, 9e12).Draw(t, "ms")
		want, err := pmodel.Time(ms).MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(appendSampleTime(nil, ms*1e6)))
		v := rapid.Float64().Draw(t, "value")
		want, err = pmodel.SampleValue(v).MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(appendSampleValue(nil, v)))
	})
	require.Equal(t, "-0.001", string(appendSampleTime(nil, -1)))
	require.Equal(t, "9223372036.854", string(appendSampleTime(nil, math.MaxInt64)))
	require.Equal(t, "-9223372036.855", string(appendSampleTime(nil, math.MinInt64)))
}

func TestGzip(t *testing.T) {
	s := newSite(t)
	entries := make([]engine.Entry, 5000)
	ls := lsets(`{app="api"}`)[0]
	for i := range entries {
		entries[i] = engine.Entry{Timestamp: model.Timestamp(i), Line: strings.Repeat("line ", 20), Labels: ls}
	}
	s.exec = func(context.Context, engine.Params) (*engine.Result, error) {
		return &engine.Result{Entries: entries}, nil
	}
	f := func(accept string, zipped bool) {
		t.Helper()
		got := s.get(t, rangePath+"?query="+url.QueryEscape(logQuery), "Accept-Encoding: "+accept)
		body := got.body
		require.Equal(t, "Accept-Encoding", got.header.Get("Vary"))
		if zipped {
			require.Equal(t, "gzip", got.header.Get("Content-Encoding"))
			z, err := gzip.NewReader(strings.NewReader(body))
			require.NoError(t, err)
			b, err := io.ReadAll(z)
			require.NoError(t, err)
			require.Less(t, len(body), len(b)/10)
			body = string(b)
		} else {
			require.Empty(t, got.header.Get("Content-Encoding"))
		}
		var reply struct {
			Data struct {
				Result []struct{ Values [][2]string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(body), &reply))
		require.Len(t, reply.Data.Result[0].Values, len(entries))
	}
	f("gzip", true)
	f("deflate, GZIP;q=0.5", true)
	f("identity", false)
	f("gzip;q=0, br", false)
	f("gzip;q=x", false)
	f("br", false)

	// Short answers are not worth it, and have a length.
	got := s.get(t, "/loki/api/v1/labels", "Accept-Encoding: gzip")
	require.Empty(t, got.header.Get("Content-Encoding"))
	require.Equal(t, "21", got.header.Get("Content-Length"))
}

// The memory of an answer does not grow with it: nothing larger than a piece and one escaped part is ever buffered.
func TestAnswerBufferStaysSmall(t *testing.T) {
	w := httptest.NewRecorder()
	largest := 0
	err := respond(w, httptest.NewRequest(http.MethodGet, "/", nil), func(an *answer) {
		line := strings.Repeat("\x01", 256<<10) // six bytes for one
		for range 20 {
			an.str(line)
			largest = max(largest, cap(an.buf))
		}
	})
	require.NoError(t, err)
	require.Less(t, largest, 512<<10)
	require.Greater(t, w.Body.Len(), 20*6*256<<10)
}
