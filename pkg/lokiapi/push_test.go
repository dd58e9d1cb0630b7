package lokiapi

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	pushPath  = "/loki/api/v1/push"
	jsonType  = "Content-Type: application/json"
	protoType = "Content-Type: application/x-protobuf"
	jsonPush  = `{"streams":[{"stream":{"app":"api","env":"prod"},"values":[["1700000000000000000","one"],["1700000000000000001","two",{"trace":"x"}]]}]}`
)

// protoBody is a push of one stream as Promtail sends it.
func protoBody(t testing.TB, labels string, lines ...string) string {
	t.Helper()
	var st push.Stream
	st.Labels = labels
	for i, l := range lines {
		st.Entries = append(st.Entries, push.Entry{Timestamp: time.Unix(1700000000, int64(i)), Line: l})
	}
	b, err := (&push.PushRequest{Streams: []push.Stream{st}}).Marshal()
	require.NoError(t, err)
	return string(snappy.Encode(nil, b))
}

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func deflated(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	require.NoError(t, err)
	_, err = z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestPushAccepts(t *testing.T) {
	s := newSite(t)
	f := func(path, body string, want pushed, headers ...string) {
		t.Helper()
		s.pushes = nil
		got := s.do(t, http.MethodPost, path, body, headers...)
		require.Equal(t, http.StatusNoContent, got.status, got.body)
		require.Empty(t, got.body)
		require.Equal(t, []pushed{want}, s.pushes)
	}
	fake := pushed{model.DefaultTenant, []string{`{app="api", env="prod"}`}, []string{"one", "two"}}
	f(pushPath, jsonPush, fake, jsonType)
	f(pushPath, jsonPush, fake, "Content-Type: application/json; charset=utf-8")
	f(pushPath, gzipped(t, jsonPush), fake, jsonType, "Content-Encoding: gzip")
	f(pushPath, deflated(t, jsonPush), fake, jsonType, "Content-Encoding: deflate")
	f("/api/prom/push", `{"streams":[{"labels":"{app=\"api\"}","entries":[{"ts":"2023-11-14T22:13:20Z","line":"old"}]}]}`,
		pushed{model.DefaultTenant, []string{`{app="api"}`}, []string{"old"}}, jsonType)

	fake.labels = []string{`{app="api"}`}
	body := protoBody(t, `{app="api"}`, "one", "two")
	f(pushPath, body, fake, protoType)
	f(pushPath, body, fake, protoType, "Content-Encoding: snappy")
	f(pushPath, gzipped(t, body), fake, protoType, "Content-Encoding: gzip")
	f("/api/prom/push", body, fake, protoType)
	fake.tenant = "team-a"
	f(pushPath, body, fake, protoType, "X-Scope-OrgID: team-a")
	f(pushPath, body, fake, protoType, "X-Scope-OrgID: team-a", "User-Agent: promtail/3.6.0")
}

func TestPushRefuses(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.BodyBytesMax, c.DecompressedBytesMax = 1000, 5000 })
	f := func(status int, text, body string, headers ...string) {
		t.Helper()
		got := s.do(t, http.MethodPost, pushPath, body, headers...)
		require.Equal(t, status, got.status, got.body)
		require.Contains(t, got.body, text)
		require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
		require.Empty(t, s.pushes, "nothing may reach the store")
	}
	good := protoBody(t, `{app="api"}`, "one")
	f(400, "mime: no media type", good)
	f(400, "mime: ", good, "Content-Type: ;;")
	f(400, "snappy: corrupt input", "not snappy", protoType)
	f(400, `Content-Encoding "zstd" not supported`, good, protoType, "Content-Encoding: zstd")
	f(400, "", "{", jsonType)
	f(400, "", `{"streams":[{"stream":{"a":"b"},"values":[[1,"x"]]}]}`, jsonType)
	f(400, "", "not gzip", jsonType, "Content-Encoding: gzip")
	f(400, "", string(snappy.Encode(nil, []byte{0x0a, 0xff, 0xff})), protoType)
	f(400, "", string(snappy.Encode(nil, []byte(strings.Repeat("\xff", 100)))), protoType)
	f(413, "request body too large: message size too large than max (1001 vs 1000)", strings.Repeat("x", 1001), protoType)
	f(413, "request body too large: decompressed message size too large than max (6000 vs 5000)",
		string(snappy.Encode(nil, make([]byte, 6000))), protoType)
	f(413, "request body too large: decompressed", gzipped(t, `{"streams":[`+strings.Repeat(" ", 100_000)), jsonType, "Content-Encoding: gzip")
	f(400, "invalid tenant ID", good, protoType, "X-Scope-OrgID: a/b")
	f(400, "invalid tenant ID", good, protoType, "X-Scope-OrgID: a|b")
	f(400, "invalid tenant ID", good, protoType, "X-Scope-OrgID: ..")
	f(400, "invalid tenant ID", good, protoType, "X-Scope-OrgID: "+strings.Repeat("a", 151))
}

// A body of unknown length is cut off at the limit too.
func TestPushChunkedBody(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.BodyBytesMax = 300_000 })
	send := func(n int) (int, string) {
		t.Helper()
		body := protoBody(t, `{app="api"}`, strings.Repeat("x", n))
		raw := snappyLiteral(body)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+pushPath, io.MultiReader(strings.NewReader(raw)))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-protobuf")
		require.Zero(t, req.ContentLength)
		resp, err := s.server.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	status, text := send(250_000)
	require.Equal(t, http.StatusNoContent, status, text)
	require.Len(t, s.pushes[0].lines[0], 250_000)
	status, text = send(310_000)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Contains(t, text, "request body too large")
}

// snappyLiteral rewrites a snappy body as literals, so that it is as long as what it holds.
func snappyLiteral(body string) string {
	plain, err := snappy.Decode(nil, []byte(body))
	if err != nil {
		panic(err)
	}
	out := appendUvarint(nil, uint64(len(plain)))
	for len(plain) > 0 {
		n := min(len(plain), 1<<16)
		out = append(out, 61<<2, byte(n-1), byte((n-1)>>8))
		out = append(out, plain[:n]...)
		plain = plain[n:]
	}
	return string(out)
}

func appendUvarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func TestPushErrors(t *testing.T) {
	s := newSite(t)
	f := func(err error, status int, text string) {
		t.Helper()
		s.push = func(context.Context) error { return err }
		got := s.do(t, http.MethodPost, pushPath, jsonPush, jsonType)
		require.Equal(t, status, got.status, got.body)
		require.Equal(t, text+"\n", got.body)
		retry := ""
		if status == 429 || status == 503 {
			retry = "1"
		}
		require.Equal(t, retry, got.header.Get("Retry-After"))
	}
	refuse := func(class error) error {
		return fmt.Errorf("push: %w", &storage.Refusal{Class: class, Text: "the reason"})
	}
	f(refuse(storage.ErrInvalid), 400, "the reason")
	f(refuse(storage.ErrTooLarge), 413, "the reason")
	f(refuse(storage.ErrUnprocessable), 422, "the reason")
	f(refuse(storage.ErrRateLimited), 429, "the reason")
	f(refuse(storage.ErrOverloaded), 503, "the reason")
	f(fmt.Errorf("append: %w", storage.ErrNotReady), 503, "append: not ready")
	f(storage.ErrClosed, 503, "store closed")
	f(storage.ErrLimit, 429, "limit exceeded")
	f(context.DeadlineExceeded, 504, textTimedOut)
	f(context.Canceled, 499, textCancelled)
	f(errors.New("disk on fire"), 500, "disk on fire")
	require.Contains(t, s.log.String(), "disk on fire")
	require.NotContains(t, s.log.String(), "the reason", "a client's fault is no line in the log")
}

func TestPushTenants(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.AuthEnabled = true })
	got := s.do(t, http.MethodPost, pushPath, jsonPush, jsonType)
	require.Equal(t, 401, got.status)
	require.Equal(t, "no org id\n", got.body)
	for _, path := range []string{
		"/loki/api/v1/query_range?query={a=%22b%22}", "/loki/api/v1/query?query=1", "/loki/api/v1/labels", "/loki/api/v1/series",
		"/loki/api/v1/index/stats", "/loki/api/v1/label/x/values",
	} {
		got = s.get(t, path)
		require.Equal(t, 401, got.status, path)
	}
	require.Empty(t, s.params)
	require.Empty(t, s.scopes)
	require.Equal(t, 204, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType, "X-Scope-OrgID: one").status)
	require.Equal(t, model.TenantID("one"), s.pushes[0].tenant)
}

// counted is a budget that knows how much was taken and given back.
type counted struct {
	*semaphore.Weighted
	max          int64
	taken, given atomic.Int64
}

func newCounted(n int64) *counted { return &counted{Weighted: semaphore.NewWeighted(n), max: n} }

func (c *counted) Max() int64 { return c.max }

func (c *counted) TryAcquire(n int64) bool {
	ok := c.Weighted.TryAcquire(n)
	if ok {
		c.taken.Add(n)
	}
	return ok
}

func (c *counted) Release(n int64) {
	c.given.Add(n)
	c.Weighted.Release(n)
}

func TestPushBudget(t *testing.T) {
	budget := newCounted(1 << 20)
	s := newSite(t, func(_ *Config, d *Deps) { d.Budget = budget })
	require.Equal(t, 204, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status)
	require.Equal(t, 204, s.do(t, http.MethodPost, pushPath, protoBody(t, `{a="b"}`, strings.Repeat("ab", 100_000)), protoType).status)
	require.Equal(t, 400, s.do(t, http.MethodPost, pushPath, "{", jsonType).status)

	// The body passes, what it unpacks to can never fit.
	got := s.do(t, http.MethodPost, pushPath, protoBody(t, `{a="b"}`, strings.Repeat("ab", 600_000)), protoType)
	require.Equal(t, 413, got.status)
	require.Contains(t, got.body, "request body too large: it takes ")
	// Not even the body can.
	require.Equal(t, 413, s.do(t, http.MethodPost, pushPath, strings.Repeat("x", 1<<20+1), protoType).status)
	// It would fit, but others are there.
	require.True(t, budget.TryAcquire(1<<20-1000))
	got = s.do(t, http.MethodPost, pushPath, jsonPush, jsonType)
	require.Equal(t, 503, got.status)
	require.Equal(t, textBusy+"\n", got.body)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	budget.Release(1<<20 - 1000)

	require.Positive(t, budget.taken.Load())
	require.Equal(t, budget.taken.Load(), budget.given.Load())
	require.True(t, budget.Weighted.TryAcquire(1<<20), "everything was given back")
}

// While one push is held up in the store, its memory stays reserved and others are told to come back.
func TestPushBudgetIsHeldUntilDone(t *testing.T) {
	large := newCounted(1 << 30)
	s := newSite(t, func(_ *Config, d *Deps) { d.Budget = large })
	require.Equal(t, 204, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status)
	one := large.taken.Load()
	require.GreaterOrEqual(t, one, int64(bodyReserveBytes))

	s = newSite(t, func(_ *Config, d *Deps) { d.Budget = newCounted(one + bodyReserveBytes/2) })
	entered, release := make(chan struct{}), make(chan struct{})
	s.push = func(context.Context) error {
		close(entered)
		<-release
		return nil
	}
	first := make(chan int, 1)
	go func() { first <- s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status }()
	select {
	case <-entered:
	case status := <-first:
		require.Failf(t, "the first push was not let in", "status %d", status)
	}
	require.Equal(t, 503, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status)
	close(release)
	require.Equal(t, 204, <-first)
	s.push = nil
	require.Equal(t, 204, s.do(t, http.MethodPost, pushPath, jsonPush, jsonType).status)
}

// A client that goes away in the middle of its body leaves nothing behind.
func TestPushClientGone(t *testing.T) {
	budget := newCounted(1 << 20)
	s := newSite(t, func(_ *Config, d *Deps) { d.Budget = budget })
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "POST "+pushPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"streams\"")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return budget.taken.Load() > 0 }, 5*time.Second, time.Millisecond)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return budget.taken.Load() == budget.given.Load() }, 5*time.Second, time.Millisecond)
	s.server.Close() // waits for the handler
	require.Empty(t, s.pushes)
}
