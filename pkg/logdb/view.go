package logdb

import (
	"slices"
	"sync/atomic"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// view is one moment of a tenant: which heads and blocks hold its entries, and which deletes mask some of them. It never
// changes. Flush, compaction, retention, delete and quarantine install another one, in one step each, so no query sees an
// entry twice or not at all while it moves from head to block and from block to block. The live head of a view goes on
// growing; it is read by snapshots.
//
// A view is held by its tenant while it is the current one and by each query that reads it. A block's files go when the
// last view that names it does.
type view struct {
	db         *DB
	heads      []*head.Head   // in order of age: being flushed, then the live one
	blocks     []*blockHandle // in order of arrival
	tombstones []*tombstone   // of deletes whose entries may still be in some block

	holders atomic.Int32
}

// newView makes a view held once, and holds its blocks.
func newView(db *DB, heads []*head.Head, blocks []*blockHandle, tombstones []*tombstone) *view {
	v := &view{db: db, heads: heads, blocks: blocks, tombstones: tombstones}
	v.holders.Store(1)
	for _, b := range blocks {
		b.views.Add(1)
	}
	return v
}

// acquire returns the current view. The caller releases it, once.
func (t *tenant) acquire() *view {
	t.mu.RLock()
	defer t.mu.RUnlock()
	t.view.holders.Add(1) // the tenant's own hold keeps it above zero while mu is held
	return t.view
}

// release ends a hold. The last one lets go of the blocks, which may remove files: it is not called with a lock held.
func (v *view) release() {
	if v.holders.Add(-1) > 0 {
		return
	}
	for _, b := range v.blocks {
		if b.views.Add(-1) == 0 {
			v.db.discard(b)
		}
	}
}

// installLocked makes the view of what the tenant holds now the current one, and returns the one before, which the caller
// releases when mu is free again.
func (t *tenant) installLocked(db *DB, blocks []*blockHandle, tombstones []*tombstone) (before *view) {
	heads := make([]*head.Head, 0, 2)
	if t.flushing != nil {
		heads = append(heads, t.flushing.head)
	}
	before = t.view
	t.view = newView(db, append(heads, t.head), blocks, tombstones)
	return before
}

// update installs a view whose blocks and tombstones are what change makes of the current ones. Change must not keep or
// alter its arguments; it runs under mu and may set the tenant's other fields.
func (t *tenant) update(db *DB, change func(blocks []*blockHandle, tombstones []*tombstone) ([]*blockHandle, []*tombstone)) {
	t.mu.Lock()
	blocks, tombstones := change(slices.Clip(t.view.blocks), slices.Clip(t.view.tombstones))
	before := t.installLocked(db, blocks, tombstones)
	t.mu.Unlock()
	before.release()
}

// within returns the blocks that may hold an entry in the interval.
func (v *view) within(iv model.Interval) []*blockHandle {
	var out []*blockHandle
	for _, b := range v.blocks {
		if iv.Overlaps(b.meta.MinTime, b.meta.MaxTime) {
			out = append(out, b)
		}
	}
	return out
}
