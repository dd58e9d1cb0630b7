// Package head is the writable part of one tenant's data: what was appended since the last cut, in memory.
//
// A stream has at most one open run of rows. A run that is full, idle or squeezed out is closed into a part, alone or with
// other small runs, and a part is sealed: encoded into one chunk for each UTC day that it touches. Open runs, closed parts
// and sealed chunks are all readable at any time, and an entry is in exactly one of them.
//
// An entry equal in stream, time, line, level and metadata to one that is still in the head is dropped, wherever that one
// stands: agents send a whole batch again when they miss an answer. The rule depends only on what was applied before, so
// replay decides as the first run did.
//
// Apply is called by one goroutine at a time, in log order. Everything else may be called concurrently. The package knows
// nothing of files, the log or other tenants.
package head

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Head holds one tenant's entries since its last cut.
type Head struct {
	index *index.Mem // adds happen in Apply; has its own synchronisation

	mu      sync.RWMutex // guards everything below; never held across encoding or I/O
	streams []*stream    // by StreamRef
	byHash  map[model.Fingerprint][]model.StreamRef
	parts   []*Part // in order of closing
	frozen  bool    // cut: nothing is applied any more
	oldest  model.Timestamp
	entries uint64

	decoded decodedPart // the part that the last duplicate test read

	own   Account  // what this head holds
	total *Account // what all heads of the database hold; shared until the head is released
}

// stream is one label set. Its fields are guarded by Head.mu.
type stream struct {
	labels      labels.Labels
	fingerprint model.Fingerprint
	cluster     uint64    // index.Cluster of labels
	run         *run      // open; nil when the stream wrote nothing since the last close
	closed      []partRun // where its closed runs are, in order of closing

	minTime, maxTime model.Timestamp // over all its entries in the head
	entries, raw     uint64
}

// partRun names one run of a part.
type partRun struct {
	part *Part
	run  int
}

// Account counts bytes. It is safe for concurrent use.
type Account struct {
	Raw     atomic.Int64 // lines and metadata
	Open    atomic.Int64 // memory of open runs, streams, labels and postings
	Streams atomic.Int64 // of this that of streams, labels and postings, which stays when runs are closed
	Closed  atomic.Int64 // memory of closed parts that are not sealed yet, and of what was decoded to find duplicates
	Sealed  atomic.Int64 // memory of sealed chunks
}

// MemoryBytes is all memory.
func (a *Account) MemoryBytes() int64 { return a.Open.Load() + a.Closed.Load() + a.Sealed.Load() }

// New returns an empty head that counts into total, too, until it is released.
func New(total *Account) *Head {
	return &Head{index: index.NewMem(), byHash: map[model.Fingerprint][]model.StreamRef{}, total: total}
}

// Called with mu held.
func (h *Head) addRaw(n int64)     { h.own.Raw.Add(n); h.total.Raw.Add(n) }
func (h *Head) addOpen(n int64)    { h.own.Open.Add(n); h.total.Open.Add(n) }
func (h *Head) addStreams(n int64) { h.own.Streams.Add(n); h.total.Streams.Add(n) }
func (h *Head) addClosed(n int64)  { h.own.Closed.Add(n); h.total.Closed.Add(n) }
func (h *Head) addSealed(n int64)  { h.own.Sealed.Add(n); h.total.Sealed.Add(n) }

// Release takes the head out of the total: its entries are in blocks now. Queries that hold it may go on, and so may a
// worker that seals one of its parts: what that changes is counted nowhere.
func (h *Head) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addRaw(-h.own.Raw.Load())
	h.addOpen(-h.own.Open.Load())
	h.addStreams(-h.own.Streams.Load())
	h.addClosed(-h.own.Closed.Load())
	h.addSealed(-h.own.Sealed.Load())
	h.total = new(Account)
}

// Added tells what an Apply did.
type Added struct {
	Entries, Duplicates uint64
	Bytes               uint64 // lines and metadata of the entries that were added
	NewStreams          int
	// Closed are the parts that became full. The caller has them sealed.
	Closed []*Part
}

// Apply adds entries. Arrival is when the push came; the entries' memory is copied.
func (h *Head) Apply(streams []model.Stream, arrival model.Timestamp) Added {
	var added Added
	h.mu.Lock()
	defer h.mu.Unlock()
	invariant.Check(!h.frozen, "apply to a head that was cut")
	if h.entries == 0 {
		h.oldest = arrival
	}
	for i := range streams {
		if len(streams[i].Entries) == 0 {
			continue
		}
		ref, s := h.streamLocked(streams[i].Labels, &added)
		for j := range streams[i].Entries {
			h.appendLocked(ref, s, &streams[i].Entries[j], arrival, &added)
		}
	}
	h.entries += added.Entries
	h.addRaw(int64(added.Bytes))
	return added
}

// streamOverheadBytes is what a stream costs besides its labels and rows: the struct, its slots in streams and byHash.
const streamOverheadBytes = int64(unsafe.Sizeof(stream{})) + 64

func (h *Head) streamLocked(ls labels.Labels, added *Added) (model.StreamRef, *stream) {
	fp := model.FingerprintOf(ls)
	for _, ref := range h.byHash[fp] {
		if s := h.streams[ref]; labels.Equal(s.labels, ls) {
			return ref, s
		}
	}
	ref := model.StreamRef(len(h.streams))
	s := &stream{labels: ls.Copy(), fingerprint: fp, cluster: index.Cluster(ls)}
	h.streams = append(h.streams, s)
	h.byHash[fp] = append(h.byHash[fp], ref)
	before := h.index.MemoryBytes()
	h.index.Add(ref, s.labels)
	held := streamOverheadBytes + int64(s.labels.ByteSize()) + h.index.MemoryBytes() - before
	h.addOpen(held)
	h.addStreams(held)
	added.NewStreams++
	return ref, s
}

func (h *Head) appendLocked(ref model.StreamRef, s *stream, e *model.Entry, arrival model.Timestamp, added *Added) {
	hash := entryHash(e)
	if h.duplicateLocked(s, e, hash) {
		added.Duplicates++
		return
	}
	n := chunk.EntryBytes(*e)
	if s.run != nil && !s.run.rows.FitsBytes(n) {
		added.Closed = append(added.Closed, h.closeLocked(s.run))
	}
	before := int64(0)
	if s.run == nil {
		s.run = &run{ref: ref}
	} else {
		before = s.run.memoryBytes()
	}
	r := s.run
	r.append(e, hash, arrival)
	if grown := r.memoryBytes() - before; grown != 0 {
		h.addOpen(grown)
	}

	if s.entries == 0 {
		s.minTime, s.maxTime = e.Timestamp, e.Timestamp
	}
	s.minTime, s.maxTime = min(s.minTime, e.Timestamp), max(s.maxTime, e.Timestamp)
	s.entries++
	s.raw += uint64(n)
	added.Entries++
	added.Bytes += uint64(n)
}

// Streams returns how many label sets the head holds.
func (h *Head) Streams() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.streams)
}

// EntryCount returns how many entries the head holds.
func (h *Head) EntryCount() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.entries
}

// Bytes is what this head holds.
func (h *Head) Bytes() *Account { return &h.own }

// Oldest returns when the first entry arrived, and whether there is any.
func (h *Head) Oldest() (model.Timestamp, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.oldest, h.entries > 0
}

// HasStream reports whether the head holds the label set.
func (h *Head) HasStream(ls labels.Labels) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, ref := range h.byHash[model.FingerprintOf(ls)] {
		if labels.Equal(h.streams[ref].labels, ls) {
			return true
		}
	}
	return false
}
