package app

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/woodshed-logs/woodshed/pkg/history"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// historyName is the file in the data directory that has the store's own statistics.
const historyName = "history.bin"

// statistics is what a plugin remembers of its own metrics, for stats queries.
type statistics struct {
	history *history.History
	cancel  context.CancelFunc
	done    chan struct{}
}

func newStatistics(p *process) (*statistics, error) {
	h, err := history.New(history.Config{
		Gatherer: prometheus.DefaultGatherer, Metrics: plugin.StatMetrics(), Log: p.log,
		FS: vfs.OS(), File: filepath.Join(p.store.dir, historyName), MaySave: p.store.hasSpace,
	})
	if err != nil {
		return nil, err
	}
	return &statistics{history: h, done: make(chan struct{})}, nil
}

// start samples as soon as the store is open, which is when the directory is ours.
func (s *statistics) start(ready <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.done)
		s.history.Run(ctx, ready)
	}()
}

// stop saves, while the directory is still ours, within a part of the time that there is: graphs are worth no more.
func (s *statistics) stop(ctx context.Context) {
	s.cancel()
	ctx, cancel := context.WithTimeout(ctx, stopBudget/3)
	defer cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// hasSpace reports whether files that nobody needs may be written.
func (s *store) hasSpace() bool {
	db := s.db.Load()
	return db != nil && !db.Guard().Refusing
}

// measuredExecutor counts queries, from whichever edge they come, and how long they take.
type measuredExecutor struct {
	engine.Executor
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newMeasuredExecutor(e engine.Executor, r prometheus.Registerer) *measuredExecutor {
	f := promauto.With(r)
	m := &measuredExecutor{
		Executor: e,
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "woodshed_query_duration_seconds", Help: "Time of queries from Grafana and over HTTP, by kind: logs or metric.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"kind"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "woodshed_query_errors_total", Help: "Queries that failed, by kind and cause: query (its text or a limit), timeout, cancelled, store.",
		}, []string{"kind", "cause"}),
	}
	for _, kind := range []string{"logs", "metric"} { // what is counted exists from the start
		m.seconds.WithLabelValues(kind)
		for _, cause := range []string{"query", "timeout", "cancelled", "store"} {
			m.failures.WithLabelValues(kind, cause)
		}
	}
	return m
}

// Exec implements engine.Executor.
func (m *measuredExecutor) Exec(ctx context.Context, p engine.Params) (*engine.Result, error) {
	begin := time.Now()
	r, err := m.Executor.Exec(ctx, p)
	kind := queryKind(r, p.Query)
	m.seconds.WithLabelValues(kind).Observe(time.Since(begin).Seconds())
	if err != nil {
		m.failures.WithLabelValues(kind, queryCause(err)).Inc()
	}
	return r, err
}

// queryKind is logs, metric, or unknown for a text that is no query.
func queryKind(r *engine.Result, text string) string {
	if r != nil {
		if r.Type == engine.ResultStreams {
			return "logs"
		}
		return "metric"
	}
	tree, err := syntax.Parse(text)
	if err != nil {
		return "unknown"
	}
	if _, logs := tree.(*syntax.LogExpr); logs {
		return "logs"
	}
	return "metric"
}

func queryCause(err error) string {
	var parse *syntax.ParseError
	switch {
	case errors.As(err, &parse), errors.Is(err, storage.ErrLimit), errors.Is(err, storage.ErrInvalid):
		return "query"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "store"
}

// registerMemoryLimit shows the limit beside what is in use.
func registerMemoryLimit(r prometheus.Registerer, limit int64) error {
	return r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "woodshed_memory_limit_bytes", Help: "Memory that heads, caches, queries and the runtime share.",
	}, func() float64 { return float64(limit) }))
}
