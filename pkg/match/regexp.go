package match

import (
	"regexp/syntax"

	"github.com/grafana/regexp"
)

// compileRegexp prepares a regular expression: the literals it stands for when it is no more than these, else one
// alternative that runs it where its required literals are found.
func compileRegexp(text string) ([]alternative, error) {
	full, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	exact, required := literalsOf(tree)
	if exact != nil {
		return literalAlternatives(exact, full), nil
	}
	a := &automaton{full: full}
	if required != nil {
		a.required = literalAlternatives(required, nil)
	}
	return []alternative{a}, nil
}

// literalAlternatives turns a set into alternatives. full decides about lines that fold beyond ASCII; without it such
// lines are taken for hits, which a prefilter may.
func literalAlternatives(set *literalSet, full *regexp.Regexp) []alternative {
	var list []alternative
	for _, text := range set.texts {
		switch {
		case !set.fold || text == "":
			list = append(list, newLiteral(text))
		case full != nil:
			list = append(list, newFoldLiteral(text, full))
		default:
			list = append(list, newFoldLiteral(text, always{}))
		}
	}
	return list
}

type always struct{}

func (always) Match([]byte) bool { return true }

// automaton is a regular expression proper.
type automaton struct {
	full     *regexp.Regexp
	required []alternative // a match contains one of these; none: not known
}

func (a *automaton) rank() int {
	r := rankRegexp
	if len(a.required) == 0 {
		r *= 2
	}
	for _, l := range a.required {
		r += l.rank()
	}
	return r
}

func (a *automaton) matches(line []byte) bool {
	found := len(a.required) == 0
	for _, l := range a.required {
		if found = l.matches(line); found {
			break
		}
	}
	return found && a.full.Match(line)
}

func (a *automaton) mark(b *buffer, candidates, hits []uint64) {
	if len(a.required) > 0 {
		possible := make([]uint64, len(hits))
		for _, l := range a.required {
			l.mark(b, candidates, possible)
		}
		for i := range possible {
			possible[i] &= candidates[i]
		}
		candidates = possible
	}
	markEach(b, candidates, hits, a.full.Match)
}
