package engine_test

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// The error of an entry that no stage could make sense of shows what the entry is.
func TestPipelineErrorNamesEntry(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		entry := model.Entry{Timestamp: sec, Line: `{"status":"oops"}`, Level: "warn", Metadata: []model.Pair{{Name: "app", Value: "b"}, {Name: "took", Value: "long"}}}
		e, err := engine.New(engine.Config{Querier: logqltest.NewSlowStore(model.Stream{Labels: labels.FromStrings("app", "a"), Entries: []model.Entry{entry}})})
		require.NoError(t, err)
		_, err = e.Exec(t.Context(), engine.Params{Tenant: model.DefaultTenant, Query: query, Instant: true, End: 2 * sec})
		require.ErrorIs(t, err, storage.ErrInvalid)
		require.Contains(t, err.Error(), want)
	}
	f(`count_over_time({app="a"} | took > 1s [1m])`, `__error_details__="time: invalid duration \"long\"", app="a", app_extracted="b", detected_level="warn", took="long"}'`)
	f(`count_over_time({app="a"} | json | status > 1 [1m])`, `invalid syntax", app="a", app_extracted="b", detected_level="warn", status="oops", took="long"}'`)
	f(`sum(count_over_time({app="a"} | json | status > 1 [1m]))`, `invalid syntax", app="a", status="oops"}'`)
}
