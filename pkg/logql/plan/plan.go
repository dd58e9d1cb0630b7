// Package plan turns a query's tree into what is to be read and what is to be done with it. It decides everything that can
// be decided without looking at data: which filters the store applies, which columns it has to decode, where a sum can be
// taken while reading, what the store can count by itself, and that everything in the query can be evaluated at all. It reads nothing and knows no time.
//
// Build makes the nodes bottom up; the rules (rule_*.go) are functions that Build calls where they apply. A plan for a new
// construct is a node in node.go, a case in Build and an operator in the engine.
package plan

import (
	"fmt"

	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Build plans a query. The error is ErrUnsupported for what cannot be evaluated yet.
func Build(e syntax.Expr) (Node, error) {
	switch e := e.(type) {
	case *syntax.LogExpr:
		return buildLog(e)
	case *syntax.RangeAggregation:
		return buildRange(e, seriesGroup(e))
	case *syntax.VectorAggregation:
		return buildAggregate(e)
	case *syntax.Binary:
		return buildBinary(e)
	case *syntax.Literal:
		return &Scalar{Value: e.Value}, nil
	case *syntax.Vector:
		return &Constant{Value: e.Value}, nil
	case *syntax.LabelReplace:
		return buildLabelReplace(e)
	}
	return nil, fmt.Errorf("expression %s is unknown to the planner", e)
}

func buildLog(e *syntax.LogExpr) (Node, error) {
	pushed, rest := pushLineFilters(e.Stages)
	stages, err := pipeline.Compile(rest, pipeline.Options{Wanted: pipeline.Needs{AllNames: true}})
	if err != nil {
		return nil, err
	}
	return &Log{
		Scan: Scan{
			Matchers:      e.Matchers,
			Filters:       pushed,
			MetadataEqual: metadataEqual(e.Matchers, e.Stages),
			Columns:       storage.ColumnLine | storage.ColumnLevel | storage.ColumnMetadata,
		},
		Stages:      stages,
		SearchWords: searchWords(e.Stages),
	}, nil
}

// buildRange plans a range aggregation whose series are formed by group.
func buildRange(e *syntax.RangeAggregation, group Group) (Node, error) {
	if e.Op == syntax.OpAbsentOverTime {
		return buildAbsent(e)
	}
	pushed, rest := pushLineFilters(e.Log.Stages)
	rest = withoutIdle(rest)
	if e.Op != syntax.OpBytesOverTime && e.Op != syntax.OpBytesRate {
		rest = withoutUnreadLines(rest)
	}
	var wanted pipeline.Needs
	group.addNeeds(&wanted)
	stages, err := pipeline.Compile(rest, pipeline.Options{Unwrap: e.Unwrap, Wanted: wanted})
	if err != nil {
		return nil, err
	}
	scan := Scan{Matchers: e.Log.Matchers, Filters: pushed, MetadataEqual: metadataEqual(e.Log.Matchers, e.Log.Stages)}
	if e.Op == syntax.OpBytesOverTime || e.Op == syntax.OpBytesRate {
		scan.Columns |= storage.ColumnLineBytes
	}
	wanted.Add(stages.Needs)
	n := &Range{
		Op:       e.Op,
		Values:   e.Unwrap != nil && e.Op != syntax.OpCountOverTime,
		Quantile: e.Param,
		Length:   e.Range,
		Offset:   e.Offset,
		Stages:   stages,
		Group:    group,
	}
	// Who groups by __error__, or filters by it and groups by labels, counts the lines that could not be parsed.
	n.KeepsErrors = group.Mode == GroupBy && wanted.Errors
	if n.InOrder() {
		n.Scans = []Scan{oneScan(scan, wanted)}
	} else {
		n.Scans = splitScan(scan, wanted, rest)
	}
	return pushCount(n), nil
}

// buildAbsent counts everything in one series and turns it over.
func buildAbsent(e *syntax.RangeAggregation) (Node, error) {
	counted := *e
	counted.Op = syntax.OpCountOverTime // of the entries that have a value, behind an unwrap
	input, err := buildRange(&counted, Group{Mode: GroupBy})
	if err != nil {
		return nil, err
	}
	return &Absent{Labels: absentLabels(e.Log.Matchers), Input: input}, nil
}

// absentLabels returns the labels that the selector gives one value; a name that stands in it twice has none.
func absentLabels(ms []*labels.Matcher) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	seen := map[string]bool{}
	for _, m := range ms {
		if m.Type == labels.MatchEqual && !seen[m.Name] {
			b.Set(m.Name, m.Value)
		} else {
			b.Del(m.Name)
		}
		seen[m.Name] = true
	}
	return b.Labels()
}

func buildAggregate(e *syntax.VectorAggregation) (Node, error) {
	group := groupOf(e.Grouping)
	// A sum of counts is a count: the groups are formed while reading, and no series is made only to be added up.
	if inner, ok := e.Expr.(*syntax.RangeAggregation); ok && foldsAlike(e.Op, inner.Op) {
		if e.Op == syntax.OpSum { // as in Loki, where it may name the label that was unwrapped
			return buildRange(inner, withoutUnwrapped(inner, group))
		}
		return buildRange(inner, group.of(seriesGroup(inner)))
	}
	input, err := buildVector(e.Expr)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case syntax.OpSum, syntax.OpMin, syntax.OpMax, syntax.OpAvg, syntax.OpCount, syntax.OpStddev, syntax.OpStdvar:
		return &Aggregate{Op: e.Op, Group: group, Input: input}, nil
	case syntax.OpTopK, syntax.OpBottomK, syntax.OpApproxTopK: // the last one is answered exactly
		return &TopK{K: e.K, Smallest: e.Op == syntax.OpBottomK, Group: group, Input: input}, nil
	case syntax.OpSort, syntax.OpSortDesc:
		return &Sort{Descending: e.Op == syntax.OpSortDesc, Input: input}, nil
	}
	return nil, fmt.Errorf("vector operation %s is unknown to the planner", e.Op)
}

// foldsAlike reports whether folding series over which a range operation has folded values comes to the same as folding the
// values of all of them.
func foldsAlike(vector syntax.VectorOp, op syntax.RangeOp) bool {
	switch op {
	case syntax.OpCountOverTime, syntax.OpRate, syntax.OpBytesOverTime, syntax.OpBytesRate, syntax.OpSumOverTime:
		return vector == syntax.OpSum
	case syntax.OpMaxOverTime:
		return vector == syntax.OpMax
	case syntax.OpMinOverTime:
		return vector == syntax.OpMin
	}
	return false
}

// buildVector plans an operand that must be series. Loki's grammar lets a number through where its engine then fails on
// it; one series without labels is what is meant.
func buildVector(e syntax.Expr) (Node, error) {
	n, err := Build(e)
	if s, ok := n.(*Scalar); ok {
		return &Constant{Value: s.Value}, nil
	}
	return n, err
}

func buildLabelReplace(e *syntax.LabelReplace) (Node, error) {
	re, err := regexp.Compile("^(?:" + e.Regexp + ")$")
	if err != nil {
		return nil, fmt.Errorf("compile expression of label_replace: %w", err) // the parser has tried
	}
	input, err := buildVector(e.Expr)
	if err != nil {
		return nil, err
	}
	return &LabelReplace{Dst: e.Dst, Replacement: e.Replacement, Source: e.Source, Regexp: re, Input: input}, nil
}

func buildBinary(e *syntax.Binary) (Node, error) {
	if v, ok := syntax.Constant(e); ok {
		return &Scalar{Value: v}, nil
	}
	left, err := Build(e.LHS)
	if err != nil {
		return nil, err
	}
	right, err := Build(e.RHS)
	if err != nil {
		return nil, err
	}
	return &Binary{Op: e.Op, Bool: e.Bool, Matching: e.Matching, LHS: left, RHS: right}, nil
}
