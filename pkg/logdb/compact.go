package logdb

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/compact"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	// closeDelay is how long after the last flush of a day is due the day counts as closed.
	closeDelay = 15 * time.Minute
	// yieldFor is how long a merge rests before a chunk while pushes or queries run.
	yieldFor = 2 * time.Millisecond
)

// compact does the merges and rewrites that are due, one after the other, until nothing is left to do.
func (db *DB) compact(ctx context.Context) error {
	var errs []error
	for _, t := range db.allTenants() {
		for done := 1; done > 0 && ctx.Err() == nil; {
			var err error
			if done, err = db.compactTenant(ctx, t); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// compactTenant does the jobs of one plan and returns how many changed something.
func (db *DB) compactTenant(ctx context.Context, t *tenant) (done int, err error) {
	v := t.acquire()
	jobs := db.plan(t, v)
	v.release()
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		changed, err := db.merge(ctx, t, &j)
		if isCorrupt(err) {
			continue // noted, and out of further plans
		}
		if errors.Is(err, errDiskLow) {
			return 0, nil // what was begun is gone; it begins again when there is room
		}
		if err != nil {
			db.metrics.compactions.WithLabelValues("error").Inc()
			return done, fmt.Errorf("merge %d blocks of tenant %s: %w", len(j.Blocks), t.id, err)
		}
		if changed {
			done++
		}
	}
	return done, nil
}

// plan returns what is due for a tenant.
func (db *DB) plan(t *tenant, v *view) []compact.Job {
	metas := make([]block.Meta, len(v.blocks))
	handles := make(map[ulid.ULID]*blockHandle, len(v.blocks))
	for i, h := range v.blocks {
		metas[i] = h.meta
		handles[h.meta.ULID] = h
	}
	leaving := db.leavingBlocks()
	parents := func(m *block.Meta) bool { // parents must be gone before what replaced them is replaced itself
		return slices.ContainsFunc(m.Parents, func(p ulid.ULID) bool { return leaving[p] })
	}
	return compact.Plan(metas, compact.Options{
		Today:   block.DayOf(model.TimestampOf(db.cfg.Now().Add(-db.cfg.FlushAge - closeDelay))),
		Rewrite: func(m *block.Meta) bool { return db.dueForRewrite(t, v, handles[m.ULID]) },
		Busy:    func(m *block.Meta) bool { return handles[m.ULID].stuck.Load() || leaving[m.ULID] || parents(m) },

		RewriteOnly: db.cfg.NoCompaction, // deletes and retention have been promised nevertheless
	})
}

// dueForRewrite reports whether a block has entries that a delete or the retention of some streams hides.
func (db *DB) dueForRewrite(t *tenant, v *view, h *blockHandle) bool {
	for _, ts := range v.tombstones {
		if touches, err := db.touches(ts, h); touches || err != nil {
			return err == nil // what cannot be read is told by queries, and looked at again
		}
	}
	r := db.retentionOf(t.id)
	if len(r.Streams) == 0 || !expired(h.meta.MaxTime, r.shortest(), db.cfg.Now()) {
		return false
	}
	over, err := db.expiredStreams(h, &r, db.cfg.Now())
	return err == nil && len(over) > 0
}

// merge carries out one job. It reports whether the blocks changed.
func (db *DB) merge(ctx context.Context, t *tenant, j *compact.Job) (changed bool, err error) {
	v := t.acquire()
	defer v.release()
	var old []*blockHandle
	var bytes int64
	for i := range j.Blocks {
		for _, h := range v.blocks {
			if h.meta.ULID == j.Blocks[i].ULID {
				old = append(old, h)
				bytes += h.meta.Bytes()
			}
		}
	}
	if len(old) != len(j.Blocks) || !db.guard.room(uint64(bytes)) {
		return false, nil // quarantined meanwhile; or there is no room: it is planned again
	}
	defer func() {
		if isCorrupt(err) {
			db.setStuck(old, err)
		}
	}()
	inputs := make([]compact.Input, len(old))
	for i, h := range old {
		b, err := db.cache.acquire(h, db.cfg.FS)
		if err != nil {
			return false, err
		}
		defer db.cache.release(h)
		mask, err := db.maskOf(t, v, h)
		if err != nil {
			return false, err
		}
		inputs[i] = compact.Input{Block: b, Mask: mask}
	}
	m, err := compact.Merge(ctx, inputs, compact.MergeOptions{Again: chunk.Fast, MemoryBytes: db.cfg.CompactionBytes, Yield: db.yield})
	if err != nil {
		return false, err
	}
	if len(old) == 1 && m.Counts().EntriesDropped == 0 {
		for _, ts := range v.masksOf(old[0]) { // it selects streams of the block, but hides none of their entries
			old[0].setClear(ts)
		}
		return false, nil
	}
	w := merging{tenant: t, job: j, old: old, merged: m, applied: v.tombstones}
	if len(m.Streams) > 0 {
		if err := db.writeMerged(ctx, &w); err != nil {
			return false, err
		}
	}
	return db.replaceMerged(&w)
}

// merging is one job under way.
type merging struct {
	tenant  *tenant
	job     *compact.Job
	old     []*blockHandle
	merged  *compact.Merged
	applied []*tombstone // nothing is left of what they hide
	fresh   []*blockHandle
	took    time.Duration
}

// writeMerged writes the new block.
func (db *DB) writeMerged(ctx context.Context, w *merging) error {
	start := time.Now()
	dir := path.Join(db.cfg.Dir, blocksName, string(w.tenant.id))
	meta := w.job.Output()
	meta.ULID, meta.Instance = ulid.Make(), db.cfg.Instance
	meta.Group = block.Group{ULID: ulid.Make(), Count: 1}
	meta.WalFrom = w.old[0].meta.WalFrom
	for _, h := range w.old {
		meta.WalFrom = min(meta.WalFrom, h.meta.WalFrom)
	}
	done, err := block.Write(ctx, block.WriteConfig{
		FS: db.cfg.FS, Dir: dir, TmpDir: path.Join(db.cfg.Dir, tmpName), ScratchDir: db.cfg.ScratchDir,
	}, meta, w.merged.Streams, w.merged.Chunks(ctx))
	if err != nil {
		return err
	}
	w.took = time.Since(start)
	w.fresh = []*blockHandle{{
		meta: done, path: path.Join(dir, meta.ULID.String()), fingerprints: fingerprintsOf(w.merged.Streams), clear: slices.Clip(w.applied), // added to later
	}}
	return nil
}

// replaceMerged puts the new block in the place of the old ones.
func (db *DB) replaceMerged(w *merging) (bool, error) {
	installed, err := db.replaceBlocks(w.tenant, w.old, w.fresh)
	if !installed {
		for _, h := range w.fresh { // it names the old ones as its parents: the next start must not find it
			if gone := errors.Join(db.cfg.FS.RemoveAll(h.path), db.cfg.FS.SyncDir(path.Dir(h.path))); gone != nil {
				err = errors.Join(err, gone)
				db.leaving.unwant(h)
			}
		}
		return false, err
	}
	var read, written int64
	for _, h := range w.old {
		read += h.meta.Bytes()
	}
	for _, h := range w.fresh {
		written += h.meta.Bytes()
	}
	c := w.merged.Counts()
	now := db.cfg.Now()
	db.compacted.Store(&now)
	db.metrics.compactions.WithLabelValues("ok").Inc()
	db.metrics.compactionRead.Add(float64(read))
	db.metrics.compactionWritten.Add(float64(written))
	db.metrics.compactionDropped.Add(float64(c.EntriesDropped))
	db.metrics.compactionSeconds.Observe(w.took.Seconds())
	db.cfg.Logger.Info("blocks merged", "tenant", w.tenant.id, "day", w.job.Blocks[0].Day, "blocks", len(w.old), "level", w.job.Level,
		"entries", c.EntriesIn-c.EntriesDropped, "dropped", c.EntriesDropped, "read_bytes", read, "written_bytes", written,
		"chunks_copied", c.ChunksCopied, "took", w.took)
	return true, err
}

// setStuck keeps blocks out of further plans when one of them cannot be read: a merge never leaves out what it cannot read.
func (db *DB) setStuck(old []*blockHandle, err error) {
	for _, h := range old {
		h.stuck.Store(true)
	}
	db.faults.add(fmt.Sprintf("%d blocks of tenant %s (%s) are not merged, because one of them is damaged: %v", len(old), old[0].meta.Tenant, old[0].meta.Day, err))
	db.cfg.Logger.Error("blocks are not merged: one of them is damaged; verify tells more", "err", err)
}

// errDiskLow ends a merge when the disk has come near its guard.
var errDiskLow = errors.New("the disk is nearly full")

// yield lets pushes and queries go first, and ends the merge when the disk is short.
func (db *DB) yield(ctx context.Context) error {
	if !db.guard.room(0) {
		return errDiskLow
	}
	if db.active.Load() > 0 {
		wait(ctx, yieldFor)
	}
	return ctx.Err()
}

// blockMask hides what deletes and retention take from a block. It implements compact.Mask.
type blockMask struct {
	tombstones []*tombstone
	over       map[model.Fingerprint]bool // streams whose time is over
}

func (db *DB) maskOf(t *tenant, v *view, h *blockHandle) (compact.Mask, error) {
	m := blockMask{tombstones: v.masksOf(h)}
	r := db.retentionOf(t.id)
	if len(r.Streams) > 0 && expired(h.meta.MaxTime, r.shortest(), db.cfg.Now()) {
		over, err := db.expiredStreams(h, &r, db.cfg.Now())
		if err != nil {
			return nil, err
		}
		m.over = make(map[model.Fingerprint]bool, len(over))
		for _, fp := range over {
			m.over[fp] = true
		}
	}
	if len(m.tombstones) == 0 && len(m.over) == 0 {
		return nil, nil
	}
	return &m, nil
}

// Run implements compact.Mask.
func (m *blockMask) Run(ls labels.Labels, minTime, maxTime model.Timestamp) compact.Verdict {
	if len(m.over) > 0 && m.over[model.FingerprintOf(ls)] {
		return compact.DropAll
	}
	verdict := compact.KeepAll
	for _, ts := range m.tombstones {
		if !ts.interval.Overlaps(minTime, maxTime) || !ts.selects(ls) {
			continue
		}
		if ts.whole() && ts.interval.Start <= minTime && maxTime < ts.interval.End {
			return compact.DropAll
		}
		verdict = compact.PerEntry
	}
	return verdict
}

// Drops implements compact.Mask.
func (m *blockMask) Drops(ls labels.Labels, e model.Entry) bool {
	return slices.ContainsFunc(m.tombstones, func(ts *tombstone) bool {
		return ts.interval.Contains(e.Timestamp) && ts.selects(ls) && ts.hides(&e)
	})
}
