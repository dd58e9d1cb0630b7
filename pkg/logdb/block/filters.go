package block

import (
	"errors"
	"fmt"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
)

// Filter reads the filter over the lines of a chunk.
func (b *Block) Filter(ref ChunkRef) (chunk.Filter, error) {
	f, err := b.filter(ref.Number)
	if err != nil {
		return chunk.Filter{}, fmt.Errorf("filter of chunk %d of block %s: %w", ref.Number, b.meta.ULID, err)
	}
	return f, nil
}

func (b *Block) filter(number uint32) (chunk.Filter, error) {
	if err := b.hasChunk(number); err != nil {
		return chunk.Filter{}, err
	}
	e := &b.entries[number]
	raw := make([]byte, e.filterBytes)
	if err := readAt(b.chunks, raw, e.filterOffset); err != nil {
		return chunk.Filter{}, err
	}
	return chunk.OpenFilter(raw)
}

// MetaFilter reads the filter over the metadata pairs of a chunk.
func (b *Block) MetaFilter(ref ChunkRef) (chunk.MetaFilter, error) {
	f, err := b.metaFilter(ref.Number)
	if err != nil {
		return chunk.MetaFilter{}, fmt.Errorf("metadata filter of chunk %d of block %s: %w", ref.Number, b.meta.ULID, err)
	}
	return f, nil
}

func (b *Block) metaFilter(number uint32) (chunk.MetaFilter, error) {
	if err := b.hasChunk(number); err != nil {
		return chunk.MetaFilter{}, err
	}
	e := &b.entries[number]
	raw := make([]byte, e.metaFilterBytes)
	if err := readAt(b.chunks, raw, e.metaFilterOffset); err != nil {
		return chunk.MetaFilter{}, err
	}
	return chunk.OpenMetaFilter(raw)
}

// Filters are all filters of a block, in memory. They do not need the block to be open.
type Filters struct {
	raw   []byte
	lines []chunk.Filter
	pairs []chunk.MetaFilter
}

// filtersPerChunkBytes is what Filters takes for a chunk besides the filters' own bytes.
const filtersPerChunkBytes = 32 + 24

// FiltersMemoryBytes is what Filters would read and keep: about 2 % of the raw bytes.
func (b *Block) FiltersMemoryBytes() int64 {
	return b.footer.tables - b.footer.filters + int64(len(b.entries))*filtersPerChunkBytes
}

// Filters reads all filters of the block at once. When only some are damaged it returns an error that wraps ErrCorrupt and
// filters that are right to use: those of the chunks in question know nothing, so that nothing is skipped by them.
func (b *Block) Filters() (*Filters, error) {
	f := &Filters{
		raw:   make([]byte, b.footer.tables-b.footer.filters),
		lines: make([]chunk.Filter, len(b.entries)), pairs: make([]chunk.MetaFilter, len(b.entries)),
	}
	if err := readAt(b.chunks, f.raw, b.footer.filters); err != nil {
		return nil, fmt.Errorf("filters of block %s: %w", b.meta.ULID, err)
	}
	part := func(offset int64, bytes uint32) []byte {
		offset -= b.footer.filters
		return f.raw[offset : offset+int64(bytes) : offset+int64(bytes)]
	}
	var damaged error
	for i := range b.entries {
		e := &b.entries[i]
		var err, metaErr error
		f.lines[i], err = chunk.OpenFilter(part(e.filterOffset, e.filterBytes))
		f.pairs[i], metaErr = chunk.OpenMetaFilter(part(e.metaFilterOffset, e.metaFilterBytes))
		if err := errors.Join(err, metaErr); err != nil && damaged == nil {
			damaged = fmt.Errorf("filters of chunk %d of block %s: %w", i, b.meta.ULID, err)
		}
	}
	return f, damaged
}

// Filter returns the filter over the lines of a chunk.
func (f *Filters) Filter(ref ChunkRef) chunk.Filter { return f.lines[ref.Number] }

// MetaFilter returns the filter over the metadata pairs of a chunk.
func (f *Filters) MetaFilter(ref ChunkRef) chunk.MetaFilter { return f.pairs[ref.Number] }

// MemoryBytes is what the filters hold.
func (f *Filters) MemoryBytes() int64 {
	return int64(len(f.raw)) + int64(len(f.lines))*filtersPerChunkBytes
}

// Encoded reads a chunk as it is stored, with its filters, so that it can be written to another block without being decoded.
// Everything is checked against its checksum.
func (b *Block) Encoded(ref ChunkRef) (*chunk.Encoded, error) {
	e, err := b.encoded(ref.Number)
	if err != nil {
		return nil, fmt.Errorf("chunk %d of block %s: %w", ref.Number, b.meta.ULID, err)
	}
	return e, nil
}

func (b *Block) encoded(number uint32) (*chunk.Encoded, error) {
	r, err := b.chunk(number)
	if err != nil {
		return nil, err
	}
	f, err := b.filter(number)
	if err != nil {
		return nil, err
	}
	m, err := b.metaFilter(number)
	if err != nil {
		return nil, err
	}
	return r.Encoded(f, m)
}

// verifyFilters builds the filters of a chunk again from what it holds.
func (b *Block) verifyFilters(number uint32, r *chunk.Reader) error {
	f, err := b.filter(number)
	if err != nil {
		return err
	}
	m, err := b.metaFilter(number)
	if err != nil {
		return err
	}
	return r.VerifyFilters(f, m)
}
