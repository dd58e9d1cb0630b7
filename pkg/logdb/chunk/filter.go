package chunk

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Kinds of filter, in its trailer.
const (
	filterFormat   = 1
	filterText     = 1 // over the lines
	filterMetadata = 2

	// filterTrailer is a whole line, so that filters which lie side by side in memory have their lines on those of the cache.
	filterTrailer = bloomLine
	filterZeros   = filterTrailer - 8 // then format u8 | kind u8 | flags u16 | crc32c u32
)

// Flags of a substring filter.
const (
	// filterExotic: some line holds U+212A or U+017F, which (?i) takes for k and s.
	filterExotic uint16 = 1 << iota
	// filterOpen: the filter knows nothing.
	filterOpen

	filterFlagsKnown = filterExotic | filterOpen
)

// The letters outside of ASCII that fold to k and s.
const (
	kelvinSign = "\u212a"
	longS      = "\u017f"
)

// Filter tells for a chunk that no line of it contains a text. The zero value knows nothing: nothing can be skipped by it. It
// is a value to be copied and safe for concurrent use.
type Filter struct {
	raw   []byte // bloom lines, then the trailer
	flags uint16
}

// OpenFilter reads a filter and checks it. The bytes are kept and must not be changed.
func OpenFilter(b []byte) (Filter, error) {
	flags, err := checkFilter(b, filterText)
	if err == nil && flags&^filterFlagsKnown != 0 {
		err = corrupt("filter: unknown flags %#x", flags)
	}
	if err != nil {
		return Filter{}, err
	}
	return Filter{raw: b, flags: flags}, nil
}

// Bytes returns the stored form. It must not be changed.
func (f Filter) Bytes() []byte { return f.raw }

// knowsNothing reports whether nothing can be skipped.
func (f Filter) knowsNothing() bool { return len(f.raw) == 0 || f.flags&filterOpen != 0 }

func (f Filter) bloom() bloom { return bloom(f.raw[:len(f.raw)-filterTrailer]) }

// checkFilter checks everything that reading a filter relies on.
func checkFilter(b []byte, kind uint8) (flags uint16, err error) {
	n := len(b) - filterTrailer
	if n < 0 || n%bloomLine != 0 {
		return 0, corrupt("filter of %d bytes", len(b))
	}
	if checksum(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return 0, corrupt("filter has a wrong checksum")
	}
	zeros, t := b[n:n+filterZeros], b[n+filterZeros:]
	if t[0] != filterFormat || t[1] != kind || slices.ContainsFunc(zeros, func(c byte) bool { return c != 0 }) {
		return 0, corrupt("filter has format %d and kind %d, want %d and %d", t[0], t[1], filterFormat, kind)
	}
	return binary.LittleEndian.Uint16(t[2:]), nil
}

// newBloom returns an empty bloom with room for the trailer.
func newBloom(lines int) bloom { return make(bloom, lines*bloomLine, lines*bloomLine+filterTrailer) }

// seal puts the trailer behind the bloom.
func (b bloom) seal(kind uint8, flags uint16) []byte {
	b = append(b, make([]byte, filterZeros)...)
	b = append(b, filterFormat, kind)
	b = binary.LittleEndian.AppendUint16(b, flags)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// makeFilter builds the filter over lines that lie joined in text, each as long as lengths says. pagesBytes is the size of
// the chunk's pages, with which the filter has to keep proportion.
func makeFilter[T int64 | uint32](text []byte, lengths []T, pagesBytes int) Filter {
	if len(text) > filterTextMax {
		return Filter{raw: newBloom(0).seal(filterText, filterOpen), flags: filterOpen}
	}
	x := keyers.Get().(*keyer)
	defer x.release()
	x.reset(len(text))
	start := 0
	for _, n := range lengths {
		x.addLine(text, start, start+int(n))
		start += int(n)
	}
	var flags uint16
	if bytes.Contains(text, []byte(kelvinSign)) || bytes.Contains(text, []byte(longS)) {
		flags |= filterExotic
	}
	b := newBloom(filterLines(x.count(), pagesBytes))
	for _, list := range [][]uint64{x.keys, x.words} {
		for _, key := range list {
			b.add(key)
		}
	}
	for _, h := range x.letters {
		b.add(lettersKey(h))
	}
	return Filter{raw: b.seal(filterText, flags), flags: flags}
}

// filterLines returns how many lines the bloom of so many keys has: with its trailer it takes its share of the pages at most,
// but a small chunk has one line all the same.
func filterLines(keys, pagesBytes int) int {
	if keys == 0 {
		return 0
	}
	lines := (keys*filterBits + bloomBits - 1) / bloomBits
	return max(1, min(lines, pagesBytes/filterShare/bloomLine-1))
}

// lineLengths turns the ends of lines into lengths.
func lineLengths(ends []uint32) []uint32 {
	lengths := slices.Clone(ends)
	for i := len(lengths) - 1; i > 0; i-- {
		lengths[i] -= lengths[i-1]
	}
	return lengths
}
