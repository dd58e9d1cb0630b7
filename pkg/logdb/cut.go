package logdb

import (
	"context"
	"errors"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// cut takes the tenant's head at one position of the log: everything below it is in the cut head, or in blocks, and nothing
// else is. An empty head is left where it is. Called with flushMu held.
func (db *DB) cut(ctx context.Context, t *tenant) (at wal.Position, err error) {
	if err := db.finishRecovery(ctx, t); err != nil {
		return 0, err
	}
	err = db.log.Barrier(ctx, func(next wal.Position) *wal.Record {
		at = next
		t.mu.RLock()
		empty := t.head.EntryCount() == 0
		t.mu.RUnlock()
		if empty {
			return nil
		}
		t.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
			t.flushing = &frozen{head: t.head, from: t.from, to: at, recovered: t.recovered}
			t.head, t.from, t.recovered = head.New(&db.heads), 0, nil
			return b, ts
		})
		return nil
	})
	return at, logError(err)
}

// carry writes a small head into the log again, as one record that replaces what stands below, so that it holds no old
// segment back. Nothing can come between the head as it is and the record: both belong to one barrier.
func (db *DB) carry(ctx context.Context, t *tenant) error {
	var failed error
	err := db.log.Barrier(ctx, func(wal.Position) *wal.Record {
		t.mu.RLock()
		h, from := t.head, t.from
		t.mu.RUnlock()
		if from == 0 || h.Bytes().Raw.Load() >= 2*db.carryBytesMax() || !db.holdsBack(from) {
			return nil // nothing there, or grown meanwhile, or not in the way
		}
		oldest, _ := h.Oldest()
		streams, err := h.Entries()
		if err != nil {
			failed = err
			return nil
		}
		payload := record.AppendKept(nil, record.Push{Tenant: t.id, Arrival: oldest, Streams: streams})
		return &wal.Record{Type: record.TypeCarry, Payload: [][]byte{payload}, Apply: func(at wal.Position) {
			t.mu.Lock()
			t.from = at
			t.mu.Unlock()
			db.metrics.carries.Inc()
		}}
	})
	return errors.Join(logError(err), failed)
}
