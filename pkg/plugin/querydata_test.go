package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const logQuery = `{"expr":"{app=\"api\"}"}`

func TestParamsOfALogQuery(t *testing.T) {
	f, i := newDefault(t)
	resp := askOne(t, i, `{"expr":"{app=\"api\"}","direction":"forward","maxLines":17}`)
	require.NoError(t, resp.Error)
	require.Equal(t, []engine.Params{{
		Tenant: "fake", Query: `{app="api"}`, Start: model.TimestampOf(t0.Add(-time.Hour)), End: model.TimestampOf(t0),
		Step: 15 * time.Second, Limit: 17, Direction: storage.Forward,
	}}, f.asked)
}

func TestParamsOfMetricQueries(t *testing.T) {
	f, i := newDefault(t)
	q := dataQuery("A", `{"expr":"rate({app=\"api\"}[1m])"}`)
	q.TimeRange.From, q.TimeRange.To = t0.Add(-time.Hour+time.Second), t0.Add(time.Second)
	require.NoError(t, ask(t, i, q).Responses["A"].Error)
	require.Equal(t, model.TimestampOf(t0.Add(-time.Hour)), f.asked[0].Start, "down to a multiple of the step")
	require.Equal(t, model.TimestampOf(t0.Add(15*time.Second)), f.asked[0].End, "up to a multiple of the step")

	q.JSON = []byte(`{"expr":"rate({app=\"api\"}[1m])","queryType":"instant"}`)
	require.NoError(t, ask(t, i, q).Responses["A"].Error)
	require.True(t, f.asked[1].Instant)
	require.Equal(t, model.TimestampOf(t0.Add(time.Second)), f.asked[1].End)

	require.NoError(t, askOne(t, i, `{"expr":"{app=\"api\"}","queryType":"instant"}`).Error)
	require.False(t, f.asked[2].Instant, "lines have no instant")
}

func TestLineLimits(t *testing.T) {
	f := newProcess()
	p := newPlugin(t, f, func(c *config.Config) { c.Grafana.RowsMax = 3000 })
	q := func(i *Instance, body string) int {
		t.Helper()
		require.NoError(t, askOne(t, i, body).Error)
		return f.asked[len(f.asked)-1].Limit
	}
	i := newInstance(t, p, `{"maxLines":"2000"}`)
	require.Equal(t, 2000, q(i, logQuery))
	require.Equal(t, 50, q(i, `{"expr":"{a=\"b\"}","maxLines":50}`))
	require.Equal(t, 3000, q(i, `{"expr":"{a=\"b\"}","maxLines":50000}`))
	require.Equal(t, 3000, q(newInstance(t, p, `{"maxLines":9000}`), logQuery))

	l := limits.Default()
	l.MaxEntriesLimitPerQuery = 10
	i = newInstance(t, newPlugin(t, f, func(c *config.Config) { c.Limits = l }), "")
	require.Equal(t, 10, q(i, logQuery))
}

// TestFaults maps every class of error to a status, whose fault it is, and a text.
func TestFaults(t *testing.T) {
	process, i := newDefault(t)
	f := func(err error, status int, source backend.ErrorSource, text string) {
		t.Helper()
		process.exec = func(context.Context, engine.Params) (*engine.Result, error) { return nil, err }
		got := askOne(t, i, logQuery)
		require.EqualError(t, got.Error, text)
		require.Equal(t, backend.Status(status), got.Status)
		require.Equal(t, source, got.ErrorSource)
		require.Empty(t, got.Frames)
	}
	const user, ours = backend.ErrorSourceDownstream, backend.ErrorSourcePlugin
	f(fmt.Errorf("max series: %w", storage.ErrLimit), 400, user, "max series: limit exceeded")
	f(&storage.Refusal{Class: storage.ErrLimit, Text: "too many series"}, 400, user, "too many series")
	f(fmt.Errorf("selector: %w", storage.ErrInvalid), 400, user, "selector: invalid")
	f(storage.ErrOverloaded, 429, ours, "overloaded")
	f(fmt.Errorf("select: %w", storage.ErrClosed), 503, ours, "The store is shutting down.")
	f(fmt.Errorf("select: %w", context.Canceled), 499, user, "The query was cancelled.")
	f(context.DeadlineExceeded, 504, user, "The query took too long (query_timeout). Shorten the time range or add label matchers.")
	f(errors.New("read chunk 3: input/output error"), 500, ours, "read chunk 3: input/output error")

	process.status = StatusInfo{State: StateReplaying, Progress: 0.4}
	f(storage.ErrNotReady, 503, ours, "The store is replaying: 40%. Try again in a moment.")
}

func TestParseErrorIsTheUsersFault(t *testing.T) {
	f, i := newDefault(t)
	got := askOne(t, i, `{"expr":"{app=\"api\"} |= timeout"}`)
	require.ErrorContains(t, got.Error, "parse error at line 1, col 16")
	require.Equal(t, backend.StatusBadRequest, got.Status)
	require.Equal(t, backend.ErrorSourceDownstream, got.ErrorSource)
	require.Empty(t, f.asked)
}

func TestPanicIsAnErrorOfThatQuery(t *testing.T) {
	f, i := newDefault(t)
	f.exec = func(_ context.Context, p engine.Params) (*engine.Result, error) {
		if p.Limit == 13 {
			panic("boom")
		}
		return &engine.Result{}, nil
	}
	resp := ask(t, i, dataQuery("A", `{"expr":"{a=\"b\"}","maxLines":13}`), dataQuery("B", logQuery))
	require.EqualError(t, resp.Responses["A"].Error, "Woodshed failed while it ran this query; its log has the details.")
	require.Equal(t, backend.StatusInternal, resp.Responses["A"].Status)
	require.NoError(t, resp.Responses["B"].Error)
	require.Len(t, resp.Responses["B"].Frames, 1)
	require.True(t, i.p.running.TryAcquire(1), "the place among the running queries was given back")
}

func TestEveryRefIDHasOneAnswer(t *testing.T) {
	_, i := newDefault(t)
	resp := ask(t, i, dataQuery("A", logQuery), dataQuery("B", `{"expr":""}`), dataQuery("C", logQuery))
	require.NoError(t, resp.Responses["A"].Error)
	require.Error(t, resp.Responses["B"].Error)
	require.NoError(t, resp.Responses["C"].Error)

	twice, err := i.QueryData(t.Context(), &backend.QueryDataRequest{
		PluginContext: pluginContext(1, ""), Queries: []backend.DataQuery{dataQuery("A", logQuery), dataQuery("A", logQuery)},
	})
	require.NoError(t, err)
	require.EqualError(t, twice.Responses["A"].Error, `Two queries of the request are called "A".`)

	none, err := i.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: pluginContext(1, "")})
	require.NoError(t, err)
	require.Empty(t, none.Responses)
}

// TestQueriesOfOneRequestRunSideBySide lets every query wait until as many run as may, and none more.
func TestQueriesOfOneRequestRunSideBySide(t *testing.T) {
	f, i := newDefault(t)
	var running, peak atomic.Int32
	full := make(chan struct{})
	f.exec = func(ctx context.Context, _ engine.Params) (*engine.Result, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		if n == queriesAtOnce {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		select {
		case <-full:
			return &engine.Result{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var queries []backend.DataQuery
	for n := range 3 * queriesAtOnce {
		queries = append(queries, dataQuery(fmt.Sprint("Q", n), logQuery))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := i.QueryData(ctx, &backend.QueryDataRequest{PluginContext: pluginContext(1, ""), Queries: queries})
	require.NoError(t, err)
	require.EqualValues(t, queriesAtOnce, peak.Load())
	for id, r := range resp.Responses {
		require.NoError(t, r.Error, id)
	}
}

func TestAlertsNeedNumbers(t *testing.T) {
	f, i := newDefault(t)
	for _, header := range []string{"FromAlert", "http_FromAlert", "fromalert"} {
		req := &backend.QueryDataRequest{
			PluginContext: pluginContext(1, ""), Headers: map[string]string{header: "true"},
			Queries: []backend.DataQuery{dataQuery("A", logQuery), dataQuery("B", `{"expr":"count_over_time({app=\"api\"}[5m])"}`)},
		}
		resp, err := i.QueryData(t.Context(), req)
		require.NoError(t, err)
		require.EqualError(t, resp.Responses["A"].Error, `An alert rule needs numbers, and this query returns log lines. Count them, for example: sum(count_over_time({app="api"} [5m])).`)
		require.Equal(t, backend.StatusBadRequest, resp.Responses["A"].Status)
		require.NoError(t, resp.Responses["B"].Error)
	}
	require.Len(t, f.asked, 3, "log queries of alerts are not run")

	req := &backend.QueryDataRequest{PluginContext: pluginContext(1, ""), Headers: map[string]string{"FromAlert": "false"}, Queries: []backend.DataQuery{dataQuery("A", logQuery)}}
	resp, err := i.QueryData(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, resp.Responses["A"].Error)
}

func TestQueryWaitsForTheStore(t *testing.T) {
	f := func(openAfter time.Duration, wantWait time.Duration, wantErr string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			process := newProcess()
			process.ready = make(chan struct{})
			process.status = StatusInfo{State: StateReplaying, Progress: 0.4}
			i := newInstance(t, newPlugin(t, process, nil), "")
			timer := time.AfterFunc(openAfter, func() { close(process.ready) })
			defer timer.Stop()
			began := time.Now()
			got := askOne(t, i, logQuery)
			require.Equal(t, wantWait, time.Since(began))
			if wantErr == "" {
				require.NoError(t, got.Error)
				return
			}
			require.EqualError(t, got.Error, wantErr)
			require.Equal(t, backend.Status(503), got.Status)
			require.Equal(t, backend.ErrorSourcePlugin, got.ErrorSource)
		})
	}
	f(3*time.Second, 3*time.Second, "")
	f(6*time.Second, 5*time.Second, "The store is replaying: 40%. Try again in a moment.")
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		process := newProcess()
		process.ready = make(chan struct{})
		i := newInstance(t, newPlugin(t, process, nil), "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		resp, err := i.QueryData(ctx, &backend.QueryDataRequest{PluginContext: pluginContext(1, ""), Queries: []backend.DataQuery{dataQuery("A", logQuery)}})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, backend.StatusTimeout, resp.Responses["A"].Status)
	})
}

// TestRunningQueriesAreBounded fills every place and expects the next request to wait until Grafana gives it up.
func TestRunningQueriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, i := newDefault(t)
		places := int64(0)
		for i.p.running.TryAcquire(1) {
			places++
		}
		require.GreaterOrEqual(t, places, int64(runningMin))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		resp, err := i.QueryData(ctx, &backend.QueryDataRequest{PluginContext: pluginContext(1, ""), Queries: []backend.DataQuery{dataQuery("A", logQuery)}})
		require.NoError(t, err)
		require.Error(t, resp.Responses["A"].Error)
		i.p.running.Release(places)
		require.NoError(t, askOne(t, i, logQuery).Error)
	})
}

func TestQueryTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newProcess()
		f.exec = func(ctx context.Context, _ engine.Params) (*engine.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		i := newInstance(t, newPlugin(t, f, func(c *config.Config) { c.Limits.QueryTimeout = limits.Duration(7 * time.Second) }), "")
		began := time.Now()
		require.Equal(t, backend.StatusTimeout, askOne(t, i, logQuery).Status)
		require.Equal(t, 7*time.Second, time.Since(began))

		i = newInstance(t, newPlugin(t, f, func(c *config.Config) { c.Limits.QueryTimeout = 0 }), "")
		began = time.Now()
		require.Equal(t, backend.StatusTimeout, askOne(t, i, logQuery).Status)
		require.Equal(t, queryTimeoutMax, time.Since(began))
	})
}

func TestNewNeedsEveryPart(t *testing.T) {
	_, err := New(Deps{})
	require.ErrorContains(t, err, "are required")
	cfg := config.Default()
	cfg.Limits.MaxLabelNameLength = -1
	f := newProcess()
	_, err = New(Deps{Executor: f, Querier: f, Store: f, Config: &cfg, Log: newDefaultLog()})
	require.ErrorContains(t, err, "max_label_name_length")
}

// TestTenants says who may read what.
func TestTenants(t *testing.T) {
	f := newProcess()
	orgs := func(auth bool) *Plugin {
		return newPlugin(t, f, func(c *config.Config) {
			c.AuthEnabled = auth
			c.OrgTenants = config.OrgTenants{2: {"a", "b"}, 3: {}}
		})
	}
	read := func(p *Plugin, pc backend.PluginContext, jsonData string) backend.DataResponse {
		t.Helper()
		resp, err := newInstance(t, p, jsonData).QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: pc, Queries: []backend.DataQuery{dataQuery("A", logQuery)}})
		require.NoError(t, err)
		return resp.Responses["A"]
	}
	may := func(p *Plugin, pc backend.PluginContext, jsonData string, want model.TenantID) {
		t.Helper()
		require.NoError(t, read(p, pc, jsonData).Error)
		require.Equal(t, want, f.asked[len(f.asked)-1].Tenant)
	}
	mayNot := func(p *Plugin, pc backend.PluginContext, jsonData, want string) {
		t.Helper()
		before := len(f.asked)
		got := read(p, pc, jsonData)
		require.EqualError(t, got.Error, want)
		require.Equal(t, backend.StatusForbidden, got.Status)
		require.Len(t, f.asked, before)
	}
	open, closed := orgs(false), orgs(true)
	may(open, pluginContext(1, ""), "", "fake")
	may(open, pluginContext(1, "Admin"), `{"tenant":"fake"}`, "fake")
	may(open, pluginContext(2, ""), "", "a")
	may(open, pluginContext(2, ""), `{"tenant":"b"}`, "b")
	may(closed, pluginContext(2, ""), `{"tenant":" b "}`, "b")
	may(open, backend.PluginContext{Namespace: "default"}, "", "fake")
	may(open, backend.PluginContext{Namespace: "org-2"}, "", "a")
	mayNot(open, pluginContext(1, "Admin"), `{"tenant":"a"}`,
		`Tenant "a" is not open to organisation 1, which may read fake. Choose one of these in the data source, or add it to woodshed_org_tenants.`)
	mayNot(open, pluginContext(2, "Admin"), `{"tenant":"fake"}`,
		`Tenant "fake" is not open to organisation 2, which may read a, b. Choose one of these in the data source, or add it to woodshed_org_tenants.`)
	mayNot(open, pluginContext(3, "Admin"), "", noTenantText(3))
	mayNot(closed, pluginContext(1, "Admin"), `{"tenant":"a"}`, noTenantText(1))
	mayNot(closed, backend.PluginContext{Namespace: "stacks-1"}, "", noTenantText(0))
}
