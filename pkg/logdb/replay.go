package logdb

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// open puts the database together: directories, state, blocks, log.
func (db *DB) open(ctx context.Context) error {
	fsys, dir := db.cfg.FS, db.cfg.Dir
	tmp := path.Join(dir, tmpName)
	if err := fsys.RemoveAll(tmp); err != nil { // half-written files of an earlier process
		return fmt.Errorf("empty %s: %w", tmp, err)
	}
	for _, d := range []string{dir, tmp, path.Join(dir, blocksName), path.Join(dir, walName)} {
		if err := vfs.MkdirAllSynced(fsys, d); err != nil { // before anything below is relied on
			return err
		}
	}
	var err error
	if db.state, err = loadState(fsys, dir); err != nil {
		return err
	}
	first, found, err := wal.First(fsys, path.Join(dir, walName))
	if err != nil {
		return err
	}
	if !found {
		first = math.MaxUint64 // the log has nothing
	}
	blocks, err := db.loadBlocks(ctx, first)
	if err != nil {
		return err
	}
	db.forgetReplaced(blocks)
	db.lost = db.findLost(first, blocks)
	for id, handles := range blocks.handles {
		db.tenantFor(id).update(db, func(_ []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) { return handles, ts })
	}
	for id, mark := range blocks.marks {
		if wal.Position(mark) > db.state.WalTo[id] {
			db.state.WalTo[id] = wal.Position(mark)
			db.stateDirty = true // a crash or a fault came between the group and its mark
		}
	}
	if err := db.loadTombstones(); err != nil {
		return err
	}
	end, err := db.replayLog(ctx)
	if err != nil {
		return err
	}
	db.lost = nil
	return db.openLog(ctx, end)
}

// openLog opens the log for appending, above every position that a mark names: a log that was lost or removed must not
// count from the beginning again, or replay would skip what it holds.
func (db *DB) openLog(ctx context.Context, end wal.Position) error {
	var floor wal.Position
	for _, mark := range db.state.WalTo {
		floor = max(floor, mark)
	}
	var err error
	db.log, err = wal.Open(ctx, wal.Config{
		FS: db.cfg.FS, Dir: path.Join(db.cfg.Dir, walName), SegmentBytes: db.cfg.SegmentBytes,
		Sync: db.cfg.Sync, SyncInterval: db.cfg.SyncInterval, Floor: floor, Replayed: end,
		Logger: db.cfg.Logger, Registerer: db.cfg.Registerer,
	})
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	return nil
}

// replayLog applies what the log holds beyond the marks, by the same step as the first time.
func (db *DB) replayLog(ctx context.Context) (end wal.Position, err error) {
	start := time.Now()
	stats, err := wal.Replay(ctx, wal.ReplayConfig{
		FS: db.cfg.FS, Dir: path.Join(db.cfg.Dir, walName), Progress: db.cfg.Progress,
	}, db.replayRecord)
	if err != nil {
		return 0, fmt.Errorf("replay log: %w", err)
	}
	r := &db.replay
	r.Took, r.Bytes = time.Since(start), stats.Bytes
	for _, d := range stats.Damage {
		r.Damage = append(r.Damage, d.String())
	}
	if len(r.Damage) > 0 {
		db.cfg.Logger.Error("the log has damage; records in it are lost", "damage", strings.Join(r.Damage, "; "))
	}
	if r.Recovered > 0 {
		r.Groups = append(r.Groups, fmt.Sprintf("%d entries of lost blocks came back from the log", r.Recovered))
		db.metrics.recovered.Add(float64(r.Recovered))
	}
	db.cfg.Logger.Info("log replayed", "recovered", r.Recovered, "records", r.Records, "entries", r.Entries, "bytes", r.Bytes, "took", r.Took)
	return stats.End, nil
}

func (db *DB) replayRecord(at wal.Position, typ byte, payload []byte) error {
	id, err := record.TenantOf(payload)
	if err != nil {
		return fmt.Errorf("record at %d: %w", at, err)
	}
	if at < db.state.WalTo[id] { // in blocks, unless one of them is lost
		return db.replayLost(db.tenantFor(id), at, typ, payload)
	}
	p, err := db.decoder.Decode(typ, payload)
	if err != nil {
		// Its checksum is right, so this is what was written: a newer program wrote it, or ours has a fault. Going on
		// would lose acknowledged entries silently.
		return fmt.Errorf("record at %d of tenant %s: %w", at, id, err)
	}
	defer p.Release()
	t := db.tenantFor(id)
	// What came back of a lost block is no part of a carry and stays; the rest of the head is in both, and counts once.
	if typ == record.TypeCarry && !t.hasRecovered() {
		t.head.Release()
		t.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
			t.head, t.from = head.New(&db.heads), 0
			return b, ts
		})
	}
	db.replayApply(t, at, p.Push)
	return nil
}

func (db *DB) replayApply(t *tenant, at wal.Position, p record.Push) {
	added := db.apply(t, at, p.Streams, p.Arrival)
	db.replay.Records++
	db.replay.Entries += added.Entries
	db.replay.Duplicates += added.Duplicates
}

// sortHandles orders blocks by the arrival of their entries. The log's positions tell it; ULIDs follow the clock, which may
// have gone back while no process ran.
func sortHandles(handles []*blockHandle) {
	slices.SortFunc(handles, func(a, b *blockHandle) int {
		return cmp.Or(cmp.Compare(a.meta.WalTo, b.meta.WalTo), a.meta.ULID.Compare(b.meta.ULID))
	})
}
