package tests

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// TestBadInput sends what must be refused to the real binary: each gets its status and its words, and nothing else is
// disturbed.
func TestBadInput(t *testing.T) {
	server := testkit.StartServer(t)
	now := time.Now()
	app := labels.FromStrings("app", "good")
	testkit.MustPush(t, server.URL, "", testkit.Stream(app, now, "before"))

	do := func(method, path string, header map[string]string, body []byte) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, bytes.NewReader(body))
		require.NoError(t, err)
		for k, v := range header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	const protobuf, jsonType = "application/x-protobuf", "application/json"
	pushed := func(status int, text, contentType string, body []byte, more ...string) {
		t.Helper()
		header := map[string]string{"Content-Type": contentType}
		for i := 0; i+1 < len(more); i += 2 {
			header[more[i]] = more[i+1]
		}
		gotStatus, gotText := do(http.MethodPost, "/loki/api/v1/push", header, body)
		require.Equal(t, status, gotStatus, gotText)
		require.Contains(t, gotText, text)
	}
	asJSON := func(stream, ts, line string) []byte {
		return fmt.Appendf(nil, `{"streams":[{"stream":%s,"values":[[%q,%q]]}]}`, stream, ts, line)
	}
	ns := func(d time.Duration) string { return fmt.Sprint(now.Add(d).UnixNano()) }
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, err := w.Write(bytes.Repeat([]byte(" "), 80<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	claimsMuch := append([]byte{0xff, 0xff, 0xff, 0xff, 0x07}, 0)

	pushed(400, "snappy", protobuf, []byte("no snappy at all"))
	pushed(400, "", protobuf, snappy.Encode(nil, []byte("no protobuf \xff\xff")))
	pushed(413, "too large", protobuf, claimsMuch)
	pushed(413, "too large", jsonType, gz.Bytes(), "Content-Encoding", "gzip")
	pushed(400, `Content-Encoding "br" not supported`, jsonType, []byte("{}"), "Content-Encoding", "br")
	pushed(400, "mime: no media type", "", nil)
	pushed(422, "at least one valid stream is required", jsonType, []byte(`{"streams":[]}`))
	pushed(400, "", jsonType, []byte(`{"streams":[{"stream":{"a":"b"},"values":[[123,"x"]]}]}`))
	pushed(400, "error parsing labels", protobuf, testkit.ProtobufBody(t, badLabels(now)))
	pushed(400, "timestamp too old", jsonType, asJSON(`{"app":"old"}`, ns(-30*24*time.Hour), "x"))
	pushed(400, "timestamp too new", jsonType, asJSON(`{"app":"new"}`, ns(8*time.Hour), "x"))
	pushed(400, "max entry size", jsonType, asJSON(`{"app":"long"}`, ns(0), strings.Repeat("x", 300<<10)))
	pushed(400, "label value too long", jsonType, asJSON(`{"app":"`+strings.Repeat("v", 3000)+`"}`, ns(0), "x"))
	pushed(400, "", jsonType, asJSON(`{"app":"x"}`, ns(0), "x"), "X-Scope-OrgID", "a/b")

	asked := func(status int, text, path string, params ...string) {
		t.Helper()
		q := url.Values{}
		for i := 0; i+1 < len(params); i += 2 {
			q.Set(params[i], params[i+1])
		}
		gotStatus, gotText := do(http.MethodGet, path+"?"+q.Encode(), nil, nil)
		require.Equal(t, status, gotStatus, gotText)
		require.Contains(t, gotText, text)
	}
	const rangeQuery, instant = "/loki/api/v1/query_range", "/loki/api/v1/query"
	asked(400, "parse error at line 1, col 16: syntax error: unexpected IDENTIFIER, expecting STRING", rangeQuery, "query", `{app="api"} |= timeout`)
	asked(400, "queries require at least one regexp or equality matcher", rangeQuery, "query", `{app=~".*"}`)
	asked(400, "", rangeQuery, "query", strings.Repeat("(", 10_000))
	asked(400, "", rangeQuery, "query", `{app="a"}`, "start", "yesterday")
	asked(400, "end timestamp must not be before or equal to start time", rangeQuery, "query", `{app="a"}`, "start", "2000", "end", "1000")
	asked(400, "limit must be a positive value", rangeQuery, "query", `{app="a"}`, "limit", "0")
	asked(400, "max entries limit per query exceeded", rangeQuery, "query", `{app="a"}`, "limit", "50000")
	asked(400, "could not parse 'since' parameter", instant, "query", `{app="a"}`, "since", "soon")
	asked(400, "exceeded maximum resolution", rangeQuery, "query", `count_over_time({app="a"}[1m])`, "step", "0.001")
	asked(400, "", rangeQuery, "query", `{app="a"} | json a="b..c"`)
	asked(404, "", "/loki/api/v1/nothing")

	// What was refused is counted and told; what was right before and after is all there.
	testkit.MustPush(t, server.URL, "", testkit.Stream(app, now.Add(time.Second), "after"))
	values := queryRange(t, server.URL, url.Values{"query": {`{app=~".+"}`}, "direction": {"forward"}, "end": {fmt.Sprint(now.Add(time.Minute).UnixNano())}})
	require.Len(t, values, 2)
	_, ready := do(http.MethodGet, "/ready?verbose", nil, nil)
	require.Contains(t, ready, "clock or time zone of the agent")
	_, metrics := do(http.MethodGet, "/metrics", nil, nil)
	require.Contains(t, metrics, `woodshed_discarded_entries_total{reason="too_far_in_future",tenant="fake"} 1`)
	require.Contains(t, metrics, `woodshed_discarded_entries_total{reason="line_too_long",tenant="fake"} 1`)
}

func badLabels(now time.Time) push.Stream {
	return push.Stream{Labels: `{app="open`, Entries: []push.Entry{{Timestamp: now, Line: "x"}}}
}
