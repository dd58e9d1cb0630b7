package logdb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// Append logs a push, fsyncs it, and makes it visible, in this order; then it returns nil. After an error the push may
// still turn out stored: whoever sends it again stores it once, as long as no flush came between.
func (db *DB) Append(ctx context.Context, p storage.Push) error {
	if db.closed.Load() {
		return storage.ErrClosed
	}
	if err := db.admit(); err != nil { // every refusal is decided before anything is written
		return err
	}
	db.active.Add(1)
	defer db.active.Add(-1)
	t := db.tenantFor(p.Tenant)
	var pushed atomic.Int64
	r := wal.Record{Apply: func(at wal.Position) {
		added := db.apply(t, at, p.Streams, p.Arrival)
		db.appendedEntries.Add(added.Entries)
		db.appendedBytes.Add(added.Bytes)
		pushed.Store(int64(added.Bytes))
	}}
	if p.Raw != nil {
		r.Type = record.TypePushRaw
		r.Payload = [][]byte{record.AppendRawHeader(nil, p.Tenant, p.Arrival, p.Derivation), p.Raw}
	} else {
		r.Type = record.TypePushKept
		r.Payload = [][]byte{record.AppendKept(nil, record.Push{Tenant: p.Tenant, Arrival: p.Arrival, Streams: p.Streams})}
	}
	if err := db.log.Append(ctx, r); err != nil {
		return logError(err)
	}
	db.watchPushed(pushed.Load())
	return nil
}

// logError gives errors of the log the class that edges know.
func logError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wal.ErrClosed):
		return storage.ErrClosed
	case errors.Is(err, wal.ErrTooLarge):
		return &storage.Refusal{Class: storage.ErrTooLarge, Text: "the push does not fit the write-ahead log: " + err.Error()}
	case errors.Is(err, wal.ErrFailed):
		return &storage.Refusal{Class: storage.ErrOverloaded, Text: "the write-ahead log cannot be written (" + cause(err) + "); nothing of this push was acknowledged, send it again"}
	}
	return fmt.Errorf("log push: %w", err)
}

// cause is why the operating system refused, without paths: the text goes to clients.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return "see the log of the server"
}

// admit refuses a push while the disk is below its guard or the heads are over their budget: flushing frees them, and
// clients send again.
func (db *DB) admit() error {
	if err := db.guard.refusal(); err != nil {
		return err
	}
	held := db.heads.MemoryBytes() // those being flushed included
	if held <= db.cfg.HeadBytesMax {
		return nil
	}
	db.wake()
	return &storage.Refusal{Class: storage.ErrOverloaded, Text: fmt.Sprintf(
		"the heads hold %d bytes of memory, the limit is %d; a flush is under way, send the push again", held, db.cfg.HeadBytesMax)}
}

// apply is the step after the fsync. The log calls it in its order, one at a time.
func (db *DB) apply(t *tenant, at wal.Position, streams []model.Stream, arrival model.Timestamp) head.Added {
	t.mu.RLock()
	h := t.head // replaced by nobody else: barriers, too, run one at a time with this
	t.mu.RUnlock()
	added := h.Apply(streams, arrival)
	if added.Entries > 0 { // an empty head must hold no log
		t.mu.Lock()
		if t.from == 0 {
			t.from = at
		}
		t.mu.Unlock()
	}
	db.metrics.applied(added)
	db.seal(added.Closed)
	db.squeeze()
	if db.over(1) {
		db.wake()
	}
	return added
}

// seal hands closed parts to the sealer. It blocks while too many wait: that slows acknowledgements down to what can be
// compressed, instead of filling memory.
func (db *DB) seal(parts []*head.Part) {
	for _, p := range parts {
		db.sealer.submit(p)
	}
}

// squeeze keeps the memory of open runs within its budget: the runs that were idle longest, in the head that holds most,
// are closed together.
func (db *DB) squeeze() {
	// Streams, labels and postings stay until the head is flushed. However many there are, the runs keep a quarter of the
	// budget: with none left every push would close the one before it.
	budget := max(db.cfg.HeadOpenBytes-db.heads.Streams.Load(), db.cfg.HeadOpenBytes/4)
	open := openRuns(&db.heads)
	if open <= budget {
		return
	}
	var largest *head.Head
	for _, t := range db.allTenants() {
		t.mu.RLock()
		h := t.head
		t.mu.RUnlock()
		if largest == nil || openRuns(h.Bytes()) > openRuns(largest.Bytes()) {
			largest = h
		}
	}
	// An eighth more than needed, so that not every push closes a few runs.
	db.seal(largest.CloseOldest(open - budget + budget/8))
}

// openRuns is the memory that closing runs can free.
func openRuns(a *head.Account) int64 { return a.Open.Load() - a.Streams.Load() }

// wake makes the maintenance look now instead of at its next tick.
func (db *DB) wake() {
	select {
	case db.kick <- struct{}{}:
	default:
	}
}
