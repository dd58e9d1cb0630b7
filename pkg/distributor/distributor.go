// Package distributor is the gate that every push passes: it derives what the store adds, refuses what limits forbid, and
// hands the rest to an Appender in one piece. Nil is returned only when every entry of the push is durable.
//
// A push with good and bad entries is stored without the bad ones and answered with a refusal that lists them, grouped, in
// Loki's words; agents log that text and go on. Every refusal is decided here, before anything is written, except those
// that only the store can know. What was refused is counted by Loki's reasons and remembered for 15 minutes in words that
// a person can act on (Refusals).
//
// The client's body goes to the store verbatim (Push.Raw) only when all of it was accepted as it came, so that deriving it
// again yields the same entries.
//
// It must not know HTTP, files or queries.
package distributor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// Streams tells which streams the store holds in memory; only it knows. Both methods are called concurrently and must be
// quick.
type Streams interface {
	StreamCount(tenant model.TenantID) int
	HasStream(tenant model.TenantID, ls labels.Labels) bool
}

// Config is what a distributor needs.
type Config struct {
	Limits   *limits.Overrides
	Appender storage.Appender
	// Streams enforces max_global_streams_per_user and max_streams_per_user. Without it they are not enforced.
	Streams Streams
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Registerer takes the metrics; nil keeps them to itself.
	Registerer prometheus.Registerer
	// Logger gets a line when a kind of refusal begins; nil drops it. Lines of users are never logged.
	Logger *slog.Logger
	// CacheBytesMax bounds the memory of known streams; 0 means 32 MiB.
	CacheBytesMax int
}

// Distributor takes pushes. All methods may be called concurrently.
type Distributor struct {
	limits   *limits.Overrides
	appender storage.Appender
	streams  Streams
	clock    func() time.Time
	log      *slog.Logger
	metrics  *metrics
	refusals *refusals

	derivers    map[*limits.Limits]*derive.Deriver // of every block of limits; never changes
	tenantRates *limits.Rates[model.TenantID]
	streamRates *limits.Rates[streamKey]
	pushes      sync.Pool // *push
}

type streamKey struct {
	tenant      model.TenantID
	fingerprint model.Fingerprint
}

// New makes a distributor.
func New(c Config) (*Distributor, error) {
	if c.Limits == nil || c.Appender == nil {
		return nil, errors.New("distributor: limits and an appender are needed")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.CacheBytesMax == 0 {
		c.CacheBytesMax = cacheBytesDefault
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("distributor: register metrics: %w", err)
	}
	d := &Distributor{
		limits: c.Limits, appender: c.Appender, streams: c.Streams, clock: c.Clock, log: c.Logger, metrics: m,
		refusals:    newRefusals(),
		derivers:    derivers(c.Limits, c.CacheBytesMax),
		tenantRates: limits.NewRates[model.TenantID](tenantRatesMax),
		streamRates: limits.NewRates[streamKey](streamRatesMax),
	}
	d.pushes.New = func() any { return new(push) }
	return d, nil
}

// derivers makes a deriver for each distinct set of options among the limits. They share the memory evenly.
func derivers(o *limits.Overrides, cacheBytesMax int) map[*limits.Limits]*derive.Deriver {
	distinct := map[string]*derive.Deriver{}
	for _, l := range o.All() {
		distinct[string(derivation(l).AppendBinary(nil))] = nil
	}
	out := map[*limits.Limits]*derive.Deriver{}
	for _, l := range o.All() {
		options := derivation(l)
		key := string(options.AppendBinary(nil))
		if distinct[key] == nil {
			distinct[key] = derive.NewSized(options, cacheBytesMax/len(distinct))
		}
		out[l] = distinct[key]
	}
	return out
}

// derivation returns the options that follow from limits.
func derivation(l *limits.Limits) derive.Options {
	fields := l.LogLevelFields
	if len(fields) == 0 {
		fields = limits.Default().LogLevelFields
	}
	return derive.Options{
		Version:        derive.Version1,
		ServiceNames:   l.DiscoverServiceName,
		DiscoverLevels: l.DiscoverLogLevels && l.AllowStructuredMetadata,
		LevelFields:    fields,
		JSONMaxDepth:   l.LogLevelFromJSONMaxDepth,
	}
}

// Push makes the entries of a request durable. The error is a *storage.Refusal when some or all were refused; then those
// that were not are durable, unless its class is storage.ErrRateLimited for the tenant's rate, which is all or nothing.
// Push changes the request's entries in place and keeps nothing of it.
func (d *Distributor) Push(ctx context.Context, tenant model.TenantID, req *wire.Request) error {
	if len(req.Streams) == 0 {
		return &storage.Refusal{Class: storage.ErrUnprocessable, Text: textMissingStreams}
	}
	p := d.pushes.Get().(*push)
	defer d.recycle(p)
	p.start(d, tenant, req)
	for i := range req.Streams {
		p.addStream(&req.Streams[i], req.LabelsParsed)
	}
	p.countReceived()
	defer p.report()
	if len(p.streams) == 0 {
		return p.refusal()
	}
	if err := p.checkTenantRate(); err != nil {
		return err
	}
	p.checkStreams()
	if len(p.streams) == 0 {
		return p.refusal()
	}
	if err := d.appender.Append(ctx, p.appended(req)); err != nil {
		return fmt.Errorf("append push: %w", err)
	}
	return p.refusal()
}

// recycle forgets all that points into the request.
func (d *Distributor) recycle(p *push) {
	p.reset()
	d.pushes.Put(p)
}
