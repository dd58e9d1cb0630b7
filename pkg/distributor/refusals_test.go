package distributor

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

func TestRefusals(t *testing.T) {
	g := newGate(t, "")
	eightHours := 8*time.Hour + 20*time.Minute
	require.Error(t, g.push(stream(`{app="api"}`, entry(eightHours, "x"), entry(eightHours, "y"))))
	*g.clock = now.Add(5 * time.Minute)
	require.Error(t, g.push(stream(`{app="web"}`, entry(eightHours+5*time.Minute, "x"), entry(-30*24*time.Hour, "x"))))

	got := g.Refusals(now.Add(6 * time.Minute))
	require.Equal(t, []Refusal{
		{Tenant: "t", Reason: "too_far_in_future", Entries: 3, Last: now.Add(5 * time.Minute),
			Text: `timestamp 8 h in the future (clock or time zone of the agent?); last in stream {app="web", service_name="web"}`},
		{Tenant: "t", Reason: "greater_than_max_sample_age", Entries: 1, Last: now.Add(5 * time.Minute),
			Text: `timestamp 30 d in the past, more than 1w (reject_old_samples_max_age; old files, or the clock of the agent?); last in stream {app="web", service_name="web"}`},
	}, got)
	require.Equal(t, "3 entries were refused in the last 15 minutes: "+got[0].Text, got[0].String())
	require.Equal(t, "1 entry was refused in the last 15 minutes: "+got[1].Text, got[1].String())
	require.Equal(t, "1,204 entries were refused in the last 15 minutes: x", Refusal{Reason: "too_far_in_future", Entries: 1204, Text: "x"}.String())

	// The window slides: after a quarter of an hour the first push is forgotten, later the second one too.
	require.Equal(t, 3, g.Refusals(now.Add(14 * time.Minute))[0].Entries)
	require.Equal(t, 1, g.Refusals(now.Add(15 * time.Minute))[0].Entries)
	require.Equal(t, 1, g.Refusals(now.Add(19 * time.Minute))[0].Entries)
	require.Empty(t, g.Refusals(now.Add(20*time.Minute)))
	require.Empty(t, g.Refusals(now.Add(20*time.Minute)))
}

// A refusal that goes on is counted in the minutes that it goes on in, and buckets are used again.
func TestRefusalsGoOn(t *testing.T) {
	r := newRefusals()
	key := refusalKey{"t", reasonTooNew}
	fresh := 0
	for minute := range 60 {
		if r.note(now.Add(time.Duration(minute)*time.Minute), key, 10, "x") {
			fresh++
		}
	}
	require.Equal(t, 1, fresh, "it began once")
	require.Equal(t, 150, r.list(now.Add(59 * time.Minute))[0].Entries)
	require.True(t, r.note(now.Add(2*time.Hour), key, 1, "x"), "and again after a pause")
	require.Equal(t, 1, r.list(now.Add(2 * time.Hour))[0].Entries)
}

func TestRefusalsAreBounded(t *testing.T) {
	r := newRefusals()
	for i := range 3 * refusalKeysMax {
		r.note(now, refusalKey{model.TenantID(fmt.Sprintf("t%d", i)), reasonTooNew}, 1, "x")
	}
	require.LessOrEqual(t, len(r.keys), refusalKeysMax+int(reasonsCount))
	total, rest := 0, 0
	for _, refusal := range r.list(now) {
		total += refusal.Entries
		if refusal.Tenant == "" {
			rest = refusal.Entries
		}
	}
	require.Equal(t, 3*refusalKeysMax, total)
	require.Equal(t, 2*refusalKeysMax, rest)
	// What is over makes room.
	r.note(now.Add(time.Hour), refusalKey{"new", reasonTooNew}, 1, "x")
	require.Equal(t, model.TenantID("new"), r.list(now.Add(time.Hour))[0].Tenant)
	require.Len(t, r.keys, 1)
}

func TestRefusedBody(t *testing.T) {
	g := newGate(t, "")
	g.RefusedBody("t", 100, &wire.Error{Class: wire.Malformed, Text: "snappy: corrupt input"})
	g.RefusedBody("t", 100, &wire.Error{Class: wire.Malformed, Text: "snappy: corrupt input"})
	g.RefusedBody("t", 5000, wire.BodyTooLarge(5000, 4000))
	got := g.Refusals(now)
	require.Equal(t, `2 pushes were refused in the last 15 minutes: the body cannot be read: snappy: corrupt input`, got[0].String())
	require.Equal(t, `1 push was refused in the last 15 minutes: the body is too large (make the agent's batches smaller): request body too large: message size too large than max (5000 vs 4000)`, got[1].String())
	require.Equal(t, 5000.0, testutil.ToFloat64(g.metrics.discardedBytes.WithLabelValues("request_body_too_large", "t")))
	require.Zero(t, testutil.CollectAndCount(g.metrics.discardedEntries), "nobody knows how many entries they held")
}

// Every reason has a name of its own and says something a person can act on.
func TestExplain(t *testing.T) {
	l := limits.Default()
	names := map[string]bool{}
	for r := reasonNone + 1; r < reasonsCount; r++ {
		require.NotEmpty(t, r.String())
		require.False(t, names[r.String()], r.String())
		names[r.String()] = true
		text := explain(r, &discardedEntries{entries: 1, sample: labelsSample(`{app="api"}`), number: 300 << 10}, &l)
		require.Greater(t, len(text), 20, r.String())
		require.NotContains(t, text, "%!")
		require.NotEqual(t, r.String(), text)
	}
	f := func(want string, r reason, number int64) {
		t.Helper()
		require.Equal(t, want, explainReason(r, number, &l))
	}
	f("no timestamp, or one before the year 1678", reasonTooOld, math.MaxInt64)
	f("timestamp 3 years in the past, more than 1w (reject_old_samples_max_age; old files, or the clock of the agent?)", reasonTooOld, int64(3*365*24*time.Hour))
	f("timestamp 47 h in the future (clock or time zone of the agent?)", reasonTooNew, -int64(47*time.Hour))
	f("timestamp 35 min in the future (clock or time zone of the agent?)", reasonTooNew, -int64(35*time.Minute))
	f("timestamp 61 s in the future (clock or time zone of the agent?)", reasonTooNew, -int64(61*time.Second))
	f("a line of 300 KiB, longer than 256KB (max_line_size; max_line_size_truncate cuts instead)", reasonLineTooLong, 300<<10)

	long := explain(reasonInvalidLabels, &discardedEntries{sample: labelsSample(strings.Repeat("é", 1000) + "\xff")}, &l)
	require.Less(t, len(long), 2*sampleBytesMax)
}

func TestTenantLabelsAreBounded(t *testing.T) {
	g := newGate(t, "")
	for i := range 2 * tenantLabelsMax {
		r := protobuf(t, stream(`{app="a"}`, entry(0, "x")))
		require.NoError(t, g.Push(context.Background(), model.TenantID(fmt.Sprintf("t%d", i)), r))
		r.Release()
	}
	require.Equal(t, tenantLabelsMax+1, testutil.CollectAndCount(g.metrics.receivedEntries))
	require.Equal(t, float64(tenantLabelsMax), testutil.ToFloat64(g.metrics.receivedEntries.WithLabelValues(tenantLabelRest)))
	require.Equal(t, "t0", g.metrics.tenantLabel("t0"))
	_, err := model.ParseTenantID(tenantLabelRest)
	require.Error(t, err, "no tenant can have the name that stands for the rest")
}

func TestBudget(t *testing.T) {
	ctx := context.Background()
	b := NewBudget(100)
	release, err := b.Acquire(ctx, 60)
	require.NoError(t, err)
	require.Equal(t, int64(60), b.Used())
	_, err = b.Acquire(ctx, 41)
	requireRefusal(t, err, storage.ErrOverloaded, "The server cannot accept more requests at this time.")
	second, err := b.Acquire(ctx, 40)
	require.NoError(t, err)
	require.False(t, b.TryAcquire(1))
	require.True(t, b.TryAcquire(0))
	release()
	release()
	require.Equal(t, int64(40), b.Used(), "giving back twice gives back once")
	_, err = b.Acquire(ctx, 101)
	requireRefusal(t, err, storage.ErrTooLarge, "request body too large: it takes 101 bytes of memory, and all pushes together may take 100")
	require.False(t, b.TryAcquire(-1))
	second()
	require.Zero(t, b.Used())

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = b.Acquire(cancelled, 1)
	require.ErrorIs(t, err, context.Canceled)
}

func TestBudgetConcurrently(t *testing.T) {
	b := NewBudget(10)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				if b.TryAcquire(3) {
					if used := b.Used(); used > 10 {
						t.Errorf("%d of 10 bytes used", used)
					}
					b.Release(3)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, b.Used())
}
