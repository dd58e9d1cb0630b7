package compact

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// window is the chunks that are made at one time, as many as the memory takes. Their entries are gathered first, going
// through the inputs once and decoding each chunk that has some of them once. A cache of decoded chunks would do when the
// inputs have their small streams in the same order; when they have not, it would decode everything for every chunk.
type window struct {
	m      *Merged
	chunks []outputChunk
	rows   [][]chunk.Rows // of each run of each chunk; empty for copied ones
	source decoded
	parts  []part
	runs   []chunk.Run
}

// part is a piece and where its entries go.
type part struct {
	*piece
	ref  model.StreamRef
	rows *chunk.Rows
}

// What rows hold for a run, metadata names included, and for an entry besides its bytes; values and lines grow by half.
const (
	runMemoryBytes   = 1 << 10
	entryMemoryBytes = 64
)

// memoryBytes is about the most that the entries of a chunk take while it is made.
func (c *outputChunk) memoryBytes() (n int64) {
	if c.copied() {
		return 0
	}
	for i := range c.runs {
		r := &c.runs[i]
		n += runMemoryBytes + int64(r.entries)*entryMemoryBytes + int64(r.raw)*3/2
	}
	return n
}

// fitting returns how many of the chunks fit into memory, one at least.
func (w *window) fitting(chunks []outputChunk) int {
	memory := int64(0)
	for i := range chunks {
		if memory += chunks[i].memoryBytes(); memory > w.m.o.MemoryBytes && i > 0 {
			return i
		}
	}
	return len(chunks)
}

// gather reads the entries of the chunks. Pieces are visited in the order of inputs and chunks, which is that of arrival.
func (w *window) gather(ctx context.Context, chunks []outputChunk) error {
	w.chunks, w.parts = chunks, w.parts[:0]
	w.rows = make([][]chunk.Rows, len(chunks))
	for i := range chunks {
		c := &chunks[i]
		if c.copied() {
			continue
		}
		w.rows[i] = make([]chunk.Rows, len(c.runs))
		for k := range c.runs {
			r := &c.runs[k]
			for n := range r.pieces {
				w.parts = append(w.parts, part{&r.pieces[n], r.ref, &w.rows[i][k]})
			}
		}
	}
	slices.SortFunc(w.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.input, b.input), cmp.Compare(a.chunk, b.chunk), cmp.Compare(a.run, b.run))
	})
	for i := range w.parts {
		p := &w.parts[i]
		in := &w.m.inputs[p.input]
		if i == 0 || w.parts[i-1].input != p.input || w.parts[i-1].chunk != p.chunk {
			if err := w.m.pause(ctx); err != nil {
				return err
			}
			if err := w.source.read(in.Block, p.chunk); err != nil {
				return err
			}
			w.m.counts.ChunksDecoded++
		}
		if err := w.take(p); err != nil {
			return chunkError(in.Block, p.chunk, err)
		}
	}
	return nil
}

// take appends the entries of a piece to its rows. They must be those that were counted before, because the chunk was
// laid out for them.
func (w *window) take(p *part) error {
	d := &w.source
	if int(p.run) >= len(d.table.Runs) {
		return fmt.Errorf("%w: run %d is gone", chunk.ErrCorrupt, p.run)
	}
	run := &d.table.Runs[p.run]
	mask, ls := w.m.inputs[p.input].Mask, w.m.Streams[p.ref].Labels
	entries, raw := p.rows.Len(), p.rows.RawBytes()
	for i := run.First; i < run.First+run.Count; i++ {
		e := d.entry(i)
		if !p.masked || !mask.Drops(ls, e) {
			p.rows.Append(e)
		}
	}
	if got := p.rows.Len() - entries; got != int(p.entries) {
		return fmt.Errorf("run %d: %d entries are left, not %d as before", p.run, got, p.entries)
	}
	if got := p.rows.RawBytes() - raw; got != int64(p.raw) {
		return fmt.Errorf("%w: run %d has %d bytes, its table says %d", chunk.ErrCorrupt, p.run, got, p.raw)
	}
	return nil
}

// chunk makes the i-th chunk of the window, and frees its rows.
func (w *window) chunk(ctx context.Context, i int) (*chunk.Encoded, error) {
	if err := w.m.pause(ctx); err != nil {
		return nil, err
	}
	c, counts := &w.chunks[i], &w.m.counts
	if c.copied() {
		p, ref := &c.runs[0].pieces[0], c.runs[0].ref
		e, err := w.m.inputs[p.input].Block.Encoded(block.ChunkRef{Number: p.chunk})
		if err != nil {
			return nil, err
		}
		counts.ChunksCopied++
		counts.BytesCopied += uint64(len(e.Pages))
		counts.EntriesOut += uint64(e.Table.Entries)
		return e.Renumber(func(model.StreamRef) model.StreamRef { return ref }), nil
	}
	w.runs = w.runs[:0]
	for k := range c.runs {
		w.runs = append(w.runs, chunk.Run{Ref: c.runs[k].ref, Rows: w.rows[i][k].Snapshot()})
	}
	e, err := chunk.Encode(w.runs, w.m.o.Chunk)
	clear(w.runs)
	w.rows[i] = nil
	if err != nil {
		return nil, err
	}
	counts.ChunksRewritten++
	counts.BytesRewritten += uint64(len(e.Pages))
	counts.EntriesOut += uint64(e.Table.Entries)
	return e, nil
}
