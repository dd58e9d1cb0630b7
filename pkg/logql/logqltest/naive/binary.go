package naive

import (
	"fmt"
	"maps"
	"math"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func (ev *evaluation) binary(e *syntax.Binary) ([]Sample, error) {
	left, err := ev.vector(e.LHS, asked{})
	if err != nil {
		return nil, err
	}
	right, err := ev.vector(e.RHS, asked{})
	if err != nil {
		return nil, err
	}
	_, leftIsNumber := constant(e.LHS)
	_, rightIsNumber := constant(e.RHS)
	switch {
	case leftIsNumber:
		return withNumber(e, right, func(v float64) (l, r float64) { return left[0].Value, v }), nil
	case rightIsNumber:
		return withNumber(e, left, func(v float64) (l, r float64) { return v, right[0].Value }), nil
	case e.Op.IsSet():
		return evalSet(e, left, right), nil
	}
	return match(e, left, right)
}

// withNumber applies an operator to each sample and a number.
func withNumber(e *syntax.Binary, vector []Sample, sides func(v float64) (l, r float64)) []Sample {
	var out []Sample
	for _, s := range vector {
		l, r := sides(s.Value)
		if v, ok := result(e, l, r, s.Value); ok {
			out = append(out, Sample{s.Labels, v})
		}
	}
	return out
}

// result applies an operator. A comparison without bool drops the sample or leaves it as it is.
func result(e *syntax.Binary, l, r, sample float64) (float64, bool) {
	v := operate(e.Op, l, r)
	if e.Op.IsComparison() && !e.Bool {
		return sample, v != 0
	}
	return v, true
}

func operate(op syntax.BinaryOp, l, r float64) float64 {
	truth := func(ok bool) float64 {
		if ok {
			return 1
		}
		return 0
	}
	switch op {
	case syntax.OpAdd:
		return l + r
	case syntax.OpSub:
		return l - r
	case syntax.OpMul:
		return l * r
	case syntax.OpDiv:
		if r == 0 {
			return math.NaN()
		}
		return l / r
	case syntax.OpMod:
		return math.Mod(l, r)
	case syntax.OpPow:
		return math.Pow(l, r)
	case syntax.OpEqual:
		return truth(l == r)
	case syntax.OpNotEqual:
		return truth(l != r)
	case syntax.OpGreater:
		return truth(l > r)
	case syntax.OpGreaterEqual:
		return truth(l >= r)
	case syntax.OpLess:
		return truth(l < r)
	case syntax.OpLessEqual:
		return truth(l <= r)
	}
	return math.NaN()
}

// matchKey is what two label sets that belong together have in common.
func matchKey(e *syntax.Binary, ls Labels) string {
	if e.Matching == nil {
		return key(ls)
	}
	return key(grouped(ls, &syntax.Grouping{Without: !e.Matching.On, Labels: e.Matching.Labels}))
}

// evalSet is "and", "or", "unless", which look at label sets alone.
func evalSet(e *syntax.Binary, left, right []Sample) []Sample {
	keys := func(vector []Sample) map[string]bool {
		set := map[string]bool{}
		for _, s := range vector {
			set[matchKey(e, s.Labels)] = true
		}
		return set
	}
	inLeft, inRight := keys(left), keys(right)
	var out []Sample
	for _, s := range left {
		if e.Op == syntax.OpOr || inRight[matchKey(e, s.Labels)] == (e.Op == syntax.OpAnd) {
			out = append(out, s)
		}
	}
	for _, s := range right {
		if e.Op == syntax.OpOr && !inLeft[matchKey(e, s.Labels)] {
			out = append(out, s)
		}
	}
	return inOrder(out)
}

// match applies an operator to the samples that belong together: one to one, or many on the left of group_left and on the
// right of group_right.
func match(e *syntax.Binary, left, right []Sample) ([]Sample, error) {
	card, include := syntax.OneToOne, []string(nil)
	if e.Matching != nil {
		card, include = e.Matching.Card, e.Matching.Include
	}
	many, one := left, right
	if card == syntax.OneToMany {
		many, one = right, left
	}
	partner := map[string]Sample{}
	for _, s := range one {
		k := matchKey(e, s.Labels)
		if _, ok := partner[k]; ok {
			return nil, fmt.Errorf("%w: twice on one side", ErrMatching)
		}
		partner[k] = s
	}
	var out []Sample
	seen := map[string]bool{}
	for _, s := range many {
		k := matchKey(e, s.Labels)
		other, ok := partner[k]
		if !ok {
			continue
		}
		set := maps.Clone(s.Labels)
		if card == syntax.OneToOne {
			if m := e.Matching; m != nil {
				set = grouped(set, &syntax.Grouping{Without: !m.On, Labels: m.Labels})
			}
		} else {
			k = key(withIncluded(set, other.Labels, include)) + k
		}
		if seen[k] {
			return nil, fmt.Errorf("%w: many to one", ErrMatching)
		}
		seen[k] = true
		set = withIncluded(set, other.Labels, include)
		l, r := s, other
		if card == syntax.OneToMany {
			l, r = other, s
		}
		if v, ok := result(e, l.Value, r.Value, l.Value); ok {
			out = append(out, Sample{set, v})
		}
	}
	return inOrder(out), nil
}

func withIncluded(set, one Labels, names []string) Labels {
	set = maps.Clone(set)
	for _, name := range names {
		delete(set, name)
		if v := one[name]; v != "" {
			set[name] = v
		}
	}
	return set
}
