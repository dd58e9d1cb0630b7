package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestImpliesLines(t *testing.T) {
	f := ruleTest(t, "implied")
	f(`{app="x"} |= "a" | json | status="503"`, `
		Log limited behind its stages
		  Scan {app="x", status=~"503|"} time, line, level, metadata
		    line |= "a"
		  | json  # all labels are read
		  | status="503"`, `
		Log limited behind its stages
		  Scan {app="x", status=~"503|"} time, line, level, metadata
		    line |= "a"
		    line |= "503" or "\\u00", unless status is a label or metadata
		  | json  # all labels are read
		  | status="503"`)
	f(`sum(count_over_time({app="x"} | json | status="503" [1m]))`, `
		Range count_over_time [1m] by ()
		  Scan {app="x", status=""} time, line, metadata(status)
		  Scan {app="x", status!="", status="503"} time, line
		  | json  # read: status
		  | status="503"`, `
		Range count_over_time [1m] by ()
		  Scan {app="x", status=""} time, line, metadata(status)
		    line |= "503" or "\\u00", unless status is a label or metadata
		  Scan {app="x", status!="", status="503"} time, line
		  | json  # read: status
		  | status="503"`)
}

func TestImpliedFilters(t *testing.T) {
	// f says what the stages imply, a filter a line.
	f := func(stages string, want ...string) {
		t.Helper()
		e, err := syntax.Parse(`{app="x"} ` + stages)
		require.NoError(t, err, stages)
		r := newRead(e.(*syntax.LogExpr))
		implyLines(r)
		var got []string
		for _, i := range r.scans[0].Implied {
			got = append(got, i.Name+" "+filterText(i.Line))
		}
		require.Equal(t, want, got, stages)
	}
	const u = ` or "\\u00"`
	for _, parser := range []string{`json`, `logfmt`, `logfmt --strict`, `json a="b.c"`, `logfmt a="b"`} {
		f(`| `+parser+` | a="503"`, `a |= "503"`+u)
	}
	for _, parser := range []string{`regexp "(?P<a>.*)"`, `pattern "<a> b"`} {
		f(`| `+parser+` | a="x <y> \"z\""`, `a |= "x <y> \"z\""`)
	}
	// The longest run of what is written as it is, or as \u00XX.
	f(`| json | a="connection refused"`, `a |= "connection"`+u)
	f(`| json | a="/api/v1/users?x=1&y=22222222"`, `a |= "y=22222222"`+u)
	f(`| json | a="café=naïve"`, `a |= "caf"`+u)
	f(`| json | a="\" \\/<é"`)
	f(`| json | a=~"(?i)asterisks"`, `a |~ "(?i:teri)" or "\\\\u00"`)
	f(`| regexp "(?P<a>.*)" | a=~"(?i)asterisks"`, `a |~ "(?i:asterisks)"`)
	f(`| regexp "(?P<a>.*)" | a=~"(?i)` + strings.Join(strings.Split("abcdefghijklmnop", ""), "abc|") + `"`)
	// Literals that an expression requires; alternatives on one name.
	f(`| json | a=~"err.*"`, `a |= "err"`+u)
	f(`| json | a=~"error|warn"`, `a |= "error" or "warn"`+u)
	f(`| json | a="error" or a=~"warn(ing)?"`, `a |= "error" or "warn"`+u)
	f(`| json | a=~"5.."`)
	f(`| json | a=~"error|.*"`)
	f(`| json | a="1" or b="2"`)
	f(`| json | a="1" or a=2`)
	// All that must hold, each once.
	f(`| json | a="1" and (b="2" or b="3"), c!="4" | a="1" | a="5"`, `a |= "1"`+u, `b |= "2" or "3"`+u, `a |= "5"`+u)
	// What does not say which lines pass: absence, numbers, which let errors pass, names that others have.
	f(`| json | a="" | a!="1" | a!~"1" | a=1 | a>1 | a="1" or a=""`)
	f(`| json | app="x" | a_extracted="1" | detected_level="error" | __error__="JSONParserErr" | __error_details__="x"`)
	// Stages in between that leave labels alone, and those that do not.
	for _, stage := range []string{`drop __error__`, `line_format "{{.x}}"`, `decolorize`, `b=2`} {
		f(`| json | `+stage+` | a="1"`, `a |= "1"`+u)
	}
	for _, stage := range []string{`drop b`, `keep a`, `label_format b=c`, `logfmt`, `unpack`, `distinct b`} {
		f(`| json | ` + stage + ` | a="1"`)
	}
	// The parser has to read the line as it is stored, and be the first.
	f(`|= "x" | b="2" | drop __error__ | json | a="1"`, `a |= "1"`+u)
	for _, stage := range []string{`line_format "x"`, `decolorize`, `unpack`, `label_format a=b`, `drop b`, `distinct b`} {
		f(`| ` + stage + ` | json | a="1"`)
	}
	f(`| a="1" | json`)
}

func TestLongLiteralsAreImplied(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	n := build(t, `{app="x"} | json | a="`+long+`"`).(*Log)
	require.Equal(t, long, n.Scan.Implied[0].Line.Any[0])
}
