package compact

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Source is an open block. Errors wrap chunk.ErrCorrupt when what was read is wrong, and name the block and the chunk.
type Source interface {
	Meta() *block.Meta
	// Streams returns all streams by ref when refs is nil.
	Streams(refs *roaring.Bitmap) ([]block.Stream, error)
	// Chunk opens the chunk of the ref's number.
	Chunk(ref block.ChunkRef) (*chunk.Reader, error)
	// Encoded returns the chunk as it is stored, its checksums compared.
	Encoded(ref block.ChunkRef) (*chunk.Encoded, error)
}

func chunkError(s Source, number uint32, err error) error {
	return fmt.Errorf("chunk %d of block %s: %w", number, s.Meta().ULID, err)
}

// Verdict is what a mask says of many entries at once.
type Verdict uint8

// The verdicts.
const (
	KeepAll Verdict = iota
	DropAll
	PerEntry // ask Drops for each
)

// Mask says which entries of a block are dropped: deletes and retention. Its answers never change, because both are asked
// twice, and the arguments are valid during the call only.
type Mask interface {
	// Run judges the entries of one stream between two times, both inclusive. It is asked for every run of every chunk, so
	// that what a delete of one hour cannot touch is copied unread.
	Run(ls labels.Labels, minTime, maxTime model.Timestamp) Verdict
	// Drops judges one entry of a run that got PerEntry.
	Drops(ls labels.Labels, e model.Entry) bool
}

// Input is one block of a merge.
type Input struct {
	Block Source
	Mask  Mask // nil drops nothing
}

// decoded is all columns of one chunk, and the space to decode the next one into.
type decoded struct {
	table    *chunk.Table
	times    []model.Timestamp
	ends     []uint32
	lines    []byte
	levels   chunk.Levels
	metadata chunk.Metadata
	pairs    []model.Pair
}

// read decodes a chunk of a block.
func (d *decoded) read(s Source, number uint32) error {
	e, err := s.Encoded(block.ChunkRef{Number: number})
	if err != nil {
		return err
	}
	d.table = &e.Table
	if err := d.decode(e.Reader()); err != nil {
		return chunkError(s, number, err)
	}
	return nil
}

func (d *decoded) decode(r *chunk.Reader) (err error) {
	if d.times, err = r.Timestamps(d.times[:0]); err != nil {
		return err
	}
	if d.ends, err = r.LineEnds(d.ends[:0]); err != nil {
		return err
	}
	if d.lines, err = r.Lines(d.lines[:0]); err != nil {
		return err
	}
	if err := r.Levels(&d.levels); err != nil {
		return err
	}
	d.metadata.UseLines(d.lines, d.ends)
	return r.Metadata(&d.metadata)
}

// entry returns entry i. It is valid until the next call.
func (d *decoded) entry(i uint32) model.Entry {
	start := uint32(0)
	if i > 0 {
		start = d.ends[i-1]
	}
	d.pairs = d.metadata.Pairs(d.pairs[:0], int(i))
	return model.Entry{
		Timestamp: d.times[i], Line: bytesString(d.lines[start:d.ends[i]]),
		Level: d.levels.Names[d.levels.Codes[i]], Metadata: d.pairs,
	}
}
