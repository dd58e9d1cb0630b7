package chunk

import (
	"slices"
	"strings"
	"sync"
)

// An agent that takes an id out of a line into the metadata leaves it in the line as well. Encoding inline says where it
// stands there instead of holding it again: 16 bytes of a trace id become a bit or two. A text that comes before most of
// the values, like `"trace_id":"`, makes even their places all the same.
const (
	metaInline = 5 // presence, key, places behind the key as FOR, lengths as FOR, then the values that lines do not hold

	inlineValueMin   = 8  // bytes; shorter values are not searched for: packed they take about as little
	inlineSamples    = 16 // values that tell whether it is worth to look for the others
	inlineKeyMax     = 32 // bytes
	inlineKeyLetters = 2  // letters and digits that a key has at least, so that it is more than `: "`
	inlineSearches   = 16 // times that all searches of a chunk may read its lines: many columns must not stall a seal
	inlineSaves      = 2  // times that another encoding may be as large, and 64 bytes: it is read without the lines
	inlineSavesMin   = 64
	inlineGood       = 32 // a page of less than this part of its values is the best without a look at other encodings
)

// places is where the values of a column stand in their lines.
type places struct {
	offsets, lengths []int64
	missing          []string // values that their lines do not hold; their lengths are 0
	budget           int      // bytes of lines that may still be searched
}

// release forgets what belongs to the runs.
func (p *places) release() { clear(p.missing[:cap(p.missing)]) }

// total is the bytes of the values that lines hold.
func (p *places) total() (n int) {
	for _, l := range p.lengths {
		n += int(l)
	}
	return n
}

// inlinePage reports whether enough values stand in their lines, and then makes the page.
func (b *builder) inlinePage(values []string, present int) bool {
	p := &b.places
	if p.budget < 0 {
		return false
	}
	key, ok := b.sampleInline(values, present)
	if !ok {
		return false
	}
	p.offsets, p.lengths, p.missing = p.offsets[:0], p.lengths[:0], p.missing[:0]
	offset, end := 0, 0
	for i, v := range values {
		line := bytesString(b.lines[end:][:b.lengths[i]])
		end += len(line)
		if v == "" {
			continue
		}
		start, length := p.start(line, key), len(v)
		if at := p.find(line, v, start+offset); at >= 0 {
			offset = at - start
		} else {
			p.missing, length = append(p.missing, v), 0 // with the place of the one before, which costs least
		}
		p.offsets, p.lengths = append(p.offsets, int64(offset)), append(p.lengths, int64(length))
		if p.budget < 0 {
			return false
		}
	}
	b.page = appendPresence(b.page[:0], values, present)
	b.page = appendBytes(b.page, key)
	b.page = appendFOR(b.page, p.offsets)
	b.page = appendFOR(b.page, p.lengths)
	b.ints = b.ints[:0]
	for _, v := range p.missing {
		b.ints = append(b.ints, int64(len(v)))
	}
	b.page = appendFOR(b.page, b.ints)
	for _, v := range p.missing {
		b.page = append(b.page, v...)
	}
	return true
}

// sampleInline looks for some values all over the column, and returns what comes before them. Most of them must be found.
func (b *builder) sampleInline(values []string, present int) (key string, ok bool) {
	every := (present + inlineSamples - 1) / inlineSamples
	seen, samples, found, end := 0, 0, 0, 0
	for i, v := range values {
		line := bytesString(b.lines[end:][:b.lengths[i]])
		end += len(line)
		if v == "" {
			continue
		}
		if seen%every == 0 {
			samples++
			if at := b.places.find(line, v, -1); at >= 0 {
				before := line[max(0, at-inlineKeyMax):at]
				if found++; found > 1 {
					before = commonSuffix(before, key)
				}
				key = before
			}
		}
		seen++
	}
	return lastKey(key), 2*found > samples
}

func commonSuffix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return a[len(a)-n:]
}

// lastKey returns what stands directly before the values: the last word with the signs around it. What comes before that
// is not the same in every line, only in all samples.
func lastKey(text string) string {
	letters := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		case letters >= inlineKeyLetters && (c <= ' ' || strings.IndexByte(",;{&|", c) >= 0):
			return text[i:]
		}
	}
	if letters < inlineKeyLetters {
		return ""
	}
	return text
}

// find returns where in a line a value stands, at guess if it is there, or -1.
func (p *places) find(line, value string, guess int) int {
	if guess >= 0 && guess <= len(line) && strings.HasPrefix(line[guess:], value) {
		return guess
	}
	if len(value) < inlineValueMin {
		return -1
	}
	at := strings.Index(line, value)
	p.budget -= searched(line, value, at)
	return at
}

// start is inlineStart, paid from the budget.
func (p *places) start(line, key string) int {
	start := inlineStart(line, key)
	if key != "" {
		p.budget -= searched(line, "", start-1) // 0 is not found
	}
	return start
}

// searched is how much of a line was read to find a text at a place, or nowhere.
func searched(line, text string, at int) int {
	if at < 0 {
		return len(line)
	}
	return at + len(text)
}

// inlineStart is from where the place in a line counts: behind the first key, or from 0 without one.
func inlineStart(line, key string) int {
	if key != "" {
		if i := strings.Index(line, key); i >= 0 {
			return i + len(key)
		}
	}
	return 0
}

// lineText is the lines of a chunk, and the end of each.
type lineText struct {
	lines []byte
	ends  []uint32
}

// inlineBuffer is the space to decode columns inline.
type inlineBuffer struct {
	lineText
	read    bool // lineText is that of the chunk at work
	offsets []int64
	lengths []uint32
}

var inlineBuffers = sync.Pool{New: func() any { return new(inlineBuffer) }}

// release returns the buffer to the pool unless a huge entry blew it up.
func (b *inlineBuffer) release() {
	if cap(b.lines) <= 2*RawBytesMax {
		b.read = false
		inlineBuffers.Put(b)
	}
}

// linesFor returns the lines that columns inline point into: those given, or those of the chunk, which are read once.
func (c *Reader) linesFor(given lineText, buf *inlineBuffer) (lineText, error) {
	if len(given.ends) == int(c.table.Entries) && uint64(len(given.lines)) == c.table.LineBytes {
		return given, nil
	}
	if buf.read {
		return buf.lineText, nil
	}
	var err error
	if buf.ends, err = c.LineEnds(buf.ends[:0]); err != nil {
		return lineText{}, err
	}
	if buf.lines, err = c.Lines(buf.lines[:0]); err != nil {
		return lineText{}, err
	}
	buf.read = true
	return buf.lineText, nil
}

// decodeInline copies the values, at most limit bytes, out of the lines.
func (c *textColumn) decodeInline(cur *cursor, text lineText, buf *inlineBuffer, limit uint64) error {
	n := len(text.ends)
	c.kind, c.buf, c.ends, c.codes = textEach, c.buf[:0], c.ends[:0], c.codes[:0]
	bitmap, present := decodePresence(cur, n)
	key := bytesString(cur.bytes(inlineKeyMax))
	if cur.bad {
		return corrupt("presence or key is out of range")
	}
	buf.offsets = slices.Grow(buf.offsets[:0], present)[:present]
	buf.lengths = slices.Grow(buf.lengths[:0], 2*present)[:2*present]
	offsets, lengths := buf.offsets, buf.lengths[:present]
	if err := decodeFOR(offsets, cur, 0); err != nil {
		return err
	}
	if err := decodeFOR(lengths, cur, uint64(len(text.lines))+1); err != nil {
		return err
	}
	absent, total := 0, uint64(0)
	for _, l := range lengths {
		total += uint64(l)
		if l == 0 {
			absent++
		}
	}
	missing := buf.lengths[present:][:absent]
	if err := decodeFOR(missing, cur, uint64(len(cur.b))+1); err != nil {
		return err
	}
	if err := sumLengths(missing, uint64(len(cur.b))); err != nil {
		return err
	}
	rest := cur.take(len(cur.b))
	if total += uint64(len(rest)); total > limit {
		return corrupt("more text than the chunk has")
	}
	c.buf, c.ends = slices.Grow(c.buf, int(total)), slices.Grow(c.ends, n)
	from, first := uint32(0), uint32(0)
	for i, end := range text.ends {
		if has(bitmap, i) {
			if l := lengths[0]; l > 0 {
				line := text.lines[from:end]
				at, ok := inlinePlace(bytesString(line), key, offsets[0], int(l))
				if !ok {
					return corrupt("a value lies outside its line")
				}
				c.buf = append(c.buf, line[at:][:l]...)
			} else {
				c.buf = append(c.buf, rest[first:missing[0]]...)
				first, missing = missing[0], missing[1:]
			}
			offsets, lengths = offsets[1:], lengths[1:]
		}
		c.ends = append(c.ends, uint32(len(c.buf)))
		from = end
	}
	return nil
}

// inlinePlace returns where a value of that length begins in its line, and whether all of it lies there.
func inlinePlace(line, key string, offset int64, length int) (at int, ok bool) {
	if offset > int64(len(line)) || offset < -int64(len(line)) {
		return 0, false
	}
	at = inlineStart(line, key) + int(offset)
	return at, at >= 0 && at <= len(line)-length
}

// MetadataTakesLines reports whether decoding metadata of the names, or all of it when there are none, reads the lines. Who
// has them, or needs them anyway, hands them in by Metadata.UseLines.
func (t *Table) MetadataTakesLines(names ...string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool {
		return c.kind == columnMetadata && c.enc == metaInline && (len(names) == 0 || slices.Contains(names, c.name))
	})
}
