package history

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// Metric is one that is remembered: a gauge, a counter or a histogram of the registry.
type Metric struct {
	Name string
	// By are the labels that are kept. Series that differ in others alone are summed.
	By []string
	// SetsMax bounds the label sets; 0 is 32.
	SetsMax int
}

// Config is what a History needs. Gatherer, Metrics and Log are required.
type Config struct {
	Gatherer prometheus.Gatherer
	Metrics  []Metric
	Log      *slog.Logger
	FS       vfs.FS
	File     string      // where the history outlives the process; "" nowhere
	MaySave  func() bool // asked before each save, so that a full disk is left alone; nil is always
	Now      func() time.Time
}

// History is safe for concurrent use.
type History struct {
	cfg    Config
	taking sync.Mutex // held from gathering to observing, so that readings come in their order; before mu

	mu     sync.Mutex // guards the fields below; never held while gathering or writing
	times  [len(tiers)][]int64
	series map[string]*series
	known  map[string]bool // label sets, of all metrics
	sets   map[string]int  // how many of them each metric has
	at     int64           // when the newest values were taken
	warned map[string]time.Time
}

// kind is what a series of the registry is.
type kind uint8

const (
	kindGauge kind = iota
	kindCounter
	kindsCount
)

// label is one name=value.
type label struct{ name, value string }

// series is one metric with one label set.
type series struct {
	kind   kind
	metric string
	labels []label // those of Metric.By, in its order, and le for a bucket of a histogram

	base, raw float64 // of a counter: what earlier processes counted, and this one's last reading
	newest    float64 // at History.at
	seen      bool    // in the last reading
	values    [len(tiers)][]float64
}

// New checks the configuration.
func New(cfg Config) (*History, error) {
	if cfg.Gatherer == nil || cfg.Log == nil || len(cfg.Metrics) == 0 {
		return nil, errors.New("make a history: Gatherer, Metrics and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &History{cfg: cfg, series: map[string]*series{}, known: map[string]bool{}, sets: map[string]int{}, warned: map[string]time.Time{}}, nil
}

// Run samples until ctx ends, and saves then and every few minutes. It reads the file first, once ready is closed: until
// then another process may own the directory.
func (h *History) Run(ctx context.Context, ready <-chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-ready:
	}
	h.load()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	saved := h.cfg.Now()
	for {
		h.sample()
		if now := h.cfg.Now(); now.Sub(saved) >= saveEvery {
			h.save()
			saved = now
		}
		select {
		case <-ctx.Done():
			h.sampleLast()
			h.save()
			return
		case <-tick.C:
		}
	}
}

// sample takes a reading that is remembered.
func (h *History) sample() {
	now := h.take(0)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range tiers {
		h.recordLocked(i, now)
	}
}

// sampleLast keeps what was counted since the last sample, although its step has not passed: the next process begins there.
func (h *History) sampleLast() {
	now := h.take(0)
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.times[0]); n == 0 || now > h.times[0][n-1] {
		h.appendLocked(0, now)
	}
}

// take gathers, unless the newest values are younger than that, and returns their time.
func (h *History) take(younger time.Duration) int64 {
	h.taking.Lock()
	defer h.taking.Unlock()
	now := h.cfg.Now().UnixMilli()
	h.mu.Lock()
	fresh := now >= h.at && now-h.at < younger.Milliseconds()
	h.mu.Unlock()
	if fresh {
		return now
	}
	readings, err := h.gather()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.warnLocked("some metrics could not be gathered for the history", err)
	}
	h.observeLocked(now, readings)
	return now
}

// observeLocked makes a reading the newest values.
func (h *History) observeLocked(now int64, readings map[string]*reading) {
	if now < h.at {
		h.forgetFromLocked(now)
	}
	h.at = now
	for _, s := range h.series {
		s.seen = false
	}
	for _, key := range sortedKeys(readings) { // in order, so that the same metrics share what is left of SetsMax
		r := readings[key]
		s := h.series[key]
		if s == nil {
			s = &series{kind: r.kind, metric: r.metric, labels: r.labels}
			for i := range tiers {
				s.values[i] = nans(len(h.times[i]))
			}
			h.series[key] = s
		}
		s.observe(r.value)
	}
	for _, s := range h.series {
		if !s.seen && s.kind == kindGauge { // an unseen counter counted nothing
			s.newest = math.NaN()
		}
	}
}

func (s *series) observe(v float64) {
	s.seen = true
	if s.kind == kindGauge {
		s.newest = v
		return
	}
	if v < s.raw { // its process, or its registry, began again
		s.base += s.raw
	}
	s.raw = v
	s.newest = s.base + v
}

// recordLocked keeps the newest values in a tier when its step has passed, in the place of the oldest.
func (h *History) recordLocked(i int, now int64) {
	step := tiers[i].step.Milliseconds()
	if n := len(h.times[i]); n > 0 && now/step <= h.times[i][n-1]/step {
		return
	}
	h.appendLocked(i, now)
}

func (h *History) appendLocked(i int, now int64) {
	excess := max(len(h.times[i])+1-tiers[i].count, 0)
	h.times[i] = append(slices.Delete(h.times[i], 0, excess), now)
	for _, s := range h.series {
		s.values[i] = append(slices.Delete(s.values[i], 0, excess), s.newest)
	}
}

// forgetFromLocked drops samples at and after a time.
func (h *History) forgetFromLocked(t int64) {
	for i := range tiers {
		n, _ := slices.BinarySearch(h.times[i], t)
		h.times[i] = h.times[i][:n]
		for _, s := range h.series {
			s.values[i] = s.values[i][:n]
		}
	}
}

// warnLocked logs at most once an hour about the same.
func (h *History) warnLocked(message string, err error) {
	key, now := message+err.Error(), h.cfg.Now()
	if last, ok := h.warned[key]; ok && now.Sub(last) < warningsEqually {
		return
	}
	clear(h.warned) // only repetitions matter
	h.warned[key] = now
	h.cfg.Log.Warn(message, "err", err)
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// keyOf identifies a series; no label value contains the separator, for label values are UTF-8.
func keyOf(metric string, labels []label) string {
	var b strings.Builder
	b.WriteString(metric)
	for _, l := range labels {
		b.WriteByte(0xff)
		b.WriteString(l.name)
		b.WriteByte(0xff)
		b.WriteString(l.value)
	}
	return b.String()
}
