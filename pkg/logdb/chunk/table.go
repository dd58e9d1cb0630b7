package chunk

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Flags of a chunk.
type Flags uint32

// What later readers prune or choose by.
const (
	// HasNewline: some line contains '\n', so a scan may not treat it as the border between entries.
	HasNewline Flags = 1 << iota
	// EscapedASCII: some line contains `\u00`, so a JSON string may spell ASCII letters in a way no text filter sees.
	EscapedASCII
	// Fast: encoded at level Fastest. Whoever rewrites blocks may encode it again, better.
	Fast

	flagsKnown = HasNewline | EscapedASCII | Fast
)

// RunInfo is one run of a written chunk. Entries of a run lie together, ordered by (timestamp, arrival).
type RunInfo struct {
	Ref              model.StreamRef
	First, Count     uint32 // entries [First, First+Count) of the chunk
	RawBytes         uint64 // lines and metadata
	MinTime, MaxTime model.Timestamp
}

// LevelCount counts the entries of one level and the bytes of their lines.
type LevelCount struct {
	Level   string
	Entries uint32
	Bytes   uint64
}

// Table describes a chunk: what it holds and where its columns are. It is read-only once made.
type Table struct {
	MinTime, MaxTime model.Timestamp // both inclusive
	Entries          uint32
	RawBytes         uint64 // lines and metadata
	LineBytes        uint64
	Flags            Flags
	Runs             []RunInfo
	Levels           []LevelCount // nil when there are too many levels to count

	minutes []byte // encoded minute counts, nil when there are none
	columns []column
}

// Kinds of column. Pages lie in this order, so that what is read together lies together and lines, the big one, last.
const (
	columnTime     = 1
	columnLength   = 2
	columnLevel    = 3
	columnMetadata = 4 // one for each key column, sorted by name
	columnOverflow = 5
	columnLines    = 6
)

// column is one page of the chunk.
type column struct {
	kind, enc   uint8
	zstd        bool
	name        string // of a metadata key
	offset      uint32 // in Pages; follows from the columns before
	stored, raw uint32 // bytes in Pages; bytes after decompression, equal when not compressed
	crc         uint32 // of the stored bytes
}

const encZstd = 0x80 // set in the encoding byte of a compressed page

// PagesBytes is the length of the chunk's pages.
func (t *Table) PagesBytes() uint64 {
	if len(t.columns) == 0 {
		return 0
	}
	last := &t.columns[len(t.columns)-1]
	return uint64(last.offset) + uint64(last.stored)
}

// MetadataBytesMax bounds what decoding all metadata of the chunk allocates.
func (t *Table) MetadataBytesMax() int64 {
	var n int64
	inline := false
	for i := range t.columns {
		switch c := &t.columns[i]; c.kind {
		case columnMetadata:
			n += 2*int64(c.raw) + 4*int64(t.Entries)
			if c.enc == metaInt {
				n += intTextMax * int64(t.Entries)
			}
			inline = inline || c.enc == metaInline
		case columnOverflow:
			n += 8*int64(c.raw) + 4*int64(t.Entries)
		}
	}
	if inline { // all values together, the lines and what is known of each, once for all such columns
		n += int64(t.RawBytes) + int64(t.LineBytes) + 20*int64(t.Entries)
	}
	return n
}

// MetadataNames returns the sorted metadata names that have a column of their own, and whether some entry has another
// name besides.
func (t *Table) MetadataNames() (names []string, more bool) {
	for i := range t.columns {
		switch c := &t.columns[i]; c.kind {
		case columnMetadata:
			names = append(names, c.name)
		case columnOverflow:
			more = true
		}
	}
	return names, more
}

func (t *Table) column(kind uint8) *column {
	for i := range t.columns {
		if t.columns[i].kind == kind {
			return &t.columns[i]
		}
	}
	return nil
}

// MemoryBytes is what the table holds.
func (t *Table) MemoryBytes() int64 { return int64(unsafe.Sizeof(*t)) + t.memoryBytes() }

// memoryBytes is what the table holds besides its struct.
func (t *Table) memoryBytes() int64 {
	n := int64(cap(t.Runs))*40 + int64(cap(t.Levels))*32 + int64(cap(t.minutes)) + int64(cap(t.columns))*48
	for i := range t.columns {
		n += int64(len(t.columns[i].name))
	}
	return n
}

// AppendTable appends the binary form, which ends with its own checksum.
func AppendTable(dst []byte, t *Table) []byte {
	start := len(dst)
	dst = binary.AppendVarint(dst, int64(t.MinTime))
	dst = binary.AppendUvarint(dst, uint64(t.MaxTime)-uint64(t.MinTime))
	for _, v := range []uint64{uint64(t.Entries), t.RawBytes, t.LineBytes, uint64(t.Flags), uint64(len(t.Runs))} {
		dst = binary.AppendUvarint(dst, v)
	}
	ref := int64(0)
	for i := range t.Runs {
		r := &t.Runs[i]
		dst = binary.AppendVarint(dst, int64(r.Ref)-ref)
		ref = int64(r.Ref)
		dst = binary.AppendUvarint(dst, uint64(r.Count))
		dst = binary.AppendUvarint(dst, r.RawBytes)
		dst = binary.AppendUvarint(dst, uint64(r.MinTime)-uint64(t.MinTime))
		dst = binary.AppendUvarint(dst, uint64(r.MaxTime)-uint64(r.MinTime))
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.Levels)))
	for _, l := range t.Levels {
		dst = appendLevelName(dst, l.Level)
		dst = binary.AppendUvarint(dst, uint64(l.Entries))
		dst = binary.AppendUvarint(dst, l.Bytes)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.minutes)))
	dst = append(dst, t.minutes...)
	dst = binary.AppendUvarint(dst, uint64(len(t.columns)))
	for i := range t.columns {
		dst = appendColumn(dst, &t.columns[i])
	}
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

func appendColumn(dst []byte, c *column) []byte {
	enc := c.enc
	if c.zstd {
		enc |= encZstd
	}
	dst = append(dst, c.kind, enc)
	if c.kind == columnMetadata {
		dst = appendBytes(dst, c.name)
	}
	dst = binary.AppendUvarint(dst, uint64(c.stored))
	if c.zstd {
		dst = binary.AppendUvarint(dst, uint64(c.raw))
	}
	return binary.LittleEndian.AppendUint32(dst, c.crc)
}

// DecodeTable reads what AppendTable wrote and checks everything that decoding relies on.
func DecodeTable(b []byte) (*Table, error) {
	if len(b) < 4 || checksum(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, corrupt("column table: wrong checksum")
	}
	c := &cursor{b: b[:len(b)-4]}
	t := &Table{}
	t.MinTime = model.Timestamp(c.varint())
	t.MaxTime = addSpan(c, t.MinTime, c.uvarint())
	t.Entries = uint32(c.length(EntriesMax))
	t.RawBytes = uint64(c.length(EntryBytesMax))
	t.LineBytes = uint64(c.length(t.RawBytes))
	t.Flags = Flags(c.length(math.MaxUint32))
	if c.bad || t.Entries == 0 || t.Flags&^flagsKnown != 0 || (t.RawBytes > RawBytesMax && t.Entries > 1) {
		return nil, corrupt("column table: counts out of range")
	}
	if err := decodeRuns(t, c); err != nil {
		return nil, err
	}
	if err := decodeLevelCounts(t, c); err != nil {
		return nil, err
	}
	if m := c.bytes(len(c.b)); len(m) > 0 {
		t.minutes = slices.Clone(m)
	}
	if err := decodeColumns(t, c); err != nil {
		return nil, err
	}
	if len(c.b) != 0 {
		return nil, corrupt("column table: %d bytes too many", len(c.b))
	}
	return t, nil
}

// addSpan returns t+span and fails the cursor when that is not a timestamp.
func addSpan(c *cursor, t model.Timestamp, span uint64) model.Timestamp {
	sum := model.Timestamp(uint64(t) + span)
	if span > uint64(math.MaxInt64)-uint64(t) { // wraps to the distance from t to the largest timestamp
		c.fail()
	}
	return sum
}

func decodeRuns(t *Table, c *cursor) error {
	n := c.length(uint64(min(int(t.Entries), len(c.b)))) // a run takes at least one entry and more than one byte
	t.Runs = make([]RunInfo, n)
	var ref int64
	var entries, raw uint64
	lo, hi := model.MaxTimestamp, model.MinTimestamp
	for i := range t.Runs {
		r := &t.Runs[i]
		ref += c.varint()
		r.Ref, r.First = model.StreamRef(ref), uint32(entries)
		r.Count = uint32(c.length(uint64(t.Entries)))
		r.RawBytes = uint64(c.length(t.RawBytes))
		r.MinTime = addSpan(c, t.MinTime, c.uvarint())
		r.MaxTime = addSpan(c, r.MinTime, c.uvarint())
		if c.bad || r.Count == 0 || ref < 0 || ref > math.MaxUint32 {
			return corrupt("run table: run %d out of range", i)
		}
		entries += uint64(r.Count)
		raw += r.RawBytes
		lo, hi = min(lo, r.MinTime), max(hi, r.MaxTime)
	}
	if c.bad || entries != uint64(t.Entries) || raw != t.RawBytes || lo != t.MinTime || hi != t.MaxTime {
		return corrupt("run table disagrees with the column table")
	}
	return nil
}

func decodeLevelCounts(t *Table, c *cursor) error {
	n := c.length(levelsInTable)
	if n == 0 {
		return nil
	}
	t.Levels = make([]LevelCount, n)
	var entries, bytes uint64
	for i := range t.Levels {
		l := &t.Levels[i]
		l.Level = decodeLevelName(c, levelNameMax)
		l.Entries = uint32(c.length(uint64(t.Entries)))
		l.Bytes = uint64(c.length(t.LineBytes))
		entries += uint64(l.Entries)
		bytes += l.Bytes
	}
	if c.bad || entries != uint64(t.Entries) || bytes != t.LineBytes {
		return corrupt("level counts disagree with the column table")
	}
	return nil
}

func decodeColumns(t *Table, c *cursor) error {
	n := c.length(KeyColumnsMax + 5) // every kind but metadata at most once
	if n > 0 && !c.bad {
		t.columns = make([]column, n)
	}
	var offset uint64
	for i := range t.columns {
		col := &t.columns[i]
		col.kind, col.enc = c.byte(), c.byte()
		col.zstd, col.enc = col.enc&encZstd != 0, col.enc&^encZstd
		if col.kind == columnMetadata {
			col.name = string(c.bytes(EntryBytesMax))
		}
		col.stored = uint32(c.length(2 * EntryBytesMax))
		col.raw = col.stored
		if col.zstd {
			col.raw = uint32(c.length(2 * EntryBytesMax))
		}
		col.crc = c.uint32()
		col.offset = uint32(offset)
		offset += uint64(col.stored)
		if c.bad || offset > math.MaxUint32 || uint64(col.raw) > t.pageBytesMax(col.kind) || !columnFollows(t.columns[:i], col) {
			return corrupt("column table: column %d out of range", i)
		}
	}
	times, lengths, lines := t.column(columnTime), t.column(columnLength), t.column(columnLines)
	if c.bad || times == nil || lengths == nil || lines == nil || uint64(lines.raw) != t.LineBytes {
		return corrupt("column table: a column is missing or has the wrong length")
	}
	if t.column(columnLevel) == nil && len(t.Levels) != 1 {
		return corrupt("column table: level column is missing")
	}
	return nil
}

// pageBytesMax bounds a decompressed page by what the table says the chunk holds: texts at most once, and a few bytes of
// lengths and codes for each entry and pair (a pair has at least one byte).
func (t *Table) pageBytesMax(kind uint8) uint64 {
	if kind == columnLines {
		return t.LineBytes
	}
	return 8*t.RawBytes + 16*uint64(t.Entries) + 8<<10
}

// columnFollows checks the order of columns: by kind, metadata by name, nothing twice.
func columnFollows(before []column, c *column) bool {
	if c.kind < columnTime || c.kind > columnLines {
		return false
	}
	if len(before) == 0 {
		return true
	}
	prev := &before[len(before)-1]
	if prev.kind == columnMetadata && c.kind == columnMetadata {
		return prev.name < c.name
	}
	return prev.kind < c.kind
}
