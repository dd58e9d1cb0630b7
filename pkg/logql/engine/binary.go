package engine

import (
	"context"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// evalBinary applies an operator to the samples of each step.
func (q *query) evalBinary(ctx context.Context, n *plan.Binary) ([]Series, error) {
	if s, ok := n.LHS.(*plan.Scalar); ok {
		right, err := q.eval(ctx, n.RHS)
		return q.withScalar(n, right, func(v float64) (l, r float64) { return s.Value, v }), err
	}
	left, err := q.eval(ctx, n.LHS)
	if err != nil {
		return nil, err
	}
	if s, ok := n.RHS.(*plan.Scalar); ok {
		return q.withScalar(n, left, func(v float64) (l, r float64) { return v, s.Value }), nil
	}
	right, err := q.eval(ctx, n.RHS)
	if err != nil {
		return nil, err
	}
	if n.Op.IsSet() {
		return q.combineSets(ctx, n, left, right)
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
	out := newFiltered(series)
	for i, s := range series {
		for _, sample := range s.Samples {
			l, r := sides(sample.Value)
			if v, keep := apply(n, l, r, sample.Value); keep {
				out.keep(int32(i), Sample{Timestamp: sample.Timestamp, Value: v})
			}
		}
	}
	return out.result(q)
}

// matchGroup returns what two series must have in common to belong together.
func matchGroup(m *syntax.Matching) plan.Group {
	switch {
	case m == nil:
		return plan.Group{Mode: plan.GroupAll}
	case m.On:
		return plan.Group{Mode: plan.GroupBy, Names: slices.Sorted(slices.Values(m.Labels))}
	}
	return plan.Group{Mode: plan.GroupWithout, Names: slices.Sorted(slices.Values(m.Labels))}
}

// operands are the series of two sides and the groups that they match in.
type operands struct {
	left, right             *stepper
	leftGroups, rightGroups []int32
	groups                  int
	bytes                   int64
}

// newOperands prepares to go through both sides in step; give its bytes back when it is done with.
func (q *query) newOperands(n *plan.Binary, left, right []Series) (*operands, error) {
	keys := newGroupNumbers(matchGroup(n.Matching))
	number := func(series []Series) []int32 {
		list := make([]int32, len(series))
		for i, s := range series {
			list[i] = keys.of(s.Labels)
		}
		return list
	}
	o := &operands{leftGroups: number(left), rightGroups: number(right)}
	o.groups = keys.len()
	o.bytes = keys.bytes + 4*int64(len(left)+len(right))
	if err := q.budget.take(o.bytes); err != nil {
		return nil, err
	}
	var err error
	if o.left, err = q.newStepper(left); err != nil {
		return nil, err
	}
	if o.right, err = q.newStepper(right); err != nil {
		return nil, err
	}
	o.bytes += o.left.bytes() + o.right.bytes()
	return o, nil
}

// give gives the samples of series back that are read to their end.
func (q *query) give(series []Series) {
	for _, s := range series {
		q.budget.give(int64(len(s.Samples)) * sampleBytes)
	}
}
