package engine

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// evalBinary applies an operator to the samples of each step.
func (q *query) evalBinary(ctx context.Context, n *plan.Binary) ([]Series, error) {
	if s, ok := n.LHS.(*plan.Scalar); ok {
		right, err := q.eval(ctx, n.RHS, 0)
		return q.withScalar(n, right, func(v float64) (l, r float64) { return s.Value, v }), err
	}
	left, err := q.eval(ctx, n.LHS, 0)
	if err != nil {
		return nil, err
	}
	if s, ok := n.RHS.(*plan.Scalar); ok {
		return q.withScalar(n, left, func(v float64) (l, r float64) { return v, s.Value }), nil
	}
	right, err := q.eval(ctx, n.RHS, 0)
	if err != nil {
		return nil, err
	}
	return q.matchSeries(ctx, n, left, right)
}

// apply returns the operator's result. A comparison without bool is a filter: it keeps the sample as it is, or drops it.
func apply(n *plan.Binary, l, r, sample float64) (v float64, keep bool) {
	v = n.Op.Scalars(l, r)
	if !n.Op.IsComparison() || n.Bool {
		return v, true
	}
	return sample, v != 0
}

// withScalar applies the operator to each sample and a number; sides puts them in order.
func (q *query) withScalar(n *plan.Binary, series []Series, sides func(v float64) (l, r float64)) []Series {
	out := series[:0]
	for _, s := range series {
		kept := s.Samples[:0]
		for _, sample := range s.Samples {
			l, r := sides(sample.Value)
			if v, keep := apply(n, l, r, sample.Value); keep {
				kept = append(kept, Sample{Timestamp: sample.Timestamp, Value: v})
			}
		}
		if len(kept) > 0 {
			out = append(out, Series{Labels: s.Labels, Samples: kept})
		}
	}
	return out
}

// matchGroup is the series of both sides that agree in the matching labels.
type matchGroup struct{ left, right []Series }

// matchSeries applies the operator to the samples of each step whose series match one to one. Of two series of a side that
// match the same one, only one may have a sample at a step.
func (q *query) matchSeries(ctx context.Context, n *plan.Binary, left, right []Series) ([]Series, error) {
	match := plan.Group{Mode: plan.GroupAll}
	if m := n.Matching; m != nil {
		match = plan.Group{Mode: plan.GroupWithout, Names: slices.Sorted(slices.Values(m.Labels))}
		if m.On {
			match.Mode = plan.GroupBy
		}
	}
	groups := map[string]*matchGroup{}
	builder := labels.NewScratchBuilder(16)
	var key []byte
	group := func(ls labels.Labels) *matchGroup {
		matching := groupLabels(&builder, match, ls)
		key = matching.Bytes(key[:0])
		g := groups[string(key)]
		if g == nil {
			g = &matchGroup{}
			groups[string(key)] = g
		}
		return g
	}
	for _, s := range right {
		g := group(s.Labels)
		g.right = append(g.right, s)
	}
	var order []*matchGroup
	for _, s := range left {
		g := group(s.Labels)
		if g.left = append(g.left, s); len(g.left) == 1 {
			order = append(order, g)
		}
	}
	var out []Series
	for _, g := range order {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		samples, err := q.matchGroup(n, g)
		if err != nil {
			return nil, err
		}
		if len(samples) > 0 {
			out = append(out, Series{Labels: groupLabels(&builder, match, g.left[0].Labels), Samples: samples})
		}
	}
	slices.SortFunc(out, func(a, b Series) int { return labels.Compare(a.Labels, b.Labels) })
	return out, nil
}

// matchGroup pairs the samples of one group step by step.
func (q *query) matchGroup(n *plan.Binary, g *matchGroup) ([]Sample, error) {
	if len(g.right) == 0 {
		return nil, nil
	}
	var left, right walker
	left.start(g.left)
	right.start(g.right)
	var samples []Sample
	for step := range q.grid.steps {
		at := q.grid.at(step)
		l, countL := left.at(at)
		r, countR := right.at(at)
		switch {
		case countL == 0 || countR == 0:
			continue
		case countR > 1:
			return nil, refuse("found duplicate series on the right hand-side;many-to-many matching not allowed: matching labels " +
				"must be unique on one side")
		case countL > 1:
			return nil, refuse("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
		}
		if v, keep := apply(n, l, r, l); keep {
			if err := q.budget.take(sampleBytes); err != nil {
				return nil, err
			}
			samples = append(samples, Sample{Timestamp: at, Value: v})
		}
	}
	return samples, nil
}

// walker goes through several series in step.
type walker struct{ rest [][]Sample }

func (w *walker) start(series []Series) {
	for _, s := range series {
		w.rest = append(w.rest, s.Samples)
	}
}

// at returns the sample at t and how many series have one. Times must not go back between calls.
func (w *walker) at(t model.Timestamp) (v float64, count int) {
	for i, rest := range w.rest {
		if len(rest) > 0 && rest[0].Timestamp == t {
			v = rest[0].Value
			count++
			w.rest[i] = rest[1:]
		}
	}
	return v, count
}
