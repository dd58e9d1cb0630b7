package chunk

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Reader decodes columns. It is safe for concurrent use and holds no buffers. Every method verifies the checksum of what
// it reads and wraps ErrCorrupt when that or the format is wrong; other errors come from the io.ReaderAt.
type Reader struct {
	mem   []byte // all pages, or nil
	src   io.ReaderAt
	base  int64
	table *Table
	read  *PagesRead // nil: nobody counts
}

// PagesRead counts what a Reader reads.
type PagesRead struct {
	Pages       uint64
	Stored, Raw uint64 // bytes as they lie, and decompressed
}

// Counted returns a reader of the same chunk that counts into n. It is for one goroutine.
func (c *Reader) Counted(n *PagesRead) *Reader {
	counted := *c
	counted.read = n
	return &counted
}

// NewReader reads a chunk whose pages start at base in r.
func NewReader(r io.ReaderAt, base int64, t *Table) *Reader {
	return &Reader{src: r, base: base, table: t}
}

// Table describes the chunk.
func (c *Reader) Table() *Table { return c.table }

// Timestamps appends the time column to dst.
func (c *Reader) Timestamps(dst []model.Timestamp) ([]model.Timestamp, error) {
	n := len(dst)
	dst = slices.Grow(dst, int(c.table.Entries))[:n+int(c.table.Entries)]
	err := c.withPage(c.table.column(columnTime), func(col *column, cur *cursor) error {
		unit := cur.uvarint()
		if err := decodeInts(dst[n:], col.enc, cur, 0); err != nil {
			return err
		}
		return sumTimes(dst[n:], unit, c.table.Runs)
	})
	if err != nil {
		return dst[:n], fmt.Errorf("time column: %w", err)
	}
	return dst, nil
}

// LineEnds appends the end of each line in the buffer of Lines to dst; the lines are not read.
func (c *Reader) LineEnds(dst []uint32) ([]uint32, error) {
	n := len(dst)
	dst = slices.Grow(dst, int(c.table.Entries))[:n+int(c.table.Entries)]
	err := c.withPage(c.table.column(columnLength), func(col *column, cur *cursor) error {
		if err := decodeInts(dst[n:], col.enc, cur, c.table.LineBytes+1); err != nil {
			return err
		}
		return sumLengths(dst[n:], c.table.LineBytes)
	})
	if err != nil {
		return dst[:n], fmt.Errorf("length column: %w", err)
	}
	return dst, nil
}

// sumLengths turns lengths into ends, of which the last must be total.
func sumLengths(lengths []uint32, total uint64) error {
	var end uint64
	for i, l := range lengths {
		end += uint64(l)
		lengths[i] = uint32(end)
	}
	if end != total {
		return corrupt("lengths add up to %d, not %d", end, total)
	}
	return nil
}

// Lines appends all lines, joined, to dst.
func (c *Reader) Lines(dst []byte) ([]byte, error) {
	col := c.table.column(columnLines)
	if col.enc != linesJoined {
		return dst, corrupt("lines column: unknown encoding %d", col.enc)
	}
	buf := pageBuffers.Get().(*pageBuffer)
	defer buf.release()
	stored, err := c.stored(col, buf)
	if err != nil {
		return dst, fmt.Errorf("lines column: %w", err)
	}
	if !col.zstd {
		return append(dst, stored...), nil
	}
	if dst, err = decompress(dst, stored, int(col.raw)); err != nil {
		return dst, fmt.Errorf("lines column: %w", err)
	}
	return dst, nil
}

// Levels is a decoded level column: entry i has level Names[Codes[i]], "" when absent. When Table.Levels is not nil, Names
// are its levels in the same order.
type Levels struct {
	Names []string
	Codes []uint16
}

// Levels decodes the level column into dst, reusing its slices. Names stay valid for ever.
func (c *Reader) Levels(dst *Levels) error {
	t := c.table
	n := int(t.Entries)
	dst.Names, dst.Codes = dst.Names[:0], slices.Grow(dst.Codes[:0], n)[:n]
	col := t.column(columnLevel)
	if col == nil { // one level for all
		dst.Names = append(dst.Names, t.Levels[0].Level)
		clear(dst.Codes)
		return nil
	}
	err := c.withPage(col, func(col *column, cur *cursor) error { return decodeLevels(dst, t, cur) })
	if err != nil {
		return fmt.Errorf("level column: %w", err)
	}
	return nil
}

func decodeLevels(dst *Levels, t *Table, cur *cursor) error {
	count := cur.length(uint64(min(len(cur.b), int(t.Entries))))
	for i := range count {
		dst.Names = append(dst.Names, decodeLevelName(cur, len(cur.b)))
		if t.Levels != nil && (i >= len(t.Levels) || t.Levels[i].Level != dst.Names[i]) {
			return corrupt("levels disagree with the column table")
		}
	}
	if cur.bad || count == 0 || (t.Levels != nil && count != len(t.Levels)) {
		return corrupt("dictionary ends early")
	}
	return decodeFOR(dst.Codes, cur, uint64(count))
}

// pageBuffer is the space to read and decompress one page.
type pageBuffer struct{ stored, raw []byte }

var pageBuffers = sync.Pool{New: func() any { return new(pageBuffer) }}

// release returns the buffer to the pool unless a huge entry blew it up.
func (b *pageBuffer) release() {
	if cap(b.stored)+cap(b.raw) <= 4*RawBytesMax {
		pageBuffers.Put(b)
	}
}

// stored returns the bytes of a page as they lie, checked. They alias the chunk or buf.
func (c *Reader) stored(col *column, buf *pageBuffer) ([]byte, error) {
	var b []byte
	if c.src == nil {
		if uint64(col.offset)+uint64(col.stored) > uint64(len(c.mem)) {
			return nil, corrupt("page lies outside the chunk")
		}
		b = c.mem[col.offset:][:col.stored]
	} else {
		buf.stored = slices.Grow(buf.stored[:0], int(col.stored))[:col.stored]
		b = buf.stored
		if err := c.readAt(b, col.offset); err != nil {
			return nil, err
		}
	}
	if checksum(b) != col.crc {
		return nil, corrupt("page has a wrong checksum")
	}
	if c.read != nil {
		c.read.Pages++
		c.read.Stored += uint64(col.stored)
		c.read.Raw += uint64(col.raw)
	}
	return b, nil
}

// readAt fills b from the chunk's pages.
func (c *Reader) readAt(b []byte, offset uint32) error {
	n, err := c.src.ReadAt(b, c.base+int64(offset))
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt("page ends after %d of %d bytes", n, len(b))
	}
	return fmt.Errorf("read page: %w", err)
}

// withPage calls f with the decompressed page, which is valid during the call. f must read all of it.
func (c *Reader) withPage(col *column, f func(*column, *cursor) error) error {
	buf := pageBuffers.Get().(*pageBuffer)
	defer buf.release()
	b, err := c.stored(col, buf)
	if err != nil {
		return err
	}
	if col.zstd {
		buf.raw, err = decompress(buf.raw[:0], b, int(col.raw))
		if err != nil {
			return err
		}
		b = buf.raw
	}
	cur := cursor{b: b}
	if err := f(col, &cur); err != nil {
		return err
	}
	if cur.bad {
		return corrupt("page ends early")
	}
	if len(cur.b) != 0 {
		return corrupt("page has %d bytes too many", len(cur.b))
	}
	return nil
}

// Verify decodes every column and checks that all of them agree with the table.
func (c *Reader) Verify() error {
	t := c.table
	if _, err := c.Timestamps(nil); err != nil {
		return err
	}
	ends, err := c.LineEnds(nil)
	if err != nil {
		return err
	}
	lines, err := c.Lines(nil)
	if err != nil {
		return err
	}
	var levels Levels
	if err := c.Levels(&levels); err != nil {
		return err
	}
	var md Metadata
	md.UseLines(lines, ends)
	if err := c.Metadata(&md); err != nil {
		return err
	}
	if err := verifyBytes(t, ends, &levels, &md); err != nil {
		return err
	}
	if err := verifyLevels(t, ends, &levels); err != nil {
		return err
	}
	_, err = t.Minutes(nil)
	return err
}

// verifyBytes counts the raw bytes of each run again.
func verifyBytes(t *Table, ends []uint32, levels *Levels, md *Metadata) error {
	var pairs []model.Pair
	start := uint32(0)
	for ri := range t.Runs {
		r := &t.Runs[ri]
		var raw uint64
		for i := r.First; i < r.First+r.Count; i++ {
			pairs = md.Pairs(pairs[:0], int(i))
			e := model.Entry{Metadata: pairs, Level: levels.Names[levels.Codes[i]]}
			raw += uint64(ends[i]-start) + uint64(EntryBytes(e))
			start = ends[i]
		}
		if raw != r.RawBytes {
			return corrupt("run %d has %d bytes, its table says %d", ri, raw, r.RawBytes)
		}
	}
	return nil
}

func verifyLevels(t *Table, ends []uint32, levels *Levels) error {
	if t.Levels == nil {
		return nil
	}
	counts := make([]LevelCount, len(t.Levels))
	start := uint32(0)
	for i, code := range levels.Codes {
		counts[code].Entries++
		counts[code].Bytes += uint64(ends[i] - start)
		start = ends[i]
	}
	for i, l := range t.Levels {
		counts[i].Level = l.Level
		if counts[i] != l {
			return corrupt("level %q: counts differ from the table", l.Level)
		}
	}
	return nil
}
