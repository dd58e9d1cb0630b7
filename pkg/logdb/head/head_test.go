package head

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

var always = model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}

func entry(t model.Timestamp, line string, metadata ...model.Pair) model.Entry {
	return model.Entry{Timestamp: t, Line: line, Metadata: metadata, Level: "info"}
}

func push(app string, entries ...model.Entry) model.Stream {
	return model.Stream{Labels: labels.FromStrings("app", app), Entries: entries}
}

func sealAll(t *testing.T, parts []*Part) {
	t.Helper()
	for _, p := range parts {
		require.NoError(t, p.Seal(chunk.Options{}))
	}
}

// lines returns "app time line" of all entries, sorted.
func lines(t *testing.T, h *Head) []string {
	t.Helper()
	streams, err := h.Entries()
	require.NoError(t, err)
	var out []string
	for _, s := range streams {
		for _, e := range s.Entries {
			out = append(out, fmt.Sprintf("%s %d %s %v", s.Labels.Get("app"), e.Timestamp, e.Line, e.Metadata))
		}
	}
	slices.Sort(out)
	return out
}

func TestDuplicatesAreDroppedWhereverTheyStand(t *testing.T) {
	var total Account
	for _, state := range []string{"open", "closed", "sealed"} {
		t.Run(state, func(t *testing.T) {
			h := New(&total)
			defer h.Release()
			batch := []model.Stream{
				push("a", entry(10, "x"), entry(20, "y", model.Pair{Name: "k", Value: "1"}), entry(20, "z")),
				push("b", entry(10, "x")),
			}
			require.EqualValues(t, 4, h.Apply(batch, 1).Entries)
			if state != "open" {
				parts := h.CloseOldest(1 << 30)
				require.NotEmpty(t, parts)
				if state == "sealed" {
					sealAll(t, parts)
				}
			}
			again := h.Apply(batch, 2)
			require.Zero(t, again.Entries)
			require.EqualValues(t, 4, again.Duplicates)

			different := h.Apply([]model.Stream{push("a",
				entry(20, "y"), // other metadata
				entry(20, "y", model.Pair{Name: "k", Value: "2"}),    // other value
				model.Entry{Timestamp: 10, Line: "x", Level: "warn"}, // other level
				entry(11, "x"), // other time
			)}, 3)
			require.EqualValues(t, 4, different.Entries)
		})
	}
	require.Zero(t, total.MemoryBytes())
	require.Zero(t, total.Raw.Load())
}

func TestDuplicateAmongManyOfOneTime(t *testing.T) {
	h := New(new(Account))
	var s model.Stream
	for i := range 5 * equalTimesScanMax {
		s = push("a", entry(7, fmt.Sprint("line ", i)))
		require.EqualValues(t, 1, h.Apply([]model.Stream{s}, 1).Entries)
	}
	require.EqualValues(t, 1, h.Apply([]model.Stream{s}, 1).Duplicates)
	require.EqualValues(t, 1, h.Apply([]model.Stream{push("a", entry(7, "line 0"))}, 1).Duplicates)
}

func TestRunsAreClosedWhenFull(t *testing.T) {
	h := New(new(Account))
	line := string(make([]byte, 1000))
	var parts []*Part
	for i := range 3000 {
		added := h.Apply([]model.Stream{push("a", entry(model.Timestamp(i), line))}, 1)
		parts = append(parts, added.Closed...)
	}
	require.Len(t, parts, 2)
	sealAll(t, parts)
	require.Len(t, lines(t, h), 3000)
}

func TestChunksNeverCrossADay(t *testing.T) {
	h := New(new(Account))
	day := model.Timestamp(24 * time.Hour)
	h.Apply([]model.Stream{
		push("a", entry(-1, "before the epoch"), entry(0, "first"), entry(day-1, "last"), entry(day, "next"), entry(5*day, "later")),
		push("b", entry(day, "other")),
		push("c", entry(model.MinTimestamp, "minimum"), entry(model.MaxTimestamp-1, "maximum")),
	}, 1)
	before := lines(t, h)
	sealAll(t, h.Freeze())
	sealed, err := h.Sealed()
	require.NoError(t, err)
	for _, c := range sealed.Chunks {
		require.Equal(t, dayOf(c.Table.MinTime), dayOf(c.Table.MaxTime))
	}
	require.Equal(t, before, lines(t, h))
}

func TestSmallRunsArePackedTogether(t *testing.T) {
	h := New(new(Account))
	for i := range 500 {
		h.Apply([]model.Stream{push(fmt.Sprintf("app-%03d", i), entry(1, "x"), entry(2, "y"))}, 1)
	}
	parts := h.CloseIdle(2)
	require.Len(t, parts, 1)
	require.Zero(t, len(h.CloseIdle(2)))
	sealAll(t, parts)
	require.Len(t, lines(t, h), 1000)
}

func TestSelectSeesEveryStateWhileAppending(t *testing.T) {
	h := New(new(Account))
	const streams, rounds = 7, 400
	rng := rand.New(rand.NewPCG(1, 2))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			last := 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				sel, err := h.Select(nil, always)
				if err != nil {
					t.Error(err)
					return
				}
				n := 0
				for _, p := range sel.Pieces {
					if p.Reader == nil {
						n += p.View.Len()
						continue
					}
					for _, r := range p.Runs {
						n += int(p.Reader.Table().Runs[r.Run].Count)
					}
				}
				if n < last {
					t.Errorf("%d entries after %d: some vanished", n, last)
					return
				}
				last = n
			}
		}()
	}
	var sealers sync.WaitGroup
	for i := range rounds {
		for s := range streams {
			h.Apply([]model.Stream{push(fmt.Sprint("app", s), entry(model.Timestamp(i), fmt.Sprint("line ", i)))}, model.Timestamp(i))
		}
		if rng.IntN(20) == 0 {
			for _, p := range h.CloseOldest(int64(rng.IntN(1 << 14))) {
				sealers.Add(1)
				go func() {
					defer sealers.Done()
					if err := p.Seal(chunk.Options{}); err != nil {
						t.Error(err)
					}
				}()
			}
		}
	}
	sealers.Wait()
	close(stop)
	readers.Wait()
	require.Len(t, lines(t, h), streams*rounds)
}

func TestLabels(t *testing.T) {
	h := New(new(Account))
	h.Apply([]model.Stream{push("a", entry(10, "x")), push("b", entry(20, "y"))}, 1)
	names, err := h.LabelNames(nil, always)
	require.NoError(t, err)
	require.Equal(t, []string{"app"}, names)
	f := func(iv model.Interval, want ...string) {
		t.Helper()
		got, err := h.LabelValues("app", nil, iv)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	f(always, "a", "b")
	f(model.Interval{Start: 0, End: 20}, "a")
	f(model.Interval{Start: 11, End: 21}, "b")
	m := labels.MustNewMatcher(labels.MatchEqual, "app", "b")
	got, err := h.LabelValues("app", []*labels.Matcher{m}, always)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, got)
}
