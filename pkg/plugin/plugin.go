// Package plugin is the Grafana edge: it answers the requests that Grafana sends to a data source over gRPC.
//
// querydata.go turns Grafana's query JSON into engine.Params and frames*.go turn the Result into data frames;
// callresource.go answers the label picker; checkhealth.go says in sentences how the store is. One Plugin serves the whole
// process. Grafana makes an Instance of it for every configured data source, on the first request and again after every
// change of its settings: an Instance holds parsed settings and nothing that must be closed.
//
// What holds for every request: the tenant comes from the process's configuration and the organisation, never from the
// request alone; reads only; memory, rows and running queries are bounded by limits.go; a panic is an error of that one
// query; no file path reaches anybody but an Admin. A fault of the user is a downstream error with a text that says what
// to write instead; one of ours is a plugin error.
//
// The package knows no role of the process and never touches files: package app hands everything in.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
	"golang.org/x/sync/semaphore"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Store tells how the process's store is. Both methods may be called at any time, also before it opens or after it
// failed to.
type Store interface {
	// Status describes the store now, without waiting.
	Status(ctx context.Context) StatusInfo
	// Ready is closed once the store answers queries.
	Ready() <-chan struct{}
}

// Deps are the parts of the process that the plugin calls. All but History are required. Executor and Querier answer
// storage.ErrNotReady until Store.Ready is closed.
type Deps struct {
	Executor engine.Executor
	Querier  storage.Querier
	Store    Store
	History  History        // nil: no stats queries
	Config   *config.Config // not changed after New
	Log      *slog.Logger
}

// Plugin is what all data sources of the process share.
type Plugin struct {
	Deps
	limits    *limits.Overrides
	running   *semaphore.Weighted // queries and resource calls that run now
	resources backend.CallResourceHandler
	now       func() time.Time
}

// New checks that every part is there.
func New(d Deps) (*Plugin, error) {
	if d.Executor == nil || d.Querier == nil || d.Store == nil || d.Config == nil || d.Log == nil {
		return nil, errors.New("make the plugin: Executor, Querier, Store, Config and Log are required")
	}
	tenantLimits, err := d.Config.TenantLimits()
	if err != nil {
		return nil, fmt.Errorf("make the plugin: %w", err)
	}
	p := &Plugin{
		Deps:    d,
		limits:  tenantLimits,
		running: semaphore.NewWeighted(int64(max(runningMin, runningPerCPU*runtime.GOMAXPROCS(0)))),
		now:     time.Now,
	}
	p.resources = httpadapter.New(resourceHandler{p})
	return p, nil
}

// Instance answers for one configured data source.
type Instance struct {
	p        *Plugin
	settings settings
}

var (
	_ backend.QueryDataHandler      = (*Instance)(nil)
	_ backend.CallResourceHandler   = (*Instance)(nil)
	_ backend.CheckHealthHandler    = (*Instance)(nil)
	_ instancemgmt.InstanceDisposer = (*Instance)(nil)
)

// NewInstance is the factory that datasource.Manage calls. It never fails: wrong settings are for CheckHealth to explain.
func (p *Plugin) NewInstance(_ context.Context, s backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	return &Instance{p: p, settings: parseSettings(s.JSONData)}, nil
}

// Dispose has nothing to free: the store belongs to the process.
func (i *Instance) Dispose() {}

// begin is the first step of every request that reads: it waits for the store, says whose logs are read, and takes a
// place among the running ones, which the caller gives back with done.
func (i *Instance) begin(ctx context.Context, pluginCtx backend.PluginContext) (tenant model.TenantID, done func(), err error) {
	if tenant, err = i.tenant(pluginCtx); err != nil {
		return "", nil, err
	}
	if err := i.p.awaitReady(ctx); err != nil {
		return "", nil, err
	}
	if err := i.p.running.Acquire(ctx, 1); err != nil {
		return "", nil, err
	}
	return tenant, func() { i.p.running.Release(1) }, nil
}

// awaitReady waits a while for a store that is still opening: alert rules are evaluated seconds after Grafana's boot, and
// an error then would page people.
func (p *Plugin) awaitReady(ctx context.Context) error {
	select {
	case <-p.Store.Ready():
		return nil
	default:
	}
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	select {
	case <-p.Store.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return p.notReady(ctx)
	}
}

// notReady is the answer while the store opens: what it does now.
func (p *Plugin) notReady(ctx context.Context) error {
	return &requestError{status: statusUnavailable, source: backend.ErrorSourcePlugin, text: notReadyText(p.Store.Status(ctx))}
}
