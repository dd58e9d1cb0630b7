package logdb

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// fill appends so many bytes of lines to a tenant.
func fill(t *testing.T, db *DB, tenant model.TenantID, bytes int) {
	t.Helper()
	s := streamOf("a")
	for i := 0; i < bytes; i += 1000 {
		s.Entries = append(s.Entries, model.Entry{Timestamp: at(0) + model.Timestamp(i), Line: fmt.Sprintf("%-8d%s", i, strings.Repeat("x", 992))})
	}
	require.NoError(t, db.Append(context.Background(), pushOf(tenant, s)))
}

func TestManySmallTenantsAreFlushedWhenHeadsAreFull(t *testing.T) {
	f := func(what string, set func(*Config)) {
		t.Helper()
		cfg := testConfig(t, vfs.NewMem())
		set(&cfg)
		db := openDB(t, cfg)
		filled := 0
		for ; filled < 10 && db.admit() == nil; filled++ {
			fill(t, db, model.TenantID(fmt.Sprint("t", filled)), 20_000) // less than what a block is worth
		}
		require.True(t, db.flushDue(), what)
		require.NoError(t, db.flush(context.Background(), false))
		require.False(t, db.flushDue(), "%s: a flush that frees nothing would be due for ever", what)
		require.NoError(t, db.admit(), what)
		for i := range filled {
			require.Len(t, all(t, db, model.TenantID(fmt.Sprint("t", i))), 20)
		}
		require.NoError(t, db.Close())
	}
	f("raw bytes", func(c *Config) { c.FlushBytes = 100_000 })
	f("memory", func(c *Config) { c.HeadBytesMax = 150_000 })
}

func TestSmallTenantsAreSparedWhenALargeOneFillsTheHeads(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.FlushBytes = 300_000
	db := openDB(t, cfg)
	for i := range 10 {
		fill(t, db, model.TenantID(fmt.Sprint("t", i)), 1000)
	}
	fill(t, db, "z", 300_000)
	require.NoError(t, db.flush(context.Background(), false))
	require.Equal(t, 1, db.Totals(context.Background()).Blocks)
}

func TestHeadOfManyStreamsIsNotCarried(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	var streams []model.Stream
	for i := range 3000 { // hardly a line, but labels that would not fit a record
		streams = append(streams, streamOf(fmt.Sprintf("%d %s", i, noise(i, 300)), model.Entry{Timestamp: at(0)}))
		if len(streams) == 1000 {
			require.NoError(t, db.Append(context.Background(), pushOf("t", streams...)))
			streams = nil
		}
	}
	fill(t, db, "other", 1_000_000)
	fill(t, db, "other", 1_000_000)
	require.NoError(t, db.flush(context.Background(), false))
	require.Equal(t, 2, db.Totals(context.Background()).Blocks)
}

func TestPushOfNothingHoldsNoLog(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.SegmentBytes = 64 << 10
	db := openDB(t, cfg)
	require.NoError(t, db.Append(context.Background(), pushOf("empty", streamOf("a"))))
	for i := range 20 {
		require.NoError(t, db.Append(context.Background(), pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: noise(i, 20_000)}))))
	}
	require.NoError(t, db.Flush(context.Background()))
	require.Equal(t, 1, db.LogState().Segments)
}

// isState matches what replaces state.json.
func isState(o vfs.Op) bool { return o.Kind == vfs.OpRename && path.Base(o.To) == stateName }

// The mark of a complete group lives only in its metas until state.json has it, and the log may go only then.
func TestMarkIsSavedBeforeTheLogIsDropped(t *testing.T) {
	mem := vfs.NewMem()
	inject := vfs.NewInject(mem)
	cfg := testConfig(t, inject)
	db := openDB(t, cfg)
	ctx := context.Background()
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	inject.Arm(vfs.Fault{At: 1, Forever: true, Match: isState, Err: syscall.EIO})
	require.ErrorIs(t, db.Flush(ctx), syscall.EIO)
	require.NoError(t, db.Close())

	cfg = testConfig(t, mem)
	db = openDB(t, cfg)
	require.NoError(t, db.flush(ctx, false)) // nothing to flush, but the log is dropped
	s, err := loadState(mem, testDir)
	require.NoError(t, err)
	require.NotZero(t, s.WalTo["t"])
}

// A block whose file is missing does not count, so the log is replayed that still has its entries.
func TestGroupWithoutItsFilesDoesNotCount(t *testing.T) {
	f := func(what string, damage func(fsys vfs.FS, dir string)) {
		t.Helper()
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		cfg := testConfig(t, inject)
		db := openDB(t, cfg)
		ctx := context.Background()
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
		inject.Arm(vfs.Fault{At: 1, Forever: true, Match: isState, Err: syscall.EIO})
		require.Error(t, db.Flush(ctx))
		require.NoError(t, db.Close())
		dir := path.Join(testDir, blocksName, "t")
		names, err := mem.List(dir)
		require.NoError(t, err)
		require.Len(t, names, 1)
		damage(mem, path.Join(dir, names[0]))

		db = openDB(t, testConfig(t, mem))
		require.Len(t, all(t, db, "t"), 1, what)
		require.NotEmpty(t, db.Replay().Groups, what)
		require.NoError(t, db.Close())
	}
	f("missing", func(fsys vfs.FS, dir string) { require.NoError(t, fsys.Remove(path.Join(dir, "chunks.bin"))) })
	f("short", func(fsys vfs.FS, dir string) {
		file, err := fsys.OpenReadWrite(path.Join(dir, "index.db"))
		require.NoError(t, err)
		require.NoError(t, file.Truncate(100))
		require.NoError(t, file.Close())
	})
}

func TestOpenBlocksAreBounded(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.OpenBlocks = 3
	cfg.QueryWorkers = 1 // a block that a worker has in use stays open beyond that
	db := openDB(t, cfg)
	ctx := context.Background()
	const blocks = 12
	for i := range blocks {
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0) + model.Timestamp(i), Line: "x"}))))
		require.NoError(t, db.Flush(ctx))
	}
	open := func() int {
		n := 0
		for _, h := range db.lookup("t").view.blocks {
			h.mu.Lock()
			if h.open != nil {
				n++
			}
			h.mu.Unlock()
		}
		return n
	}
	m := labels.MustNewMatcher(labels.MatchEqual, "app", "a")
	for _, order := range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} {
		it, err := db.Select(ctx, "t", storage.SelectRequest{Matchers: []*labels.Matcher{m}, Interval: always, Order: order})
		require.NoError(t, err)
		require.LessOrEqual(t, open(), cfg.OpenBlocks)
		n := 0
		for {
			b, err := it.Next(ctx)
			require.NoError(t, err)
			if b == nil {
				break
			}
			n += b.Len()
			require.LessOrEqual(t, open(), cfg.OpenBlocks)
		}
		require.Equal(t, blocks, n)
		require.NoError(t, it.Close())
	}
}

// ULIDs follow the clock, which may go back between two starts; positions of the log never do.
func TestBlocksAreOrderedByTheLog(t *testing.T) {
	handles := []*blockHandle{
		{meta: block.Meta{ULID: [16]byte{1}, WalTo: 20}},
		{meta: block.Meta{ULID: [16]byte{2}, WalTo: 10}},
		{meta: block.Meta{ULID: [16]byte{0}, WalTo: 20}},
	}
	sortHandles(handles)
	require.EqualValues(t, 10, handles[0].meta.WalTo)
	require.EqualValues(t, 0, handles[1].meta.ULID[0])
}

func TestReplayIsNotCountedAsAppended(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	fill(t, db, "t", 5000)
	entries, bytes := db.Appended()
	require.EqualValues(t, 5, entries)
	require.EqualValues(t, 5000, bytes)
	require.NoError(t, db.Close())
	entries, _ = openDB(t, cfg).Appended()
	require.Zero(t, entries)
}

// slowDisk stops a block half-way until it is let go.
type slowDisk struct {
	vfs.FS
	reached, goOn chan struct{}
}

func (s *slowDisk) MkdirAll(name string) error {
	if path.Base(path.Dir(name)) == tmpName {
		close(s.reached)
		<-s.goOn
	}
	return s.FS.MkdirAll(name)
}

// The lock on the directory is given back after Close: a flush that still wrote would write into another process' data.
func TestCloseWaitsForAFlush(t *testing.T) {
	disk := &slowDisk{FS: vfs.NewMem(), reached: make(chan struct{}), goOn: make(chan struct{})}
	db := openDB(t, testConfig(t, disk))
	fill(t, db, "t", 1000)
	flushed, closed := make(chan error, 1), make(chan error, 1)
	go func() { flushed <- db.Flush(context.Background()) }()
	<-disk.reached
	go func() { closed <- db.Close() }()
	<-db.done // the maintenance has ended: Close is under way
	select {
	case err := <-closed:
		t.Fatal("closed while a flush writes", err)
	case <-time.After(50 * time.Millisecond): // a shorter wait could only hide the fault, never invent one
	}
	close(disk.goOn)
	require.NoError(t, <-closed)
	require.ErrorIs(t, <-flushed, storage.ErrClosed)
	require.ErrorIs(t, db.Flush(context.Background()), storage.ErrClosed)
}

// One bad column table costs its chunk, whoever comes across it first.
func TestStatsKeepABlockWithABadChunk(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(t, vfs.OS())
	cfg.Dir, cfg.ScratchDir = dir, ""
	db := openDB(t, cfg)
	ctx := context.Background()
	var streams []model.Stream
	for i := range 50 { // small streams, packed into one chunk
		streams = append(streams, streamOf(fmt.Sprint("app", i), model.Entry{Timestamp: at(0), Line: "x"}))
	}
	require.NoError(t, db.Append(ctx, pushOf("t", streams...)))
	require.NoError(t, db.Flush(ctx))
	handle := db.lookup("t").view.blocks[0]
	scope := storage.Scope{Interval: always, Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app7")}}
	st, err := db.Stats(ctx, "t", scope)
	require.NoError(t, err)
	require.EqualValues(t, storage.Stats{Streams: 1, Chunks: 1, Entries: 1, Bytes: 1}, st)

	name := path.Join(handle.path, "chunks.bin")
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, db.use(handle, func(b *block.Block) error {
		for i := range content { // the first byte that makes the table unreadable
			damaged := append([]byte(nil), content...)
			damaged[i] ^= 0xff
			require.NoError(t, os.WriteFile(name, damaged, 0o600))
			if _, err := b.Chunk(block.ChunkRef{}); errors.Is(err, block.ErrCorrupt) {
				return nil
			}
		}
		return fmt.Errorf("no byte of %d belongs to the table", len(content))
	}))
	st, err = db.Stats(ctx, "t", scope)
	require.NoError(t, err)
	require.EqualValues(t, 1, st.Streams)
	require.Len(t, db.lookup("t").view.blocks, 1)
}

// The log is kept from the first record on that some head has nowhere else.
func TestLogStaysWhileAHeadNeedsIt(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.SegmentBytes = 64 << 10
	db := openDB(t, cfg)
	ctx := context.Background()
	require.NoError(t, db.Append(ctx, pushOf("small", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	for i := range 10 {
		require.NoError(t, db.Append(ctx, pushOf("large", streamOf("a", model.Entry{Timestamp: at(0), Line: noise(i, 20_000)}))))
	}
	_, err := db.cut(ctx, db.lookup("large"))
	require.NoError(t, err)
	require.NoError(t, db.dropLog(ctx))
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	require.Len(t, all(t, db, "small"), 1)
	require.Len(t, all(t, db, "large"), 10, "cut, but in no block")
	_, err = db.cut(ctx, db.lookup("small"))
	require.NoError(t, err)
	_, err = db.flushTenant(ctx, db.lookup("small"))
	require.NoError(t, err)
	require.NoError(t, db.dropLog(ctx))
	require.NoError(t, db.Close())
	require.Len(t, all(t, openDB(t, cfg), "large"), 10)
}

// What streams take is freed by a flush alone: closing a run at each push would only make tiny chunks.
func TestStreamsAloneDoNotCloseRuns(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	cfg.HeadOpenBytes = 32 << 10
	db := openDB(t, cfg)
	var streams []model.Stream
	for i := range 300 {
		streams = append(streams, streamOf(fmt.Sprint("app", i), model.Entry{Timestamp: at(0), Line: "x"}))
	}
	require.NoError(t, db.Append(context.Background(), pushOf("t", streams...)))
	h := db.lookup("t").head
	require.Greater(t, h.Bytes().Streams.Load(), cfg.HeadOpenBytes)
	before := len(h.Parts())
	for i := range 50 {
		require.NoError(t, db.Append(context.Background(), pushOf("t", streamOf("busy", model.Entry{Timestamp: at(1) + model.Timestamp(i), Line: "x"}))))
	}
	require.Less(t, len(h.Parts())-before, 5)
}

// A block of another format is not damaged: the database stays shut and says why, and nothing is moved or removed.
func TestBlocksOfAnotherFormatAreLeftAlone(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	require.NoError(t, db.Append(context.Background(), pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	require.NoError(t, db.Flush(context.Background()))
	name := path.Join(db.lookup("t").view.blocks[0].path, "meta.json")
	require.NoError(t, db.Close())
	meta, err := vfs.ReadFile(fsys, name, 1<<20)
	require.NoError(t, err)
	inner, _, ok := strings.Cut(strings.TrimPrefix(string(meta), `{"meta": `), `, "crc32c"`)
	require.True(t, ok)
	inner = strings.Replace(inner, `"version": 2`, `"version": 1`, 1)
	sum := crc32.Checksum([]byte(inner), crc32.MakeTable(crc32.Castagnoli))
	require.NoError(t, vfs.ReplaceFile(fsys, name, fmt.Appendf(nil, `{"meta": %s, "crc32c": "%08x"}`, inner, sum)))
	_, err = Open(context.Background(), cfg)
	require.ErrorIs(t, err, block.ErrVersion)
	require.ErrorContains(t, err, "meta.json has version 1, this program reads version 2")
	_, err = fsys.Stat(name)
	require.NoError(t, err)
	require.NoError(t, vfs.ReplaceFile(fsys, name, meta))
	require.Len(t, all(t, openDB(t, cfg), "t"), 1)
}
