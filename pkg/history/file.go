package history

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// load takes over what an earlier process remembered. Nothing was sampled yet.
func (h *History) load() {
	if h.cfg.File == "" {
		return
	}
	b, err := vfs.ReadFile(h.cfg.FS, h.cfg.File, fileBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var s *snapshot
	if err == nil {
		s, err = decode(b)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.warnLocked("the history of the store's own statistics cannot be read and begins empty", err)
		return
	}
	h.adoptLocked(s)
}

// adoptLocked makes a snapshot the past: series that are still asked for, and of which it knows something.
func (h *History) adoptLocked(s *snapshot) {
	h.times = s.times
	for i := range tiers {
		if n := len(s.times[i]); n > 0 {
			h.at = max(h.at, s.times[i][n-1])
		}
	}
	for _, one := range s.series {
		m, asked := h.metric(one.metric)
		if !asked || !one.fits(m) || one.isForgotten() {
			continue
		}
		one.newest = one.last()
		if one.kind == kindCounter && !math.IsNaN(one.newest) {
			one.base = one.newest
		}
		if known := m.Name + keyOf("", one.labels[:len(m.By)]); len(m.By) > 0 && !h.known[known] {
			h.known[known] = true
			h.sets[m.Name]++
		}
		h.series[keyOf(one.metric, one.labels)] = one
	}
	for _, one := range h.series { // those that somebody asked for before
		for i := range tiers {
			one.values[i] = append(one.values[i], nans(len(h.times[i])-len(one.values[i]))...)
		}
	}
}

func (h *History) metric(name string) (Metric, bool) {
	n := slices.IndexFunc(h.cfg.Metrics, func(m Metric) bool { return m.Name == name })
	if n < 0 {
		return Metric{}, false
	}
	return h.cfg.Metrics[n], true
}

// fits reports whether the labels are those that are kept now.
func (s *series) fits(m Metric) bool {
	own := s.labels
	if n := len(own); n > 0 && own[n-1].name == LabelLE {
		own = own[:n-1]
	}
	return slices.EqualFunc(own, m.By, func(l label, name string) bool { return l.name == name })
}

// isForgotten reports a series of which all that is remembered says nothing: a gauge without a value, a counter that did
// not move.
func (s *series) isForgotten() bool {
	for i := range tiers {
		for n, v := range s.values[i] {
			if math.IsNaN(v) {
				continue
			}
			if s.kind == kindGauge || n > 0 && v != 0 && v != s.values[i][n-1] { // from NaN it moved, too: it was born with v
				return false
			}
		}
	}
	return true
}

// last returns the newest value that was recorded, NaN for none.
func (s *series) last() float64 {
	for i := range tiers {
		for _, v := range slices.Backward(s.values[i]) {
			if !math.IsNaN(v) {
				return v
			}
		}
	}
	return math.NaN()
}

// save writes the file.
func (h *History) save() {
	if h.cfg.File == "" || h.cfg.MaySave != nil && !h.cfg.MaySave() {
		return
	}
	b, err := h.snapshot().encode()
	if err == nil {
		err = vfs.ReplaceFile(h.cfg.FS, h.cfg.File, b)
	}
	if err != nil {
		h.mu.Lock()
		h.warnLocked("the history of the store's own statistics cannot be saved", err)
		h.mu.Unlock()
	}
}

// snapshot copies what the file holds.
func (h *History) snapshot() *snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := &snapshot{}
	for i := range tiers {
		out.times[i] = slices.Clone(h.times[i])
	}
	for _, key := range slices.SortedFunc(maps.Keys(h.series), strings.Compare) {
		s := *h.series[key]
		if len(s.metric) > labelNameMax || len(out.series) == seriesTop {
			continue
		}
		for i := range tiers {
			s.values[i] = slices.Clone(s.values[i])
		}
		out.series = append(out.series, &s)
	}
	return out
}
