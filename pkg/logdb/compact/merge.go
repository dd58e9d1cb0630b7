package compact

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// MergeOptions of Merge. The zero value works.
type MergeOptions struct {
	// Chunk says how to encode what is written anew.
	Chunk chunk.Options
	// Again are flags of chunks that are never copied as they are, such as those compressed in a hurry.
	Again chunk.Flags
	// MemoryBytes bounds the entries held at one time, 0: MemoryBytesDefault. Besides them there are the label sets of all
	// inputs, 32 bytes for each run in them, and one chunk on its way in and one on its way out.
	MemoryBytes int64
	// Yield, when not nil, is called before each chunk is read or written: it may wait, or end the merge by an error.
	Yield func(context.Context) error
}

// Counts is what a merge did.
type Counts struct {
	EntriesIn, EntriesDropped uint64 // known from the start
	// These are complete when Chunks has been read to its end.
	EntriesOut                    uint64
	ChunksCopied, ChunksRewritten uint64
	BytesCopied, BytesRewritten   uint64 // of pages, as stored
	ChunksDecoded                 uint64 // in the second pass; a chunk may be decoded for several windows
}

// Merged is the content of the new block. The inputs stay open until Chunks has been read.
type Merged struct {
	// Streams have an entry each, sorted by label set. None are left when all was dropped: there is nothing to write then.
	Streams []block.StreamInfo

	inputs []Input
	o      MergeOptions
	chunks []outputChunk
	counts Counts
}

// Merge looks at everything in the inputs, which are neighbours of one tenant and day by (walTo, ULID), and decides what
// becomes of it; entries are read where a mask asks for each, else later by Chunks.
//
// A full chunk of one stream is copied as it is. All other pieces of a stream, in their order, join to runs of up to a
// chunk, with a copied chunk as border between them: so of two entries with equal timestamps the first one is never in a
// later run. Large runs are chunks of their own, small ones are packed with those of similar streams. A stream with small
// runs on both sides of a border has them in different rounds: a round is the large runs up to the next small one of each
// stream, then the small ones packed. So a stream's runs keep their order over the chunks of the new block.
//
// A chunk that cannot be read ends the merge with an error that wraps chunk.ErrCorrupt and names it; nothing is left out.
func Merge(ctx context.Context, inputs []Input, o MergeOptions) (*Merged, error) {
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = MemoryBytesDefault
	}
	m := &Merged{inputs: inputs, o: o}
	if err := m.plan(ctx); err != nil {
		return nil, fmt.Errorf("merge blocks: %w", err)
	}
	return m, nil
}

func (m *Merged) plan(ctx context.Context) error {
	if err := m.check(); err != nil {
		return err
	}
	all, refs, err := m.union()
	if err != nil {
		return err
	}
	pieces, err := m.survey(ctx, all, refs)
	if err != nil {
		return err
	}
	// Only now it is known of which streams an entry is left.
	left := pieces[:0]
	for i, p := range pieces {
		if len(p) > 0 {
			left = append(left, p)
			m.Streams = append(m.Streams, block.StreamInfo{Labels: all[i].Labels, Fingerprint: all[i].Fingerprint})
		}
	}
	m.chunks = arrange(m.Streams, left)
	return nil
}

// check refuses inputs that are no neighbours, as far as they can tell.
func (m *Merged) check() error {
	if len(m.inputs) == 0 {
		return errors.New("no blocks")
	}
	for i := range m.inputs[1:] {
		a, b := m.inputs[i].Block.Meta(), m.inputs[i+1].Block.Meta()
		if a.Tenant != b.Tenant || a.Day != b.Day || compareArrival(*a, *b) >= 0 {
			return fmt.Errorf("blocks %s and %s are of different tenants or days, or not in order", a.ULID, b.ULID)
		}
	}
	return nil
}

// union returns the streams of all inputs by label set, and the place of each input's streams among them.
func (m *Merged) union() (all []block.Stream, refs [][]uint32, err error) {
	type origin struct {
		input int
		block.Stream
	}
	var origins []origin
	refs = make([][]uint32, len(m.inputs))
	for i, in := range m.inputs {
		streams, err := in.Block.Streams(nil)
		if err != nil {
			return nil, nil, err
		}
		refs[i] = make([]uint32, len(streams))
		for _, s := range streams {
			origins = append(origins, origin{i, s})
		}
	}
	slices.SortFunc(origins, func(a, b origin) int { return labels.Compare(a.Labels, b.Labels) })
	for i := range origins {
		o := &origins[i]
		if n := len(all); n == 0 || labels.Compare(all[n-1].Labels, o.Labels) != 0 {
			all = append(all, o.Stream)
		}
		refs[o.input][o.Ref] = uint32(len(all) - 1)
	}
	return all, refs, nil
}

// piece is what is left of one stream in one chunk of an input.
type piece struct {
	input, chunk, run uint32 // place in inputs; number in the block; place in the chunk's table
	entries           uint32
	raw               uint64
	masked            bool // some entries are dropped
	alone             bool // the chunk holds nothing else, and nothing is to be changed in it
}

// full reports whether the piece's chunk is copied although it could be joined with others.
func (p *piece) full() bool {
	return p.alone && (p.raw >= fullBytesMin || p.entries >= fullEntriesMin)
}

// survey returns the pieces of each stream in all, in their order.
func (m *Merged) survey(ctx context.Context, all []block.Stream, refs [][]uint32) ([][]piece, error) {
	pieces := make([][]piece, len(all))
	var d decoded
	for i := range m.inputs {
		in := &m.inputs[i]
		for number := range in.Block.Meta().Chunks {
			if err := m.pause(ctx); err != nil {
				return nil, err
			}
			if number > math.MaxUint32 {
				return nil, fmt.Errorf("block %s has too many chunks", in.Block.Meta().ULID)
			}
			found, err := m.surveyChunk(uint32(i), uint32(number), &d, func(ref model.StreamRef) labels.Labels { return all[refs[i][ref]].Labels })
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				to := &pieces[refs[i][f.ref]]
				*to = append(*to, f.piece)
			}
		}
	}
	return pieces, nil
}

// foundPiece is a piece and its stream in the input.
type foundPiece struct {
	ref model.StreamRef
	piece
}

// surveyChunk returns what is left in a chunk. It is decoded when a mask asks for entries.
func (m *Merged) surveyChunk(input, number uint32, d *decoded, labelsOf func(model.StreamRef) labels.Labels) ([]foundPiece, error) {
	in := &m.inputs[input]
	r, err := in.Block.Chunk(block.ChunkRef{Number: number})
	if err != nil {
		return nil, err
	}
	t := r.Table()
	m.counts.EntriesIn += uint64(t.Entries)
	found := make([]foundPiece, 0, len(t.Runs))
	isDecoded := false
	for i := range t.Runs {
		run := &t.Runs[i]
		p := piece{input: input, chunk: number, run: uint32(i), entries: run.Count, raw: run.RawBytes}
		p.alone = len(t.Runs) == 1 && t.Flags&m.o.Again == 0
		verdict := KeepAll
		if in.Mask != nil {
			verdict = in.Mask.Run(labelsOf(run.Ref), run.MinTime, run.MaxTime)
		}
		if verdict == PerEntry {
			if !isDecoded {
				if err := d.read(in.Block, number); err != nil {
					return nil, err
				}
				isDecoded = true
			}
			p.entries, p.raw = d.left(run, in.Mask, labelsOf(run.Ref))
			p.masked = p.entries < run.Count
			p.alone = p.alone && !p.masked
		}
		if verdict == DropAll {
			p.entries = 0
		}
		m.counts.EntriesDropped += uint64(run.Count - p.entries)
		if p.entries > 0 {
			found = append(found, foundPiece{run.Ref, p})
		}
	}
	// What is left of a packed chunk may be a single run, but its pages hold the others too.
	return found, nil
}

// left counts what the mask leaves of a run, and its raw bytes.
func (d *decoded) left(run *chunk.RunInfo, mask Mask, ls labels.Labels) (entries uint32, raw uint64) {
	for i := run.First; i < run.First+run.Count; i++ {
		if e := d.entry(i); !mask.Drops(ls, e) {
			entries++
			raw += uint64(chunk.EntryBytes(e))
		}
	}
	return entries, raw
}

// pause lets others go first and tells when the merge must end.
func (m *Merged) pause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.o.Yield == nil {
		return nil
	}
	return m.o.Yield(ctx)
}

// Counts returns what was done so far.
func (m *Merged) Counts() Counts { return m.counts }

// Chunks reads, joins and encodes what Merge planned; its stream refs are places in Streams. It is meant for block.Write,
// once. Each chunk is valid for ever.
func (m *Merged) Chunks(ctx context.Context) iter.Seq2[*chunk.Encoded, error] {
	return func(yield func(*chunk.Encoded, error) bool) {
		w := window{m: m}
		for rest := m.chunks; len(rest) > 0; {
			n := w.fitting(rest)
			if err := w.gather(ctx, rest[:n]); err != nil {
				yield(nil, fmt.Errorf("merge blocks: %w", err))
				return
			}
			for i := range rest[:n] {
				e, err := w.chunk(ctx, i)
				if err != nil {
					yield(nil, fmt.Errorf("merge blocks: %w", err))
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			rest = rest[n:]
		}
	}
}

// bytesString views bytes as a string, for as long as they stay unchanged.
func bytesString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
