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

func build(t *testing.T, query string) Node {
	t.Helper()
	e, err := syntax.Parse(query)
	require.NoError(t, err)
	n, err := Build(e)
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
	f(`sum by (app_extracted) (count_over_time({app="x"}[1m]))`,
		`{app="x", app_extracted=""} metadata[app_extracted app]`, `{app="x", app_extracted!=""} time`)
	// A string comparison selects among the streams that have the label.
	f(`sum(count_over_time({app="x"} | env="p" [1m]))`, `{app="x", env=""} metadata[env] env=p`, `{app="x", env!="", env="p"} time`)
	f(`sum(count_over_time({app="x"} | app=~"y" and env!="p" [1m]))`,
		`{app="x", env=""} metadata[env]`, `{app="x", env!="", app=~"y", env!="p"} time`)
	f(`sum(count_over_time({app="x"} | app="x" or app="y" [1m]))`, `{app="x"} time`)
	f(`sum(count_over_time({app="x"} | detected_level="error" | __error__="" [1m]))`, `{app="x"} level detected_level=error`)
	// Without a sum, or without "by", all labels count.
	f(`count_over_time({app="x"}[1m])`, `{app="x"} level+metadata`)
	f(`sum without (env) (count_over_time({app="x"}[1m]))`, `{app="x"} level+metadata`)
	f(`max by (app) (bytes_over_time({app="x"}[1m]))`, `{app="x"} bytes+level+metadata`)
	// What the store cannot test needs the line.
	f(`sum(count_over_time({app="x"} |> "<_>a" |= "b" [1m]))`, `{app="x"} line [0 false ["b"]]`)
	f(`sum(count_over_time({app="x"} |= "b" or ip("::1") [1m]))`, `{app="x"} line`)
}

func TestLogPushesLineFilters(t *testing.T) {
	f := func(query string, words []string, empty bool, want string) {
		t.Helper()
		n := build(t, query).(*Log)
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
		require.Equal(t, []string{`{app="x"} line+level+metadata` + want}, describe(build(t, query).(*Log).Scan), query)
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

func TestBuildUnsupported(t *testing.T) {
	f := func(query, what string) {
		t.Helper()
		e, err := syntax.Parse(query)
		require.NoError(t, err)
		_, err = Build(e)
		require.ErrorIs(t, err, pipeline.ErrUnsupported)
		require.EqualError(t, err, what+" is valid LogQL, but this version of Woodshed cannot evaluate it yet")
	}
	for _, op := range []string{"rate_counter", "avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "stdvar_over_time",
		"stddev_over_time", "first_over_time", "last_over_time"} {
		f(op+`({a="b"} | unwrap c [1m])`, op)
	}
	f(`quantile_over_time(0.5, {a="b"} | unwrap c [1m])`, "quantile_over_time")
	f(`rate({a="b"} | unwrap c [1m])`, "unwrap")
}

func TestFoldsConstants(t *testing.T) {
	require.Equal(t, &Scalar{Value: 19}, build(t, `1 + 2 * 3 ^ 2`))
	require.Equal(t, &Binary{Op: syntax.OpAdd, LHS: &Constant{Value: 1}, RHS: &Scalar{Value: 6}}, build(t, `vector(1) + 2 * 3`))
	require.Equal(t, &Aggregate{Op: syntax.OpSum, Group: Group{Mode: GroupBy}, Input: &Constant{Value: 1}}, build(t, `sum(1)`))
	require.Equal(t, Group{Mode: GroupWithout, Names: []string{"a", "b"}}, build(t, `max without (b, a, b) (vector(1))`).(*Aggregate).Group)
}
