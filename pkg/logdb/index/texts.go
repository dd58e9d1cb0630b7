package index

import (
	"cmp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// This file reads off a regular expression, anchored at both ends as those of matchers are, what all its matches have in
// common: the texts that they begin with and those that they contain.

// ofNonEmpty returns an expression that matches the same values but the empty one, which no value of an index is: (x)? and
// x| are x.
func ofNonEmpty(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture, syntax.OpQuest:
		return ofNonEmpty(re.Sub[0])
	case syntax.OpConcat: // ^x$ is x as well
		subs := re.Sub
		if subs[0].Op == syntax.OpBeginText {
			subs = subs[1:]
		}
		if n := len(subs); n > 0 && subs[n-1].Op == syntax.OpEndText {
			subs = subs[:n-1]
		}
		if len(subs) < len(re.Sub) {
			return ofNonEmpty(concat(subs))
		}
	case syntax.OpAlternate:
		isEmpty := func(branch *syntax.Regexp) bool { return branch.Op == syntax.OpEmptyMatch }
		if some := slices.DeleteFunc(slices.Clone(re.Sub), isEmpty); len(some) == 1 {
			return ofNonEmpty(some[0])
		} else if len(some) > 0 {
			return &syntax.Regexp{Op: syntax.OpAlternate, Flags: re.Flags, Sub: some}
		}
	}
	return re
}

// mentionsError reports whether the node names U+FFFD. To regexp that is any byte that is no UTF-8 as well, to labels.Matcher not
// always.
func mentionsError(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return slices.Contains(re.Rune, utf8.RuneError)
	case syntax.OpCharClass:
		return classHas(re, utf8.RuneError)
	}
	return false
}

func classHas(re *syntax.Regexp, r rune) bool {
	for i := 0; i < len(re.Rune); i += 2 {
		if re.Rune[i] <= r && r <= re.Rune[i+1] {
			return true
		}
	}
	return false
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
		n := max(1, spelledTogether(subs))
		all = append(all, clausesOf(concat(subs[:n]))...)
		subs = subs[n:]
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
		if classHas(re, utf8.RuneError) {
			return 0, 0
		}
		for i := 0; i < len(re.Rune); i += 2 {
			if !utf8.ValidRune(re.Rune[i]) || !utf8.ValidRune(re.Rune[i+1]) {
				return 0, 0
			}
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

// textsOf returns the texts that a node stands for for which spell does not return 0. None of it may fold.
func textsOf(re *syntax.Regexp) (texts []string) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				texts = append(texts, string(r))
			}
		}
	case syntax.OpCapture:
		return textsOf(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			texts = append(texts, textsOf(sub)...)
		}
	case syntax.OpConcat:
		texts = []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, t := range texts {
				for _, behind := range textsOf(sub) {
					longer = append(longer, t+behind)
				}
			}
			texts = longer
		}
	}
	return texts
}

// prefixesOf returns texts of which each match begins with one, nil when they are not known.
func prefixesOf(re *syntax.Regexp) []string {
	if spellings, shortest := spell(re); spellings > 0 {
		if shortest == 0 {
			return nil
		}
		return textsOf(re)
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return prefixesOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return prefixesOf(re.Sub[0])
		}
	case syntax.OpConcat:
		if re.Sub[0].Op == syntax.OpBeginText {
			return prefixesOf(concat(re.Sub[1:]))
		}
		return prefixesOf(concat(re.Sub[:max(1, spelledTogether(re.Sub))]))
	case syntax.OpAlternate:
		var all []string
		for _, branch := range re.Sub {
			prefixes := prefixesOf(branch)
			if all = append(all, prefixes...); prefixes == nil || len(all) > prefixesMax {
				return nil
			}
		}
		return all
	}
	return nil
}

// behindPrefixes returns what prefixesOf did not look at, as far as that is easily told.
func behindPrefixes(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpConcat {
		return concat(re.Sub[spelledTogether(re.Sub):])
	}
	return re
}

// spelledTogether returns how many of the first nodes stand for a few texts when they follow each other.
func spelledTogether(subs []*syntax.Regexp) int {
	n := 0
	for n < len(subs) {
		if spellings, _ := spell(concat(subs[:n+1])); spellings == 0 {
			break
		}
		n++
	}
	return n
}

func concat(subs []*syntax.Regexp) *syntax.Regexp {
	switch len(subs) {
	case 0:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case 1:
		return subs[0]
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Flags: syntax.Perl | syntax.DotNL, Sub: subs}
}
