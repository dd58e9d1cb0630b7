package logdb

import (
	"context"
	"fmt"
	"math/rand"
	rand2 "math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const (
	backupDir = "/backups/one"
	otherDir  = "/restored"
)

// appendLines makes a push of n entries over two days durable and returns them as text.
func appendLines(t testing.TB, db *DB, tenant model.TenantID, name string, n int) []string {
	t.Helper()
	s := streamOf("app-" + name)
	for i := range n {
		e := model.Entry{Timestamp: at(time.Duration(i)*time.Second + time.Duration(i%2)*24*time.Hour), Line: fmt.Sprintf("%s %d", name, i), Level: "info"}
		s.Entries = append(s.Entries, e)
	}
	require.NoError(t, db.Append(context.Background(), pushOf(tenant, s)))
	return texts(s)
}

func restored(t testing.TB, cfg Config) Config {
	cfg.Dir, cfg.ScratchDir, cfg.Registerer = otherDir, t.TempDir(), nil
	return cfg
}

func TestBackupAndRestore(t *testing.T) {
	for _, copies := range []bool{false, true} {
		mem := vfs.NewMem()
		cfg := testConfig(t, mem)
		db := openDB(t, cfg)
		ctx := context.Background()
		want := appendLines(t, db, "t1", "one", 10)
		require.NoError(t, db.Flush(ctx))
		want = append(want, appendLines(t, db, "t1", "two", 10)...)
		want2 := appendLines(t, db, "t2", "small", 3)
		var told []int64
		report, err := db.Backup(ctx, BackupRequest{Dest: backupDir, Copy: copies, Progress: func(done, total int64) {
			require.LessOrEqual(t, done, total)
			told = append(told, done)
		}})
		require.NoError(t, err)
		require.IsNonDecreasing(t, told)
		require.Equal(t, report.Bytes, told[len(told)-1])
		require.Equal(t, 6, report.Blocks)
		require.Equal(t, 2, report.Tenants)
		require.EqualValues(t, 23, report.Entries)
		require.Equal(t, copies, report.Copied > report.Bytes, "meta.json counts as well")
		require.EqualValues(t, 1, testutil.ToFloat64(db.backups.made.WithLabelValues("ok")))
		appendLines(t, db, "t1", "later", 5)
		require.NoError(t, db.Close())

		restoredReport, err := Restore(ctx, RestoreConfig{FS: mem, Backup: backupDir, Dir: otherDir, Link: !copies})
		require.NoError(t, err)
		report.Copied, restoredReport.Copied = 0, 0
		require.Equal(t, report, restoredReport)
		cfg = restored(t, cfg)
		db = openDB(t, cfg)
		require.ElementsMatch(t, want, all(t, db, "t1"))
		require.ElementsMatch(t, want2, all(t, db, "t2"))
		require.Empty(t, db.Replay().Groups)
		// What is pushed now lies above every mark, so a replay does not skip it.
		want = append(want, appendLines(t, db, "t1", "after", 4)...)
		want2 = append(want2, appendLines(t, db, "t2", "after", 4)...)
		require.NoError(t, db.Close())
		db = openDB(t, cfg)
		require.EqualValues(t, 8, db.Replay().Entries)
		require.ElementsMatch(t, want, all(t, db, "t1"))
		require.ElementsMatch(t, want2, all(t, db, "t2"))
		require.NoError(t, db.Flush(ctx))
		require.ElementsMatch(t, want, all(t, db, "t1"))
		require.NoError(t, db.Close())

		// A backup is a data directory too, as long as nobody needs it any more.
		cfg.Dir = backupDir
		db = openDB(t, cfg)
		require.Len(t, all(t, db, "t1"), 20)
		require.NoError(t, db.Close())
	}
}

// After random operations a restored store answers as a naive one does, and goes on like any other.
func TestBackupOfModel(t *testing.T) {
	m := newModelRun(t, rand2.Uint64())
	m.cfg.ChunkIdle = time.Nanosecond
	for round := range 3 {
		for range modelSteps / 3 {
			m.step()
		}
		dest, dir := fmt.Sprint("/backups/", round), fmt.Sprint("/restored/", round)
		_, err := m.db.Backup(t.Context(), BackupRequest{Dest: dest})
		require.NoError(t, err)
		clear(m.recent) // it flushed
		require.NoError(t, m.db.Close())
		_, err = Restore(t.Context(), RestoreConfig{FS: m.mem, Backup: dest, Dir: dir})
		require.NoError(t, err)
		m.cfg.Dir = dir
		m.reopen(false)
		m.checkAll()
	}
}

func TestBackupOfNothing(t *testing.T) {
	mem := vfs.NewMem()
	cfg := testConfig(t, mem)
	db := openDB(t, cfg)
	report, err := db.Backup(t.Context(), BackupRequest{Dest: backupDir})
	require.NoError(t, err)
	require.Zero(t, report.Blocks)
	_, err = Restore(t.Context(), RestoreConfig{FS: mem, Backup: backupDir, Dir: otherDir})
	require.NoError(t, err)
	db = openDB(t, restored(t, cfg))
	require.Empty(t, all(t, db, "t1"))
}

func TestBackupRefusals(t *testing.T) {
	mem := vfs.NewMem()
	db := openDB(t, testConfig(t, mem))
	appendLines(t, db, "t1", "x", 2)
	f := func(dest, want string) {
		t.Helper()
		_, err := db.Backup(t.Context(), BackupRequest{Dest: dest})
		require.ErrorIs(t, err, storage.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	f("backup", "absolute path")
	f("", "absolute path")
	f("/data", "the data directory itself")
	f("/data/./", "the data directory itself")
	f("/data/blocks/t1/x", "belongs to the store")
	f("/data/tmp", "belongs to the store")
	f("/data/wal/../wal/x", "belongs to the store")
	f("/", "is not empty")
	require.NoError(t, vfs.MkdirAllSynced(mem, "/full/blocks"))
	f("/full", "cut short")
	require.NoError(t, vfs.ReplaceFile(mem, "/full/backup.json", nil))
	f("/full", "has to be empty")
	require.NoError(t, vfs.ReplaceFile(mem, "/file", nil))
	f("/file", "cannot be used")
	require.NoError(t, vfs.MkdirAllSynced(mem, "/disk/lost+found"))
	_, err := db.Backup(t.Context(), BackupRequest{Dest: "/disk"})
	require.NoError(t, err)
	_, err = db.Backup(t.Context(), BackupRequest{Dest: "/data/backups/1"}) // below the data directory is allowed
	require.NoError(t, err)

	db.backups.mu.Lock()
	_, err = db.Backup(t.Context(), BackupRequest{Dest: "/second"})
	require.ErrorContains(t, err, "another backup is running")
	db.backups.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = db.Backup(ctx, BackupRequest{Dest: "/cancelled"})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, db.Close())
	_, err = db.Backup(t.Context(), BackupRequest{Dest: "/closed"})
	require.ErrorIs(t, err, storage.ErrClosed)
}

// While blocks are linked, pushes, flushes and removals go on; what was acknowledged before is all there, once.
func TestBackupBesideEverything(t *testing.T) {
	mem := vfs.NewMem()
	cfg := testConfig(t, mem)
	db := openDB(t, cfg)
	ctx := context.Background()
	var want []string
	for i := range 5 {
		want = append(want, appendLines(t, db, "t1", fmt.Sprint("before-", i), 6)...)
		require.NoError(t, db.Flush(ctx))
	}
	want = append(want, appendLines(t, db, "t1", "head", 6)...)

	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Add(1)
	go func() {
		defer others.Done()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			appendLines(t, db, "t1", fmt.Sprint("while-", i), 2)
			if i%5 == 0 && db.Flush(ctx) != nil {
				return
			}
		}
	}()
	removed := false
	report, err := db.Backup(ctx, BackupRequest{Dest: backupDir, Copy: true, Progress: func(done, _ int64) {
		if done == 0 || removed {
			return
		}
		// In the middle of the first block all blocks of this moment go, as after a compaction.
		removed = true
		tn := db.tenantFor("t1")
		var gone []*blockHandle
		tn.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
			gone = b
			return nil, ts
		})
		require.NoError(t, db.moveAway(tn, gone...))
	}})
	require.NoError(t, err)
	require.True(t, removed)
	require.GreaterOrEqual(t, report.Blocks, 12)
	close(stop)
	others.Wait()
	require.NoError(t, db.Close())
	names, err := mem.List(path.Join(testDir, tmpName))
	require.NoError(t, err)
	require.Empty(t, names, "the removed blocks went with the backup's view")

	_, err = Restore(ctx, RestoreConfig{FS: mem, Backup: backupDir, Dir: otherDir})
	require.NoError(t, err)
	db = openDB(t, restored(t, cfg))
	var got []string
	for _, line := range all(t, db, "t1") {
		if !strings.Contains(line, "while-") {
			got = append(got, line)
		}
	}
	require.ElementsMatch(t, want, got)
}

// A block that turns out corrupt while it is backed up is left out, and the report says so.
func TestBackupLeavesOutQuarantinedBlocks(t *testing.T) {
	mem := vfs.NewMem()
	cfg := testConfig(t, mem)
	db := openDB(t, cfg)
	appendLines(t, db, "t1", "x", 4)
	require.NoError(t, db.Flush(t.Context()))
	tn := db.tenantFor("t1")
	v := tn.acquire()
	handles := v.blocks
	v.release()
	require.Len(t, handles, 2)
	dropped := false
	report, err := db.Backup(t.Context(), BackupRequest{Dest: backupDir, Progress: func(done, _ int64) {
		if done > 0 && !dropped {
			dropped = true
			for _, h := range handles {
				db.dropBad(tn, h, block.ErrCorrupt)
			}
		}
	}})
	require.NoError(t, err)
	require.Len(t, report.LeftOut, 2)
	require.Contains(t, report.LeftOut[0], "is corrupt and in quarantine")
	require.Zero(t, report.Blocks)
	_, err = Restore(t.Context(), RestoreConfig{FS: mem, Backup: backupDir, Dir: otherDir})
	require.NoError(t, err)
	require.Empty(t, all(t, openDB(t, restored(t, cfg)), "t1"))
}

// Whatever operation of a backup fails, or is the last before a crash: a backup.json that stands there tells the truth,
// and the store has everything.
func TestBackupFaultAtEveryOperation(t *testing.T) {
	base := vfs.NewMem()
	cfg := crashConfig(t, base, t.TempDir())
	db := openDB(t, cfg)
	want := appendLines(t, db, "t1", "one", 1)
	require.NoError(t, db.Flush(t.Context()))
	want = append(want, appendLines(t, db, "t1", "two", 1)...)
	require.NoError(t, db.Close())
	rng := rand.New(rand.NewSource(1))
	for _, cause := range []error{nil, syscall.ENOSPC} {
		for _, copies := range []bool{false, true} {
			for k := 1; ; k++ {
				mem := base.CrashClone(rng) // a copy: everything in it is durable
				inject := vfs.NewInject(mem)
				cfg := cfg
				cfg.FS = inject
				db := openDB(t, cfg)
				inject.Arm(vfs.Fault{At: k, Err: cause})
				_, backupErr := db.Backup(t.Context(), BackupRequest{Dest: backupDir, Copy: copies})
				fired := inject.Fired()
				inject.Disarm()
				_ = db.Close()
				after := vfs.FS(mem)
				if cause == nil && fired {
					after = mem.CrashClone(rng)
				}
				checkAfterFault(t, after, cfg, want, backupErr == nil)
				if !fired {
					require.NoError(t, backupErr)
					require.Greater(t, k, 20)
					break
				}
			}
		}
	}
}

func checkAfterFault(t *testing.T, fsys vfs.FS, cfg Config, want []string, succeeded bool) {
	t.Helper()
	_, statErr := fsys.Stat(path.Join(backupDir, backupName))
	require.False(t, succeeded && statErr != nil, "the backup was reported and is not there")
	_, err := Restore(t.Context(), RestoreConfig{FS: fsys, Backup: backupDir, Dir: otherDir})
	require.Equal(t, statErr == nil, err == nil, "%v", err)
	cfg.FS, cfg.Registerer = fsys, nil
	dirs := []string{testDir}
	if err == nil {
		dirs = append(dirs, otherDir)
	}
	for _, dir := range dirs {
		cfg.Dir = dir
		db, err := Open(t.Context(), cfg)
		require.NoError(t, err)
		require.ElementsMatch(t, want, all(t, db, "t1"))
		require.NoError(t, db.Close())
	}
}

// The loop above must see what it is for.
func TestBackupFaultLoopSeesSabotage(t *testing.T) {
	seen := false
	for seed := range int64(30) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		cfg := crashConfig(t, inject, t.TempDir())
		db := openDB(t, cfg)
		appendLines(t, db, "t1", "one", 3)
		require.NoError(t, db.Flush(t.Context()))
		inject.NoSyncDir = true
		_, err := db.Backup(t.Context(), BackupRequest{Dest: backupDir})
		require.NoError(t, err)
		after := mem.CrashClone(rand.New(rand.NewSource(seed)))
		_, err = Restore(t.Context(), RestoreConfig{FS: after, Backup: backupDir, Dir: otherDir})
		seen = seen || err != nil
		require.NoError(t, db.Close())
	}
	require.True(t, seen)
}

// A restore that is cut off anywhere leaves nothing that opens as something else, and the next one works.
func TestRestoreFaultAtEveryOperation(t *testing.T) {
	base := vfs.NewMem()
	cfg := crashConfig(t, base, t.TempDir())
	db := openDB(t, cfg)
	want := appendLines(t, db, "t1", "one", 3)
	_, err := db.Backup(t.Context(), BackupRequest{Dest: backupDir})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	rng := rand.New(rand.NewSource(1))
	for _, exists := range []bool{false, true} {
		for _, cause := range []error{nil, syscall.EIO} {
			for k := 1; ; k++ {
				mem := base.CrashClone(rng) // a copy: everything in it is durable
				if exists {
					require.NoError(t, vfs.MkdirAllSynced(mem, otherDir))
				}
				inject := vfs.NewInject(mem)
				inject.Arm(vfs.Fault{At: k, Err: cause})
				_, err := Restore(t.Context(), RestoreConfig{FS: inject, Backup: backupDir, Dir: otherDir, Link: k%2 == 0})
				if !inject.Fired() {
					require.NoError(t, err)
					require.Greater(t, k, 10)
					break
				}
				after := mem
				if cause == nil {
					after = mem.CrashClone(rng)
				}
				if _, statErr := after.Stat(path.Join(otherDir, blocksName)); statErr != nil {
					if _, statErr := after.Stat(path.Join(otherDir, stateName)); statErr == nil {
						require.NoError(t, after.RemoveAll(otherDir)) // as the error asks for
					}
					_, err := Restore(t.Context(), RestoreConfig{FS: after, Backup: backupDir, Dir: otherDir})
					require.NoError(t, err)
				}
				cfg := restored(t, cfg)
				cfg.FS = after
				db, err := Open(t.Context(), cfg)
				require.NoError(t, err)
				require.ElementsMatch(t, want, all(t, db, "t1"))
				require.NoError(t, db.Close())
			}
		}
	}
}

func TestRestoreRefusals(t *testing.T) {
	base := vfs.NewMem()
	db := openDB(t, testConfig(t, base))
	appendLines(t, db, "t1", "one", 4)
	_, err := db.Backup(t.Context(), BackupRequest{Dest: backupDir})
	require.NoError(t, err)
	v := db.tenantFor("t1").acquire()
	id := v.blocks[0].meta.ULID
	v.release()
	file := path.Join(backupDir, blocksName, "t1", id.String(), "chunks.bin")
	f := func(want string, noVerify bool, change func(fsys vfs.FS)) {
		t.Helper()
		fsys := base.CrashClone(rand.New(rand.NewSource(1)))
		change(fsys)
		_, err := Restore(t.Context(), RestoreConfig{FS: fsys, Backup: backupDir, Dir: otherDir, NoVerify: noVerify})
		if want == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, want)
		_, err = fsys.Stat(path.Join(otherDir, blocksName))
		require.Error(t, err)
	}
	flip := func(fsys vfs.FS) {
		b, err := vfs.ReadFile(fsys, file, 1<<20)
		require.NoError(t, err)
		b[20] ^= 1
		require.NoError(t, vfs.ReplaceFile(fsys, file, b))
	}
	f("", false, func(vfs.FS) {})
	f("the backup is damaged: block "+id.String(), false, flip)
	f("", true, flip)
	for _, noVerify := range []bool{false, true} {
		f("chunks.bin is missing", noVerify, func(fsys vfs.FS) { require.NoError(t, fsys.Remove(file)) })
		f("is missing", noVerify, func(fsys vfs.FS) { require.NoError(t, fsys.RemoveAll(path.Dir(file))) })
		f("cut short", noVerify, func(fsys vfs.FS) { require.NoError(t, fsys.Remove(path.Join(backupDir, backupName))) })
		f("corrupt data", noVerify, func(fsys vfs.FS) {
			require.NoError(t, vfs.ReplaceFile(fsys, path.Join(backupDir, backupName), []byte("{}")))
		})
		f("state.json", noVerify, func(fsys vfs.FS) { require.NoError(t, fsys.Remove(path.Join(backupDir, stateName))) })
		f("is not empty", noVerify, func(fsys vfs.FS) { require.NoError(t, vfs.MkdirAllSynced(fsys, otherDir+"/wal")) })
	}
	_, err = Restore(t.Context(), RestoreConfig{FS: base, Backup: backupDir, Dir: backupDir + "/x"})
	require.ErrorContains(t, err, "lies in the backup")
}

func TestBackupFileGolden(t *testing.T) {
	c := backupContent{
		BackupReport: BackupReport{
			Version: backupVersion, Made: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), Instance: "node-1", Tenants: 1, Blocks: 1,
			Entries: 5, RawBytes: 1000, Bytes: 300, LeftOut: []string{"block x"},
		},
		List: []backupBlock{{Tenant: "fake", ULID: ulid.ULID{1, 2, 3}, Bytes: 300}},
	}
	got, err := c.encode()
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/backup.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "another form is another version; then this is the new file")
	back, err := decodeBackup(want)
	require.NoError(t, err)
	require.Equal(t, &c, back)
}

func FuzzBackupFile(f *testing.F) {
	b, err := os.ReadFile("testdata/backup.json")
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeBackup(b)
		if err != nil {
			return
		}
		for i := range c.List {
			require.True(t, strings.HasPrefix(c.List[i].dir("/b"), "/b/blocks/"), "a backup must not name places outside")
		}
		again, err := c.encode()
		require.NoError(t, err)
		back, err := decodeBackup(again)
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}
