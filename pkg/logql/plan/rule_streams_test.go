package plan

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestNarrowsStreams(t *testing.T) {
	f := ruleTest(t, "streams")
	f(`{app="x"} | env="p"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		    entry env="p" in metadata, unless env is a label
		  | env="p"`, `
		Log limited behind its stages
		  Scan {app="x", env=~"p|"} time, line, level, metadata
		    entry env="p" in metadata, unless env is a label
		  | env="p"`)
	f(`sum(count_over_time({app="x"} | env="p" [1m]))`, `
		Range count_over_time [1m] by ()
		  Scan {app="x", env=""} time, metadata(env)
		    entry env="p" in metadata, unless env is a label
		  Scan {app="x", env!=""} time
		  | env="p"`, `
		Range count_over_time [1m] by ()
		  Scan {app="x", env=""} time, metadata(env)
		    entry env="p" in metadata, unless env is a label
		  Scan {app="x", env!="", env="p"} time
		  | env="p"`)
}

func TestNarrowedMatchers(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		e, err := syntax.Parse(query)
		require.NoError(t, err)
		r := newRead(e.(*syntax.LogExpr))
		narrowStreams(r)
		require.Equal(t, want, (&syntax.LogExpr{Matchers: r.scans[0].Matchers}).String(), query)
		for _, m := range r.orAbsent(func(string) bool { return true }) {
			require.True(t, m.Matches("") || m.Name == "app", "%s leaves out streams without %s", m, m.Name)
		}
	}
	f(`{app="x"} | a="1.5"`, `{app="x", a=~"1\\.5|"}`)
	f(`{app="x"} | a=~"1|2" | b!="3", c!~"4" | d="" | e=~"" | f=~".+" | g!="" | h=~".*"`,
		`{app="x", a=~"(?:1|2)|", b!="3", c!~"4", d="", e=~"", h=~".*"}`)
	f(`{app="x"} | a="(\xff"`, `{app="x"}`)
	// The selector has it already, or leaves no stream without the name.
	f(`{app="x"} | app="x" | a="1" | a="1" | app!=""`, `{app="x", a=~"1|", app!=""}`)
	f(`{app=~"x|y"} | app="x"`, `{app=~"x|y", app="x"}`)
	// One of several, a number, an error: nothing is known of the stream.
	f(`{app="x"} | a="1" or b="2" | c=1 | __error__="" | __error_details__="x"`, `{app="x"}`)
	f(`{app="x"} | app_extracted="1" | json | a_extracted="2"`, `{app="x"}`)
	// What parsers find gives way to labels of the stream, unless it was given its name.
	f(`{app="x"} |= "l" | json | logfmt | regexp "(?P<x>.)" | pattern "<y> z" | line_format "" | decolorize | drop __error__ | a="1"`, `{app="x", a=~"1|"}`)
	for _, stage := range []string{`json a="b"`, `logfmt a="b"`, `unpack`, `label_format a="x"`, `label_format b=a`, `drop a`, `keep b`, `distinct a`} {
		f(`{app="x"} | b="1" | `+stage+` | a="2"`, `{app="x", b=~"1|"}`)
	}
	var none []*labels.Matcher
	require.Equal(t, none, (&read{}).orAbsent(func(string) bool { return true }))
}
