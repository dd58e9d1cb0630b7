package logdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// A block that turns out corrupt while the log still has the records that it was made of is made again from these. Its
// group says where they are; of them the entries of its day are exactly what it held. They go to the head, hold the log
// from their first record on as any entry does, and the block that they are flushed to names the corrupt one as its
// parent: from then on nobody gets them back a second time.

// lostRange is a corrupt or missing block and where the log has its entries.
type lostRange struct {
	groupBlock
	from, to wal.Position
}

// forgetReplaced takes blocks that others name as their parents out of the groups, as whoever wrote these would have done
// had no crash come between. When they are replaced in their turn nothing names the first ones any more.
func (db *DB) forgetReplaced(blocks loaded) {
	for id, handles := range blocks.handles {
		for _, h := range handles {
			db.stateDirty = db.state.forget(id, h.meta.Parents...) || db.stateDirty
		}
	}
}

// findLost returns the blocks of groups that the log still has whole which did not load.
func (db *DB) findLost(first wal.Position, blocks loaded) map[model.TenantID][]lostRange {
	out := map[model.TenantID][]lostRange{}
	for id, groups := range db.state.Groups {
		known := map[ulid.ULID]bool{}
		for _, h := range blocks.handles[id] {
			known[h.meta.ULID] = true
		}
		for _, g := range groups {
			if g.From < first {
				continue
			}
			for _, b := range g.Blocks {
				if !known[b.ULID] {
					out[id] = append(out[id], lostRange{groupBlock: b, from: g.From, to: g.To})
				}
			}
		}
	}
	return out
}

// checkCovered compares the files of the blocks that the log still covers with their checksums: these were written last, so
// they are what a power cut may have harmed, and they can be made again. A corrupt one is quarantined and left out.
func (db *DB) checkCovered(ctx context.Context, first wal.Position, id model.TenantID, handles []*blockHandle) ([]*blockHandle, error) {
	covered := map[ulid.ULID]bool{}
	for _, g := range db.state.Groups[id] {
		for _, b := range g.Blocks {
			covered[b.ULID] = g.From >= first
		}
	}
	var sound []*blockHandle
	for _, h := range handles {
		if !covered[h.meta.ULID] {
			sound = append(sound, h)
			continue
		}
		err := db.checkFiles(ctx, h)
		if isCorrupt(err) {
			err = db.checkFiles(ctx, h) // only a second read of the same makes it corruption
		}
		switch {
		case err == nil:
			sound = append(sound, h)
		case isCorrupt(err):
			text := h.corruptText(id, err)
			db.replay.Groups = append(db.replay.Groups, text)
			db.metrics.badBlocks.Inc()
			if err := db.quarantine(h.path, string(id)+"-"+h.meta.ULID.String(), text); err != nil {
				return nil, fmt.Errorf("quarantine block %s: %w", h.meta.ULID, err)
			}
		default:
			return nil, fmt.Errorf("check block %s: %w", h.meta.ULID, err)
		}
	}
	return sound, nil
}

func (db *DB) checkFiles(ctx context.Context, h *blockHandle) error {
	b, err := block.Open(db.cfg.FS, h.path)
	if err != nil {
		return err
	}
	return errors.Join(b.VerifyFiles(ctx), b.Close())
}

// replayLost applies what a record below the mark holds of lost blocks.
func (db *DB) replayLost(t *tenant, at wal.Position, typ byte, payload []byte) error {
	var days []string
	for _, l := range db.lost[t.id] {
		if l.from <= at && at < l.to {
			days = append(days, l.Day)
			if !slices.Contains(t.recovered, l.groupBlock) {
				t.recovered = append(t.recovered, l.groupBlock)
			}
		}
	}
	if len(days) == 0 {
		return nil
	}
	p, err := db.decoder.Decode(typ, payload)
	if err != nil {
		return fmt.Errorf("record at %d of tenant %s: %w", at, t.id, err)
	}
	defer p.Release()
	t.keepLost(&p.Push, at, days)
	added := db.apply(t, at, p.Streams, p.Arrival)
	db.replay.Recovered += added.Entries
	return nil
}

// keepLost cuts a push to the entries of some days that no delete hides.
func (t *tenant) keepLost(p *record.Push, at wal.Position, days []string) {
	for i := range p.Streams {
		s := &p.Streams[i]
		var masks []*tombstone
		for _, ts := range t.view.tombstones {
			if at < ts.position && ts.selects(s.Labels) {
				masks = append(masks, ts)
			}
		}
		s.Entries = slices.DeleteFunc(s.Entries, func(e model.Entry) bool {
			return !slices.Contains(days, block.DayOf(e.Timestamp)) ||
				slices.ContainsFunc(masks, func(ts *tombstone) bool { return ts.hides(&e) })
		})
	}
}

// lostFrom is where the log begins to be needed for blocks that nobody has tried to get back yet.
func (db *DB) lostFrom() wal.Position {
	from := wal.Position(math.MaxUint64)
	for _, t := range db.allTenants() {
		t.mu.RLock()
		lost := slices.Clone(t.lost)
		t.mu.RUnlock()
		for _, b := range lost {
			if r, ok := db.rangeOf(t.id, b); ok {
				from = min(from, r.from)
			}
		}
	}
	return from
}

func (t *tenant) hasRecovered() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.recovered) > 0
}

var errEndOfRange = errors.New("end of range")

// recoverLost gets back from the log what it has of the blocks that were quarantined since the last call. Queries see the
// entries as they come.
func (db *DB) recoverLost(ctx context.Context, t *tenant) error {
	db.flushMu.Lock() // nobody drops the log meanwhile
	defer db.flushMu.Unlock()
	if db.closed.Load() {
		return nil
	}
	return db.recoverLocked(ctx, t)
}

// finishRecovery goes on with what failed half-way: a head that is cut then would count for a block of which it has only a
// part. Called with flushMu held.
func (db *DB) finishRecovery(ctx context.Context, t *tenant) error {
	t.mu.RLock()
	begun := slices.ContainsFunc(t.lost, func(b groupBlock) bool { return slices.Contains(t.recovered, b) })
	t.mu.RUnlock()
	if !begun {
		return nil
	}
	return db.recoverLocked(ctx, t)
}

func (db *DB) recoverLocked(ctx context.Context, t *tenant) error {
	t.mu.Lock()
	lost := t.lost
	t.lost = nil
	t.mu.Unlock()
	for i, b := range lost {
		if err := db.recoverOne(ctx, t, b); err != nil {
			t.mu.Lock()
			t.lost = append(t.lost, lost[i:]...)
			t.mu.Unlock()
			return fmt.Errorf("recover block %s from the log: %w", b.ULID, err)
		}
	}
	return nil
}

func (db *DB) recoverOne(ctx context.Context, t *tenant, b groupBlock) error {
	r, ok := db.rangeOf(t.id, b)
	if !ok {
		return nil // the log does not have it any more
	}
	decoder := record.NewDecoder()
	var entries uint64
	stats, err := wal.Replay(ctx, wal.ReplayConfig{FS: db.cfg.FS, Dir: path.Join(db.cfg.Dir, walName), From: r.from},
		func(at wal.Position, typ byte, payload []byte) error {
			if at >= r.to {
				return errEndOfRange
			}
			if id, err := record.TenantOf(payload); err != nil || id != t.id {
				return err
			}
			p, err := decoder.Decode(typ, payload)
			if err != nil {
				return err
			}
			defer p.Release()
			return logError(db.log.Barrier(ctx, func(wal.Position) *wal.Record {
				t.mu.Lock()
				t.keepLost(&p.Push, at, []string{b.Day})
				if !slices.Contains(t.recovered, b) {
					t.recovered = append(t.recovered, b)
				}
				t.mu.Unlock()
				added := db.apply(t, at, p.Streams, p.Arrival).Entries
				if added > 0 { // the head holds the log from here on again; an empty one must hold none
					t.mu.Lock()
					t.from = min(t.from, at)
					t.mu.Unlock()
				}
				entries += added
				return nil
			}))
		})
	if err != nil && !errors.Is(err, errEndOfRange) {
		return err
	}
	for _, d := range stats.Damage {
		db.faults.add(fmt.Sprintf("the log was damaged where it has the entries of block %s: %s", b.ULID, d))
	}
	db.metrics.recovered.Add(float64(entries))
	db.cfg.Logger.Info("entries of a corrupt block came back from the log", "tenant", t.id, "block", b.ULID, "entries", entries)
	return nil
}

// rangeOf finds where the log has the entries of a block.
func (db *DB) rangeOf(id model.TenantID, b groupBlock) (lostRange, bool) {
	first := db.log.State().First
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	for _, g := range db.state.Groups[id] {
		if g.From >= first && slices.Contains(g.Blocks, b) {
			return lostRange{groupBlock: b, from: g.From, to: g.To}, true
		}
	}
	return lostRange{}, false
}
