package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// ruleTest returns a function that holds a rule to what it makes of a query: the plan of all other rules, and that of all.
// No plan after it means that it changes nothing. The texts may be indented.
func ruleTest(t *testing.T, rule string) func(query, before, after string) {
	return func(query, before, after string) {
		t.Helper()
		require.Equal(t, dedent(before), Text(build(t, query, rule)), "%s without %s", query, rule)
		if after == "" {
			after = before
		}
		require.Equal(t, dedent(after), Text(build(t, query)), "%s with %s", query, rule)
	}
}

// dedent removes the indentation of the first line from all lines, and what is around the text.
func dedent(text string) string {
	text = strings.Trim(text, "\n\t ") + "\n"
	lines := strings.Split(text, "\n")
	for i := 1; i < len(lines); i++ {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}

func TestRules(t *testing.T) {
	require.Equal(t, []string{"idle", "streams", "lines", "patterns", "metadata", "implied", "columns", "limit", "count"}, Rules())
	e, err := syntax.Parse(`{a="b"}`)
	require.NoError(t, err)
	_, err = Options{Without: []string{"limits"}}.Build(e)
	require.EqualError(t, err, `there is no rule "limits", only idle, streams, lines, patterns, metadata, implied, columns, limit, count`)
}

// Without rules everything is read, and everything is done behind the store.
func TestPlansWithoutRules(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		require.Equal(t, dedent(want), Text(build(t, query, AllRules)), query)
	}
	f(`{app="x"} |= "a" |= "" | env="p" | drop __error__`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  |= "a"
		  |= ""
		  | env="p"
		  | drop __error__`)
	f(`max(sum by (env) (bytes_rate({app="x"} |= "a" | drop __error__ [1m])))`, `
		Aggregate max by ()
		  Range bytes_rate [1m] by (env)
		    Scan {app="x"} time, line, bytes, level, metadata
		    |= "a"
		    | drop __error__`)
}

func TestText(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		require.Equal(t, dedent(want), Text(build(t, query)), query)
	}
	f(`1 + 2`, `Scalar 3`)
	f(`max by (b, a) (rate({app="x", b!~"c"} !~ "a|b" |= "z" != "q" |= ip("::1") | x > 1 [1m] offset -1h)) > bool on (a) vector(1.5)`, `
		Binary > bool on (a)
		  Aggregate max by (a, b)
		    Range rate [1m] offset -1h by all labels
		      Scan {app="x", b!~"c"} time, line, level, metadata
		        line |= "z"
		        line != "q"
		        line !~ "a|b"
		      |= ip("::1")
		      | x > 1
		  Constant 1.5`)
	f(`sum without (a) (bytes_over_time({app="x"}[90s]))`, `
		Count bytes_over_time [1m30s] without (a)
		  Scan {app="x"} time, bytes, level, metadata`)
	f(`topk by (a) (2, sort_desc(bottomk(1, label_replace(absent_over_time({app="x"}[1m]), "d", "$1", "s", "(.*)")))) unless on () group_left (z) (vector(1))`, `
		Binary unless on () group_left (z)
		  TopK 2 by (a)
		    Sort descending
		      BottomK 1 by ()
		        LabelReplace d="$1" from s=~"^(?:(.*))$"
		          Absent {app="x"}
		            Count count_over_time [1m] by ()
		              Scan {app="x"} time
		  Constant 1`)
	f(`sum by (app) (quantile_over_time(0.99, {app="x"} | logfmt | unwrap duration(took) | took>1 | app="b" [1m]) by (app))`, `
		Aggregate sum by (app)
		  Range quantile_over_time 0.99 [1m] by (app)
		    Scan {app="x", took=""} time, line, metadata(took)
		    Scan {app="x", took!=""} time, line
		    | logfmt  # read: app, took
		    | unwrap duration(took)
		    | took > 1
		    | app="b"`)
	f(`{app="x"} | trace_id="1"`, `
		Log limited behind its stages
		  Scan {app="x", trace_id=~"1|"} time, line, level, metadata
		    entry trace_id="1" in metadata, unless trace_id is a label
		  | trace_id="1"`)
}
