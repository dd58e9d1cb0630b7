package logdb

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// tenantLabelsMax bounds the cardinality of the metric by tenant; the tenants beyond share one label value.
	tenantLabelsMax = 1000
	tenantLabelRest = "<other>" // no tenant ID has these characters
)

var headStreamsDesc = prometheus.NewDesc("woodshed_head_streams", "Streams written to since their tenant's last flush.", []string{"tenant"}, nil)

// headStreams collects the active streams of each tenant. It is asked when metrics are gathered, so tenants come and go.
type headStreams struct{ db *DB }

// Describe implements prometheus.Collector.
func (c headStreams) Describe(ch chan<- *prometheus.Desc) { ch <- headStreamsDesc }

// Collect implements prometheus.Collector.
func (c headStreams) Collect(ch chan<- prometheus.Metric) {
	tenants := c.db.allTenants()
	slices.SortFunc(tenants, func(a, b *tenant) int { return cmp.Compare(a.id, b.id) })
	rest := 0
	for n, t := range tenants {
		streams := c.db.StreamCount(t.id)
		if n >= tenantLabelsMax {
			rest += streams
			continue
		}
		ch <- prometheus.MustNewConstMetric(headStreamsDesc, prometheus.GaugeValue, float64(streams), string(t.id))
	}
	if len(tenants) > tenantLabelsMax {
		ch <- prometheus.MustNewConstMetric(headStreamsDesc, prometheus.GaugeValue, float64(rest), tenantLabelRest)
	}
}

// entryCount counts the entries of all views.
func (db *DB) entryCount() uint64 {
	n := db.blockTotals().Entries
	for _, t := range db.allTenants() {
		v := t.acquire()
		for _, h := range v.heads {
			n += h.EntryCount()
		}
		v.release()
	}
	return n
}

// oldestSeconds is the time of the oldest entry of blocks, or of heads while there are no blocks: what is late for those
// is not looked for, because that means going through all streams.
func (db *DB) oldestSeconds() float64 {
	if t := db.blockTotals(); !t.Empty {
		return float64(t.Oldest) / 1e9
	}
	oldest := 0.0
	for _, h := range db.Heads() {
		if s := float64(h.From.UnixNano()) / 1e9; oldest == 0 || s < oldest {
			oldest = s
		}
	}
	return oldest
}
