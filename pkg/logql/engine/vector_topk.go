package engine

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
)

// ranked is a sample and the series that it is of.
type ranked struct {
	value  float64
	series int32
}

// ranking is the best samples of one group at one step: a heap with the worst on top.
type ranking struct {
	list []ranked
	step int // that the list is of, plus one
}

// topK keeps the best samples of each step. Of equal ones that of the series that comes first by labels is the better;
// what is not a number is worse than any.
func (q *query) topK(ctx context.Context, n *plan.TopK, input []Series) ([]Series, error) {
	sortByLabels(input)
	keys := newGroupNumbers(n.Group)
	groups := make([]int32, len(input))
	for i, s := range input {
		groups[i] = keys.of(s.Labels)
	}
	const perSeries = 4 + 4 + 16 // group, samples kept, place in a ranking
	scratch := perSeries*int64(len(input)) + keys.bytes
	if err := q.budget.take(scratch); err != nil {
		return nil, err
	}
	defer q.budget.give(scratch)
	steps, err := q.newStepper(input)
	if err != nil {
		return nil, err
	}
	defer q.budget.give(steps.bytes())

	best := make([]ranking, keys.len())
	out := newFiltered(input)
	var touched []int32
	err = q.eachStep(ctx, func(step int) error {
		touched = touched[:0]
		_ = steps.each(step, func(series int32, v float64) error {
			r := &best[groups[series]]
			if r.step != step+1 {
				r.step, r.list = step+1, r.list[:0]
				touched = append(touched, groups[series])
			}
			r.add(n, ranked{value: v, series: series})
			return nil
		})
		for _, g := range touched {
			for _, winner := range best[g].list {
				out.keep(winner.series, Sample{Timestamp: q.grid.at(step), Value: winner.value})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out.result(q), nil
}

// worse reports whether a would have to leave before b.
func worse(n *plan.TopK, a, b ranked) bool {
	switch aNaN, bNaN := math.IsNaN(a.value), math.IsNaN(b.value); {
	case aNaN != bNaN:
		return aNaN
	case aNaN || a.value == b.value:
		return a.series > b.series
	}
	return (a.value < b.value) != n.Smallest
}

// add lets a sample in, at the price of the worst when there are K already.
func (r *ranking) add(n *plan.TopK, s ranked) {
	if len(r.list) == n.K {
		if worse(n, r.list[0], s) {
			r.list[0] = s
			r.sink(n)
		}
		return
	}
	r.list = append(r.list, s)
	for i := len(r.list) - 1; i > 0; {
		parent := (i - 1) / 2
		if !worse(n, r.list[i], r.list[parent]) {
			return
		}
		r.list[i], r.list[parent] = r.list[parent], r.list[i]
		i = parent
	}
}

// sink lets the top of the heap down to its place.
func (r *ranking) sink(n *plan.TopK) {
	for i := 0; ; {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(r.list); child++ {
			if worse(n, r.list[child], r.list[worst]) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		r.list[i], r.list[worst] = r.list[worst], r.list[i]
		i = worst
	}
}

// sortByLabels orders series as answers are ordered. Most inputs are in that order; label_replace leaves others.
func sortByLabels(series []Series) {
	slices.SortStableFunc(series, func(a, b Series) int { return labels.Compare(a.Labels, b.Labels) })
}

// sortSeries orders the series of an instant by value; what is not a number comes last either way. A matrix has no such
// order: it is left alone.
func (q *query) sortSeries(n *plan.Sort, input []Series) []Series {
	if !q.Instant {
		return input
	}
	sortByLabels(input) // for equal values
	slices.SortStableFunc(input, func(a, b Series) int {
		x, y := a.Samples[0].Value, b.Samples[0].Value
		switch xNaN, yNaN := math.IsNaN(x), math.IsNaN(y); {
		case xNaN && yNaN:
			return 0
		case xNaN:
			return 1
		case yNaN:
			return -1
		case n.Descending:
			x, y = y, x
		}
		return cmp.Compare(x, y)
	})
	return input
}
