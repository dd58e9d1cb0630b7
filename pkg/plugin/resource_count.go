package plugin

import (
	"context"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// countTimeout ends the counting behind "Newest 1,000 of 48,210 lines".
const countTimeout = 5 * time.Second

// lineCountJSON is how many lines a log query has, were it not for its limit.
type lineCountJSON struct {
	// Counted is false when counting would mean reading lines.
	Counted bool   `json:"counted"`
	Entries uint64 `json:"entries"`
}

// countLines answers for queries that drop no line after the selector; these are counted from sums that the store keeps.
// The interval is that of a run: start inclusive, end exclusive.
func countLines(ctx context.Context, c *resourceCall) (any, error) {
	text := c.params.Get("query")
	if len(text) > queryBytesMax {
		return nil, fault(400, "The query is %d bytes long; at most %d are read.", len(text), queryBytesMax)
	}
	expr, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	query, isLog := expr.(*syntax.LogExpr)
	if !isLog || dropsLines(query.Stages) {
		return lineCountJSON{}, nil
	}
	end := c.interval.End - 1 // resources take theirs as inclusive
	if c.interval.Start >= end {
		return lineCountJSON{Counted: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	out := lineCountJSON{Counted: true}
	request := storage.CountRequest{Matchers: query.Matchers, Edges: []model.Timestamp{c.interval.Start, end}, LabelNames: []string{}}
	_, err = c.p.Querier.Count(ctx, c.tenant, request, func(counts *storage.Counts) error {
		for _, n := range counts.Entries {
			out.Entries += uint64(n)
		}
		return nil
	})
	return out, err
}

// dropsLines reports whether a stage may leave out lines.
func dropsLines(stages []syntax.Stage) bool {
	for _, stage := range stages {
		switch stage.(type) {
		case *syntax.LineFilter, *syntax.LabelFilterStage, *syntax.Distinct:
			return true
		}
	}
	return false
}
