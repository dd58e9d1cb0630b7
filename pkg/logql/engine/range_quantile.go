package engine

import (
	"math"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// quantiles keeps every value of a series: quantiles are exact.
type quantiles struct {
	f      *valueFold
	blocks [][]bucketValue // in the order in which values came; all but the last are full
	count  int
}

// bucketValue is a value and the bucket that it is in.
type bucketValue struct {
	value  float64
	bucket int32
}

const (
	bucketValueBytes = 16
	blockValuesMin   = 8 // of the first block; each next one is twice as large
	blockValuesMax   = 1024
)

// quantiles returns what makes the state of a new series.
func (f *valueFold) quantiles() (func() seriesValues, error) {
	return func() seriesValues { return &quantiles{f: f} }, nil
}

func (s *quantiles) add(bucket int, _ model.Timestamp, v float64) error {
	last := len(s.blocks) - 1
	if last < 0 || len(s.blocks[last]) == cap(s.blocks[last]) {
		size := blockValuesMin
		if last >= 0 {
			size = min(2*cap(s.blocks[last]), blockValuesMax)
		}
		if err := s.f.q.budget.take(int64(size) * bucketValueBytes); err != nil {
			return err
		}
		s.blocks = append(s.blocks, make([]bucketValue, 0, size))
		last++
	}
	s.blocks[last] = append(s.blocks[last], bucketValue{value: v, bucket: int32(bucket)})
	s.count++
	return nil
}

func (s *quantiles) samples() ([]Sample, error) {
	q := s.f.q
	scratch := 8 * int64(s.count+s.f.buckets) // values once more, and where the buckets start
	if err := q.budget.take(scratch); err != nil {
		return nil, err
	}
	defer q.budget.give(scratch)
	values, starts := s.byBucket()
	held := 0
	for _, b := range s.blocks {
		held += cap(b)
	}
	s.blocks = nil
	q.budget.give(int64(held) * bucketValueBytes)

	count := 0
	for _, buckets := range s.f.spans {
		if starts[buckets.hi] > starts[buckets.lo] {
			count++
		}
	}
	if err := q.budget.take(int64(count) * sampleBytes); err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, count)
	if s.f.edges != nil {
		return s.slide(samples, values, starts)
	}
	for step, buckets := range s.f.spans {
		if of := values[starts[buckets.lo]:starts[buckets.hi]]; len(of) > 0 {
			samples = append(samples, Sample{Timestamp: q.grid.at(step), Value: quantileOf(s.f.node.Quantile, of)})
		}
	}
	return samples, nil
}

// slide appends the samples of windows that overlap. Each value enters a set once and leaves it once.
func (s *quantiles) slide(samples []Sample, values []float64, starts []int32) ([]Sample, error) {
	q := s.f.q
	scratch := int64(len(values)) * rankSetBytes
	if err := q.budget.take(scratch); err != nil {
		return nil, err
	}
	defer q.budget.give(scratch)
	set := newRankSet(values)
	lo, hi := int32(0), int32(0) // the values that are in the set
	for step, buckets := range s.f.spans {
		for ; hi < starts[buckets.hi]; hi++ {
			set.add(hi)
		}
		for ; lo < starts[buckets.lo]; lo++ {
			set.remove(lo)
		}
		if set.count > 0 {
			samples = append(samples, Sample{Timestamp: q.grid.at(step), Value: set.quantile(s.f.node.Quantile)})
		}
	}
	return samples, nil
}

// byBucket returns the values in the order of their buckets, and where each bucket starts; one more start is the end.
func (s *quantiles) byBucket() (values []float64, starts []int32) {
	starts = make([]int32, s.f.buckets+1)
	for _, block := range s.blocks {
		for _, v := range block {
			starts[v.bucket+1]++
		}
	}
	for i := range s.f.buckets {
		starts[i+1] += starts[i]
	}
	values = make([]float64, s.count)
	next := slices.Clone(starts)
	for _, block := range s.blocks {
		for _, v := range block {
			values[next[v.bucket]] = v.value
			next[v.bucket]++
		}
	}
	return values, starts
}

// quantilePlace returns between which two of n sorted values a quantile lies, and how near to the upper one. When it lies
// on or outside of all, ok is false and v is the answer.
func quantilePlace(quantile float64, n int) (lower int, weight, v float64, ok bool) {
	switch {
	case math.IsNaN(quantile):
		return 0, 0, math.NaN(), false
	case quantile < 0:
		return 0, 0, math.Inf(-1), false
	case quantile > 1:
		return 0, 0, math.Inf(1), false
	}
	place := quantile * float64(n-1)
	floor := math.Floor(place)
	return int(floor), place - floor, 0, true
}

// between interpolates as Prometheus does; on a value, the next one has no say, be it infinite.
func between(lower, upper, weight float64) float64 {
	if weight == 0 {
		return lower
	}
	return lower*(1-weight) + upper*weight
}

// quantileOf returns a quantile of values, one at least, whose order it changes.
func quantileOf(quantile float64, values []float64) float64 {
	lower, weight, v, ok := quantilePlace(quantile, len(values))
	if !ok {
		return v
	}
	nans := 0 // they come first
	for i, v := range values {
		if math.IsNaN(v) {
			values[i], values[nans] = values[nans], v
			nans++
		}
	}
	if lower < nans {
		return math.NaN()
	}
	values, lower = values[nans:], lower-nans
	v = nthOf(values, lower)
	if weight == 0 {
		return v
	}
	return between(v, slices.Min(values[lower+1:]), weight)
}

// nthOf returns the value that n are not larger than, and moves those before it; none may be no number. It is quickselect.
func nthOf(values []float64, n int) float64 {
	const (
		small  = 16 // as cheap to sort
		unluck = 64 // cuts, after which the pivots were bad ones
	)
	lo, hi := 0, len(values)-1
	for cuts := 0; hi-lo > small && cuts < unluck; cuts++ {
		a, b, c := values[lo], values[(lo+hi)/2], values[hi]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			hi = j
		case n >= i:
			lo = i
		default:
			return values[n]
		}
	}
	slices.Sort(values[lo : hi+1])
	return values[n]
}
