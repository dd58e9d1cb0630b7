package engine

import (
	"context"
	"strings"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
)

// evalLabelReplace changes labels of series, and nothing else of them.
func (q *query) evalLabelReplace(ctx context.Context, n *plan.LabelReplace) ([]Series, error) {
	if !prommodel.UTF8Validation.IsValidLabelName(n.Dst) {
		return nil, refuse("invalid destination label name in label_replace(): %q", n.Dst)
	}
	series, err := q.eval(ctx, n.Input)
	if err != nil {
		return nil, err
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	references := strings.Count(n.Replacement, "$")
	var value []byte
	for i := range series {
		source := series[i].Labels.Get(n.Source)
		match := n.Regexp.FindStringSubmatchIndex(source)
		if match == nil {
			continue
		}
		// Each reference inserts at most the source; a replacement may refer to it ten thousand times.
		most := int64(len(n.Replacement) + references*len(source))
		if err := q.budget.take(most); err != nil {
			return nil, err
		}
		value = n.Regexp.ExpandString(value[:0], n.Replacement, source, match)
		q.budget.give(most)
		if err := q.budget.take(textBytes(series[i].Labels) + int64(len(value))); err != nil {
			return nil, err
		}
		b.Reset(series[i].Labels)
		b.Set(n.Dst, strings.ToValidUTF8(string(value), "\uFFFD")) // the empty value deletes
		series[i].Labels = b.Labels()
	}
	return series, nil
}

// textBytes is about what a label set takes: a label may be as long as a line.
func textBytes(ls labels.Labels) int64 {
	n := 0
	ls.Range(func(l labels.Label) { n += len(l.Name) + len(l.Value) + 48 })
	return int64(n)
}
