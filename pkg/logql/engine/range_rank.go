package engine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// rankSet is a set of values that slides over all values of a series. Every value has a rank of its own among all of them;
// the set is a bit for each rank, and the number of bits that are set in each of many runs of ranks.
type rankSet struct {
	sorted []float64
	ranks  []int32 // by place in the order of buckets
	words  []uint64
	runs   []int32
	count  int
}

// rankSetBytes is about what a value takes in a rankSet while that is made: its key twice, itself, its rank and its bit.
const rankSetBytes = 2*16 + 8 + 4 + 1

// runWords is the number of words of a run: looking for a rank goes through the runs, and then through one run.
const runWords = 64

func newRankSet(values []float64) *rankSet {
	r := &rankSet{
		sorted: make([]float64, len(values)),
		ranks:  make([]int32, len(values)),
		words:  make([]uint64, len(values)/64+1),
		runs:   make([]int32, len(values)/(64*runWords)+1),
	}
	order := make([]keyed, len(values))
	for i, v := range values {
		order[i] = keyed{key: sortKey(v), place: int32(i)}
	}
	order = sortKeyed(order)
	for rank, k := range order {
		r.sorted[rank] = values[k.place]
		r.ranks[k.place] = int32(rank)
	}
	return r
}

// keyed is the key of a value and its place.
type keyed struct {
	key   uint64
	place int32
}

// sortKeyed sorts by keys: byte by byte from the lowest, as the bytes say nothing of each other. Bytes that all keys have in
// common, such as those of round numbers, cost nothing.
func sortKeyed(list []keyed) []keyed {
	const small = 512 // other ways are faster
	if len(list) < small {
		slices.SortFunc(list, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
		return list
	}
	var counts [8][256]int32
	for _, k := range list {
		for digit := range counts {
			counts[digit][byte(k.key>>(8*digit))]++
		}
	}
	spare := make([]keyed, len(list))
	for digit := range counts {
		next := &counts[digit]
		if int(next[byte(list[0].key>>(8*digit))]) == len(list) {
			continue
		}
		at := int32(0)
		for i, n := range next {
			next[i] = at
			at += n
		}
		for _, k := range list {
			b := byte(k.key >> (8 * digit))
			spare[next[b]] = k
			next[b]++
		}
		list, spare = spare, list
	}
	return list
}

// sortKey returns a number that orders as the value does; what is not a number comes first.
func sortKey(v float64) uint64 {
	if math.IsNaN(v) {
		return 0
	}
	const sign = 1 << 63
	key := math.Float64bits(v)
	if key&sign != 0 {
		return ^key // negative ones grow the other way
	}
	return key | sign
}

func (r *rankSet) add(place int32) {
	rank := r.ranks[place]
	r.words[rank/64] |= 1 << (rank % 64)
	r.runs[rank/(64*runWords)]++
	r.count++
}

func (r *rankSet) remove(place int32) {
	rank := r.ranks[place]
	r.words[rank/64] &^= 1 << (rank % 64)
	r.runs[rank/(64*runWords)]--
	r.count--
}

// quantile returns a quantile of the values in the set; there is at least one.
func (r *rankSet) quantile(quantile float64) float64 {
	lower, weight, v, ok := quantilePlace(quantile, r.count)
	if !ok {
		return v
	}
	rank := r.nth(lower)
	upper := rank
	if lower+1 < r.count {
		upper = r.next(rank + 1)
	}
	return between(r.sorted[rank], r.sorted[upper], weight)
}

// nth returns the rank of the value that n in the set are before.
func (r *rankSet) nth(n int) int {
	run := 0
	for ; n >= int(r.runs[run]); run++ {
		n -= int(r.runs[run])
	}
	word := run * runWords
	for {
		set := bits.OnesCount64(r.words[word])
		if n < set {
			break
		}
		n -= set
		word++
	}
	w := r.words[word]
	for ; n > 0; n-- {
		w &= w - 1
	}
	return word*64 + bits.TrailingZeros64(w)
}

// next returns the first rank in the set from rank on; there must be one.
func (r *rankSet) next(rank int) int {
	word := rank / 64
	w := r.words[word] >> (rank % 64) << (rank % 64)
	for w == 0 {
		word++
		w = r.words[word]
	}
	return word*64 + bits.TrailingZeros64(w)
}
