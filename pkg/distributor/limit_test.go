package distributor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	lokipush "github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestTenantRate(t *testing.T) {
	g := newGate(t, `
limits_config: {ingestion_rate_mb: 0.0001, ingestion_burst_size_mb: 0.0002}
overrides: {free: {ingestion_rate_mb: 0}}
`)
	ten := strings.Repeat("x", 10)
	require.NoError(t, g.push(stream(`{app="a"}`, entry(0, strings.Repeat("x", 150)))))
	g.refused(storage.ErrRateLimited,
		`ingestion rate limit exceeded for user t (limit: 104 bytes/sec) while attempting to ingest '2' lines totaling '84' bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased`,
		stream(`{app="a"}`, entry(0, ten, "ab", "cd")), stream(`{app="b"}`, entry(0, strings.Repeat("x", 70))))
	require.Len(t, g.store.pushes, 1, "all or nothing")
	require.Equal(t, 2.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues("rate_limited", "t")))

	// What is refused anyhow costs nothing.
	g.refused(storage.ErrInvalid, `error parsing labels '{' with error: 1:2: parse error: unexpected end of input inside braces`,
		stream(`{`, entry(0, strings.Repeat("x", 1000))), stream(`{app="a"}`, entry(0, ten)))

	*g.clock = now.Add(2 * time.Second)
	require.NoError(t, g.push(stream(`{app="a"}`, entry(0, strings.Repeat("x", 200)))))

	r := protobuf(t, stream(`{app="a"}`, entry(0, strings.Repeat("x", 100_000))))
	defer r.Release()
	require.NoError(t, g.Push(context.Background(), "free", r))
}

func TestStreamRate(t *testing.T) {
	g := newGate(t, `limits_config: {per_stream_rate_limit: 1KB, per_stream_rate_limit_burst: 2KB}`)
	kilo := strings.Repeat("x", 1024)
	var entries []lokipush.Entry
	for i := range 12 {
		entries = append(entries, entry(time.Duration(i)*time.Second, kilo))
	}
	err := g.push(stream(`{app="fast"}`, entries...), stream(`{app="slow"}`, entry(0, "kept")), stream(`{`, entry(0, "x")))
	require.ErrorIs(t, err, storage.ErrRateLimited, "what may be sent again goes before what may not")
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 11)
	require.Equal(t, `entry with timestamp 2026-11-23 12:00:00 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 1KB/sec) while attempting to ingest for stream '{app="fast", service_name="fast"}' totaling 1KB, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased',`, lines[0])
	require.Contains(t, lines[9], "12:00:09")
	require.Equal(t, `user 't', total ignored: 12 out of 12 for stream: {app="fast", service_name="fast"}`, lines[10])
	require.Equal(t, []string{`{app="slow", service_name="slow"}`, "kept"}, g.store.lines())
	require.Nil(t, g.store.pushes[0].Raw)
	require.Equal(t, 12.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues("per_stream_rate_limit", "t")))

	require.NoError(t, g.push(stream(`{app="fast"}`, entries[:2]...)), "the burst was not touched")
	g.refused(storage.ErrRateLimited, `entry with timestamp 2026-11-23 12:00:00 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 1KB/sec) while attempting to ingest for stream '{app="fast", service_name="fast"}' totaling 1B, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased',
user 't', total ignored: 1 out of 1 for stream: {app="fast", service_name="fast"}`, stream(`{app="fast"}`, entry(0, "x")))
	require.Len(t, g.store.pushes, 2, "nothing was left to append")
}

// held is a store's answer about its streams.
type held struct {
	count int
	known []string
}

func (h *held) StreamCount(model.TenantID) int { return h.count }
func (h *held) HasStream(_ model.TenantID, ls labels.Labels) bool {
	return slices.Contains(h.known, ls.Get("app"))
}

func TestStreamLimit(t *testing.T) {
	h := &held{count: 2, known: []string{"a", "b"}}
	g := newGateOver(t, `limits_config: {max_global_streams_per_user: 3}`, h)
	g.refused(storage.ErrRateLimited,
		`maximum active stream limit exceeded when trying to create stream {app="d", service_name="d"}, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: 't'`,
		stream(`{app="a"}`, entry(0, "1")),
		stream(`{app="c"}`, entry(0, "2")),
		stream(`{app="d"}`, entry(0, "3"), entry(0, "4")),
		stream(`{app="c"}`, entry(0, "5")),
		stream(`{app="e"}`, entry(0, "6")),
		stream(`{app="b"}`, entry(0, "7")),
	)
	require.Equal(t, []string{
		`{app="a", service_name="a"}`, "1", `{app="c", service_name="c"}`, "2",
		`{app="c", service_name="c"}`, "5", `{app="b", service_name="b"}`, "7",
	}, g.store.lines())
	require.Equal(t, 3.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues("stream_limit", "t")))

	h.count = 3
	require.NoError(t, g.push(stream(`{app="a"}`, entry(0, "1"))), "known streams go on")
	require.ErrorIs(t, g.push(stream(`{app="z"}`, entry(0, "1"))), storage.ErrRateLimited)

	unlimited := newGateOver(t, "", h)
	require.NoError(t, unlimited.push(stream(`{app="z"}`, entry(0, "1"))))
	require.NotNil(t, unlimited.store.pushes[0].Raw)
	unknown := newGate(t, `limits_config: {max_global_streams_per_user: 1}`)
	require.NoError(t, unknown.push(stream(`{app="y"}`, entry(0, "1")), stream(`{app="z"}`, entry(0, "1"))), "nobody counts the streams")
}
