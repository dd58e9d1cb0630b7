package index

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
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
