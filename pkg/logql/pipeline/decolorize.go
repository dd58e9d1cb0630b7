package pipeline

import "strings"

// decolorizeOp is | decolorize: it takes the escape sequences of terminals out of the line.
type decolorizeOp struct{ scratch []byte }

func (o *decolorizeOp) apply(r *row) bool {
	if !strings.Contains(r.Line, escape) && !strings.Contains(r.Line, introducer) {
		return true
	}
	plain := o.scratch[:0]
	for rest := r.Line; rest != ""; {
		from, to := nextEscape(rest)
		plain = append(plain, rest[:from]...)
		rest = rest[to:]
	}
	r.Line = r.text(plain)
	o.scratch = plain
	return true
}

// The two characters that begin an escape sequence: ESC and the control sequence introducer.
const (
	escape     = "\x1b"
	introducer = "\u009b" // of two bytes
)

// nextEscape returns where the first escape sequence begins and ends; both are the end of the line when there is none.
func nextEscape(line string) (from, to int) {
	for at := 0; at < len(line); at++ {
		body := at + 1
		switch {
		case line[at] == escape[0]:
		case line[at] == introducer[0] && strings.HasPrefix(line[at:], introducer):
			body++
		default:
			continue
		}
		if n := escapeBody(line[body:]); n > 0 {
			return at, body + n
		}
	}
	return len(line), len(line)
}

// escapeBody returns the length of what belongs to an escape sequence behind its first character, 0 if it is none. It is
// what the regular expression of github.com/chalk/strip-ansi matches: brackets and the like, and then either words between
// semicolons up to a BEL, such as titles and links, or numbers between semicolons and a final character.
func escapeBody(s string) int {
	prefix := span(s, func(c byte) bool { return strings.IndexByte("[]()#;?", c) >= 0 })
	s = s[prefix:]
	words := span(s, func(c byte) bool { return isDigit(c) || isLetter(c) || c == ';' })
	if words < len(s) && s[words] == '\a' {
		return prefix + words + 1
	}
	// The final character may be a digit: when none follows the numbers, it is the last digit in them.
	for n := escapeNumbers(s); n >= 0; n-- {
		if n < len(s) && isFinal(s[n]) {
			return prefix + n + 1
		}
	}
	return 0
}

// escapeNumbers returns the length of 1 to 4 digits and any number of semicolons with 0 to 4 digits behind each.
func escapeNumbers(s string) int {
	digits := func(at int) int { return min(4, span(s[at:], isDigit)) }
	n := digits(0)
	for n > 0 && n < len(s) && s[n] == ';' {
		n++
		n += digits(n)
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isFinal(c byte) bool {
	switch {
	case isDigit(c), 'A' <= c && c <= 'P', 'f' <= c && c <= 'n':
		return true
	}
	return strings.IndexByte("RZctqry=><~", c) >= 0
}
