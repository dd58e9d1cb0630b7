package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestDropsIdle(t *testing.T) {
	f := ruleTest(t, "idle")
	f(`sum by (level) (count_over_time({app="x"} |= "" | drop __error__, __error_details__ [1m]))`, `
		Range count_over_time [1m] by (level)
		  Scan {app="x", level=""} time, metadata(level)
		  Scan {app="x", level!=""} time
		  | drop __error__, __error_details__`, `
		Count count_over_time [1m] by (level)
		  Scan {app="x", level=""} time, metadata(level)
		  Scan {app="x", level!=""} time`)
	f(`{app="x"} | drop __error__`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  | drop __error__`, ``)
}

func TestIdleStages(t *testing.T) {
	// f says what is left of a query's stages.
	f := func(query, want string) {
		t.Helper()
		e, err := syntax.Parse(query)
		require.NoError(t, err, query)
		group, inner := Group{Mode: GroupAll}, e
		if v, ok := e.(*syntax.VectorAggregation); ok {
			group, inner = groupOf(v.Grouping), v.Expr
		}
		m := inner.(*syntax.RangeAggregation)
		r := newRead(m.Log)
		r.metric, r.group = m, group
		dropIdle(r)
		left := ""
		for i, s := range r.stages {
			if i > 0 {
				left += " "
			}
			left += s.String()
		}
		require.Equal(t, want, left, query)
	}
	// All that is read is labels of every stream: no parser fails.
	f(`sum(count_over_time({app="x"} | json [1m]))`, ``)
	f(`sum by (app) (count_over_time({app="x"} | json | app="x" [1m]))`, `| app="x"`)
	f(`sum(rate({app="x"} |= "a" | logfmt --strict | drop __error__ [1m]))`, `|= "a"`)
	f(`sum(bytes_rate({app="x"} | unpack | json [1m]))`, `| unpack`)
	f(`sum(count_over_time({app="x"} | unpack |= "a" [1m]))`, `| unpack |= "a"`)
	f(`sum(count_over_time({app="x"} | unpack | drop a, app="c" | keep d [1m]))`, ``)
	f(`sum by (app) (count_over_time({app="x"} | json | app=1 | drop __error__ [1m]))`, `| app == 1 | drop __error__`)
	// Any other metric fails on an error, unless that is dropped before anybody sees it.
	f(`sum by (app) (count_over_time({app="x"} | b="1" | json [1m]))`, `| b="1" | json`)
	f(`sum by (app) (count_over_time({app="x"} | b="1" | json | drop __error__ [1m]))`, `| b="1"`)
	f(`sum by (app) (count_over_time({app="x"} | b="1" | json | drop __error_details__ [1m]))`, `| b="1" | json | drop __error_details__`)
	f(`sum by (app) (count_over_time({app="x"} | json | drop __error__="x" [1m]))`, `| json | drop __error__="x"`)
	f(`sum by (app) (count_over_time({app="x"} | json | __error__="" | drop __error__ [1m]))`, `| json | __error__="" | drop __error__`)
	f(`sum by (app) (count_over_time({app="x"} | b="1" | json | app=1 | drop __error__ [1m]))`, `| b="1" | json | app == 1 | drop __error__`)
	f(`sum by (app) (count_over_time({app="x"} | json | app_extracted="1" [1m]))`, `| json | app_extracted="1"`)
	// What such a parser is asked for counts, even when only idle stages ask.
	f(`sum by (app) (count_over_time({app="x"} | json | drop a, b="c" [1m]))`, `| json | drop a, b="c"`)
	f(`sum by (app) (count_over_time({app="x"} | json | drop a [1m]))`, ``)
	f(`sum by (app) (count_over_time({app="x"} | json | label_format b=c [1m]))`, `| json | label_format b=c`)
	f(`sum by (app) (count_over_time({app="x"} | logfmt | label_format b=c [1m]))`, ``)
	f(`sum by (app) (count_over_time({app="x"} | json | label_format b=c | drop __error__ [1m]))`, ``)
	// Parsers that cannot fail.
	f(`sum by (app) (count_over_time({app="x"} | b="1" | logfmt [1m]))`, `| b="1"`)
	f(`sum by (app) (count_over_time({app="x"} | logfmt | __error__="" [1m]))`, `| __error__=""`)
	f(`sum by (app) (count_over_time({app="x"} | b="1" | logfmt --strict [1m]))`, `| b="1" | logfmt --strict`)
	f(`sum by (app) (count_over_time({app="x"} | b="1" | regexp "(?P<y>.)" | pattern "<y> z" | decolorize [1m]))`, `| b="1"`)
	f(`sum by (app) (bytes_over_time({app="x"} | pattern "<y> z" | decolorize [1m]))`, `| decolorize`)
	// Somebody reads a label that the parser may make; only a label of every stream is surely none.
	f(`sum by (a) (count_over_time({app="x"} | logfmt [1m]))`, `| logfmt`)
	f(`sum by (app_extracted) (count_over_time({app="x"} | logfmt [1m]))`, `| logfmt`)
	f(`sum by (app) (count_over_time({app=~".*", b="c"} | logfmt [1m]))`, `| logfmt`)
	f(`sum by (app_extracted) (count_over_time({app="x", app_extracted="y"} | logfmt [1m]))`, `| logfmt`)
	f(`sum(count_over_time({app="x"} | regexp "(?P<y>.)" | y!="z" [1m]))`, `| regexp "(?P<y>.)" | y!="z"`)
	f(`sum(count_over_time({app="x"} | logfmt | b="1" | logfmt [1m]))`, `| logfmt | b="1"`)
	f(`count_over_time({app="x"} | logfmt [1m])`, `| logfmt`)
	f(`sum without (a) (count_over_time({app="x"} | logfmt [1m]))`, `| logfmt`)
	// By name, also what is called after a label of the stream.
	f(`sum by (a) (count_over_time({app="x"} | logfmt b="c" [1m]))`, ``)
	f(`sum by (a) (count_over_time({app="x"} | logfmt a="c" [1m]))`, `| logfmt a="c"`)
	f(`sum by (app) (count_over_time({app="x"} | logfmt app="c" [1m]))`, `| logfmt app="c"`)
	f(`sum by (a_extracted) (count_over_time({app="x"} | logfmt a="c" [1m]))`, `| logfmt a="c"`)
	// Renamed, removed, kept: only when the names are read.
	f(`sum by (a) (count_over_time({app="x"} | label_format b=c [1m]))`, ``)
	f(`sum by (a) (count_over_time({app="x"} | label_format b=a [1m]))`, `| label_format b=a`)
	f(`sum by (app) (count_over_time({app="x"} | label_format app=c [1m]))`, `| label_format app=c`)
	f(`sum by (a) (count_over_time({app="x"} | label_format b="x" [1m]))`, `| label_format b="x"`)
	f(`sum by (a) (count_over_time({app="x"} | drop b [1m]))`, ``)
	f(`sum by (a) (count_over_time({app="x"} | drop a [1m]))`, `| drop a`)
	f(`sum by (a_extracted) (count_over_time({app="x"} | drop a [1m]))`, `| drop a`)
	f(`sum by (a) (count_over_time({app="x"} | keep a [1m]))`, `| keep a`)
	// Whether a parser fails depends on labels before it that a filter read: they stay as they are.
	f(`sum(count_over_time({app="x"} | b="1" | drop b | json [1m]))`, `| b="1" | drop b | json`)
	f(`sum(count_over_time({app="x"} | b="1" | keep c | json [1m]))`, `| b="1" | keep c | json`)
	f(`sum(count_over_time({app="x"} | b="1" | label_format c=d | logfmt --strict [1m]))`, `| b="1" | label_format c=d | logfmt --strict`)
	f(`sum(count_over_time({app="x"} | b="1" | regexp "(?P<b>.)" | json [1m]))`, `| b="1" | regexp "(?P<b>.)" | json`)
	f(`sum(count_over_time({app="x"} | b="1" | drop b | json | drop __error__ [1m]))`, `| b="1"`)
	f(`sum(count_over_time({app="x"} | b="1" | drop __error__ | json [1m]))`, `| b="1" | json`)
	// A template may read anything and fail.
	f(`sum(count_over_time({app="x"} | logfmt | line_format "{{.a}}" [1m]))`, `| logfmt | line_format "{{.a}}"`)
	f(`sum by (app) (count_over_time({app="x"} | json | line_format "{{.a}}" | drop __error__ [1m]))`, `| json | line_format "{{.a}}" | drop __error__`)
	f(`sum by (app) (sum_over_time({app="x"} | logfmt | unwrap app | a="1" [1m]))`, `| logfmt`)
}
