package history

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Series is what is remembered of one metric and label set.
type Series struct {
	Labels  map[string]string
	Counter bool // Values never fall
	Samples []Sample
}

// Sample is a value at a time, and how far apart samples are there: those that are further apart have a gap between them,
// in which the process did not run.
type Sample struct {
	At    time.Time
	Step  time.Duration
	Value float64 // NaN where the series was not there
}

// Select returns all series of a metric, with the value now. Older samples are further apart.
func (h *History) Select(metric string) []Series {
	h.take(liveEvery)
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []string
	for key, s := range h.series {
		if s.metric == metric {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, strings.Compare)
	out := make([]Series, 0, len(keys))
	for _, key := range keys {
		out = append(out, h.readLocked(h.series[key]))
	}
	return out
}

// readLocked joins the tiers: of each what is older than the first sample of the next finer one.
func (h *History) readLocked(s *series) Series {
	out := Series{Labels: make(map[string]string, len(s.labels)), Counter: s.kind == kindCounter}
	for _, l := range s.labels {
		out.Labels[l.name] = l.value
	}
	for i := len(tiers) - 1; i >= 0; i-- {
		until := int64(math.MaxInt64)
		for finer := i - 1; finer >= 0; finer-- { // each finer one begins later, unless it is empty
			if len(h.times[finer]) > 0 {
				until = min(until, h.times[finer][0])
			}
		}
		for n, t := range h.times[i] {
			if t >= until {
				break
			}
			out.Samples = append(out.Samples, Sample{time.UnixMilli(t).UTC(), tiers[i].step, s.values[i][n]})
		}
	}
	if n := len(out.Samples); n == 0 || h.at > out.Samples[n-1].At.UnixMilli() {
		out.Samples = append(out.Samples, Sample{time.UnixMilli(h.at).UTC(), tiers[0].step, s.newest})
	}
	return out
}
