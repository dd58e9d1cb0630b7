package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func columnNames(c storage.Columns) string {
	var names []string
	for _, n := range []struct {
		column storage.Columns
		name   string
	}{
		{storage.ColumnLine, "line"}, {storage.ColumnLineBytes, "bytes"}, {storage.ColumnLevel, "level"}, {storage.ColumnMetadata, "metadata"},
	} {
		if c&n.column != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return "time"
	}
	return strings.Join(names, "+")
}

// describe writes what is read: selector, columns and pushed filters of each scan.
func describe(scans ...Scan) []string {
	var list []string
	for _, s := range scans {
		text := (&syntax.LogExpr{Matchers: s.Matchers}).String() + " " + columnNames(s.Columns)
		if s.MetadataNames != nil {
			text += fmt.Sprint(s.MetadataNames)
		}
		for _, f := range s.Filters {
			text += fmt.Sprintf(" [%d %v %q]", f.Kind, f.Negate, f.Any)
		}
		for _, p := range s.MetadataEqual {
			text += " " + p.Name + "=" + p.Value
		}
		list = append(list, text)
	}
	return list
}

func build(t *testing.T, query string, without ...string) Node {
	t.Helper()
	e, err := syntax.Parse(query)
	require.NoError(t, err)
	n, err := Options{Without: without}.Build(e)
	require.NoError(t, err, query)
	return n
}

func TestRangeReadsFewestColumns(t *testing.T) {
	f := func(query string, want ...string) {
		t.Helper()
		n := build(t, query)
		if a, ok := n.(*Aggregate); ok {
			n = a.Input
		}
		if c, ok := n.(*Count); ok {
			n = c.Range
		}
		require.Equal(t, want, describe(n.(*Range).Scans...), query)
	}
	f(`sum(count_over_time({app="x"}[1m]))`, `{app="x"} time`)
	f(`sum(rate({app="x"} |= "e" [1m]))`, `{app="x"} time [0 false ["e"]]`)
	f(`sum(bytes_rate({app="x"}[1m]))`, `{app="x"} bytes`)
	f(`sum by (detected_level) (count_over_time({app="x"}[1m]))`, `{app="x"} level`)
	f(`sum by (detected_level_extracted) (count_over_time({app="x"}[1m]))`, `{app="x"} level`)
	// A label that the selector demands is the stream's.
	f(`sum by (app) (count_over_time({app=~"x.+"}[1m]))`, `{app=~"x.+"} time`)
	// Of any other, metadata is read only from streams that lack it.
	f(`sum by (env) (count_over_time({app="x"}[1m]))`, `{app="x", env=""} metadata[env]`, `{app="x", env!=""} time`)
	f(`sum by (env, zone, detected_level) (count_over_time({app="x"}[1m]))`,
		`{app="x", env=""} level+metadata[env zone]`, `{app="x", env!="", zone=""} level+metadata[env zone]`, `{app="x", env!="", zone!=""} level`)
	f(`sum by (a, b, c, d, e) (count_over_time({app="x"}[1m]))`, `{app="x"} metadata[a b c d e]`)
	// A stream that has the label may still give way to metadata that is renamed to it.
	f(`sum by (app_extracted) (count_over_time({app="x"}[1m]))`, `{app="x"} metadata[app_extracted app]`)
	f(`sum by (app_extracted) (count_over_time({app="x", app_extracted="y"}[1m]))`, `{app="x", app_extracted="y"} metadata[app_extracted app]`)
	// A string comparison selects among the streams that have the label.
	f(`sum(count_over_time({app="x"} | env="p" [1m]))`, `{app="x", env=""} metadata[env] env=p`, `{app="x", env!="", env="p"} time`)
	f(`sum(count_over_time({app="x"} | app=~"y" and env!="p" [1m]))`,
		`{app="x", app=~"y", env=""} metadata[env]`, `{app="x", app=~"y", env!="", env!="p"} time`)
	f(`sum(count_over_time({app="x"} | app="x" or app="y" [1m]))`, `{app="x"} time`)
	f(`sum(count_over_time({app="x"} | detected_level="error" | __error__="" [1m]))`, `{app="x", detected_level=~"error|"} level detected_level=error`)
	// Without a sum, or without "by", all labels count.
	f(`count_over_time({app="x"}[1m])`, `{app="x"} level+metadata`)
	f(`sum without (env) (count_over_time({app="x"}[1m]))`, `{app="x"} level+metadata`)
	f(`max by (app) (bytes_over_time({app="x"}[1m]))`, `{app="x"} bytes+level+metadata`)
	// What the store cannot test needs the line.
	f(`sum(count_over_time({app="x"} |> "<_>a" |= "b" [1m]))`, `{app="x"} line [0 false ["b"]] [0 false ["a"]]`)
	f(`sum(count_over_time({app="x"} |= "b" or ip("::1") [1m]))`, `{app="x"} line`)
	// Behind what changes labels, a comparison says nothing of the stream.
	f(`sum(count_over_time({app="x"} | env!="p" | label_format env="q" | env="q" [1m]))`,
		`{app="x", env=""} metadata[env]`, `{app="x", env!="", env!="p"} time`)
	f(`sum by (y) (count_over_time({app="x"} | label_format y="{{.app}}-{{.detected_level}}" [1m]))`,
		`{app="x", y=""} level+metadata[y]`, `{app="x", y!=""} level`)
	// What is not read is not written.
	f(`sum(count_over_time({app="x"} | line_format "{{.a | upper}}" | decolorize | drop __error__ [1m]))`, `{app="x"} time`)
	f(`sum(bytes_over_time({app="x"} | line_format "{{.app}}" [1m]))`, `{app="x"} bytes`)
	f(`sum(bytes_over_time({app="x"} | decolorize [1m]))`, `{app="x"} line+bytes`)
}

func TestWithoutUnreadLines(t *testing.T) {
	f := func(stages, want string) {
		t.Helper()
		parse := func(text string) []syntax.Stage {
			e, err := syntax.Parse(`{x="x"} ` + text)
			require.NoError(t, err)
			return e.(*syntax.LogExpr).Stages
		}
		require.Equal(t, (&syntax.LogExpr{Stages: parse(want)}).String(), (&syntax.LogExpr{Stages: withoutUnreadLines(parse(stages))}).String())
	}
	f(``, ``)
	f(`|= "a" | line_format "x"`, `|= "a"`)
	f(`| line_format "x" | decolorize | keep a | drop b, __error__ | label_format a="{{.b}}" | c="d" or e=5`,
		`| keep a | drop b, __error__ | label_format a="{{.b}}" | c="d" or e=5`)
	f(`| line_format "x" | json | line_format "y"`, `| line_format "x" | json`)
	for _, same := range []string{
		`| line_format "x" |= "a"`, `| decolorize | pattern "<a>"`, `| line_format "x" | label_format a="{{__line__}}"`,
		`| line_format "x" | a=1 or (b="c" and __error__="")`, `| line_format "x" | __error_details__!=""`,
		`| line_format "x" | label_format a="{{.__error__}}"`,
	} {
		f(same, same)
	}
}

func TestLogPushesLineFilters(t *testing.T) {
	f := func(query string, words []string, empty bool, want string) {
		t.Helper()
		n := build(t, query, "streams", "patterns").(*Log)
		require.Equal(t, []string{want}, describe(n.Scan), query)
		require.Equal(t, words, n.SearchWords)
		require.Equal(t, empty, n.Stages.Empty())
	}
	f(`{app="x"}`, nil, true, `{app="x"} line+level+metadata`)
	f(`{app="x"} |= "" |~ "" |= "a" or ""`, []string{"a"}, true, `{app="x"} line+level+metadata`)
	f(`{app="x"} |= "a" or "b" !~ "c" | env="p" != "d"`, []string{"a", "b"}, false,
		`{app="x"} line+level+metadata [0 false ["a" "b"]] [1 true ["c"]] [0 true ["d"]] env=p`)
	f(`{app="x"} != "" |~ "(?i)e"`, []string{"(?i)e"}, true, `{app="x"} line+level+metadata [0 true [""]] [1 false ["(?i)e"]]`)
	f(`{app="x"} |> "<_>" |= "z"`, []string{"z"}, false, `{app="x"} line+level+metadata [0 false ["z"]]`)
	f(`{app="x"} |= ip("::1") or "y"`, []string{"y"}, false, `{app="x"} line+level+metadata`)
}

func TestLogPushesMetadataEqualities(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		require.Equal(t, []string{`{app="x"} line+level+metadata` + want}, describe(build(t, query, "streams", "patterns").(*Log).Scan), query)
	}
	f(`{app="x"} | trace_id="1"`, ` trace_id=1`)
	f(`{app="x"} | trace_id="1" | pod="2" | trace_id="1" | trace_id="3"`, ` trace_id=1 pod=2 trace_id=3`)
	f(`{app="x"} |> "<_>a" | a="1" and b="2" and c=~"3" and (d="4" or e="5"), f="6" | detected_level="info"`, ` a=1 b=2 f=6 detected_level=info`)
	// Only comparisons that say which metadata passes.
	f(`{app="x"} | a="" | b!="1" | c=~"1" | d=1 | e="1" or f="1"`, ``)
	// A label of every stream that the selector leaves, errors, and names that may mean another.
	f(`{app="x"} | app="x" | __error__="1" | __error_details__="1" | a_extracted="1"`, ``)
	// Behind what changes labels, names mean something else.
	f(`{app="x"} | a="1" | drop __error__ | c="1"`, ` a=1`)
}

// What unwrap takes is read like any other label; a sum of sums, a maximum of maxima and a minimum of minima are folded while
// reading.
func TestValues(t *testing.T) {
	f := func(query string, group Group, want ...string) {
		t.Helper()
		n, ok := build(t, query).(*Range)
		require.True(t, ok, "%s is %T", query, build(t, query))
		require.True(t, n.Values, query)
		require.Equal(t, want, describe(n.Scans...), query)
		require.Equal(t, group, n.Group, query)
	}
	by := func(names ...string) Group { return newGroup(GroupBy, names...) }
	without := func(names ...string) Group { return newGroup(GroupWithout, names...) }
	all := `{a="b"} level+metadata`
	split := []string{`{a="b", v=""} metadata[v]`, `{a="b", v!=""} time`}
	f(`sum_over_time({a="b"} | unwrap v [1m])`, without("v"), all)
	f(`quantile_over_time(0.5, {a="b"} | unwrap v [1m]) without (x)`, without("v", "x"), all)
	f(`avg_over_time({a="b"} | unwrap v [1m]) by (a)`, by("a"), split...)
	f(`avg_over_time({a="b"} | unwrap v [1m]) by ()`, by(), split...)
	f(`max_over_time({a="b"} | unwrap v [1m]) by (v)`, by("v"), split...)
	f(`sum(sum_over_time({a="b"} | unwrap v | v > 1 and w="2" [1m]))`, by(),
		`{a="b", v=""} metadata[v w]`, `{a="b", v!="", w=""} metadata[v w]`, `{a="b", v!="", w!=""} time`)
	f(`sum by (a) (rate({a="b"} |= "x" | unwrap v [1m]))`, by("a"),
		`{a="b", v=""} metadata[v] [0 false ["x"]]`, `{a="b", v!=""} time [0 false ["x"]]`)
	f(`sum by (v) (sum_over_time({a="b"} | unwrap v [1m]))`, by("v"), split...)
	f(`sum without (x) (sum_over_time({a="b"} | unwrap v [1m]))`, without("v", "x"), all)
	f(`max by (v, a) (max_over_time({a="b"} | unwrap v [1m]))`, by("a"), split...)
	f(`min without (a) (min_over_time({a="b"} | unwrap v [1m]) by (a, a))`, by(), split...)
	f(`min by (a, x) (min_over_time({a="b"} | unwrap v [1m]) by (a))`, by("a"), split...)
	f(`max without (a) (max_over_time({a="b"} | unwrap v [1m]) without (x))`, without("a", "v", "x"), all)
	// Order is one scan.
	f(`rate_counter({a="b"} | unwrap v [1m])`, without("v"), all)
	n := build(t, `sum by (a) (rate_counter({a="b"} | unwrap v [1m]))`).(*Aggregate)
	require.Equal(t, []string{all}, describe(n.Input.(*Range).Scans...))
	r := newRead(&syntax.LogExpr{})
	r.metric, r.group, r.compiled = &syntax.RangeAggregation{Op: syntax.OpRateCounter}, by("v", "detected_level"), &pipeline.Pipeline{}
	narrowColumns(r)
	require.Equal(t, []Scan{{Columns: storage.ColumnMetadata | storage.ColumnLevel, MetadataNames: []string{"v"}}}, r.scans)

	g := func(query string, op syntax.RangeOp) {
		t.Helper()
		n := build(t, query).(*Aggregate)
		require.Equal(t, op, n.Input.(*Range).Op)
	}
	g(`sum(avg_over_time({a="b"} | unwrap v [1m]))`, syntax.OpAvgOverTime)
	g(`max(min_over_time({a="b"} | unwrap v [1m]))`, syntax.OpMinOverTime)
	g(`max(sum_over_time({a="b"} | unwrap v [1m]))`, syntax.OpSumOverTime)
}

// Absence needs to know of one entry, whatever its labels.
func TestAbsent(t *testing.T) {
	n := build(t, `absent_over_time({a="b", c=~"d"}[1m])`).(*Absent)
	require.Equal(t, `{a="b"}`, n.Labels.String())
	require.Equal(t, []string{`{a="b", c=~"d"} time`}, describe(n.Input.(*Count).Range.Scans...))
	n = build(t, `absent_over_time({a="b"} | unwrap v [1m])`).(*Absent)
	require.Equal(t, []string{`{a="b", v=""} metadata[v]`, `{a="b", v!=""} time`}, describe(n.Input.(*Range).Scans...))
	require.IsType(t, &Absent{}, build(t, `sum(absent_over_time({a="b"}[1m]))`).(*Aggregate).Input)
}

func TestFoldsConstants(t *testing.T) {
	require.Equal(t, &Scalar{Value: 19}, build(t, `1 + 2 * 3 ^ 2`))
	require.Equal(t, &Binary{Op: syntax.OpAdd, LHS: &Constant{Value: 1}, RHS: &Scalar{Value: 6}}, build(t, `vector(1) + 2 * 3`))
	require.Equal(t, &Aggregate{Op: syntax.OpSum, Group: Group{Mode: GroupBy}, Input: &Constant{Value: 1}}, build(t, `sum(1)`))
	require.Equal(t, Group{Mode: GroupWithout, Names: []string{"a", "b"}}, build(t, `max without (b, a, b) (vector(1))`).(*Aggregate).Group)
}
