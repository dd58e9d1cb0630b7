package logdb

import (
	"context"
	"errors"
	"fmt"
	"path"
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

const day = 24 * time.Hour

// pushDays appends and flushes one entry of a stream for each day back from noon.
func pushDays(t *testing.T, db *DB, tenant model.TenantID, app string, days ...int) {
	t.Helper()
	for _, d := range days {
		e := model.Entry{Timestamp: at(-time.Duration(d) * day), Line: fmt.Sprintf("%s %d days ago", app, d)}
		require.NoError(t, db.Append(context.Background(), pushOf(tenant, streamOf(app, e))))
	}
	require.NoError(t, db.Flush(context.Background()))
}

func lines(t *testing.T, db *DB, tenant model.TenantID) []string {
	t.Helper()
	it, err := db.Select(context.Background(), tenant, storage.SelectRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")},
		Interval: always, Order: storage.Forward, Columns: storage.ColumnLine,
	})
	require.NoError(t, err)
	defer func() { _ = it.Close() }()
	out := []string{}
	for {
		b, err := it.Next(context.Background())
		require.NoError(t, err)
		if b == nil {
			return out
		}
		for _, l := range b.Lines {
			out = append(out, string([]byte(l)))
		}
	}
}

func TestRetentionByAge(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	periods := map[model.TenantID]Retention{
		"short": {Period: 3 * day},
		"mixed": {Period: 10 * day, Streams: []StreamRetention{
			{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "audit")}}, // for ever
			{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", "debug|audit")}, Period: 2 * day},
		}},
	}
	cfg.Retention = func(id model.TenantID) Retention { return periods[id] }
	db := openDB(t, cfg)
	for _, id := range []model.TenantID{"short", "forever"} {
		pushDays(t, db, id, "a", 20, 4, 1, 0)
	}
	pushDays(t, db, "mixed", "audit", 20)
	pushDays(t, db, "mixed", "other", 11, 9)
	pushDays(t, db, "mixed", "debug", 5, 1)
	require.NoError(t, db.retain())
	require.Equal(t, []string{"a 1 days ago", "a 0 days ago"}, lines(t, db, "short"))
	require.Len(t, lines(t, db, "forever"), 4)
	require.Equal(t, []string{"audit 20 days ago", "other 9 days ago", "debug 1 days ago"}, lines(t, db, "mixed"))
	require.Equal(t, 4, db.Removed().Blocks)
	require.EqualValues(t, 4, db.Removed().Entries)
	require.EqualValues(t, 4, testutil.ToFloat64(db.metrics.removedEntries.WithLabelValues("age")))

	require.NoError(t, db.Close())
	db = openDB(t, cfg) // and they stay away
	require.Equal(t, []string{"a 1 days ago", "a 0 days ago"}, lines(t, db, "short"))
}

func TestRetentionByBytes(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	pushDays(t, db, "x", "a", 3, 1)
	pushDays(t, db, "y", "b", 4, 2, 0)
	require.NoError(t, db.retain())
	require.Len(t, lines(t, db, "y"), 3, "no limit")
	total := db.blockTotals().DiskBytes
	db.cfg.RetentionBytes = total/2 + 100
	require.NoError(t, db.retain())
	require.LessOrEqual(t, db.blockTotals().DiskBytes, db.cfg.RetentionBytes)
	require.Equal(t, []string{"a 1 days ago"}, lines(t, db, "x"), "the oldest go first, whose ever they are")
	require.Equal(t, []string{"b 0 days ago"}, lines(t, db, "y"))
}

// A query that began before a block was removed finishes, and its files go then.
func TestRetentionWaitsForQueries(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	cfg.Retention = func(model.TenantID) Retention { return Retention{Period: day} }
	db := openDB(t, cfg)
	pushDays(t, db, "t", "a", 5)
	it, err := db.Select(context.Background(), "t", storage.SelectRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "a")}, Interval: always, Columns: storage.ColumnLine,
	})
	require.NoError(t, err)
	require.NoError(t, db.retain())
	require.Empty(t, lines(t, db, "t"), "new queries do not see it")
	names, err := fsys.List(path.Join(testDir, tmpName))
	require.NoError(t, err)
	require.Len(t, names, 1)
	b, err := it.Next(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, b.Len())
	require.NoError(t, it.Close())
	names, err = fsys.List(path.Join(testDir, tmpName))
	require.NoError(t, err)
	require.Empty(t, names)
}

// What cannot be moved away is not served any more, and goes later.
func TestRemovalIsTriedAgain(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := testConfig(t, inject)
	cfg.Retention = func(model.TenantID) Retention { return Retention{Period: day} }
	db := openDB(t, cfg)
	pushDays(t, db, "t", "a", 5)
	handle := db.lookup("t").view.blocks[0]
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpRename && op.Name == handle.path }})
	require.Error(t, db.retain())
	require.Empty(t, lines(t, db, "t"))
	require.Len(t, db.leavingBlocks(), 1)
	inject.Disarm()
	require.NoError(t, db.moveLeaving())
	require.Empty(t, db.leavingBlocks())
	require.NoError(t, db.Close())
	cfg.Retention = nil
	require.Empty(t, lines(t, openDB(t, cfg), "t"))
}

func TestGuard(t *testing.T) {
	const gib = 1 << 30
	g := guard{}
	require.EqualValues(t, gib, g.bytes(10*gib))
	require.EqualValues(t, 5*gib, g.bytes(100*gib))
	require.EqualValues(t, gib/8, g.bytes(gib/2), "a small disk stays usable")
	require.EqualValues(t, 7, (&guard{min: 7}).bytes(100*gib))

	cfg := testConfig(t, vfs.NewMem())
	disk, diskErr := Disk{Free: 20 * gib, Total: 100 * gib}, error(nil)
	cfg.DiskSpace = func() (Disk, error) { return disk, diskErr }
	db := openDB(t, cfg)
	ctx := context.Background()
	push := func() error {
		return db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"})))
	}
	db.watchDisk()
	require.NoError(t, push())
	require.True(t, db.guard.room(14*gib))
	require.False(t, db.guard.room(16*gib))
	disk.Free = 5*gib - 1
	db.watchDisk()
	err := push()
	require.ErrorIs(t, err, storage.ErrOverloaded)
	require.ErrorContains(t, err, "free_space_min")
	require.True(t, db.Guard().Refusing)
	require.False(t, db.guard.room(0))
	require.Len(t, all(t, db, "t"), 1, "queries go on")
	require.NoError(t, db.Flush(ctx), "so do flushes: they free the log")
	disk.Free = 5*gib + 1
	db.watchDisk()
	require.Error(t, push(), "not at the first byte")
	diskErr = errors.New("no idea")
	db.watchDisk()
	require.Error(t, push())
	disk.Free, diskErr = 6*gib, nil
	db.watchDisk()
	require.NoError(t, push())
	require.False(t, db.Guard().Refusing)
}

// A block that cannot be moved away counts as removed: it must not make the next ones go in its place.
func TestRetentionByBytesStopsAtTheLimitWhenMovingFails(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	db := openDB(t, testConfig(t, inject))
	pushDays(t, db, "t", "a", 5, 4, 3, 2, 1, 0)
	oldest := db.lookup("t").view.blocks[0]
	for _, h := range db.lookup("t").view.blocks {
		if h.meta.MaxTime < oldest.meta.MaxTime {
			oldest = h
		}
	}
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpRename && op.Name == oldest.path }})
	db.cfg.RetentionBytes = db.blockTotals().DiskBytes - 1
	require.Error(t, db.retain())
	require.Len(t, lines(t, db, "t"), 5)
}

// Somebody removed the directory of a block by hand. Retention, which wants it away, goes on.
func TestRemovalOfABlockThatIsNotThere(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := testConfig(t, fsys)
	cfg.Retention = func(model.TenantID) Retention { return Retention{Period: day} }
	db := openDB(t, cfg)
	pushDays(t, db, "t", "a", 5, 0)
	for _, h := range db.lookup("t").view.blocks {
		if h.meta.Day != "2026-05-04" {
			require.NoError(t, fsys.RemoveAll(h.path))
		}
	}
	require.NoError(t, db.tendBlocks(context.Background()))
	require.Empty(t, db.leavingBlocks())
}
