package logqltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestScripts(t *testing.T) {
	for _, file := range Scripts(t, 2) {
		t.Run(file, func(t *testing.T) {
			Run(t, file, func(_ *testing.T, streams ...model.Stream) storage.Querier { return NewSlowStore(streams...) })
		})
	}
}

func TestParseScriptErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := parseScript("x.test", text)
		require.EqualError(t, err, want)
	}
	f("nonsense", `x.test:1: "nonsense" is neither load nor eval`)
	f("load\n 1s \"x\"", "x.test:2: entry before a stream")
	f("load\n {a=~\"x\"}", `x.test:2: a=~"x" is no label`)
	f("load\n {a=\"x\"}\n 1s x", `x.test:3: no quoted line in "x"`)
	f("load\n\neval instant 1s", "x.test:3: eval without a query")
	f("eval range 1s..2s: vector(1)", "x.test:1: eval range 1s..2s is neither range … step, nor logs … limit, nor instant")
	f(" {a=\"x\"}", "x.test:1: indented line before load or eval")
}

// The engine answers random queries as the definition of each construct says, entry by entry.
func TestRandomQueries(t *testing.T) {
	RunRandom(t, func(_ *testing.T, streams ...model.Stream) storage.Querier { return NewSlowStore(streams...) })
}

// Rules of the planner change no answer. Each of the store's requests says what may be left out, and the slow store does.
func TestRulesChangeNothing(t *testing.T) {
	RunRules(t, func(_ *testing.T, streams ...model.Stream) storage.Querier { return NewSlowStore(streams...) })
}

// Whichever way a value is written in a line, asking for it finds the line as if nothing had been implied.
func TestImpliedLinesMissNothing(t *testing.T) {
	RunImplied(t, func(_ *testing.T, streams ...model.Stream) storage.Querier { return NewSlowStore(streams...) })
}
