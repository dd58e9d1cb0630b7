package match

import (
	"bytes"
	"strings"
)

// foldLiteral is a text to be found regardless of the case of its letters, as (?i) means it. The needle is ASCII. Two of
// its letters fold to others outside of ASCII: k to the Kelvin sign and s to the long s. Lines with these are rare enough
// to be left to the regular expression that the literal came from.
type foldLiteral struct {
	needle []byte // lower case
	rare   int    // offset of the byte that is looked for
	exotic []string
	full   interface{ Match(line []byte) bool }
}

const (
	kelvinSign = "\u212a"
	longS      = "\u017f"
)

func newFoldLiteral(text string, full interface{ Match(line []byte) bool }) *foldLiteral {
	l := &foldLiteral{needle: []byte(lowerASCII(text)), full: full}
	for i := range l.needle {
		if l.cost(i) < l.cost(l.rare) {
			l.rare = i
		}
	}
	if strings.Contains(string(l.needle), "k") {
		l.exotic = append(l.exotic, kelvinSign)
	}
	if strings.Contains(string(l.needle), "s") {
		l.exotic = append(l.exotic, longS)
	}
	return l
}

// cost is how often the byte at offset i, in either case, is met.
func (l *foldLiteral) cost(i int) int {
	c := l.needle[i]
	return int(commonness[c]) + int(commonness[upper(c)])
}

func (l *foldLiteral) rank() int { return rankFold + l.cost(l.rare)/2 }

// isExotic reports whether text holds a letter that folds to one of the needle's but lies outside of ASCII.
func (l *foldLiteral) isExotic(text []byte) bool {
	for _, e := range l.exotic {
		if bytes.Contains(text, []byte(e)) {
			return true
		}
	}
	return false
}

func (l *foldLiteral) matches(line []byte) bool {
	if l.isExotic(line) {
		return l.full.Match(line)
	}
	s := l.search(line)
	return s.next(0) >= 0
}

func (l *foldLiteral) mark(b *buffer, candidates, hits []uint64) {
	if l.isExotic(b.bytes) {
		markEach(b, candidates, hits, l.matches)
		return
	}
	line, s := 0, l.search(b.bytes)
	for at := s.next(0); at >= 0; {
		line = lineAt(b.ends, line, at)
		next := at + 1
		if end := int(b.ends[line]); at+len(l.needle) <= end {
			hits[line>>6] |= 1 << (line & 63)
			next = end
		}
		at = s.next(next)
	}
}

// foldSearch walks over a text with one cursor on each case of the rare byte.
type foldSearch struct {
	*foldLiteral
	text         []byte
	lower, upper byte
	// lowerAt and upperAt are where the rare byte is met next in that case, len(text) when nowhere; -1: not looked for yet.
	lowerAt, upperAt int
}

func (l *foldLiteral) search(text []byte) foldSearch {
	c := l.needle[l.rare]
	return foldSearch{foldLiteral: l, text: text, lower: c, upper: upper(c), lowerAt: -1, upperAt: -1}
}

// next returns where the needle is found at or behind pos, -1 when it is not. Positions must not go back between calls.
func (s *foldSearch) next(pos int) int {
	n := len(s.needle)
	for pos+n <= len(s.text) {
		from := pos + s.rare
		if s.lowerAt < from {
			s.lowerAt = indexByteFrom(s.text, s.lower, from)
		}
		rareAt := s.lowerAt
		if s.upper != s.lower {
			if s.upperAt < from {
				s.upperAt = indexByteFrom(s.text, s.upper, from)
			}
			rareAt = min(rareAt, s.upperAt)
		}
		at := rareAt - s.rare
		if at+n > len(s.text) {
			return -1
		}
		if equalFold(s.text[at:at+n], s.needle) {
			return at
		}
		pos = at + 1
	}
	return -1
}

func indexByteFrom(text []byte, c byte, from int) int {
	if i := bytes.IndexByte(text[from:], c); i >= 0 {
		return from + i
	}
	return len(text)
}

// equalFold compares with a needle in lower case, by ASCII's rules.
func equalFold(text, needle []byte) bool {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != needle[i] {
			return false
		}
	}
	return true
}

// lowerASCII is strings.ToLower for ASCII alone; the length stays.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
