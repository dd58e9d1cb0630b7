package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// grafana is a Grafana server on this machine.
type grafana struct{ binary, home string }

// findGrafana looks at GRAFANA_HOME, then at `grafana` on PATH with the places where packages put its files.
func findGrafana() (grafana, bool) {
	if home := os.Getenv("GRAFANA_HOME"); home != "" {
		g := grafana{binary: filepath.Join(home, "bin", "grafana"), home: home}
		return g, exists(g.binary)
	}
	path, err := exec.LookPath("grafana")
	if err != nil {
		return grafana{}, false
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for _, home := range []string{filepath.Dir(filepath.Dir(path)), "/usr/share/grafana"} {
		if exists(filepath.Join(home, "conf", "defaults.ini")) {
			return grafana{binary: path, home: home}, true
		}
	}
	return grafana{}, false
}

// grafanaRun is one start of a Grafana with the plugin of dist/ and a provisioned datasource.
type grafanaRun struct {
	state     string // directory for its data; made when missing
	port      int
	listen    string // of the plugin's push listener
	anonymous bool   // nobody has to log in
}

func (r grafanaRun) url() string { return fmt.Sprintf("http://127.0.0.1:%d", r.port) }

// start launches Grafana. It ends with ctx; wait on the returned channel for its exit.
func (g grafana) start(ctx context.Context, r grafanaRun, out io.Writer) (<-chan error, error) {
	dist, err := filepath.Abs(distDir)
	if err != nil {
		return nil, err
	}
	state, err := filepath.Abs(r.state)
	if err != nil {
		return nil, err
	}
	plugins, provisioning := filepath.Join(state, "plugins"), filepath.Join(state, "provisioning")
	if err := prepareGrafanaState(dist, plugins, provisioning); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, g.binary, "server", "--homepath", g.home)
	cmd.Args = append(cmd.Args, r.settings(state, plugins, provisioning)...)
	cmd.Dir = g.home
	cmd.Env = append(os.Environ(), "GF_PLUGIN_WOODSHED_LISTEN="+r.listen,
		"GF_PLUGIN_WOODSHED_DATA_DIR="+filepath.Join(state, "woodshed"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", g.binary, err)
	}
	return whenEnded(cmd.Wait), nil
}

// whenEnded yields the result of wait once, and is closed then: whoever looks later sees the end too.
func whenEnded(wait func() error) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- wait()
		close(ended)
	}()
	return ended
}

func (r grafanaRun) settings(state, plugins, provisioning string) []string {
	cfg := []string{
		"cfg:paths.data=" + filepath.Join(state, "data"), "cfg:paths.logs=" + filepath.Join(state, "log"),
		"cfg:paths.plugins=" + plugins, "cfg:paths.provisioning=" + provisioning,
		"cfg:server.http_addr=127.0.0.1", "cfg:server.http_port=" + strconv.Itoa(r.port),
		"cfg:plugins.allow_loading_unsigned_plugins=" + pluginID,
		// Nothing may be fetched: neither the preinstalled apps nor keys, news and update checks.
		"cfg:plugins.preinstall_disabled=true", "cfg:plugins.public_key_retrieval_disabled=true",
		"cfg:analytics.reporting_enabled=false", "cfg:analytics.check_for_updates=false",
		"cfg:analytics.check_for_plugin_updates=false", "cfg:news.news_feed_enabled=false",
		"cfg:log.level=warn",
		// The specs share one session. Its cookie must not be replaced in one of them, which is each its own browser.
		"cfg:auth.token_rotation_interval_minutes=1440",
	}
	if r.anonymous {
		cfg = append(cfg, "cfg:auth.anonymous.enabled=true", "cfg:auth.anonymous.org_role=Admin")
	}
	return cfg
}

// prepareGrafanaState installs dist/ as a person would, by copying it, and the provisioned datasource. A link would not do:
// the data directory may not lie inside the plugin's own, which the link would make the project's.
func prepareGrafanaState(dist, plugins, provisioning string) error {
	installed := filepath.Join(plugins, pluginID)
	if err := os.RemoveAll(installed); err != nil {
		return err
	}
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		return err
	}
	if err := os.CopyFS(installed, os.DirFS(dist)); err != nil {
		return fmt.Errorf("install the plugin: %w", err)
	}
	for _, empty := range []string{"dashboards", "plugins", "alerting"} { // Grafana complains of missing ones
		if err := os.MkdirAll(filepath.Join(provisioning, empty), 0o755); err != nil {
			return err
		}
	}
	target := filepath.Join(provisioning, "datasources")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	yaml, err := os.ReadFile(filepath.Join("provisioning", "datasources", "woodshed.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(target, "woodshed.yaml"), yaml, 0o644)
}

// awaitHTTP polls url until it answers 200, the process ends, or ctx does.
func awaitHTTP(ctx context.Context, url string, ended <-chan error) error {
	client := http.Client{Timeout: 2 * time.Second}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		last := ""
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err != nil {
			last = err.Error()
		} else {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			last = resp.Status
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the process ended before %s answered: %w", url, errors.Join(err, errors.New(last)))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last: %s)", url, ctx.Err(), last)
		case <-tick.C:
		}
	}
}

// freePort returns the first port from start on which 127.0.0.1 lets us listen.
func freePort(ctx context.Context, start int) (int, error) {
	var lc net.ListenConfig
	for port := start; port < start+200; port++ {
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1", start, start+199)
}

// exploreURL opens Explore on the provisioned datasource with expr over the last hour.
func exploreURL(base, expr string) string {
	quoted := strings.ReplaceAll(strings.ReplaceAll(expr, `\`, `\\`), `"`, `\"`)
	pane := fmt.Sprintf(`{"woodshed":{"datasource":"woodshed","queries":[{"refId":"A","expr":"%s","datasource":{"type":"%s","uid":"woodshed"}}],"range":{"from":"now-1h","to":"now"}}}`, quoted, pluginID)
	return base + "/explore?schemaVersion=1&panes=" + queryEscape(pane)
}
