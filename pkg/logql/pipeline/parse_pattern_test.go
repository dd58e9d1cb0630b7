package pipeline

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestPattern(t *testing.T) {
	f := func(pattern, line string, want ...string) {
		t.Helper()
		p := newParser(t, "| pattern `"+pattern+"`", all, labels.FromStrings("app", "api"), pairs("trace", "abc"))
		got := p.parse(line)
		delete(got.labels, "trace")
		require.Equal(t, append([]string{}, want...), got.text())
		require.Equal(t, line, got.line)
	}
	f(`<ip> <userid> <user> [<_>] "<method> <path> <_>" <status> <size>`,
		`127.0.0.1 user-identifier frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326`,
		"ip=127.0.0.1", "method=GET", "path=/apache_pb.gif", "size=2326", "status=200", "user=frank", "userid=user-identifier")
	f(`<_> msg="<m>"`, `level=debug msg="POST x"`, "m=POST x")
	// Anchored at a literal in front only.
	f(`foo <a>`, `foo bar`, "a=bar")
	f(`foo <a>`, `xfoo bar`)
	f(`<a> foo`, `x foo bar`, "a=x")
	// A line that is too short fills in what there is.
	f(`<a> - <b> - <c>`, `1 - 2`, "a=1", "b=2")
	f(`<a> - <_> - <c>`, `1 - 2`, "a=1")
	f(`<a>`, ``)
	f(`x<a>`, `x`, "a=")
	f(`<a> <b>`, `x `, "a=x", "b=")
	f(`<a>x<b>`, `xx`, "a=", "b=x")
	// Clashes.
	f(`<app> <trace> <app_extracted>`, `1 2 3`, "app_extracted=1", "trace_extracted=2")
	require.Equal(t, []string{"a=1", "b=2"}, newParser(t, "| pattern `<a> <_>` | pattern `<_> <b>` | pattern `<b> <a>`", all, labels.EmptyLabels(), nil).parse("1 2").text())
}

// oraclePattern cuts the line at one literal after the other.
func oraclePattern(parts []syntax.PatternPart, line string) map[string]string {
	found := map[string]string{}
	if line == "" {
		return found
	}
	for i, part := range parts {
		if part.Capture == "" {
			if i == 0 && !strings.HasPrefix(line, part.Literal) {
				return found
			}
			_, line, _ = strings.Cut(line, part.Literal)
			continue
		}
		value, last := line, true
		if i+1 < len(parts) {
			var ok bool
			value, _, ok = strings.Cut(line, parts[i+1].Literal)
			last = !ok
		}
		if part.Capture != "_" {
			found[part.Capture] = value
		}
		if last {
			break
		}
	}
	return found
}

func FuzzPattern(f *testing.F) {
	f.Add("<a> - <_> <b>x", "1 - 2 3x4", "b")
	f.Add("x<a>", "xyz", "a")
	f.Fuzz(func(t *testing.T, pattern, line, name string) {
		parts, err := syntax.ParsePattern(pattern)
		if err != nil {
			return
		}
		parse := func(w Needs) map[string]string {
			o, err := newPatternOp(&syntax.Pattern{Text: pattern})
			require.NoError(t, err)
			return parseWith(t, o, w, line).labels
		}
		want := oraclePattern(parts, line)
		delete(want, ErrorLabel)
		delete(want, ErrorDetailsLabel)
		got := parse(Needs{AllNames: true})
		require.Equal(t, want, got)
		require.Equal(t, parsed{labels: want}.restrict(name).labels, parse(Needs{Names: map[string]bool{name: true}}))
	})
}
