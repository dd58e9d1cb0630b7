package engine_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// More series than the limit are answered with those that have the largest sums, in the order of the query.
func TestTopSeries(t *testing.T) {
	var streams []model.Stream
	for pod := range 10 {
		s := model.Stream{Labels: labels.FromStrings("app", "x", "pod", fmt.Sprint(pod))}
		for i := range 1 + pod*7%10 { // 1 8 5 2 9 6 3 10 7 4
			s.Entries = append(s.Entries, model.Entry{Timestamp: model.Timestamp(i+1) * sec, Line: "line"})
		}
		streams = append(streams, s)
	}
	f := func(query string, limit int, instant bool, want ...string) {
		t.Helper()
		e, err := engine.New(engine.Config{
			Querier: logqltest.NewSlowStore(streams...),
			Limits:  func(model.TenantID) engine.Limits { return engine.Limits{Series: limit} },
		})
		require.NoError(t, err)
		res, err := e.Exec(t.Context(), engine.Params{Tenant: model.DefaultTenant, Query: query, End: 60 * sec, Step: 10 * time.Second, Instant: instant})
		require.NoError(t, err)
		var got []string
		for _, s := range res.Series {
			got = append(got, s.Labels.Get("pod"))
		}
		require.Equal(t, want, got)
		if len(want) == 10 {
			require.Empty(t, res.Warnings)
			return
		}
		require.Equal(t, []string{fmt.Sprintf("the answer has the %d series with the largest sums of 10; max_query_series is the limit. "+
			"More specific stream selectors, or aggregations such as sum by (…) or topk, make fewer", limit)}, res.Warnings)
	}
	for _, instant := range []bool{false, true} {
		f(`count_over_time({app="x"}[1m])`, 10, instant, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		f(`count_over_time({app="x"}[1m])`, 0, instant, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		f(`count_over_time({app="x"}[1m])`, 3, instant, "1", "4", "7")
		f(`max by (pod) (count_over_time({app="x"}[1m]))`, 4, instant, "1", "4", "7", "8")
		f(`0 - sum by (pod) (count_over_time({app="x"}[1m]))`, 2, instant, "0", "3")
	}
	f(`sort(count_over_time({app="x"}[1m]))`, 3, true, "1", "4", "7")
	f(`sort_desc(count_over_time({app="x"}[1m]))`, 3, true, "7", "4", "1")
	f(fmt.Sprintf(`count_over_time({app="x", pod!="7"}[1m]) or %f * count_over_time({app="x", pod="7"}[1m])`, math.MaxFloat64), 1, true, "7")
}
