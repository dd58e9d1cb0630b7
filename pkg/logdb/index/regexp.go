package index

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"strings"
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
	tree     *syntax.Regexp          // nil when the regexp is no use but to be run
	matches  func(value string) bool // of the regexp, whatever the type of the matcher
	prefixes []string                // sorted; what matches begins with one of these

	seen      int            // values looked at so far
	texts     *match.Matcher // holds for every value that matches, nil when nothing is known
	automaton *match.Matcher // decides in place of matches, nil when matches is as fast
	folds     bool           // some of it holds regardless of case
	odd       bool           // labels.Matcher has rules of its own for it, beyond ASCII
	searched  int            // values that texts was asked for
	found     int            // and those that it kept

	selection match.Selection
}

func newValueRegexp(m *labels.Matcher) *valueRegexp {
	r := &valueRegexp{matches: m.Matches, prefixes: []string{m.Prefix()}}
	if m.Type == labels.MatchNotRegexp {
		r.matches = func(v string) bool { return !m.Matches(v) }
	}
	tree, err := syntax.Parse(m.GetRegexString(), syntax.Perl|syntax.DotNL)
	if err != nil {
		return r
	}
	r.tree = ofNonEmpty(tree)
	r.folds = anyNode(r.tree, func(re *syntax.Regexp) bool { return re.Flags&syntax.FoldCase != 0 })
	r.odd = r.folds || anyNode(r.tree, mentionsError)
	if prefixes := prefixesOf(r.tree); len(prefixes) > 0 && !r.folds {
		slices.Sort(prefixes)
		r.prefixes = prefixes
	}
	return r
}

// find returns which of the values match. The selection is valid until the next call.
func (r *valueRegexp) find(joined []byte, ends []uint32) *match.Selection {
	sel := &r.selection
	if r.prefixes[0] == "" {
		sel.Fill(len(ends))
	} else if !r.selectPrefixed(joined, ends) {
		return sel
	}
	if r.seen < valuesFew {
		if r.seen += sel.Count(); r.seen >= valuesFew {
			r.analyze()
		}
	}
	kernels := !r.odd || isASCII(joined)
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

// selectPrefixed selects the values with one of the prefixes.
func (r *valueRegexp) selectPrefixed(joined []byte, ends []uint32) (found bool) {
	r.selection.Clear(len(ends))
	start := uint32(0)
	for i, end := range ends {
		value := view(joined[start:end])
		for _, prefix := range r.prefixes {
			if strings.HasPrefix(value, prefix) {
				r.selection.Add(i)
				found = true
				break
			}
		}
		start = end
	}
	return found
}

// selective reports whether searching for the texts pays: most values of a name may well contain them.
func (r *valueRegexp) selective() bool {
	return r.searched < valuesFew || r.found*4 < r.searched*3
}

// analyze prepares texts and automaton. An expression that it cannot make sense of is left to labels.Matcher.
func (r *valueRegexp) analyze() {
	if r.tree == nil {
		return
	}
	if !r.folds && anyNode(r.tree, needsAutomaton) {
		// For values that are not empty, the same expression that labels.Matcher runs. Regardless of case it does not always
		// run what is written: to A.*|(?i:a).* it says no on aa.
		whole := "^(?s:" + r.tree.String() + ")$"
		if m, err := match.Compile(match.Filter{Regexp: true, Any: []string{whole}}); err == nil {
			r.automaton = m
		}
	}
	var filters []match.Filter
	rest := r.tree
	if r.prefixes[0] != "" && !r.folds {
		rest = behindPrefixes(rest)
	}
	for _, c := range bestClauses(clausesOf(rest)) {
		filters = append(filters, match.Filter{Regexp: true, Any: c.any})
	}
	if len(filters) == 0 {
		return
	}
	if m, err := match.Compile(filters...); err == nil {
		r.texts = m
	}
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
