package chunk

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Metadata holds decoded metadata columns, and the buffers to decode the next ones into. The zero value is ready.
type Metadata struct {
	columns []textColumn // by name
	names   []string     // of overflow pairs
	pairs   []overflowPair
	ends    []uint32 // end of each entry's overflow pairs; nil when there are none
	values  []byte
	lengths []uint32
	given   lineText // by UseLines
}

// textColumn is one column as text: value i is text number codes[i], or i without codes. Text k ends at ends[k].
type textColumn struct {
	name  string
	kind  uint8 // textEach, textDict, textConst
	codes []uint16
	ends  []uint32
	buf   []byte
}

const (
	textEach  = iota // one text for each entry
	textDict         // codes say which
	textConst        // the same for all
)

type overflowPair struct{ name, start, end uint32 }

func (c *textColumn) value(i int) string {
	switch c.kind {
	case textDict:
		i = int(c.codes[i])
	case textConst:
		return bytesString(c.buf)
	}
	start := uint32(0)
	if i > 0 {
		start = c.ends[i-1]
	}
	return bytesString(c.buf[start:c.ends[i]])
}

// Pairs appends the decoded pairs of entry i to dst, sorted by name. They are valid until m is decoded into again.
func (m *Metadata) Pairs(dst []model.Pair, i int) []model.Pair {
	first := len(dst)
	for k := range m.columns {
		if v := m.columns[k].value(i); v != "" {
			dst = append(dst, model.Pair{Name: m.columns[k].name, Value: v})
		}
	}
	extra := m.overflow(i)
	if len(extra) == 0 {
		return dst
	}
	for _, p := range extra {
		dst = append(dst, model.Pair{Name: m.names[p.name], Value: bytesString(m.values[p.start:p.end])})
	}
	slices.SortStableFunc(dst[first:], func(a, b model.Pair) int { return cmp.Compare(a.Name, b.Name) })
	return dst
}

// Value returns the (first) value of one decoded name in entry i, "" when absent. Valid until m is decoded into again.
func (m *Metadata) Value(name string, i int) string {
	k, ok := slices.BinarySearchFunc(m.columns, name, func(c textColumn, n string) int { return cmp.Compare(c.name, n) })
	if ok {
		if v := m.columns[k].value(i); v != "" {
			return v
		}
	}
	for _, p := range m.overflow(i) {
		if m.names[p.name] == name {
			return bytesString(m.values[p.start:p.end])
		}
	}
	return ""
}

func (m *Metadata) overflow(i int) []overflowPair {
	if len(m.ends) == 0 {
		return nil
	}
	start := uint32(0)
	if i > 0 {
		start = m.ends[i-1]
	}
	return m.pairs[start:m.ends[i]]
}

// UseLines hands in the lines, and their ends, of the chunk whose metadata is decoded next, so that Reader.Metadata need not
// decode them for values that stand there. They are read by that one call and not kept.
func (m *Metadata) UseLines(lines []byte, ends []uint32) {
	m.given = lineText{lines: lines, ends: ends}
}

// Metadata decodes metadata into dst, reusing its buffers: that of the given names, or all of it when there are none.
func (c *Reader) Metadata(dst *Metadata, names ...string) error {
	given := dst.given
	dst.given = lineText{}
	buf := inlineBuffers.Get().(*inlineBuffer)
	defer buf.release()
	spare := dst.columns[:cap(dst.columns)]
	dst.columns, dst.names, dst.pairs, dst.ends = dst.columns[:0], dst.names[:0], dst.pairs[:0], dst.ends[:0]
	texts := c.table.RawBytes // what the columns that are not dictionaries may decode to, all together
	for i := range c.table.columns {
		col := &c.table.columns[i]
		switch {
		case col.kind == columnMetadata && (len(names) == 0 || slices.Contains(names, col.name)):
			var into textColumn
			if k := len(dst.columns); k < len(spare) {
				into = spare[k]
			}
			into.name = col.name
			if err := c.metadataColumn(&into, col, given, buf, texts); err != nil {
				return fmt.Errorf("metadata column %q: %w", col.name, err)
			}
			if into.kind == textEach {
				texts -= uint64(len(into.buf))
			}
			dst.columns = append(dst.columns, into)
		case col.kind == columnOverflow:
			if err := c.withPage(col, func(_ *column, cur *cursor) error { return dst.decodeOverflow(cur, c.table, names) }); err != nil {
				return fmt.Errorf("metadata overflow column: %w", err)
			}
		}
	}
	return nil
}

// metadataColumn decodes one column, of at most texts bytes when it is not a dictionary.
func (c *Reader) metadataColumn(into *textColumn, col *column, given lineText, buf *inlineBuffer, texts uint64) error {
	if col.enc == metaInline {
		text, err := c.linesFor(given, buf)
		if err != nil {
			return err
		}
		return c.withPage(col, func(_ *column, cur *cursor) error { return into.decodeInline(cur, text, buf, texts) })
	}
	if err := c.withPage(col, func(col *column, cur *cursor) error { return into.decode(col, cur, c.table) }); err != nil {
		return err
	}
	if into.kind == textEach && uint64(len(into.buf)) > texts {
		return corrupt("more text than the chunk has")
	}
	return nil
}

func (c *textColumn) decode(col *column, cur *cursor, t *Table) error {
	n := int(t.Entries)
	c.buf, c.ends, c.codes = c.buf[:0], c.ends[:0], c.codes[:0]
	switch col.enc {
	case metaConst:
		c.kind = textConst
		c.buf = append(c.buf, cur.take(len(cur.b))...)
	case metaDict:
		c.kind = textDict
		count := cur.length(dictValuesMax)
		for range count {
			c.buf = append(c.buf, cur.bytes(len(cur.b))...)
			c.ends = append(c.ends, uint32(len(c.buf)))
		}
		if cur.bad || count == 0 {
			return corrupt("dictionary ends early")
		}
		c.codes = slices.Grow(c.codes, n)[:n]
		return decodeFOR(c.codes, cur, uint64(count))
	case metaInt:
		c.kind = textEach
		return c.decodeInts(cur, n)
	case metaHex:
		c.kind = textEach
		return c.decodeHex(cur, n)
	case metaText:
		c.kind = textEach
		c.ends = slices.Grow(c.ends, n)[:n]
		if err := decodeFOR(c.ends, cur, uint64(len(cur.b))+1); err != nil {
			return err
		}
		if err := sumLengths(c.ends, uint64(len(cur.b))); err != nil {
			return err
		}
		c.buf = append(c.buf, cur.take(len(cur.b))...)
	default:
		return corrupt("unknown metadata encoding %d", col.enc)
	}
	return nil
}

// decodePresence returns a bitmap of the entries that have a value, nil when all have, and how many have.
func decodePresence(cur *cursor, n int) (bitmap []byte, present int) {
	switch cur.byte() {
	case 0:
		return nil, n
	case 1:
		bitmap = cur.take((n + 7) / 8)
		for _, b := range bitmap {
			present += bits.OnesCount8(b)
		}
		if !cur.bad && n&7 != 0 && bitmap[len(bitmap)-1]>>(n&7) != 0 {
			cur.fail() // a bit beyond the last entry
		}
		return bitmap, present
	}
	cur.fail()
	return nil, 0
}

func has(bitmap []byte, i int) bool { return bitmap == nil || bitmap[i>>3]>>(i&7)&1 != 0 }

func (c *textColumn) decodeInts(cur *cursor, n int) error {
	bitmap, present := decodePresence(cur, n)
	if cur.bad {
		return corrupt("presence is out of range")
	}
	ints := make([]int64, present)
	if err := decodeFOR(ints, cur, 0); err != nil {
		return err
	}
	for i := range n {
		if has(bitmap, i) {
			c.buf = strconv.AppendInt(c.buf, ints[0], 10)
			ints = ints[1:]
		}
		c.ends = append(c.ends, uint32(len(c.buf)))
	}
	return nil
}

func (c *textColumn) decodeHex(cur *cursor, n int) error {
	bitmap, present := decodePresence(cur, n)
	digits := cur.length(hexMax)
	packed := cur.take(present * digits / 2)
	if cur.bad || digits == 0 || digits%2 != 0 {
		return corrupt("hex column is out of range")
	}
	c.buf = hex.AppendEncode(c.buf, packed)
	end := 0
	for i := range n {
		if has(bitmap, i) {
			end += digits
		}
		c.ends = append(c.ends, uint32(end))
	}
	return nil
}

// decodeOverflow decodes the pairs of the given names, of all when there are none.
func (m *Metadata) decodeOverflow(cur *cursor, t *Table, names []string) error {
	count := cur.length(uint64(len(cur.b)))
	var wanted []bool
	for range count {
		m.names = append(m.names, string(cur.bytes(len(cur.b))))
		wanted = append(wanted, len(names) == 0 || slices.Contains(names, m.names[len(m.names)-1]))
		if cur.bad {
			return corrupt("names end early")
		}
	}
	if count == 0 {
		return corrupt("no names")
	}
	m.ends = slices.Grow(m.ends, int(t.Entries))[:t.Entries]
	if err := decodeFOR(m.ends, cur, t.RawBytes+1); err != nil {
		return err
	}
	total := cur.length(t.RawBytes) // a pair has at least one byte
	if err := sumLengths(m.ends, uint64(total)); err != nil {
		return err
	}
	// 2*128 values take at least 2 bytes, so what is allocated here stays in proportion to the page.
	if total > (len(cur.b)+1)*forBlock {
		return corrupt("more pairs than the page can hold")
	}
	m.lengths = slices.Grow(m.lengths[:0], 2*total)[:2*total]
	nameOf, lengths := m.lengths[:total], m.lengths[total:]
	if err := decodeFOR(nameOf, cur, uint64(count)); err != nil {
		return err
	}
	if err := decodeFOR(lengths, cur, t.RawBytes+1); err != nil {
		return err
	}
	if err := sumLengths(lengths, uint64(len(cur.b))); err != nil {
		return err
	}
	m.values = append(m.values[:0], cur.take(len(cur.b))...)
	m.keep(nameOf, lengths, wanted)
	return nil
}

// keep makes the pairs of wanted names, and moves the ends of entries accordingly.
func (m *Metadata) keep(nameOf, ends []uint32, wanted []bool) {
	k, start := 0, uint32(0)
	for i, last := range m.ends {
		for ; k < int(last); k++ {
			if wanted[nameOf[k]] {
				m.pairs = append(m.pairs, overflowPair{name: nameOf[k], start: start, end: ends[k]})
			}
			start = ends[k]
		}
		m.ends[i] = uint32(len(m.pairs))
	}
}
