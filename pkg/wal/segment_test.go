package wal

import (
	"math/rand"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func TestDropBeforeRecycles(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	text := strings.Repeat("y", 1000)
	var at Position
	fill := func(segments int) {
		for start := l.State().Next.Segment(); l.State().Next.Segment() < start+uint32(segments); {
			require.NoError(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{[]byte(text)}, Apply: func(p Position) { at = p }}))
		}
	}
	fill(5)
	require.NoError(t, l.DropBefore(at))
	state := l.State()
	require.Equal(t, 1, state.Segments)
	require.Equal(t, spareSegmentsMax, state.Spares)
	require.Positive(t, state.SpareBytes)
	fill(2)
	require.Zero(t, l.State().Spares)
	require.Equal(t, 2.0, testutil.ToFloat64(l.metrics.opened.WithLabelValues(originRecycled)))
	got, stats := replayAll(t, mem, at)
	require.Zero(t, stats.DamageCount, "%v", stats.Damage)
	require.NotEmpty(t, got)

	fill(1)
	require.NoError(t, l.DropBefore(at))
	require.Equal(t, 2, l.State().Spares)
	require.NoError(t, l.Trim())
	require.Zero(t, l.State().Spares)
	require.Zero(t, l.State().SpareBytes)
	require.NoError(t, l.DropBefore(^Position(0)), "the active segment is never dropped")
	require.Equal(t, 1, l.State().Segments)
	require.NoError(t, l.Close())

	l = openTest(t, smallConfig(mem))
	before := l.State().Next
	require.NoError(t, l.DropBefore(^Position(0)), "the newest segment keeps the sequence")
	require.NoError(t, l.Close())
	l = openTest(t, smallConfig(mem))
	require.Equal(t, before, l.State().Next)
	require.NoError(t, l.Close())
}

func TestSparesOutliveTheProcess(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	for range 20 {
		appendText(t, l, strings.Repeat("y", 1000))
	}
	require.NoError(t, l.DropBefore(l.State().Next))
	require.NoError(t, l.Close())
	for _, name := range []string{"77.tmp", "0000000077.free", "0000000078.free", "note.txt"} {
		_, err := mem.Create(testDir + "/" + name)
		require.NoError(t, err)
	}
	l = openTest(t, smallConfig(mem))
	require.Equal(t, spareSegmentsMax, l.State().Spares)
	appendText(t, l, "z")
	require.Equal(t, 1.0, testutil.ToFloat64(l.metrics.opened.WithLabelValues(originRecycled)))
	require.NoError(t, l.Close())
	names, err := mem.List(testDir)
	require.NoError(t, err)
	require.Len(t, names, 4, "two segments, a spare, and what is not ours: %v", names)
	require.Contains(t, names, "note.txt")
}

func TestPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		cfg := Config{FS: mem, Dir: testDir, SegmentBytes: 64 << 10}
		l := openTest(t, cfg)
		appendText(t, l, "little")
		synctest.Wait()
		require.Zero(t, l.State().SpareBytes)
		appendText(t, l, strings.Repeat("z", 20<<10))
		synctest.Wait()
		next := l.State().Next.Offset()
		require.Equal(t, next+next/4, l.State().SpareBytes)
		for l.State().Next.Segment() == 1 {
			next = l.State().Next.Offset()
			appendText(t, l, strings.Repeat("z", 5<<10))
			synctest.Wait()
		}
		require.Equal(t, 1.0, testutil.ToFloat64(l.metrics.opened.WithLabelValues(originPrepared)))
		require.Zero(t, l.State().SpareBytes)
		require.Equal(t, next+(64<<10), l.State().Bytes, "the second segment came with its blocks")
		appendText(t, l, strings.Repeat("z", 20<<10))
		synctest.Wait()
		require.Positive(t, l.State().SpareBytes)
		require.NoError(t, l.Close())
		names, err := mem.List(testDir)
		require.NoError(t, err)
		require.Equal(t, []string{segmentName(1), segmentName(2)}, names, "the prepared file goes with the process")
	})
}

func TestIntervalSyncsBeforeTheNextSegment(t *testing.T) {
	mem := vfs.NewMem()
	cfg := smallConfig(mem)
	cfg.Sync, cfg.SyncInterval = SyncInterval, time.Hour
	l := openTest(t, cfg)
	records := 0
	for ; l.State().Next.Segment() < 3; records++ {
		appendText(t, l, strings.Repeat("i", 1000))
	}
	for seed := range int64(20) {
		got, stats := replayAll(t, mem.CrashClone(rand.New(rand.NewSource(seed))), 0)
		require.GreaterOrEqual(t, len(got), records-1, "only the last segment may lose something")
		require.Zero(t, stats.DamageCount, "%v", stats.Damage)
	}
	require.NoError(t, l.Close())
}

func TestHeaders(t *testing.T) {
	mem := vfs.NewMem()
	inject := vfs.NewInject(mem)
	l := openTest(t, smallConfig(inject))
	var ends []Position
	header := func(sequence uint32) segmentHeader {
		b, err := vfs.ReadFile(mem, segmentPath(testDir, sequence), 1<<20)
		require.NoError(t, err)
		h, err := decodeSegmentHeader(b, sequence)
		require.NoError(t, err)
		return h
	}
	appendText(t, l, "first")
	ends = append(ends, l.State().Next)
	inject.Arm(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpSync }})
	require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1}), syscall.EIO)
	for l.State().Next.Segment() == 2 {
		ends = append(ends[:1], l.State().Next)
		appendText(t, l, strings.Repeat("h", 1000))
	}
	ends = append(ends, l.State().Next)
	require.NoError(t, l.Close())
	l = openTest(t, smallConfig(mem)) // finds the end itself
	appendText(t, l, "x")
	require.NoError(t, l.Close())
	salts := map[[saltBytes]byte]bool{}
	for i, want := range append([]Position{0}, ends...) {
		h := header(uint32(i + 1))
		require.Equal(t, want, h.previousEnd, "segment %d", i+1)
		salts[h.salt] = true
	}
	require.Len(t, salts, 4)
}

func TestLargeRecordIsSyncedInSteps(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	l := openTest(t, Config{FS: inject, Dir: testDir})
	appendText(t, l, "opens the segment")
	inject.StartTrace()
	appendText(t, l, strings.Repeat("l", 5<<20))
	var got []string
	for _, op := range inject.Trace() {
		if strings.HasSuffix(op.Name, segmentSuffix) {
			require.LessOrEqual(t, op.Bytes, int64(batchBytesDefault*3/2))
			got = append(got, op.Kind.String())
		}
	}
	require.NoError(t, l.Close())
	require.Equal(t, strings.Repeat("write sync ", 5), strings.Join(got, " ")+" ")

	c := committer{log: l}
	for size := int64(1); size < 10<<20; size += 12345 {
		piece := c.pieceBytes(size)
		require.LessOrEqual(t, piece, l.cfg.bufferBytes())
		require.LessOrEqual(t, size/int64(piece), 1+size/batchBytesDefault)
	}
}

func TestSparesAreRenamedForGoodBeforeTheyAreWritten(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	inject.StartTrace()
	for range 3 {
		l := openTest(t, smallConfig(inject))
		for range 40 {
			appendText(t, l, strings.Repeat("s", 1000))
			if next := l.State().Next; next.Segment()%4 == 0 {
				require.NoError(t, l.DropBefore(next))
			}
		}
		require.NoError(t, l.DropBefore(l.State().Next))
		require.NoError(t, l.Close())
	}
	unsynced, opened, written := map[string]bool{}, map[string]bool{}, 0
	for _, op := range inject.Trace() {
		switch {
		case op.Kind == vfs.OpRename && strings.HasSuffix(op.To, spareSuffix):
			unsynced[op.To] = true
		case op.Kind == vfs.OpSyncDir && op.Name == testDir:
			clear(unsynced)
		case op.Kind == vfs.OpWrite && strings.HasSuffix(op.Name, spareSuffix):
			written++
			require.False(t, unsynced[op.Name], "%s", op)
		case op.Kind == vfs.OpStat && strings.HasSuffix(op.Name, spareSuffix):
			opened[op.Name] = true
			unsynced[op.Name] = true // an earlier process may have died before it synced
		}
	}
	require.Greater(t, written, 5)
	require.NotEmpty(t, opened)
}
