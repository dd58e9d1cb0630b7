package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestPushesLines(t *testing.T) {
	f := ruleTest(t, "lines")
	f(`{app="x"} |= "a" or "b" |= "" | env="p" !~ "c"`, `
		Log limited behind its stages
		  Scan {app="x", env=~"p|"} time, line, level, metadata
		    entry env="p" in metadata, unless env is a label
		  |= "a" or "b"
		  |= ""
		  | env="p"
		  !~ "c"`, `
		Log limited behind its stages
		  Scan {app="x", env=~"p|"} time, line, level, metadata
		    line |= "a" or "b"
		    line !~ "c"
		    entry env="p" in metadata, unless env is a label
		  | env="p"`)
	f(`sum(count_over_time({app="x"} |= "" [1m]))`, `
		Range count_over_time [1m] by ()
		  Scan {app="x"} time, line
		  |= ""`, `
		Count count_over_time [1m] by ()
		  Scan {app="x"} time`)
	// What the store cannot test stays.
	f(`{app="x"} |= ip("::1") or "y" != ip("::1") !> "<_>"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  |= ip("::1") or "y"
		  != ip("::1")
		  !> "<_>"`, ``)
}

// pushed returns the stages that are left and the number of filters that went to the store.
func pushed(t *testing.T, query string, rule func(*read)) (left string, filters int) {
	e, err := syntax.Parse(query)
	require.NoError(t, err)
	r := newRead(e.(*syntax.LogExpr))
	rule(r)
	for _, s := range r.stages {
		left += s.String()
	}
	return left, len(r.scans[0].Filters)
}

func TestLinesStayBehindWhatChangesThem(t *testing.T) {
	f := func(stage string, passes bool) {
		t.Helper()
		left, n := pushed(t, `{app="x"} |= "a" | `+stage+` |= "b"`, pushLines)
		if passes {
			require.Equal(t, 2, n)
			return
		}
		require.Equal(t, 1, n, left)
		require.Contains(t, left, `|= "b"`)
		_, n = pushed(t, `{app="x"} |> "<_>a" | `+stage+` |> "<_>b"`, pushPatterns)
		require.Equal(t, 1, n)
	}
	for _, stage := range []string{`json`, `logfmt`, `regexp "(?P<x>.)"`, `pattern "<y> z"`, `label_format a=b`, `drop a`, `keep a`, `x=1`, `json a="b"`} {
		f(stage, true)
	}
	for _, stage := range []string{`line_format "x"`, `unpack`, `decolorize`, `distinct a`} {
		f(stage, false)
	}
}
