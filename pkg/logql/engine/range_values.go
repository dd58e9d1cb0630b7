package engine

import (
	"context"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// evalValues folds the values that unwrap took, in one pass over the entries.
//
// The borders of all windows cut time into buckets, at most two for each step however long the windows are, and a window is
// some buckets in a row. Entries are folded into their bucket as they come; a window's value is made of its buckets' at
// the end, of each bucket once or twice however many windows it lies in (see slider).
func (q *query) evalValues(ctx context.Context, n *plan.Range) ([]Series, error) {
	f, err := newValueFold(q, n)
	if err != nil {
		return nil, err
	}
	for _, scan := range n.Scans {
		r := request{
			scan:     scan,
			interval: q.rangeInterval(n),
			order:    storage.Unordered,
			stages:   n.Stages,
		}
		if n.InOrder() {
			r.order = storage.Forward
		}
		err := q.scan(ctx, r, func(s *scanned) (bool, error) { return true, f.add(s) })
		if err != nil {
			return nil, err
		}
	}
	defer q.budget.give(f.bytes)
	return collect(ctx, f.series, func(s *rangeSeries) ([]Sample, error) { return s.values.samples() })
}

// seriesValues is what is kept of one series' values.
type seriesValues interface {
	// add folds a value into a bucket.
	add(bucket int, at model.Timestamp, v float64) error
	// samples returns a sample for each step whose window holds a value. Nothing may be added behind it, and the memory
	// that the values took is given back.
	samples() ([]Sample, error)
}

// valueFold is the state of one range aggregation over values. All its times have the offset added, so that the window of T
// ends at T.
type valueFold struct {
	node *plan.Range
	q    *query

	edges   []model.Timestamp // of the buckets; nil: each window is a bucket
	spans   []span32          // by step: the buckets of its window
	buckets int
	bytes   int64 // that edges and spans take

	groups    grouper
	series    []*rangeSeries
	newValues func() seriesValues
	place     windows // of the last entry, in buckets instead of steps
}

// span32 is the buckets lo to hi-1.
type span32 struct{ lo, hi int32 }

func newValueFold(q *query, n *plan.Range) (*valueFold, error) {
	f := &valueFold{node: n, q: q, place: windows{from: 1, to: 0}} // holds no time
	f.groups = newGrouper(n.Group, f.newSeries)
	if int64(n.Length) > q.grid.step && q.grid.steps > 1 {
		f.edges = q.grid.edges(n.Length, 0)
	}
	f.buckets = max(q.grid.steps, len(f.edges)-1)
	f.bytes = 8 * int64(q.grid.steps+len(f.edges))
	if err := q.budget.take(f.bytes); err != nil {
		return nil, err
	}
	f.spans = make([]span32, q.grid.steps)
	lo, hi := 0, 0
	for step := range f.spans {
		if f.edges == nil {
			f.spans[step] = span32{lo: int32(step), hi: int32(step + 1)}
			continue
		}
		end := q.grid.at(step) + 1
		for f.edges[lo] < end-model.Timestamp(n.Length) {
			lo++
		}
		for f.edges[hi] < end {
			hi++
		}
		f.spans[step] = span32{lo: int32(lo), hi: int32(hi)}
	}
	var err error
	f.newValues, err = f.valuesMaker()
	return f, err
}

// newSeries is called for each new group.
func (f *valueFold) newSeries(ls labels.Labels, labelBytes int) (*rangeSeries, error) {
	pages := f.buckets/pageSteps + 1
	if err := f.q.takeSeries(int64(2*labelBytes + 8*pages)); err != nil {
		return nil, err
	}
	s := &rangeSeries{labels: ls, values: f.newValues()}
	f.series = append(f.series, s)
	return s, nil
}

// add folds the values of a batch.
func (f *valueFold) add(s *scanned) error {
	f.groups.startBatch(s)
	for i := s.Selected.Next(0); i >= 0; i = s.Selected.Next(i + 1) {
		at := s.Timestamps[i].Add(f.node.Offset)
		if at < f.place.from || at > f.place.to {
			f.place = f.locate(at)
		}
		if f.place.lo > f.place.hi {
			continue // between two windows
		}
		if len(s.Errors) > 0 {
			if err := checkError(f.node, s, i); err != nil {
				return err
			}
		}
		series, err := f.groups.of(s, i)
		if err != nil {
			return err
		}
		for b := f.place.lo; b <= f.place.hi; b++ { // one, but for windows that overlap at the ends of time
			if err := series.values.add(b, at, s.Value(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// locate returns the buckets that a time falls into.
func (f *valueFold) locate(at model.Timestamp) windows {
	if f.edges == nil {
		return f.q.grid.windows(at, f.node.Length)
	}
	i := sort.Search(len(f.edges), func(i int) bool { return f.edges[i] > at }) - 1
	if i < 0 || i == len(f.edges)-1 {
		return windows{from: at, to: at, lo: 1, hi: 0}
	}
	return windows{from: f.edges[i], to: f.edges[i+1] - 1, lo: i, hi: i}
}

// valuesMaker returns what makes the state of a new series.
func (f *valueFold) valuesMaker() (func() seriesValues, error) {
	switch f.node.Op {
	case syntax.OpMinOverTime:
		return cellsOf[minCell](f)
	case syntax.OpMaxOverTime:
		return cellsOf[maxCell](f)
	case syntax.OpStdvarOverTime, syntax.OpStddevOverTime:
		return cellsOf[momentCell](f)
	case syntax.OpFirstOverTime:
		return cellsOf[firstCell](f)
	case syntax.OpLastOverTime:
		return cellsOf[lastCell](f)
	case syntax.OpRateCounter:
		return cellsOf[counterCell](f)
	case syntax.OpQuantileOverTime:
		return f.quantiles()
	}
	return cellsOf[sumCell](f) // sum, rate, avg
}

// maxSpan is the number of buckets of the longest window.
func (f *valueFold) maxSpan() int {
	longest := slices.MaxFunc(f.spans, func(a, b span32) int { return int(a.hi-a.lo) - int(b.hi-b.lo) })
	return int(longest.hi - longest.lo)
}
