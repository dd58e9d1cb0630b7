package head

import (
	"math/bits"
	"slices"
	"sort"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// run is the open rows of one stream.
type run struct {
	ref    model.StreamRef
	rows   chunk.Rows
	hashes []uint64         // of each entry, by arrival
	byHash map[uint64]int32 // entry of each hash; made when scanning would be slow, nil before
	last   model.Timestamp  // arrival of the newest entry
}

// equalTimesScanMax is how many entries of one timestamp are compared one by one before a map is made for the run.
const equalTimesScanMax = 32

var hashVectors chunk.Vectors[uint64]

// mapEntryBytes is about what a map slot of byHash costs.
const mapEntryBytes = 24

func (r *run) append(e *model.Entry, hash uint64, arrival model.Timestamp) {
	if r.byHash != nil {
		r.byHash[hash] = int32(r.rows.Len())
	}
	r.rows.Append(*e)
	if len(r.hashes) == cap(r.hashes) {
		r.hashes = hashVectors.Grow(r.hashes, 1, false) // no query sees them
	}
	r.hashes = append(r.hashes, hash)
	r.last = arrival
}

func (r *run) memoryBytes() int64 {
	rest := unsafe.Sizeof(*r) - unsafe.Sizeof(r.rows) // rows count themselves
	return int64(rest) + r.rows.MemoryBytes() + int64(cap(r.hashes))*8 + int64(len(r.byHash))*mapEntryBytes
}

// find returns the entry equal to e, or -1.
func (r *run) find(e *model.Entry, hash uint64) int {
	if r.rows.Len() == 0 || e.Timestamp < r.rows.MinTime() || e.Timestamp > r.rows.MaxTime() {
		return -1
	}
	view := r.rows.Peek()
	if r.byHash == nil && r.rows.InOrder() {
		times := view.Timestamps()
		first := sort.Search(len(times), func(i int) bool { return times[i] >= e.Timestamp })
		for i := first; i < len(times) && times[i] == e.Timestamp; i++ {
			if i-first == equalTimesScanMax {
				return r.findByHash(view, e, hash)
			}
			if r.hashes[i] == hash && sameEntry(view, i, e) {
				return i
			}
		}
		return -1
	}
	return r.findByHash(view, e, hash)
}

func (r *run) findByHash(view *chunk.View, e *model.Entry, hash uint64) int {
	if r.byHash == nil {
		r.byHash = make(map[uint64]int32, 2*len(r.hashes))
		for i, h := range r.hashes {
			r.byHash[h] = int32(i)
		}
	}
	i, ok := r.byHash[hash]
	if ok && sameEntry(view, int(i), e) {
		return int(i)
	}
	return -1
}

func sameEntry(v *chunk.View, i int, e *model.Entry) bool {
	if v.Timestamp(i) != e.Timestamp || v.Line(i) != e.Line || v.Level(i) != e.Level {
		return false
	}
	var buf [16]model.Pair
	return slices.Equal(v.Metadata(buf[:0], i), e.Metadata)
}

// entryHash hashes all that makes entries of one stream equal.
func entryHash(e *model.Entry) uint64 {
	h := mix(xxhash.Sum64String(e.Line), uint64(e.Timestamp))
	if e.Level != "" {
		h = mix(h, xxhash.Sum64String(e.Level))
	}
	for i := range e.Metadata {
		h = mix(h, xxhash.Sum64String(e.Metadata[i].Name))
		h = mix(h, xxhash.Sum64String(e.Metadata[i].Value))
	}
	return h
}

// mix folds v into h by a full 64 × 64 bit multiplication, as wyhash does.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xe7037ed1a0b428db)
	return hi ^ lo
}

// duplicateLocked reports whether the stream holds an entry equal to e. Called by Apply only, with mu held.
func (h *Head) duplicateLocked(s *stream, e *model.Entry, hash uint64) bool {
	if s.entries == 0 || e.Timestamp > s.maxTime || e.Timestamp < s.minTime {
		return false
	}
	if s.run != nil {
		before := int64(len(s.run.byHash))
		found := s.run.find(e, hash) >= 0
		h.addOpen((int64(len(s.run.byHash)) - before) * mapEntryBytes)
		if found {
			return true
		}
	}
	for _, c := range s.closed {
		r := &c.part.runs[c.run]
		if e.Timestamp < r.minTime || e.Timestamp > r.maxTime || !r.mayHold(hash) {
			continue
		}
		before := h.decoded.memory
		found := h.decoded.holds(c, e, hash)
		h.addClosed(h.decoded.memory - before)
		if found {
			return true
		}
	}
	return false
}
