package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
)

// The content types of push bodies.
const (
	ContentProtobuf = "application/x-protobuf"
	ContentJSON     = "application/json"
)

// Stream makes a stream whose lines are a nanosecond apart, the first one at the given time.
func Stream(ls labels.Labels, at time.Time, lines ...string) push.Stream {
	s := push.Stream{Labels: ls.String()}
	for n, line := range lines {
		s.Entries = append(s.Entries, push.Entry{Timestamp: at.Add(time.Duration(n)), Line: line})
	}
	return s
}

// Lines makes n distinct lines that begin with the prefix.
func Lines(prefix string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%s %06d level=info msg=\"request served\" status=200 duration=%dms", prefix, i, i%977)
	}
	return lines
}

// ProtobufBody is the body that Promtail and Alloy send.
func ProtobufBody(tb testing.TB, streams ...push.Stream) []byte {
	tb.Helper()
	raw, err := (&push.PushRequest{Streams: streams}).Marshal()
	if err != nil {
		tb.Fatalf("encode push: %v", err)
	}
	return snappy.Encode(nil, raw)
}

// JSONBody is the body that Fluent Bit, Vector and curl send. The labels of each stream are those of ls in its place.
func JSONBody(tb testing.TB, ls []labels.Labels, streams ...push.Stream) []byte {
	tb.Helper()
	type stream struct {
		Stream map[string]string `json:"stream"`
		Values [][]any           `json:"values"`
	}
	var body struct {
		Streams []stream `json:"streams"`
	}
	for n, s := range streams {
		out := stream{Stream: ls[n].Map()}
		for _, e := range s.Entries {
			value := []any{strconv.FormatInt(e.Timestamp.UnixNano(), 10), e.Line}
			if len(e.StructuredMetadata) > 0 {
				metadata := map[string]string{}
				for _, m := range e.StructuredMetadata {
					metadata[m.Name] = m.Value
				}
				value = append(value, metadata)
			}
			out.Values = append(out.Values, value)
		}
		body.Streams = append(body.Streams, out)
	}
	b, err := json.Marshal(body)
	if err != nil {
		tb.Fatalf("encode push: %v", err)
	}
	return b
}

// Push posts a body to the listener at url and returns the answer. An empty tenant sends no header.
func Push(ctx context.Context, url, tenant, contentType string, body []byte) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/loki/api/v1/push", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", contentType)
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, string(answer), err
}

// MustPush pushes streams as protobuf and fails the test unless the answer is 204.
func MustPush(tb testing.TB, url, tenant string, streams ...push.Stream) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	status, text, err := Push(ctx, url, tenant, ContentProtobuf, ProtobufBody(tb, streams...))
	if err != nil || status != http.StatusNoContent {
		tb.Fatalf("push: status %d, %q, error %v", status, text, err)
	}
}
