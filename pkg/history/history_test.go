package history

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const testFile = "/data/history.bin"

// world is a process with metrics, and the disk and clock that outlive it.
type world struct {
	fs             vfs.FS
	now            time.Time
	log            bytes.Buffer
	disk           bool // there is room
	pushed, failed *prometheus.CounterVec
	memory         prometheus.Gauge
	took           *prometheus.HistogramVec
	h              *History
}

func newWorld(t testing.TB) *world {
	t.Helper()
	fsys := vfs.NewMem()
	require.NoError(t, vfs.MkdirAllSynced(fsys, "/data"))
	w := &world{fs: fsys, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), disk: true}
	w.restart(t)
	return w
}

// restart is a new process: its counters begin at zero.
func (w *world) restart(t testing.TB) {
	t.Helper()
	r := prometheus.NewRegistry()
	w.pushed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushed_total"}, []string{"tenant", "route"})
	w.failed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "failed_total"}, []string{"reason"})
	w.memory = prometheus.NewGauge(prometheus.GaugeOpts{Name: "memory_bytes"})
	w.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "took_seconds", Buckets: []float64{0.5, 1}}, []string{"kind"})
	r.MustRegister(w.pushed, w.failed, w.memory, w.took, prometheus.NewGauge(prometheus.GaugeOpts{Name: "nobody_asks"}))
	h, err := New(Config{
		Gatherer: r, FS: w.fs, File: testFile, Log: slog.New(slog.NewTextHandler(&w.log, nil)), MaySave: func() bool { return w.disk },
		Now: func() time.Time { return w.now },
		Metrics: []Metric{
			{Name: "pushed_total", By: []string{"tenant"}, SetsMax: 2}, {Name: "failed_total", By: []string{"reason"}},
			{Name: "memory_bytes"}, {Name: "took_seconds", By: []string{"kind"}}, {Name: "never_registered"},
		},
	})
	require.NoError(t, err)
	w.h = h
	h.load()
}

// run samples for a while, each time after change.
func (w *world) run(d time.Duration, change func()) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(sampleEvery) {
		if change != nil {
			change()
		}
		w.h.sample()
	}
}

func (w *world) one(t testing.TB, metric string) Series {
	t.Helper()
	all := w.h.Select(metric)
	require.Len(t, all, 1)
	return all[0]
}

func last(s Series) float64 { return s.Samples[len(s.Samples)-1].Value }

func TestGathersWhatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.pushed.WithLabelValues("a", "/x").Add(3)
	w.pushed.WithLabelValues("a", "/y").Add(4)
	w.memory.Set(17)
	w.took.WithLabelValues("logs").Observe(0.7)
	require.Equal(t, []Series{{
		Labels: map[string]string{"tenant": "a"}, Counter: true, Samples: []Sample{{w.now, sampleEvery, 7}},
	}}, w.h.Select("pushed_total"), "summed over routes")
	require.InDelta(t, 17, last(w.one(t, "memory_bytes")), 0)
	got := map[string]float64{}
	for _, s := range w.h.Select("took_seconds") {
		require.Equal(t, "logs", s.Labels["kind"])
		got[s.Labels[LabelLE]] = last(s)
	}
	require.Equal(t, map[string]float64{"0.5": 0, "1": 1, LabelInf: 1}, got)
	require.Empty(t, w.h.Select("nobody_asks"))
	require.Empty(t, w.h.Select("never_registered"))
}

// Sums stay right however many label sets there are.
func TestLabelSetsAreBounded(t *testing.T) {
	w := newWorld(t)
	for _, tenant := range []string{"a", "b", "c", "d"} {
		w.pushed.WithLabelValues(tenant, "/").Add(10)
		w.h.sample()
		w.now = w.now.Add(sampleEvery)
	}
	got := map[string]float64{}
	for _, s := range w.h.Select("pushed_total") {
		got[s.Labels["tenant"]] = last(s)
	}
	require.Equal(t, map[string]float64{"a": 10, "b": 10, restLabel: 20}, got)
}

// TestTiers compares what is kept with every sample that was taken: time ascends, resolution falls with age, and what is
// there is what was read at that time.
func TestTiers(t *testing.T) {
	w := newWorld(t)
	taken := map[time.Time]float64{}
	start := w.now
	// A registry would take most of the time of so many samples.
	value, gauge, name := 0.0, dto.MetricType_GAUGE, "memory_bytes"
	family := []*dto.MetricFamily{{Name: &name, Type: &gauge, Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &value}}}}}
	w.h.cfg.Gatherer = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return family, nil })
	w.run(15*24*time.Hour, func() {
		value = float64(w.now.Sub(start) / time.Second)
		taken[w.now] = value
	})
	s := w.one(t, "memory_bytes")
	want := 0
	for _, tier := range tiers {
		want += tier.count
	}
	require.Less(t, len(s.Samples), want)
	require.Greater(t, len(s.Samples), want*7/10, "tiers overlap by what a finer one has of it")
	for n, one := range s.Samples[:len(s.Samples)-1] {
		require.InDelta(t, taken[one.At], one.Value, 0)
		if n == 0 {
			continue
		}
		gap := one.At.Sub(s.Samples[n-1].At)
		require.Positive(t, gap)
		require.LessOrEqual(t, gap, s.Samples[n-1].Step, "at %s", one.At)
		require.LessOrEqual(t, one.Step, s.Samples[n-1].Step)
	}
	require.InDelta(t, 14*24, w.now.Sub(s.Samples[0].At).Hours(), 1)
	require.InDelta(t, 1, w.now.Sub(s.Samples[len(s.Samples)-tiers[0].count-1].At).Hours(), 0.1)
}

func TestCountersGoOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.run(time.Minute, func() { w.pushed.WithLabelValues("a", "/").Add(5) })
	w.h.save()
	w.now = w.now.Add(time.Hour)
	w.restart(t)
	w.run(time.Minute, func() { w.pushed.WithLabelValues("a", "/").Add(1); w.memory.Set(1) })
	s := w.one(t, "pushed_total")
	var got []float64
	for _, one := range s.Samples {
		got = append(got, one.Value)
	}
	require.Equal(t, []float64{5, 10, 15, 20, 21, 22, 23, 24, 24}[:len(got)], got)
	require.Greater(t, s.Samples[4].At.Sub(s.Samples[3].At), time.Hour-time.Minute, "the gap shows")
	require.True(t, math.IsNaN(w.one(t, "memory_bytes").Samples[0].Value) || w.one(t, "memory_bytes").Samples[0].Value == 0)
}

func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	w.run(2*time.Hour, func() { w.pushed.WithLabelValues("a", "/").Inc() })
	w.now = w.now.Add(-time.Hour)
	w.run(time.Minute, nil)
	s := w.one(t, "pushed_total")
	for n := range s.Samples[1:] {
		require.Less(t, s.Samples[n].At, s.Samples[n+1].At)
		require.LessOrEqual(t, s.Samples[n].Value, s.Samples[n+1].Value)
	}
	require.False(t, s.Samples[len(s.Samples)-1].At.After(w.now))
}

func TestFaultyFileIsAnEmptyHistory(t *testing.T) {
	w := newWorld(t)
	w.run(time.Minute, func() { w.memory.Set(1) })
	w.h.save()
	good, err := vfs.ReadFile(w.fs, testFile, fileBytesMax)
	require.NoError(t, err)
	f := func(b []byte) {
		t.Helper()
		w.log.Reset()
		require.NoError(t, vfs.ReplaceFile(w.fs, testFile, b))
		w.restart(t)
		require.Contains(t, w.log.String(), "begins empty")
		require.Len(t, w.one(t, "memory_bytes").Samples, 1)
	}
	f(nil)
	f([]byte("something else"))
	f(good[:len(good)-1])
	f(append(bytes.Clone(good), 0))
	other := bytes.Clone(good)
	other[len(magic)]++
	f(other)
	require.Contains(t, w.log.String(), "version 2")
	for range 64 {
		b := bytes.Clone(good)
		at := rand.Intn(len(b)) //nolint:gosec // any place will do
		b[at] ^= 1 << rand.Intn(8)
		f(b)
	}
	w.log.Reset()
	require.NoError(t, w.fs.Remove(testFile))
	w.restart(t)
	require.Empty(t, w.log.String(), "no file is no fault")
}

// Saving may fail or the machine stop at any operation: the file is the old or the new one, and sampling goes on.
func TestSaveFailsAtEachOperation(t *testing.T) {
	for k := 1; ; k++ {
		w := newWorld(t)
		w.run(time.Minute, func() { w.memory.Set(1) })
		w.h.save()
		w.run(time.Minute, func() { w.memory.Set(2) })
		mem := w.fs.(*vfs.Mem)
		faults := vfs.NewInject(mem)
		faults.Arm(vfs.Fault{At: k}) // a crash
		w.h.cfg.FS = faults
		w.h.save()
		if !faults.Fired() {
			require.Greater(t, k, 3)
			return
		}
		require.Contains(t, w.log.String(), "cannot be saved")
		w.fs = mem.CrashClone(rand.New(rand.NewSource(int64(k))))
		w.log.Reset()
		w.restart(t)
		require.Empty(t, w.log.String(), "operation %d", k)
		require.GreaterOrEqual(t, len(w.one(t, "memory_bytes").Samples), 4)
	}
}

func TestFullDiskIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.disk = false
	w.run(time.Minute, nil)
	w.h.save()
	_, err := w.fs.Stat(testFile)
	require.Error(t, err)
}

// Run waits for the directory, samples by the clock, saves by the clock and at the end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.h.cfg.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		ready, done := make(chan struct{}), make(chan struct{})
		go func() { defer close(done); w.h.Run(ctx, ready) }()
		time.Sleep(time.Minute)
		require.Empty(t, w.h.snapshot().times[0])
		close(ready)
		time.Sleep(saveEvery + time.Second)
		synctest.Wait()
		require.Len(t, w.h.snapshot().times[0], int(saveEvery/sampleEvery)+1)
		saved := func() int {
			b, err := vfs.ReadFile(w.fs, testFile, fileBytesMax)
			require.NoError(t, err)
			s, err := decode(b)
			require.NoError(t, err)
			return len(s.times[0])
		}
		require.Equal(t, int(saveEvery/sampleEvery)+1, saved())
		time.Sleep(time.Minute)
		w.memory.Set(17)
		cancel()
		<-done
		require.Equal(t, int((saveEvery+time.Minute)/sampleEvery)+1+1, saved(), "and one at the end")
		require.InDelta(t, 17, last(w.one(t, "memory_bytes")), 0)
	})
}

// Asking takes a sample at most once a second, and none of them is kept.
func TestSelectIsLive(t *testing.T) {
	w := newWorld(t)
	w.run(time.Minute, func() { w.memory.Set(1) })
	w.now = w.now.Add(-10 * time.Second)
	w.memory.Set(2)
	require.InDelta(t, 2, last(w.one(t, "memory_bytes")), 0)
	w.memory.Set(3)
	require.InDelta(t, 2, last(w.one(t, "memory_bytes")), 0)
	w.now = w.now.Add(liveEvery)
	require.InDelta(t, 3, last(w.one(t, "memory_bytes")), 0)
	require.Len(t, w.one(t, "memory_bytes").Samples, 4+1)
}
