// Package plan turns a query's tree into what is to be read and what is to be done with it. It decides everything that can
// be decided without looking at data: which filters the store applies, which columns it has to decode, where a sum can be
// taken while reading, what the store can count by itself, and that everything in the query can be evaluated at all. It
// reads nothing and knows no time.
//
// Build makes the nodes bottom up. What a read of the store can be spared is decided by rules, one in each rule_*.go, which
// change no answer and are listed in rules.go; any of them can be left out (Options). Text prints a plan. A plan for a new
// construct is a node in node.go, a case in build, an operator in the engine, and its line in print.go.
package plan

import (
	"fmt"

	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// Build plans a query with all rules.
func Build(e syntax.Expr) (Node, error) { return Options{}.Build(e) }

// Build plans a query.
func (o Options) Build(e syntax.Expr) (Node, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return o.build(e)
}

func (o Options) build(e syntax.Expr) (Node, error) {
	switch e := e.(type) {
	case *syntax.LogExpr:
		return o.buildLog(e)
	case *syntax.RangeAggregation:
		return o.buildRange(e, seriesGroup(e))
	case *syntax.VectorAggregation:
		return o.buildAggregate(e)
	case *syntax.Binary:
		return o.buildBinary(e)
	case *syntax.Literal:
		return &Scalar{Value: e.Value}, nil
	case *syntax.Vector:
		return &Constant{Value: e.Value}, nil
	case *syntax.LabelReplace:
		return o.buildLabelReplace(e)
	}
	return nil, fmt.Errorf("expression %s is unknown to the planner", e)
}

func (o Options) buildLog(e *syntax.LogExpr) (Node, error) {
	r := newRead(e)
	if err := o.apply(r); err != nil {
		return nil, err
	}
	return &Log{Scan: r.scans[0], Stages: r.compiled, Syntax: r.stages, Limited: r.limited, SearchWords: searchWords(e.Stages)}, nil
}

// buildRange plans a range aggregation whose series are formed by group.
func (o Options) buildRange(e *syntax.RangeAggregation, group Group) (Node, error) {
	if e.Op == syntax.OpAbsentOverTime {
		return o.buildAbsent(e)
	}
	r := newRead(e.Log)
	r.metric, r.group = e, group
	if !r.measuresLines() {
		r.stages = withoutUnreadLines(r.stages) // no rule, for it decides whether a template may fail
	}
	if err := o.apply(r); err != nil {
		return nil, err
	}
	return o.pushCount(&Range{
		Op:       e.Op,
		Values:   e.Unwrap != nil && e.Op != syntax.OpCountOverTime,
		Quantile: e.Param,
		Length:   e.Range,
		Offset:   e.Offset,
		Scans:    r.scans,
		Stages:   r.compiled,
		Syntax:   r.stages,
		Unwrap:   e.Unwrap,
		Group:    group,
		// Who groups by __error__, or filters by it and groups by labels, counts the lines that could not be parsed.
		KeepsErrors: group.Mode == GroupBy && r.needs().Errors,
	}), nil
}

// buildAbsent counts everything in one series and turns it over.
func (o Options) buildAbsent(e *syntax.RangeAggregation) (Node, error) {
	counted := *e
	counted.Op = syntax.OpCountOverTime // of the entries that have a value, behind an unwrap
	input, err := o.buildRange(&counted, Group{Mode: GroupBy})
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

func (o Options) buildAggregate(e *syntax.VectorAggregation) (Node, error) {
	group := groupOf(e.Grouping)
	// A sum of counts is a count: the groups are formed while reading, and no series is made only to be added up.
	if inner, ok := e.Expr.(*syntax.RangeAggregation); ok && foldsAlike(e.Op, inner.Op) {
		if e.Op == syntax.OpSum { // as in Loki, where it may name the label that was unwrapped
			return o.buildRange(inner, withoutUnwrapped(inner, group))
		}
		return o.buildRange(inner, group.of(seriesGroup(inner)))
	}
	input, err := o.buildVector(e.Expr)
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
func (o Options) buildVector(e syntax.Expr) (Node, error) {
	n, err := o.build(e)
	if s, ok := n.(*Scalar); ok {
		return &Constant{Value: s.Value}, nil
	}
	return n, err
}

func (o Options) buildLabelReplace(e *syntax.LabelReplace) (Node, error) {
	re, err := regexp.Compile("^(?:" + e.Regexp + ")$")
	if err != nil {
		return nil, fmt.Errorf("compile expression of label_replace: %w", err) // the parser has tried
	}
	input, err := o.buildVector(e.Expr)
	if err != nil {
		return nil, err
	}
	return &LabelReplace{Dst: e.Dst, Replacement: e.Replacement, Source: e.Source, Regexp: re, Input: input}, nil
}

func (o Options) buildBinary(e *syntax.Binary) (Node, error) {
	if v, ok := syntax.Constant(e); ok {
		return &Scalar{Value: v}, nil
	}
	left, err := o.build(e.LHS)
	if err != nil {
		return nil, err
	}
	right, err := o.build(e.RHS)
	if err != nil {
		return nil, err
	}
	return &Binary{Op: e.Op, Bool: e.Bool, Matching: e.Matching, LHS: left, RHS: right}, nil
}
