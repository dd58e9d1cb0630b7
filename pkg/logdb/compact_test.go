package logdb

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// flushes appends and flushes n times, with entries of today and of yesterday each time, some with equal times.
func flushes(t *testing.T, db *DB, n int) {
	t.Helper()
	for i := range n {
		var streams []model.Stream
		for s := range 4 {
			st := streamOf(fmt.Sprint("app", s))
			for k := range 5 {
				st.Entries = append(st.Entries, model.Entry{
					Timestamp: at(time.Duration(k)*time.Second - time.Duration(k%2)*day), Level: "info", Line: fmt.Sprintf("flush %d entry %d", i, k),
				})
			}
			streams = append(streams, st)
		}
		require.NoError(t, db.Append(context.Background(), pushOf("t", streams...)))
		require.NoError(t, db.Flush(context.Background()))
	}
}

func TestCompaction(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	flushes(t, db, 5)
	want := all(t, db, "t")
	require.Len(t, db.lookup("t").view.blocks, 10)
	require.NoError(t, db.compact(context.Background()))
	require.Equal(t, want, all(t, db, "t"))
	require.Len(t, db.lookup("t").view.blocks, 2, "yesterday is closed and today has enough")
	require.EqualValues(t, 2, testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok")))
	names, err := fsys.List(path.Join(testDir, tmpName))
	require.NoError(t, err)
	require.Empty(t, names, "nobody reads the old ones")
	require.NoError(t, db.compact(context.Background()))
	require.EqualValues(t, 2, testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok")), "nothing is left to do")
	flushes(t, db, 1)
	want = all(t, db, "t")
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	require.Equal(t, want, all(t, db, "t"))
	require.Empty(t, db.Replay().Groups)
	require.Zero(t, db.Replay().Recovered, "what was merged is not missing")
}

// A merge that ended in a crash before the old blocks were gone leaves them behind: they go at the next start.
func TestParentsGoAtStart(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := testConfig(t, inject)
	db := openDB(t, cfg)
	flushes(t, db, 5)
	want := all(t, db, "t")
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: errNoRename, Match: func(op vfs.Op) bool {
		return op.Kind == vfs.OpRename && path.Base(path.Dir(op.To)) == tmpName
	}})
	require.ErrorIs(t, db.compact(context.Background()), errNoRename)
	require.Equal(t, want, all(t, db, "t"), "the new block is served, the old ones are not")
	require.NotEmpty(t, db.leavingBlocks())
	require.NoError(t, db.Close())
	inject.Disarm()
	db = openDB(t, cfg)
	require.Equal(t, want, all(t, db, "t"))
	require.NoError(t, db.compact(context.Background()))
	require.Equal(t, want, all(t, db, "t"))
	require.Len(t, db.lookup("t").view.blocks, 2)
}

var errNoRename = fmt.Errorf("no rename today")

// A damaged block stops merges that would need it, and nothing else.
func TestCompactionLeavesDamageAlone(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	flushes(t, db, 5)
	require.NoError(t, db.Append(context.Background(), pushOf("u", streamOf("app0", model.Entry{Timestamp: at(-3 * day), Line: "x"}))))
	require.NoError(t, db.Flush(context.Background()))
	require.NoError(t, db.Close())
	st, err := loadState(fsys, testDir)
	require.NoError(t, err)
	st.Groups = nil // the log does not have it any more
	require.NoError(t, st.save(fsys, testDir))
	db = openDB(t, cfg)
	h := db.lookup("t").view.blocks[2]
	for at := int64(16); at < 24; at++ { // pages begin behind the header
		flip(t, fsys, path.Join(h.path, "chunks.bin"), at, 0xff)
	}
	require.NoError(t, db.compact(context.Background()))
	require.Contains(t, db.lookup("t").view.blocks, h)
	require.True(t, h.stuck.Load())
	require.NoError(t, db.compact(context.Background()), "and it is not tried again and again")
	got, said := readAll(db, "t")
	require.NotEmpty(t, said)
	require.NotEmpty(t, got)
}

// Retention of some streams takes them out of blocks that others still need.
func TestRetentionOfStreams(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	now := noon
	cfg.Now = func() time.Time { return now }
	cfg.Retention = func(model.TenantID) Retention {
		return Retention{Period: 30 * day, Streams: []StreamRetention{
			{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app1")}, Period: 2 * day},
		}}
	}
	db := openDB(t, cfg)
	flushes(t, db, 1)
	before := lines(t, db, "t")
	require.NoError(t, db.compact(context.Background()))
	require.Equal(t, before, lines(t, db, "t"))
	now = noon.Add(2*day + time.Hour)
	require.NoError(t, db.retain())
	require.NoError(t, db.compact(context.Background()))
	require.Len(t, lines(t, db, "t"), len(before)*3/4)
	require.EqualValues(t, len(before)/4, testutil.ToFloat64(db.metrics.compactionDropped))
	names, err := db.LabelValues(context.Background(), "t", "app", storage.Scope{Interval: always})
	require.NoError(t, err)
	require.Equal(t, []string{"app0", "app2", "app3"}, names)
	done := testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok"))
	require.NoError(t, db.compact(context.Background()))
	require.InDelta(t, done, testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok")), 0, "once is enough")
	now = noon.Add(31 * day)
	require.NoError(t, db.retain())
	require.Empty(t, lines(t, db, "t"))
}

// Nothing is merged near the guard, and what is under way ends; it begins again when there is room.
func TestCompactionStopsWhenTheDiskIsShort(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	disk := Disk{Free: 50 << 30, Total: 100 << 30}
	cfg.DiskSpace = func() (Disk, error) { return disk, nil }
	db := openDB(t, cfg)
	flushes(t, db, 5)
	want := all(t, db, "t")
	db.watchDisk()
	ctx := context.Background()
	disk.Free = 1 << 30
	db.guard.see(disk, nil)
	require.ErrorIs(t, db.yield(ctx), errDiskLow)
	require.NoError(t, db.compact(ctx))
	require.Zero(t, testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok")))
	disk.Free = 50 << 30
	db.watchDisk()
	require.NoError(t, db.compact(ctx))
	require.Equal(t, want, all(t, db, "t"))
	require.EqualValues(t, 2, testutil.ToFloat64(db.metrics.compactions.WithLabelValues("ok")))
	names, err := fsys.List(path.Join(testDir, tmpName))
	require.NoError(t, err)
	require.Empty(t, names)
}

// A block of one tenant that cannot be read keeps neither retention nor merges from the blocks of others.
func TestTendingGoesOnBesideABlockThatCannotBeRead(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := testConfig(t, inject)
	cfg.Retention = func(id model.TenantID) Retention {
		if id != "x" {
			return Retention{}
		}
		return Retention{Streams: []StreamRetention{
			{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "short")}, Period: day},
		}}
	}
	db := openDB(t, cfg)
	pushDays(t, db, "x", "long", 5)
	flushes(t, db, 5)
	want := all(t, db, "t")
	unreadable := db.lookup("x").view.blocks[0].path
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: syscall.EIO, Match: func(op vfs.Op) bool {
		return op.Kind == vfs.OpOpen && path.Dir(op.Name) == unreadable
	}})
	require.ErrorIs(t, db.tendBlocks(context.Background()), syscall.EIO)
	require.Equal(t, want, all(t, db, "t"))
	require.Len(t, db.lookup("t").view.blocks, 2)
}

// What a merge wrote and could not be taken is gone before its parents are merged again: they would be removed at the next
// start, because it names them.
func TestUnwantedMergeIsRemovedFirst(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	db := openDB(t, testConfig(t, inject))
	ctx := context.Background()
	flushes(t, db, 5)
	want := all(t, db, "t")
	tn := db.lookup("t")
	v := tn.acquire()
	job := db.plan(tn, v)[0]
	v.release()
	var victim *blockHandle
	dropped := make(chan struct{})
	// One of the blocks goes to quarantine while the merge is written, and nothing can be removed.
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: errNoRename, Match: func(op vfs.Op) bool {
		if victim == nil && op.Kind == vfs.OpRename && path.Dir(path.Dir(op.To)) == path.Join(testDir, blocksName) {
			for _, h := range tn.view.blocks {
				if h.meta.ULID == job.Blocks[0].ULID {
					victim = h
				}
			}
			go func() {
				defer close(dropped)
				db.dropBad(tn, victim, fmt.Errorf("as if"))
			}()
			for !func() bool { tn.mu.RLock(); defer tn.mu.RUnlock(); return len(tn.view.blocks) == 9 }() {
				runtime.Gosched()
			}
		}
		return op.Kind == vfs.OpRemoveAll && path.Dir(path.Dir(op.Name)) == path.Join(testDir, blocksName)
	}})
	_, err := db.merge(ctx, tn, &job)
	require.ErrorIs(t, err, errQuarantined)
	require.Len(t, db.leaving.unwanted, 1)
	v = tn.acquire()
	for _, j := range db.plan(tn, v) {
		require.NotEqual(t, job.Blocks[0].Day, j.Blocks[0].Day, "its parents are left alone")
	}
	v.release()
	inject.Disarm()
	<-dropped
	require.NoError(t, db.tendBlocks(ctx))
	require.Empty(t, db.leaving.unwanted)
	require.ElementsMatch(t, want, all(t, db, "t"), "the log had the block's entries")
}
