package logqltest

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest/naive"
	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// queriesPerStore is how many random queries see the same random entries.
const queriesPerStore = 10

// RunRandom asks random queries over random entries, and holds the engine over the stores that newStore makes to the answers
// of package naive. What fails is shrunk by rapid and printed as a script.
func RunRandom(t *testing.T, newStore NewStore) {
	t.Helper()
	asked, answered := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		streams := drawStreams(rt)
		e, err := engine.New(engine.Config{Querier: newStore(t, streams...)})
		require.NoError(rt, err)
		for range queriesPerStore {
			p := drawParams(rt)
			asked++
			res, err := e.Exec(t.Context(), p)
			if err == nil && len(res.Entries)+len(res.Series) > 0 {
				answered++
			}
			if why := differs(streams, p, res, err); why != "" {
				rt.Fatalf("%s\n\n%s", why, scriptOf(streams, p))
			}
		}
	})
	t.Logf("%d queries, %d answered with lines or samples", asked, answered)
}

func drawParams(t *rapid.T) engine.Params {
	p := engine.Params{Tenant: model.DefaultTenant}
	p.Start = day.Add(time.Duration(drawInt(t, "start", -10, 90)) * time.Second)
	p.End = p.Start.Add(time.Duration(drawInt(t, "length", 0, 100)) * time.Second)
	kind := drawOf(t, "kind", "log", "log", "range", "range", "instant", "number")
	switch kind {
	case "log":
		p.Query = drawSelector(t) + drawStages(t)
		if drawOften(t, "distinct", 1) {
			p.Query += " | distinct " + drawOf(t, "names", "user", "status, app", "detected_level")
		}
		p.Direction = drawOf(t, "direction", storage.Forward, storage.Backward)
		p.Limit = drawOf(t, "limit", 1000, 1000, 3, 1)
		return p
	case "number":
		p.Query = drawNumber(t)
	default:
		p.Query = drawMetric(t, drawOf(t, "depth", 0, 1, 1, 2))
	}
	if kind == "range" {
		p.Step = drawOf(t, "step", time.Second, 5*time.Second, 20*time.Second, 500*time.Millisecond)
		p.End = min(p.End, p.Start.Add(10*p.Step)) // the naive evaluator looks at all entries again for each step
		return p
	}
	p.Instant = true
	p.End = day.Add(time.Duration(drawInt(t, "at", 0, 150)) * time.Second)
	if kind == "instant" {
		p.Query = drawOf(t, "sorted", "", "", "sort", "sort_desc") + "(" + p.Query + ")"
	}
	return p
}

// differs says how the engine's answer is not the naive one, "" when it is.
func differs(streams []model.Stream, p engine.Params, res *engine.Result, err error) string {
	expr, parseErr := syntax.Parse(p.Query)
	if parseErr != nil {
		return fmt.Sprintf("the generator made a query that cannot be parsed: %s", parseErr)
	}
	np := naive.Params{Start: p.Start, End: p.End, Step: p.Step, Backward: p.Direction == storage.Backward, Limit: p.Limit}
	want, wantErr := naive.Eval(expr, streams, np)
	switch {
	case wantErr != nil && err != nil:
		return differentErrors(wantErr, err)
	case wantErr != nil:
		return fmt.Sprintf("want an error: %s", wantErr)
	case err != nil:
		return fmt.Sprintf("error: %s", err)
	}
	switch {
	case want.Scalar != nil:
		if res.Type != engine.ResultScalar || !near(*want.Scalar, res.Scalar.Value) {
			return fmt.Sprintf("want %v, got a %s %v", *want.Scalar, res.Type, res.Scalar.Value)
		}
		return ""
	case syntax.IsLog(expr):
		return differentEntries(want.Entries, res.Entries)
	}
	return differentSeries(want.Series, res.Series)
}

func differentErrors(want, got error) string {
	kind := map[error][]string{
		naive.ErrPipeline: {"pipeline error"},
		naive.ErrMatching: {"multiple matches for labels", "found duplicate series", "same labels"},
	}
	for _, words := range kind { // a query may have several faults, and any of them may be found first
		for _, w := range words {
			if strings.Contains(got.Error(), w) {
				return ""
			}
		}
	}
	return fmt.Sprintf("want the error %q, got %q", want, got)
}

// near compares values that were computed in different orders.
func near(a, b float64) bool {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return true
	}
	return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1)
}

func differentEntries(want []naive.Entry, got []engine.Entry) string {
	for i := range max(len(want), len(got)) {
		w, g := "none", "none"
		if i < len(want) {
			w = naiveLine(want[i])
		}
		if i < len(got) {
			g = engineLine(got[i])
		}
		if w != g {
			return fmt.Sprintf("entry %d:\nwant %s\ngot  %s", i, w, g)
		}
	}
	return ""
}

// naiveLine and engineLine write entries alike. What an error says in detail is not compared, nor a label without a value,
// which is there for templates and filters alone.
func naiveLine(e naive.Entry) string {
	return fmt.Sprintf("%s %s %q metadata %s parsed %s", time.Duration(e.Timestamp-day), mapText(e.Stream), e.Line, mapText(e.Metadata), mapText(e.Parsed))
}

func engineLine(e engine.Entry) string {
	return fmt.Sprintf("%s %s %q metadata %s parsed %s", time.Duration(e.Timestamp-day), mapText(e.Labels.Map()), e.Line, mapText(pairMap(e.Metadata)), mapText(pairMap(e.Parsed)))
}

func pairMap(pairs []model.Pair) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		m[p.Name] = p.Value
	}
	return m
}

func mapText(m map[string]string) string {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(name, value string) bool { return value == "" || name == pipeline.ErrorDetailsLabel })
	return labels.FromMap(m).String()
}

func differentSeries(want []naive.Series, got []engine.Series) string {
	wanted, sortedBy := map[string]naive.Series{}, []float64{}
	for _, s := range want {
		wanted[mapText(s.Labels)] = s
		for _, v := range s.Samples {
			sortedBy = append(sortedBy, v)
		}
	}
	for i, s := range got {
		name := s.Labels.String()
		w, ok := wanted[name]
		if !ok {
			return fmt.Sprintf("series %s is not wanted: %v", name, s.Samples)
		}
		delete(wanted, name)
		for _, sample := range s.Samples {
			if v, ok := w.Samples[sample.Timestamp]; !ok || !near(v, sample.Value) {
				return fmt.Sprintf("series %s at %s: want %v (%t), got %v", name, time.Duration(sample.Timestamp-day), v, ok, sample.Value)
			}
		}
		if len(w.Samples) != len(s.Samples) {
			return fmt.Sprintf("series %s: want %v, got %v", name, w.Samples, s.Samples)
		}
		if len(s.Samples) == 1 && len(sortedBy) == len(got) && !near(sortedBy[i], s.Samples[0].Value) {
			return fmt.Sprintf("series %s is not in its place: want values in the order %v", name, sortedBy)
		}
	}
	for name, s := range wanted {
		return fmt.Sprintf("series %s is missing: %v", name, s.Samples)
	}
	return ""
}

// scriptOf writes a script that asks the query. Its answer is left out.
func scriptOf(streams []model.Stream, p engine.Params) string {
	var b strings.Builder
	b.WriteString("load\n")
	for _, s := range streams {
		if len(s.Entries) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %s\n", s.Labels)
		for _, e := range s.Entries {
			fmt.Fprintf(&b, "    %s %q", time.Duration(e.Timestamp-day), e.Line)
			for _, m := range e.Metadata {
				fmt.Fprintf(&b, " %s=%s", m.Name, m.Value)
			}
			if e.Level != "" {
				fmt.Fprintf(&b, " %s=%s", pipeline.LevelLabel, e.Level)
			}
			b.WriteString("\n")
		}
	}
	from, to := time.Duration(p.Start-day), time.Duration(p.End-day)
	switch {
	case p.Instant:
		fmt.Fprintf(&b, "eval instant %s: %s\n", to, p.Query)
	case p.Step > 0:
		fmt.Fprintf(&b, "eval range %s..%s step %s: %s\n", from, to, p.Step, p.Query)
	default:
		direction := map[storage.Order]string{storage.Forward: "forward", storage.Backward: "backward"}[p.Direction]
		fmt.Fprintf(&b, "eval logs %s..%s %s limit %d: %s\n", from, to, direction, p.Limit, p.Query)
	}
	return b.String()
}
