package pipeline

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// labelNameBytesMax bounds the names that parsers make. Nested objects have names as long as all that they stand in; what
// would be called longer is not extracted.
const labelNameBytesMax = 1024

// appendLabelName appends a key as a label's name, or as the next part of one: without white space around it, and with an
// underscore for each character that no such name has, and before a digit that would come first.
func appendLabelName(dst []byte, key string) []byte {
	key = strings.TrimSpace(key)
	if len(dst) == 0 && key != "" && '0' <= key[0] && key[0] <= '9' {
		dst = append(dst, '_')
	}
	for _, c := range key {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			dst = append(dst, byte(c))
		} else {
			dst = append(dst, '_')
		}
	}
	return dst
}

// appendNestedName appends a key to the name of the object that it stands in. A blank key is no part of the name.
func appendNestedName(dst []byte, key string) []byte {
	if len(dst) > 0 && strings.TrimSpace(key) != "" {
		dst = append(dst, '_')
	}
	return appendLabelName(dst, key)
}

// foundName is a name under which a parser finds values, and what is known of it.
type foundName struct {
	text     string
	wanted   bool       // under this name; else only with the suffix
	suffixed *foundName // what it is called when the name is taken; nil: not needed yet
	inStream bool       // whether the stream that was numbered so has it
	stream   uint64
	row      uint64 // the last one that it was made in
}

// finder makes the labels of one parser. It remembers the names from entry to entry, so that a value that is found costs
// neither a search nor an allocation.
type finder struct {
	wanted *wanted
	names  map[string]*foundName
	row    uint64
	before int // how many own labels the row had when the parser began
	// lengths has a bit for the length of each of their names, modulo 64: most names are not among them at a glance.
	lengths uint64
	// many has the indexes of those labels by name when there are more than labelsListMax: the second of two parsers of a
	// line with ten thousand keys would else compare each name with each. Nil: there are few.
	many   map[string]int
	spare  map[string]int // many of an earlier entry
	reused []int          // the labels among those before that the parser made its own: they had been removed
	// waits is how many labels that somebody reads may still be made. At 0 the parser may stop: what it would make nobody
	// reads, and of what it cannot read nobody hears (see parserOp). It is never 0 when everything is read, or errors are.
	waits  int
	open   []string // what labels of the stream leave to wait for
	openOf uint64   // the number of that stream
}

// labelsListMax is how many labels are compared one by one.
const labelsListMax = 64

// made is how many labels a parser had made at some point.
type made struct{ own, reused int }

func (f *finder) prepare(w *wanted) {
	f.wanted = w
	f.waits, f.openOf = math.MaxInt, 0
	f.names = map[string]*foundName{}
}

// begin is called before the labels of an entry are made.
func (f *finder) begin(r *row) {
	f.row++
	f.before, f.reused = len(r.own), f.reused[:0]
	f.lengths = 0
	for i := range r.own {
		f.lengths |= 1 << (len(r.own[i].Name) & 63)
	}
	f.many = nil
	if f.before > labelsListMax {
		f.many = numbered(f.spare, r.own)
		f.spare = f.many
	} else if len(f.spare) > jsonKeysMax {
		f.spare = nil
	}
	if f.wanted.all || f.wanted.errors {
		return
	}
	if f.openOf != r.streamNumber {
		f.open, f.openOf = f.wanted.open(f.open[:0], r.stream), r.streamNumber
	}
	f.waits = waiting(r, f.open)
}

// numbered returns the indexes of labels by name, in the map when there is one. It must be called anew before the batch ends:
// the names live no longer.
func numbered(m map[string]int, list []Label) map[string]int {
	if m == nil {
		m = make(map[string]int, len(list))
	}
	clear(m)
	for i := range list {
		m[list[i].Name] = i
	}
	return m
}

func (f *finder) mark(r *row) made { return made{own: len(r.own), reused: len(f.reused)} }

// rollBack takes back what was made since. No more labels may be made of this entry by this parser.
func (f *finder) rollBack(r *row, m made) {
	r.own = r.own[:m.own]
	for _, i := range f.reused[m.reused:] {
		r.own[i] = Label{Name: r.own[i].Name, gone: true}
	}
}

// name returns what is known of a name, nil when nobody would read such a label.
func (f *finder) name(text []byte) *foundName {
	if n, ok := f.names[string(text)]; ok {
		return n
	}
	if len(text) == 0 || len(text) > labelNameBytesMax || !f.wanted.mayWant(string(text)) {
		return nil
	}
	return f.remember(string(text))
}

// remember returns what is known of a name, read or not.
func (f *finder) remember(text string) *foundName {
	n, ok := f.names[text]
	if !ok {
		own := text == ErrorLabel || text == ErrorDetailsLabel // made by the pipeline itself
		n = &foundName{text: text, wanted: f.wanted.wants(text) && !own}
		f.names[text] = n
	}
	return n
}

// claim makes a label under the name, and returns it for its value to be filled in. Where the stream or the structured
// metadata has the name, be it removed from the stream, the label is called name_extracted. It returns nil when the label
// exists, made by this or an earlier stage, or is one that nobody reads.
func (f *finder) claim(r *row, n *foundName) *Label {
	if f.before == 0 && n.stream == r.streamNumber && !n.inStream && n.row != f.row && n.wanted { // as a rule
		n.row = f.row
		f.waits--
		return r.add(n.text, true)
	}
	i := f.findBefore(r, n)
	if f.clashes(r, n, i) {
		n = f.suffix(n)
		i = f.findBefore(r, n)
	}
	if n.row == f.row || !n.wanted {
		return nil
	}
	if i < 0 {
		n.row = f.row
		f.waits--
		return r.add(n.text, true)
	}
	if r.own[i].Parsed {
		return nil
	}
	f.waits--
	f.reused = append(f.reused, i)
	r.own[i] = Label{Name: n.text, Parsed: true}
	return &r.own[i]
}

// taken reports whether the stream or the structured metadata has the name, and if so, whether an earlier stage has made
// the label that it gives way to.
func (f *finder) taken(r *row, n *foundName) (clashes, made bool) {
	if !f.clashes(r, n, r.find(n.text)) {
		return false, false
	}
	i := f.findBefore(r, f.suffix(n))
	return true, i >= 0 && r.own[i].Parsed
}

// replace gives the label under the name a value, whichever stage made it before. Where the stream or the structured
// metadata has the name it is the label name_extracted.
func (f *finder) replace(r *row, n *foundName, value string) {
	if f.clashes(r, n, r.find(n.text)) {
		n = f.suffix(n)
	}
	if n.wanted {
		r.set(n.text, value)
	}
}

func (f *finder) suffix(n *foundName) *foundName {
	if n.suffixed == nil {
		n.suffixed = f.remember(n.text + ExtractedSuffix)
	}
	return n.suffixed
}

// findBefore is row.find among the labels that were there before the parser began.
func (f *finder) findBefore(r *row, n *foundName) int {
	if f.lengths>>(len(n.text)&63)&1 == 0 {
		return -1
	}
	if f.many != nil {
		if i, ok := f.many[n.text]; ok {
			return i
		}
		return -1
	}
	for i := range r.own[:f.before] {
		if r.own[i].Name == n.text {
			return i
		}
	}
	return -1
}

func (f *finder) clashes(r *row, n *foundName, i int) bool {
	if i >= 0 && !r.own[i].Parsed && !r.own[i].gone {
		return true
	}
	if n.stream != r.streamNumber {
		n.stream = r.streamNumber
		n.inStream = r.stream.Get(n.text) != ""
	}
	return n.inStream
}

// Eight bytes at a time.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// zeroBytes has the high bit set of each byte that is 0 in w; of those above the lowest such, perhaps of others, too.
func zeroBytes(w uint64) uint64 { return (w - eachByte) &^ w & highBits }

// bytesOf returns the bytes of a text, not to be written to.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // read only
}

// keyToken is a text that is expected at some place of many lines, and is compared in words.
type keyToken struct {
	text        string
	first, last uint64 // eight bytes each; first under the mask, last only when there are more than eight
	mask        uint64
}

func newKeyToken(text string) keyToken {
	t := keyToken{text: text, mask: ^uint64(0)}
	var first [8]byte
	n := copy(first[:], text)
	t.first = binary.LittleEndian.Uint64(first[:])
	if n < 8 {
		t.mask = 1<<(8*n) - 1
	} else {
		t.last = binary.LittleEndian.Uint64([]byte(text[len(text)-8:]))
	}
	return t
}

// begins reports whether the text stands at i.
func (t *keyToken) begins(b []byte, i int) bool {
	n := len(t.text)
	if i+max(n, 8) > len(b) {
		return n <= len(b)-i && string(b[i:i+n]) == t.text
	}
	if binary.LittleEndian.Uint64(b[i:])&t.mask != t.first {
		return false
	}
	return n <= 8 || binary.LittleEndian.Uint64(b[i+n-8:]) == t.last && (n <= 16 || string(b[i:i+n]) == t.text)
}

// isPlain reports whether a text is ASCII without a backslash: neither escaped nor possibly invalid.
func isPlain(s string) bool {
	b := bytesOf(s)
	if len(b) < 8 {
		for _, c := range b {
			if c >= utf8.RuneSelf || c == '\\' {
				return false
			}
		}
		return true
	}
	special := uint64(0)
	for i := 0; i < len(b)-8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		special |= w&highBits | zeroBytes(w^'\\'*eachByte)
	}
	w := binary.LittleEndian.Uint64(b[len(b)-8:])
	return special|w&highBits|zeroBytes(w^'\\'*eachByte) == 0
}

// validText returns the text with a space for each byte that is not UTF-8, and for each replacement character, which stands
// for such a byte.
func validText(r *row, s string) string {
	if !strings.ContainsRune(s, utf8.RuneError) {
		return s
	}
	valid := r.scratch[:0]
	for _, c := range s {
		if c == utf8.RuneError {
			c = ' '
		}
		valid = utf8.AppendRune(valid, c)
	}
	r.scratch = valid
	return r.text(valid)
}
