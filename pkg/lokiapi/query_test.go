package lokiapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	rangePath   = "/loki/api/v1/query_range"
	instantPath = "/loki/api/v1/query"
	logQuery    = `{app="api"} |= "x"`
	metricQuery = `sum(rate({app="api"}[1m]))`
)

func TestQueryRangeParams(t *testing.T) {
	s := newSite(t)
	f := func(form url.Values, want engine.Params) {
		t.Helper()
		for _, post := range []bool{false, true} {
			s.params = nil
			var got answered
			if post {
				got = s.form(t, rangePath, form.Encode(), "X-Scope-OrgID: team")
			} else {
				got = s.get(t, rangePath+"?"+form.Encode(), "X-Scope-OrgID: team")
			}
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, []engine.Params{want}, s.params)
		}
	}
	const start, end = 1700000000_000000000, 1700003600_000000000
	base := func(pairs ...string) url.Values {
		v := url.Values{"query": {logQuery}, "start": {"1700000000"}, "end": {"1700003600"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	want := engine.Params{Tenant: "team", Query: logQuery, Start: start, End: end, Step: 14 * time.Second, Limit: 100, Direction: storage.Backward}
	f(base(), want)
	f(base("shards", "1_of_2"), want)
	f(base("interval", "0"), want)
	f(base("explain", "false"), want)
	explain := want
	explain.Explain = true
	f(base("explain", "true"), explain)
	f(base("explain", "1"), explain)

	forward := want
	forward.Direction, forward.Limit = storage.Forward, 5000
	f(base("direction", "FORWARD", "limit", "5000"), forward)

	step := want
	step.Query, step.Step, step.Limit = metricQuery, time.Minute, 9999 // the limit of entries is none of samples
	f(base("query", metricQuery, "step", "60", "limit", "9999"), step)

	since := want
	since.Start, since.Step = end-10*60_000000000, 2*time.Second
	f(url.Values{"query": {logQuery}, "end": {"1700003600000000000"}, "since": {"10m"}}, since)
}

func TestQueryInstantParams(t *testing.T) {
	s := newSite(t, func(_ *Config, d *Deps) {})
	s.exec = func(context.Context, engine.Params) (*engine.Result, error) {
		return &engine.Result{Type: engine.ResultVector}, nil
	}
	f := func(query string, want engine.Params) {
		t.Helper()
		s.params = nil
		got := s.get(t, instantPath+"?"+query)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Equal(t, []engine.Params{want}, s.params)
	}
	want := engine.Params{Tenant: "fake", Query: metricQuery, Start: 1699996400_000000000, End: 1700000000_000000000, Instant: true, Limit: 100, Direction: storage.Backward}
	q := "query=" + url.QueryEscape(metricQuery)
	f(q+"&time=1700000000", want)
	f(q+"&time=1700000000000000000", want)
	want.Limit, want.Start = 9, 1699999990_000000000
	f(q+"&time=2023-11-14T22:13:20Z&limit=9&since=10s", want)

	before := now()
	s.params = nil
	s.get(t, instantPath+"?"+q)
	require.GreaterOrEqual(t, s.params[0].End, before, "time defaults to now")
	require.LessOrEqual(t, s.params[0].End, now())
}

func TestQueryRefuses(t *testing.T) {
	s := newSite(t)
	f := func(path, query, text string) {
		t.Helper()
		got := s.get(t, path+"?"+query)
		require.Equal(t, http.StatusBadRequest, got.status, got.body)
		require.Equal(t, text+"\n", got.body)
		require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Empty(t, s.params, "nothing may reach the engine")
	}
	q := func(text string) string { return "query=" + url.QueryEscape(text) }
	parseError := func(text string) string {
		_, err := syntax.Parse(text)
		require.Error(t, err)
		return err.Error()
	}
	for _, bad := range []string{"", "{", `{app="api"} |= timeout`, `{app=~".*"}`, "rate({a=\"b\"})", "\xff"} {
		f(rangePath, q(bad), parseError(bad))
		f(instantPath, q(bad), parseError(bad))
	}
	require.Contains(t, parseError(`{app="api"} |= timeout`), "parse error at line 1, col 16")
	f(instantPath, q(logQuery)+"&limit=5001", "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)")
	f(instantPath, q(logQuery)+"&since=soon", `could not parse 'since' parameter: not a valid duration string: "soon"`)
	f(rangePath, q(logQuery)+"&limit=5001", "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)")
	f(rangePath, q(logQuery)+"&limit=0", textLimitPositive)
	f(rangePath, q(logQuery)+"&direction=up", "invalid direction 'up'")
	f(rangePath, q(logQuery)+"&explain=much", `explain must be true or false, not "much"`)
	f(rangePath, q(logQuery)+"&start=2&end=1", textEndBeforeStart)
	f(rangePath, q(logQuery)+"&step=-5", textStepNotPositive)
	f(rangePath, q(logQuery)+"&start=0&end=1700000000&step=1", textStepTooSmall)
	f(rangePath, q(logQuery)+"&interval=-5", textIntervalSign)
	f(rangePath, q(logQuery)+"&start=soon", `could not parse 'start' parameter: "soon" is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time`)
	f(instantPath, q(metricQuery)+"&time=soon", `could not parse 'time' parameter: "soon" is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time`)

	long := strings.Repeat("a", queryTextBytesMax)
	got := s.form(t, rangePath, "query="+long)
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, parseError(long)+"\n", got.body)
	require.Contains(t, got.body, "input size too long")

	s.maxima = 0 // no limit
	require.Equal(t, http.StatusOK, s.get(t, rangePath+"?"+q(logQuery)+"&limit=100000").status)
}

func TestQueryErrors(t *testing.T) {
	s := newSite(t)
	f := func(err error, status int, text string) {
		t.Helper()
		s.exec = func(context.Context, engine.Params) (*engine.Result, error) { return nil, err }
		got := s.get(t, rangePath+"?query="+url.QueryEscape(logQuery))
		require.Equal(t, status, got.status, got.body)
		require.Equal(t, text+"\n", got.body)
	}
	f(fmt.Errorf("exec: %w", &syntax.ParseError{Line: 1, Col: 5, Msg: "syntax error: unexpected )"}), 400, "parse error at line 1, col 5: syntax error: unexpected )")
	f(&storage.Refusal{Class: storage.ErrLimit, Text: "maximum number of series (500) reached for a single query"}, 400, "maximum number of series (500) reached for a single query")
	f(fmt.Errorf("budget: %w", storage.ErrOverloaded), 429, "budget: overloaded")
	f(context.Canceled, 499, textCancelled)
	f(fmt.Errorf("select: %w", context.DeadlineExceeded), 504, textTimedOut)
	f(storage.ErrNotReady, 503, "not ready")
	f(storage.ErrClosed, 503, "store closed")
	f(fmt.Errorf("chunk 7: %w", storage.ErrCorrupt), 500, "chunk 7: corrupt data")
	f(errors.New("broken"), 500, "broken")
}

// What the edge refuses before a query gets its turn, the engine refuses in the same words.
func TestEngineRefusesTheSame(t *testing.T) {
	s := newSite(t)
	e, err := engine.New(engine.Config{Querier: s.store, Limits: func(model.TenantID) engine.Limits { return engine.Limits{Entries: 5000} }})
	require.NoError(t, err)
	f := func(p engine.Params) {
		t.Helper()
		p.Direction, p.Step = storage.Backward, time.Second
		_, err := e.Exec(t.Context(), p)
		require.Error(t, err)
		_, want := queryStatus(err)
		own := s.api.checkQuery(p)
		require.Error(t, own)
		status, text := queryStatus(own)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, want, text)
	}
	f(engine.Params{Query: "{", Limit: 1})
	f(engine.Params{Query: logQuery, Limit: 5001, Instant: true})
	f(engine.Params{Query: logQuery, Limit: 5001})
}

// A listing that outlives its time is cut off by its context.
func TestListingTimeout(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.QueryTimeout = time.Millisecond })
	s.wait = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, path := range []string{"/loki/api/v1/labels", "/loki/api/v1/series", "/loki/api/v1/index/stats"} {
		got := s.get(t, path)
		require.Equal(t, http.StatusGatewayTimeout, got.status)
		require.Equal(t, textTimedOut+"\n", got.body)
	}
}

// When all turns and waiting places are taken, the next query is told so at once; the others are answered in the end.
func TestQueryGate(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.QueriesRunningMax, c.QueriesWaitingMax = 1, 1 })
	entered, release := make(chan struct{}, 8), make(chan struct{})
	s.exec = func(context.Context, engine.Params) (*engine.Result, error) {
		entered <- struct{}{}
		<-release
		return &engine.Result{}, nil
	}
	ask := func() int { return s.get(t, rangePath+"?query="+url.QueryEscape(logQuery)).status }
	statuses := make(chan int, 2)
	go func() { statuses <- ask() }()
	<-entered
	go func() { statuses <- ask() }()
	require.Eventually(t, func() bool { return len(s.api.gate.entered) == 2 }, 5*time.Second, time.Millisecond)
	got := s.get(t, "/loki/api/v1/labels")
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, textTooMany+"\n", got.body)
	close(release)
	require.Equal(t, []int{200, 200}, []int{<-statuses, <-statuses})
	require.Equal(t, 200, ask())
	require.Empty(t, s.api.gate.running)
	require.Empty(t, s.api.gate.entered)
}

// A client that waits for its turn and goes away frees its place.
func TestGateGivesUpItsPlace(t *testing.T) {
	g := newGate(1, 1)
	require.NoError(t, g.enter(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, g.enter(ctx), context.Canceled)
	g.leave()
	require.NoError(t, g.enter(t.Context()))
	g.leave()
}

func TestListings(t *testing.T) {
	s := newSite(t)
	s.list = []string{"app", "env<&>", "z\xff"}
	f := func(path, query string, want storage.Scope) {
		t.Helper()
		s.scopes, s.tenants = nil, nil
		for _, got := range []answered{s.get(t, path+"?"+query, "X-Scope-OrgID: team"), s.form(t, path, query, "X-Scope-OrgID: team")} {
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, `{"status":"success","data":["app","env\u003c\u0026\u003e","z\ufffd"]}`+"\n", got.body)
			require.Equal(t, contentTypeJSON, got.header.Get("Content-Type"))
		}
		require.Equal(t, []model.TenantID{"team", "team"}, s.tenants)
		for _, sc := range s.scopes {
			require.Equal(t, want.Interval, sc.Interval)
			require.Equal(t, fmt.Sprint(want.Matchers), fmt.Sprint(sc.Matchers))
		}
	}
	const bounds = "start=1700000000&end=1700003600"
	iv := model.Interval{Start: 1700000000_000000000, End: 1700003600_000000001}
	ms, err := syntax.ParseSelector(`{env="prod", app=~".*"}`)
	require.NoError(t, err)
	selector := "&query=" + url.QueryEscape(`{env="prod", app=~".*"}`)
	for _, path := range []string{"/loki/api/v1/labels", "/loki/api/v1/label", "/loki/api/v1/label/app/values"} {
		f(path, bounds, storage.Scope{Interval: iv})
		f(path, bounds+"&query=%7B+%7D", storage.Scope{Interval: iv})
		f(path, bounds+selector, storage.Scope{Interval: iv, Matchers: ms})
	}

	s.names = nil
	s.get(t, "/loki/api/v1/label/service.name%2Fx/values")
	require.Equal(t, []string{"service.name/x"}, s.names)

	s.list = nil
	require.Equal(t, `{"status":"success"}`+"\n", s.get(t, "/loki/api/v1/labels").body)

	for _, path := range []string{"/loki/api/v1/labels", "/loki/api/v1/label/app/values", "/loki/api/v1/index/stats"} {
		got := s.get(t, path+"?query="+url.QueryEscape(logQuery))
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.Equal(t, "only label matchers are supported\n", got.body)
		got = s.get(t, path+"?start=2&end=1")
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.Equal(t, textEndBeforeStart+"\n", got.body)
		got = s.get(t, path+"?query=%7B")
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.Contains(t, got.body, "parse error at line 1")
	}
	s.listErr = storage.ErrNotReady
	require.Equal(t, http.StatusServiceUnavailable, s.get(t, "/loki/api/v1/labels").status)
	require.Equal(t, http.StatusServiceUnavailable, s.get(t, "/loki/api/v1/series").status)
	require.Equal(t, http.StatusServiceUnavailable, s.get(t, "/loki/api/v1/index/stats").status)
}

func TestSeries(t *testing.T) {
	s := newSite(t)
	f := func(query, body string, selectors ...string) {
		t.Helper()
		s.scopes = nil
		got := s.get(t, "/loki/api/v1/series?"+query)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Equal(t, body+"\n", got.body)
		var asked []string
		for _, sc := range s.scopes {
			asked = append(asked, fmt.Sprint(sc.Matchers))
		}
		require.Equal(t, selectors, asked)
	}
	f("", `{"status":"success","data":[]}`, "[]")
	s.sets = lsets(`{b="2"}`, `{a="1", c="<"}`)
	f("match[]=%7B%7D", `{"status":"success","data":[{"b":"2"},{"a":"1","c":"\u003c"}]}`, "[]")
	f("match=%7Ba=%221%22%7D", `{"status":"success","data":[{"b":"2"},{"a":"1","c":"\u003c"}]}`, `[a="1"]`)
	// Several selectors: the union, each set once, sorted.
	f("match[]=%7Ba=%221%22%7D&match=%7Bb=%222%22%7D&match[]=%7Ba=%221%22%7D",
		`{"status":"success","data":[{"a":"1","c":"\u003c"},{"b":"2"}]}`, `[a="1"]`, `[b="2"]`)

	bad := func(query, text string) {
		t.Helper()
		got := s.get(t, "/loki/api/v1/series?"+query)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Contains(t, got.body, text)
	}
	bad("match[]=%7B", "parse error at line 1")
	bad("match[]="+url.QueryEscape(logQuery), "only label matchers are supported")
	many := url.Values{}
	for i := range 101 {
		many.Add("match[]", fmt.Sprintf(`{a="%d"}`, i))
	}
	bad(many.Encode(), "too many match parameters: 101, at most 100")
}

func TestIndexStats(t *testing.T) {
	s := newSite(t)
	s.stats = storage.Stats{Streams: 1, Chunks: 2, Entries: 3, Bytes: 4}
	got := s.get(t, "/loki/api/v1/index/stats?query="+url.QueryEscape(`{a="b"}`))
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, `{"streams":1,"chunks":2,"bytes":4,"entries":3}`+"\n", got.body)
}

func TestFormatQuery(t *testing.T) {
	s := newSite(t)
	e, err := syntax.Parse(logQuery)
	require.NoError(t, err)
	for _, got := range []answered{
		s.get(t, "/loki/api/v1/format_query?query="+url.QueryEscape(logQuery)),
		s.form(t, "/loki/api/v1/format_query", "query="+url.QueryEscape(logQuery)),
	} {
		require.Equal(t, http.StatusOK, got.status)
		var reply map[string]string
		require.NoError(t, json.Unmarshal([]byte(got.body), &reply))
		require.Equal(t, map[string]string{"status": "success", "data": e.String()}, reply)
	}
	got := s.get(t, "/loki/api/v1/format_query?query=%7B")
	require.Equal(t, http.StatusBadRequest, got.status)
	var reply map[string]string
	require.NoError(t, json.Unmarshal([]byte(got.body), &reply))
	require.Equal(t, "invalid-query", reply["status"])
	require.Contains(t, reply["error"], "parse error at line 1")
}
