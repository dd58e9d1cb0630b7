package block

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	testDay   = "2026-11-23"
	dayStart  = model.Timestamp(1795392000_000000000)
	blocksDir = "data/blocks/fake"
)

func testULID(n byte) ulid.ULID {
	return ulid.ULID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, n}
}

func testMeta(n byte) Meta {
	return Meta{
		ULID: testULID(n), Instance: "node-1", Tenant: "fake", Day: testDay, Group: Group{ULID: testULID(200), Index: 0, Count: 1},
		WalTo: 1<<63 + 5, Replicas: ReplicasUnknown,
	}
}

// content is what goes into a block and must come out: the entries of each stream, and how they are cut into chunks.
type content struct {
	streams []StreamInfo
	chunks  []*chunk.Encoded
	entries [][]model.Entry
}

// newContent packs small streams (up to 30 entries) together, five at a time, and gives the others chunks of 100 entries.
func newContent(t require.TestingT, sets []labels.Labels, entries [][]model.Entry) *content {
	c := &content{entries: entries}
	var packed []chunk.Run
	encode := func(runs []chunk.Run) {
		e, err := chunk.Encode(runs, chunk.Options{})
		require.NoError(t, err)
		c.chunks = append(c.chunks, e)
	}
	run := func(ref int, entries []model.Entry) chunk.Run {
		var r chunk.Rows
		for _, e := range entries {
			r.Append(e)
		}
		return chunk.Run{Ref: model.StreamRef(ref), Rows: r.Snapshot()}
	}
	for ref, ls := range sets {
		c.streams = append(c.streams, StreamInfo{Labels: ls, Fingerprint: model.FingerprintOf(ls)})
		if len(entries[ref]) <= 30 {
			if packed = append(packed, run(ref, entries[ref])); len(packed) == 5 {
				encode(packed)
				packed = nil
			}
			continue
		}
		for part := range slices.Chunk(entries[ref], 100) {
			encode([]chunk.Run{run(ref, part)})
		}
	}
	if len(packed) > 0 {
		encode(packed)
	}
	return c
}

func sequence(chunks []*chunk.Encoded) iter.Seq2[*chunk.Encoded, error] {
	return func(yield func(*chunk.Encoded, error) bool) {
		for _, e := range chunks {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func smallContent(t require.TestingT) *content {
	rng := rand.New(rand.NewPCG(5, 6))
	var sets []labels.Labels
	var entries [][]model.Entry
	for i := range 12 {
		sets = append(sets, labels.FromStrings("app", []string{"api", "web"}[i%2], "pod", fmt.Sprintf("pod-%02d", i)))
		n := []int{3, 150, 20}[i%3]
		list := make([]model.Entry, n)
		for k := range list {
			list[k] = model.Entry{
				Timestamp: dayStart + model.Timestamp(k*1_000_000_000+i), Line: fmt.Sprintf("line %d of stream %d: %x", k, i, rng.Uint32()),
				Level: []string{"info", "warn", ""}[k%3],
			}
			if k%2 == 0 {
				list[k].Metadata = []model.Pair{{Name: "trace_id", Value: fmt.Sprintf("%016x", rng.Uint64())}}
			}
		}
		entries = append(entries, list)
	}
	return newContent(t, sets, entries)
}

// writeTo writes the content as a block.
func (c *content) writeTo(ctx context.Context, fsys vfs.FS, scratch string, meta Meta) (Meta, error) {
	return Write(ctx, WriteConfig{FS: fsys, Dir: blocksDir, TmpDir: "data/tmp", ScratchDir: scratch}, meta, c.streams, sequence(c.chunks))
}

func blockPath(m Meta) string { return path.Join(blocksDir, m.ULID.String()) }

// readAll reads every entry of a block by stream, through the index, and the streams themselves.
func readAll(b *Block) (entries [][]model.Entry, streams []Stream, err error) {
	if streams, err = b.Streams(nil); err != nil {
		return nil, nil, err
	}
	entries = make([][]model.Entry, len(streams))
	for ref := range streams {
		chunks, err := b.Chunks(roaring.BitmapOf(uint32(ref)), model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp})
		if err != nil {
			return nil, nil, err
		}
		for _, c := range chunks {
			r, err := b.Chunk(c)
			if err != nil {
				return nil, nil, err
			}
			list, err := readRun(r, model.StreamRef(ref))
			if err != nil {
				return nil, nil, err
			}
			entries[ref] = append(entries[ref], list...)
		}
	}
	return entries, streams, nil
}

func readRun(r *chunk.Reader, ref model.StreamRef) ([]model.Entry, error) {
	times, err := r.Timestamps(nil)
	if err != nil {
		return nil, err
	}
	ends, err := r.LineEnds([]uint32{0})
	if err != nil {
		return nil, err
	}
	lines, err := r.Lines(nil)
	if err != nil {
		return nil, err
	}
	var levels chunk.Levels
	var md chunk.Metadata
	if err := errors.Join(r.Levels(&levels), r.Metadata(&md)); err != nil {
		return nil, err
	}
	var out []model.Entry
	for _, run := range r.Table().Runs {
		for i := run.First; run.Ref == ref && i < run.First+run.Count; i++ {
			out = append(out, model.Entry{
				Timestamp: times[i], Line: string(lines[ends[i]:ends[i+1]]), Level: levels.Names[levels.Codes[i]],
				Metadata: md.Pairs(nil, int(i)),
			})
		}
	}
	return out, nil
}

// check opens the block, verifies it and compares all of it with the content.
func (c *content) check(t require.TestingT, fsys vfs.FS, dir string) {
	b, err := Open(fsys, dir)
	require.NoError(t, err)
	require.NoError(t, b.Verify(context.Background()))
	c.compare(t, b)
	require.NoError(t, b.Close())
}

func (c *content) compare(t require.TestingT, b *Block) {
	entries, streams, err := readAll(b)
	require.NoError(t, err)
	require.Equal(t, c.entries, entries)
	require.Len(t, streams, len(c.streams))
	for i, s := range streams {
		require.True(t, labels.Equal(c.streams[i].Labels, s.Labels))
		require.Equal(t, c.streams[i].Fingerprint, s.Fingerprint)
		require.Equal(t, c.entries[i][0].Timestamp, s.MinTime)
		require.Equal(t, c.entries[i][len(c.entries[i])-1].Timestamp, s.MaxTime)
	}
}

func matchers(t require.TestingT, typ labels.MatchType, name, value string) []*labels.Matcher {
	m, err := labels.NewMatcher(typ, name, value)
	require.NoError(t, err)
	return []*labels.Matcher{m}
}

func TestWriteAndRead(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	c.check(t, fsys, blockPath(m))
	left, err := fsys.List("data/tmp")
	require.NoError(t, err)
	require.Empty(t, left)

	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	require.Equal(t, m, *b.Meta())
	require.Equal(t, uint64(12), m.Streams)
	require.Equal(t, uint64(4*(3+150+20)), m.Entries)
	require.Equal(t, dayStart, m.MinTime)
	require.Equal(t, dayStart+149_000_000_000+10, m.MaxTime)

	refs, err := b.Resolve(matchers(t, labels.MatchEqual, "app", "web"))
	require.NoError(t, err)
	require.Equal(t, []uint32{1, 3, 5, 7, 9, 11}, refs.ToArray())
	names, err := b.LabelNames(nil)
	require.NoError(t, err)
	require.Equal(t, []string{"app", "pod"}, names)
	values, err := b.LabelValues("pod", roaring.BitmapOf(3, 4))
	require.NoError(t, err)
	require.Equal(t, []string{"pod-03", "pod-04"}, values)
	streams, err := b.Streams(roaring.BitmapOf(7, 2))
	require.NoError(t, err)
	require.Equal(t, []string{"pod-02", "pod-07"}, []string{streams[0].Labels.Get("pod"), streams[1].Labels.Get("pod")})

	all := model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	every, err := b.Chunks(nil, all)
	require.NoError(t, err)
	require.Len(t, every, int(m.Chunks))
	some, err := b.Chunks(roaring.BitmapOf(1), all)
	require.NoError(t, err)
	require.Len(t, some, 2)
	require.False(t, some[0].Packed)
	late, err := b.Chunks(roaring.BitmapOf(1), model.Interval{Start: dayStart + 100_000_000_000, End: model.MaxTimestamp})
	require.NoError(t, err)
	require.Equal(t, some[1:], late)
	none, err := b.Chunks(roaring.BitmapOf(1), model.Interval{Start: dayStart + 1e15, End: model.MaxTimestamp})
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = b.Chunk(ChunkRef{Number: 1000})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrCorrupt)
}

// TestRandomBlocks writes random streams and reads them back, on the real file system.
func TestRandomBlocks(t *testing.T) {
	scratch := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(scratch, "data")
		require.NoError(t, err)
		count := rapid.IntRange(1, 600).Draw(t, "streams")
		sets, entries := make([]labels.Labels, count), make([][]model.Entry, count)
		for i := range count {
			sets[i] = labels.FromStrings("app", rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "app"), "id", fmt.Sprint(i))
			n := rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, 3), rapid.IntRange(1, 250)).Draw(t, "entries")
			at := rapid.Int64Range(0, day-1).Draw(t, "at")
			for range n {
				entries[i] = append(entries[i], model.Entry{
					Timestamp: dayStart + model.Timestamp(at), Line: rapid.SampledFrom([]string{"", "x", "a longer line\nof two"}).Draw(t, "line"),
				})
				at = min(day-1, at+rapid.Int64Range(0, day/200).Draw(t, "gap"))
			}
		}
		c := newContent(t, sets, entries)
		m, err := Write(context.Background(), WriteConfig{
			FS: vfs.OS(), Dir: filepath.Join(dir, "blocks", "fake"), TmpDir: filepath.Join(dir, "tmp"), ScratchDir: scratch,
		}, testMeta(1), c.streams, sequence(c.chunks))
		require.NoError(t, err)
		c.check(t, vfs.OS(), filepath.Join(dir, "blocks", "fake", m.ULID.String()))
		require.NoError(t, os.RemoveAll(dir))
	})
}

func TestWriteRefuses(t *testing.T) {
	c := smallContent(t)
	fsys, scratch := vfs.NewMem(), t.TempDir()
	f := func(want string, change func(m *Meta, c *content)) {
		t.Helper()
		m, copied := testMeta(1), *c
		copied.streams, copied.chunks = slices.Clone(c.streams), slices.Clone(c.chunks)
		change(&m, &copied)
		_, err := copied.writeTo(t.Context(), fsys, scratch, m)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, ErrCorrupt)
		nothingStands(t, fsys, m)
	}
	f("no ULID", func(m *Meta, _ *content) { m.ULID = ulid.ULID{} })
	f("no ULID", func(m *Meta, _ *content) { m.Group.ULID = ulid.ULID{} })
	f("member 1 of a group of 1", func(m *Meta, _ *content) { m.Group.Index = 1 })
	f("tenant", func(m *Meta, _ *content) { m.Tenant = "../x" })
	f("day", func(m *Meta, _ *content) { m.Day = "yesterday" })
	f("in a block of 2026-11-24", func(m *Meta, _ *content) { m.Day = "2026-11-24" })
	f("replicas", func(m *Meta, _ *content) { m.Replicas = "" })
	f("0 streams", func(_ *Meta, c *content) { c.streams = nil })
	f("stream 11 of 11", func(_ *Meta, c *content) { c.streams = c.streams[:11] })
	f("stream 12 has no entries", func(_ *Meta, c *content) { c.streams = append(c.streams, c.streams[0]) })
	f("has no entries", func(_ *Meta, c *content) { c.chunks = nil })
	f("do not belong together", func(_ *Meta, c *content) {
		c.chunks[0] = &chunk.Encoded{Pages: c.chunks[0].Pages[1:], Table: c.chunks[0].Table}
	})
	f("has no filters", func(_ *Meta, c *content) {
		c.chunks[0] = &chunk.Encoded{Pages: c.chunks[0].Pages, Table: c.chunks[0].Table, Filter: c.chunks[0].Filter}
	})

	fails := errors.New("cannot read the parent")
	_, err := Write(t.Context(), WriteConfig{FS: fsys, Dir: blocksDir, TmpDir: "data/tmp", ScratchDir: scratch}, testMeta(1), c.streams,
		func(yield func(*chunk.Encoded, error) bool) { _ = yield(c.chunks[0], nil) && yield(nil, fails) })
	require.ErrorIs(t, err, fails)
	nothingStands(t, fsys, testMeta(1))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.writeTo(canceled, fsys, scratch, testMeta(1))
	require.ErrorIs(t, err, context.Canceled)
	nothingStands(t, fsys, testMeta(1))
}

// nothingStands checks that neither the block nor its temporary directory is there.
func nothingStands(t require.TestingT, fsys vfs.FS, m Meta) {
	for _, dir := range []string{blockPath(m), path.Join("data/tmp", m.ULID.String())} {
		_, err := fsys.Stat(dir)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// TestConcurrentReads asks one block from many goroutines; the race detector is the judge.
func TestConcurrentReads(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if entries, _, err := readAll(b); err != nil || fmt.Sprint(entries) != fmt.Sprint(c.entries) {
					t.Errorf("entries differ or %v", err)
				}
				if _, err := b.Resolve(matchers(t, labels.MatchRegexp, "pod", "pod-.*1")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Close())
}

func TestCompleteGroups(t *testing.T) {
	m := func(tenant model.TenantID, group byte, index, count int) Meta {
		return Meta{Tenant: tenant, Group: Group{ULID: testULID(group), Index: index, Count: count}}
	}
	f := func(metas []Meta, want ...int) {
		t.Helper()
		complete, incomplete := CompleteGroups(metas)
		require.Len(t, incomplete, len(metas)-len(want))
		var wanted []Meta
		for _, i := range want {
			wanted = append(wanted, metas[i])
		}
		require.Equal(t, wanted, complete)
	}
	f(nil)
	f([]Meta{m("a", 1, 0, 1)}, 0)
	f([]Meta{m("a", 1, 0, 2)})
	f([]Meta{m("a", 1, 0, 2), m("a", 2, 0, 1), m("a", 1, 1, 2)}, 0, 1, 2)
	f([]Meta{m("a", 1, 0, 2), m("a", 1, 0, 2)})                     // the same member twice
	f([]Meta{m("a", 1, 0, 2), m("b", 1, 1, 2)})                     // of another tenant
	f([]Meta{m("a", 1, 0, 2), m("a", 1, 1, 3), m("a", 3, 0, 1)}, 2) // disagree on the count
}

func TestDays(t *testing.T) {
	f := func(name string, start, end model.Timestamp) {
		t.Helper()
		iv, err := DayInterval(name)
		require.NoError(t, err)
		require.Equal(t, model.Interval{Start: start, End: end}, iv)
		require.Equal(t, name, DayOf(start))
		require.Equal(t, name, DayOf(end-1))
	}
	f(testDay, dayStart, dayStart+day)
	f("1970-01-01", 0, day)
	f("1969-12-31", -day, 0)
	f("2262-04-11", math.MaxInt64/day*day, model.MaxTimestamp)
	f("1677-09-21", model.MinTimestamp, (math.MinInt64/day)*day)
	for _, name := range []string{"", "2026-13-01", "2262-04-12", "1677-09-20", "9999-01-01"} {
		_, err := DayInterval(name)
		require.Error(t, err, name)
	}
}
