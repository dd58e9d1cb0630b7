package match

import "math/bits"

// Selection is a set of lines of one buffer, by index. The zero value is empty; Fill and Clear size it, and reuse its
// memory.
type Selection struct {
	words []uint64
	count int // lines of the buffer, selected or not
	hits  []uint64
}

// Fill selects all of n lines.
func (s *Selection) Fill(n int) {
	s.Clear(n)
	for i := range s.words {
		s.words[i] = ^uint64(0)
	}
	if tail := n & 63; tail != 0 {
		s.words[len(s.words)-1] = 1<<tail - 1
	}
}

// Clear selects none of n lines.
func (s *Selection) Clear(n int) {
	s.count = n
	s.words = zeroed(s.words, (n+63)/64)
}

// Len returns the number of lines, selected or not.
func (s *Selection) Len() int { return s.count }

// Count returns the number of selected lines.
func (s *Selection) Count() int { return countBits(s.words) }

func countBits(words []uint64) (n int) {
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Contains reports whether line i is selected.
func (s *Selection) Contains(i int) bool { return s.words[i>>6]&(1<<(i&63)) != 0 }

// Add selects line i.
func (s *Selection) Add(i int) { s.words[i>>6] |= 1 << (i & 63) }

// Remove deselects line i.
func (s *Selection) Remove(i int) { s.words[i>>6] &^= 1 << (i & 63) }

// KeepRange deselects the lines outside [from, to).
func (s *Selection) KeepRange(from, to int) {
	for w := range s.words {
		lo, hi := max(from-w<<6, 0), min(to-w<<6, 64)
		if lo >= hi {
			s.words[w] = 0
			continue
		}
		s.words[w] &= ^uint64(0) << lo & (^uint64(0) >> (64 - hi))
	}
}

// Next returns the first selected line at or behind i, -1 when there is none.
func (s *Selection) Next(i int) int {
	w := i >> 6
	if w >= len(s.words) {
		return -1
	}
	word := s.words[w] &^ (1<<(i&63) - 1)
	for word == 0 {
		if w++; w == len(s.words) {
			return -1
		}
		word = s.words[w]
	}
	return w<<6 + bits.TrailingZeros64(word)
}

// AppendTo appends the selected lines to dst in order.
func (s *Selection) AppendTo(dst []uint32) []uint32 {
	for w, word := range s.words {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, uint32(w<<6+bits.TrailingZeros64(word)))
		}
	}
	return dst
}

// scratch returns an empty set as large as the selection, valid until the next call.
func (s *Selection) scratch() []uint64 {
	s.hits = zeroed(s.hits, len(s.words))
	return s.hits
}

func (s *Selection) and(hits []uint64) {
	for i, h := range hits {
		s.words[i] &= h
	}
}

func (s *Selection) andNot(hits []uint64) {
	for i, h := range hits {
		s.words[i] &^= h
	}
}

func zeroed(words []uint64, n int) []uint64 {
	if cap(words) < n {
		return make([]uint64, n)
	}
	words = words[:n]
	clear(words)
	return words
}
