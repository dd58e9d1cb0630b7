package wal

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registerer prometheus.Registerer
	collectors []prometheus.Collector

	records     prometheus.Counter
	bytes       prometheus.Counter
	commits     prometheus.Counter
	failures    prometheus.Counter
	syncSeconds prometheus.Histogram
	opened      *prometheus.CounterVec
}

// newMetrics makes and registers the metrics of a log; state is asked for the gauges at each scrape.
func newMetrics(r prometheus.Registerer, state func() State) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, value func(State) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(state()) })
	}
	m := &metrics{
		registerer: r,
		records:    counter("woodshed_wal_records_total", "Records made durable."),
		bytes:      counter("woodshed_wal_written_bytes_total", "Bytes of records made durable, with their headers."),
		commits:    counter("woodshed_wal_commits_total", "Commits: groups of records written and synced together."),
		failures:   counter("woodshed_wal_failures_total", "Segments given up or not opened because of an error."),
		syncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "woodshed_wal_sync_seconds", Help: "Time of one sync of a segment.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16), // to 1.6 s
		}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "woodshed_wal_segments_opened_total", Help: "Segments opened for writing, by where their disk space came from.",
		}, []string{"origin"}),
	}
	m.collectors = []prometheus.Collector{
		m.records, m.bytes, m.commits, m.failures, m.syncSeconds, m.opened,
		gauge("woodshed_wal_healthy", "1 while records can be appended.", func(s State) float64 {
			if s.Failure != nil {
				return 0
			}
			return 1
		}),
		gauge("woodshed_wal_segments", "Segments that a replay would read.", func(s State) float64 { return float64(s.Segments) }),
		gauge("woodshed_wal_bytes", "Bytes of these segments on disk.", func(s State) float64 { return float64(s.Bytes) }),
		gauge("woodshed_wal_spare_bytes", "Bytes of segments kept or prepared for later use.", func(s State) float64 { return float64(s.SpareBytes) }),
		gauge("woodshed_wal_queue_bytes", "Bytes of payloads waiting to be made durable and applied.", func(s State) float64 { return float64(s.QueueBytes) }),
	}
	return m, m.register()
}

func (m *metrics) register() error {
	if m.registerer == nil {
		return nil
	}
	for i, c := range m.collectors {
		if err := m.registerer.Register(c); err != nil {
			m.collectors = m.collectors[:i]
			m.unregister()
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// unregister makes room for the next log of the same process.
func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

// Errors that callers tell apart.
var (
	// ErrFailed marks records that were not made durable, because the log could not be written. They may be sent again.
	ErrFailed = errors.New("the log cannot be written")
	// ErrTooLarge marks a record that fits in no segment.
	ErrTooLarge = errors.New("record too large for the log")
	// ErrClosed marks a call after Close.
	ErrClosed = errors.New("log closed")
)
