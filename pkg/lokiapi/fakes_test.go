package lokiapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pushed is one push as the pusher saw it, copied.
type pushed struct {
	tenant model.TenantID
	labels []string
	lines  []string
}

// store is every dependency of the API at once. Its answers are its fields; it remembers what it was asked.
type store struct {
	mu sync.Mutex // guards what was asked

	push    func(ctx context.Context) error
	pushes  []pushed
	exec    func(ctx context.Context, p engine.Params) (*engine.Result, error)
	params  []engine.Params
	list    []string
	sets    []labels.Labels
	stats   storage.Stats
	listErr error
	wait    func(ctx context.Context) error
	scopes  []storage.Scope
	tenants []model.TenantID
	names   []string
	report  Report
	flushed int
	flush   error
	yaml    string
	maxima  int
}

func (s *store) Push(ctx context.Context, tenant model.TenantID, req *wire.Request) error {
	p := pushed{tenant: tenant}
	for _, st := range req.Streams {
		text := strings.Clone(st.LabelsText)
		if req.LabelsParsed {
			text = st.Labels.String()
		}
		p.labels = append(p.labels, text)
		for _, e := range st.Entries {
			p.lines = append(p.lines, strings.Clone(e.Line))
		}
	}
	s.mu.Lock()
	s.pushes = append(s.pushes, p)
	s.mu.Unlock()
	if s.push != nil {
		return s.push(ctx)
	}
	return nil
}

func (s *store) Exec(ctx context.Context, p engine.Params) (*engine.Result, error) {
	s.mu.Lock()
	s.params = append(s.params, p)
	s.mu.Unlock()
	if s.exec != nil {
		return s.exec(ctx, p)
	}
	return &engine.Result{}, nil
}

// asked remembers a listing and returns its error.
func (s *store) asked(ctx context.Context, tenant model.TenantID, sc storage.Scope) error {
	s.mu.Lock()
	s.tenants = append(s.tenants, tenant)
	s.scopes = append(s.scopes, sc)
	s.mu.Unlock()
	if s.wait != nil {
		return s.wait(ctx)
	}
	return s.listErr
}

func (s *store) Select(context.Context, model.TenantID, storage.SelectRequest) (storage.Iterator, error) {
	return nil, io.ErrUnexpectedEOF // the API never selects: the engine does
}

func (s *store) Count(context.Context, model.TenantID, storage.CountRequest, func(*storage.Counts) error) (storage.ScanStats, error) {
	return storage.ScanStats{}, io.ErrUnexpectedEOF // nor does it count
}

func (s *store) LabelNames(ctx context.Context, t model.TenantID, sc storage.Scope) ([]string, error) {
	return s.list, s.asked(ctx, t, sc)
}

func (s *store) LabelValues(ctx context.Context, t model.TenantID, name string, sc storage.Scope) ([]string, error) {
	s.names = append(s.names, name)
	return s.list, s.asked(ctx, t, sc)
}

func (s *store) Series(ctx context.Context, t model.TenantID, sc storage.Scope) ([]labels.Labels, error) {
	return s.sets, s.asked(ctx, t, sc)
}

func (s *store) Stats(ctx context.Context, t model.TenantID, sc storage.Scope) (storage.Stats, error) {
	return s.stats, s.asked(ctx, t, sc)
}

func (s *store) Report(context.Context) Report { return s.report }

func (s *store) Flush(context.Context) error {
	s.flushed++
	return s.flush
}

func (s *store) YAML() ([]byte, error) { return []byte(s.yaml), nil }

func (s *store) QueryEntriesMax(model.TenantID) int { return s.maxima }

// site is an API under test behind a real server, with what it logged.
type site struct {
	*store
	api    *API
	server *httptest.Server
	reg    *prometheus.Registry
	log    *logText
}

type logText struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newSite starts a server; adjust may change configuration and dependencies first.
func newSite(t *testing.T, adjust ...func(*Config, *Deps)) *site {
	t.Helper()
	s := &site{store: &store{report: Report{Ready: true}, maxima: 5000, yaml: "listen: x\n"}, reg: prometheus.NewPedanticRegistry(), log: &logText{}}
	cfg := Config{Build: BuildInfo{Version: "1.2.3", Revision: "abc"}}
	deps := Deps{
		Pusher: s.store, Executor: s.store, Querier: s.store, Limits: s.store, Reporter: s.store, Flusher: s.store, ConfigDumper: s.store,
		Gatherer: s.reg, Registerer: s.reg, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, a := range adjust {
		a(&cfg, &deps)
	}
	var err error
	s.api, err = New(cfg, deps)
	require.NoError(t, err)
	s.server = httptest.NewUnstartedServer(nil)
	s.server.Config = NewServer(s.api, cfg.QueryTimeout, deps.Log)
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

// answered is a response, read to its end.
type answered struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value".
func (s *site) do(t *testing.T, method, path, body string, headers ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: s.server.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answered{resp.StatusCode, resp.Header, string(b)}
}

func (s *site) get(t *testing.T, path string, headers ...string) answered {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", headers...)
}

// form posts parameters as a form.
func (s *site) form(t *testing.T, path, form string, headers ...string) answered {
	t.Helper()
	return s.do(t, http.MethodPost, path, form, append(headers, "Content-Type: application/x-www-form-urlencoded")...)
}
