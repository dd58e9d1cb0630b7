package engine

import (
	"context"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// combineSets answers and, or, unless: what stays at a step depends on which groups have a sample on the other side.
func (q *query) combineSets(ctx context.Context, n *plan.Binary, left, right []Series) ([]Series, error) {
	o, err := q.newOperands(n, left, right)
	if err != nil {
		return nil, err
	}
	defer func() { q.budget.give(o.bytes) }()
	// Those of one side pass if the group is there on the other side, which is marked first.
	marking, passing := o.right, o.left
	markingGroups, passingGroups := o.rightGroups, o.leftGroups
	if n.Op == syntax.OpOr {
		marking, passing = passing, marking
		markingGroups, passingGroups = passingGroups, markingGroups
	}
	wanted := n.Op == syntax.OpAnd
	marked := make([]int32, o.groups) // the last step that had a sample, plus one
	out := newFiltered(passing.series)
	err = q.eachStep(ctx, func(step int) error {
		_ = marking.each(step, func(series int32, _ float64) error {
			marked[markingGroups[series]] = int32(step + 1)
			return nil
		})
		return passing.each(step, func(series int32, v float64) error {
			if (marked[passingGroups[series]] == int32(step+1)) == wanted {
				out.keep(series, Sample{Timestamp: q.grid.at(step), Value: v})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if n.Op == syntax.OpOr {
		return unite(left, out.result(q)), nil
	}
	q.give(right)
	return out.result(q), nil
}

// unite appends the right series to the left ones. A right series with the labels of a left one fills its gaps: at no step
// have both a sample, as they match.
func unite(left, right []Series) []Series {
	byLabels := newGroupNumbers(plan.Group{Mode: plan.GroupAll})
	at := map[int32]int{}
	for i, s := range left {
		at[byLabels.of(s.Labels)] = i
	}
	for _, s := range right {
		if i, ok := at[byLabels.of(s.Labels)]; ok {
			if joined, disjoint := joinSamples(left[i].Samples, s.Samples); disjoint {
				left[i].Samples = joined
				continue
			}
		}
		left = append(left, s)
	}
	return left
}
