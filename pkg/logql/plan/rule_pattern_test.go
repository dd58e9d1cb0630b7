package plan

import "testing"

func TestPushesLiteralsOfPatterns(t *testing.T) {
	f := ruleTest(t, "patterns")
	f(`{app="x"} |> "<_> GET /x <_>500"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  |> "<_> GET /x <_>500"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		    line |= " GET /x "
		    line |= "500"
		  |> "<_> GET /x <_>500"`)
	f(`{app="x"} |> "<_>a<_>bcd<_>" or "e<_>"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  |> "<_>a<_>bcd<_>" or "e<_>"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		    line |= "bcd" or "e"
		  |> "<_>a<_>bcd<_>" or "e<_>"`)
	for _, filter := range []string{`|> "<_>"`, `|> ""`, `|> "<_>a" or "<_>"`, `!> "<_>a"`} {
		f(`{app="x"} `+filter, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  `+filter, ``)
	}
}
