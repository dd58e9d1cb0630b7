package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// countStreams are loud and quiet, over two days, partly on full minutes; some have labels that others have as metadata.
func countStreams(rng *rand.Rand) []model.Stream {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var streams []model.Stream
	for n := range 12 {
		set := map[string]string{"app": fmt.Sprint("app-", n%3), "n": fmt.Sprint(n)}
		if n%2 == 0 {
			set["level"] = pick("info", "error")
		}
		if n%5 == 0 {
			set["detected_level"] = "label"
		}
		if n%4 == 0 {
			set["pod"] = "p0"
		}
		s := model.Stream{Labels: labels.FromMap(set)}
		at := countDay.Add(time.Duration(rng.IntN(36)) * time.Hour)
		gap := time.Duration(1+rng.IntN(30)) * time.Second
		withMetadata := rng.IntN(2) == 0
		for i := range []int{20, 2500}[rng.IntN(2)] {
			at = at.Add(gap)
			e := model.Entry{Timestamp: at, Line: fmt.Sprint(i, strings.Repeat("x", rng.IntN(40))), Level: pick("", "info", "info", "error")}
			for _, name := range []string{"level", "pod", "trace"} {
				if withMetadata && rng.IntN(3) > 0 {
					e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: pick("1", "2", "3")})
				}
			}
			s.Entries = append(s.Entries, e)
		}
		streams = append(streams, s)
	}
	return streams
}

var countDay = model.TimestampOf(time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC))

// TestCountsLikeEntries asks the database what it counts by itself, and the same in words that make the engine read every
// entry. Answers are the same, and so are the numbers of entries.
func TestCountsLikeEntries(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	db := scriptDB(t, vfs.NewMem())
	early, late := halves(countStreams(rng))
	appendStreams(t, db, early)
	require.NoError(t, db.Flush(t.Context()))
	appendStreams(t, db, late)
	e, err := engine.New(engine.Config{Querier: db})
	require.NoError(t, err)
	ask := func(p engine.Params) *engine.Result {
		res, err := e.Exec(t.Context(), p)
		require.NoError(t, err, p.Query)
		// What was found is compared, not what it took; and runs of the head become chunks meanwhile.
		res.Stats = engine.Stats{Lines: res.Stats.Lines, LinesMatched: res.Stats.LinesMatched, EntriesReturned: res.Stats.EntriesReturned}
		return res
	}
	answered := 0
	for _, outer := range []string{
		"%s", "sum(%s)", "sum by (detected_level) (%s)", "sum by (level) (%s)", "sum by (level, detected_level) (%s)", "sum by (app, pod) (%s)",
		"sum by (pod_extracted, trace) (%s)", "sum without (n, trace) (%s)", "sum without (pod) (%s)", "max by (app) (%s)", "avg without (level) (%s)",
		"sum by (nothing) (%s)", "sum by (detected_level_extracted) (%s)",
	} {
		for _, op := range []string{"count_over_time", "rate", "bytes_over_time", "bytes_rate"} {
			for _, length := range []string{"1m", "5m", "30s", "1h", "90s", "30h"} {
				inner := op + `({app=~"app-[01]"}%s[` + length + `] offset ` + []string{"0s", "1m", "-17s"}[rng.IntN(3)] + `)`
				p := engine.Params{
					Tenant: model.DefaultTenant,
					Start:  countDay.Add(time.Duration(rng.IntN(36*60)) * time.Minute), Instant: rng.IntN(8) == 0,
					Step: []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 17 * time.Second}[rng.IntN(4)],
				}
				if rng.IntN(2) == 0 {
					p.Start = p.Start.Add(time.Duration(rng.IntN(1e11)))
				}
				p.End = p.Start.Add(time.Duration(1+rng.IntN(100)) * 3 * time.Minute)
				p.Query = fmt.Sprintf(outer, fmt.Sprintf(inner, ""))
				got := ask(p)
				p.Query = fmt.Sprintf(outer, fmt.Sprintf(inner, ` | __error__="" `))
				require.Equal(t, ask(p), got, "%+v", p)
				answered += len(got.Series)
			}
		}
	}
	require.Greater(t, answered, 300, "hardly anything was asked for that is there")
}
