package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
)

// pluginCookie is what Grafana sets for a process that it starts as a data source (the SDK's handshake).
const (
	pluginCookieKey   = "grafana_plugin_type"
	pluginCookieValue = "datasource"
)

// StartedByGrafana reports whether this process is a plugin of a Grafana.
func StartedByGrafana() bool { return os.Getenv(pluginCookieKey) == pluginCookieValue }

// RunPlugin serves Grafana until it says stop, sends SIGTERM, or is gone. It returns the exit code.
func RunPlugin() int {
	cfg, cfgErr := config.Load(config.Sources{Environ: os.Environ(), Open: openFile})
	level, err := cfg.SlogLevel()
	if err != nil {
		level = slog.LevelInfo
	}
	log := plugin.NewLogger(level)
	p, err := newPluginProcess(cfg, cfgErr, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p.isPlugin = true
	if p.stats, err = newStatistics(p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	edge, err := plugin.New(plugin.Deps{Executor: p.engine, Querier: p.store, Store: p, History: p.stats.history, Config: &p.cfg, Log: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p.start()
	stop := sync.OnceFunc(p.stop)
	leave := func(why string) {
		log.Info("leaving", "why", why)
		stop()
		os.Exit(0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go watchParent(ctx, os.Getppid, time.NewTicker(parentPoll).C, func() { leave("Grafana is gone") })
	go onTerminate(ctx, func() { leave("SIGTERM") })

	// Serve answers the handshake at once and returns after Grafana's Shutdown call.
	err = edge.Serve()
	stop()
	if err != nil {
		log.Error("plugin server failed", "err", err)
		return 1
	}
	return 0
}

// newPluginProcess builds the parts. Under a faulty configuration nothing is opened: the defaults would be another directory,
// another listener and another retention than those that somebody chose.
func newPluginProcess(cfg config.Config, cfgErr error, log *slog.Logger) (*process, error) {
	if cfgErr == nil {
		dir, dirErr := pluginDataDir(cfg)
		p, err := newProcess(cfg, nil, dir, dirErr, log)
		if err == nil {
			return p, nil
		}
		cfgErr = err // limits that cannot be
	}
	cfg = config.Default()
	cfg.Listen = listenOff
	return newProcess(cfg, cfgErr, "", cfgErr, log)
}

const parentPoll = time.Second

// watchParent calls gone once when the parent is no longer the one at the start: a Grafana that was killed leaves its
// plugins running, with their ports and locks. The pid 1 is a parent like any other: in a container it is Grafana.
func watchParent(ctx context.Context, parent func() int, tick <-chan time.Time, gone func()) {
	first := parent()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if parent() != first {
				gone()
				return
			}
		}
	}
}

// onTerminate calls f at SIGTERM. systemd sends it to the whole group, and go-plugin handles only SIGINT.
func onTerminate(ctx context.Context, f func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	defer signal.Stop(signals)
	select {
	case <-ctx.Done():
	case <-signals:
		f()
	}
}
