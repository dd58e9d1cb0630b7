package logdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// anyApp matches every stream of streamOf.
func anyApp() []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}
}

// useful reports whether MetadataEqual leaves an entry in.
func useful(ls labels.Labels, e model.Entry, pairs []model.Pair) bool {
	return !slices.ContainsFunc(pairs, func(p model.Pair) bool {
		if ls.Has(p.Name) {
			return false
		}
		if p.Name == levelName {
			return e.Level != p.Value
		}
		return !slices.Contains(e.Metadata, p)
	})
}

// fillBlocks appends full chunks of one stream each, one after the other in time, and flushes them: entry i of chunk c is
// line "c/i …" at the c-th minute and i microseconds.
func fillBlocks(t testing.TB, db *DB, tenant model.TenantID, chunks, entries int) {
	t.Helper()
	ctx := context.Background()
	for c := range chunks {
		s := streamOf(fmt.Sprint("app", c))
		for i := range entries {
			e := model.Entry{
				Timestamp: at(time.Duration(c)*time.Minute + time.Duration(i)*time.Microsecond), Level: pickLevel(i),
				Line:     fmt.Sprintf("%d/%d %s", c, i, noise(c*entries+i, 300_000/entries)),
				Metadata: []model.Pair{{Name: "trace", Value: fmt.Sprintf("%032x", c*entries+i)}},
			}
			s.Entries = append(s.Entries, e)
		}
		require.NoError(t, db.Append(ctx, pushOf(tenant, s)))
	}
	require.NoError(t, db.Flush(ctx))
}

func pickLevel(i int) string { return []string{"info", "debug", "info", "error"}[i%4] }

// askStats is ask, and tells what was read.
func askStats(t testing.TB, db *DB, tenant model.TenantID, r storage.SelectRequest) ([]string, storage.ScanStats) {
	t.Helper()
	it, err := db.Select(context.Background(), tenant, r)
	require.NoError(t, err)
	out := []string{}
	for {
		b, err := it.Next(context.Background())
		require.NoError(t, err)
		if b == nil {
			break
		}
		for i := range b.Timestamps {
			text := fmt.Sprint(b.Streams[b.StreamIndex[i]], " ", b.Timestamps[i])
			if r.Columns&storage.ColumnLine != 0 {
				text += " " + b.Lines[i]
			}
			out = append(out, text)
		}
	}
	require.NoError(t, it.Close())
	return out, it.Stats()
}

func linesDecoded(db *DB) float64 { return testutil.ToFloat64(db.metrics.linesDecoded) }

func TestNewestDecodesLinesOfItsOwnersOnly(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.CacheBytes = 1 // nothing fits
	db := openDB(t, cfg)
	const chunks, entries = 6, 50
	fillBlocks(t, db, "t", chunks, entries)
	f := func(order storage.Order, limit int, want float64) {
		t.Helper()
		before := linesDecoded(db)
		r := storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order, Limit: limit, Columns: storage.ColumnLine}
		got, stats := askStats(t, db, "t", r)
		require.Len(t, got, min(limit, chunks*entries))
		require.Equal(t, want, linesDecoded(db)-before)
		require.EqualValues(t, len(got), stats.Entries)
		require.EqualValues(t, want, stats.Chunks-stats.ChunksSkipped)
		require.Empty(t, stats.Warnings)
	}
	f(storage.Backward, 1, 1)
	f(storage.Backward, entries, 1)
	f(storage.Backward, entries+1, 2)
	f(storage.Forward, 2*entries+1, 3)
	f(storage.Forward, 1_000_000, chunks)
	require.Zero(t, testutil.ToFloat64(db.metrics.badChunks))
	for _, order := range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} { // times alone
		got, stats := askStats(t, db, "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order})
		require.EqualValues(t, len(got), stats.Entries)
		require.EqualValues(t, len(got), stats.EntriesMatched)
	}
}

// When the chunk that owns the newest lines cannot be read, the next best entries take their place.
func TestNewestWithACorruptOwner(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(t, vfs.OS())
	cfg.Dir, cfg.ScratchDir = dir, ""
	db := openDB(t, cfg)
	const chunks, entries = 4, 50
	fillBlocks(t, db, "t", chunks, entries)
	r := storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: storage.Backward, Columns: storage.ColumnLine}
	all, _ := askStats(t, db, "t", r)
	require.Len(t, all, chunks*entries)

	damageLines(t, db, db.lookup("t").view.blocks[0], func(c block.ChunkRef) bool { return c.MaxTime == at(3*time.Minute+(entries-1)*time.Microsecond) })
	want := all[entries:]
	for _, r.Limit = range []int{1, 60, 0} {
		got, stats := askStats(t, db, "t", r)
		if r.Limit == 0 {
			require.Equal(t, want, got)
		} else {
			require.Equal(t, want[:r.Limit], got)
		}
		require.Len(t, stats.Warnings, 1)
		require.Contains(t, stats.Warnings[0], "is corrupt and missing from this answer")
	}
	r.Order, r.Limit = storage.Unordered, 0
	got, stats := askStats(t, db, "t", r)
	require.ElementsMatch(t, want, got)
	require.Len(t, stats.Warnings, 1)
	require.EqualValues(t, 4, testutil.ToFloat64(db.metrics.badChunks))
	r.Columns = 0
	got, stats = askStats(t, db, "t", r)
	require.Len(t, got, chunks*entries, "the times of the chunk are good")
	require.Empty(t, stats.Warnings)
}

// damageLines changes the first byte that makes the lines of the chunk unreadable and nothing else.
func damageLines(t *testing.T, db *DB, h *blockHandle, which func(block.ChunkRef) bool) {
	t.Helper()
	f, err := os.OpenFile(path.Join(h.path, "chunks.bin"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, db.use(h, func(b *block.Block) error {
		refs, err := b.Chunks(nil, always)
		require.NoError(t, err)
		ref := refs[slices.IndexFunc(refs, which)]
		reader, err := b.Chunk(ref)
		require.NoError(t, err)
		var was [1]byte
		for i := int64(0); ; i += 1000 {
			if _, err := f.ReadAt(was[:], i); err != nil {
				return err
			}
			_, err := f.WriteAt([]byte{^was[0]}, i)
			require.NoError(t, err)
			if _, err := reader.Lines(nil); isCorrupt(err) {
				return nil
			}
			_, err = f.WriteAt(was[:], i)
			require.NoError(t, err)
		}
	}))
}

// Whatever the number of workers, the cache and the memory, a question has the same answer, in the same order.
func TestAnswersDoNotDependOnWorkers(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	fillBlocks(t, db, "t", 5, 40)
	rng := rand.New(rand.NewPCG(5, 6))
	for range 30 {
		s := streamOf(fmt.Sprint("small", rng.IntN(12)))
		for range 1 + rng.IntN(20) {
			s.Entries = append(s.Entries, model.Entry{Timestamp: at(time.Duration(rng.IntN(300)) * time.Second), Line: fmt.Sprint(rng.Uint64())})
		}
		require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	}
	var requests []storage.SelectRequest
	for _, order := range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} {
		for _, filters := range [][]storage.LineFilter{nil, {{Any: []string{"7"}}}} {
			for _, limit := range []int{0, 3, 90} {
				if order != storage.Unordered || limit == 0 {
					requests = append(requests, storage.SelectRequest{
						Matchers: anyApp(), Interval: always, Order: order, Filters: filters, Limit: limit, Columns: storage.ColumnLine,
					})
				}
			}
		}
	}
	var want [][]string
	for _, workers := range []int{1, 5} {
		for _, bytes := range []int64{2 << 20, 256 << 20} {
			for _, cache := range []int64{1, 64 << 20} {
				require.NoError(t, db.Close())
				cfg.QueryWorkers, cfg.QueryBytes, cfg.CacheBytes, cfg.QueryPageBytes = workers, bytes, cache, 100_000
				db = openDB(t, cfg)
				for range 3 {
					for i, r := range requests {
						got, _ := askStats(t, db, "t", r)
						if len(want) == i {
							want = append(want, got)
						}
						require.Equal(t, want[i], got, "%d workers, %d bytes, %d cached, %+v", workers, bytes, cache, r)
					}
				}
				require.Equal(t, bytes, db.memory.free, "everything was given back")
			}
		}
	}
}

func TestColumnsNotAskedForAreNil(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	fillBlocks(t, db, "t", 1, 10)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 { // of queries that use each other's memory
		columns := storage.Columns(rng.IntN(16))
		it, err := db.Select(context.Background(), "t", storage.SelectRequest{
			Matchers: anyApp(), Interval: always, Columns: columns, Order: pick(rng, storage.Unordered, storage.Forward),
		})
		require.NoError(t, err)
		b, err := it.Next(context.Background())
		require.NoError(t, err)
		require.Equal(t, columns&storage.ColumnLine == 0, b.Lines == nil)
		require.Equal(t, columns&storage.ColumnLineBytes == 0, b.LineBytes == nil)
		require.Equal(t, columns&storage.ColumnLevel == 0, b.Levels == nil)
		require.Equal(t, columns&storage.ColumnMetadata == 0, b.Metadata == nil)
		require.NoError(t, it.Close())
	}
}

func TestCloseAndCancelEndTheWorkers(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.QueryWorkers = 3
	db := openDB(t, cfg)
	fillBlocks(t, db, "t", 8, 20)
	for _, order := range []storage.Order{storage.Unordered, storage.Backward} {
		it, err := db.Select(context.Background(), "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order, Columns: storage.ColumnLine})
		require.NoError(t, err)
		_, err = it.Next(context.Background())
		require.NoError(t, err)
		require.NoError(t, it.Close()) // the rest is never read; goleak sees that nobody is left
		require.NoError(t, it.Close())
		_, err = it.Next(context.Background())
		require.ErrorIs(t, err, storage.ErrClosed)

		ctx, cancel := context.WithCancel(context.Background())
		it, err = db.Select(ctx, "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order, Columns: storage.ColumnLine})
		require.NoError(t, err)
		cancel()
		_, err = it.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, it.Close())
	}
	require.Equal(t, db.cfg.QueryBytes, db.memory.free)
}

func TestQueryThatCanNeverFitIsRefused(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.QueryBytes = 100_000 // less than the lines of a chunk
	db := openDB(t, cfg)
	fillBlocks(t, db, "t", 1, 10)
	it, err := db.Select(context.Background(), "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Columns: storage.ColumnLine})
	require.NoError(t, err)
	_, err = it.Next(context.Background())
	require.ErrorIs(t, err, storage.ErrLimit)
	require.ErrorContains(t, err, "all queries together may have 98 KiB")
	require.NoError(t, it.Close())
	require.EqualValues(t, 100_000, db.memory.free)
	// Without lines it does.
	got, _ := askStats(t, db, "t", storage.SelectRequest{Matchers: anyApp(), Interval: always})
	require.Len(t, got, 10)
}

// mustTombstone makes a tombstone that covers everything flushed so far.
func mustTombstone(t *testing.T, r storage.DeleteRequest) *tombstone {
	t.Helper()
	record := recordOf(r)
	record.ID, record.Position = ulid.Make(), wal.Position(1)<<62
	out, err := newTombstone(record)
	require.NoError(t, err)
	return out
}

// hidden reports whether a delete hides an entry, by its definition.
func hidden(ls labels.Labels, e model.Entry, r storage.DeleteRequest) bool {
	return matches(ls, r.Matchers) && r.Interval.Contains(e.Timestamp) && passes(e.Line, r.Filters) &&
		!slices.ContainsFunc(r.Metadata, func(p model.Pair) bool { return !slices.Contains(e.Metadata, p) })
}

func TestDeletesMaskBlocks(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.QueryPageBytes = 2_000
	db := openDB(t, cfg)
	var streams []model.Stream
	for app := range 3 {
		s := streamOf(fmt.Sprint("app", app))
		for i := range 60 {
			e := model.Entry{Timestamp: at(time.Duration(i) * time.Second), Line: fmt.Sprintf("line %d of %d", i, app), Level: pickLevel(i)}
			if i%2 == 0 {
				e.Metadata = append(e.Metadata, model.Pair{Name: "pod", Value: fmt.Sprint(i % 6)})
			}
			if i%3 == 0 {
				e.Metadata = append(e.Metadata, model.Pair{Name: "zone", Value: "z"})
			}
			s.Entries = append(s.Entries, e)
		}
		streams = append(streams, s)
	}
	require.NoError(t, db.Append(context.Background(), pushOf("t", streams...)))
	require.NoError(t, db.Flush(context.Background()))
	head := streamOf("app0", model.Entry{Timestamp: at(5 * time.Second), Line: "line 5 of a later push"})
	require.NoError(t, db.Append(context.Background(), pushOf("t", head)))

	app := func(re string) []*labels.Matcher {
		return []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", re)}
	}
	within := model.Interval{Start: at(5 * time.Second), End: at(40 * time.Second)}
	f := func(deletes ...storage.DeleteRequest) {
		t.Helper()
		var tombstones []*tombstone
		for _, d := range deletes {
			tombstones = append(tombstones, mustTombstone(t, d))
		}
		db.lookup("t").update(db, func(b []*blockHandle, _ []*tombstone) ([]*blockHandle, []*tombstone) { return b, tombstones })
		for _, order := range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} {
			for _, columns := range []storage.Columns{0, storage.ColumnLine, storage.ColumnLevel | storage.ColumnMetadata, storage.ColumnLineBytes} {
				for _, filters := range [][]storage.LineFilter{nil, {{Any: []string{"1"}}}} {
					r := storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order, Columns: columns, Filters: filters}
					left := naive{}
					for _, s := range streams {
						for _, e := range s.Entries {
							if !slices.ContainsFunc(deletes, func(d storage.DeleteRequest) bool { return hidden(s.Labels, e, d) }) {
								left.add("t", s.Labels, e)
							}
						}
					}
					left.add("t", head.Labels, head.Entries[0])
					want := left.query("t", r)
					got, err := ask(db, "t", r)
					require.NoError(t, err)
					if order == storage.Unordered {
						slices.Sort(want)
						slices.Sort(got)
					}
					require.Equal(t, want, got, "%+v", r)
				}
			}
		}
	}
	f()
	f(storage.DeleteRequest{Matchers: app("app[01]"), Interval: within})
	f(storage.DeleteRequest{Matchers: app(".+"), Interval: always})
	f(storage.DeleteRequest{Matchers: app("app1"), Interval: within, Filters: []storage.LineFilter{{Any: []string{"3"}}}})
	f(storage.DeleteRequest{Matchers: app("app1|app2"), Interval: within, Filters: []storage.LineFilter{{Kind: storage.FilterRegexp, Any: []string{"line .2"}, Negate: true}}})
	f(storage.DeleteRequest{Matchers: app("app.*"), Interval: within, Metadata: []model.Pair{{Name: "pod", Value: "4"}}})
	f(storage.DeleteRequest{Matchers: app("app.*"), Interval: always, Metadata: []model.Pair{{Name: "pod", Value: "0"}, {Name: "zone", Value: "z"}}, Filters: []storage.LineFilter{{Any: []string{"0"}}}},
		storage.DeleteRequest{Matchers: app("app2"), Interval: within}, storage.DeleteRequest{Matchers: app("nobody"), Interval: always})
}

func TestMetadataEqualDecodesOneColumnFirst(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.CacheBytes = 1
	db := openDB(t, cfg)
	const chunks, entries = 5, 40
	fillBlocks(t, db, "t", chunks, entries)
	skipped := func(by skipReason) float64 { return testutil.ToFloat64(db.metrics.chunksSkipped[by]) }
	f := func(want int, decoded float64, by skipReason, pairs ...model.Pair) {
		t.Helper()
		before, skippedBefore := linesDecoded(db), skipped(by)
		for _, order := range []storage.Order{storage.Unordered, storage.Backward} {
			got, _ := askStats(t, db, "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Order: order, MetadataEqual: pairs, Columns: storage.ColumnLine})
			require.Len(t, got, want)
		}
		require.Equal(t, 2*decoded, linesDecoded(db)-before)
		require.Equal(t, 2*(chunks-decoded), skipped(by)-skippedBefore)
	}
	trace := model.Pair{Name: "trace", Value: fmt.Sprintf("%032x", 2*entries+7)} // entry 7, an error
	f(1, 1, skippedByMetadata, trace)
	f(1, 1, skippedByMetadata, model.Pair{Name: levelName, Value: "error"}, trace)
	f(0, 0, skippedByMetadata, model.Pair{Name: levelName, Value: "info"}, trace)
	f(0, 0, skippedByMetadata, model.Pair{Name: "nothing", Value: "x"})
	f(0, 0, skippedByLevel, model.Pair{Name: levelName, Value: "critical"})
	f(chunks*entries/4, chunks, skippedByLevel, model.Pair{Name: levelName, Value: "error"})
	f(chunks*entries, chunks, skippedByMetadata, model.Pair{Name: "app", Value: "decided by the stream"})
}

func TestColumnCache(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	c := newColumnCache(100_000, db.metrics)
	block := func(n byte) ulid.ULID { return ulid.ULID{n} }
	// touch asks for a column of about n bytes and adds it when the cache wants it.
	touch := func(b byte, chunk uint32, n int) (hit bool) {
		key := columnKey{chunk: chunk, kind: linesColumn}
		v, admit := c.lookup(block(b), key, int64(n))
		if admit {
			c.add(block(b), key, make([]byte, n))
		}
		require.LessOrEqual(t, c.held(), int64(100_000))
		require.LessOrEqual(t, c.seenBytes, int64(100_000))
		return v != nil
	}
	for _, want := range []bool{false, false, true, true} { // admitted at the second touch
		for chunk := range uint32(8) {
			require.Equal(t, want, touch(1, chunk, 10_000))
		}
	}
	for range 3 { // a scan of more than the cache may hold changes nothing, however often
		for chunk := range uint32(50) {
			require.False(t, touch(2, chunk, 10_000))
		}
	}
	for chunk := range uint32(8) {
		require.True(t, touch(1, chunk, 10_000))
	}
	for range 3 { // what is read often pushes out what is not
		for chunk := range uint32(5) {
			touch(3, chunk, 10_000)
		}
	}
	require.True(t, touch(3, 0, 10_000))
	require.False(t, touch(1, 0, 10_000))
	for range 3 {
		require.False(t, touch(4, 0, 50_000), "one column never takes most of the cache")
	}
	c.drop(block(3))
	require.False(t, touch(3, 1, 10_000))
	c.drop(block(9))
	c.clear()
	require.Zero(t, c.held())
	require.False(t, touch(1, 3, 10_000))
}

func TestCacheServesAndIsDropped(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	fillBlocks(t, db, "t", 4, 30)
	ask := func() []string {
		t.Helper()
		return selectLines(t, db, "t", storage.SelectRequest{Interval: always, Order: storage.Backward, Filters: []storage.LineFilter{{Any: []string{"1"}}}})
	}
	want := ask()
	ask()
	before := linesDecoded(db)
	require.Equal(t, want, ask())
	require.Equal(t, before, linesDecoded(db))
	require.Positive(t, testutil.ToFloat64(db.metrics.cacheHits))
	require.Positive(t, db.columns.held())
	db.dropCaches()
	require.Zero(t, db.columns.held())
	require.Equal(t, want, ask())
	require.Equal(t, want, ask())
	require.Positive(t, db.columns.held())
	// A block that leaves takes its columns along, once no query reads it.
	it, err := db.Select(context.Background(), "t", storage.SelectRequest{Matchers: anyApp(), Interval: always})
	require.NoError(t, err)
	db.lookup("t").update(db, func(_ []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) { return nil, ts })
	require.Positive(t, db.columns.held())
	require.NoError(t, it.Close())
	require.Zero(t, db.columns.held())
	require.Empty(t, ask())
}

func TestMetricsOfReadingHaveNames(t *testing.T) {
	require.NotContains(t, skipNames[:], "")
	require.Equal(t, "time filter metadata level delete implied rank", strings.Join(skipNames[:], " "))
}

// TestMetadataInLines: a column that points into the lines takes them from the query, which decodes them once.
func TestMetadataInLines(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.CacheBytes = 1
	db := openDB(t, cfg)
	s := streamOf("app")
	for i := range 500 {
		s.Entries = append(s.Entries, model.Entry{
			Timestamp: at(time.Duration(i)), Line: fmt.Sprintf("%s trace=%s", noise(i, i%50), requestID(i)),
			Metadata: []model.Pair{{Name: "trace", Value: requestID(i)}, {Name: "zone", Value: noise(-1-i, 9)}},
		})
	}
	require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	require.NoError(t, db.Flush(context.Background()))
	f := func(want int, decoded float64, columns storage.Columns, names []string, pairs ...model.Pair) {
		t.Helper()
		before := linesDecoded(db)
		r := storage.SelectRequest{Matchers: anyApp(), Interval: always, MetadataEqual: pairs, Columns: columns, MetadataNames: names}
		got, _ := askStats(t, db, "t", r)
		require.Len(t, got, want)
		require.Equal(t, decoded, linesDecoded(db)-before)
	}
	trace := model.Pair{Name: "trace", Value: requestID(77)}
	f(1, 1, storage.ColumnLine|storage.ColumnMetadata, nil, trace)
	f(1, 1, storage.ColumnLine, nil, trace)
	f(1, 1, 0, nil, trace)
	f(500, 1, storage.ColumnMetadata, nil)
	f(500, 0, storage.ColumnMetadata, []string{"zone"})
	f(1, 0, storage.ColumnLineBytes, nil, model.Pair{Name: "zone", Value: noise(-78, 9)})
	f(0, 0, storage.ColumnLine|storage.ColumnMetadata, nil, model.Pair{Name: "trace", Value: requestID(1000)}) // the filter knows
}
