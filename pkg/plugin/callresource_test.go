package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// call asks one resource as Grafana does: the path apart, and a URL that repeats it with the parameters.
func call(t *testing.T, i *Instance, method, target string) (status int, body string) {
	t.Helper()
	path, _, _ := strings.Cut(target, "?")
	var got *backend.CallResourceResponse
	err := i.CallResource(t.Context(), &backend.CallResourceRequest{
		PluginContext: pluginContext(1, "Viewer"), Method: method, Path: path, URL: target,
	}, backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
		require.Nil(t, got, "one answer")
		got = r
		return nil
	}))
	require.NoError(t, err)
	require.Equal(t, []string{"application/json; charset=utf-8"}, got.Headers["Content-Type"])
	require.True(t, json.Valid(got.Body), "%s", got.Body)
	return got.Status, string(got.Body)
}

const lastHour = "start=1772362800000000000&end=1772366400000000000" // the hour that ends at t0

func TestResources(t *testing.T) {
	f, i := newDefault(t)
	f.names, f.values = []string{"app", "stream"}, []string{"stderr", "stdout"}
	f.sets = []labels.Labels{labels.FromStrings("app", "api"), labels.FromStrings("app", "web")}
	f.stats = storage.Stats{Streams: 1, Chunks: 2, Entries: 3, Bytes: 4}
	ok := func(target, want string) {
		t.Helper()
		status, body := call(t, i, "GET", target)
		require.Equal(t, 200, status, body)
		require.JSONEq(t, want, body)
	}
	selector := url.QueryEscape(`{app="api",stream=~"std.*"}`)
	ok("labels?"+lastHour, `{"status":"success","data":["app","stream"]}`)
	ok("labels?query="+selector, `{"status":"success","data":["app","stream"]}`)
	ok("/labels", `{"status":"success","data":["app","stream"]}`)
	ok("label/stream/values?"+lastHour, `{"status":"success","data":["of stream","stderr","stdout"]}`)
	ok("label/a%20b/values", `{"status":"success","data":["of a b","stderr","stdout"]}`)
	ok("series?"+lastHour, `{"status":"success","data":[{"app":"api"},{"app":"web"}]}`)
	ok("series?match[]=%7B%7D&match[]="+selector, `{"status":"success","data":[{"app":"api"},{"app":"web"}]}`)
	ok("index/stats?query="+selector, `{"streams":1,"chunks":2,"entries":3,"bytes":4}`)

	f.names, f.sets = nil, nil
	ok("labels", `{"status":"success","data":[]}`)
	ok("series", `{"status":"success","data":[]}`)

	require.Equal(t, model.TenantID("fake"), f.who[0])
	require.Equal(t, model.Interval{Start: model.TimestampOf(t0.Add(-time.Hour)), End: model.TimestampOf(t0) + 1}, f.scopes[0].Interval, "the end is inclusive")
	require.Equal(t, f.scopes[0].Interval, f.scopes[1].Interval, "the default is the last hour")
	require.Empty(t, f.scopes[0].Matchers)
	require.Len(t, f.scopes[1].Matchers, 2)
	require.Equal(t, "stream", f.scopes[1].Matchers[1].Name)
}

func TestStatusResource(t *testing.T) {
	f, i := newDefault(t)
	f.ready = make(chan struct{}) // it answers at once, whatever the store does
	f.status = stored()
	f.status.State, f.status.Progress = StateReplaying, 0.5
	status, body := call(t, i, "GET", "status")
	require.Equal(t, 200, status)
	require.JSONEq(t, string(healthOf(t, i, pluginContext(1, "Viewer")).JSONDetails), body)
	require.NotContains(t, body, "dataDir")
}

// TestAllowList holds that nothing else is there.
func TestAllowList(t *testing.T) {
	f, i := newDefault(t)
	for _, target := range []string{
		"", "/", "label", "label/values", "label//values", "label/a", "label/a/b/values", "label/a/values/x", "labels/", "labels/x",
		"../labels", "x/../labels", "./labels", "//labels", "loki/api/v1/labels", "index", "index/volume", "series/", "STATUS", "status/",
		"check/", "count/", "last-seen/", "query", "query_range", "push", "flush", "config", "metrics", "debug/pprof", "delete",
	} {
		status, body := call(t, i, "GET", target)
		require.Equal(t, 404, status, "%q %s", target, body)
		require.JSONEq(t, `{"status":"error","message":"There is no such resource.","error":"There is no such resource."}`, body)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get"} {
		for _, target := range []string{"labels", "series", "status", "label/a/values", "index/stats", "check", "count", "last-seen"} {
			status, _ := call(t, i, method, target)
			require.Equal(t, 404, status, "%s %s", method, target)
		}
	}
	require.Empty(t, f.who, "nothing was read")
}

func TestResourceFaults(t *testing.T) {
	f, i := newDefault(t)
	fails := func(target string, want int, text string) {
		t.Helper()
		status, body := call(t, i, "GET", target)
		require.Equal(t, want, status, body)
		var e struct{ Status, Message, Error string }
		require.NoError(t, json.Unmarshal([]byte(body), &e))
		require.Contains(t, e.Message, text)
		require.Equal(t, e.Message, e.Error)
		require.Equal(t, "error", e.Status)
	}
	fails("labels?start=yesterday", 400, `"yesterday" is not a time`)
	fails("labels?end=1e3", 400, `"1e3" is not a time`)
	fails("labels?since=1x", 400, `since "1x" is not a duration`)
	fails("labels?start=20&end=10", 400, "ends before it begins")
	fails("labels?%zz", 400, "could not be read")
	fails("labels?query=%7Bapp%3D", 400, "parse error")
	fails("labels?query="+url.QueryEscape(`{app="a"} |= "x"`), 400, "only label matchers are supported")
	fails("labels?query="+strings.Repeat("x", queryBytesMax+1), 400, "at most 131072 are read")
	fails("series?"+strings.Repeat("match[]=%7B%7D&", selectorsMax+1), 400, "65 selectors are too many")
	fails("series?match[]=nonsense", 400, "parse error")
	fails("index/stats?query=rate(%7Ba%3D%22b%22%7D%5B1m%5D)", 400, "only label matchers are supported")

	f.err = storage.ErrClosed
	fails("labels", 503, "The store is shutting down.")
	fails("series", 503, "The store is shutting down.")
	f.err = fmt.Errorf("streams: %w", storage.ErrLimit)
	fails("label/a/values", 400, "streams: limit exceeded")
	f.err = errors.New("disk broke")
	fails("index/stats", 500, "disk broke")
}

func TestResourceOfAForeignTenant(t *testing.T) {
	f := newProcess()
	i := newInstance(t, newPlugin(t, f, nil), `{"tenant":"theirs"}`)
	status, body := call(t, i, "GET", "labels")
	require.Equal(t, 403, status)
	require.Contains(t, body, "is not open to organisation 1")
	closed := newInstance(t, newPlugin(t, f, func(c *config.Config) { c.AuthEnabled = true }), "")
	status, _ = call(t, closed, "GET", "series")
	require.Equal(t, 403, status)
	require.Empty(t, f.who)
}

func TestResourceWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, i := newDefault(t)
		f.ready = make(chan struct{})
		f.status = StatusInfo{State: StateStarting}
		began := time.Now()
		status, body := call(t, i, "GET", "labels")
		require.Equal(t, 503, status)
		require.Contains(t, body, "The store is starting.")
		require.Equal(t, readyWait, time.Since(began))
	})
}

type panicking struct{ storage.Querier }

func (panicking) LabelNames(context.Context, model.TenantID, storage.Scope) ([]string, error) {
	panic("boom")
}

func TestResourcePanicIsAnAnswer(t *testing.T) {
	_, i := newDefault(t)
	i.p.Querier = panicking{}
	status, body := call(t, i, "GET", "labels")
	require.Equal(t, 500, status)
	require.Contains(t, body, "its log has the details")
	places := 0
	for i.p.running.TryAcquire(1) {
		places++
	}
	require.GreaterOrEqual(t, places, runningMin, "the place was given back")
}

func TestListingsAreBounded(t *testing.T) {
	f, i := newDefault(t)
	for n := range listingMax + 5 {
		f.names = append(f.names, fmt.Sprint("n", n))
		f.sets = append(f.sets, labels.FromStrings("n", fmt.Sprint(n)))
	}
	f.values = []string{strings.Repeat("x", listingBytesMax)}
	read := func(target string) listingJSON[any] {
		t.Helper()
		status, body := call(t, i, "GET", target)
		require.Equal(t, 200, status)
		var l listingJSON[any]
		require.NoError(t, json.Unmarshal([]byte(body), &l))
		return l
	}
	l := read("labels")
	require.Len(t, l.Data, listingMax)
	require.Equal(t, []string{"Only the first 50,000 of 50,005 label names are listed."}, l.Warnings)
	l = read("series?match[]=%7B%7D&match[]=%7B%7D")
	require.Len(t, l.Data, listingMax)
	require.Equal(t, []string{"Only the first 50,000 series are listed."}, l.Warnings)
	l = read("label/big/values")
	require.Len(t, l.Data, 1)
	require.Equal(t, []string{"Only the first 1 of 2 values are listed."}, l.Warnings)
}

func TestParseTime(t *testing.T) {
	f := func(text string, want time.Time) {
		t.Helper()
		got, err := parseTime(text, 0)
		require.NoError(t, err)
		require.Equal(t, want.UTC(), got.Time())
	}
	f("1772366400", t0)
	f("1772366400000000000", t0)
	f("1772366400.5", t0.Add(500*time.Millisecond))
	f("2026-03-01T12:00:00Z", t0)
	f("2026-03-01T13:00:00.000000001+01:00", t0.Add(1))
	f("0", time.Unix(0, 0))
	f("-5", time.Unix(-5, 0))
	got, err := parseTime("9999999999", 0)
	require.NoError(t, err)
	require.Greater(t, got, model.TimestampOf(t0), "beyond the end of time is the end of time")
	got, err = parseTime("", 77)
	require.NoError(t, err)
	require.EqualValues(t, 77, got)
	for _, bad := range []string{"now", "1e9", "1.x", "99999999999.5", "NaN", "99999999999999999999", "1500-01-01T00:00:00Z", "2026-03-01"} {
		_, err := parseTime(bad, 0)
		require.Error(t, err, bad)
	}
}

// FuzzResource throws any path and parameters at the mux and expects an answer in JSON with a status that is meant.
func FuzzResource(f *testing.F) {
	for _, seed := range []string{"labels?start=1&end=2", "label/a%2Fb/values?query={a=\"b\"}", "series?match[]={}", "check?query={a", "count?query={a=\"b\"}", "last-seen?query={a=\"b\"}", "index/stats?since=1h&end=1.5", "..//x", "?%"} {
		f.Add("GET", seed)
	}
	_, i := newDefault(f)
	f.Fuzz(func(t *testing.T, method, target string) {
		path, _, _ := strings.Cut(target, "?")
		sent := 0
		err := i.CallResource(t.Context(), &backend.CallResourceRequest{PluginContext: pluginContext(1, ""), Method: method, Path: path, URL: target},
			backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
				sent++
				require.True(t, json.Valid(r.Body), "%q", r.Body)
				require.Contains(t, []int{200, 400, 404}, r.Status)
				return nil
			}))
		if err == nil { // an error is the adapter's: such a URL or method cannot be sent over HTTP
			require.Equal(t, 1, sent)
		}
	})
}
