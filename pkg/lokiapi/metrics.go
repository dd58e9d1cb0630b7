package lokiapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	duration  *prometheus.HistogramVec
	panics    prometheus.Counter
	bodyBytes prometheus.Counter
}

// newMetrics registers with reg; nil registers nowhere.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "woodshed_request_duration_seconds",
			Help:    "Time from the first byte of a request to the last of its answer, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"route", "status_code"}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "woodshed_request_panics_total",
			Help: "Requests that hit a fault of Woodshed and were answered 500. Anything above zero is a bug.",
		}),
		bodyBytes: f.NewCounter(prometheus.CounterOpts{
			Name: "woodshed_push_body_bytes_total",
			Help: "Bytes of push bodies as they were sent.",
		}),
	}
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.duration.WithLabelValues(route, statusLabel(status)).Observe(took.Seconds())
}
