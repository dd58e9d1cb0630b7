package chunk

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// ErrCorrupt marks bytes that fail their checksum or their format.
var ErrCorrupt = errors.New("corrupt chunk")

// Level says how hard the encoder works.
type Level uint8

// Better is the normal level; Fastest costs 1.7 times less CPU for 13 % more bytes, for ingest under pressure.
const (
	Better Level = iota
	Fastest
)

// Options of Encode.
type Options struct{ Level Level }

// Run is the entries of one stream that go into a chunk.
type Run struct {
	Ref  model.StreamRef
	Rows View
	// Within keeps only the entries inside it; empty means all.
	Within model.Interval
}

// Encoded is a chunk in memory. Pages holds no position and no StreamRef, so the same bytes go into a block, and so do the
// filters.
type Encoded struct {
	Pages      []byte
	Table      Table
	Filter     Filter
	MetaFilter MetaFilter
}

// Renumber returns the same chunk under other stream refs; pages are shared.
func (e *Encoded) Renumber(f func(model.StreamRef) model.StreamRef) *Encoded {
	c := *e
	c.Table.Runs = slices.Clone(e.Table.Runs)
	for i := range c.Table.Runs {
		c.Table.Runs[i].Ref = f(c.Table.Runs[i].Ref)
	}
	return &c
}

// MemoryBytes is what the chunk holds.
func (e *Encoded) MemoryBytes() int64 {
	filters := int64(cap(e.Filter.raw) + cap(e.MetaFilter.raw))
	return encodedBytes + int64(cap(e.Pages)) + filters + e.Table.memoryBytes()
}

const encodedBytes = int64(unsafe.Sizeof(Encoded{})) + 64 // and what the collector adds to it and its slices

// Reader reads the chunk from memory.
func (e *Encoded) Reader() *Reader { return &Reader{mem: e.Pages, table: &e.Table} }
