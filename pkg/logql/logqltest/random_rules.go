package logqltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
)

// RunRules asks random queries over random entries with all rules of the planner, with all but one, and with none, and
// holds all answers to the same.
func RunRules(t *testing.T, newStore NewStore) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		streams := drawStreams(rt)
		store := newStore(t, streams...)
		engines := map[string]*engine.Engine{}
		for _, name := range append(plan.Rules(), plan.AllRules, "") {
			e, err := engine.New(engine.Config{Querier: store, Plan: plan.Options{Without: without(name)}})
			require.NoError(rt, err)
			engines[name] = e
		}
		for range queriesPerStore {
			p := drawParams(rt)
			want, wantErr := engines[""].Exec(t.Context(), p)
			for name, e := range engines {
				got, err := e.Exec(t.Context(), p)
				if why := differentAnswers(want, got, wantErr, err); why != "" {
					rt.Fatalf("without rule %q: %s\n\n%s", name, why, scriptOf(streams, p))
				}
			}
		}
	})
}

func without(rule string) []string {
	if rule == "" {
		return nil
	}
	return []string{rule}
}

// differentAnswers says how an answer is not that with all rules.
func differentAnswers(want, got *engine.Result, wantErr, gotErr error) string {
	switch {
	case wantErr != nil && gotErr != nil:
		return ""
	case wantErr != nil:
		return fmt.Sprintf("want the error %q", wantErr)
	case gotErr != nil:
		return fmt.Sprintf("error: %s", gotErr)
	case want.Scalar.Timestamp != got.Scalar.Timestamp || !near(want.Scalar.Value, got.Scalar.Value):
		return fmt.Sprintf("want %v, got %v", want.Scalar, got.Scalar)
	}
	for i := range max(len(want.Entries), len(got.Entries)) {
		w, g := "none", "none"
		if i < len(want.Entries) {
			w = want.Entries[i].ID + " " + engineLine(want.Entries[i])
		}
		if i < len(got.Entries) {
			g = got.Entries[i].ID + " " + engineLine(got.Entries[i])
		}
		if w != g {
			return fmt.Sprintf("entry %d:\nwant %s\ngot  %s", i, w, g)
		}
	}
	same := func(a, b engine.Series) bool {
		return labels.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Samples, b.Samples, func(a, b engine.Sample) bool {
			return a.Timestamp == b.Timestamp && near(a.Value, b.Value)
		})
	}
	if !slices.EqualFunc(want.Series, got.Series, same) {
		return fmt.Sprintf("want series %v, got %v", want.Series, got.Series)
	}
	return ""
}
