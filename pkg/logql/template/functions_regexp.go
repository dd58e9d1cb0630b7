package template

import (
	"strings"
	texttemplate "text/template"

	"github.com/grafana/regexp"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

const (
	// regexpWork is what a byte counts that a regular expression reads: it is slower than a copy.
	regexpWork = 8
	// matchWork is what a counted match counts.
	matchWork = 32
)

// compiledRegexp is a regular expression, or why it is none.
type compiledRegexp struct {
	*regexp.Regexp
	err error
}

func (r *run) regexpFunctions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"count": func(text, s string) (int, error) {
			re, err := r.regexp(text, s)
			if err != nil {
				return 0, err
			}
			n := r.countMatches(re, s)
			return n, r.handle(matchWork * n)
		},
		"regexReplaceAll": func(text, s, by string) (string, error) {
			re, err := r.regexp(text, s)
			if err != nil {
				return "", err
			}
			if !r.replacementFits(re, s, by, strings.Count(by, "$")) {
				return "", errTooLong
			}
			return r.made(re.ReplaceAllString(s, by))
		},
		"regexReplaceAllLiteral": func(text, s, by string) (string, error) {
			re, err := r.regexp(text, s)
			if err != nil {
				return "", err
			}
			if !r.replacementFits(re, s, by, 0) {
				return "", errTooLong
			}
			return r.made(re.ReplaceAllLiteralString(s, by))
		},
	}
}

// regexp returns the compiled expression, and counts what it is going to read. Nearly always the expression stands in the
// template and is compiled once; those made from labels soon push one another out.
func (r *run) regexp(text, subject string) (*regexp.Regexp, error) {
	if err := r.handle(regexpWork * len(subject)); err != nil {
		return nil, err
	}
	if c := r.regexps[text]; c != nil {
		return c.Regexp, c.err
	}
	if err := r.handle(len(text)); err != nil {
		return nil, err
	}
	text = strings.Clone(text) // it may be of the entry, and what fails to compile keeps parts of it
	c := &compiledRegexp{}
	if c.err = syntax.CheckRegexp(text); c.err == nil {
		c.Regexp, c.err = regexp.Compile(text)
	}
	if len(r.regexps) >= cachedMax || r.regexps == nil {
		r.regexps = map[string]*compiledRegexp{}
	}
	r.regexps[text] = c
	return c.Regexp, c.err
}

// countMatches panics when nobody waits for the output any more, which the template reports. There are expressions, such as
// a*b|a, that look at all the rest of a text for each match: then a line of a quarter of a megabyte takes minutes.
func (r *run) countMatches(re *regexp.Regexp, s string) int {
	count := 0
	re.ReplaceAllStringFunc(s, func(string) string { // no list of them
		if r.entry.Ended() {
			panic(errEnded)
		}
		count++
		return ""
	})
	return count
}

// slowBytesMin is the length from which on a text may take seconds in spite of all.
const slowBytesMin = 16 << 10

// replacementFits reports whether replacing surely makes no more than formatBytesMax. Each reference to a group inserts
// at most the match, and the matches together are at most the subject. The matches of a long text are counted in any case:
// replacing cannot be interrupted, but takes no longer than that.
func (r *run) replacementFits(re *regexp.Regexp, s, by string, references int) bool {
	inserted := len(s) * (1 + references)
	if inserted+(len(s)+1)*len(by) <= formatBytesMax && len(s) < slowBytesMin {
		return true
	}
	return inserted+r.countMatches(re, s)*len(by) <= formatBytesMax
}
