package logdb

import (
	"context"
	"errors"
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
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// tallied is an answer added up: entries and bytes by everything that tells entries apart, and by bucket.
type tallied map[string]tallyCount

type tallyCount struct{ entries, bytes int64 }

func tallyName(ls labels.Labels, level string, metadata []model.Pair, bucket int) string {
	return fmt.Sprintf("%s %q %q %d", ls, level, metadata, bucket)
}

func (t tallied) add(name string, entries, bytes int64) {
	c := t[name]
	c.entries += entries
	c.bytes += bytes
	t[name] = c
}

// askCount adds up what a database answers.
func askCount(t testing.TB, db *DB, tenant model.TenantID, r storage.CountRequest) (tallied, storage.ScanStats) {
	t.Helper()
	got := tallied{}
	st, err := db.Count(context.Background(), tenant, r, func(c *storage.Counts) error {
		require.NotZero(t, c.Len())
		for i := range c.Len() {
			level, metadata, bytes := "", []model.Pair(nil), int64(0)
			if r.Columns&storage.ColumnLevel != 0 {
				level = c.Levels[i]
			}
			if r.Columns&storage.ColumnMetadata != 0 {
				metadata = c.Metadata[i]
			}
			if r.Columns&storage.ColumnLineBytes != 0 {
				bytes = c.LineBytes[i]
			}
			require.Positive(t, c.Entries[i])
			got.add(tallyName(c.Streams[c.StreamIndex[i]], level, metadata, int(c.Buckets[i])), c.Entries[i], bytes)
		}
		return nil
	})
	require.NoError(t, err)
	return got, st
}

// count answers by looking at every entry.
func (n naive) count(tenant model.TenantID, r storage.CountRequest) tallied {
	want := tallied{}
	for _, s := range n.sorted(tenant) {
		if !matches(s.labels, r.Matchers) {
			continue
		}
		ls := s.labels
		if r.LabelNames != nil {
			ls = labels.NewBuilder(ls).Keep(r.LabelNames...).Labels()
		}
		for _, e := range s.entries {
			if !r.Interval().Contains(e.Timestamp) {
				continue
			}
			bucket := 0
			for r.Edges[bucket+1] <= e.Timestamp {
				bucket++
			}
			level, bytes := "", int64(0)
			var metadata []model.Pair
			if r.Columns&storage.ColumnLevel != 0 {
				level = e.Level
			}
			if r.Columns&storage.ColumnLineBytes != 0 {
				bytes = int64(len(e.Line))
			}
			for _, p := range e.Metadata {
				if r.Columns&storage.ColumnMetadata != 0 && (r.MetadataNames == nil || slices.Contains(r.MetadataNames, p.Name)) {
					metadata = append(metadata, p)
				}
			}
			want.add(tallyName(ls, level, metadata, bucket), 1, bytes)
		}
	}
	return want
}

// countCheck drives a database and the naive one beside it.
type countCheck struct {
	t    *testing.T
	rng  *rand.Rand
	db   *DB
	want naive
	n    int
}

// manyLevels are more than a table counts.
var manyLevels = func() (levels []string) {
	for i := range 80 {
		levels = append(levels, fmt.Sprint("level-", i))
	}
	return levels
}()

// push appends a batch of one stream or of many small ones: in order or not, on one day or several, some of it on full
// minutes, with or without levels and metadata.
func (c *countCheck) push() {
	rng := c.rng
	var streams []model.Stream
	entries, count := 3000, 1
	if rng.IntN(2) == 0 {
		entries, count = 1+rng.IntN(20), 1+rng.IntN(60)
	}
	gap := pick(rng, time.Second, 7*time.Second, 250*time.Millisecond, 20*time.Second)
	levels := pick(rng, []string{"info"}, []string{"", "info", "error", "debug"}, []string{"info", "info", "own"}, manyLevels)
	names := pick(rng, nil, nil, []string{"pod"}, []string{"pod", "trace"}, []string{"zone"})
	for range count {
		s := model.Stream{Labels: labels.FromMap(map[string]string{"app": pick(rng, "a", "b"), "n": fmt.Sprint(rng.IntN(30))})}
		if env := pick(rng, "", "dev", "prod"); env != "" {
			s.Labels = labels.NewBuilder(s.Labels).Set("env", env).Labels()
		}
		if slices.ContainsFunc(streams, func(have model.Stream) bool { return labels.Equal(have.Labels, s.Labels) }) {
			continue
		}
		at := at(time.Duration(rng.IntN(60)-30) * time.Hour / 2)
		for range entries {
			c.n++
			at = at.Add(gap)
			if rng.IntN(50) == 0 {
				at = at.Add(-3 * gap)
			}
			e := model.Entry{Timestamp: at, Level: pick(rng, levels...), Line: fmt.Sprint(c.n, " ", pick(rng, "short", "a line of some length", "odd"))}
			for _, name := range names {
				if rng.IntN(4) > 0 {
					e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: fmt.Sprint(rng.IntN(5))})
				}
			}
			s.Entries = append(s.Entries, e)
		}
		streams = append(streams, s)
	}
	require.NoError(c.t, c.db.Append(context.Background(), pushOf("t", streams...)))
	for _, s := range streams {
		for _, e := range s.Entries {
			c.want.add("t", s.Labels, e)
		}
	}
}

// hide installs a delete, of what blocks hold now, as the database would.
func (c *countCheck) hide() {
	rng := c.rng
	require.NoError(c.t, c.db.Flush(context.Background()))
	start := at(time.Duration(rng.IntN(60)-30) * time.Hour / 2)
	r := storage.DeleteRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "n", fmt.Sprint(rng.IntN(30)))},
		Interval: model.Interval{Start: start, End: start.Add(time.Duration(rng.IntN(10)) * time.Hour)},
	}
	if rng.IntN(2) == 0 {
		r.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", "a|b")}
	}
	if rng.IntN(2) == 0 {
		r.Filters = []storage.LineFilter{{Any: []string{"odd"}}}
	}
	if rng.IntN(3) == 0 {
		r.Metadata = []model.Pair{{Name: "pod", Value: "1"}}
	}
	record := recordOf(r)
	record.ID = ulid.MustNew(uint64(c.n), nil)
	for _, h := range c.db.tenantFor("t").view.blocks {
		record.Position = max(record.Position, wal.Position(h.meta.WalTo))
	}
	made, err := newTombstone(record)
	require.NoError(c.t, err)
	c.db.tenantFor("t").update(c.db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
		return b, append(ts, made)
	})
	for _, s := range c.want["t"] {
		if !matches(s.labels, r.Matchers) {
			continue
		}
		s.entries = slices.DeleteFunc(s.entries, func(e model.Entry) bool {
			return r.Interval.Contains(e.Timestamp) && passes(e.Line, r.Filters) &&
				!slices.ContainsFunc(r.Metadata, func(p model.Pair) bool { return !slices.Contains(e.Metadata, p) })
		})
	}
}

func (c *countCheck) request() storage.CountRequest {
	rng := c.rng
	r := storage.CountRequest{
		Matchers: []*labels.Matcher{pick(rng,
			labels.MustNewMatcher(labels.MatchRegexp, "app", ".+"), labels.MustNewMatcher(labels.MatchEqual, "app", "b"),
			labels.MustNewMatcher(labels.MatchEqual, "env", "prod"), labels.MustNewMatcher(labels.MatchEqual, "n", "7"))},
		LabelNames:    pick(rng, nil, []string{}, []string{"env"}, []string{"env", "app", "none"}),
		Columns:       storage.Columns(rng.IntN(16)),
		MetadataNames: pick(rng, nil, []string{"pod"}, []string{"trace", "env"}, []string{"nothing"}),
	}
	start := at(time.Duration(rng.IntN(80)-50) * time.Hour / 2).Add(1) // a minute begins behind its first instant
	switch rng.IntN(3) {
	case 0:
		start = start.Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
	case 1:
		start-- // many entries lie on edges then
	}
	step := pick(rng, time.Minute, 5*time.Minute, time.Hour, 24*time.Hour, 100*time.Hour, 90*time.Second, 7*time.Second)
	r.Edges = append(r.Edges, start)
	for range 1 + rng.IntN(300) {
		start = start.Add(step)
		r.Edges = append(r.Edges, start)
		if rng.IntN(10) == 0 {
			start = start.Add(pick(rng, time.Minute, time.Second, 1))
			r.Edges = append(r.Edges, start)
		}
	}
	if rng.IntN(10) == 0 {
		r.Edges = append(append([]model.Timestamp{model.MinTimestamp}, r.Edges...), model.MaxTimestamp)
	}
	return r
}

// Counts are those of looking at every entry: whatever is where, and however the buckets lie.
func TestCountModel(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := testConfig(t, vfs.NewMem())
			cfg.TableBytes = pick[int64](rand.New(rand.NewPCG(seed, 2)), 1, 10<<10, 0)
			c := &countCheck{t: t, rng: rand.New(rand.NewPCG(seed, 1)), db: openDB(t, cfg), want: naive{}}
			for range 60 {
				switch c.rng.IntN(12) {
				case 0, 1, 2:
					c.push()
				case 3:
					require.NoError(t, c.db.Flush(context.Background()))
				case 4:
					if h := c.db.tenantFor("t").head; h.Streams() > 0 {
						for _, p := range h.CloseIdle(model.MaxTimestamp) {
							if c.rng.IntN(3) > 0 {
								require.NoError(t, p.Seal(chunk.Options{}))
							}
						}
					}
				case 5:
					c.hide()
				default:
					r := c.request()
					got, st := askCount(t, c.db, "t", r)
					require.Equal(t, c.want.count("t", r), got, "%+v", r)
					require.Empty(t, st.Warnings)
					sum := uint64(0)
					for _, n := range got {
						sum += uint64(n.entries)
					}
					require.Equal(t, sum, st.Entries)
					require.Equal(t, sum, st.EntriesMatched)
				}
			}
			require.LessOrEqual(t, c.db.tables.held, c.db.tables.max)
			sum := int64(0)
			for e := c.db.tables.lru.Front(); e != nil; e = e.Next() {
				sum += e.Value.(*cachedTable).table.memoryBytes()
			}
			require.Equal(t, sum, c.db.tables.held)
		})
	}
}

// everyMinute has n minutes of entries, sixty each, one of them on the full minute; and the edges of the minutes.
func everyMinute(n int) (s model.Stream, edges []model.Timestamp) {
	s.Labels = labels.FromStrings("app", "a")
	for i := range 60 * n {
		s.Entries = append(s.Entries, model.Entry{
			Timestamp: at(time.Duration(i+1) * time.Second), Level: []string{"info", "error"}[i%2], Line: fmt.Sprint("line ", i),
		})
	}
	for i := range n + 1 {
		edges = append(edges, at(time.Duration(i)*time.Minute)+1)
	}
	return s, edges
}

// What can be told without a column is told although every page is destroyed, and what cannot names the chunk.
func TestCountReadsLeast(t *testing.T) {
	cfg := testConfig(t, vfs.OS())
	cfg.Dir, cfg.ScratchDir = t.TempDir(), ""
	db := openDB(t, cfg)
	s, edges := everyMinute(100)
	require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	require.NoError(t, db.Flush(context.Background()))
	handle := db.lookup("t").view.blocks[0]
	name := path.Join(handle.path, "chunks.bin")
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, db.use(handle, func(b *block.Block) error {
		reader, err := b.Chunk(block.ChunkRef{})
		clear(content[16:][:reader.Table().PagesBytes()]) // behind the header
		return err
	}))
	require.NoError(t, os.WriteFile(name, content, 0o600))

	want := naive{}
	for _, e := range s.Entries {
		want.add("t", s.Labels, e)
	}
	f := func(r storage.CountRequest, from *storage.CountedChunks) {
		t.Helper()
		r.Matchers = anyApp()
		before := testutil.ToFloat64(db.metrics.badChunks)
		got, st := askCount(t, db, "t", r)
		if from != nil {
			require.Equal(t, want.count("t", r), got)
			require.Empty(t, st.Warnings)
			require.Equal(t, storage.ScanStats{Chunks: 1, Entries: 6000, EntriesMatched: 6000, Counted: *from}, st)
			return
		}
		require.Empty(t, got)
		require.Len(t, st.Warnings, 1)
		require.True(t, strings.HasPrefix(st.Warnings[0], fmt.Sprintf("chunk 0 of block %s is corrupt and missing from this answer: ", handle.meta.ULID)), st.Warnings[0])
		require.Equal(t, before+1, testutil.ToFloat64(db.metrics.badChunks))
		require.Len(t, db.lookup("t").view.blocks, 1, "the rest of the block is good")
	}
	all := storage.ColumnLevel | storage.ColumnLineBytes | storage.ColumnMetadata
	whole := []model.Timestamp{edges[0], edges[100]}
	directory, total, minutes := &storage.CountedChunks{Directory: 1}, &storage.CountedChunks{Total: 1}, &storage.CountedChunks{Minutes: 1}
	f(storage.CountRequest{Edges: whole}, directory)
	f(storage.CountRequest{Edges: whole, Columns: all}, total)
	f(storage.CountRequest{Edges: edges}, minutes)
	f(storage.CountRequest{Edges: edges, Columns: all}, minutes)
	f(storage.CountRequest{Edges: edges, Columns: all, LabelNames: []string{}}, minutes)
	f(storage.CountRequest{Edges: []model.Timestamp{edges[0] - 17, edges[100] + 5}, Columns: all}, total)
	f(storage.CountRequest{Edges: []model.Timestamp{edges[0], edges[1] + 1, edges[100]}}, nil)
	f(storage.CountRequest{Edges: []model.Timestamp{edges[0] + model.Timestamp(30*time.Second), edges[100]}}, nil)
}

// A delete takes the short ways from a chunk: what the directory and the table say counts entries that it hides.
func TestCountHeedsDeletes(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	s, edges := everyMinute(100)
	for i := range s.Entries {
		s.Entries[i].Level = ""
	}
	require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	require.NoError(t, db.Flush(context.Background()))
	f := func(want int, edges ...model.Timestamp) {
		t.Helper()
		got, st := askCount(t, db, "t", storage.CountRequest{Matchers: anyApp(), Edges: edges})
		sum := 0
		for _, n := range got {
			sum += int(n.entries)
		}
		require.Equal(t, want, sum)
		require.EqualValues(t, want, st.Entries)
	}
	f(6000, edges[0], edges[100])
	f(6000, edges...)
	f(5999, edges[0], s.Entries[5999].Timestamp)
	record := recordOf(storage.DeleteRequest{Matchers: anyApp(), Interval: model.Interval{Start: edges[10], End: edges[20]}})
	record.Position = wal.Position(db.lookup("t").view.blocks[0].meta.WalTo)
	made, err := newTombstone(record)
	require.NoError(t, err)
	db.lookup("t").update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) { return b, append(ts, made) })
	f(5400, edges[0], edges[100])
	f(5400, edges...)
	f(60, edges[8], edges[9])
	f(0, edges[12], edges[13])
}

// A name beyond the columns that a chunk may have is found all the same.
func TestCountByRareMetadata(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	s, edges := everyMinute(10)
	for i := range s.Entries {
		s.Entries[i].Metadata = []model.Pair{{Name: fmt.Sprintf("name%03d", i%290), Value: fmt.Sprint(i % 2)}}
	}
	s.Entries[7].Metadata[0].Name = "rare"
	require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	require.NoError(t, db.Flush(context.Background()))
	want := naive{}
	for _, e := range s.Entries {
		want.add("t", s.Labels, e)
	}
	for _, names := range [][]string{{"rare"}, {"name003"}, {"nothing"}, nil} {
		r := storage.CountRequest{Matchers: anyApp(), Edges: edges, Columns: storage.ColumnMetadata, MetadataNames: names}
		got, _ := askCount(t, db, "t", r)
		require.Equal(t, want.count("t", r), got)
	}
}

// More streams and buckets than a worker keeps are handed over in parts, and add up.
func TestCountHandsOver(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	const streams, entries = 300, 4
	var push []model.Stream
	r := storage.CountRequest{Matchers: anyApp(), Edges: []model.Timestamp{at(0)}}
	for i := range 5000 {
		r.Edges = append(r.Edges, at(time.Duration(i+1)*time.Second))
	}
	for i := range streams {
		s := streamOf(fmt.Sprint(i))
		for k := range entries {
			s.Entries = append(s.Entries, model.Entry{Timestamp: at(time.Duration(k) * 1600 * time.Second), Line: "x"})
		}
		push = append(push, s)
	}
	require.NoError(t, db.Append(context.Background(), pushOf("t", push...)))
	f := func() {
		parts := 0
		rows := int64(0)
		_, err := db.Count(context.Background(), "t", r, func(c *storage.Counts) error {
			parts++
			for _, n := range c.Entries {
				rows += n
			}
			require.LessOrEqual(t, c.Len(), partRows)
			require.LessOrEqual(t, len(c.Streams), c.Len(), "streams that it has rows of")
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, streams*entries, rows)
		require.Greater(t, parts, 2)
	}
	f()
	require.NoError(t, db.Flush(context.Background()))
	f()
}

func TestCountEnds(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	s, edges := everyMinute(5)
	for range 5 {
		require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
		require.NoError(t, db.Flush(context.Background()))
	}
	r := storage.CountRequest{Matchers: anyApp(), Edges: edges}
	full := errors.New("that is enough")
	_, err := db.Count(context.Background(), "t", r, func(*storage.Counts) error { return full })
	require.Equal(t, full, err, "as it is")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = db.Count(ctx, "t", r, func(*storage.Counts) error { t.Error("called"); return nil })
	require.ErrorIs(t, err, context.Canceled)

	for _, bad := range [][]model.Timestamp{nil, {1}, {1, 1}, {2, 1}} {
		r.Edges = bad
		_, err = db.Count(context.Background(), "t", r, func(*storage.Counts) error { return nil })
		require.ErrorContains(t, err, "two or more edges")
	}
}

// Tables of a block that is gone are let go.
func TestTablesGoWithTheirBlock(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	s, edges := everyMinute(5)
	require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
	require.NoError(t, db.Flush(context.Background()))
	askCount(t, db, "t", storage.CountRequest{Matchers: anyApp(), Edges: edges})
	require.Positive(t, db.tables.held)
	tenant := db.lookup("t")
	handle := tenant.view.blocks[0]
	require.NoError(t, db.moveAway(tenant, handle))
	tenant.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) { return without(b, handle), ts })
	require.Zero(t, db.tables.held)
	require.Empty(t, db.tables.at)
	require.Zero(t, db.tables.lru.Len())
}

func TestFirstAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		ts := make([]model.Timestamp, rng.IntN(40))
		for i := range ts {
			ts[i] = model.Timestamp(rng.IntN(30))
		}
		slices.Sort(ts)
		at := model.Timestamp(rng.IntN(32) - 1)
		want := 0
		for want < len(ts) && ts[want] <= at {
			want++
		}
		from := rng.IntN(want + 1)
		require.Equal(t, want, firstAbove(ts, from, at), "%v from %d above %d", ts, from, at)
	}
}
