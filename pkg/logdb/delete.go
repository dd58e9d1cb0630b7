package logdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// deletesMax bounds the deletes of one tenant that are in force at a time: each is asked about every chunk of the blocks
// that it covers. They go as fast as compaction rewrites.
const deletesMax = 1000

// Delete implements storage.Deleter. The tenant's head is flushed first, so that what is hidden lies in blocks.
func (db *DB) Delete(ctx context.Context, id model.TenantID, r storage.DeleteRequest) (string, error) {
	if err := checkDelete(r); err != nil {
		return "", err
	}
	t := db.lookup(id)
	if t == nil {
		return ulid.Make().String(), nil // nothing was ever acknowledged
	}
	ctx, cancel := db.untilClosed(ctx)
	defer cancel()
	db.flushMu.Lock()
	defer db.flushMu.Unlock()
	if db.closed.Load() {
		return "", storage.ErrClosed
	}
	at, err := db.flushAll(ctx, t)
	if err != nil {
		return "", fmt.Errorf("flush before the delete: %w", err)
	}
	rec := recordOf(r)
	rec.ID, rec.Made, rec.Position = ulid.Make(), db.cfg.Now().UTC(), at
	ts, err := newTombstone(rec)
	if err != nil {
		return "", err
	}
	if err := db.addTombstone(id, rec, at); err != nil {
		return "", err
	}
	// It is durable: from here on no answer has the entries.
	t.update(db, func(b []*blockHandle, all []*tombstone) ([]*blockHandle, []*tombstone) { return b, append(all, ts) })
	db.metrics.deletes.Inc()
	db.cfg.Logger.Info("delete accepted", "tenant", id, "delete", rec.ID, "from", r.Interval.Start.Time(), "to", r.Interval.End.Time())
	db.tendSoon()
	return rec.ID.String(), nil
}

// checkDelete refuses what is malformed and what would select everything by mistake.
func checkDelete(r storage.DeleteRequest) error {
	refuse := func(text string) error { return &storage.Refusal{Class: storage.ErrInvalid, Text: text} }
	selective := slices.ContainsFunc(r.Matchers, func(m *labels.Matcher) bool { return !m.Matches("") })
	if !selective {
		return refuse("a delete needs a matcher that does not match the empty value")
	}
	if r.Interval.Empty() {
		return refuse("the delete's time range is empty")
	}
	for _, text := range deleteTexts(r) {
		if !utf8.ValidString(text) { // it is kept as JSON, which knows no other text
			return refuse("a delete can only name text in UTF-8")
		}
	}
	for i, p := range r.Metadata {
		if p.Name == "" || p.Value == "" || slices.ContainsFunc(r.Metadata[:i], func(q model.Pair) bool { return q.Name == p.Name }) {
			return refuse("a delete names each metadata key once, with a value")
		}
	}
	for _, f := range r.Filters {
		if len(f.Any) == 0 {
			return refuse("a line filter without a text")
		}
	}
	_, err := compileFilters(r.Filters)
	return err
}

// deleteTexts lists all texts of a request.
func deleteTexts(r storage.DeleteRequest) (out []string) {
	for _, m := range r.Matchers {
		out = append(out, m.Name, m.Value)
	}
	for _, f := range r.Filters {
		out = append(out, f.Any...)
	}
	for _, p := range r.Metadata {
		out = append(out, p.Name, p.Value)
	}
	return out
}

// flushAll writes everything that the tenant has in heads to blocks, and returns the position of the log below which that
// is. Called with flushMu held.
func (db *DB) flushAll(ctx context.Context, t *tenant) (wal.Position, error) {
	if _, err := db.flushTenant(ctx, t); err != nil { // what an earlier flush cut
		return 0, err
	}
	at, err := db.cut(ctx, t)
	if err != nil {
		return 0, err
	}
	_, err = db.flushTenant(ctx, t)
	return at, err
}

// addTombstone makes a delete durable.
func (db *DB) addTombstone(id model.TenantID, rec tombstoneRecord, at wal.Position) error {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	before, mark := db.state.Tombstones[id], db.state.WalTo[id]
	if len(before) >= deletesMax {
		return fmt.Errorf("%w: %d deletes of this tenant are being carried out; send this one again later", storage.ErrLimit, len(before))
	}
	db.state.Tombstones[id] = append(slices.Clone(before), rec)
	db.state.WalTo[id] = max(mark, at) // what is below is in blocks: replay must not bring it to the head, which nothing masks
	if err := db.saveLocked(); err != nil {
		db.state.Tombstones[id] = before
		db.stateDirty = true // the file may have it: the next save takes it out again
		if len(before) == 0 {
			delete(db.state.Tombstones, id)
		}
		return err
	}
	return nil
}

// Deletes implements storage.Deleter.
func (db *DB) Deletes(_ context.Context, id model.TenantID) ([]storage.DeleteStatus, error) {
	t := db.lookup(id)
	if t == nil {
		return nil, nil
	}
	v := t.acquire()
	defer v.release()
	out := make([]storage.DeleteStatus, 0, len(v.tombstones))
	for _, ts := range v.tombstones {
		request, err := ts.request()
		if err != nil {
			return nil, err
		}
		s := storage.DeleteStatus{ID: ts.ID.String(), Request: request, Made: ts.Made}
		for _, h := range v.blocks {
			if ts.covers(h) && !h.isClear(ts) {
				s.Blocks++
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// loadTombstones puts the deletes of state.json into the views.
func (db *DB) loadTombstones() error {
	for id, records := range db.state.Tombstones {
		all := make([]*tombstone, len(records))
		for i := range records {
			var err error
			if all[i], err = newTombstone(records[i]); err != nil {
				return fmt.Errorf("tenant %s: %w", id, err) // going on would show what was deleted
			}
		}
		db.tenantFor(id).update(db, func(b []*blockHandle, _ []*tombstone) ([]*blockHandle, []*tombstone) { return b, all })
	}
	return nil
}

// isClear reports whether the block was found to hold nothing that the delete hides.
func (h *blockHandle) isClear(ts *tombstone) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.clear, ts)
}

func (h *blockHandle) setClear(ts *tombstone) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.clear, ts) {
		h.clear = append(h.clear, ts)
	}
}

// touches reports whether the delete may hide an entry of the block: whether a stream that it selects has entries in its
// interval. The answer no is remembered.
func (db *DB) touches(ts *tombstone, h *blockHandle) (bool, error) {
	if !ts.covers(h) || h.isClear(ts) {
		return false, nil
	}
	found := false
	err := db.use(h, func(b *block.Block) error {
		refs, err := b.Resolve(ts.matchers)
		if err != nil || refs.IsEmpty() {
			return err
		}
		streams, err := b.Streams(refs)
		for i := range streams {
			found = found || ts.interval.Overlaps(streams[i].MinTime, streams[i].MaxTime)
		}
		return err
	})
	if err == nil && !found {
		h.setClear(ts)
	}
	return found, err
}

// retireTombstones forgets the deletes whose entries are in no block any more, and cannot come back from the log either.
func (db *DB) retireTombstones() error {
	var errs []error
	for _, t := range db.allTenants() {
		v := t.acquire()
		done := slices.DeleteFunc(slices.Clone(v.tombstones), func(ts *tombstone) bool {
			return slices.ContainsFunc(v.blocks, func(h *blockHandle) bool { return ts.covers(h) && !h.isClear(ts) })
		})
		v.release()
		if len(done) == 0 {
			continue
		}
		errs = append(errs, db.retire(t, done))
	}
	return errors.Join(errs...)
}

// awaitsRecovery reports whether a block is missing whose entries the log may still give back.
func (db *DB) awaitsRecovery(t *tenant) bool {
	v := t.acquire()
	defer v.release()
	there := map[ulid.ULID]bool{}
	for _, h := range v.blocks {
		there[h.meta.ULID] = true
	}
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	for _, g := range db.state.Groups[t.id] {
		if slices.ContainsFunc(g.Blocks, func(b groupBlock) bool { return !there[b.ULID] }) {
			return true
		}
	}
	return false
}

func (db *DB) retire(t *tenant, done []*tombstone) error {
	if db.awaitsRecovery(t) {
		return nil // what comes back from the log must be masked by these
	}
	gone := func(id ulid.ULID) bool {
		return slices.ContainsFunc(done, func(ts *tombstone) bool { return ts.ID == id })
	}
	// The mask goes after the record: after a crash in between it is there again, and finds nothing.
	err := db.changeState(func(s *state) {
		s.Tombstones[t.id] = slices.DeleteFunc(slices.Clone(s.Tombstones[t.id]), func(r tombstoneRecord) bool { return gone(r.ID) })
		if len(s.Tombstones[t.id]) == 0 {
			delete(s.Tombstones, t.id)
		}
	})
	if err != nil {
		return fmt.Errorf("retire deletes of tenant %s: %w", t.id, err)
	}
	t.update(db, func(b []*blockHandle, all []*tombstone) ([]*blockHandle, []*tombstone) {
		return b, slices.DeleteFunc(slices.Clone(all), func(ts *tombstone) bool { return gone(ts.ID) })
	})
	for _, ts := range done {
		db.cfg.Logger.Info("delete is done: no block has its entries any more", "tenant", t.id, "delete", ts.ID)
	}
	return nil
}
