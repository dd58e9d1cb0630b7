package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// testGate derives and checks nothing, as the distributor does when every push is right.
type testGate struct {
	to  storage.Appender
	d   *derive.Deriver
	now func() time.Time
}

func newTestGate(a storage.Appender, now func() time.Time) (Pusher, error) {
	return &testGate{to: a, now: now, d: derive.New(derive.Options{
		Version: derive.Version1, ServiceNames: []string{"app"}, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2,
	})}, nil
}

func (g *testGate) Push(ctx context.Context, tenant model.TenantID, req *wire.Request) error {
	p := storage.Push{Tenant: tenant, Arrival: model.TimestampOf(g.now()), Raw: req.Raw, Derivation: g.d.Binary()}
	for i := range req.Streams {
		s, err := g.d.Stream(req.Streams[i].LabelsText)
		if err != nil {
			return err
		}
		for j := range req.Streams[i].Entries {
			g.d.Entry(s, &req.Streams[i].Entries[j])
		}
		p.Streams = append(p.Streams, model.Stream{Labels: s.Labels, Entries: req.Streams[i].Entries})
	}
	return g.to.Append(ctx, p)
}

// fakeServerEnv makes this test binary a server that refuses some pushes and answers all else.
const fakeServerEnv = "WOODSHED_TEST_FAKE_SERVER"

func fakeServer() {
	listen := os.Args[slices.Index(os.Args, "--listen")+1]
	var pushes atomic.Int64
	err := http.ListenAndServe(listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/loki/api/v1/push" {
			if pushes.Add(1)%3 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		if strings.Contains(r.URL.RawQuery, "quantile") {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func benchStorage(t *testing.T, args ...string) (storageReport, ran) {
	t.Helper()
	dir := t.TempDir()
	got := session{gate: newTestGate}.run(t, append([]string{"bench", "storage", "--bytes", "1MiB", "--repeat", "1", "--dir", dir, "--json"}, args...)...)
	require.Zero(t, got.code, got.err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
	var r storageReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &r))
	return r, got
}

func TestBenchStorage(t *testing.T) {
	r, got := benchStorage(t, "--no-server")
	require.Equal(t, "1.2.3", r.Version)
	for _, p := range r.Corpus {
		require.Positive(t, p.Lines)
		require.Greater(t, p.RawBytes, p.ZstdBytes)
		require.GreaterOrEqual(t, p.RawBytes, p.LineBytes)
	}
	require.Len(t, r.Corpus, len(formats)+1)

	byName := map[string]storageRow{}
	for _, row := range slices.Concat(r.Rows, r.Store) {
		require.NotContains(t, byName, row.What, "names are unique")
		byName[row.What] = row
		if row.Primitive != nil {
			require.Positive(t, row.Primitive.Value, row.What)
			require.NotEmpty(t, row.PrimitiveIs)
		}
		require.Equal(t, row.Target == "", row.Met == nil, row.What)
		if strings.HasSuffix(row.What, "CPU of a line more") {
			continue // a difference of two runs: on so few lines it may be anything
		}
		require.Positive(t, row.Measured.Value, row.What)
		if row.Ratio != nil {
			require.Positive(t, row.Ratio.Value, row.What)
		}
	}
	for _, want := range []string{
		"push, ack path, CPU", "push to sealed, everything on, CPU", "push to sealed, bare pipeline, CPU", "hand push decoder, snappy included",
		"block bytes without index.db, json", "block bytes without index.db, text", "filters in blocks", "substring scan that no filter prunes, CPU",
		"needle, absent id, chunks skipped", "regex alternation without literal", "count by level, each minute, CPU", "count by level, cut minutes, CPU",
		"newest 100 of everything, chunks whose lines are read", "matcher over 10,000 streams, equality, one of them", "195 streams × 20 lines, flush",
		"files in a block", "disk, raw : stored", "histogram: by level, 1m", "count of everything", "absent word",
		"structured metadata equality", "label values", "series listing", "bytes written to reach it",
	} {
		require.Contains(t, byName, want)
	}
	require.InDelta(t, 3, byName["files in a block"].Measured.Value, 0)
	for _, s := range (&storageBench{memory: true}).steps() {
		require.Equal(t, !s.server, strings.Contains(got.err, "\n"+s.name+": measured in "), s.name)
	}
}

func TestBenchStorageServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the memory of another process")
	}
	t.Setenv(fakeServerEnv, "1")
	r, _ := benchStorage(t, "--memory", "--only", "^(resident|memory)$")
	var names []string
	for _, row := range r.Rows {
		require.Positive(t, row.Measured.Value)
		require.NotNil(t, row.Met)
		names = append(names, row.What)
	}
	require.Equal(t, []string{"server at rest, resident", "server under a push of 100 MB/s, resident at its peak", "server with a memory limit, resident at its peak"}, names)
	require.Regexp(t, `Not 2xx: push 503: \d+, query 422: 1\.`, r.Rows[2].Note)
}

func TestBenchStorageTable(t *testing.T) {
	dir := t.TempDir()
	got := session{gate: newTestGate}.run(t, "bench", "storage", "--bytes", "1MiB", "--repeat", "1", "--dir", dir, "--only", "decoder|files")
	require.Zero(t, got.code, got.err)
	require.Regexp(t, `(?m)^  all +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+ +\d\.\d\d : 1$`, got.out)
	require.Regexp(t, `(?m)^  hand push decoder, snappy included +[\d,.]+ MB/s +[\d,.]+ MB/s +snappy decode +[\d.]+ % +– +\[1\]$`, got.out)
	require.Regexp(t, `(?m)^  files in a block +3.00 files +≤ 3 files +yes$`, got.out)
	require.Regexp(t, `(?m)^\[1\] The walk`, got.out)
	require.NotContains(t, got.out, "store of the whole corpus")
}

func TestBenchStorageUsage(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		got := session{gate: newTestGate}.run(t, append([]string{"bench", "storage"}, args...)...)
		require.Equal(t, exitUsage, got.code)
		require.Equal(t, "gpx_woodshed bench storage: "+want+". See gpx_woodshed bench storage --help.\n", got.err)
	}
	f(`"x" is no argument of bench storage`, "x")
	f("--bytes 1.0 KiB is not between 1.0 MiB and 16 GiB", "--bytes", "1024")
	f(`invalid value "many" for flag -bytes: "many" is no size: write 64MiB or 1GiB`, "--bytes", "many")
	f("--repeat 0 is not between 1 and 1000", "--repeat", "0")
	f("--only: error parsing regexp: missing closing ): `(`", "--only", "(")
	got := session{}.run(t, "bench", "storage")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "no gate before its store")
}

// A corpus that repeats itself would flatter every figure.
func TestStorageCorpus(t *testing.T) {
	b := &storageBench{seed: 1, bytes: 16 << 20}
	var raw, packed int64
	for kind, f := range formats {
		c := b.generate(b.bytes*int64(f.share)/100, kind)
		require.GreaterOrEqual(t, c.lineBytes, b.bytes*int64(f.share)/100)
		part, err := compressed(c)
		require.NoError(t, err)
		require.InDelta(t, float64(c.lineBytes), float64(part.LineBytes), 0)
		raw, packed = raw+part.RawBytes, packed+part.ZstdBytes
	}
	require.Less(t, ratioOf(raw, packed), float64(corpusRatioMax))
	require.Equal(t, b.generate(1<<20, everyKind), b.generate(1<<20, everyKind), "the same seed, the same corpus")
	seen := map[string]bool{}
	c := b.generate(b.bytes, everyKind)
	require.NoError(t, c.decoded(func(body *storageBody, req *wire.Request) error {
		for _, s := range req.Streams {
			for _, e := range s.Entries {
				if strings.Contains(e.Line, needleWord) {
					seen[e.Line] = true
				}
				require.NotContains(t, e.Line, shortNeedle)
				require.NotContains(t, e.Line, absentID)
			}
		}
		return nil
	}))
	require.Len(t, seen, needleLines)
}
