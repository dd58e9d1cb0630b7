package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/woodshed-logs/woodshed/pkg/cli"
	"github.com/woodshed-logs/woodshed/pkg/config"
)

// The exit codes of the command line.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

const serverUsage = `gpx_woodshed server runs the store and its listener in the foreground.

Usage:

  gpx_woodshed server --data DIR [--listen 127.0.0.1:3110] [--config FILE] [flags]

It ends with SIGINT or SIGTERM. Every flag can also be set in the file and in the environment; docs/configuration.md
has them all.

Flags:
`

// RunServer runs the server until SIGINT, SIGTERM or the end of ctx.
func RunServer(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	flags := config.RegisterFlags(set)
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, serverUsage+cli.FlagHelp(set))
		return exitOK
	} else if err != nil {
		fmt.Fprintf(stderr, "gpx_woodshed server: %v\nSee gpx_woodshed server --help.\n", err)
		return exitUsage
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "gpx_woodshed server: %q is not a flag; see gpx_woodshed server --help\n", set.Arg(0))
		return exitUsage
	}
	cfg, err := config.Load(config.Sources{Environ: os.Environ(), Open: openFile, Flags: flags})
	if err != nil {
		fmt.Fprintf(stderr, "gpx_woodshed server: %v\n", err)
		return exitUsage
	}
	if cfg.DataDir == "" {
		fmt.Fprintln(stderr, "gpx_woodshed server: say where the logs are to be: --data DIR")
		return exitUsage
	}
	return serve(ctx, cfg, stderr)
}

func serve(ctx context.Context, cfg config.Config, stderr io.Writer) int {
	if cfg.Listen != listenOff {
		if err := config.CheckListen(cfg.Listen, cfg.Insecure); err != nil {
			fmt.Fprintf(stderr, "gpx_woodshed server: %v\n", err)
			return exitUsage
		}
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		fmt.Fprintf(stderr, "gpx_woodshed server: %v\n", err)
		return exitError
	}
	level, err := cfg.SlogLevel()
	if err != nil {
		fmt.Fprintf(stderr, "gpx_woodshed server: %v\n", err)
		return exitUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	p, err := newProcess(cfg, nil, dir, nil, log)
	if err != nil {
		fmt.Fprintf(stderr, "gpx_woodshed server: %v\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p.start()
	<-ctx.Done()
	p.stop()
	return exitOK
}
