package head

import (
	"fmt"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// decodedPart keeps what was decoded of the part that was read last: a batch that is sent again asks for its neighbours
// next, and a carry for all its runs. The zero value holds nothing.
type decodedPart struct {
	part   *Part
	chunks []decodedChunk // of a sealed part

	run    int // whose rows these are; meaningless while byHash is nil
	rows   *chunk.Rows
	byHash map[uint64][]int32
	memory int64
}

// decodedChunk is all columns of one chunk.
type decodedChunk struct {
	times    []model.Timestamp
	ends     []uint32
	lines    []byte
	levels   chunk.Levels
	metadata chunk.Metadata
	runs     map[model.StreamRef]chunk.RunInfo
}

// holds reports whether the closed run has an entry equal to e. A chunk in memory that cannot be decoded is our own fault;
// saying no is then the safe answer: the entry may be stored twice, but it is never lost. Called with the head's mu held.
func (d *decodedPart) holds(c partRun, e *model.Entry, hash uint64) bool {
	if d.byHash == nil || d.part != c.part || d.run != c.run {
		rows, err := d.rowsOf(c)
		if err != nil {
			return false
		}
		d.run, d.rows, d.byHash = c.run, rows, make(map[uint64][]int32, rows.Len())
		view := rows.Peek()
		for i := range view.Len() {
			entry := view.Entry(i)
			h := entryHash(&entry)
			d.byHash[h] = append(d.byHash[h], int32(i))
		}
		d.count()
	}
	view := d.rows.Peek()
	for _, i := range d.byHash[hash] {
		if sameEntry(view, int(i), e) {
			return true
		}
	}
	return false
}

// rowsOf returns the rows of one run. Called with the head's mu held.
func (d *decodedPart) rowsOf(c partRun) (*chunk.Rows, error) {
	if d.part != c.part {
		*d = decodedPart{part: c.part}
	}
	rows := &chunk.Rows{}
	r := &c.part.runs[c.run]
	if c.part.chunks == nil {
		view := r.rows.Peek()
		for i := range view.Len() {
			rows.Append(view.Entry(i))
		}
		return rows, nil
	}
	if d.chunks == nil {
		chunks := make([]decodedChunk, len(c.part.chunks))
		for i, encoded := range c.part.chunks {
			if err := chunks[i].decode(encoded.Reader()); err != nil {
				return nil, fmt.Errorf("chunk %d of %d: %w", i, len(chunks), err)
			}
		}
		d.chunks = chunks
	}
	for i := range d.chunks {
		d.chunks[i].appendRun(rows, r.ref)
	}
	return rows, nil
}

// count estimates memory: what was decoded, and the rows and their hashes.
func (d *decodedPart) count() {
	d.memory = d.rows.MemoryBytes() + int64(len(d.byHash))*(mapEntryBytes+16)
	for i := range d.chunks {
		c := &d.chunks[i]
		d.memory += int64(cap(c.times))*8 + int64(cap(c.ends))*4 + int64(cap(c.lines)) + int64(len(c.runs))*96
	}
}

func (c *decodedChunk) decode(r *chunk.Reader) (err error) {
	if c.times, err = r.Timestamps(nil); err != nil {
		return err
	}
	if c.ends, err = r.LineEnds(nil); err != nil {
		return err
	}
	if c.lines, err = r.Lines(nil); err != nil {
		return err
	}
	if err := r.Levels(&c.levels); err != nil {
		return err
	}
	c.metadata.UseLines(c.lines, c.ends)
	if err := r.Metadata(&c.metadata); err != nil {
		return err
	}
	runs := r.Table().Runs
	c.runs = make(map[model.StreamRef]chunk.RunInfo, len(runs))
	for _, run := range runs {
		c.runs[run.Ref] = run
	}
	return nil
}

// appendRun appends the entries that the chunk holds of one stream; none when the run has no entry on the chunk's day.
func (c *decodedChunk) appendRun(rows *chunk.Rows, ref model.StreamRef) {
	run, ok := c.runs[ref]
	if !ok {
		return
	}
	var pairs []model.Pair
	for i := int(run.First); i < int(run.First+run.Count); i++ {
		start := uint32(0)
		if i > 0 {
			start = c.ends[i-1]
		}
		pairs = c.metadata.Pairs(pairs[:0], i)
		rows.Append(model.Entry{
			Timestamp: c.times[i], Line: string(c.lines[start:c.ends[i]]),
			Level: c.levels.Names[c.levels.Codes[i]], Metadata: pairs,
		})
	}
}

// forgetDecodedLocked gives the memory back.
func (h *Head) forgetDecodedLocked() {
	h.addClosed(-h.decoded.memory)
	h.decoded = decodedPart{}
}
