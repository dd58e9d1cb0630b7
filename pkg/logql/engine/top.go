package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dustin/go-humanize"
)

// topSeries holds an answer to the limit of series: it keeps those whose samples have the largest sums, in the order in
// which they are, and says so. Loki refuses such a query; but who looks at 500 lines of a graph rarely misses the 501st,
// and who does is told what to do.
func (q *query) topSeries(series []Series) []Series {
	limit := q.limits.Series
	if limit == 0 || len(series) <= limit {
		return series
	}
	type ranked struct {
		sum   float64
		index int
	}
	order := make([]ranked, len(series))
	for i, s := range series {
		order[i] = ranked{sumOf(s.Samples), i}
	}
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(a.index, b.index)) })
	order = order[:limit]
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Compare(a.index, b.index) })
	kept := make([]Series, limit)
	for i, r := range order {
		kept[i] = series[r.index]
	}
	q.warn(fmt.Sprintf("the answer has the %s series with the largest sums of %s; max_query_series is the limit. More specific stream "+
		"selectors, or aggregations such as sum by (…) or topk, make fewer", humanize.Comma(int64(limit)), humanize.Comma(int64(len(series)))))
	return kept
}

// sumOf adds up samples; those that are no number count for nothing, so that one of them does not hide the others.
func sumOf(samples []Sample) float64 {
	sum := 0.0
	for _, s := range samples {
		if !math.IsNaN(s.Value) {
			sum += s.Value
		}
	}
	return sum
}
