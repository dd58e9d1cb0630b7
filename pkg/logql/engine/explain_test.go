package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestExplain(t *testing.T) {
	now := time.Unix(100, 0)
	cfg := engine.Config{Now: func() time.Time { now = now.Add(time.Second); return now }}
	f := func(p engine.Params, planned string, scans ...engine.ExplainScan) {
		t.Helper()
		e, _ := newEngine(t, cfg, ticks(20, "app", "x"), ticks(5, "app", "y"))
		res, err := e.Exec(t.Context(), p)
		require.NoError(t, err)
		require.Nil(t, res.Explain)
		p.Explain = true
		res, err = e.Exec(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, planned, res.Explain.Plan)
		require.Equal(t, scans, res.Explain.Scans)
	}
	f(rangeParams(`1 + 1`), "Scalar 2\n")
	p := logParams(`{app=~".+"} |= "1"`)
	scan := engine.ExplainScan{
		Scan: `Scan {app=~".+"} time, line, level, metadata`, Complete: true, Passed: 12, Took: time.Second,
		Store: storage.ScanStats{Chunks: 2, Entries: 25, Bytes: 161, EntriesMatched: 12},
	}
	f(p, "Log limited in the store\n  "+scan.Scan+"\n    line |= \"1\"\n", scan)
	p.Limit = 3
	scan.Complete, scan.Passed = false, 3
	f(p, "Log limited in the store\n  "+scan.Scan+"\n    line |= \"1\"\n", scan)

	counted := engine.ExplainScan{
		Scan: `Scan {app="y"} time`, Counted: true, Complete: true, Passed: 5, Took: time.Second,
		Store: storage.ScanStats{Chunks: 1, Entries: 5, Bytes: 30, EntriesMatched: 5},
	}
	f(rangeParams(`sum(count_over_time({app="y"}[1m]))`), "Count count_over_time [1m] by ()\n  Scan {app=\"y\"} time\n", counted)
}

func TestPlansAsConfigured(t *testing.T) {
	e, s := newEngine(t, engine.Config{Plan: plan.Options{Without: []string{plan.AllRules}}}, ticks(20, "app", "x"))
	p := logParams(`{app="x"} |= "1"`)
	p.Limit = 2
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, res.Entries, 2)
	require.Empty(t, s.requests[0].Filters)
	require.Zero(t, s.requests[0].Limit)
	e, _ = newEngine(t, engine.Config{Plan: plan.Options{Without: []string{"none"}}})
	_, err = e.Exec(t.Context(), p)
	require.ErrorContains(t, err, `there is no rule "none"`)
}
