package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is planned of a query, and what the rule makes of it.
func TestCountsInTheStore(t *testing.T) {
	f := func(query, names string) {
		t.Helper()
		n := build(t, query)
		if a, ok := n.(*Aggregate); ok {
			n = a.Input
		}
		c, ok := n.(*Count)
		require.Equal(t, names != "", ok, query)
		if !ok {
			return
		}
		require.Equal(t, c, Options{}.pushCount(c.Range), "the Range is as it was before")
		got := "all"
		if c.LabelNames != nil {
			got = fmt.Sprint(c.LabelNames)
		}
		require.Equal(t, names, got, query)
	}
	const no = ""
	f(`sum(count_over_time({app="x"}[1m]))`, `[]`)
	f(`sum by (b, a) (rate({app="x"}[1m]))`, `[a b]`)
	f(`sum by (detected_level) (bytes_over_time({app="x"} |= "" [1m] offset 1h))`, `[detected_level]`)
	f(`sum by (a_extracted, a) (bytes_rate({app="x"}[1m]))`, `[a a_extracted]`)
	f(`sum by (__error__) (rate({app="x"}[1m]))`, `[__error__]`)
	// A label that goes still renames metadata of its name.
	f(`sum without (a) (count_over_time({app="x"}[1m]))`, `all`)
	f(`count_over_time({app="x"}[1m])`, `all`)
	f(`max by (a) (rate({app="x"}[1m]))`, `all`)
	// Whatever looks at entries or lines needs them.
	f(`sum(count_over_time({app="x"} |= "e" [1m]))`, no)
	f(`sum(count_over_time({app="x"} != "" [1m]))`, no)
	f(`sum(count_over_time({app="x"} | env="p" [1m]))`, no)
	f(`sum(count_over_time({app="x"} |> "<_>a" [1m]))`, no)
	f(`sum(count_over_time({app="x"} | code > 1 | drop __error__ [1m]))`, no)
	// Errors that nothing made need not be dropped: Grafana's histogram.
	f("sum by (level, detected_level) (count_over_time({app=\"x\"} |= `` | drop __error__, __error_details__ | drop __error__ [1m]))",
		`[detected_level level]`)
}

func TestCountRule(t *testing.T) {
	f := ruleTest(t, "count")
	f(`sum by (env) (rate({app="x"} |= "" | drop __error__ [1m] offset 5m))`, `
		Range rate [1m] offset 5m by (env)
		  Scan {app="x", env=""} time, metadata(env)
		  Scan {app="x", env!=""} time`, `
		Count rate [1m] offset 5m by (env)
		  Scan {app="x", env=""} time, metadata(env)
		  Scan {app="x", env!=""} time`)
	// Of parsers that nobody asks nothing is left.
	f(`sum(count_over_time({app="x"} | json [1m]))`, `
		Range count_over_time [1m] by ()
		  Scan {app="x"} time`, `
		Count count_over_time [1m] by ()
		  Scan {app="x"} time`)
}
