package index

import (
	"math/bits"

	"github.com/woodshed-logs/woodshed/pkg/match"
)

// slots is a set of values of one group.
type slots [groupValues / 64]uint64

// next returns the first one at or behind slot, -1 when there is none.
func (s *slots) next(slot int) int {
	for w := slot >> 6; w < len(s); w++ {
		if word := s[w] &^ (1<<(max(slot-w<<6, 0)) - 1); word != 0 {
			return w<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// groupHits is which values of some groups matched, one group after the other.
type groupHits struct {
	groups []slots
	count  int
}

func (h *groupHits) add(sel *match.Selection) {
	var s slots
	for i := sel.Next(0); i >= 0; i = sel.Next(i + 1) {
		s[i>>6] |= 1 << (i & 63)
		h.count++
	}
	h.groups = append(h.groups, s)
}

// of returns which of the n values of group i matched or, with others, which did not.
func (h *groupHits) of(i, n int, others bool) slots {
	s := h.groups[i]
	if others {
		for w := range s {
			s[w] = ^s[w] & (1<<min(max(n-w<<6, 0), 64) - 1)
		}
	}
	return s
}
