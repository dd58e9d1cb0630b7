package pipeline

import (
	resyntax "regexp/syntax"

	"github.com/grafana/regexp"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
)

// regexpOp is | regexp "(?P<name>…)": the named groups of the first match become labels, empty ones when they took no part
// in it. Without a match no labels are made, and the line stays.
type regexpOp struct {
	finder finder
	text   string
	// matcher finds much faster whether there is a match than where. When most lines match it is only in the way.
	matcher *match.Matcher
	lines   int            // seen of late
	matches int            // of these
	regexp  *regexp.Regexp // with the groups alone that somebody reads
	groups  []regexpGroup
}

// regexpGroup is a group that somebody reads.
type regexpGroup struct {
	index int
	name  *foundName
}

func newRegexpOp(s *syntax.Regexp) (op, error) {
	m, err := match.Compile(match.Filter{Regexp: true, Any: []string{s.Text}})
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(s.Text)
	return &regexpOp{text: s.Text, matcher: m, regexp: re}, err
}

func (o *regexpOp) prepare(w *wanted) {
	o.finder.prepare(w)
	read := map[string]*foundName{}
	for _, name := range o.regexp.SubexpNames() {
		if n := o.finder.name(appendLabelName(nil, name)); n != nil {
			read[name] = n
		}
	}
	o.keepGroups(read)
	o.groups = o.groups[:0]
	for i, name := range o.regexp.SubexpNames() {
		if n := read[name]; n != nil {
			o.groups = append(o.groups, regexpGroup{index: i, name: n})
		}
	}
}

// keepGroups compiles the expression again with these groups alone: each one costs time, read or not.
func (o *regexpOp) keepGroups(read map[string]*foundName) {
	tree, err := resyntax.Parse(o.text, resyntax.Perl)
	if err != nil {
		return
	}
	if re, err := regexp.Compile(withoutGroups(tree, read).String()); err == nil {
		o.regexp = re
	}
}

// withoutGroups returns the expression without the groups that are not read.
func withoutGroups(tree *resyntax.Regexp, read map[string]*foundName) *resyntax.Regexp {
	for i, sub := range tree.Sub {
		tree.Sub[i] = withoutGroups(sub, read)
	}
	if tree.Op == resyntax.OpCapture && read[tree.Name] == nil {
		return tree.Sub[0]
	}
	return tree
}

func (o *regexpOp) apply(r *row) bool {
	if len(o.groups) == 0 {
		return true
	}
	found := o.find(r.Line)
	if found == nil {
		return true
	}
	o.finder.begin(r)
	for _, g := range o.groups {
		if l := o.finder.claim(r, g.name); l != nil {
			if from := found[2*g.index]; from >= 0 {
				l.Value = r.Line[from:found[2*g.index+1]]
			}
		}
	}
	return true
}

// find returns the ends of the first match and of its groups, nil when there is none.
func (o *regexpOp) find(line string) []int {
	const linesMax = 256
	if o.lines++; o.lines == linesMax {
		o.lines, o.matches = o.lines/2, o.matches/2
	}
	if o.matches < o.lines/4*3 && !o.matcher.MatchString(line) {
		return nil
	}
	found := o.regexp.FindStringSubmatchIndex(line)
	if found != nil {
		o.matches++
	}
	return found
}
