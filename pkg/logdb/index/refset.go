package index

import (
	"iter"
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/woodshed-logs/woodshed/pkg/match"
)

// refSet gathers streams in any order and becomes a bitmap at the end. Adding to a roaring bitmap one by one costs a search
// each time; a list is cheaper while there are few, and one bit for each possible stream when there are many.
type refSet struct {
	limit uint64 // all refs are below
	list  []uint32
	bits  []uint64 // nil while the list is in use
}

// refsPerListed is how many possible streams make one more ref worth a place in the list: a word of bits is as long as two
// refs, and a ref in the list is sorted and inserted later.
const refsPerListed = 256

func newRefSet(limit uint64) *refSet { return &refSet{limit: limit} }

func (s *refSet) add(refs ...uint32) {
	if s.bits == nil {
		if uint64(len(s.list)+len(refs))*refsPerListed <= s.limit {
			s.list = append(s.list, refs...)
			return
		}
		s.bits = make([]uint64, (s.limit+63)/64)
		s.add(s.list...)
	}
	for _, r := range refs {
		s.bits[r>>6] |= 1 << (r & 63)
	}
}

// bitmap returns the set, which must not be used any more.
func (s *refSet) bitmap() *roaring.Bitmap {
	if s.bits != nil {
		return roaring.FromDense(s.bits, false)
	}
	slices.Sort(s.list)
	b := roaring.New()
	b.AddMany(s.list)
	return b
}

// refFilter answers fast whether streams are in a set.
type refFilter []uint64

func newRefFilter(refs *roaring.Bitmap) refFilter { return refs.ToDense() }

func (f refFilter) contains(ref uint32) bool {
	word := int(ref >> 6)
	return word < len(f) && f[word]&(1<<(ref&63)) != 0
}

// groupHits is which values of each group, one after the other, matched.
type groupHits struct {
	words []uint64 // groupWords a group
	count int
}

const groupWords = groupValues / 64

func (h *groupHits) add(sel *match.Selection) {
	at := len(h.words)
	h.words = append(h.words, make([]uint64, groupWords)...)
	for i := sel.Next(0); i >= 0; i = sel.Next(i + 1) {
		h.words[at+i>>6] |= 1 << (i & 63)
		h.count++
	}
}

// any reports whether slots yields any.
func (h *groupHits) any(group, count int, others bool) bool {
	for range h.slots(group, count, others) {
		return true
	}
	return false
}

// slots yields the values of a group of count that matched or, with others, those that did not.
func (h *groupHits) slots(group, count int, others bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		for w := range groupWords {
			word := h.words[group*groupWords+w]
			if others {
				word = ^word
			}
			if n := count - w*64; n < 64 {
				word &= 1<<max(n, 0) - 1
			}
			for ; word != 0; word &= word - 1 {
				if !yield(w*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// addSet adds a bitmap.
func (s *refSet) addSet(set *roaring.Bitmap) {
	for it := set.ManyIterator(); ; {
		var space [128]uint32
		n := it.NextMany(space[:])
		if n == 0 {
			return
		}
		s.add(space[:n]...)
	}
}
