package index

import (
	"cmp"
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/match"
)

// valueRegexp finds the values that the regexp of a matcher matches, in groups of joined values. What decides is always
// what labels.Matcher says; it costs tens of nanoseconds a value at best and half a microsecond when it runs an
// automaton. So once there are many values, those go first that lack a text which every match must contain, in one search
// over the whole group; and a regexp that is more than texts and wildcards is left to the kernels of pkg/match.
//
// It serves one Resolve and is not safe for concurrent use.
type valueRegexp struct {
	text    string
	matches func(value string) bool // of the regexp, whatever the type of the matcher
	prefix  string                  // what all matching values begin with

	seen      int            // values looked at so far
	texts     *match.Matcher // holds for every value that matches, nil when nothing is known
	automaton *match.Matcher // decides in place of matches, nil when matches is as fast
	folds     bool
	searched  int // values that texts was asked for
	found     int // and those that it kept

	selection match.Selection
}

func newValueRegexp(m *labels.Matcher) *valueRegexp {
	r := &valueRegexp{text: m.GetRegexString(), matches: m.Matches, prefix: m.Prefix()}
	if m.Type == labels.MatchNotRegexp {
		r.matches = func(v string) bool { return !m.Matches(v) }
	}
	return r
}

// find returns which of the values match. The selection is valid until the next call.
func (r *valueRegexp) find(joined []byte, ends []uint32) *match.Selection {
	sel := &r.selection
	if r.prefix == "" {
		sel.Fill(len(ends))
	} else if !r.selectPrefixed(joined, ends) {
		return sel
	}
	if r.seen < valuesFew {
		if r.seen += sel.Count(); r.seen >= valuesFew {
			r.analyze()
		}
	}
	// Regardless of case, labels.Matcher compares some texts by rules of its own beyond ASCII.
	kernels := !r.folds || isASCII(joined)
	if kernels && r.texts != nil && r.selective() {
		r.searched += sel.Count()
		r.texts.Select(joined, ends, sel)
		r.found += sel.Count()
	}
	if kernels && r.automaton != nil {
		r.automaton.Select(joined, ends, sel)
		return sel
	}
	for i := sel.Next(0); i >= 0; i = sel.Next(i + 1) {
		if !r.matches(valueAt(joined, ends, i)) {
			sel.Remove(i)
		}
	}
	return sel
}

func (r *valueRegexp) selectPrefixed(joined []byte, ends []uint32) (any bool) {
	r.selection.Clear(len(ends))
	start := 0
	for i, end := range ends {
		if n := start + len(r.prefix); n <= int(end) && view(joined[start:n]) == r.prefix {
			r.selection.Add(i)
			any = true
		}
		start = int(end)
	}
	return any
}

// selective reports whether searching for the texts pays: most values of a name may well contain them.
func (r *valueRegexp) selective() bool {
	return r.searched < valuesFew || r.found*4 < r.searched*3
}

// analyze prepares texts and automaton. An expression that it cannot make sense of is left to labels.Matcher.
func (r *valueRegexp) analyze() {
	tree, err := syntax.Parse(r.text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return
	}
	tree = ofNonEmpty(tree)
	r.folds = anyNode(tree, func(re *syntax.Regexp) bool { return re.Flags&syntax.FoldCase != 0 })
	if anyNode(tree, needsAutomaton) {
		// For values that are not empty, the same expression that labels.Matcher runs.
		if r.automaton, err = match.Compile(match.Filter{Regexp: true, Any: []string{"^(?s:" + tree.String() + ")$"}}); err != nil {
			r.automaton = nil
		}
	}
	var filters []match.Filter
	for _, c := range bestClauses(clausesOf(behindPrefix(tree, r.prefix))) {
		filters = append(filters, match.Filter{Regexp: true, Any: c.any})
	}
	if len(filters) == 0 {
		return
	}
	if r.texts, err = match.Compile(filters...); err != nil {
		r.texts = nil
	}
}

// ofNonEmpty returns an expression that matches the same values but the empty one, which no value of an index is: (x)? and
// x| are x.
func ofNonEmpty(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture || re.Op == syntax.OpQuest {
		re = re.Sub[0]
	}
	return re
}

// behindPrefix returns the expression without the prefix, which has been looked for, unless it is part of a longer text.
func behindPrefix(re *syntax.Regexp, prefix string) *syntax.Regexp {
	if re.Op != syntax.OpConcat || prefix == "" || re.Sub[0].Op != syntax.OpLiteral || string(re.Sub[0].Rune) != prefix {
		return re
	}
	if spellings, _ := spell(re.Sub[1]); spellings > 0 {
		return re
	}
	return concat(re.Sub[1:])
}

// needsAutomaton reports whether the node is more than texts, their alternatives and wildcards.
func needsAutomaton(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass:
		spellings, _ := spell(re)
		return spellings == 0
	case syntax.OpLiteral, syntax.OpEmptyMatch, syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate, syntax.OpAnyChar,
		syntax.OpAnyCharNotNL:
		return false
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return re.Sub[0].Op != syntax.OpAnyChar
	}
	return true
}

func anyNode(re *syntax.Regexp, f func(*syntax.Regexp) bool) bool {
	return f(re) || slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return anyNode(sub, f) })
}

// clause says that each match contains a match of one of some expressions, which stand for a few texts each.
type clause struct {
	any       []string
	spellings int // texts that they stand for
	shortest  int // bytes of the shortest text
}

// clausesOf returns clauses that all hold for each match of re.
func clausesOf(re *syntax.Regexp) []clause {
	if spellings, shortest := spell(re); spellings > 0 {
		if shortest == 0 {
			return nil
		}
		return []clause{{any: []string{re.String()}, spellings: spellings, shortest: shortest}}
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return clausesOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return clausesOf(re.Sub[0])
		}
	case syntax.OpConcat:
		return concatClauses(re.Sub)
	case syntax.OpAlternate:
		return alternateClauses(re.Sub)
	}
	return nil
}

// concatClauses joins neighbours as long as they stand for few texts.
func concatClauses(subs []*syntax.Regexp) []clause {
	var all []clause
	for len(subs) > 0 {
		n := 0
		for n < len(subs) {
			if spellings, _ := spell(concat(subs[:n+1])); spellings == 0 {
				break
			}
			n++
		}
		all = append(all, clausesOf(concat(subs[:max(n, 1)]))...)
		subs = subs[max(n, 1):]
	}
	return all
}

// alternateClauses makes one clause of the best ones of all branches.
func alternateClauses(branches []*syntax.Regexp) []clause {
	var one clause
	for i, branch := range branches {
		best := bestClauses(clausesOf(branch))
		if len(best) == 0 {
			return nil
		}
		one.any = append(one.any, best[0].any...)
		one.spellings += best[0].spellings
		if i == 0 || best[0].shortest < one.shortest {
			one.shortest = best[0].shortest
		}
	}
	if one.spellings > clauseSpellingsMax {
		return nil
	}
	return []clause{one}
}

// bestClauses returns those that are worth a search, the most selective ones first.
func bestClauses(all []clause) []clause {
	all = slices.DeleteFunc(all, func(c clause) bool { return c.shortest < min(c.spellings, clauseBytesMin) })
	slices.SortStableFunc(all, func(a, b clause) int {
		return cmp.Or(b.shortest-a.shortest, a.spellings-b.spellings)
	})
	return all[:min(len(all), clausesMax)]
}

// spell returns how many texts the node stands for and how long the shortest one is, 0 when it is more than these.
func spell(re *syntax.Regexp) (spellings, shortest int) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return 1, 0
	case syntax.OpLiteral:
		if slices.ContainsFunc(re.Rune, func(r rune) bool {
			return !utf8.ValidRune(r) || r == utf8.RuneError || re.Flags&syntax.FoldCase != 0 && r >= utf8.RuneSelf
		}) {
			return 0, 0
		}
		return 1, len(string(re.Rune))
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			spellings += int(re.Rune[i+1]-re.Rune[i]) + 1
		}
		shortest = 1
	case syntax.OpCapture:
		return spell(re.Sub[0])
	case syntax.OpConcat, syntax.OpAlternate:
		return spellAll(re)
	}
	if spellings > textSpellingsMax {
		return 0, 0
	}
	return spellings, shortest
}

func spellAll(re *syntax.Regexp) (spellings, shortest int) {
	for i, sub := range re.Sub {
		n, bytes := spell(sub)
		switch {
		case n == 0:
			return 0, 0
		case i == 0:
			spellings, shortest = n, bytes
		case re.Op == syntax.OpConcat:
			spellings, shortest = spellings*n, shortest+bytes
		default:
			spellings, shortest = spellings+n, min(shortest, bytes)
		}
		if spellings > textSpellingsMax {
			return 0, 0
		}
	}
	return spellings, shortest
}

func concat(subs []*syntax.Regexp) *syntax.Regexp {
	if len(subs) == 1 {
		return subs[0]
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Flags: syntax.Perl | syntax.DotNL, Sub: subs}
}

func isASCII(b []byte) bool {
	const highBits = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&highBits != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// valueAt views value i of a group.
func valueAt(joined []byte, ends []uint32, i int) string {
	start := uint32(0)
	if i > 0 {
		start = ends[i-1]
	}
	return view(joined[start:ends[i]])
}
