package naive

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/logql/template"
)

// vector returns the samples of an instant, in order of labels unless the expression sorts them.
func (ev *evaluation) vector(e syntax.Expr, want asked) ([]Sample, error) {
	if v, ok := constant(e); ok {
		return []Sample{{Labels{}, v}}, nil
	}
	switch e := e.(type) {
	case *syntax.RangeAggregation:
		return ev.window(e, want)
	case *syntax.VectorAggregation:
		vector, err := ev.vector(e.Expr, around(e))
		if err != nil {
			return nil, err
		}
		return aggregate(e, vector), nil
	case *syntax.Binary:
		return ev.binary(e)
	case *syntax.Vector:
		return []Sample{{Labels{}, e.Value}}, nil
	case *syntax.LabelReplace:
		vector, err := ev.vector(e.Expr, asked{})
		if err != nil {
			return nil, err
		}
		return replaceLabel(e, vector)
	}
	return nil, fmt.Errorf("expression %s is unknown here", e)
}

// around returns what a sum, or a maximum of maxima, reads of the range in it; other aggregations see all of its series.
func around(e *syntax.VectorAggregation) asked {
	r, ok := e.Expr.(*syntax.RangeAggregation)
	if !ok || r.Grouping != nil || e.Grouping != nil && e.Grouping.Without {
		return asked{}
	}
	sum := e.Op == syntax.OpSum && slices.Contains([]syntax.RangeOp{
		syntax.OpCountOverTime, syntax.OpRate, syntax.OpBytesOverTime, syntax.OpBytesRate, syntax.OpSumOverTime,
	}, r.Op)
	extreme := e.Op == syntax.OpMax && r.Op == syntax.OpMaxOverTime || e.Op == syntax.OpMin && r.Op == syntax.OpMinOverTime
	if !sum && !extreme {
		return asked{}
	}
	g := e.Grouping
	if g == nil {
		g = &syntax.Grouping{} // by ()
	}
	a := asks(r, g)
	a.around, a.summed = true, sum
	return a
}

// asks returns what is read of an entry when the series of a range are grouped so.
func asks(r *syntax.RangeAggregation, g *syntax.Grouping) asked {
	if r.Op == syntax.OpAbsentOverTime {
		g = &syntax.Grouping{} // it is there or not
	}
	if g == nil || g.Without {
		return asked{}
	}
	names := slices.Clone(g.Labels)
	if r.Unwrap != nil {
		names = append(names, r.Unwrap.Label)
		for _, f := range r.Unwrap.Filters {
			names = append(names, readBy(&syntax.LabelFilterStage{Filter: f})...)
		}
	}
	for _, s := range stagesOf(r) {
		names = append(names, readBy(s)...)
	}
	a := asked{labels: map[string]bool{}}
	for _, name := range names {
		switch name {
		case ".":
			return asked{errors: slices.Contains(names, errorLabel)}
		case errorLabel, detailsLabel:
			a.errors = true
		default:
			a.labels[name] = true
		}
	}
	return a
}

// readBy returns the names that a stage reads, "." for all. Drop and keep read none: what they compare concerns whoever reads
// the label behind them.
func readBy(s syntax.Stage) []string {
	var names []string
	switch s := s.(type) {
	case *syntax.LabelFilterStage:
		syntax.WalkFilter(s.Filter, func(f syntax.LabelFilter) {
			switch f := f.(type) {
			case *syntax.MatcherFilter:
				names = append(names, f.Matcher.Name)
			case *syntax.NumberFilter:
				names = append(names, f.Label)
			case *syntax.DurationFilter:
				names = append(names, f.Label)
			case *syntax.BytesFilter:
				names = append(names, f.Label)
			case *syntax.IPFilter:
				names = append(names, f.Label)
			}
		})
	case *syntax.LineFormat:
		return readByTemplate(s.Template)
	case *syntax.LabelFormat:
		for _, f := range s.Formats {
			if f.Source == "" {
				names = append(names, readByTemplate(f.Template)...)
			} else {
				names = append(names, f.Source)
			}
		}
	}
	return names
}

func readByTemplate(text string) []string {
	t, err := template.Compile("line", text)
	if err != nil || t.Reads().AllNames {
		return []string{"."}
	}
	return t.Reads().Names
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
