package logdb

import (
	"context"
	"sync"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Totals sizes the whole database, for people.
type Totals struct {
	Tenants, Blocks     int
	Streams, Entries    uint64 // Streams: distinct label sets, per tenant
	RawBytes, DiskBytes int64  // lines and metadata uncompressed; bytes of block files
	HeadBytes           int64  // memory of heads
	Oldest, Newest      model.Timestamp
	Empty               bool
	LastFlushError      string
}

// Totals sizes the database. It opens each block that it has not counted the streams of yet, once.
func (db *DB) Totals(ctx context.Context) Totals {
	out := db.blockTotals()
	out.HeadBytes = db.heads.MemoryBytes()
	for _, t := range db.allTenants() {
		if ctx.Err() != nil {
			return out
		}
		db.addTenantTotals(t, &out)
	}
	if r := db.flushed.Load(); r != nil && r.Err != nil {
		out.LastFlushError = r.Err.Error()
	}
	return out
}

// LastFlush returns when the last flush began; zero when none did since the database was opened.
func (db *DB) LastFlush() time.Time {
	if r := db.flushed.Load(); r != nil {
		return r.At
	}
	return time.Time{}
}

// LastCompaction returns when the last merge or rewrite of blocks was done; zero when none was since the database was opened.
func (db *DB) LastCompaction() time.Time {
	if at := db.compacted.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// blockTotals sizes the blocks from their metas alone.
func (db *DB) blockTotals() Totals {
	out := Totals{Empty: true}
	for _, t := range db.allTenants() {
		t.mu.RLock()
		v := t.view
		t.mu.RUnlock()
		out.Tenants++
		for _, b := range v.blocks { // metas only: nothing needs to be held
			out.Blocks++
			out.Entries += b.meta.Entries
			out.RawBytes += int64(b.meta.RawBytes)
			for _, f := range b.meta.Files {
				out.DiskBytes += f.Bytes
			}
			out.cover(b.meta.MinTime, b.meta.MaxTime)
		}
	}
	return out
}

func (o *Totals) cover(minTime, maxTime model.Timestamp) {
	if o.Empty {
		o.Oldest, o.Newest, o.Empty = minTime, maxTime, false
		return
	}
	o.Oldest, o.Newest = min(o.Oldest, minTime), max(o.Newest, maxTime)
}

func (db *DB) addTenantTotals(t *tenant, out *Totals) {
	v := t.acquire()
	defer v.release()
	stored := db.storedStreams(t, v)
	live := map[model.Fingerprint]struct{}{} // in heads alone
	for _, h := range v.heads {
		h.Summary(func(fp model.Fingerprint, minTime, maxTime model.Timestamp) {
			if _, ok := stored[fp]; !ok {
				live[fp] = struct{}{}
			}
			out.cover(minTime, maxTime)
		})
		out.Entries += h.EntryCount()
		out.RawBytes += h.Bytes().Raw.Load()
	}
	out.Streams += uint64(len(stored) + len(live))
}

// streamSet is the streams of all blocks of a view. It is made when somebody asks and the view is another one: health is asked
// again and again.
type streamSet struct {
	mu   sync.Mutex // guards the fields below; held while blocks are read
	view *view      // only to be compared; not held
	set  map[model.Fingerprint]struct{}
}

// storedStreams returns the streams of the view's blocks. It must not be changed.
func (db *DB) storedStreams(t *tenant, v *view) map[model.Fingerprint]struct{} {
	t.stored.mu.Lock()
	defer t.stored.mu.Unlock()
	if t.stored.view == v {
		return t.stored.set
	}
	set := map[model.Fingerprint]struct{}{}
	for _, h := range v.blocks {
		for _, fp := range db.fingerprints(h) {
			set[fp] = struct{}{}
		}
	}
	t.stored.view, t.stored.set = v, set
	return set
}

// fingerprints returns those of the block's streams; none when it cannot be read, which a query will report.
func (db *DB) fingerprints(h *blockHandle) []model.Fingerprint {
	h.mu.Lock()
	known := h.fingerprints
	h.mu.Unlock()
	if known != nil {
		return known
	}
	err := db.use(h, func(b *block.Block) error {
		streams, err := b.Streams(nil)
		known = make([]model.Fingerprint, len(streams))
		for i := range streams {
			known[i] = streams[i].Fingerprint
		}
		return err
	})
	if err != nil {
		return nil
	}
	h.mu.Lock()
	h.fingerprints = known
	h.mu.Unlock()
	return known
}
