package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// letters are few, so that expressions meet values; among them are those that fold across ASCII's border (K, ſ), fold or
// decompose into others (é, ﬁ), and bytes that are no UTF-8.
var letters = []string{"a", "b", "A", "B", "f", "i", "k", "s", "0", "1", "-", "é", "É", "\u212a", "\u017f", "\ufb01", "\n", "\xff", "\ufffd"}

var genValue = rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 9).Draw(t, "value"), "")
})

// genRegexp draws an expression over the same letters.
var genRegexp = rapid.Custom(func(t *rapid.T) string { return drawRegexp(t, 3) })

func drawRegexp(t *rapid.T, depth int) string {
	texts := []string{"a", "b", "A", "ab", "a-", "-0", "f", "fi", "k", "s", "é", "\u212a", "\u017f", "\ufffd", "1", "bab"}
	text := rapid.SampledFrom(texts)
	if depth == 0 {
		return text.Draw(t, "text")
	}
	sub := func() string { return drawRegexp(t, depth-1) }
	list := func(separator string) string {
		subs := make([]string, rapid.IntRange(1, 4).Draw(t, "count"))
		for i := range subs {
			subs[i] = sub()
		}
		return strings.Join(subs, separator)
	}
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 0, 1:
		return text.Draw(t, "text")
	case 2, 3:
		return list("")
	case 4:
		return list(".*")
	case 5:
		return ".*" + sub() + ".*"
	case 6:
		return "(" + list("|") + ")"
	case 7:
		return "(" + list(".*|") + ")"
	case 8:
		return "(?i:" + sub() + ")"
	case 9:
		return "(" + sub() + ")" + rapid.SampledFrom([]string{"?", "*", "+", "{2}", "{0,2}"}).Draw(t, "times")
	case 10:
		return rapid.SampledFrom([]string{".", ".+", ".*", "", "^", "$", "\\b", "()", "|"}).Draw(t, "wildcard")
	case 11:
		return rapid.SampledFrom([]string{"[ab]", "[^a]", "[a-f]", "[0-9]+", "(?i:[ks])", "[\\x{fffd}a]", "[é-\\x{2200}]"}).Draw(t, "class")
	default: // so many texts that labels.Matcher looks them up by a key of its own
		return "(?i:" + strings.Join(slices.Concat(texts, []string{"x", "y", "fib", "kk", "(ab.*)"}[:rapid.IntRange(2, 5).Draw(t, "more")]), "|") + ")"
	}
}

// groupOf joins values as a group holds them.
func groupOf(values []string) (g valueGroup) {
	for _, v := range values {
		g.joined = append(g.joined, v...)
		g.ends = append(g.ends, uint32(len(g.joined)))
	}
	return g
}

func checkFind(t require.TestingT, r *valueRegexp, m *labels.Matcher, values []string) {
	g := groupOf(values)
	sel := r.find(g.joined, g.ends)
	for i, v := range values {
		require.Equal(t, m.Matches(v), sel.Contains(i), "%s on %q; begins with %q, texts %t, automaton %t",
			m, v, r.prefixes, r.texts != nil, r.automaton != nil)
	}
}

// TestFindAgainstMatcher compares what is searched for in groups with what labels.Matcher says of each value, before and
// after the expression was analysed.
func TestFindAgainstMatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := labels.NewMatcher(labels.MatchRegexp, "pod", genRegexp.Draw(t, "regexp"))
		if err != nil {
			t.Skip()
		}
		values := rapid.SliceOfN(genValue, 1, groupValues).Draw(t, "values")
		r := newValueRegexp(m)
		checkFind(t, r, m, values)
		r.seen = valuesFew
		r.analyze()
		checkFind(t, r, m, values)
		ascii := slices.DeleteFunc(values, func(v string) bool { return !isASCII([]byte(v)) })
		checkFind(t, r, m, ascii)
	})
}

// TestAnalyze states which texts an expression is searched by.
func TestAnalyze(t *testing.T) {
	f := func(text string, prefixes []string, texts, automaton bool) {
		t.Helper()
		r := newValueRegexp(matcher(t, labels.MatchRegexp, "pod", text))
		r.analyze()
		require.Equal(t, prefixes, r.prefixes)
		require.Equal(t, texts, r.texts != nil, "texts")
		require.Equal(t, automaton, r.automaton != nil, "automaton")
	}
	none := []string{""}
	f(".*error.*", none, true, false)
	f(".*-prod", none, true, false)
	f("(.*error.*)?", none, true, false)
	f(".*error.*|", none, true, false)
	f(".*error.*|.*warn.*", none, true, false)
	f(".*error.*|.*", none, false, false)
	f("(?i).*error.*", none, true, false)
	f("api-.*", []string{"api-"}, false, false)
	f("api-.*-7f.*", []string{"api-"}, true, false)
	f("(web|api)-.*", []string{"api-", "web-"}, false, false)
	f("^(web-.*|api-.*)$", []string{"api-", "web-"}, true, false)
	f("app-[78].*", []string{"app-7", "app-8"}, false, false)
	f("app-[0-9]+-x", []string{"app-"}, true, true)
	f("(?i)api-.*", none, true, false)
	f("[a-z]+-[0-9]{3}", none, true, true)
	f("(web|api)-[^x]+", []string{"api-", "web-"}, false, true)
	f("(?i)[a-z]+", none, false, false)
	f("[a-z]+", none, false, true)
}

// TestFindGivesUp: texts that nearly all values contain are not searched for any longer.
func TestFindGivesUp(t *testing.T) {
	r := newValueRegexp(matcher(t, labels.MatchRegexp, "pod", ".*pod.*7"))
	values := make([]string, groupValues)
	for i := range values {
		values[i] = fmt.Sprint("pod-", i)
	}
	r.tree.Sub = r.tree.Sub[:2] // .*pod alone
	g := groupOf(values)
	for range 2*valuesFew/groupValues - 1 {
		require.True(t, r.selective())
		r.find(g.joined, g.ends)
	}
	require.False(t, r.selective())
	require.Equal(t, 13, r.find(g.joined, g.ends).Count())
}

// TestResolveManyValues resolves over enough values for every shortcut, some with several streams.
func TestResolveManyValues(t *testing.T) {
	var streams []labels.Labels
	for i := range 3000 {
		b := labels.NewBuilder(labels.EmptyLabels())
		if i%10 > 0 {
			b.Set("pod", fmt.Sprintf("App-%d-%05x", i%7, i/2*7919))
		}
		b.Set("zone", fmt.Sprint(i%3))
		streams = append(streams, b.Labels())
	}
	readers := map[string]Reader{"mem": memOf(streams).Snapshot(), "disk": diskOf(t, oneChunkEach(streams))}
	for _, text := range []string{
		".*ab.*", ".*App.*", ".*-3-.*", "App-[12]-.*", "App-(1|2)-.*f", "(?i)app-.*", "(?i).*AB.*", ".*ab.*|.*cd.*", "(.*ab.*)?",
		".*7", "[A-Z][a-z]+-[0-9]-[0-9a-f]*7[0-9]", "App-[0-9]-.*", "App-.*-.*0f.*", "none.*", ".*none.*", "App-5-0.*|App-6-0.*|x.*",
		".*[0-9].*", "[^-]*", ".{7,}",
	} {
		for _, typ := range []labels.MatchType{labels.MatchRegexp, labels.MatchNotRegexp} {
			ms := []*labels.Matcher{matcher(t, typ, "pod", text)}
			want := naive(streams, ms)
			for name, r := range readers {
				got, err := Resolve(r, ms)
				require.NoError(t, err)
				require.Equal(t, want, got.ToArray(), "%s %s", name, ms[0])
			}
		}
	}
}
