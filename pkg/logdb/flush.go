package logdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// carryBytesMax is the raw size below which a head is carried forward in the log instead of flushed: a block of less would
// be mostly index, and a thousand quiet tenants would make a thousand of them every hour.
const carryBytesMax = 1 << 20

// carryBytesMax of this database: a carry is one record, and a record has to fit a segment.
func (db *DB) carryBytesMax() int64 {
	if db.cfg.SegmentBytes > 0 {
		return min(carryBytesMax, db.cfg.SegmentBytes/8)
	}
	return carryBytesMax
}

// flushReport is what the last flush did, for people.
type flushReport struct {
	At      time.Time
	Took    time.Duration
	Tenants int
	Blocks  int
	Err     error
}

// maintain watches ages and sizes until ctx ends.
func (db *DB) maintain(ctx context.Context) {
	defer close(db.done)
	tick := time.NewTicker(db.cfg.CheckInterval)
	defer tick.Stop()
	// Looking at every stream costs something, and runs that are closed together are packed together.
	idle := time.NewTicker(max(db.cfg.CheckInterval, db.cfg.ChunkIdle/16))
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-idle.C:
			db.closeIdle()
		case <-tick.C:
		case <-db.kick:
		}
		if !db.flushDue() {
			continue
		}
		if err := db.flush(ctx, false); err != nil && ctx.Err() == nil {
			db.cfg.Logger.Error("flush failed; the log keeps what it was to write, the next try is due soon", "err", err)
			wait(ctx, 10*db.cfg.CheckInterval) // a full disk does not heal faster for being asked
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// closeIdle closes runs that nobody writes to any more: sealed they take a tenth of the memory.
func (db *DB) closeIdle() {
	before := model.TimestampOf(db.cfg.Now()).Add(-db.cfg.ChunkIdle)
	for _, t := range db.allTenants() {
		t.mu.RLock()
		h := t.head
		t.mu.RUnlock()
		db.seal(h.CloseIdle(before))
	}
}

// flushDue reports whether the heads are large or old enough, or are over their memory.
func (db *DB) flushDue() bool {
	if db.over(1) {
		return true
	}
	due := model.TimestampOf(db.cfg.Now()).Add(-db.cfg.FlushAge)
	for _, t := range db.allTenants() {
		t.mu.RLock()
		h, flushing := t.head, t.flushing
		t.mu.RUnlock()
		if flushing != nil {
			return true // an earlier flush failed
		}
		if oldest, ok := h.Oldest(); ok && oldest <= due && !db.carriedLately(t, h) {
			return true
		}
	}
	return false
}

// over reports whether the heads hold more than one part in so many of what starts a flush: by raw bytes, or by memory at
// three quarters of where pushes are refused, so that there is room for what comes in while it runs.
func (db *DB) over(part int64) bool {
	return db.heads.Raw.Load() >= db.cfg.FlushBytes/part || db.heads.MemoryBytes() > db.cfg.HeadBytesMax*3/4/part
}

// small reports whether a head is better carried than flushed, as far as its size goes. Labels count by their memory: a
// carry has them too, and has to fit a record.
func (db *DB) small(h *head.Head) bool {
	return h.Bytes().Raw.Load() < db.carryBytesMax() && h.Bytes().MemoryBytes() < 8*db.carryBytesMax()
}

// carriedLately reports whether a small head may stay where it is: its records lie in the log's newest segments, so they
// hold nothing back.
func (db *DB) carriedLately(t *tenant, h *head.Head) bool {
	if !db.small(h) || db.dayClosed(h) {
		return false
	}
	t.mu.RLock()
	from := t.from
	t.mu.RUnlock()
	return !db.holdsBack(from)
}

// holdsBack reports whether a head whose records begin at from keeps an older segment of the log alive.
func (db *DB) holdsBack(from wal.Position) bool {
	return from.Segment() < db.log.State().Next.Segment()
}

// dayClosed reports whether the head's oldest entry arrived before today (UTC).
func (db *DB) dayClosed(h *head.Head) bool {
	oldest, ok := h.Oldest()
	return ok && oldest.Time().Truncate(24*time.Hour).Before(db.cfg.Now().UTC().Truncate(24*time.Hour))
}

// Flush writes all heads to blocks. When it returns nil, everything that was acknowledged before the call is in blocks.
func (db *DB) Flush(ctx context.Context) error {
	ctx, cancel := db.untilClosed(ctx)
	defer cancel()
	err := db.flush(ctx, true)
	if err != nil && db.closed.Load() {
		return errors.Join(storage.ErrClosed, err)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", storage.ErrOverloaded, err) // it works again when there is room
	}
	return err
}

// flush writes heads to blocks and drops the log below. Unless all is set, small heads of today are carried forward in
// the log instead; but while the heads are over their budget that would free nothing, and they are written until half of it
// is free, the largest first.
func (db *DB) flush(ctx context.Context, all bool) error {
	db.flushMu.Lock()
	defer db.flushMu.Unlock()
	if db.closed.Load() {
		return storage.ErrClosed
	}
	start := time.Now()
	report := flushReport{At: db.cfg.Now()}
	var errs []error
	full := db.over(1)
	for _, t := range db.tenantsBySize() {
		blocks, err := db.flushOrCarry(ctx, t, all || full && db.over(2))
		if err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", t.id, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if blocks > 0 {
			report.Tenants++
			report.Blocks += blocks
		}
	}
	if err := db.dropLog(ctx); err != nil {
		errs = append(errs, err)
	}
	report.Took, report.Err = time.Since(start), errors.Join(errs...)
	db.flushed.Store(&report)
	return report.Err
}

// tenantsBySize returns all tenants, those whose heads hold most first.
func (db *DB) tenantsBySize() []*tenant {
	all := db.allTenants()
	held := make(map[*tenant]int64, len(all))
	for _, t := range all {
		t.mu.RLock()
		held[t] = t.head.Bytes().Raw.Load() + t.head.Bytes().MemoryBytes()
		t.mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b *tenant) int { return cmp.Or(cmp.Compare(held[b], held[a]), cmp.Compare(a.id, b.id)) })
	return all
}

func (db *DB) flushOrCarry(ctx context.Context, t *tenant, all bool) (blocks int, err error) {
	t.mu.RLock()
	h, retry := t.head, t.flushing != nil
	t.mu.RUnlock()
	if retry { // what an earlier flush cut comes first: marks only move forward
		if blocks, err = db.flushTenant(ctx, t); err != nil {
			return blocks, err
		}
	}
	if h.EntryCount() == 0 {
		return blocks, nil
	}
	if !all && db.small(h) && !db.dayClosed(h) && !t.hasRecovered() {
		return blocks, db.carry(ctx, t)
	}
	if _, err := db.cut(ctx, t); err != nil {
		return blocks, err
	}
	n, err := db.flushTenant(ctx, t)
	return blocks + n, err
}

// flushTenant writes the tenant's cut head as a group of blocks, one per UTC day. On an error nothing of it counts, the cut
// head stays readable, and the flush may be tried again.
func (db *DB) flushTenant(ctx context.Context, t *tenant) (blocks int, err error) {
	t.mu.RLock()
	f := t.flushing
	t.mu.RUnlock()
	if f == nil {
		return 0, nil // there was nothing to cut
	}
	start := time.Now()
	defer func() {
		result := "ok"
		if err != nil {
			result = "error"
		}
		db.metrics.flushes.WithLabelValues(result).Inc()
		db.metrics.flushSeconds.Observe(time.Since(start).Seconds())
	}()
	if err := db.sealAll(ctx, f.head); err != nil {
		return 0, err
	}
	sealed, err := f.head.Sealed()
	if err != nil {
		return 0, err
	}
	days := groupByDay(sealed)
	handles, err := db.writeGroup(ctx, t, f, days)
	if err != nil {
		return 0, err
	}
	// From here on the group is complete and durable, and would count after a crash: it counts now.
	t.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
		t.flushing = nil
		return append(b, handles...), ts
	})
	f.head.Release()
	return len(handles), db.changeState(func(s *state) { s.flushed(t.id, f, handles) })
}

// flushed notes a complete group: its mark, and where the log has what it was made of.
func (s *state) flushed(id model.TenantID, f *frozen, handles []*blockHandle) {
	s.WalTo[id] = max(s.WalTo[id], f.to)
	for _, b := range f.recovered {
		s.forget(id, b.ULID)
	}
	if len(f.recovered) > 0 {
		return // between the records of these and the rest of the head lie those of other blocks
	}
	g := groupRecord{From: f.from, To: f.to}
	for _, h := range handles {
		g.Blocks = append(g.Blocks, groupBlock{ULID: h.meta.ULID, Day: h.meta.Day})
	}
	s.Groups[id] = append(s.Groups[id], g)
}

// sealAll encodes what is left of a cut head.
func (db *DB) sealAll(ctx context.Context, h *head.Head) error {
	h.Freeze()
	for _, p := range h.Parts() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.Seal(chunk.Options{Level: chunk.Better}); err != nil {
			return err
		}
	}
	return nil
}

// dayChunks is what goes into one block.
type dayChunks struct {
	day     string
	streams []block.StreamInfo
	chunks  []*chunk.Encoded
}

// groupByDay sorts chunks into blocks and numbers the streams of each anew, by label set.
func groupByDay(s head.Sealed) []dayChunks {
	byDay := map[string][]*chunk.Encoded{}
	for _, c := range s.Chunks {
		day := c.Table.MinTime.Time().Format(time.DateOnly)
		byDay[day] = append(byDay[day], c)
	}
	out := make([]dayChunks, 0, len(byDay))
	for day, chunks := range byDay {
		out = append(out, renumber(day, chunks, s.Streams))
	}
	slices.SortFunc(out, func(a, b dayChunks) int { return strings.Compare(a.day, b.day) })
	return out
}

func renumber(day string, chunks []*chunk.Encoded, all []labels.Labels) dayChunks {
	used := map[model.StreamRef]struct{}{}
	for _, c := range chunks {
		for _, r := range c.Table.Runs {
			used[r.Ref] = struct{}{}
		}
	}
	refs := make([]model.StreamRef, 0, len(used))
	for ref := range used {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b model.StreamRef) int { return labels.Compare(all[a], all[b]) })
	d := dayChunks{day: day}
	renamed := make(map[model.StreamRef]model.StreamRef, len(refs))
	for i, ref := range refs {
		renamed[ref] = model.StreamRef(i)
		d.streams = append(d.streams, block.StreamInfo{Labels: all[ref], Fingerprint: model.FingerprintOf(all[ref])})
	}
	for _, c := range chunks {
		d.chunks = append(d.chunks, c.Renumber(func(ref model.StreamRef) model.StreamRef { return renamed[ref] }))
	}
	return d
}

// writeGroup writes the blocks of one flush. When a member fails, those before it are removed, so that a retry under a new
// group cannot leave two copies; when even that fails the retry starts with it.
func (db *DB) writeGroup(ctx context.Context, t *tenant, f *frozen, days []dayChunks) ([]*blockHandle, error) {
	dir := path.Join(db.cfg.Dir, blocksName, string(t.id))
	if err := db.removeLeftovers(t, dir); err != nil {
		return nil, err
	}
	group := ulid.Make()
	var handles []*blockHandle
	for i, d := range days {
		meta := block.Meta{
			ULID: ulid.Make(), Instance: db.cfg.Instance, Tenant: t.id, Day: d.day,
			WalFrom: uint64(f.from), WalTo: uint64(f.to), Parents: f.replaces(d.day),
			Group: block.Group{ULID: group, Index: i, Count: len(days)}, Replicas: block.ReplicasUnknown,
		}
		t.leftovers = append(t.leftovers, meta.ULID) // until the whole group stands
		done, err := block.Write(ctx, block.WriteConfig{
			FS: db.cfg.FS, Dir: dir, TmpDir: path.Join(db.cfg.Dir, tmpName), ScratchDir: db.cfg.ScratchDir,
		}, meta, d.streams, chunkSeq(d.chunks))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("write block for %s: %w", d.day, err), db.removeLeftovers(t, dir))
		}
		handles = append(handles, &blockHandle{meta: done, path: path.Join(dir, meta.ULID.String()), fingerprints: fingerprintsOf(d.streams)})
	}
	t.leftovers = nil
	return handles, nil
}

func fingerprintsOf(streams []block.StreamInfo) []model.Fingerprint {
	out := make([]model.Fingerprint, len(streams))
	for i := range streams {
		out[i] = streams[i].Fingerprint
	}
	return out
}

func chunkSeq(chunks []*chunk.Encoded) iter.Seq2[*chunk.Encoded, error] {
	return func(yield func(*chunk.Encoded, error) bool) {
		for _, c := range chunks {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// removeLeftovers removes the members of a group that was not completed.
func (db *DB) removeLeftovers(t *tenant, dir string) error {
	if len(t.leftovers) == 0 {
		return nil
	}
	for _, id := range t.leftovers {
		if err := db.cfg.FS.RemoveAll(path.Join(dir, id.String())); err != nil {
			return fmt.Errorf("remove block %s of a failed flush: %w", id, err)
		}
	}
	// The directory itself is missing when not even it could be made: then nothing of the group is there.
	if err := db.cfg.FS.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	t.leftovers = nil
	return nil
}

// dropLog gives back the segments that no head needs any more.
func (db *DB) dropLog(ctx context.Context) error {
	if err := db.saveState(); err != nil { // the log must not be dropped before the marks are saved
		return err
	}
	var need wal.Position
	err := db.log.Barrier(ctx, func(at wal.Position) *wal.Record {
		need = at
		for _, t := range db.allTenants() {
			t.mu.RLock()
			if t.from != 0 {
				need = min(need, t.from)
			}
			if t.flushing != nil {
				need = min(need, t.flushing.from)
			}
			t.mu.RUnlock()
		}
		return nil
	})
	if err != nil {
		return logError(err)
	}
	if err := db.log.DropBefore(min(need, db.lostFrom())); err != nil {
		return fmt.Errorf("drop log: %w", err)
	}
	first := db.log.State().First
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	db.stateDirty = db.state.forgetBefore(first) || db.stateDirty // the next save brings it; nobody relies on it
	return nil
}
