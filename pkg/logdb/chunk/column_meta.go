package chunk

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
)

// Encodings of a metadata key's page. An absent value is the empty one: a pair never has an empty value.
const (
	metaConst = 0 // the value that every entry has
	metaDict  = 1 // count, values behind their lengths, codes as FOR
	metaInt   = 2 // presence, then the integers that the values spell in plain decimal, as FOR
	metaHex   = 3 // presence, count of digits, then lower-case hex digits of that length packed two to a byte
	metaText  = 4 // lengths as FOR, then the values joined

	intTextMax = 20      // bytes of the longest int64 in decimal
	hexMax     = 1 << 10 // digits; ids are far shorter
)

// cell is one metadata pair of one entry.
type cell struct {
	name, entry uint32
	value       string
}

// cells collects the metadata of a chunk while it is encoded.
type cells struct {
	codes map[string]uint32
	names []string
	list  []cell

	dense  []string // one value for each entry, of the column at work
	sorted []cell
	dict   map[string]int64
}

func (s *cells) reset() {
	clear(s.codes)
	s.names, s.list = s.names[:0], s.list[:0]
}

func (s *cells) release() {
	s.reset()
	clear(s.names[:cap(s.names)])
	clear(s.list[:cap(s.list)])
	clear(s.dense[:cap(s.dense)])
	clear(s.sorted[:cap(s.sorted)])
	clear(s.dict)
}

const nameUnmapped = math.MaxUint32

// mapping returns a table, to be filled by add, from the view's name codes to the chunk's.
func (s *cells) mapping(v *View) []uint32 {
	m := make([]uint32, len(v.names))
	for i := range m {
		m[i] = nameUnmapped
	}
	return m
}

// add collects the pairs of one entry and returns their raw bytes.
func (s *cells) add(entry uint32, v *View, mapping []uint32, pairs []pair) (raw uint64) {
	for _, p := range pairs {
		name := v.names[p.name]
		if mapping[p.name] == nameUnmapped {
			code, ok := s.codes[name]
			if !ok {
				if s.codes == nil {
					s.codes = make(map[string]uint32)
				}
				code = uint32(len(s.names))
				s.names = append(s.names, name)
				s.codes[name] = code
			}
			mapping[p.name] = code
		}
		value := bytesString(v.values[p.start:p.end])
		s.list = append(s.list, cell{name: mapping[p.name], entry: entry, value: value})
		raw += uint64(len(name) + len(value))
	}
	return raw
}

// split returns the cells of each key column, columns by name and cells by entry, and the rest by entry: cells of names
// beyond the KeyColumnsMax most frequent, and a name's second value in the same entry.
func (s *cells) split() (columns [][]cell, overflow []cell) {
	counts := make([]int, len(s.names))
	for _, c := range s.list {
		counts[c.name]++
	}
	order := make([]uint32, len(s.names))
	for i := range order {
		order[i] = uint32(i)
	}
	byName := func(a, b uint32) int { return cmp.Compare(s.names[a], s.names[b]) }
	if len(order) > KeyColumnsMax {
		slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), byName(a, b)) })
		order = order[:KeyColumnsMax]
	}
	slices.SortFunc(order, byName)

	place := make([]int, len(s.names)) // column of each name + 1
	starts := make([]int, len(order)+1)
	for i, name := range order {
		place[name] = i + 1
		starts[i+1] = starts[i] + counts[name]
	}
	s.sorted = slices.Grow(s.sorted[:0], starts[len(order)])[:starts[len(order)]]
	ends := slices.Clone(starts[:len(order)])
	for _, c := range s.list {
		i := place[c.name] - 1
		if i < 0 || (ends[i] > starts[i] && s.sorted[ends[i]-1].entry == c.entry) {
			overflow = append(overflow, c)
			continue
		}
		s.sorted[ends[i]] = c
		ends[i]++
	}
	for i := range order {
		columns = append(columns, s.sorted[starts[i]:ends[i]])
	}
	return columns, overflow
}

// metadataPages adds a page for each key column and one for the rest.
func (b *builder) metadataPages() {
	if len(b.cells.list) == 0 {
		return
	}
	columns, overflow := b.cells.split()
	dense := slices.Grow(b.cells.dense[:0], len(b.times))[:len(b.times)]
	b.cells.dense = dense
	b.places.budget = inlineSearches * len(b.lines)
	for _, col := range columns {
		clear(dense)
		for _, c := range col {
			dense[c.entry] = c.value
		}
		b.metadataPage(column{kind: columnMetadata, name: b.cells.names[col[0].name]}, dense, len(col))
	}
	if len(overflow) > 0 {
		b.overflowPage(overflow)
	}
}

// metadataPage adds one key's values, present of them not empty, in the encoding that takes the fewest bytes.
func (b *builder) metadataPage(c column, values []string, present int) {
	dict := b.dictionary(values)
	if len(dict) == 1 {
		c.enc = metaConst
		b.packPage(c, []byte(values[0]))
		return
	}
	start := len(b.pages)
	best := column{raw: math.MaxUint32}
	try := func(enc uint8) {
		c.enc = enc
		at := len(b.pages)
		b.packPage(c, b.page)
		made := b.columns[len(b.columns)-1]
		b.columns = b.columns[:len(b.columns)-1]
		limit := best.stored
		if best.enc == metaInline {
			limit = inlineSaves*limit + inlineSavesMin
		}
		if best.raw == math.MaxUint32 || made.stored < limit {
			b.pages = b.pages[:start+copy(b.pages[start:], b.pages[at:])]
			best = made
			best.offset = uint32(start)
			return
		}
		b.pages = b.pages[:at]
	}
	few := dict != nil && len(dict)*4 <= present // distinct values: nothing beats the dictionary
	if !few && b.inlinePage(values, present) {
		try(metaInline)
		if int(best.stored)*inlineGood < b.places.total() {
			b.columns = append(b.columns, best)
			return
		}
	}
	if dict != nil {
		b.dictPage(values, dict)
		try(metaDict)
	}
	if !few {
		isHex := b.hexPage(values, present)
		if isHex {
			try(metaHex)
		}
		if b.intTextPage(values, present) {
			try(metaInt)
		}
		if !isHex {
			b.textPage(values)
			try(metaText)
		}
	}
	b.columns = append(b.columns, best)
}

// dictionary numbers the distinct values, the absent one included, in order of appearance; nil when there are too many.
func (b *builder) dictionary(values []string) map[string]int64 {
	if b.cells.dict == nil {
		b.cells.dict = make(map[string]int64, dictValuesMax)
	}
	dict := b.cells.dict
	clear(dict)
	last := ""
	for i, v := range values {
		if i > 0 && v == last {
			continue
		}
		last = v
		if _, ok := dict[v]; ok {
			continue
		}
		if len(dict) == dictValuesMax {
			return nil
		}
		dict[v] = int64(len(dict))
	}
	return dict
}

func (b *builder) dictPage(values []string, dict map[string]int64) {
	names := make([]string, len(dict))
	for v, code := range dict {
		names[code] = v
	}
	b.page = binary.AppendUvarint(b.page[:0], uint64(len(names)))
	for _, v := range names {
		b.page = appendBytes(b.page, v)
	}
	b.ints = b.ints[:0]
	for _, v := range values {
		b.ints = append(b.ints, dict[v])
	}
	b.page = appendFOR(b.page, b.ints)
}

func appendPresence(dst []byte, values []string, present int) []byte {
	if present == len(values) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	start := len(dst)
	dst = append(dst, make([]byte, (len(values)+7)/8)...)
	for i, v := range values {
		if v != "" {
			dst[start+i>>3] |= 1 << (i & 7)
		}
	}
	return dst
}

// hexPage reports whether all values present are lower-case hex of one even length, and then makes the page.
func (b *builder) hexPage(values []string, present int) bool {
	digits := 0
	for _, v := range values {
		if v == "" {
			continue
		}
		if digits == 0 {
			digits = len(v)
		}
		if len(v) != digits || digits%2 != 0 || digits > hexMax || !lowerHex(v) {
			return false
		}
	}
	b.page = appendPresence(b.page[:0], values, present)
	b.page = binary.AppendUvarint(b.page, uint64(digits))
	for _, v := range values {
		b.page, _ = hex.AppendDecode(b.page, []byte(v)) // cannot fail: checked above
	}
	return true
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// intTextPage reports whether all values present are integers as strconv prints them, and then makes the page.
func (b *builder) intTextPage(values []string, present int) bool {
	b.ints = b.ints[:0]
	var text [intTextMax]byte
	for _, v := range values {
		if v == "" {
			continue
		}
		if len(v) > intTextMax {
			return false
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || string(strconv.AppendInt(text[:0], n, 10)) != v { // "+1", "007", "-0"
			return false
		}
		b.ints = append(b.ints, n)
	}
	b.page = appendPresence(b.page[:0], values, present)
	b.page = appendFOR(b.page, b.ints)
	return true
}

func (b *builder) textPage(values []string) {
	b.ints = b.ints[:0]
	for _, v := range values {
		b.ints = append(b.ints, int64(len(v)))
	}
	b.page = appendFOR(b.page[:0], b.ints)
	for _, v := range values {
		b.page = append(b.page, v...)
	}
}

// overflowPage adds the pairs without a column: the names behind their lengths, the count of pairs of each entry, the
// total, name numbers, value lengths (all as FOR), then the values joined.
func (b *builder) overflowPage(pairs []cell) {
	counts := make([]int64, len(b.times))
	codes := make(map[uint32]int64)
	var names []string
	nameOf, lengths := make([]int64, 0, len(pairs)), make([]int64, 0, len(pairs))
	for _, p := range pairs {
		code, ok := codes[p.name]
		if !ok {
			code = int64(len(names))
			codes[p.name] = code
			names = append(names, b.cells.names[p.name])
		}
		counts[p.entry]++
		nameOf, lengths = append(nameOf, code), append(lengths, int64(len(p.value)))
	}
	b.page = binary.AppendUvarint(b.page[:0], uint64(len(names)))
	for _, n := range names {
		b.page = appendBytes(b.page, n)
	}
	b.page = appendFOR(b.page, counts)
	b.page = binary.AppendUvarint(b.page, uint64(len(pairs)))
	b.page = appendFOR(b.page, nameOf)
	b.page = appendFOR(b.page, lengths)
	for _, p := range pairs {
		b.page = append(b.page, p.value...)
	}
	b.packPage(column{kind: columnOverflow}, b.page)
}
