package engine

import (
	"reflect"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// cell is the folded values of a bucket, or of some in a row. The zero value is that of none.
type cell[S any] interface {
	*S
	add(at model.Timestamp, v float64)
	// merge folds in what came later; neither is empty.
	merge(later *S)
	empty() bool
	// value is that of the window whose values were folded; there is at least one.
	value(w window) float64
}

// window is what a value may depend on besides the values.
type window struct {
	op     syntax.RangeOp
	end    model.Timestamp
	length time.Duration
}

// cells is one series as cells by bucket, allocated in pages: a series that is seen once takes little.
type cells[S any, P cell[S]] struct {
	f     *valueFold
	slide *slider[S, P]
	pages []*[pageSteps]S // nil where there are no values
}

// cellsOf returns what makes the cells of a new series.
func cellsOf[S any, P cell[S]](f *valueFold) (func() seriesValues, error) {
	slide := &slider[S, P]{size: int64(reflect.TypeFor[S]().Size())}
	scratch := int64(f.maxSpan()) * slide.size
	if err := f.q.budget.take(scratch); err != nil {
		return nil, err
	}
	f.bytes += scratch
	return func() seriesValues {
		return &cells[S, P]{f: f, slide: slide, pages: make([]*[pageSteps]S, f.buckets/pageSteps+1)}
	}, nil
}

func (c *cells[S, P]) add(bucket int, at model.Timestamp, v float64) error {
	page := c.pages[bucket/pageSteps]
	if page == nil {
		if err := c.f.q.budget.take(pageSteps * c.slide.size); err != nil {
			return err
		}
		page = new([pageSteps]S)
		c.pages[bucket/pageSteps] = page
	}
	P(&page[bucket%pageSteps]).add(at, v)
	return nil
}

// at returns the cell of a bucket, nil when it is empty.
func (c *cells[S, P]) at(bucket int) P {
	page := c.pages[bucket/pageSteps]
	if page == nil {
		return nil
	}
	if s := P(&page[bucket%pageSteps]); !s.empty() {
		return s
	}
	return nil
}

func (c *cells[S, P]) samples() ([]Sample, error) {
	q := c.f.q
	count := 0
	c.eachWindow(func(int, span32) { count++ })
	if err := q.budget.take(int64(count) * sampleBytes); err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, count)
	w := window{op: c.f.node.Op, length: c.f.node.Length}
	c.slide.start(c.at)
	c.eachWindow(func(step int, buckets span32) {
		w.end = q.grid.at(step)
		samples = append(samples, Sample{Timestamp: w.end, Value: c.slide.to(int(buckets.lo), int(buckets.hi)).value(w)})
	})
	for _, page := range c.pages {
		if page != nil {
			q.budget.give(pageSteps * c.slide.size)
		}
	}
	c.pages = nil
	return samples, nil
}

// eachWindow calls visit for each step whose window holds a value.
func (c *cells[S, P]) eachWindow(visit func(step int, buckets span32)) {
	seen, last := 0, -1 // buckets before seen have been looked at; last is the last of them that is not empty
	for step, buckets := range c.f.spans {
		for ; seen < int(buckets.hi); seen++ {
			if c.at(seen) != nil {
				last = seen
			}
		}
		if last >= int(buckets.lo) {
			visit(step, buckets)
		}
	}
}

// slider folds the buckets of windows that move ahead. It is a queue of two stacks: the buckets from lo to mid-1 as folds of
// each of them with all up to mid, and those from mid to hi-1 as one fold. When the former are used up the latter take their
// place. So each bucket is merged twice, whatever number of windows it lies in, and nothing is ever subtracted: there is
// no cancellation, and infinities leave with the bucket that they came with.
type slider[S any, P cell[S]] struct {
	size         int64 // of a cell
	at           func(bucket int) P
	base         int // the bucket of front[0]
	mid, hi      int
	front        []S
	back, result S
}

// start begins anew with the buckets of another series.
func (s *slider[S, P]) start(at func(bucket int) P) {
	s.at, s.base, s.mid, s.hi = at, 0, 0, 0
	s.back = *new(S)
}

// to returns the fold of the buckets from lo to hi-1, none of which may lie before those of the last call. It is valid until
// the next.
func (s *slider[S, P]) to(lo, hi int) P {
	if lo >= s.mid {
		s.turn(lo)
	}
	for ; s.hi < hi; s.hi++ {
		join[S, P](&s.back, s.at(s.hi))
	}
	s.result = *new(S)
	if lo < s.mid {
		s.result = s.front[lo-s.base]
	}
	if P(&s.back).empty() {
		return &s.result
	}
	join[S, P](&s.result, &s.back)
	return &s.result
}

// turn makes the front of the buckets from lo to hi-1.
func (s *slider[S, P]) turn(lo int) {
	s.hi = max(s.hi, lo)
	s.base, s.mid = lo, s.hi
	n := s.mid - lo
	if cap(s.front) < n {
		s.front = make([]S, n)
	}
	s.front = s.front[:n]
	var later S
	for i := n - 1; i >= 0; i-- {
		var now S
		join[S, P](&now, s.at(lo+i))
		if !P(&later).empty() {
			join[S, P](&now, &later)
		}
		later = now
		s.front[i] = now
	}
	s.back = *new(S)
}

// join folds b, which came later and may be nil, into a.
func join[S any, P cell[S]](a, b P) {
	switch {
	case b == nil:
	case a.empty():
		*a = *b
	default:
		a.merge(b)
	}
}
