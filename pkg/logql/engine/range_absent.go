package engine

import (
	"context"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
)

// evalAbsent turns a series over: it has a sample where the input, one series at most, has none.
func (q *query) evalAbsent(ctx context.Context, n *plan.Absent) ([]Series, error) {
	input, err := q.eval(ctx, n.Input)
	if err != nil {
		return nil, err
	}
	var present []Sample
	if len(input) > 0 {
		present = input[0].Samples
	}
	absent := q.grid.steps - len(present)
	if absent == 0 {
		return nil, nil
	}
	if err := q.budget.take(int64(absent) * sampleBytes); err != nil {
		return nil, err
	}
	defer q.budget.give(int64(len(present)) * sampleBytes)
	samples, rest := make([]Sample, 0, absent), present
	for step := range q.grid.steps {
		at := q.grid.at(step)
		if len(rest) > 0 && rest[0].Timestamp == at {
			rest = rest[1:]
			continue
		}
		samples = append(samples, Sample{Timestamp: at, Value: 1})
	}
	return []Series{{Labels: n.Labels, Samples: samples}}, nil
}
