package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

const (
	demoQuery        = `{namespace="shop", stream="stderr"}`
	demoHistoryLines = 3000
	startTimeout     = 3 * time.Minute // a Grafana's first start migrates its database
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// Run builds dist/ and runs the main job until ctx ends: a Grafana with the plugin, else Docker's, else the server alone.
func Run(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	if err := s.buildAll(ctx); err != nil {
		return err
	}
	var err error
	switch g, found := findGrafana(); {
	case found:
		err = s.runGrafana(ctx, g)
	case dockerReady(ctx):
		err = s.runCompose(ctx)
	default:
		fmt.Fprintln(out, "\nNo Grafana found (set GRAFANA_HOME, or put `grafana` on PATH) and no Docker: starting the server alone.")
		err = s.runServer(ctx)
	}
	if ctx.Err() != nil {
		fmt.Fprintln(out, "\nstopped")
		return nil //nolint:nilerr // the person asked for it
	}
	return err
}

// dockerReady reports whether an engine answers, within 5 s.
func dockerReady(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "info").Run() == nil &&
		exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil
}

func (s *shop) runGrafana(ctx context.Context, g grafana) error {
	port, err := freePort(ctx, 3000)
	if err != nil {
		return err
	}
	listenPort, err := freePort(ctx, 3110)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(stateDir, "grafana.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r := grafanaRun{
		state: filepath.Join(stateDir, "grafana"), port: port, anonymous: true,
		listen: fmt.Sprintf("127.0.0.1:%d", listenPort),
	}
	fmt.Fprintf(s.out, "\nStarting Grafana (%s) on port %d, its log is %s …\n", g.binary, port, log.Name())
	ended, err := g.start(ctx, r, log)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	base := "http://" + r.listen
	if err := errors.Join(awaitHTTP(wait, r.url()+"/api/health", ended), awaitHTTP(wait, base+"/ready", ended)); err != nil {
		return fmt.Errorf("%w (see %s)", err, log.Name())
	}
	return s.serveDemo(ctx, base, r.url(), ended)
}

func (s *shop) runServer(ctx context.Context) error {
	port, err := freePort(ctx, 3110)
	if err != nil {
		return err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.CommandContext(ctx, binaryPath(runtime.GOOS, runtime.GOARCH), "server", "--listen", listen, "--data", filepath.Join(stateDir, "server"))
	cmd.Stdout, cmd.Stderr = s.out, s.out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := whenEnded(cmd.Wait)
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	base := "http://" + listen
	if err := awaitHTTP(wait, base+"/ready", ended); err != nil {
		return err
	}
	return s.serveDemo(ctx, base, "", ended)
}

// serveDemo pushes demo logs, asks the first query, prints what to do next, and waits for the end.
func (s *shop) serveDemo(ctx context.Context, base, grafanaURL string, ended <-chan error) error {
	d := newDemo(base + "/loki/api/v1/push")
	if err := d.history(ctx, time.Now(), demoHistoryLines); err != nil {
		return fmt.Errorf("push demo logs: %w", err)
	}
	binary := binaryPath(runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(s.out, "\nFirst query: %s\n\n", demoQuery)
	if err := s.exec(ctx, cmdline(binary, "query", "--addr", base, "--limit", "5", demoQuery)); err != nil {
		return err
	}
	if grafanaURL != "" {
		fmt.Fprintf(s.out, "\nExplore:   %s\n", exploreURL(grafanaURL, `{namespace="shop"}`))
	}
	fmt.Fprintf(s.out, `
Push URL:  %[1]s/loki/api/v1/push   (for Promtail, Alloy, Fluent Bit, Vector)
Push one:  curl -sS -H 'Content-Type: application/json' %[1]s/loki/api/v1/push -d '{"streams":[{"stream":{"app":"hello"},"values":[["'$(date +%%s%%N)'","hello woodshed"]]}]}'
Read it:   %[2]s query --addr %[1]s '{app="hello"}'

Demo logs keep coming. Press Ctrl-C to stop.
`, base, binary)
	live, stop := context.WithCancel(ctx)
	liveDone := make(chan struct{})
	go func() { defer close(liveDone); d.live(live, s.out) }()
	err := <-ended // the child stops with ctx too
	stop()
	<-liveDone
	return err
}

func (s *shop) runCompose(ctx context.Context) error {
	if runtime.GOOS != "linux" { // the container is a Linux of this machine's architecture
		if err := s.step("binary for the container", func() error { return buildBinary("linux", runtime.GOARCH) }); err != nil {
			return err
		}
	}
	port, err := freePort(ctx, 3000)
	if err != nil {
		return err
	}
	listenPort, err := freePort(ctx, 3110)
	if err != nil {
		return err
	}
	env := []string{fmt.Sprintf("GRAFANA_PORT=%d", port), fmt.Sprintf("WOODSHED_PORT=%d", listenPort)}
	ended := whenEnded(func() error {
		return s.exec(ctx, command{args: []string{"docker", "compose", "up"}, env: env})
	})
	wait, cancel := context.WithTimeout(ctx, 10*time.Minute) // the first start pulls images
	defer cancel()
	base, grafanaURL := fmt.Sprintf("http://127.0.0.1:%d", listenPort), fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := errors.Join(awaitHTTP(wait, grafanaURL+"/api/health", ended), awaitHTTP(wait, base+"/ready", ended)); err != nil {
		return err
	}
	return s.serveDemo(ctx, base, grafanaURL, ended)
}
