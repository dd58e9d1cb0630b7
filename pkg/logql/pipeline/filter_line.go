package pipeline

import (
	"net/netip"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
)

// lineStep keeps lines in which any alternative is found; with negate, in which none is.
type lineStep struct {
	found  []func(line string) bool
	negate bool
}

func newLineStep(f *syntax.LineFilter) (*lineStep, error) {
	s := &lineStep{negate: f.Op.Negated()}
	for _, a := range f.Any {
		found, err := lineTest(f.Op, a)
		if err != nil {
			return nil, err
		}
		s.found = append(s.found, found)
	}
	return s, nil
}

func lineTest(op syntax.LineFilterOp, a syntax.LineAlternative) (func(line string) bool, error) {
	if a.IP {
		r, err := syntax.ParseIPRange(a.Text)
		return func(line string) bool { return containsIP(line, r) }, err
	}
	switch op {
	case syntax.LinePattern, syntax.LineNotPattern:
		parts, err := syntax.ParseLinePattern(a.Text)
		return func(line string) bool { return matchesPattern(line, parts) }, err
	}
	isRegexp := op == syntax.LineMatches || op == syntax.LineNotMatches
	m, err := match.Compile(match.Filter{Regexp: isRegexp, Any: []string{a.Text}})
	if err != nil {
		return nil, err
	}
	return m.MatchString, nil
}

func (s *lineStep) run(b *Batch) {
	for i := b.Selected.Next(0); i >= 0; i = b.Selected.Next(i + 1) {
		if !s.keeps(b.Lines[i]) {
			b.Selected.Remove(i)
		}
	}
}

func (s *lineStep) keeps(line string) bool {
	for _, found := range s.found {
		if found(line) {
			return !s.negate
		}
	}
	return s.negate
}

// matchesPattern reports whether the whole line is made of the literals in their order, each at the first place where it
// can be, with at least one byte for each capture. Without parts only the empty line matches.
func matchesPattern(line string, parts []syntax.PatternPart) bool {
	captured := false // a capture waits for its end
	for _, part := range parts {
		if part.Capture != "" {
			captured = true
			continue
		}
		at := strings.Index(line, part.Literal)
		if at < 0 || captured != (at > 0) {
			return false
		}
		line, captured = line[at+len(part.Literal):], false
	}
	return captured == (line != "")
}

// containsIP reports whether the text holds an address of the range: as long a run of an address's characters as there
// is, without the punctuation that may follow it.
func containsIP(text string, r syntax.IPRange) bool {
	for i := 0; i < len(text); {
		length := 0
		switch {
		case startsIPv4(text[i:]):
			length = span(text[i:], isIPv4Byte)
		case startsIPv6(text[i:]):
			length = span(text[i:], isIPv6Byte)
		default:
			i++
			continue
		}
		run := text[i : i+length]
		for _, candidate := range []string{run, strings.TrimRight(run, "."), strings.TrimRight(run, ".:")} {
			if a, err := netip.ParseAddr(candidate); err == nil {
				if r.Contains(a) {
					return true
				}
				break
			}
		}
		i += length
	}
	return false
}

// startsIPv4 reports whether one to three digits and a dot come first.
func startsIPv4(s string) bool {
	for i := range min(len(s), 4) {
		if s[i] == '.' {
			return i > 0
		}
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return false
}

// startsIPv6 reports whether "::" or up to four hexadecimal digits and a colon come first.
func startsIPv6(s string) bool {
	if strings.HasPrefix(s, "::") {
		return true
	}
	for i := range min(len(s), 5) {
		if s[i] == ':' {
			return i > 0
		}
		if !isIPv6Byte(s[i]) || s[i] == '.' {
			return false
		}
	}
	return false
}

func isIPv4Byte(c byte) bool { return '0' <= c && c <= '9' || c == '.' }

func isIPv6Byte(c byte) bool {
	return isIPv4Byte(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':'
}

// span returns the length of the longest prefix of bytes that hold.
func span(s string, holds func(byte) bool) int {
	n := 0
	for n < len(s) && holds(s[n]) {
		n++
	}
	return n
}
