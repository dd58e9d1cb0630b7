package engine

import (
	"context"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// aggregated is one group of a vector aggregation, step by step.
type aggregated struct {
	labels labels.Labels
	values []float64
	means  []float64 // of stddev and stdvar, whose values are sums of squares
	counts []uint32  // series with a sample at the step
}

// aggregatedBytes is what one step of a group takes.
func aggregatedBytes(op syntax.VectorOp) int64 {
	if isDeviation(op) {
		return 20
	}
	return 12
}

func isDeviation(op syntax.VectorOp) bool { return op == syntax.OpStddev || op == syntax.OpStdvar }

// aggregate folds the series of each step that agree in the labels of the group.
func (q *query) aggregate(ctx context.Context, n *plan.Aggregate, input []Series) ([]Series, error) {
	groups := map[string]*aggregated{}
	var order []*aggregated
	var key []byte
	builder := labels.NewScratchBuilder(16)
	for i, s := range input {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		ls := groupLabels(&builder, n.Group, s.Labels)
		key = ls.Bytes(key[:0])
		g := groups[string(key)]
		if g == nil {
			var err error
			if g, err = q.newAggregated(n.Op, ls); err != nil {
				return nil, err
			}
			groups[string(key)] = g
			order = append(order, g)
		}
		for _, sample := range s.Samples {
			g.add(n.Op, q.grid.index(sample.Timestamp), sample.Value)
		}
		q.budget.give(int64(len(s.Samples)) * sampleBytes)
		input[i] = Series{} // freed, as the budget says
	}
	slices.SortFunc(order, func(a, b *aggregated) int { return labels.Compare(a.labels, b.labels) })
	out := make([]Series, 0, len(order))
	for _, g := range order {
		samples, err := q.finish(g, n.Op)
		if err != nil {
			return nil, err
		}
		out = append(out, Series{Labels: g.labels, Samples: samples})
	}
	return out, nil
}

func (q *query) newAggregated(op syntax.VectorOp, ls labels.Labels) (*aggregated, error) {
	steps := q.grid.steps
	if err := q.budget.take(int64(steps) * aggregatedBytes(op)); err != nil {
		return nil, err
	}
	g := &aggregated{labels: ls, values: make([]float64, steps), counts: make([]uint32, steps)}
	if isDeviation(op) {
		g.means = make([]float64, steps)
	}
	return g, nil
}

func (g *aggregated) add(op syntax.VectorOp, step int, v float64) {
	g.counts[step]++
	first := g.counts[step] == 1
	held := g.values[step]
	switch op {
	case syntax.OpSum, syntax.OpAvg:
		g.values[step] = held + v
	case syntax.OpMin:
		if first || v < held || math.IsNaN(held) {
			g.values[step] = v
		}
	case syntax.OpMax:
		if first || v > held || math.IsNaN(held) {
			g.values[step] = v
		}
	case syntax.OpStddev, syntax.OpStdvar: // by Welford
		delta := v - g.means[step]
		g.means[step] += delta / float64(g.counts[step])
		g.values[step] = held + delta*(v-g.means[step])
	}
}

// finish returns the samples of a group and gives its cells back.
func (q *query) finish(g *aggregated, op syntax.VectorOp) ([]Sample, error) {
	count := 0
	for _, c := range g.counts {
		if c > 0 {
			count++
		}
	}
	if err := q.budget.take(int64(count) * sampleBytes); err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, count)
	for step, c := range g.counts {
		v := g.values[step]
		switch {
		case c == 0:
			continue
		case op == syntax.OpAvg, op == syntax.OpStdvar:
			v /= float64(c)
		case op == syntax.OpStddev:
			v = math.Sqrt(v / float64(c))
		case op == syntax.OpCount:
			v = float64(c)
		}
		samples = append(samples, Sample{Timestamp: q.grid.at(step), Value: v})
	}
	q.budget.give(int64(len(g.counts)) * aggregatedBytes(op))
	g.values, g.means, g.counts = nil, nil, nil
	return samples, nil
}
