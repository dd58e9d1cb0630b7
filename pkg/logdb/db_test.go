package logdb

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "/data"

var (
	always = model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	noon   = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

// testConfig is a database in memory whose maintenance never runs by itself.
func testConfig(t testing.TB, fsys vfs.FS) Config {
	return Config{
		FS: fsys, Dir: testDir, ScratchDir: t.TempDir(), Instance: "test", SegmentBytes: 1 << 20,
		CheckInterval: time.Hour, Now: func() time.Time { return noon },
	}
}

func openDB(t testing.TB, cfg Config) *DB {
	t.Helper()
	db, err := Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func at(d time.Duration) model.Timestamp { return model.TimestampOf(noon.Add(d)) }

func streamOf(app string, entries ...model.Entry) model.Stream {
	return model.Stream{Labels: labels.FromStrings("app", app), Entries: entries}
}

func pushOf(tenant model.TenantID, streams ...model.Stream) storage.Push {
	return storage.Push{Tenant: tenant, Arrival: at(0), Streams: streams}
}

// all returns every line of a tenant in forward order, and checks that unordered and backward answers hold the same.
func all(t testing.TB, db *DB, tenant model.TenantID) []string {
	t.Helper()
	forward := selectLines(t, db, tenant, storage.SelectRequest{Interval: always, Order: storage.Forward})
	backward := selectLines(t, db, tenant, storage.SelectRequest{Interval: always, Order: storage.Backward})
	slices.Reverse(backward)
	require.Equal(t, forward, backward)
	unordered := selectLines(t, db, tenant, storage.SelectRequest{Interval: always})
	require.ElementsMatch(t, forward, unordered)
	return forward
}

func selectLines(t testing.TB, db *DB, tenant model.TenantID, r storage.SelectRequest) []string {
	t.Helper()
	r.Columns = storage.ColumnLine | storage.ColumnLineBytes | storage.ColumnLevel | storage.ColumnMetadata
	if r.Matchers == nil {
		r.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".*")}
	}
	it, err := db.Select(context.Background(), tenant, r)
	require.NoError(t, err)
	defer func() { require.NoError(t, it.Close()) }()
	out := []string{}
	for {
		b, err := it.Next(context.Background())
		require.NoError(t, err)
		if b == nil {
			require.Empty(t, it.Stats().Warnings)
			return out
		}
		for i := range b.Timestamps {
			require.EqualValues(t, len(b.Lines[i]), b.LineBytes[i])
			out = append(out, entryText(b.Streams[b.StreamIndex[i]], model.Entry{
				Timestamp: b.Timestamps[i], Line: b.Lines[i], Level: b.Levels[i], Metadata: b.Metadata[i],
			}))
		}
	}
}

func entryText(ls labels.Labels, e model.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %q %s", ls, e.Timestamp, e.Line, e.Level)
	for _, p := range e.Metadata {
		fmt.Fprintf(&b, " %s=%q", p.Name, p.Value)
	}
	return b.String()
}

func texts(streams ...model.Stream) []string {
	var out []string
	for _, s := range streams {
		for _, e := range s.Entries {
			out = append(out, entryText(s.Labels, e))
		}
	}
	return out
}

func TestAppendFlushReopen(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()

	first := []model.Stream{
		streamOf("a", model.Entry{Timestamp: at(0), Line: "one", Level: "info"}, model.Entry{Timestamp: at(1), Line: "two\nlines"}),
		streamOf("b", model.Entry{Timestamp: at(0), Line: "", Metadata: []model.Pair{{Name: "trace", Value: "abc"}}}),
	}
	second := []model.Stream{streamOf("a",
		model.Entry{Timestamp: at(25 * time.Hour), Line: "tomorrow", Level: "custom"},
		model.Entry{Timestamp: at(-time.Hour), Line: "late"})}
	require.NoError(t, db.Append(ctx, pushOf("t1", first...)))
	require.Equal(t, 3, len(all(t, db, "t1")))
	require.Empty(t, all(t, db, "t2"))

	require.NoError(t, db.Flush(ctx))
	require.ElementsMatch(t, texts(first...), all(t, db, "t1"))
	require.NoError(t, db.Append(ctx, pushOf("t1", second...)))
	want := append(texts(first...), texts(second...)...)
	require.ElementsMatch(t, want, all(t, db, "t1"))
	require.NoError(t, db.Close())

	db = openDB(t, cfg)
	require.ElementsMatch(t, want, all(t, db, "t1"))
	require.EqualValues(t, 2, db.Replay().Entries, "what was flushed is not replayed")
	require.NoError(t, db.Flush(ctx))
	require.ElementsMatch(t, want, all(t, db, "t1"))
	require.NoError(t, db.Close())

	db = openDB(t, cfg)
	require.ElementsMatch(t, want, all(t, db, "t1"))
	require.Zero(t, db.Replay().Entries)
	blocks, err := fsys.List(path.Join(testDir, blocksName, "t1"))
	require.NoError(t, err)
	require.Len(t, blocks, 3, "one block per flush and UTC day")
}

func TestRawBodyIsReplayedAsItWasDerived(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	req := push.PushRequest{Streams: []push.Stream{{
		Labels: `{app="shop", container="web"}`,
		Entries: []push.Entry{
			{Timestamp: noon, Line: `level=error msg="no"`, StructuredMetadata: push.LabelsAdapter{{Name: "trace-id", Value: "7"}}},
			{Timestamp: noon.Add(1), Line: `plain`},
		},
	}}}
	body, err := req.Marshal()
	require.NoError(t, err)
	raw := snappy.Encode(nil, body)

	options := derive.Options{Version: derive.Version1, ServiceNames: []string{"app"}, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2}
	d := derive.New(options)
	s, err := d.Stream(req.Streams[0].Labels)
	require.NoError(t, err)
	stream := model.Stream{Labels: s.Labels}
	for _, e := range req.Streams[0].Entries {
		entry := model.Entry{Timestamp: model.TimestampOf(e.Timestamp), Line: e.Line}
		for _, m := range e.StructuredMetadata {
			entry.Metadata = append(entry.Metadata, model.Pair{Name: m.Name, Value: m.Value})
		}
		d.Entry(s, &entry)
		stream.Entries = append(stream.Entries, entry)
	}
	p := pushOf("t", stream)
	p.Raw, p.Derivation = raw, d.Binary()
	require.NoError(t, db.Append(context.Background(), p))
	want := all(t, db, "t")
	require.Contains(t, want[0], `service_name="shop"`)
	require.Contains(t, want[0], "error")
	require.NoError(t, db.Close())
	require.Equal(t, want, all(t, openDB(t, cfg), "t"))
}

func TestResentBatchIsStoredOnce(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	p := pushOf("t", streamOf("a", model.Entry{Timestamp: at(2), Line: "x"}, model.Entry{Timestamp: at(1), Line: "y"}))
	for range 3 {
		require.NoError(t, db.Append(context.Background(), p))
	}
	require.Len(t, all(t, db, "t"), 2)
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	require.Len(t, all(t, db, "t"), 2)
	require.EqualValues(t, 4, db.Replay().Duplicates)
}

func TestOrderIsTimeThenLabelsThenArrival(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	e := func(line string) model.Entry { return model.Entry{Timestamp: at(0), Line: line} }
	ctx := context.Background()
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("b", e("b1")), streamOf("a", e("a2"), e("a1")))))
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", e("a0"), model.Entry{Timestamp: at(-1), Line: "early"}), streamOf("b", e("b0")))))
	want := texts(streamOf("a", model.Entry{Timestamp: at(-1), Line: "early"}, e("a2"), e("a1"), e("a0")), streamOf("b", e("b1"), e("b0")))
	require.Equal(t, want, all(t, db, "t"))
	f := func(limit int, order storage.Order, want []string) {
		t.Helper()
		require.Equal(t, want, selectLines(t, db, "t", storage.SelectRequest{Interval: always, Order: order, Limit: limit}))
	}
	f(3, storage.Forward, want[:3])
	f(100, storage.Forward, want)
	slices.Reverse(want)
	f(1, storage.Backward, want[:1])
	f(4, storage.Backward, want[:4])
}

// Pages of an ordered answer end by count and by bytes; neither may lose or repeat an entry.
func TestPagesJoin(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.QueryPageBytes = 10_000
	db := openDB(t, cfg)
	ctx := context.Background()
	var want []string
	for i := range 40 {
		var streams []model.Stream
		for app := range 5 {
			s := streamOf(fmt.Sprint("app", app))
			for j := range 60 {
				s.Entries = append(s.Entries, model.Entry{Timestamp: at(time.Duration(i*30 + j)), Line: fmt.Sprintf("%d %d %s", i, j, strings.Repeat("x", j))})
			}
			streams = append(streams, s)
		}
		want = append(want, texts(streams...)...)
		require.NoError(t, db.Append(ctx, pushOf("t", streams...)))
		if i%15 == 14 {
			require.NoError(t, db.Flush(ctx))
		}
	}
	got := all(t, db, "t")
	require.ElementsMatch(t, want, got)
	require.Equal(t, got[:777], selectLines(t, db, "t", storage.SelectRequest{Interval: always, Order: storage.Forward, Limit: 777}))
}

func TestSmallHeadsAreCarriedInsteadOfFlushed(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()
	const tenants = 50
	for i := range tenants {
		require.NoError(t, db.Append(ctx, pushOf(model.TenantID(fmt.Sprint("t", i)), streamOf("a", model.Entry{Timestamp: at(0), Line: fmt.Sprint("line ", i)}))))
	}
	big := streamOf("big")
	for i := range 3000 {
		big.Entries = append(big.Entries, model.Entry{Timestamp: at(time.Duration(i)), Line: strings.Repeat("x", 1000)})
	}
	for range 3 { // enough to fill segments, so that the small ones are in the way
		require.NoError(t, db.Append(ctx, pushOf("big", big)))
		for i := range big.Entries {
			big.Entries[i].Timestamp += 3000
		}
	}
	require.NoError(t, db.flush(ctx, false))
	before := db.LogState().Segments
	require.LessOrEqual(t, before, 2, "the log below the carried heads is gone")
	for i := range tenants {
		names, err := fsys.List(path.Join(testDir, blocksName))
		require.NoError(t, err)
		require.NotContains(t, names, fmt.Sprint("t", i))
	}
	require.NoError(t, db.Append(ctx, pushOf("t7", streamOf("a", model.Entry{Timestamp: at(1), Line: "after"}))))
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	for i := range tenants {
		want := 1
		if i == 7 {
			want = 2
		}
		require.Len(t, all(t, db, model.TenantID(fmt.Sprint("t", i))), want)
	}
	require.Len(t, all(t, db, "big"), 9000)
}

func TestLabelsSeriesStats(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	ctx := context.Background()
	for i, app := range []string{"a", "b", "c"} {
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf(app, model.Entry{Timestamp: at(time.Duration(i) * time.Hour), Line: "12345"}))))
		if i < 2 {
			require.NoError(t, db.Flush(ctx))
		}
	}
	f := func(from, to time.Duration, want ...string) {
		t.Helper()
		scope := storage.Scope{Interval: model.Interval{Start: at(from), End: at(to)}}
		got, err := db.LabelValues(ctx, "t", "app", scope)
		require.NoError(t, err)
		require.ElementsMatch(t, want, got)
		series, err := db.Series(ctx, "t", scope)
		require.NoError(t, err)
		require.Len(t, series, len(want))
		st, err := db.Stats(ctx, "t", scope)
		require.NoError(t, err)
		n := uint64(len(want))
		require.Equal(t, storage.Stats{Streams: n, Chunks: n, Entries: n, Bytes: 5 * n}, st)
	}
	f(-time.Hour, 3*time.Hour, "a", "b", "c")
	f(0, time.Hour, "a")
	f(time.Hour, time.Hour+1, "b")
	f(time.Hour, 3*time.Hour, "b", "c")
	f(5*time.Hour, 6*time.Hour)
	names, err := db.LabelNames(ctx, "t", storage.Scope{Interval: always})
	require.NoError(t, err)
	require.Equal(t, []string{"app"}, names)
	totals := db.Totals(ctx)
	require.EqualValues(t, 3, totals.Streams)
	require.EqualValues(t, 3, totals.Entries)
	require.Equal(t, at(0), totals.Oldest)
}

// The disk is full at a tenant's first flush: nothing is lost, and the next flush, with room, is whole.
func TestFlushWorksAgainAfterAFullDisk(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := testConfig(t, inject)
	db := openDB(t, cfg)
	ctx := context.Background()
	s := streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}, model.Entry{Timestamp: at(25 * time.Hour), Line: "y"})
	require.NoError(t, db.Append(ctx, pushOf("t", s)))
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: syscall.ENOSPC})
	require.ErrorIs(t, db.Flush(ctx), storage.ErrOverloaded)
	require.ErrorIs(t, db.Flush(ctx), storage.ErrOverloaded)
	err := db.Append(ctx, pushOf("t", s))
	require.ErrorIs(t, err, storage.ErrOverloaded)
	require.NotContains(t, err.Error(), testDir, "clients see no paths")
	require.Len(t, all(t, db, "t"), 2)
	inject.Disarm()
	require.NoError(t, db.Flush(ctx))
	require.Equal(t, 2, db.Totals(ctx).Blocks)
	require.Len(t, all(t, db, "t"), 2)
}

func FuzzDecodeState(f *testing.F) {
	fsys := vfs.NewMem()
	s := newState()
	s.WalTo["t"] = 7 << 32
	require.NoError(f, fsys.MkdirAll(testDir))
	require.NoError(f, s.save(fsys, testDir))
	b, err := vfs.ReadFile(fsys, path.Join(testDir, stateName), 1<<20)
	require.NoError(f, err)
	f.Add(b)
	golden, err := os.ReadFile(stateGolden)
	require.NoError(f, err)
	f.Add(golden)
	f.Add([]byte(`{"crc32c":0,"state":{"version":2}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		require.Equal(t, stateVersion, s.Version)
		for _, all := range s.Tombstones {
			for _, r := range all {
				_, _ = newTombstone(r) // refused or not
			}
		}
	})
}

func TestStateIsRefusedWhenDamagedOrForeign(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	require.NoError(t, db.Append(context.Background(), pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	require.NoError(t, db.Flush(context.Background()))
	require.NoError(t, db.Close())
	name := path.Join(testDir, stateName)
	good, err := vfs.ReadFile(fsys, name, 1<<20)
	require.NoError(t, err)
	f := func(content, says string) {
		t.Helper()
		require.NoError(t, vfs.ReplaceFile(fsys, name, []byte(content)))
		_, err := Open(context.Background(), cfg)
		require.ErrorContains(t, err, says)
	}
	f(strings.Replace(string(good), "walTo", "walXo", 1), "checksum")
	f(`{"crc32c":1,"state":{}}`, "checksum")
	f("", "decode")
	require.NoError(t, vfs.ReplaceFile(fsys, name, good))
	require.Len(t, all(t, openDB(t, cfg), "t"), 1)
}
