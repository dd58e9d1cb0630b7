package distributor

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

type metrics struct {
	receivedEntries, receivedBytes   *prometheus.CounterVec // tenant
	discardedEntries, discardedBytes *prometheus.CounterVec // reason, tenant
	truncated                        *prometheus.CounterVec // tenant

	mu      sync.RWMutex // guards tenants
	tenants map[model.TenantID]string
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, names ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "woodshed", Name: name, Help: help}, names)
	}
	m := &metrics{
		receivedEntries:  counter("received_entries_total", "Entries in pushes that could be decoded, accepted or not.", "tenant"),
		receivedBytes:    counter("received_bytes_total", "Bytes of lines and structured metadata in such pushes.", "tenant"),
		discardedEntries: counter("discarded_entries_total", "Entries that were refused, by reason.", "reason", "tenant"),
		discardedBytes:   counter("discarded_bytes_total", "Bytes of lines and structured metadata that were refused, by reason.", "reason", "tenant"),
		truncated:        counter("truncated_entries_total", "Entries whose line was cut at max_line_size.", "tenant"),
		tenants:          map[model.TenantID]string{},
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.receivedEntries, m.receivedBytes, m.discardedEntries, m.discardedBytes, m.truncated} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// tenantLabel returns the label value for a tenant: its ID, or one that all share who come after so many.
func (m *metrics) tenantLabel(t model.TenantID) string {
	m.mu.RLock()
	label, ok := m.tenants[t]
	full := len(m.tenants) >= tenantLabelsMax
	m.mu.RUnlock()
	switch {
	case ok:
		return label
	case full:
		return tenantLabelRest
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tenants) >= tenantLabelsMax {
		return tenantLabelRest
	}
	m.tenants[t] = string(t)
	return string(t)
}
