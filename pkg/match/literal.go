package match

import (
	"bytes"
)

// literal is a text to be found byte for byte.
type literal struct {
	needle []byte
	rare   int // offset of the needle's rarest byte
	second int // offset of the rarest of the others
}

func newLiteral(text string) *literal {
	l := &literal{needle: []byte(text)}
	for i, c := range l.needle {
		if commonness[c] < commonness[l.needle[l.rare]] {
			l.rare = i
		}
	}
	if l.rare == 0 {
		l.second = len(text) - 1
	}
	for i, c := range l.needle {
		if i != l.rare && commonness[c] < commonness[l.needle[l.second]] {
			l.second = i
		}
	}
	return l
}

func (l *literal) rank() int {
	if len(l.needle) == 0 {
		return rankLiteral
	}
	return rankLiteral + int(commonness[l.needle[l.rare]])
}

func (l *literal) matches(line []byte) bool { return bytes.Contains(line, l.needle) }

func (l *literal) mark(b *buffer, _, hits []uint64) {
	n := len(l.needle)
	if n == 0 {
		markAll(b, hits)
		return
	}
	line := 0
	for at := l.index(b.bytes, 0); at >= 0; {
		line = lineAt(b.ends, line, at)
		next := at + 1
		if end := int(b.ends[line]); at+n <= end {
			hits[line>>6] |= 1 << (line & 63)
			next = end // the rest of the line cannot say more
		}
		at = l.index(b.bytes, next)
	}
}

// index returns where the needle is found in buf at or behind pos, -1 when it is not. Candidates are the places that have
// the needle's two rarest bytes at their distance, as in package memchr of Rust ("packed pair").
func (l *literal) index(buf []byte, pos int) int {
	n := len(l.needle)
	if !hasPairs || n < 2 {
		return l.indexByte(buf, pos)
	}
	a, b := l.needle[l.rare], l.needle[l.second]
	for end := len(buf) - n + 1; pos < end; pos++ {
		at := indexPair(buf[pos+l.rare:end+l.rare], buf[pos+l.second:end+l.second], a, b)
		if at < 0 {
			return -1
		}
		pos += at
		if bytes.Equal(buf[pos:pos+n], l.needle) {
			return pos
		}
	}
	return -1
}

// indexByte is index where pairs of bytes cannot be searched for. Candidates are the places of the needle's rarest byte.
// Where that turns out to be common, the standard search takes over: it looks at two bytes.
func (l *literal) indexByte(buf []byte, pos int) int {
	n := len(l.needle)
	c := l.needle[l.rare]
	for misses, start := 0, pos; pos+n <= len(buf); {
		j := bytes.IndexByte(buf[pos+l.rare:len(buf)-n+l.rare+1], c)
		if j < 0 {
			return -1
		}
		at := pos + j
		if buf[at] == l.needle[0] && bytes.Equal(buf[at:at+n], l.needle) {
			return at
		}
		pos = at + 1
		if misses++; misses > 8 && misses*bytesPerMissMin > pos-start {
			if j = bytes.Index(buf[pos:], l.needle); j < 0 {
				return -1
			}
			return pos + j
		}
	}
	return -1
}

// bytesPerMissMin is how far apart false candidates must be, on average, for the rarest byte to be worth it.
const bytesPerMissMin = 12

// lineAt returns the line that holds offset at, by galloping from line, which must not lie behind it.
func lineAt(ends []uint32, line, at int) int {
	if int(ends[line]) > at {
		return line
	}
	step := 1
	for line+step < len(ends) && int(ends[line+step]) <= at {
		line += step
		step <<= 1
	}
	lo, hi := line+1, min(line+step, len(ends)-1)
	for lo < hi {
		mid := (lo + hi) / 2
		if int(ends[mid]) > at {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// byCommonness lists the bytes of log lines, commonest first: a count over JSON, logfmt, access and classic logs. Bytes
// that are missing are rarer than all of these.
const byCommonness = " 0e1ta2ion\"r3s5=4-6.d:7lc8u9mp/,hgf[]v_ybTwkC{}xEIDASR(N)PLOMqFz'HGUBj;VKWX+JY<>ZQ%&|@?*#\n\\!$\t~^`"

// commonness ranks bytes from 0, the rarest, to 255.
var commonness = func() (table [256]uint8) {
	for i := range byCommonness {
		table[byCommonness[i]] = uint8(255 - i)
	}
	return table
}()
