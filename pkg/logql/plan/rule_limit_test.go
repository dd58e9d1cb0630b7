package plan

import "testing"

func TestLimitsInTheStore(t *testing.T) {
	f := ruleTest(t, "limit")
	f(`{app="x"} |= "a"`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		    line |= "a"`, `
		Log limited in the store
		  Scan {app="x"} time, line, level, metadata
		    line |= "a"`)
	// A stage may drop entries, and then more are needed.
	f(`{app="x"} |= ip("::1")`, `
		Log limited behind its stages
		  Scan {app="x"} time, line, level, metadata
		  |= ip("::1")`, ``)
}
