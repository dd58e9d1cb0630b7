package pipeline

import (
	"regexp"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestRegexp(t *testing.T) {
	f := func(expression, line string, want ...string) {
		t.Helper()
		p := newParser(t, "| regexp `"+expression+"`", all, labels.FromStrings("app", "api"), pairs("trace", "abc"))
		got := p.parse(line)
		delete(got.labels, "trace")
		require.Equal(t, append([]string{}, want...), got.text())
		require.Equal(t, line, got.line)
	}
	f(`(?P<foo>foo|bar)buzz`, `blah`)
	f(`(?P<foo>.*)buzz`, `matchebuzz barbuzz`, "foo=matchebuzz bar")
	f(`status=(?P<status>\w+),latency=(?P<latency>\w+)(ms|ns)`, `status=200,latency=500ms`, "latency=500", "status=200")
	f(`(?P<app>\d)(?P<trace>\d)`, `x12`, "app_extracted=1", "trace_extracted=2")
	f(`(?P<a>x)?(?P<b>y)`, `zy`, "a=", "b=y")
	f(`(?P<a>\d*)`, `x`, "a=")
	f(`(?<a>\d)`, `x1`, "a=1")
	f(`(?i)(?P<a>error)`, `an ERROR`, "a=ERROR")
	f(`(?P<__error__>x)(?P<a>y)`, `xy`, "a=y")
	f(`^(?P<_1>\S+)$`, "one\ntwo")
	f(`(?m)^(?P<a>t.*)$`, "one\ntwo", "a=two")
	p := newParser(t, "| regexp `(?P<a>.)(?P<b>.)(?P<c>.)`", wants("b"), labels.EmptyLabels(), nil)
	require.Equal(t, []string{"b=2"}, p.parse("123").text())
	require.Equal(t, []string{"a=1", "b=2"}, newParser(t, "| regexp `(?P<a>.)` | regexp `.(?P<b>.)` | regexp `.(?P<a>.)`", all, labels.EmptyLabels(), nil).parse("12").text())
}

// Whether most lines match or few makes no difference.
func TestRegexpOften(t *testing.T) {
	p := newParser(t, "| regexp `(?P<a>x+)y`", all, labels.EmptyLabels(), nil)
	for i := range 3000 {
		line, want := "zxxyz", []string{"a=xx"}
		if i/500%2 == 0 && i%5 > 0 || i%7 == 0 {
			line, want = "zxxz", []string{}
		}
		require.Equal(t, want, p.parse(line).text())
	}
}

// The oracle is the standard library, with all groups.
func FuzzRegexp(f *testing.F) {
	f.Add(`(?P<a>\d+)-(?P<b>x|y)?`, "12-y", "b")
	f.Add(`(?i)(?:(?P<a>e)|(?P<b>r))*(z(?P<c>.))`, "erERz1", "a")
	f.Add(`(?U)^(?P<a>.+)\b(?s:.)`, "ab\n", "a")
	f.Fuzz(func(t *testing.T, expression, line, name string) {
		if _, err := syntax.Parse(`{x="x"} | regexp ` + (&syntax.Regexp{Text: expression}).String()[len("| regexp "):]); err != nil || len(expression) > 100 {
			return
		}
		re, err := regexp.Compile(expression)
		if err != nil {
			return
		}
		want := map[string]string{}
		found := re.FindStringSubmatch(line)
		for i, group := range re.SubexpNames() {
			label := string(appendLabelName(nil, group))
			if _, ok := want[label]; ok || found == nil || label == "" || label == ErrorLabel || label == ErrorDetailsLabel {
				continue
			}
			want[label] = found[i]
		}
		parse := func(w Needs) map[string]string {
			o, err := newRegexpOp(&syntax.Regexp{Text: expression})
			require.NoError(t, err)
			return parseWith(t, o, w, line).labels
		}
		require.Equal(t, want, parse(Needs{AllNames: true}))
		require.Equal(t, parsed{labels: want}.restrict(name).labels, parse(Needs{Names: map[string]bool{name: true}}))
	})
}
