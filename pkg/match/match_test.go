package match

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// slowTwin answers what a Matcher must answer for one line.
func slowTwin(filters []Filter) func(line string) bool {
	compiled := map[string]*regexp.Regexp{}
	for _, f := range filters {
		for _, text := range f.Any {
			if f.Regexp {
				compiled[text] = regexp.MustCompile(text)
			}
		}
	}
	return func(line string) bool {
		for _, f := range filters {
			found := false
			for _, text := range f.Any {
				if f.Regexp {
					found = found || compiled[text].MatchString(line)
				} else {
					found = found || strings.Contains(line, text)
				}
			}
			if found == f.Negate {
				return false
			}
		}
		return true
	}
}

// join lays lines out as Select wants them.
func join(lines []string) (buf []byte, ends []uint32) {
	for _, line := range lines {
		buf = append(buf, line...)
		ends = append(ends, uint32(len(buf)))
	}
	return buf, ends
}

// requireTwin checks both ways of matching, and Select on a part of the lines, against the slow twin.
func requireTwin(t require.TestingT, filters []Filter, lines []string) {
	m, err := Compile(filters...)
	require.NoError(t, err)
	slow := slowTwin(filters)
	var want []uint32
	for i, line := range lines {
		holds := slow(line)
		require.Equal(t, holds, m.Match([]byte(line)), "%v on %q", filters, line)
		require.Equal(t, holds, m.MatchString(line))
		requireRequired(t, m, line)
		if holds {
			want = append(want, uint32(i))
		}
	}
	buf, ends := join(lines)
	before := bytes.Clone(buf)
	var sel Selection
	sel.Fill(len(lines))
	m.Select(buf, ends, &sel)
	require.Equal(t, want, sel.AppendTo(nil), "%v on %q", filters, lines)
	require.Equal(t, before, buf)

	sel.Clear(len(lines))
	var wantPart []uint32
	for i := 0; i < len(lines); i += 3 {
		sel.Add(i)
	}
	for _, i := range want {
		if i%3 == 0 {
			wantPart = append(wantPart, i)
		}
	}
	m.Select(buf, ends, &sel)
	require.Equal(t, wantPart, sel.AppendTo(nil))
}

func TestSelect(t *testing.T) {
	lines := []string{
		"", "GET /api/v1/push 204", "error: timeout", "ERROR: Timeout after 5s", "two\nlines with error", "ends in err",
		"or begins with or", "\u212aelvin and \u017fun", "kelvin and sun", "bad utf8 \xff here", "\xff", "x", "err", "or",
		"caf\u00e9 CAF\u00c9", "a.b*c", "e", "rror", "12:00:01 level=warn msg=\"slow query\"", "level=WARN", "stack:\n\tat x",
	}
	f := func(filters ...Filter) {
		t.Helper()
		requireTwin(t, filters, lines)
	}
	f()
	f(Filter{Any: []string{"error"}})
	f(Filter{Any: []string{""}})
	f(Filter{Any: []string{""}, Negate: true})
	f(Filter{Any: []string{"error", "level", "204"}})
	f(Filter{Any: []string{"error", "level", "204"}, Negate: true})
	many := []string{"refused", "reset", "denied", "Timeout", "error:", "kelvin and", "\u00e9 CAF"}
	f(Filter{Any: many})
	f(Filter{Any: many, Negate: true})
	f(Filter{Any: append([]string{""}, many...)})
	f(Filter{Any: append([]string{"\xff"}, many...)})
	f(Filter{Any: append([]string{"\ufffd", "\xff here"}, many...)})
	f(Filter{Any: []string{"absent from all lines, and longer than some of them"}})
	f(Filter{Any: []string{"error"}}, Filter{Any: []string{"timeout"}})
	f(Filter{Any: []string{"e"}}, Filter{Any: []string{"o"}, Negate: true}, Filter{Regexp: true, Any: []string{`\d`}})
	for _, re := range []string{
		``, `error`, `(?i)error`, `(?i)kelvin`, `(?i)SUN`, `(?i)caf\x{e9}`, `(?i:level)=(warn|error)`, `^err$`, `(?m)^lines`,
		`error|timeout`, `erro[rs]`, `[0-9]+`, `a\.b\*c`, `.*error.*`, `.+error`, `^.*x$`, `(?s)two.lines`, `two.lines`, `\xff`,
		`[^a-z]or\b`, `x?error`, `(error)+`, `(?:ab|cd){0,2}x`, `\x{FFFD}`, `[\x{FFFD}x]`, `(?i)`, `$^`, `[[:^ascii:]]`,
		`(?i)ends.*ERR`, `level=(?i)warn`, `(?i)[ks]un`, `(e|E)rror`, `a{0}`, `(?i)(push|query)"?$`, `[^\x00-\x{10FFFF}]`, `\bor`,
		`.*\bor`, `.*`, `.`, `(?i)\x{130}`, `(?i)stra\x{df}e`,
	} {
		f(Filter{Regexp: true, Any: []string{re}})
		f(Filter{Regexp: true, Any: []string{re}, Negate: true})
		f(Filter{Regexp: true, Any: []string{re, "x"}}, Filter{Any: []string{"e"}})
	}
}

// A literal must not be found across the border of two lines.
func TestSelectBorders(t *testing.T) {
	f := func(needle string, lines ...string) {
		t.Helper()
		requireTwin(t, []Filter{{Any: []string{needle}}}, lines)
		requireTwin(t, []Filter{{Regexp: true, Any: []string{"(?i)" + regexp.QuoteMeta(needle)}}}, lines)
	}
	f("ab", "a", "b", "ab", "xa", "bab")
	f("aa", "a", "a", "a", "aa", "", "", "a", "aaa")
	f("abab", "ab", "ab", "aba", "bab", "ababab")
	f("b", "a", "", "b", "", "", "b")
}

func TestSelectMany(t *testing.T) {
	var lines []string
	for i := range 5000 {
		switch {
		case i%997 == 0:
			lines = append(lines, "a rare needle in here")
		case i%3 == 0:
			lines = append(lines, strings.Repeat("n", i%7)+"eedle")
		default:
			lines = append(lines, "Quite Ordinary, with Q and q and z")
		}
	}
	requireTwin(t, []Filter{{Any: []string{"needle"}}}, lines)
	requireTwin(t, []Filter{{Any: []string{"Qz"}}}, lines)
	requireTwin(t, []Filter{{Regexp: true, Any: []string{"(?i)NEEDLE|quiet"}}}, lines)
	requireTwin(t, []Filter{{Any: []string{"rare"}}, {Regexp: true, Any: []string{"in .ere"}}}, lines)
}

// A literal that nearly all lines have is not looked for any more before the automaton runs; in other lines, it is again.
func TestPrefilterGivenUp(t *testing.T) {
	var common, rare []string
	for i := range shareLinesMin {
		common = append(common, fmt.Sprintf("level=info code=%d", i))
		rare = append(rare, fmt.Sprintf("code=%d", i))
	}
	m, err := Compile(Filter{Regexp: true, Any: []string{`level=\w+ code=\d*7$`}})
	require.NoError(t, err)
	a := m.filters[0].alternatives[0].(*automaton)
	count := func(lines []string) int {
		var sel Selection
		sel.Fill(len(lines))
		buf, ends := join(lines)
		m.Select(buf, ends, &sel)
		return sel.Count()
	}
	want := (shareLinesMin + 2) / 10
	require.True(t, a.prefilter && a.found.isSmall())
	for range 3 {
		require.Equal(t, want, count(common))
		require.True(t, m.MatchString(common[7]))
		require.False(t, m.MatchString(rare[7]))
		require.False(t, a.found.isSmall())
	}
	for range 2 * shareDoubts {
		require.Zero(t, count(rare))
	}
	require.True(t, a.found.isSmall())
}

func TestCompileError(t *testing.T) {
	_, err := Compile(Filter{Regexp: true, Any: []string{"a["}})
	require.EqualError(t, err, "compile line filter \"a[\": error parsing regexp: missing closing ]: `[`")
}

func TestTwinProperty(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abkKsS\u212a\u017f .\n\u00e9")), 0, 6, -1)
	piece := rapid.OneOf(rapid.Map(text, regexp.QuoteMeta), rapid.SampledFrom([]string{
		".*", "a+", "(?:ab|k)?", "[ab]", "[^a]", "^", "$", `\b`, "(?i:ks)", "(a|b|ka)", "a{2,3}", ".", "(?i)", "|", "(?:Ab|aB)",
	}))
	filter := rapid.Custom(func(t *rapid.T) Filter {
		f := Filter{Regexp: rapid.Bool().Draw(t, "regexp"), Negate: rapid.Bool().Draw(t, "negate")}
		for range rapid.IntRange(1, 6).Draw(t, "alternatives") {
			if f.Regexp {
				f.Any = append(f.Any, strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "pieces"), ""))
			} else {
				f.Any = append(f.Any, text.Draw(t, "literal"))
			}
		}
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		requireTwin(t, rapid.SliceOfN(filter, 0, 3).Draw(t, "filters"), rapid.SliceOfN(text, 0, 40).Draw(t, "lines"))
	})
}

func FuzzSelect(f *testing.F) {
	f.Add("error", true, false, "an error\nno\nERROR")
	f.Add("(?i)k[aeiou]s", true, true, "\u212aas\nkis\n\nKuS")
	f.Add("a.b", false, false, "a.b\naxb")
	f.Fuzz(func(t *testing.T, text string, isRegexp, negate bool, lines string) {
		if isRegexp {
			if _, err := regexp.Compile(text); err != nil {
				return
			}
		}
		requireTwin(t, []Filter{{Regexp: isRegexp, Negate: negate, Any: []string{text}}}, strings.Split(lines, "\n"))
	})
}

func TestOrder(t *testing.T) {
	f := func(want []int, filters ...Filter) {
		t.Helper()
		m, err := Compile(filters...)
		require.NoError(t, err)
		require.Equal(t, want, m.Order())
	}
	f([]int{})
	f([]int{3, 2, 1, 0}, Filter{Regexp: true, Any: []string{"[a-f]+x"}}, Filter{Negate: true, Any: []string{"~"}}, Filter{Any: []string{"e"}}, Filter{Any: []string{"~"}})
}
