package match

import (
	"regexp/syntax"
	"slices"
	"sync/atomic"

	"github.com/grafana/regexp"
)

// compileRegexp prepares a regular expression: the literals it stands for when it is no more than a few of these, else one
// alternative that runs it.
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
		literals := literalAlternatives(exact, full)
		if rankOf(literals) <= passesRank {
			return literals, nil
		}
		required = exact
	}
	a := &automaton{dfa: newDFA(tree), full: full}
	if a.dfa == nil && exact != nil {
		return literalAlternatives(exact, full), nil
	}
	if required != nil {
		a.required = literalAlternatives(required, nil)
		a.prefilter = a.dfa == nil || rankOf(a.required) <= passesRank
	}
	return []alternative{a}, nil
}

// joinedMax bounds what is tried; so many literals of ordinary length do not fit into a table.
const joinedMax = 256

// joinLiterals turns many literals into one automaton, which finds them all in one pass, where that is faster.
func joinLiterals(literals []alternative, texts []string) []alternative {
	if rankOf(literals) <= passesRank || len(texts) > joinedMax {
		return literals
	}
	tree := &syntax.Regexp{Op: syntax.OpAlternate}
	for _, text := range texts {
		for _, r := range text {
			if !spellable(r, false) { // nor are bytes that are no UTF-8
				return literals
			}
		}
		if text == "" {
			return literals
		}
		tree.Sub = append(tree.Sub, &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune(text)})
	}
	a := &automaton{dfa: newDFA(tree), required: literals}
	if a.dfa == nil {
		return literals
	}
	return []alternative{a}
}

func rankOf(list []alternative) (sum int) {
	for _, a := range list {
		sum += a.rank()
	}
	return sum
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
	dfa       *dfa           // nil when it would be too large
	full      *regexp.Regexp // runs in place of dfa then
	required  []alternative  // a match contains one of these; none: not known
	prefilter bool           // to look for these is cheaper than to run the automaton
	found     share          // of lines with one of these
}

func (a *automaton) rank() int {
	r := rankDFA
	if a.dfa == nil {
		r = rankRegexp
	}
	if !a.prefilter {
		return 2 * r
	}
	return r + rankOf(a.required)
}

func (a *automaton) matches(line []byte) bool {
	if a.prefilter && a.found.isSmall() && !slices.ContainsFunc(a.required, func(l alternative) bool { return l.matches(line) }) {
		return false
	}
	if a.dfa != nil {
		return a.dfa.Match(line)
	}
	return a.full.Match(line)
}

func (a *automaton) mark(b *buffer, candidates, hits []uint64) {
	if a.prefilter && (a.dfa == nil || a.found.isSmall() || a.found.isDoubted()) {
		possible := make([]uint64, len(hits))
		for _, l := range a.required {
			l.mark(b, candidates, possible)
		}
		for i := range possible {
			possible[i] &= candidates[i]
		}
		a.found.add(countBits(possible), countBits(candidates))
		candidates = possible
	}
	if a.dfa != nil {
		a.dfa.mark(b, candidates, hits)
		return
	}
	markEach(b, candidates, hits, a.full.Match)
}

// share counts how many of the lines met so far had something. It only steers what is tried first, so that it need not be
// exact when several goroutines add to it.
type share struct {
	some, all atomic.Int64
	doubts    atomic.Uint32
}

const (
	shareLinesMin = 4096 // with fewer, it is taken to be small
	shareDoubts   = 32   // it is not believed once in so many times, for lines change
)

func (s *share) add(some, all int) {
	s.some.Add(int64(some))
	s.all.Add(int64(all))
}

// isSmall reports whether it is below three quarters.
func (s *share) isSmall() bool {
	all := s.all.Load()
	return all < shareLinesMin || 4*s.some.Load() < 3*all
}

// isDoubted reports whether it is time to count again.
func (s *share) isDoubted() bool { return s.doubts.Add(1)%shareDoubts == 0 }
