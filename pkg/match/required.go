package match

import (
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

const (
	textsMax    = 16  // of one set: each costs a pass over the buffer
	textMax     = 128 // bytes of one text
	classMax    = 10  // runes of a class that is spelled out
	prefilterOK = 2   // bytes that the shortest text of a prefilter must have
)

// literalSet is a small set of texts.
type literalSet struct {
	texts []string // in lower case when fold
	fold  bool     // letters match in either case
}

// literalsOf looks for the literals in a regular expression that is searched for, unanchored. exact: a line matches just
// when it contains one of these. required: a line that matches contains one of these. Either may be nil: not known.
func literalsOf(re *syntax.Regexp) (exact, required *literalSet) {
	re = stripRepeats(re)
	exact, required = analyze(re)
	if exact != nil {
		return exact, nil
	}
	if required != nil && required.shortest() < prefilterOK {
		required = nil
	}
	return nil, required
}

// stripRepeats removes what may be absent from the ends of an expression that is searched for: .*x.* is found just where
// x is.
func stripRepeats(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpConcat {
		return re
	}
	optional := func(r *syntax.Regexp) bool { return r.Op == syntax.OpStar || r.Op == syntax.OpQuest }
	sub := re.Sub
	for len(sub) > 0 && optional(sub[0]) {
		sub = sub[1:]
	}
	for len(sub) > 0 && optional(sub[len(sub)-1]) {
		sub = sub[:len(sub)-1]
	}
	stripped := *re
	stripped.Sub = sub
	return &stripped
}

// analyze returns for one node: exact, when it matches just these texts; required, when each match contains one of these.
func analyze(re *syntax.Regexp) (exact, required *literalSet) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return &literalSet{texts: []string{""}}, nil
	case syntax.OpLiteral:
		return analyzeLiteral(re)
	case syntax.OpCharClass:
		return analyzeClass(re), nil
	case syntax.OpCapture:
		return analyze(re.Sub[0])
	case syntax.OpQuest:
		if e, _ := analyze(re.Sub[0]); e != nil && len(e.texts) < textsMax {
			return &literalSet{texts: append([]string{""}, e.texts...), fold: e.fold}, nil
		}
	case syntax.OpPlus:
		return nil, requiredOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return nil, requiredOf(re.Sub[0])
		}
	case syntax.OpConcat:
		return analyzeConcat(re.Sub)
	case syntax.OpAlternate:
		return analyzeAlternate(re.Sub)
	}
	return nil, nil
}

// requiredOf returns what each match of the node contains.
func requiredOf(re *syntax.Regexp) *literalSet {
	exact, required := analyze(re)
	return better(required, exact)
}

func analyzeLiteral(re *syntax.Regexp) (exact, required *literalSet) {
	fold := re.Flags&syntax.FoldCase != 0
	for _, r := range re.Rune {
		if !spellable(r, fold) {
			return nil, requiredRun(re.Rune, fold)
		}
	}
	return &literalSet{texts: []string{fitCase(string(re.Rune), fold)}, fold: fold}, nil
}

// requiredRun returns the longest run of runes that stand for themselves.
func requiredRun(runes []rune, fold bool) *literalSet {
	best, start := "", 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && spellable(runes[i], fold) {
			continue
		}
		if run := string(runes[start:i]); len(run) > len(best) {
			best = run
		}
		start = i + 1
	}
	if best == "" {
		return nil
	}
	return &literalSet{texts: []string{fitCase(best, fold)}, fold: fold}
}

// spellable reports whether the rune is found as its own UTF-8 bytes. U+FFFD also stands for bytes that are no UTF-8, and
// the folding of letters is done for ASCII alone.
func spellable(r rune, fold bool) bool {
	if r == utf8.RuneError || !utf8.ValidRune(r) {
		return false
	}
	return !fold || r < utf8.RuneSelf || unicode.SimpleFold(r) == r
}

func fitCase(s string, fold bool) string {
	if fold {
		return lowerASCII(s)
	}
	return s
}

// analyzeClass spells out a small class.
func analyzeClass(re *syntax.Regexp) *literalSet {
	set := &literalSet{}
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if len(set.texts) == classMax || !spellable(r, false) {
				return nil
			}
			set.texts = append(set.texts, string(r))
		}
	}
	if len(set.texts) == 0 {
		return nil // matches nothing at all
	}
	return set
}

// analyzeConcat grows a run of texts over neighbouring nodes that are known exactly, and starts a new one behind any
// other node. The best run, or the best requirement of a node, is the requirement of all.
func analyzeConcat(subs []*syntax.Regexp) (exact, required *literalSet) {
	run := &literalSet{texts: []string{""}}
	whole := true // run is all there is so far, and exact
	for _, sub := range subs {
		if isAssertion(sub.Op) {
			whole = false // may fail where the texts are found; takes no room between them
			continue
		}
		e, r := analyze(sub)
		if e != nil {
			if joined, same := cross(run, e); joined != nil {
				run, whole = joined, whole && same
				continue
			}
		}
		whole = false
		required = better(better(required, run), r)
		if run = e; run == nil {
			run = &literalSet{texts: []string{""}}
		}
	}
	if whole {
		return run, nil
	}
	return nil, better(required, run)
}

func isAssertion(op syntax.Op) bool {
	switch op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary,
		syntax.OpNoWordBoundary:
		return true
	}
	return false
}

// analyzeAlternate unites what is known of the branches; one unknown branch makes all unknown.
func analyzeAlternate(subs []*syntax.Regexp) (exact, required *literalSet) {
	exact = &literalSet{}
	required = &literalSet{}
	for i, sub := range subs {
		e, r := analyze(sub)
		exact = unite(exact, e, i == 0, true)
		required = unite(required, better(r, e), i == 0, false)
	}
	return exact, required
}

// unite returns the texts of both sets, nil when there are too many, or when strictly and their folding differs.
func unite(a, b *literalSet, first, strictly bool) *literalSet {
	if a == nil || b == nil || len(a.texts)+len(b.texts) > textsMax {
		return nil
	}
	if first {
		return b
	}
	a, b, same := sameFold(a, b)
	if strictly && !same {
		return nil
	}
	return &literalSet{texts: append(append([]string(nil), a.texts...), b.texts...), fold: a.fold}
}

// cross returns every text of a followed by every one of b, nil when that is too much. same tells that this is exactly
// what both match in a row; else it matches more.
func cross(a, b *literalSet) (joined *literalSet, same bool) {
	if len(a.texts)*len(b.texts) > textsMax || a.longest()+b.longest() > textMax {
		return nil, false
	}
	a, b, same = sameFold(a, b)
	joined = &literalSet{fold: a.fold}
	for _, s := range a.texts {
		for _, t := range b.texts {
			joined.texts = append(joined.texts, s+t)
		}
	}
	return joined, same
}

// sameFold widens the set that does not fold to the other. same tells that it had no letters, so that nothing is widened.
func sameFold(a, b *literalSet) (*literalSet, *literalSet, bool) {
	if a.fold == b.fold {
		return a, b, true
	}
	a, sameA := a.widen()
	b, sameB := b.widen()
	return a, b, sameA && sameB
}

// widen returns the set regardless of case. Letters outside of ASCII stay as they are, for they are found as they are.
func (s *literalSet) widen() (*literalSet, bool) {
	if s.fold {
		return s, true
	}
	same := true
	wide := &literalSet{fold: true}
	for _, t := range s.texts {
		low := lowerASCII(t)
		for i := range len(low) {
			same = same && upper(low[i]) == low[i]
		}
		wide.texts = append(wide.texts, low)
	}
	return wide, same
}

func (s *literalSet) shortest() int {
	n := textMax
	for _, t := range s.texts {
		n = min(n, len(t))
	}
	return n
}

func (s *literalSet) longest() int {
	n := 0
	for _, t := range s.texts {
		n = max(n, len(t))
	}
	return n
}

// better returns the set that excludes more lines: of longer texts, and fewer.
func better(a, b *literalSet) *literalSet {
	if score(b) > score(a) {
		return b
	}
	return a
}

func score(s *literalSet) int {
	if s == nil || s.shortest() == 0 {
		return 0
	}
	return min(s.shortest(), 8)*textsMax - len(s.texts) + 1
}
