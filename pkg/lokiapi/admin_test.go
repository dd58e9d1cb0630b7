package lokiapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestReady(t *testing.T) {
	s := newSite(t)
	f := func(rp Report, path string, status int, body string) {
		t.Helper()
		s.report = rp
		got := s.get(t, path)
		require.Equal(t, status, got.status)
		require.Equal(t, body, got.body)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	}
	f(Report{Ready: true}, "/ready", 200, "ready\n")
	f(Report{Detail: "another process (pid 4711) owns the data directory."}, "/ready", 503,
		"not ready: not ready: another process (pid 4711) owns the data directory.\n")
	f(Report{State: "replaying", Replay: Progress{Done: 250e6, Total: 1e9}}, "/ready", 503,
		"not ready: replaying, 250 MB of 1.0 GB of the log replayed (25 %)\n")
	full := Report{
		Ready: true, State: "ready", DataDir: "/var/lib/x",
		Refusals: []Refusals{
			{Tenant: "fake", Entries: 1204, Reason: "timestamp 8 h in the future (clock or time zone of the agent?)"},
			{Tenant: "team", Entries: 1, Reason: "line\ntoo long"},
		},
		Warnings: []string{"wal.sync is off"}, Errors: []string{"flush failed"},
	}
	f(full, "/ready", 200, "ready\n")
	f(full, "/ready?verbose", 200, `ready
state: ready
data: /var/lib/x
refused: 1,204 entries in the last 15 minutes: timestamp 8 h in the future (clock or time zone of the agent?)
refused: 1 entry in the last 15 minutes: line too long (tenant team)
warning: wal.sync is off
error: flush failed
`)
}

func TestStatusPage(t *testing.T) {
	s := newSite(t)
	s.report = Report{
		Ready: true, State: "ready", Started: time.Now().Add(-75 * time.Hour), Listen: "127.0.0.1:3110", DataDir: "/data/<x>",
		Streams: 12, Entries: 4_100_000, RawBytes: 1_520_000_000, DiskBytes: 380_000_000, Oldest: now().Add(-6 * 24 * time.Hour),
		EntriesPerSecond: 1234.56, BytesPerSecond: 2.5e6, Retention: "for ever", LastFlush: time.Now().Add(-200 * time.Second),
		Warnings: []string{`<script>alert("x")</script>`},
	}
	got := s.get(t, "/")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
	for _, want := range []string{
		"Woodshed 1.2.3: ready\n", "3d 3h", "1,234.5 lines/s, 2.5 MB/s", "12", "4,100,000", "380 MB for 1.5 GB of lines (4.0 : 1)",
		"6d ago (", "3m 20s ago (", "for ever", `<script>alert("x")</script>`, "/ready?verbose",
	} {
		require.Contains(t, got.body, want)
	}
	got = s.get(t, "/", "Accept: text/html,application/xhtml+xml")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotContains(t, got.body, "<script")
	require.Contains(t, got.body, "/data/&lt;x&gt;")
	require.Contains(t, got.body, `<a href="/metrics">`)

	s.report = Report{State: "opening"}
	require.Contains(t, s.get(t, "/").body, "Woodshed 1.2.3: opening\n")
}

func TestSpell(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		require.Equal(t, want, spell(d))
	}
	f(-time.Second, "0s")
	f(0, "0s")
	f(1400*time.Millisecond, "1s")
	f(200*time.Second, "3m 20s")
	f(time.Hour, "1h")
	f(time.Hour+30*time.Second, "1h")
	f(75*time.Hour, "3d 3h")
}

func TestAdminRoutes(t *testing.T) {
	s := newSite(t)
	got := s.get(t, "/config")
	require.Equal(t, 200, got.status)
	require.Equal(t, "listen: x\n", got.body)

	got = s.do(t, http.MethodPost, "/flush", "")
	require.Equal(t, 204, got.status)
	require.Equal(t, 1, s.flushed)
	s.flush = errors.New("no space left on device")
	got = s.do(t, http.MethodPost, "/flush", "")
	require.Equal(t, 500, got.status)
	require.Equal(t, "no space left on device\n", got.body)

	var info map[string]string
	require.NoError(t, json.Unmarshal([]byte(s.get(t, "/loki/api/v1/status/buildinfo").body), &info))
	require.Equal(t, map[string]string{
		"version": "1.2.3", "revision": "abc", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}, info)

	bare := newSite(t, func(_ *Config, d *Deps) { d.Gatherer, d.ConfigDumper, d.Flusher = nil, nil, nil })
	for _, path := range []string{"/metrics", "/config"} {
		require.Equal(t, 404, bare.get(t, path).status, path)
	}
	require.Equal(t, 404, bare.do(t, http.MethodPost, "/flush", "").status)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/nothing", "/loki/api/v1/nothing", "/loki/api/v1/label/a", "/ready/x", "/api/prom/query"} {
		got := s.get(t, path)
		require.Equal(t, 404, got.status, path)
		require.Contains(t, got.body, "there is nothing at \""+path+"\"")
	}
	f := func(method, path, allow string) {
		t.Helper()
		got := s.do(t, method, path, "")
		require.Equal(t, 405, got.status, path)
		require.Equal(t, allow, got.header.Get("Allow"))
		if method != http.MethodHead {
			require.Contains(t, got.body, method+" is not allowed on "+path)
		}
	}
	f("GET", pushPath, "POST")
	f("GET", "/flush", "POST")
	f("DELETE", rangePath, "GET, HEAD, POST")
	f("POST", "/ready", "GET, HEAD")
	f("PUT", "/loki/api/v1/labels", "GET, HEAD, POST")
	f("OPTIONS", rangePath, "GET, HEAD, POST")
	require.Zero(t, s.flushed)
	require.Equal(t, 200, s.do(t, "HEAD", "/ready", "").status)
	require.Equal(t, 200, s.do(t, "HEAD", rangePath+"?query="+url.QueryEscape(logQuery), "").status)
}

func TestBrowsersOfOtherSites(t *testing.T) {
	s := newSite(t)
	host := strings.TrimPrefix(s.server.URL, "http://")
	push := func(status int, headers ...string) {
		t.Helper()
		got := s.do(t, http.MethodPost, pushPath, jsonPush, append(headers, jsonType)...)
		require.Equal(t, status, got.status, got.body)
		require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
	}
	push(204)
	push(204, "Origin: http://"+host)
	push(204, "Host: logs.example.com") // an agent behind a proxy that keeps the name
	push(403, "Origin: https://evil.example")
	push(403, "Origin: null")
	push(403, "Origin: http://127.0.0.1:1") // another port is another site
	push(403, "Origin: http://evil.example", "Host: evil.example")
	require.Equal(t, 403, s.do(t, http.MethodPost, "/flush", "", "Origin: https://evil.example").status)
	require.Zero(t, s.flushed)

	read := func(status int, host string) {
		t.Helper()
		got := s.get(t, "/loki/api/v1/labels", "Host: "+host)
		require.Equal(t, status, got.status, got.body)
		if status == 403 {
			require.Contains(t, got.body, "is not a name of this machine")
		}
	}
	read(200, host)
	read(200, "localhost:3110")
	read(200, "[::1]:3110")
	read(200, "woodshed:3110")
	read(200, "app.localhost")
	read(200, "host.docker.internal:3110")
	read(403, "evil.example:3110")
	read(403, "127.0.0.1.evil.example")
	named := newSite(t, func(c *Config, _ *Deps) { c.AllowedHosts = []string{"Logs.Example.com"} })
	require.Equal(t, 200, named.get(t, "/loki/api/v1/labels", "Host: logs.example.com:443").status)
}

func TestPanicIsA500(t *testing.T) {
	s := newSite(t)
	s.exec = func(context.Context, engine.Params) (*engine.Result, error) { panic("a bug of ours") }
	got := s.get(t, rangePath+"?query="+url.QueryEscape(logQuery))
	require.Equal(t, 500, got.status)
	require.Contains(t, got.body, "internal error")
	require.NotContains(t, got.body, "a bug of ours", "inner words stay in the log")
	require.Contains(t, s.log.String(), "a bug of ours")
	require.Contains(t, s.log.String(), "fakes_test.go", "the stack is in the log")
	require.NotContains(t, s.log.String(), `app=`, "the query is not")
	require.InDelta(t, 1, testutil.ToFloat64(s.api.metrics.panics), 0)
	require.Equal(t, 200, s.get(t, "/ready").status, "nothing else is disturbed")
	require.Empty(t, s.api.gate.running, "the turn was given back")

	s.push = func(context.Context) error { panic("again") }
	require.Equal(t, 500, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status)
}

// A panic, or an error, after the first piece was sent breaks the connection: the client must not take the rest for all.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	s := newSite(t)
	s.api.mux.Handle("/half", s.api.serve(route{pattern: "/half", methods: gets, status: queryStatus, handler: func(w http.ResponseWriter, r *http.Request) error {
		return respond(w, r, func(an *answer) {
			an.str(strings.Repeat("x", 10*responsePieceBytes))
			panic("half way")
		})
	}}))
	resp, err := s.server.Client().Get(s.server.URL + "/half")
	if err == nil {
		_, err = resp.Body.Read(make([]byte, 1))
		for err == nil {
			_, err = resp.Body.Read(make([]byte, 1<<16))
		}
		_ = resp.Body.Close()
		require.NotEqual(t, "EOF", err.Error())
	}
	require.Error(t, err)
	require.Contains(t, s.log.String(), "half way")
}

func TestMetrics(t *testing.T) {
	s := newSite(t)
	s.get(t, "/ready")
	for _, path := range []string{"/x", "/y", "/z"} {
		s.get(t, path)
	}
	s.do(t, http.MethodPost, pushPath, jsonPush, jsonType)
	s.do(t, http.MethodPost, pushPath, "{", jsonType)
	got := s.get(t, "/metrics")
	require.Equal(t, 200, got.status)
	for _, want := range []string{
		`woodshed_request_duration_seconds_count{route="/ready",status_code="200"} 1`,
		`woodshed_request_duration_seconds_count{route="other",status_code="404"} 3`,
		`woodshed_request_duration_seconds_count{route="/loki/api/v1/push",status_code="204"} 1`,
		`woodshed_request_duration_seconds_count{route="/loki/api/v1/push",status_code="400"} 1`,
		"woodshed_push_body_bytes_total 137",
		"woodshed_request_panics_total 0",
	} {
		require.Contains(t, got.body, want)
	}
	problems, err := testutil.GatherAndLint(s.reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// Pushes and queries that succeed, or fail by the client's fault, leave no line in the log.
func TestQuietLog(t *testing.T) {
	s := newSite(t)
	s.do(t, http.MethodPost, pushPath, jsonPush, jsonType)
	s.do(t, http.MethodPost, pushPath, "{", jsonType)
	s.get(t, rangePath+"?query=%7B")
	s.get(t, rangePath+"?query="+url.QueryEscape(logQuery))
	require.Empty(t, s.log.String())
}

func TestNewRefuses(t *testing.T) {
	st := &store{}
	good := Deps{Pusher: st, Executor: st, Querier: st, Reporter: st}
	_, err := New(Config{}, good)
	require.NoError(t, err)
	_, err = New(Config{}, Deps{})
	require.ErrorContains(t, err, "required")
	for _, c := range []Config{{BodyBytesMax: -1}, {DecompressedBytesMax: -1}, {QueryTimeout: -1}, {QueriesRunningMax: -1}, {QueriesWaitingMax: -1}} {
		_, err = New(c, good)
		require.ErrorContains(t, err, "negative")
	}
}

func TestServerBounds(t *testing.T) {
	srv := NewServer(http.NotFoundHandler(), 0, nil)
	require.Equal(t, readHeaderTimeout, srv.ReadHeaderTimeout)
	require.Equal(t, readTimeout, srv.ReadTimeout)
	require.Equal(t, idleTimeout, srv.IdleTimeout)
	require.Greater(t, srv.WriteTimeout, queryTimeoutDefault)
	require.Equal(t, headerBytesMax, srv.MaxHeaderBytes)
	require.NotNil(t, srv.ErrorLog)
}

// Every route has a row in docs/http-api.md, with its methods.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/http-api.md")
	require.NoError(t, err)
	for _, rt := range newSite(t).api.table() {
		path := strings.TrimSuffix(rt.pattern, "{$}")
		if rt.methods == nil {
			continue // what is not there
		}
		methods := strings.Join(slices.DeleteFunc(slices.Clone(rt.methods), func(m string) bool { return m == http.MethodHead }), ", ")
		require.Contains(t, string(doc), "| "+methods+" `"+path+"` |")
	}
}

// A query as long as it may be, percent-encoded in the URL, fits the header.
func TestLongestQueryInURL(t *testing.T) {
	s := newSite(t)
	query := `{a="` + strings.Repeat("%", queryTextBytesMax-1-len(`{a=""}`)) + `"}`
	got := s.get(t, rangePath+"?query="+url.QueryEscape(query))
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, model.DefaultTenant, s.params[0].Tenant)
}
