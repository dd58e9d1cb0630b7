package head

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Part is closed runs: rows that wait to be sealed, or the chunks that they became. Its fields are guarded by the mu of
// its head, apart from those that never change.
type Part struct {
	head    *Head
	sealing sync.Mutex  // held by the one Seal that works on it
	runs    []closedRun // never changes in number and order

	memory int64            // until sealed
	chunks []*chunk.Encoded // one per UTC day, by day; nil until sealed
}

// closedRun is one stream's rows in a part.
type closedRun struct {
	ref              model.StreamRef
	rows             *chunk.Rows // until sealed
	minTime, maxTime model.Timestamp
	hashes           []uint64 // of the entries, by arrival; until sealed or cut
	sorted           []uint32 // lower halves of the hashes, ascending; from sealed until cut
}

// closedRunBytes is what a closed run costs besides its rows and hashes: itself, and its place in stream.closed.
const closedRunBytes = int64(unsafe.Sizeof(closedRun{})) + 2*int64(unsafe.Sizeof(partRun{}))

// mayHold reports whether an entry with this hash is in the run, but for equal hashes of different entries. Half a hash
// is enough for a sealed run: one of 65,000 other entries is decoded for nothing, and they are kept by the million.
func (r *closedRun) mayHold(hash uint64) bool {
	if r.rows == nil {
		_, ok := slices.BinarySearch(r.sorted, uint32(hash))
		return ok
	}
	return slices.Contains(r.hashes, hash)
}

func (r *closedRun) hashBytes() int64 { return int64(cap(r.hashes))*8 + int64(cap(r.sorted))*4 }

// sortedHalves returns the lower halves in ascending order.
func sortedHalves(hashes []uint64) []uint32 {
	out := make([]uint32, len(hashes))
	for i, h := range hashes {
		out[i] = uint32(h)
	}
	slices.Sort(out)
	return out
}

// aloneBytesMin is the size from which a run becomes a chunk of its own even when others are closed with it.
const aloneBytesMin = chunk.RawBytesMax / 4

// closeLocked makes a part of one run.
func (h *Head) closeLocked(r *run) *Part { return h.closeRunsLocked([]*run{r}) }

func (h *Head) closeRunsLocked(runs []*run) *Part {
	p := &Part{head: h, runs: make([]closedRun, len(runs))}
	opened := int64(0)
	for i, r := range runs {
		opened += r.memoryBytes()
		r.byHash = nil // the run stays as long as its rows, and hashes may go before
		p.runs[i] = closedRun{ref: r.ref, rows: &r.rows, minTime: r.rows.MinTime(), maxTime: r.rows.MaxTime(), hashes: r.hashes}
		p.memory += r.memoryBytes() + closedRunBytes
		r.hashes = nil
		s := h.streams[r.ref]
		s.run = nil
		s.closed = append(s.closed, partRun{part: p, run: i})
	}
	h.addOpen(-opened)
	h.addClosed(p.memory)
	h.parts = append(h.parts, p)
	return p
}

// CloseIdle closes the runs whose newest entry arrived before the given time, small ones together.
func (h *Head) CloseIdle(before model.Timestamp) []*Part {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgetDecodedLocked()
	return h.packLocked(func(r *run) bool { return r.last < before }, -1)
}

// CloseOldest closes the runs that were idle longest until their memory reaches bytes, small ones together.
func (h *Head) CloseOldest(bytes int64) []*Part {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.packLocked(func(*run) bool { return true }, bytes)
}

// Freeze closes everything: the head was cut and nothing will be applied any more.
func (h *Head) Freeze() []*Part {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frozen = true
	h.byHash = nil
	h.forgetDecodedLocked()
	parts := h.packLocked(func(*run) bool { return true }, -1)
	for _, p := range h.parts {
		p.forgetHashesLocked()
	}
	return parts
}

// forgetHashesLocked gives back what only Apply needs. A Seal under way may still read the arrays: they are not recycled.
func (p *Part) forgetHashesLocked() {
	n := int64(0)
	for i := range p.runs {
		r := &p.runs[i]
		n += r.hashBytes()
		r.hashes, r.sorted = nil, nil
	}
	if p.chunks != nil {
		p.head.addSealed(-n)
		return
	}
	p.memory -= n
	p.head.addClosed(-n)
}

// packLocked closes the open runs that want accepts, oldest first until their memory reaches bytes (negative: all). Runs
// of like label sets end up next to each other, so that like compresses with like.
func (h *Head) packLocked(want func(*run) bool, bytes int64) []*Part {
	var runs []*run
	for _, s := range h.streams {
		if s.run != nil && want(s.run) {
			runs = append(runs, s.run)
		}
	}
	if bytes >= 0 {
		slices.SortFunc(runs, func(a, b *run) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.ref, b.ref)) })
		n := 0
		for sum := int64(0); n < len(runs) && sum < bytes; n++ {
			sum += runs[n].memoryBytes()
		}
		runs = runs[:n]
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(cmp.Compare(h.streams[a.ref].cluster, h.streams[b.ref].cluster), cmp.Compare(a.ref, b.ref))
	})
	var parts []*Part
	var group []*run
	var raw int64
	var entries int
	flush := func() {
		if len(group) > 0 {
			parts = append(parts, h.closeRunsLocked(group))
		}
		group, raw, entries = nil, 0, 0
	}
	for _, r := range runs {
		if r.rows.RawBytes() >= aloneBytesMin {
			parts = append(parts, h.closeLocked(r))
			continue
		}
		if raw+r.rows.RawBytes() > chunk.RawBytesMax || entries+r.rows.Len() > chunk.EntriesMax {
			flush()
		}
		group = append(group, r)
		raw += r.rows.RawBytes()
		entries += r.rows.Len()
	}
	flush()
	return parts
}

// Seal encodes a part; one that is sealed already is left as it is. On an error the rows
// stay, readable, and Seal may be tried again.
func (p *Part) Seal(o chunk.Options) error {
	p.sealing.Lock()
	defer p.sealing.Unlock()
	h := p.head
	h.mu.RLock()
	done := p.chunks != nil
	runs := make([]chunk.Run, len(p.runs))
	hashes := make([][]uint64, len(p.runs)) // none in a head that was cut
	days := map[int64]struct{}{}
	for i := range p.runs {
		r := &p.runs[i]
		if !done {
			runs[i] = chunk.Run{Ref: r.ref, Rows: *r.rows.Peek()} // only Seal ends the rows, and p.sealing is held
			hashes[i] = r.hashes
			addDays(days, r.rows.Peek())
		}
	}
	h.mu.RUnlock()
	if done {
		return nil
	}
	chunks, err := encodeDays(runs, days, o)
	if err != nil {
		return fmt.Errorf("seal %d runs: %w", len(runs), err)
	}
	sorted := make([][]uint32, len(p.runs))
	for i := range hashes {
		sorted[i] = sortedHalves(hashes[i])
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range p.runs {
		r := &p.runs[i]
		r.rows.Recycle() // what Encode made holds nothing of them
		hashVectors.Recycle(r.hashes)
		r.rows, r.hashes = nil, nil
		if !h.frozen {
			r.sorted = sorted[i]
		}
	}
	p.chunks = chunks
	h.addClosed(-p.memory)
	h.addSealed(p.sealedBytes())
	return nil
}

func (p *Part) sealedBytes() int64 {
	var n int64
	for _, c := range p.chunks {
		n += c.MemoryBytes()
	}
	for i := range p.runs {
		n += p.runs[i].hashBytes() + closedRunBytes
	}
	return n
}

const dayNanos = model.Timestamp(24 * time.Hour)

// dayOf numbers UTC days from the epoch, rounding down.
func dayOf(t model.Timestamp) int64 {
	d := t / dayNanos
	if t%dayNanos < 0 {
		d--
	}
	return int64(d)
}

func addDays(days map[int64]struct{}, v *chunk.View) {
	first, last := dayOf(v.MinTime()), dayOf(v.MaxTime())
	days[first], days[last] = struct{}{}, struct{}{}
	if last-first < 2 {
		return
	}
	for _, t := range v.Timestamps() {
		days[dayOf(t)] = struct{}{}
	}
}

// encodeDays makes one chunk for each day: a block, and so a chunk, never crosses a UTC day.
func encodeDays(runs []chunk.Run, days map[int64]struct{}, o chunk.Options) ([]*chunk.Encoded, error) {
	if len(days) == 0 {
		return nil, errors.New("no entries")
	}
	ordered := make([]int64, 0, len(days))
	for d := range days {
		ordered = append(ordered, d)
	}
	slices.Sort(ordered)
	chunks := make([]*chunk.Encoded, 0, len(ordered))
	for _, d := range ordered {
		if len(ordered) > 1 {
			for i := range runs {
				runs[i].Within = dayInterval(d)
			}
		}
		c, err := chunk.Encode(runs, o)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, c)
	}
	return chunks, nil
}

// dayInterval is the part of a day that a Timestamp can express.
func dayInterval(d int64) model.Interval {
	iv := model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	if d > dayOf(model.MinTimestamp) {
		iv.Start = model.Timestamp(d) * dayNanos
	}
	if d < dayOf(model.MaxTimestamp) {
		iv.End = model.Timestamp(d+1) * dayNanos
	}
	return iv
}
