package match

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// String writes a requirement as a|b, a folded literal behind a '~'.
func (r Requirement) String() string {
	var list []string
	for _, l := range r {
		if l.Fold {
			list = append(list, "~"+l.Text)
		} else {
			list = append(list, l.Text)
		}
	}
	return strings.Join(list, "|")
}

func TestRequired(t *testing.T) {
	f := func(filters []Filter, want ...string) {
		t.Helper()
		m, err := Compile(filters...)
		require.NoError(t, err)
		var got []string
		for _, r := range m.Required() {
			got = append(got, r.String())
		}
		require.ElementsMatch(t, want, got)
	}
	re := func(expr ...string) []Filter { return []Filter{{Regexp: true, Any: expr}} }
	f(nil)
	f([]Filter{{Any: []string{"error"}}}, "error")
	f([]Filter{{Any: []string{"Error", "warn"}}, {Any: []string{"x"}}}, "Error|warn", "x")
	f([]Filter{{Any: []string{"error", ""}}, {Any: []string{""}}})
	f([]Filter{{Any: []string{"error"}, Negate: true}, {Any: []string{"x"}}}, "x")
	f(re("error|warn"), "error|warn")
	f(re("(?i)Error|Kelvin"), "~error|~kelvin")
	f(re("err.r code"), "r code")
	f(re("trace=[0-9a-f]+"), "trace=")
	f(re("(?i:trace)=x"), "~trace=x")
	f(re(".*"))
	f(re("[0-9]+"))
	f(re("error|[0-9]+"))
	f(re("error|warn|fatal|panic|abort"), "error|warn|fatal|panic|abort")
	f([]Filter{{Any: []string{"error", "warn", "fatal", "panic", "abort"}}}, "error|warn|fatal|panic|abort")
	f(re("error", "[0-9]+"))
	f(re("error", "timeout after .*s"), "error|timeout after ")
	f(re("^a$|b"))
	f(re(`(?i)stra\x{df}e`), "~stra")
	f(append(re("x.yz"), Filter{Regexp: true, Negate: true, Any: []string{"error"}}), "yz")
}

// requireRequired checks that a line which matches meets every requirement, by the rules of (?i) where it folds.
func requireRequired(t require.TestingT, m *Matcher, line string) {
	if !m.MatchString(line) {
		return
	}
	for _, r := range m.Required() {
		met := false
		for _, l := range r {
			require.NotEmpty(t, l.Text)
			if l.Fold {
				require.Equal(t, lowerASCII(l.Text), l.Text)
				met = met || foldTwin(l.Text).MatchString(latin(line))
			} else {
				met = met || strings.Contains(line, l.Text)
			}
		}
		require.True(t, met, "%q does not meet %v", line, r)
	}
}

// foldTwin finds a folded literal the way its comment says it.
func foldTwin(text string) *regexp.Regexp {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch c {
		case 'k':
			b.WriteString("(?:[kK]|" + latin("\u212a") + ")")
		case 's':
			b.WriteString("(?:[sS]|" + latin("\u017f") + ")")
		default:
			b.WriteString("(?i:" + regexp.QuoteMeta(latin(string([]byte{c}))) + ")")
		}
	}
	return regexp.MustCompile(b.String())
}

// latin spells every byte as one rune below U+0800 that folds to no other, so that a regular expression sees bytes.
func latin(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(0x5d0 + rune(c) - 0x80) // Hebrew and what follows has no case
		}
	}
	return b.String()
}

func TestRequiredProperty(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abkKsS\u212a\u017f .\n\u00e9")), 0, 6, -1)
	piece := rapid.OneOf(rapid.Map(text, regexp.QuoteMeta), rapid.SampledFrom([]string{
		".*", "a+", "(?:ab|k)?", "[ab]", "^", "$", `\b`, "(?i:ks)", "(a|b|ka)", "a{2,3}", ".", "(?i)", "|", "(?:Ab|aB)", "[ks]",
	}))
	rapid.Check(t, func(t *rapid.T) {
		f := Filter{Regexp: rapid.Bool().Draw(t, "regexp")}
		for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
			if f.Regexp {
				f.Any = append(f.Any, strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "pieces"), ""))
			} else {
				f.Any = append(f.Any, text.Draw(t, "literal"))
			}
		}
		m, err := Compile(f)
		require.NoError(t, err)
		for _, line := range rapid.SliceOfN(text, 1, 40).Draw(t, "lines") {
			requireRequired(t, m, line)
		}
	})
}
