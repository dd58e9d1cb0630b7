package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// EndToEnd runs the end-to-end specs alone.
func EndToEnd(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	if err := s.buildAll(ctx); err != nil {
		return err
	}
	_ = s.step("end to end", func() error { return s.endToEnd(ctx) })
	return s.summary()
}

// Screenshots writes docs/img/ from a real Grafana.
func Screenshots(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	if err := s.buildAll(ctx); err != nil {
		return err
	}
	err := s.withGrafana(ctx, func(env []string) error {
		return s.exec(ctx, command{args: []string{"npm", "run", "--silent", "screenshots"}, env: env})
	})
	if errors.Is(err, errNoGrafana) {
		return fmt.Errorf("screenshots: %w", err)
	}
	return err
}

var errNoGrafana = errors.New("neither GRAFANA_URL nor GRAFANA_HOME is set, and no grafana is on PATH")

func (s *shop) endToEnd(ctx context.Context) error {
	err := s.withGrafana(ctx, func(env []string) error {
		return s.exec(ctx, command{args: []string{"npm", "run", "--silent", "e2e"}, env: env})
	})
	if errors.Is(err, errNoGrafana) {
		s.skip("end-to-end specs", err.Error())
		return nil
	}
	return err
}

// withGrafana gives f the environment of a Grafana: that of GRAFANA_URL, or a fresh one that ends with f.
func (s *shop) withGrafana(ctx context.Context, f func(env []string) error) error {
	g, found := findGrafana()
	url := os.Getenv("GRAFANA_URL")
	if url == "" && !found {
		return errNoGrafana
	}
	browser, err := s.chromium(ctx)
	if err != nil {
		return err
	}
	env := []string{"PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH=" + browser, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1"}
	if url != "" {
		if os.Getenv("WOODSHED_PUSH_URL") == "" {
			env = append(env, "WOODSHED_PUSH_URL=http://127.0.0.1:3110") // the default of a given Grafana's plugin
		}
		return f(env)
	}
	state, err := os.MkdirTemp("", "woodshed-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(state) }()
	port, err := freePort(ctx, 3330)
	if err != nil {
		return err
	}
	listenPort, err := freePort(ctx, 3310)
	if err != nil {
		return err
	}
	r := grafanaRun{state: state, port: port, listen: fmt.Sprintf("127.0.0.1:%d", listenPort)}
	log, err := os.Create(filepath.Join(state, "grafana.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	ctx, stop := context.WithCancel(ctx)
	ended, err := g.start(ctx, r, log)
	if err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		<-ended //nolint:errcheck // it was told to end
	}()
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := errors.Join(awaitHTTP(wait, r.url()+"/api/health", ended), awaitHTTP(wait, "http://"+r.listen+"/ready", ended)); err != nil {
		return err
	}
	start := time.Now()
	err = f(append(env, "GRAFANA_URL="+r.url(), "WOODSHED_PUSH_URL=http://"+r.listen))
	fmt.Fprintf(s.out, "end-to-end specs took %s against %s\n", time.Since(start).Round(time.Second), g.home)
	return err
}
