package syntax

import (
	"errors"
	"fmt"
	"math"
	resyntax "regexp/syntax"
	"slices"

	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"
)

// check returns the first fault of the tree's meaning: of a node before those of its operands, left before right.
func (p *parser) check(e Expr) error {
	if fault := p.faults[e]; fault != nil {
		return p.placed(e, fault)
	}
	switch e := e.(type) {
	case *LogExpr:
		return p.placed(e, checkMatchers(e.Matchers))
	case *RangeAggregation:
		return p.placed(e, checkMatchers(e.Log.Matchers))
	case *VectorAggregation:
		if err := checkVectorGrouping(e); err != nil {
			return p.placed(e, err)
		}
		return p.check(e.Expr)
	case *LabelReplace:
		return p.check(e.Expr)
	case *Binary:
		if err := p.check(e.LHS); err != nil {
			return err
		}
		return p.check(e.RHS)
	}
	return nil
}

const matchersMessage = `queries require at least one regexp or equality matcher that does not have an empty-compatible value. ` +
	`For instance, app=~".*" does not meet this requirement, but app=~".+" will`

// checkMatchers refuses selectors that could not tell any stream from all streams.
func checkMatchers(ms []*labels.Matcher) error {
	for _, m := range ms {
		if !m.Matches("") {
			return nil
		}
	}
	return &ParseError{Msg: matchersMessage}
}

func checkVectorGrouping(e *VectorAggregation) error {
	switch {
	case e.Grouping == nil:
	case e.Op == OpApproxTopK:
		return meaningErrorf("grouping not allowed for %s aggregation", e.Op)
	case (e.Op == OpSort || e.Op == OpSortDesc) && len(e.Grouping.Labels) > 0:
		return meaningErrorf("sort and sort_desc doesn't allow grouping by ")
	}
	return nil
}

func checkRangeAggregation(e *RangeAggregation) error {
	if e.Grouping != nil {
		switch e.Op {
		case OpAvgOverTime, OpStddevOverTime, OpStdvarOverTime, OpQuantileOverTime, OpMaxOverTime, OpMinOverTime,
			OpFirstOverTime, OpLastOverTime:
		default:
			return meaningErrorf("grouping not allowed for %s aggregation", e.Op)
		}
	}
	countsEntries := e.Op == OpCountOverTime || e.Op == OpBytesOverTime || e.Op == OpBytesRate
	either := e.Op == OpRate || e.Op == OpAbsentOverTime
	switch {
	case e.Unwrap != nil && countsEntries:
		return meaningErrorf("invalid aggregation %s with unwrap", e.Op)
	case slices.ContainsFunc(e.Log.Stages, isDistinct):
		// Which entry of a window is the first depends on the window; what is meant is a number of series.
		return meaningErrorf("distinct keeps lines and has no meaning in %s; to count the values of a label, count series: "+
			"count(sum by (a) (count_over_time(…)))", e.Op)
	case e.Unwrap == nil && !countsEntries && !either:
		return meaningErrorf("invalid aggregation %s without unwrap", e.Op)
	}
	return nil
}

func isDistinct(s Stage) bool {
	_, ok := s.(*Distinct)
	return ok
}

func checkBinary(b *Binary) error {
	if IsLog(b.LHS) {
		return meaningErrorf("unexpected type for left leg of binary operation (%s): log query", b.Op)
	}
	if IsLog(b.RHS) {
		return meaningErrorf("unexpected type for right leg of binary operation (%s): log query", b.Op)
	}
	if !b.Op.IsSet() {
		return nil
	}
	if v, ok := Constant(b.LHS); ok {
		return meaningErrorf("unexpected literal for left leg of logical/set binary operation (%s): %f", b.Op, v)
	}
	if v, ok := Constant(b.RHS); ok {
		return meaningErrorf("unexpected literal for right leg of logical/set binary operation (%s): %f", b.Op, v)
	}
	return nil
}

// Constant returns the value of an expression made of literals alone.
func Constant(e Expr) (float64, bool) {
	switch e := e.(type) {
	case *Literal:
		return e.Value, true
	case *Binary:
		l, ok := Constant(e.LHS)
		if !ok || e.Op.IsSet() {
			return 0, false
		}
		r, ok := Constant(e.RHS)
		return e.Op.Scalars(l, r), ok
	}
	return 0, false
}

// Scalars applies an arithmetic or comparing operator to two numbers. As in Loki, a division by zero is not a number,
// and a comparison is 1 or 0. Set operators have no meaning between numbers; they yield not a number.
func (op BinaryOp) Scalars(l, r float64) float64 {
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	switch op {
	case OpAdd:
		return l + r
	case OpSub:
		return l - r
	case OpMul:
		return l * r
	case OpDiv:
		if r == 0 {
			return math.NaN()
		}
		return l / r
	case OpMod:
		return math.Mod(l, r) // NaN for r = 0
	case OpPow:
		return math.Pow(l, r)
	case OpEqual:
		return truth(l == r)
	case OpNotEqual:
		return truth(l != r)
	case OpGreater:
		return truth(l > r)
	case OpGreaterEqual:
		return truth(l >= r)
	case OpLess:
		return truth(l < r)
	case OpLessEqual:
		return truth(l <= r)
	}
	return math.NaN()
}

// checkLineFilter compiles nothing but makes sure that everything can be.
func (p *parser) checkLineFilter(f *LineFilter) error {
	for _, a := range f.Any {
		var err error
		switch {
		case a.IP && f.Op != LineContains && f.Op != LineNotContains:
			err = errors.New("ip: invalid operation")
		case a.IP:
			_, err = ParseIPRange(a.Text)
		case f.Op == LineMatches || f.Op == LineNotMatches:
			err = p.checkRegexp(a.Text)
		case f.Op == LinePattern || f.Op == LineNotPattern:
			_, err = ParseLinePattern(a.Text)
		}
		if err != nil {
			return stageErrorf(f, err)
		}
	}
	return nil
}

func checkIPFilter(f *IPFilter) error {
	if _, err := ParseIPRange(f.Range); err != nil {
		return stageErrorf(&LabelFilterStage{Filter: f}, err)
	}
	return nil
}

// CheckRegexp refuses a regular expression as the parser would that stands alone in a query.
func CheckRegexp(text string) error { return (&parser{}).checkRegexp(text) }

// checkRegexp refuses what is not RE2, and what would take too much memory once compiled. Its error is the cause alone.
func (p *parser) checkRegexp(text string) error {
	re, err := resyntax.Parse(text, resyntax.Perl)
	if err != nil {
		return err
	}
	if p.regexpCost += regexpCost(re, regexpCostMax); p.regexpCost > regexpCostMax {
		return fmt.Errorf("regular expressions are too large: more than %d instructions", regexpCostMax)
	}
	return nil
}

// regexpCost estimates the instructions of the compiled expression, counted repeats expanded; it stops above limit.
func regexpCost(re *resyntax.Regexp, limit int) int {
	cost := 1
	switch re.Op {
	case resyntax.OpLiteral:
		cost = len(re.Rune)
	case resyntax.OpCharClass:
		cost = 1 + len(re.Rune)/2
	}
	for _, sub := range re.Sub {
		if cost > limit {
			break
		}
		cost += regexpCost(sub, limit)
	}
	if re.Op == resyntax.OpRepeat {
		cost *= max(1, re.Min, re.Max)
	}
	return min(cost, limit+1)
}

func (p *parser) checkRegexpStage(text string) error {
	fail := func(err error) error { return meaningErrorf("invalid regexp parser: %s", err) }
	if err := p.checkRegexp(text); err != nil {
		return fail(err)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return fail(err)
	}
	seen := map[string]bool{}
	for _, name := range re.SubexpNames() {
		switch {
		case name == "":
		case seen[name]:
			return fail(fmt.Errorf("duplicate extracted label name '%s'", name))
		default:
			seen[name] = true
		}
	}
	if len(seen) == 0 {
		return fail(errors.New("at least one named capture must be supplied"))
	}
	return nil
}

func checkPatternStage(text string) error {
	if _, err := ParsePattern(text); err != nil {
		return meaningErrorf("invalid pattern parser: %s", err)
	}
	return nil
}

func checkJSON(s *JSON) error {
	for _, e := range s.Extractions {
		if _, err := ParseJSONPath(e.Path); err != nil {
			return stageErrorf(s, fmt.Errorf("cannot parse expression [%s]: %w", e.Path, err))
		}
	}
	return nil
}

func checkLogfmt(s *Logfmt) error {
	for _, e := range s.Extractions {
		if _, err := ParseLogfmtKey(e.Path); err != nil {
			return stageErrorf(s, fmt.Errorf("cannot parse expression [%s]: %w", e.Path, err))
		}
	}
	return nil
}

func checkLineFormat(s *LineFormat) error {
	if _, err := ParseTemplate("line", s.Template); err != nil {
		return stageErrorf(s, fmt.Errorf("invalid line template: %w", err))
	}
	return nil
}

func checkLabelFormat(s *LabelFormat) error {
	seen := map[string]bool{}
	for _, f := range s.Formats {
		switch {
		case f.Label == "__error__":
			return stageErrorf(s, fmt.Errorf("%s cannot be formatted", f.Label))
		case seen[f.Label]:
			return stageErrorf(s, fmt.Errorf("multiple label name '%s' not allowed in a single format operation", f.Label))
		}
		seen[f.Label] = true
		if f.Source == "" {
			if _, err := ParseTemplate("label", f.Template); err != nil {
				return stageErrorf(s, fmt.Errorf("invalid template for label '%s': %w", f.Label, err))
			}
		}
	}
	return nil
}
