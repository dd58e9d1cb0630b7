package logdb

import (
	"context"
	"fmt"
	"path"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// damage flips a byte in the middle of a file.
func damage(t *testing.T, fsys vfs.FS, name string) {
	t.Helper()
	f, err := fsys.OpenReadWrite(name)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, size/2)
	require.NoError(t, err)
	b[0] ^= 0x40
	_, err = f.WriteAt(b, size/2)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// twoDays appends entries of two days, flushes them, and appends more.
func twoDays(t *testing.T, db *DB) {
	t.Helper()
	ctx := context.Background()
	for i := range 6 {
		for _, tenant := range []model.TenantID{"t", "other"} {
			e := model.Entry{Timestamp: at(time.Duration(i)*time.Minute - time.Duration(i%2)*day), Line: fmt.Sprintf("%s line %d", tenant, i), Level: "info"}
			require.NoError(t, db.Append(ctx, pushOf(tenant, streamOf("a", e))))
		}
	}
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(time.Hour), Line: "later"}))))
}

// A block that the log still covers is quarantined and made again, whatever part of it is damaged or missing, and its
// entries are there once: now, after another flush, and after restarts in between.
func TestCoveredBlockComesBack(t *testing.T) {
	f := func(name string, harm func(t *testing.T, fsys vfs.FS, dir string)) {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			cfg := testConfig(t, fsys)
			db := openDB(t, cfg)
			twoDays(t, db)
			want, others := all(t, db, "t"), all(t, db, "other")
			victim := db.lookup("t").view.blocks[1].path
			require.NoError(t, db.Close())
			harm(t, fsys, victim)

			db = openDB(t, cfg)
			require.EqualValues(t, 3, db.Replay().Recovered)
			require.Equal(t, want, all(t, db, "t"))
			require.Equal(t, others, all(t, db, "other"))
			require.NoError(t, db.Close())
			db = openDB(t, cfg) // not flushed: once more
			require.EqualValues(t, 3, db.Replay().Recovered)
			require.Equal(t, want, all(t, db, "t"))
			require.NoError(t, db.Flush(context.Background()))
			require.Equal(t, want, all(t, db, "t"))
			require.NoError(t, db.Close())
			db = openDB(t, cfg)
			require.Zero(t, db.Replay().Recovered, "it was replaced")
			require.Equal(t, want, all(t, db, "t"))
		})
	}
	for _, name := range []string{"chunks.bin", "index.db", "meta.json"} {
		f("bit flip in "+name, func(t *testing.T, fsys vfs.FS, dir string) { damage(t, fsys, path.Join(dir, name)) })
		f("no "+name, func(t *testing.T, fsys vfs.FS, dir string) { require.NoError(t, fsys.Remove(path.Join(dir, name))) })
	}
	f("no block", func(t *testing.T, fsys vfs.FS, dir string) { require.NoError(t, fsys.RemoveAll(dir)) })
}

// The same while the database runs: a query finds the damage, the log heals it.
func TestCoveredBlockComesBackWhileRunning(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	twoDays(t, db)
	want := all(t, db, "t")
	handle := db.lookup("t").view.blocks[0]
	db.cache.forget(handle)
	require.NoError(t, handle.open.Close())
	handle.open = nil
	damage(t, fsys, path.Join(handle.path, "index.db"))
	require.Len(t, lines(t, db, "t"), len(want)-3, "without the block's entries, with a warning")
	require.NoError(t, db.tendBlocks(context.Background()))
	require.Equal(t, want, all(t, db, "t"))
	require.NoError(t, db.Close())
	db = openDB(t, cfg) // before any flush
	require.Equal(t, want, all(t, db, "t"))
	require.NoError(t, db.Flush(context.Background()))
	require.NoError(t, db.Close())
	require.Equal(t, want, all(t, openDB(t, cfg), "t"))
}

// Without the log the block's entries are lost, and only they; what is left of its group stays.
func TestUncoveredBlockIsLostAlone(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	twoDays(t, db)
	want := all(t, db, "t")
	require.NoError(t, db.Flush(context.Background()))
	victim := db.lookup("t").view.blocks[1].path
	require.NoError(t, db.Close())
	names, err := fsys.List(path.Join(testDir, walName))
	require.NoError(t, err)
	for _, n := range names {
		require.NoError(t, fsys.Remove(path.Join(testDir, walName, n)))
	}
	damage(t, fsys, path.Join(victim, "meta.json"))
	db = openDB(t, cfg)
	require.Zero(t, db.Replay().Recovered)
	require.Len(t, all(t, db, "t"), len(want)-3)
	require.NotEmpty(t, db.Replay().Groups, "and it is said")
	require.NoError(t, db.Close())

	// Even without its marks: the log does not have the entries of an incomplete group, so the group stays.
	require.NoError(t, fsys.Remove(path.Join(testDir, stateName)))
	require.Len(t, all(t, openDB(t, cfg), "t"), len(want)-3)
}

// One block is found corrupt while it is merged. It comes back from the log.
func TestBlockQuarantinedDuringItsMergeComesBack(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	flushes(t, db, 4)
	want := all(t, db, "t")
	tn := db.lookup("t")
	v := tn.acquire()
	old := v.blocks
	db.dropBad(tn, old[0], fmt.Errorf("test"))
	installed, err := db.replaceBlocks(tn, old, nil) // as the end of a merge that began before
	require.False(t, installed)
	require.ErrorIs(t, err, errQuarantined)
	v.release()
	require.NoError(t, db.tendBlocks(context.Background()))
	require.ElementsMatch(t, want, all(t, db, "t"))
}

// A carry in the log replaces what came before it in the head, but not what came back of a lost block.
func TestCarryKeepsWhatCameBack(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()
	push := func(tenant model.TenantID, text string) {
		require.NoError(t, db.Append(ctx, pushOf(tenant, streamOf("a", model.Entry{Timestamp: at(0), Line: text}))))
	}
	push("t", "in a block")
	require.NoError(t, db.Flush(ctx))
	victim := db.lookup("t").view.blocks[0].path
	push("t", "small head")
	next := db.log.State().Next.Segment()
	for i := 0; db.log.State().Next.Segment() == next; i++ { // until t's records are in an old segment
		fill(t, db, "u", 64<<10)
	}
	require.NoError(t, db.carry(ctx, db.lookup("t")))
	require.EqualValues(t, 1, counterOf(db.metrics.carries))
	want := all(t, db, "t")
	require.NoError(t, db.Close()) // before the log was dropped
	damage(t, fsys, path.Join(victim, "chunks.bin"))
	db = openDB(t, cfg)
	require.EqualValues(t, 1, db.Replay().Recovered)
	require.Equal(t, want, all(t, db, "t"))
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.Close())
	require.Equal(t, want, all(t, openDB(t, cfg), "t"))
}

// A lost block of which nothing comes back, because all of it was deleted, holds no log.
func TestLostBlockWithoutEntriesHoldsNoLog(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	ctx := context.Background()
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	_, err := db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("a"), Interval: always})
	require.NoError(t, err)
	tn := db.lookup("t")
	db.dropBad(tn, tn.view.blocks[0], fmt.Errorf("test"))
	require.NoError(t, db.recoverLost(ctx, tn))
	require.Empty(t, all(t, db, "t"))
	first := db.log.State().First
	for db.log.State().Next.Segment() == first.Segment() {
		fill(t, db, "u", 1<<20)
	}
	require.NoError(t, db.Flush(ctx))
	require.Greater(t, db.log.State().First, first)
}

// Without state.json a block whose neighbours of the same flush were merged is no part of an interrupted flush.
func TestMergedGroupWithoutState(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()
	for i := range 4 {
		e := []model.Entry{{Timestamp: at(0), Line: fmt.Sprint("today ", i)}}
		if i == 0 {
			e = append(e, model.Entry{Timestamp: at(-5 * day), Line: "alone"})
		}
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", e...))))
		require.NoError(t, db.Flush(ctx))
	}
	want := all(t, db, "t")
	require.NoError(t, db.compact(ctx))
	require.Len(t, db.lookup("t").view.blocks, 2)
	require.NoError(t, db.Close())
	require.NoError(t, fsys.Remove(path.Join(testDir, stateName)))
	require.Equal(t, want, all(t, openDB(t, cfg), "t"))
}

// them is replaced itself.
func TestParentsAreForgottenAtStart(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()
	flushes(t, db, 4)
	before, err := loadState(fsys, testDir)
	require.NoError(t, err)
	want := all(t, db, "t")
	require.NoError(t, db.compact(ctx))
	require.NoError(t, db.Close())
	require.NoError(t, before.save(fsys, testDir)) // what a crash leaves, but for the parents that the next start removes
	db = openDB(t, cfg)
	require.Zero(t, db.Replay().Recovered)
	require.Equal(t, want, all(t, db, "t"))
	removed, err := db.removeBlocks(db.lookup("t"), "age", db.lookup("t").view.blocks)
	require.NoError(t, err)
	require.True(t, removed)
	require.Empty(t, all(t, db, "t"))
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	require.Zero(t, db.Replay().Recovered)
	require.Empty(t, all(t, db, "t"), "what retention removed")
}

// What a recovered head is flushed to does not stand for all that the log has since the first of its records.
func TestBlockOfRecoveredEntriesComesBackOnce(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	db := openDB(t, cfg)
	ctx := context.Background()
	flushes(t, db, 2)
	want := all(t, db, "t")
	tn := db.lookup("t")
	db.dropBad(tn, tn.view.blocks[0], fmt.Errorf("test"))
	require.NoError(t, db.recoverLost(ctx, tn))
	require.Equal(t, len(want), len(all(t, db, "t")))
	require.NoError(t, db.Flush(ctx))
	require.ElementsMatch(t, want, all(t, db, "t"))
	blocks := tn.view.blocks
	db.dropBad(tn, blocks[len(blocks)-1], fmt.Errorf("test")) // the same place of the disk, again
	require.NoError(t, db.recoverLost(ctx, tn))
	require.LessOrEqual(t, len(all(t, db, "t")), len(want), "nothing is there twice")
}

// A recovery that failed half-way is finished before what came back is flushed.
func TestRecoveryThatFailedHalfWay(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := testConfig(t, inject)
	db := openDB(t, cfg)
	ctx := context.Background()
	for i := range 6 {
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(time.Duration(i)), Line: noise(i, 300_000)}))))
	}
	require.NoError(t, db.cutAndFlush(ctx, "t")) // the log stays, as if another tenant needed it
	want := all(t, db, "t")
	tn := db.lookup("t")
	db.dropBad(tn, tn.view.blocks[0], fmt.Errorf("test"))
	last := path.Join(testDir, walName, fmt.Sprintf("%010d.wal", db.log.State().Next.Segment()))
	inject.Arm(vfs.Fault{At: 2, Err: syscall.EMFILE, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpOpen && op.Name == last }})
	require.Error(t, db.recoverLost(ctx, tn))
	inject.Disarm()
	require.NotEmpty(t, all(t, db, "t"), "some is there")
	require.NoError(t, db.cutAndFlush(ctx, "t"))
	require.NoError(t, db.recoverLost(ctx, tn))
	require.Equal(t, want, all(t, db, "t"))
}

// cutAndFlush flushes one tenant and drops no log.
func (db *DB) cutAndFlush(ctx context.Context, id model.TenantID) error {
	db.flushMu.Lock()
	defer db.flushMu.Unlock()
	_, err := db.flushAll(ctx, db.lookup(id))
	return err
}

// A flush that comes between the quarantine of a block and its recovery leaves the log that this needs.
func TestFlushKeepsTheLogOfLostBlocks(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	ctx := context.Background()
	flushes(t, db, 1)
	want := all(t, db, "t")
	tn := db.lookup("t")
	db.dropBad(tn, tn.view.blocks[0], fmt.Errorf("test"))
	for first := db.log.State().First; db.log.State().Next.Segment() == first.Segment(); {
		fill(t, db, "u", 1<<20)
	}
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.recoverLost(ctx, tn))
	require.Equal(t, want, all(t, db, "t"))
}

// A block whose directory somebody removed by hand is lost like a corrupt one: what the log has of it comes back, and queries
// go on in any case.
func TestBlockThatWasRemovedByHand(t *testing.T) {
	fsys := vfs.NewMem()
	db := openDB(t, testConfig(t, fsys))
	twoDays(t, db)
	want := all(t, db, "t")
	h := db.lookup("t").view.blocks[0]
	db.cache.forget(h)
	require.NoError(t, h.open.Close())
	h.open = nil
	require.NoError(t, fsys.RemoveAll(h.path))
	require.Len(t, lines(t, db, "t"), len(want)-3)
	_, more, _ := db.Faults()
	require.Zero(t, more)
	require.NoError(t, db.tendBlocks(context.Background()))
	require.ElementsMatch(t, want, all(t, db, "t"))
}
