//go:build mage

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	// mage:import sdk
	_ "github.com/grafana/grafana-plugin-sdk-go/build"

	"github.com/woodshed-logs/woodshed/internal/dev"
)

// Default is what a bare `go tool mage` does.
var Default = Build

// Run builds dist/ and starts Woodshed: inside a Grafana when one is found, else as a server with demo logs.
func Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return dev.Run(ctx, os.Stdout)
}

// Test checks everything: format, linters, Go and front-end tests, the built module, and end to end where a Grafana is given.
func Test(ctx context.Context) error { return dev.Test(ctx, os.Stdout) }

// Build completes dist/ for this platform: front end, binary, plugin.json.
func Build(ctx context.Context) error { return dev.Build(ctx, os.Stdout) }

// Package makes a zip for each supported platform, and SHA256SUMS, in dist-packages/.
func Package(ctx context.Context) error { return dev.Package(ctx, os.Stdout) }

// E2e runs the end-to-end specs against GRAFANA_URL, or a Grafana that it starts from GRAFANA_HOME.
func E2e(ctx context.Context) error { return dev.EndToEnd(ctx, os.Stdout) }

// Screenshots writes docs/img/ from a real Grafana (GRAFANA_HOME or GRAFANA_URL).
func Screenshots(ctx context.Context) error { return dev.Screenshots(ctx, os.Stdout) }

// Bench runs every benchmark and keeps the output for benchstat.
func Bench(ctx context.Context) error { return dev.Bench(ctx, os.Stdout) }

// Fuzz runs every fuzz target for FUZZTIME (default 30s) each.
func Fuzz(ctx context.Context) error { return dev.Fuzz(ctx, os.Stdout) }

// Crash runs the crash and fault loops of the storage engine, verbosely and with more seeds.
func Crash(ctx context.Context) error { return dev.Crash(ctx, os.Stdout) }
