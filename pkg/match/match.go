// Package match searches lines: for literals, for literals regardless of case, for regular expressions. It knows bytes,
// not logs.
//
// A Matcher is compiled once from Filters that must all hold and is then safe for concurrent use. It answers for one line
// (Match) or for a whole buffer of lines (Select). The buffer holds the lines back to back, without separators, and the
// ends of the lines beside it; a line may contain any byte, "\n" too, so every hit is checked to lie inside one line, and
// regular expressions see one line at a time.
//
// The kernels, fastest first:
//   - a literal is found by its two rarest bytes over the whole buffer, 64 places at a time where the processor can
//     (pair_amd64.s), else by its rarest one, and then verified (literal.go);
//   - a literal regardless of case by two cursors, one on each case of its rarest letter (fold.go);
//   - a few alternatives by one such pass each, skipping nothing but lines that are out already;
//   - a regular expression by what literals every match must contain (required.go), then by an automaton over bytes on
//     the lines that remain, four at a time (dfa.go, dfa_mark.go); without the former when these are common or many,
//     without the latter when the expression is nothing but a few literals (regexp.go). Many literals make an automaton
//     too. Where it would be too large, grafana/regexp runs.
//
// An automaton is built in three steps: runes become classes (runes.go), the program of package syntax a deterministic
// one over these (subsets.go), and that one over bytes (utf8.go, dfa.go).
//
// What literals a matching line must contain can be asked for (Required), so that filters over many lines at once can be
// probed before any of them is read.
//
// Whatever is skipped, the answer is that of bytes.Contains and regexp.Match on each line. The tests hold the package to
// that with the slow twin next to them.
package match

import (
	"fmt"
	"math/bits"
	"slices"
	"unsafe"
)

// Filter is one condition on a line.
type Filter struct {
	Regexp bool     // Any holds regular expressions in RE2's syntax, unanchored; else literals
	Negate bool     // holds when none of Any is found
	Any    []string // at least one; an empty text is found in every line
}

// Matcher holds when all its filters do. It is safe for concurrent use.
type Matcher struct {
	filters []compiled // cheapest and most selective first
}

// compiled is one filter: it holds when any alternative is found, or with negate when none is.
type compiled struct {
	alternatives []alternative
	negate       bool
	rank         int
	given        int // its place among the filters given
}

// alternative is one text to look for.
type alternative interface {
	// matches reports whether the text is found in the line.
	matches(line []byte) bool
	// mark sets a bit in hits for each line in which the text is found. Lines that are not in candidates need no bit but
	// may get one.
	mark(b *buffer, candidates, hits []uint64)
	// rank orders filters: lower ones are cheaper for what they exclude.
	rank() int
	// require appends the literals of which every line with the text contains one; none when that is not known.
	require(r Requirement) Requirement
}

// buffer is the lines of one Select.
type buffer struct {
	bytes []byte
	ends  []uint32
}

func (b *buffer) line(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.bytes[start:b.ends[i]]
}

// Compile prepares filters. No filters at all hold for every line.
func Compile(filters ...Filter) (*Matcher, error) {
	m := &Matcher{}
	for i, f := range filters {
		c := compiled{given: i, negate: f.Negate}
		for _, text := range f.Any {
			if !f.Regexp {
				c.alternatives = append(c.alternatives, newLiteral(text))
				continue
			}
			alternatives, err := compileRegexp(text)
			if err != nil {
				return nil, fmt.Errorf("compile line filter %q: %w", text, err)
			}
			c.alternatives = append(c.alternatives, alternatives...)
		}
		if !f.Regexp {
			c.alternatives = joinLiterals(c.alternatives, f.Any)
		}
		c.rank = rankOf(c.alternatives)
		if c.negate {
			c.rank += rankNegated // excludes few lines as a rule
		}
		m.filters = append(m.filters, c)
	}
	slices.SortStableFunc(m.filters, func(a, b compiled) int { return a.rank - b.rank })
	return m, nil
}

// Order returns in which order the filters run, by their places among those given to Compile.
func (m *Matcher) Order() []int {
	order := make([]int, len(m.filters))
	for i := range m.filters {
		order[i] = m.filters[i].given
	}
	return order
}

// The order of filters. Ranks of alternatives add up.
const (
	rankLiteral = 1    // plus up to 255 for a common byte
	rankFold    = 256  // two searches, a slower comparison
	rankDFA     = 700  // reads every byte; about as slow as to look for three literals, byte by byte
	rankRegexp  = 8192 // runs an automaton of another kind
	rankNegated = 1024
)

// passesRank is up to where looking for literals one after the other is faster than one automaton for all of them.
var passesRank = func() int {
	if hasPairs {
		return 4 * rankDFA
	}
	return rankDFA
}()

// Match reports whether all filters hold for the line.
func (m *Matcher) Match(line []byte) bool {
	for i := range m.filters {
		if !m.filters[i].matches(line) {
			return false
		}
	}
	return true
}

// MatchString is Match without a copy.
func (m *Matcher) MatchString(line string) bool {
	return m.Match(unsafe.Slice(unsafe.StringData(line), len(line))) // never written to
}

// Select keeps in sel those of its lines for which all filters hold. Line i ends in buf before ends[i] and begins at the
// end of the line before it; sel must have been made for len(ends) lines.
func (m *Matcher) Select(buf []byte, ends []uint32, sel *Selection) {
	b := &buffer{bytes: buf, ends: ends}
	for i := range m.filters {
		m.filters[i].apply(b, sel)
	}
}

func (c *compiled) matches(line []byte) bool {
	for _, a := range c.alternatives {
		if a.matches(line) {
			return !c.negate
		}
	}
	return c.negate
}

// fewLines is the share of lines below which testing them one by one beats a pass over the buffer.
const fewLines = 16

func (c *compiled) apply(b *buffer, sel *Selection) {
	count := sel.Count()
	if count == 0 {
		return
	}
	if count*fewLines < len(b.ends) {
		for i := sel.Next(0); i >= 0; i = sel.Next(i + 1) {
			if !c.matches(b.line(i)) {
				sel.Remove(i)
			}
		}
		return
	}
	hits := sel.scratch()
	for _, a := range c.alternatives {
		a.mark(b, sel.words, hits)
	}
	if c.negate {
		sel.andNot(hits)
	} else {
		sel.and(hits)
	}
}

// markEach marks those candidate lines, not marked yet, for which found holds.
func markEach(b *buffer, candidates, hits []uint64, found func(line []byte) bool) {
	for w, word := range candidates {
		for word &^= hits[w]; word != 0; word &= word - 1 {
			bit := bits.TrailingZeros64(word)
			if found(b.line(w<<6 + bit)) {
				hits[w] |= 1 << bit
			}
		}
	}
}

// markAll marks every line.
func markAll(b *buffer, hits []uint64) {
	for i := range hits {
		hits[i] = ^uint64(0)
	}
	if tail := len(b.ends) & 63; tail != 0 {
		hits[len(hits)-1] = 1<<tail - 1
	}
}
