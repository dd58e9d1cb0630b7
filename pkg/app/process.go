// Package app is the composition root: it builds the services of a process, starts and stops them in order, and is the only
// package that knows all others.
//
// A process is a Grafana plugin (plugin.go) or a server of its own (server.go). Both hold the same parts: the store, opened
// in the background and retried for ever; the listener for pushes and the Loki API, bound in the background and retried
// too; the query engine; and what tells people how all that is (status.go). Nothing here is needed for durability: a
// process may be killed at any instruction. Only this package touches Prometheus' default registry, which Grafana gathers.
package app

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/build/buildinfo"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/distributor"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
)

// process is what both modes share.
type process struct {
	cfg      config.Config
	cfgErr   error // why nothing is opened
	log      *slog.Logger
	version  string
	started  time.Time
	limits   *limits.Overrides
	memory   memoryBudget
	store    *store
	push     *distributor.Distributor
	engine   engine.Executor
	listener *listener
	rates    *rates
	volatile []plugin.Notice // about the data directory
	isPlugin bool
	stats    *statistics // of a plugin
}

// newProcess builds the parts; start sets them going. With cfgErr, the fault of a configuration, nothing is opened.
func newProcess(cfg config.Config, cfgErr error, dir string, dirErr error, log *slog.Logger) (*process, error) {
	overrides, err := cfg.TenantLimits()
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	retention, err := parseRetention(overrides)
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	p := &process{cfg: cfg, cfgErr: cfgErr, log: log, version: Version(), started: time.Now(), limits: overrides}
	p.memory = newMemoryBudget(&cfg, memoryLimit(cfg), runtime.GOMAXPROCS(0))
	if p.memory.processors < runtime.GOMAXPROCS(0) { // before any part counts them
		runtime.GOMAXPROCS(p.memory.processors)
	}
	fsys := plugin.SystemFiles()
	p.store = &store{
		cfg: cfg, memory: p.memory, dir: dir, dirErr: dirErr, cfgErr: cfgErr, log: log, fsys: fsys, version: p.version,
		register:  prometheus.DefaultRegisterer,
		retention: func(id model.TenantID) logdb.Retention { return retention[overrides.For(id)] },
	}
	if dirErr == nil {
		if n, ok := plugin.WarnVolatile(dir, fsys); ok {
			p.volatile = append(p.volatile, n)
		}
	}
	p.push, err = distributor.New(distributor.Config{
		Limits: overrides, Appender: p.store, Streams: p.store, Registerer: prometheus.DefaultRegisterer, Logger: log,
		CacheBytesMax: int(p.memory.streamCache),
	})
	if err != nil {
		return nil, fmt.Errorf("distributor: %w", err)
	}
	queries, err := engine.New(engine.Config{
		Querier: p.store, Limits: engineLimits(overrides), MemoryBytes: p.memory.queryKept,
	})
	if err != nil {
		return nil, fmt.Errorf("query engine: %w", err)
	}
	p.engine = newMeasuredExecutor(queries, prometheus.DefaultRegisterer)
	if err := registerMemoryLimit(prometheus.DefaultRegisterer, p.memory.limit); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	p.rates = newRates(p.store)
	if p.listener, err = newListener(p); err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	debug.SetMemoryLimit(p.memory.limit)
	if _, ok := os.LookupEnv("GOGC"); !ok { // an operator's word goes before ours
		debug.SetGCPercent(gcPercent)
	}
	return p, nil
}

// gcPercent is how much garbage may lie beside what is in use, in percent of it, before the collector runs. Most of what is
// in use is chunks, which hold no pointers and cost it nothing to pass over: the default of 100 would double the heads'
// memory to save what cannot be measured beside the work of a push.
const gcPercent = 50

// start opens the store and the listener in the background.
func (p *process) start() {
	p.log.Info("woodshed starts", "version", p.version, "listen", p.cfg.Listen, "dir", p.store.dir, "memory_limit", p.memory.limit, "sync", p.cfg.WAL.Sync)
	p.log.Info("memory is divided", "words", strings.Join(p.memory.words(), " "))
	for _, w := range slices.Concat(p.cfg.Warnings(), p.memory.lowered) {
		p.log.Warn(w)
	}
	if p.cfgErr != nil {
		p.log.Error("the configuration has a fault: nothing is opened", "err", p.cfgErr)
	}
	p.store.start()
	p.listener.start()
	p.rates.start()
	if p.stats != nil {
		p.stats.start(p.store.ready)
	}
}

// stop closes everything within the time that Grafana gives a plugin. Nothing depends on it.
func (p *process) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopBudget)
	defer cancel()
	if p.stats != nil {
		p.stats.stop(ctx)
	}
	p.rates.stop()
	p.listener.stop(ctx)
	p.store.close(ctx)
	p.log.Info("woodshed stopped")
}

// stopBudget is below the 2 s after which Grafana kills a plugin.
const stopBudget = 1500 * time.Millisecond

// Version is the version that the build put into the binary.
func Version() string {
	if info, err := buildinfo.GetBuildInfo(); err == nil && info.Version != "" {
		return info.Version
	}
	return "dev"
}

func memoryLimit(cfg config.Config) int64 {
	if cfg.MemoryLimit > 0 {
		return int64(cfg.MemoryLimit)
	}
	return int64(config.AutoMemoryLimit(os.DirFS("/")))
}

func hostName() string {
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "unknown"
}

// ownerInfo names this process for whoever finds the data directory locked.
func ownerInfo(version string) string {
	facts := []string{fmt.Sprintf("pid %d", os.Getpid()), "host " + hostName(), "Woodshed " + version}
	if g := os.Getenv("GF_VERSION"); g != "" {
		facts = append(facts, "Grafana "+g)
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		facts = append(facts, "boot "+strings.TrimSpace(string(id)))
	}
	return strings.Join(append(facts, "since "+time.Now().UTC().Format(time.RFC3339)), ", ")
}

func pluginDataDir(cfg config.Config) (string, error) {
	executable, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the running binary: %w", err)
	}
	return config.ResolveDataDir(cfg.DataDir, config.Place{LookupEnv: os.LookupEnv, Executable: executable, Stat: os.Stat})
}

func openFile(name string) (fs.File, error) { return os.Open(filepath.Clean(name)) }
