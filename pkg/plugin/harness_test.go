package plugin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is the rest of the process as the plugin sees it: every part can be replaced by a test.
type process struct {
	exec  func(ctx context.Context, p engine.Params) (*engine.Result, error)
	ready chan struct{}

	mu     sync.Mutex
	status StatusInfo
	asked  []engine.Params
	scopes []storage.Scope // of label and statistics requests
	who    []model.TenantID

	names, values []string
	sets          []labels.Labels
	stats         storage.Stats
	counts        []*storage.Counts
	last          model.Timestamp // 0: never
	err           error           // of the Querier
}

func (f *process) Exec(ctx context.Context, p engine.Params) (*engine.Result, error) {
	f.mu.Lock()
	f.asked = append(f.asked, p)
	f.mu.Unlock()
	return f.exec(ctx, p)
}

func (f *process) Status(context.Context) StatusInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *process) Ready() <-chan struct{} { return f.ready }

func (f *process) note(t model.TenantID, s storage.Scope) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.who, f.scopes = append(f.who, t), append(f.scopes, s)
	return f.err
}

func (f *process) Select(context.Context, model.TenantID, storage.SelectRequest) (storage.Iterator, error) {
	panic("the plugin reads entries through the engine only")
}

func (f *process) Count(_ context.Context, t model.TenantID, r storage.CountRequest, add func(*storage.Counts) error) (storage.ScanStats, error) {
	if err := f.note(t, storage.Scope{Matchers: r.Matchers, Interval: r.Interval()}); err != nil {
		return storage.ScanStats{}, err
	}
	for _, counts := range f.counts {
		if err := add(counts); err != nil {
			return storage.ScanStats{}, err
		}
	}
	return storage.ScanStats{}, nil
}

func (f *process) LastSeen(_ context.Context, t model.TenantID, ms []*labels.Matcher) (last model.Timestamp, ok bool, err error) {
	return f.last, f.last != 0, f.note(t, storage.Scope{Matchers: ms})
}

func (f *process) LabelNames(_ context.Context, t model.TenantID, s storage.Scope) ([]string, error) {
	return f.names, f.note(t, s)
}

func (f *process) LabelValues(_ context.Context, t model.TenantID, name string, s storage.Scope) ([]string, error) {
	return append([]string{"of " + name}, f.values...), f.note(t, s)
}

func (f *process) Series(_ context.Context, t model.TenantID, s storage.Scope) ([]labels.Labels, error) {
	return f.sets, f.note(t, s)
}

func (f *process) Stats(_ context.Context, t model.TenantID, s storage.Scope) (storage.Stats, error) {
	return f.stats, f.note(t, s)
}

// t0 is a time that all tests share.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newProcess() *process {
	f := &process{
		ready:  make(chan struct{}),
		status: StatusInfo{Version: "0.3", State: StateReady, Listen: "127.0.0.1:3110"},
		exec:   func(context.Context, engine.Params) (*engine.Result, error) { return &engine.Result{}, nil },
	}
	close(f.ready)
	return f
}

func newPlugin(t testing.TB, f *process, change func(*config.Config)) *Plugin {
	t.Helper()
	cfg := config.Default()
	if change != nil {
		change(&cfg)
	}
	p, err := New(Deps{Executor: f, Querier: f, Store: f, Config: &cfg, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	p.now = func() time.Time { return t0 }
	return p
}

func newInstance(t testing.TB, p *Plugin, jsonData string) *Instance {
	t.Helper()
	i, err := p.NewInstance(context.Background(), backend.DataSourceInstanceSettings{JSONData: json.RawMessage(jsonData)})
	require.NoError(t, err)
	return i.(*Instance)
}

// newDefault is one data source without settings over a ready store.
func newDefault(tb testing.TB) (*process, *Instance) {
	tb.Helper()
	f := newProcess()
	return f, newInstance(tb, newPlugin(tb, f, nil), "")
}

func pluginContext(org int64, role string) backend.PluginContext {
	pc := backend.PluginContext{OrgID: org} //nolint:staticcheck // what Grafana 12 fills
	if role != "" {
		pc.User = &backend.User{Login: "someone", Role: role}
	}
	return pc
}

// dataQuery is a query over the hour that ends at t0.
func dataQuery(refID, body string) backend.DataQuery {
	return backend.DataQuery{
		RefID: refID, JSON: json.RawMessage(body), MaxDataPoints: 1000, Interval: 15 * time.Second,
		TimeRange: backend.TimeRange{From: t0.Add(-time.Hour), To: t0},
	}
}

func ask(t *testing.T, i *Instance, queries ...backend.DataQuery) *backend.QueryDataResponse {
	t.Helper()
	resp, err := i.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: pluginContext(1, "Viewer"), Queries: queries})
	require.NoError(t, err)
	require.Len(t, resp.Responses, len(queries))
	return resp
}

func askOne(t *testing.T, i *Instance, body string) backend.DataResponse {
	t.Helper()
	return ask(t, i, dataQuery("A", body)).Responses["A"]
}
