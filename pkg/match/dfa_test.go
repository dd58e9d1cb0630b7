package match

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parse(t require.TestingT, expr string) *syntax.Regexp {
	tree, err := syntax.Parse(expr, syntax.Perl)
	require.NoError(t, err)
	return tree
}

// requireDFA checks an automaton against package regexp: on each line alone, on all lines of a buffer and on a part of
// them, some of which are hits already. It reports whether there is an automaton.
func requireDFA(t require.TestingT, expr string, lines []string) bool {
	slow := regexp.MustCompile(expr)
	d := newDFA(parse(t, expr))
	if d == nil {
		return false
	}
	buf, ends := join(lines)
	b := &buffer{buf, ends}
	all, part := make([]uint64, (len(lines)+63)/64), make([]uint64, (len(lines)+63)/64)
	d.mark(b, all, part)
	require.Equal(t, all, part, "lines that are no candidates")
	markAll(b, all)
	hits, partHits := make([]uint64, len(all)), make([]uint64, len(all))
	for i := 0; i < len(lines); i += 3 {
		part[i>>6] |= 1 << (i & 63)
		if i%2 == 0 {
			partHits[i>>6] |= 1 << (i & 63)
		}
	}
	d.mark(b, all, hits)
	d.mark(b, part, partHits)
	for i, line := range lines {
		want := slow.MatchString(line)
		require.Equal(t, want, d.Match([]byte(line)), "%q on %q", expr, line)
		require.Equal(t, want, hits[i>>6]>>(i&63)&1 == 1, "%q on line %d of %q", expr, i, lines)
		wantPart := i%3 == 0 && (want || i%2 == 0)
		require.Equal(t, wantPart, partHits[i>>6]>>(i&63)&1 == 1, "%q on line %d of a part of %q", expr, i, lines)
	}
	return true
}

// oddLines are lines about which automata could be wrong: assertions at borders of all kinds, bytes that are no UTF-8, and
// letters that fold to others.
var oddLines = []string{
	"", "a", "b", "ab", "ba", "aab", "abab", "a b", " a ", "a_b", "_", "1", "a1", "\n", "a\n", "\na", "a\nb", "a\n\nb", "\n\n", "a\r\nb",
	"\u00e9", "\u00c9", "a\u00e9", "\u00e9a", "\u20ac", "\u20aca", "a\u20acb", "\U0001f600", "a\U0001f600b", "\ufffd", "a\ufffdb", "\u0080", "\u07ff",
	"\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "k", "K", "\u212a", "s", "S", "\u017f", "ks", "K\u017f", "\u212as",
	"\xff", "\x80", "a\xff", "\xffa", "a\xffb", "\xc0", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2a", "\xc2\xc2\xa9", "\xc3", "\xc3\xa9\xa9", "\xe2", "\xe2\x82",
	"\xe2\x82a", "a\xe2\x82", "\xe2\x82\xac", "\xe2\x82\xe2\x82\xac", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe0\xa0\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\x9f\xbf",
	"\xf0", "\xf0\x9f", "\xf0\x9f\x98", "\xf0\x9f\x98\x80", "\xf0\x9f\x98a", "a\xf0\x9f\x98\nb", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80",
	"\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "a\xf0\x9f", "\xef\xbf\xbd", "\xef\xbf", "\xef\xbb\xbfa",
	"error", "ERROR", "an error\nfollowed", "GET /api HTTP/1.1\" 503", "10.0.0.1:12345", "0123456789012345678901234567890123456789", "level=warn code=17",
}

// oddExpressions fit into an automaton.
var oddExpressions = []string{
	``, `a`, `^`, `$`, `^$`, `$^`, `(?m)^$`, `(?m)$^`, `\A`, `\z`, `\A\z`, `\b`, `\B`, `^\b`, `\b$`, `^\B`, `\B$`, `(?m)^\B`, `(?m)\B$`, `\b\B`, `(?m:^)(?m:$)`,
	`^a`, `a$`, `^a$`, `\Aa\z`, `(?m)^a`, `(?m)a$`, `(?m)^a$`, `(?m)^b`, `\ba`, `a\b`, `\ba\b`, `\Ba`, `a\B`, `\b\d`, `\d\b`, `\b_`, `a\b.`, `.\ba`, `a$b`, `a^b`, `(?m)a$\nb`,
	`(?m)a$.^b`, `(?ms)a$.^b`, `(?ms)a$.*^b`, `(a|^)b`, `(a|$)`, `(^|a)(b|$)`, `(\b|a)b`, `(?:^|\n)b`, `\n$`, `\n\z`, `\n`, `^\n`, `\r?\n`, `(^a|b$)*`, `(?:\ba)+\b`,
	`.`, `(?s).`, `..`, `^.$`, `^..$`, `^...$`, `(?s)^.$`, `(?s)^..$`, `^.{3}$`, `^.{4}$`, `(?s)^.{2,3}$`, `a.b`, `a..b`, `a...b`, `(?s)a.b`, `a.*b`, `(?s)a.*b`, `.a`, `a.`, `.+`,
	`[^a]`, `^[^a]$`, `^[^a]{2}$`, `[^a]b`, `a[^a]b`, `[^\n]`, `\W`, `^\W+$`, `a\W`, `\Wa`, `\S`, `\D{3}`, `[^\x00-\x7f]`, `^[^\x00-\x7f]$`, `[[:^ascii:]]{2}`, `[^\x00-\x{10FFFF}]`,
	`\x{FFFD}`, `^\x{FFFD}$`, `^\x{FFFD}{2}$`, `^\x{FFFD}{3}$`, `a\x{FFFD}b`, `[^\x{FFFD}]`, `^[^\x{FFFD}]+$`, `[\x{FFFD}a]b`, `a[^\x{FFFD}]`, `\x{FFFD}\n`,
	`\xe9`, `\xff`, `\x80`, `[\xe0-\xef]`, `[\x80-\xff]`, `\x{20ac}`, `^\x{20ac}`, `[\x{20ac}]a`, `[^\x{20ac}]`, `^[^\x{20ac}]$`, `[\x{80}-\x{7ff}]`, `[\x{800}-\x{ffff}]`,
	`[\x{d7ff}-\x{e000}]`, `[\x{d800}-\x{dfff}]`, `[\x{10000}-\x{10ffff}]`, `[\x{1f600}-\x{1f64f}]`, `\x{10ffff}`, `[\x{7f}-\x{80}]`, `[\x{ff}-\x{1ffff}]b?$`,
	`(?i)k`, `(?i)s`, `(?i)ks`, `(?i)^ks$`, `(?i)[k-l]`, `(?i)[^k]`, `(?i)^[^ks]+$`, `(?i)\x{212a}`, `(?i)\x{17f}`, `(?i)\xe9`, `(?i)\x{130}`, `(?i)error\b`, `(?i)e(r|R)+or`,
	`k(?i)s`, `(?i:K)s`, `\pL`, `^\pL+$`, `\p{Greek}|b`, `\PL`, `^\PL+$`, `\p{Lu}`, `(?i)\p{Lu}b?$`, `(a|ab)(c|bcd)?$`, `(a*)*b`, `(a*)+$`, `(a|b)*?b$`, `(?U)a+b`, `a{0}`,
	`a{2}`, `^(a|ab)+$`, `(ab){2,}`, `x{0,3}a`, `[a-z]+=[a-z]+ [a-z]+=\d+`, `5\d\d$`, `\d{5}`, `\d{40}`, `\d{41}`, `(\d+\.){3}\d+:\d{5}`, `^(?s:a.*|b)$`, `^(?:a|b|)$`, `(?s)^(?:.*error.*)$`,
}

func TestDFA(t *testing.T) {
	for _, expr := range oddExpressions {
		require.True(t, requireDFA(t, expr, oddLines), expr)
	}
}

// What is too large for a table is refused, with bounded effort, and answered by the other engine.
func TestDFATooLarge(t *testing.T) {
	for _, expr := range []string{
		`(a|b)*a(a|b){12}`, `a.{0,50}b`, `\pL{1000}`, `\pL{20}`, `(?i)\pL\pN\pS`, `[a-q][^u-z]{13}x`, `(?s).{1000}`, `(\d{1,30}\.){30}`,
	} {
		require.Nil(t, newDFA(parse(t, expr)), expr)
		requireTwin(t, []Filter{{Regexp: true, Any: []string{expr}}}, append(oddLines, strings.Repeat("ab", 20), strings.Repeat("\u00e9", 30)))
	}
}

// A match is found wherever it lies: in lines of all lengths, which end at all distances from one another and from the
// places where cursors stop.
func TestDFABorders(t *testing.T) {
	for _, expr := range []string{`x[yz]`, `x[yz]$`, `^\W*x[yz]`, `(?m)^x[yz]$`, `[^ ]{2}\z`} {
		for before := range cursorRun + 3 {
			lines := []string{strings.Repeat(" ", before) + "xy"}
			for behind := range cursorRun + 3 {
				lines = append(lines, strings.Repeat(" ", before)+"xz"+strings.Repeat(" ", behind), "x", "y", strings.Repeat(" ", behind)+"x", "")
			}
			require.True(t, requireDFA(t, expr, lines))
		}
	}
}

func TestDFAFewLines(t *testing.T) {
	all := []string{"xa", "", "a long line, without", "x", "b xb", "", "xc"}
	for n := range len(all) + 1 {
		require.True(t, requireDFA(t, `x[abc]`, all[:n]))
		require.True(t, requireDFA(t, `^$`, all[:n]))
		require.True(t, requireDFA(t, `[^\x00-\x{10ffff}]`, all[:n]))
		require.True(t, requireDFA(t, `()`, all[:n]))
	}
}

// linePieces and exprPieces are what random lines and expressions are made of.
var (
	linePieces = []string{
		"a", "b", "k", "S", "\u212a", "\u017f", " ", ".", "\n", "\u00e9", "\xff", "\xe2", "\x82", "\x84", "\xc3", "\xf0", "\x9f", "\x98", "\xed", "\xa0", "\U0001f600",
		"\ufffd", "\u20ac", "_", "1", "\xf4\x90", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	}
	exprPieces = []string{
		".*", "a+", "(?:ab|k)?", "[ab]", "[^a]", "^", "$", `\b`, `\B`, `\A`, `\z`, "(?i:ks)", "(a|b|ka)", "a{2,3}", ".", "(?i)", "|", "(?:Ab|aB)", "(?m)", "(?m:^)",
		"(?m:$)", "(?s:.)", "(?s)", `\x{fffd}`, `[^\x{fffd}]`, "\u20ac", "\u00e9", "[\u00e0-\u20ff]", "[^\u00e9]", `[\x{800}-\x{10ffff}]`, `\pL`, `\d`, `\W`, `\s`, ".{2}",
		"(?:a.)*", "k", "s", "[[:word:]]", "\U0001f600", "(", ")", ")*", ")?", "(?:", "\\n", "a", "b", "_",
	}
)

func drawLine() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom(linePieces), 0, 10), func(p []string) string { return strings.Join(p, "") })
}

func drawExpression() *rapid.Generator[string] {
	expr := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(exprPieces), 1, 8), func(p []string) string { return strings.Join(p, "") })
	return expr.Filter(func(expr string) bool {
		_, err := regexp.Compile(expr)
		return err == nil
	})
}

func TestDFAProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requireDFA(t, drawExpression().Draw(t, "expression"), rapid.SliceOfN(drawLine(), 0, 80).Draw(t, "lines"))
	})
}

// FuzzRegexp finds its way through patterns and lines itself; lines are divided by NUL, for they may hold newlines.
func FuzzRegexp(f *testing.F) {
	for _, expr := range oddExpressions {
		f.Add(expr, "a\x00an \u212aelvin\n\x00\xe2\x82x\x00 error 17")
	}
	f.Add(`(?i)[k-s]+\b.`, strings.Join(oddLines, "\x00"))
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 10000 {
			return
		}
		if _, err := regexp.Compile(expr); err != nil {
			return
		}
		lines := strings.Split(text, "\x00")
		requireDFA(t, expr, lines)
		requireTwin(t, []Filter{{Regexp: true, Any: []string{expr}}}, lines)
		whole := "^(?s:" + expr + ")$"
		if _, err := regexp.Compile(whole); err == nil {
			requireDFA(t, whole, lines)
		}
	})
}
