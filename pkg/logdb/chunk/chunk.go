// Package chunk stores entries of one stream, or of several small ones, column by column. (Format: see below.)
package chunk

import (
	"errors"
	"io"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// ErrCorrupt marks bytes that fail their checksum or their format.
var ErrCorrupt = errors.New("corrupt chunk")

// Level says how hard the encoder works.
type Level uint8

// Better is the normal level; Fastest costs 1.7 times less and is for ingest under pressure.
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

// RunInfo is one run of a written chunk. Entries of a run lie together, ordered by (timestamp, arrival).
type RunInfo struct {
	Ref              model.StreamRef
	First, Count     uint32 // entries [First, First+Count) of the chunk
	RawBytes         uint64 // lines and metadata
	MinTime, MaxTime model.Timestamp
}

// Flags of a chunk.
type Flags uint32

// HasNewline: some line contains '\n'. EscapedASCII: some line contains `\u00`, so that letters may be hidden in an escape.
const (
	HasNewline Flags = 1 << iota
	EscapedASCII
)

// LevelCount counts the entries of one level and the bytes of their lines.
type LevelCount struct {
	Level   string
	Entries uint32
	Bytes   uint64
}

// MinuteCount counts the entries of one level of one run in one minute.
type MinuteCount struct {
	Run     uint32 // index in Table.Runs
	Level   uint32 // index in Table.Levels
	Minute  int64  // minutes since the epoch, rounded down
	Entries uint32
	Bytes   uint64 // of lines
}

// Table describes a chunk: what it holds and where its columns are. It is read-only once made.
type Table struct {
	MinTime, MaxTime model.Timestamp
	Entries          uint32
	RawBytes         uint64 // lines and metadata
	LineBytes        uint64
	Flags            Flags
	Runs             []RunInfo
	Levels           []LevelCount // nil when there are too many levels to count
}

// Encoded is a chunk in memory. Pages holds no position and no StreamRef, so the same bytes go into a block.
type Encoded struct {
	Pages []byte
	Table Table
}

// Encode sorts each run by (timestamp, arrival) and encodes the runs, in the order given, as one chunk. One run is a big
// stream, several make a packed chunk. Runs that are empty after Within are left out; none left is an error.
func Encode(runs []Run, o Options) (*Encoded, error) { return nil, errors.New("not built") }

// Renumber returns the same chunk under other stream refs; pages are shared.
func (e *Encoded) Renumber(f func(model.StreamRef) model.StreamRef) *Encoded { return nil }

// MemoryBytes is what the chunk holds.
func (e *Encoded) MemoryBytes() int64 { return 0 }

// Reader reads the chunk from memory.
func (e *Encoded) Reader() *Reader { return nil }

// Reader decodes columns. It is safe for concurrent use and holds no buffers. Every method verifies the checksum of what
// it reads and wraps ErrCorrupt when it or the format is wrong; other errors come from the io.ReaderAt.
type Reader struct{}

// NewReader reads a chunk whose pages start at base in r.
func NewReader(r io.ReaderAt, base int64, t *Table) *Reader { return nil }

// Table describes the chunk.
func (c *Reader) Table() *Table { return nil }

// Timestamps appends the time column to dst.
func (c *Reader) Timestamps(dst []model.Timestamp) ([]model.Timestamp, error) { return nil, nil }

// LineEnds appends the end of each line in the buffer of Lines to dst; the lines are not read.
func (c *Reader) LineEnds(dst []uint32) ([]uint32, error) { return nil, nil }

// Lines appends all lines, joined, to dst.
func (c *Reader) Lines(dst []byte) ([]byte, error) { return nil, nil }

// Levels is a decoded level column: entry i has level Names[Codes[i]], "" when absent. When Table.Levels is not nil, Names
// are its levels in the same order.
type Levels struct {
	Names []string
	Codes []uint16
}

// Levels decodes the level column into dst, reusing its slices.
func (c *Reader) Levels(dst *Levels) error { return nil }

// MetadataNames returns the sorted metadata names that have a column of their own, and whether there are entries with
// other names too.
func (c *Reader) MetadataNames() (names []string, more bool) { return nil, false }

// Metadata holds decoded metadata columns.
type Metadata struct{}

// Metadata decodes metadata into dst, reusing its buffers: the given names, or all of it when there are none.
func (c *Reader) Metadata(dst *Metadata, names ...string) error { return nil }

// Pairs appends the decoded pairs of entry i to dst, sorted by name. They are valid until m is decoded into again.
func (m *Metadata) Pairs(dst []model.Pair, i int) []model.Pair { return nil }

// Value returns the value of one decoded name in entry i, "" when absent. Valid until m is decoded into again.
func (m *Metadata) Value(name string, i int) string { return "" }
