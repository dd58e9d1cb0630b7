package plan

import "testing"

func TestNarrowsColumns(t *testing.T) {
	f := ruleTest(t, "columns")
	f(`sum by (env) (bytes_rate({app="x"} |= "a" | drop __error__ [1m]))`, `
		Range bytes_rate [1m] by (env)
		  Scan {app="x"} time, line, bytes, level, metadata
		    line |= "a"`, `
		Range bytes_rate [1m] by (env)
		  Scan {app="x", env=""} time, bytes, metadata(env)
		    line |= "a"
		  Scan {app="x", env!=""} time, bytes
		    line |= "a"`)
	f(`sum(count_over_time({app="x"}[1m]))`, `
		Range count_over_time [1m] by ()
		  Scan {app="x"} time, line, level, metadata`, `
		Count count_over_time [1m] by ()
		  Scan {app="x"} time`)
	// An answer of lines shows everything.
	f(`{app="x"}`, `
		Log limited in the store
		  Scan {app="x"} time, line, level, metadata`, ``)
}
