package naive

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// evalVector returns the samples of an instant, in order of labels unless the expression sorts them.
func evalVector(e syntax.Expr, streams []model.Stream, at model.Timestamp) ([]Sample, error) {
	if v, ok := constant(e); ok {
		return []Sample{{Labels{}, v}}, nil
	}
	switch e := e.(type) {
	case *syntax.RangeAggregation:
		return evalRange(e, streams, at)
	case *syntax.VectorAggregation:
		vector, err := evalVector(e.Expr, streams, at)
		if err != nil {
			return nil, err
		}
		return aggregate(e, vector), nil
	case *syntax.Binary:
		return evalBinary(e, streams, at)
	case *syntax.Vector:
		return []Sample{{Labels{}, e.Value}}, nil
	case *syntax.LabelReplace:
		vector, err := evalVector(e.Expr, streams, at)
		if err != nil {
			return nil, err
		}
		return replaceLabel(e, vector)
	}
	return nil, fmt.Errorf("expression %s is unknown here", e)
}

// constant returns the value of an expression of numbers alone.
func constant(e syntax.Expr) (float64, bool) {
	switch e := e.(type) {
	case *syntax.Literal:
		return e.Value, true
	case *syntax.Binary:
		l, okL := constant(e.LHS)
		r, okR := constant(e.RHS)
		return operate(e.Op, l, r), okL && okR
	}
	return 0, false
}

func aggregate(e *syntax.VectorAggregation, vector []Sample) []Sample {
	if e.Op == syntax.OpSort || e.Op == syntax.OpSortDesc {
		return byValue(vector, e.Op == syntax.OpSortDesc)
	}
	g := e.Grouping
	if g == nil {
		g = &syntax.Grouping{} // by ()
	}
	sets, groups := map[string]Labels{}, map[string][]Sample{}
	for _, s := range vector {
		set := grouped(s.Labels, g)
		k := key(set)
		sets[k], groups[k] = set, append(groups[k], s)
	}
	var out []Sample
	for k, members := range groups {
		if e.Op.TakesK() {
			ranked := byValue(members, e.Op != syntax.OpBottomK)
			out = append(out, ranked[:min(e.K, len(ranked))]...)
			continue
		}
		var values []float64
		for _, s := range members {
			values = append(values, s.Value)
		}
		out = append(out, Sample{sets[k], foldVector(e.Op, values)})
	}
	return inOrder(out)
}

// byValue sorts by value, NaN last, equal ones by labels.
func byValue(vector []Sample, descending bool) []Sample {
	vector = inOrder(slices.Clone(vector))
	slices.SortStableFunc(vector, func(a, b Sample) int {
		switch {
		case math.IsNaN(a.Value) || math.IsNaN(b.Value):
			return cmp.Compare(b.Value, a.Value) // NaN is less than any
		case descending:
			return cmp.Compare(b.Value, a.Value)
		}
		return cmp.Compare(a.Value, b.Value)
	})
	return vector
}

func foldVector(op syntax.VectorOp, values []float64) float64 {
	switch op {
	case syntax.OpSum:
		return sum(values)
	case syntax.OpAvg:
		return mean(values)
	case syntax.OpMin:
		return least(values)
	case syntax.OpMax:
		return greatest(values)
	case syntax.OpCount:
		return float64(len(values))
	case syntax.OpStdvar:
		return variance(values)
	case syntax.OpStddev:
		return math.Sqrt(variance(values))
	}
	panic("vector aggregation " + op.String() + " is unknown here")
}

// replaceLabel sets a label from another's value where the expression matches all of that.
func replaceLabel(e *syntax.LabelReplace, vector []Sample) ([]Sample, error) {
	re, err := regexp.Compile("^(?:" + e.Regexp + ")$")
	if err != nil {
		return nil, err
	}
	var out []Sample
	for _, s := range vector {
		source := s.Labels[e.Source]
		if match := re.FindStringSubmatchIndex(source); match != nil {
			s.Labels = maps.Clone(s.Labels)
			delete(s.Labels, e.Dst)
			if value := string(re.ExpandString(nil, e.Replacement, source, match)); value != "" {
				s.Labels[e.Dst] = value
			}
		}
		out = append(out, s)
	}
	return inOrder(out), nil
}
