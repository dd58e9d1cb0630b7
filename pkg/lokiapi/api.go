// Package lokiapi is the HTTP edge: Loki's push and query API, and the admin pages of the listener.
//
// It turns requests into calls of the small interfaces below and answers into Loki's JSON, and decides statuses and
// texts; it knows neither where data lies nor how it is checked. Everything it needs is handed in by package app.
//
// What holds for every route: the memory of a request is bounded before it is taken (bodies by Config and Budget, forms
// and query texts by limits.go, answers by the engine's limits and by streaming); a panic in a handler is a 500 and a log
// line, never the end of the process; no line, label or query of a client is logged; there is no CORS, and requests that
// a browser makes on behalf of another site are refused (origin.go).
//
// To add a route: a row in the table of routes.go, a handler with the signature of handlerFunc, a row in the tests of
// docs/http-api.md's table.
package lokiapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// Pusher makes a decoded push durable. It returns nil only when every entry is; a *storage.Refusal, whose text goes to
// the client, when some or all were refused. It keeps nothing of req after it returns.
type Pusher interface {
	Push(ctx context.Context, tenant model.TenantID, req *wire.Request) error
}

// Budget bounds the bytes of all pushes in flight. Every successful TryAcquire is followed by one Release of as much.
// golang.org/x/sync/semaphore.Weighted is one.
type Budget interface {
	TryAcquire(n int64) bool
	Release(n int64)
	// Max is how much there is in all.
	Max() int64
}

// Limits are the limits of a tenant that are checked at this edge.
type Limits interface {
	// QueryEntriesMax is the highest limit that a log query may ask for (Loki's max_entries_limit_per_query); 0 = any.
	QueryEntriesMax(tenant model.TenantID) int
}

// Reporter tells how the store is, at any time, also while it opens or after it failed to.
type Reporter interface {
	Report(ctx context.Context) Report
}

// Flusher writes what is in memory to blocks. It returns when that is done.
type Flusher interface {
	Flush(ctx context.Context) error
}

// ConfigDumper prints the configuration in force as YAML, without secrets.
type ConfigDumper interface {
	YAML() ([]byte, error)
}

// BuildInfo names the running binary.
type BuildInfo struct {
	Version, Revision, Branch, BuildUser, BuildDate string
}

// Config is what an operator may set. Zero values mean the defaults.
type Config struct {
	AuthEnabled          bool  // requests without X-Scope-OrgID are refused instead of read as tenant `fake`
	BodyBytesMax         int64 // of a push as sent
	DecompressedBytesMax int64 // of a push once unpacked
	// QueryTimeout bounds the wait for a turn, and listings. The engine bounds queries by tenant.
	QueryTimeout      time.Duration
	QueriesRunningMax int // queries running at once
	QueriesWaitingMax int // queries waiting for their turn; more are answered 429
	// AllowedHosts are names, besides addresses and those of this machine, under which browsers and clients on this machine
	// may call a listener on the loopback interface.
	AllowedHosts []string
	Build        BuildInfo
}

// withDefaults fills what was left zero.
func (c Config) withDefaults() Config {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.BodyBytesMax, bodyBytesMaxDefault)
	def(&c.DecompressedBytesMax, decodedBytesMaxDefault)
	if c.QueryTimeout == 0 {
		c.QueryTimeout = queryTimeoutDefault
	}
	if c.QueriesRunningMax == 0 {
		c.QueriesRunningMax = max(queriesRunningMaxDefault, 2*runtime.GOMAXPROCS(0))
	}
	if c.QueriesWaitingMax == 0 {
		c.QueriesWaitingMax = queriesWaitingMaxDefault
	}
	return c
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.BodyBytesMax < 0:
		return errors.New("the limit of push bodies is negative")
	case c.DecompressedBytesMax < 0:
		return errors.New("the limit of decompressed push bodies is negative")
	case c.QueryTimeout < 0:
		return errors.New("the query timeout is negative")
	case c.QueriesRunningMax < 0, c.QueriesWaitingMax < 0:
		return errors.New("the number of concurrent queries is negative")
	}
	return nil
}

// Deps are the parts of the process that the API calls. Pusher, Executor, Querier and Reporter are required. Without a
// Flusher, Admin, ConfigDumper or Gatherer their routes answer 404.
type Deps struct {
	Pusher Pusher
	// BodyRefused, when given, hears of each body that could not be decoded and so never reached the Pusher. bodyBytes is
	// what the client declared, 0 when it did not.
	BodyRefused  func(tenant model.TenantID, bodyBytes int, err *wire.Error)
	Budget       Budget // nil = no bound but that of single bodies
	Executor     engine.Executor
	Querier      storage.Querier
	Limits       Limits // nil = Loki's defaults
	Reporter     Reporter
	Flusher      Flusher
	Admin        StoreAdmin
	ConfigDumper ConfigDumper
	Gatherer     prometheus.Gatherer
	Registerer   prometheus.Registerer // nil = no metrics of this package
	Log          *slog.Logger          // nil = none
}

// API is the handler of the listener. It is safe for concurrent use and holds nothing that must be closed.
type API struct {
	Deps
	cfg     Config
	log     *slog.Logger
	gate    *gate
	hosts   hostPolicy
	metrics *metrics
	mux     *http.ServeMux
}

// New checks the configuration and builds the handler.
func New(cfg Config, d Deps) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the HTTP API: %w", err)
	}
	if d.Pusher == nil || d.Executor == nil || d.Querier == nil || d.Reporter == nil {
		return nil, errors.New("configure the HTTP API: Pusher, Executor, Querier and Reporter are required")
	}
	cfg = cfg.withDefaults()
	a := &API{
		Deps:    d,
		cfg:     cfg,
		log:     d.Log,
		gate:    newGate(cfg.QueriesRunningMax, cfg.QueriesWaitingMax),
		hosts:   newHostPolicy(cfg.AllowedHosts),
		metrics: newMetrics(d.Registerer),
		mux:     http.NewServeMux(),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.routes()
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }
