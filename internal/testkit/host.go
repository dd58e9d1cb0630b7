package testkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// restartEvery is how often Grafana looks whether a plugin has ended, and starts it again.
const restartEvery = time.Second

// ErrUnavailable is what Grafana answers while a plugin that ended has not come back.
var ErrUnavailable = errors.New("plugin unavailable")

// HostConfig says how to launch a plugin.
type HostConfig struct {
	Binary string
	// Env is what grafana.ini's section of the plugin becomes: GF_PLUGIN_WOODSHED_LISTEN=…
	Env []string
	// Dir is Grafana's working directory; "" = that of the test.
	Dir string
	// Restart starts a plugin that ended again, as Grafana does.
	Restart bool
}

// Host launches the binary as Grafana 12 and 13 do (pkg/plugins/backendplugin): go-plugin over gRPC without TLS, the
// environment of Grafana and of the plugin's section, the services data, resource, diagnostics and stream, a restart
// within a second of every end, and a stop that allows two seconds. It is safe for concurrent use.
type Host struct {
	cfg    HostConfig
	log    *output
	cancel context.CancelFunc
	kept   chan struct{} // closed when the restart loop has ended

	mu     sync.Mutex // guards the fields below; never held across a call of the plugin
	client *goplugin.Client
	cmd    *exec.Cmd
	starts int
}

// StartHost launches the binary with the variables in its environment, and restarts it whenever it ends.
func StartHost(tb testing.TB, env ...string) *Host {
	tb.Helper()
	h, err := NewHost(HostConfig{Binary: BuildBinary(tb), Env: env, Restart: true})
	if err != nil {
		tb.Fatalf("launch the plugin: %v", err)
	}
	tb.Cleanup(h.Kill)
	showOnFailure(tb, "plugin", h.log)
	return h
}

// NewHost launches a plugin and returns when it has shaken hands. The caller calls Kill.
func NewHost(cfg HostConfig) (*Host, error) {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Host{cfg: cfg, log: &output{}, cancel: cancel, kept: make(chan struct{})}
	if err := h.launch(); err != nil {
		cancel()
		return nil, fmt.Errorf("%w\n%s", err, h.log)
	}
	go h.keepAlive(ctx)
	return h, nil
}

// launch starts the process and waits for the handshake.
func (h *Host) launch() error {
	cmd := exec.CommandContext(context.Background(), h.cfg.Binary) // Kill ends it, in Grafana's way
	cmd.Dir = h.cfg.Dir
	// go-plugin appends the process's own environment and its own variables; the last of equal names wins.
	cmd.Env = append([]string{"GF_VERSION=12.2.0", "GF_EDITION=Open Source", "GF_ENTERPRISE_LICENSE_PATH=", "GF_ENTERPRISE_APP_URL=http://localhost:3000/"}, h.cfg.Env...)
	client := goplugin.NewClient(&goplugin.ClientConfig{
		Cmd: cmd,
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{grpcplugin.ProtocolVersion: {
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
			"resource":    &grpcplugin.ResourceGRPCPlugin{},
			"data":        &grpcplugin.DataGRPCPlugin{},
			"stream":      &grpcplugin.StreamGRPCPlugin{},
		}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "host", Level: hclog.Debug, Output: h.log}),
	})
	if _, err := client.Client(); err != nil {
		client.Kill()
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.client, h.cmd = client, cmd
	h.starts++
	return nil
}

// keepAlive restarts the plugin until Kill.
func (h *Host) keepAlive(ctx context.Context) {
	defer close(h.kept)
	tick := time.NewTicker(restartEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.Lock()
		client := h.client
		h.mu.Unlock()
		if !h.cfg.Restart || !client.Exited() {
			continue
		}
		client.Kill() // frees what belongs to the process that ended
		if err := h.launch(); err != nil {
			_, _ = fmt.Fprintf(h.log, "host: restart failed: %v\n", err)
		}
	}
}

// PID is the process id of the plugin that runs, or ran last.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cmd.Process.Pid
}

// Starts counts how often the plugin was started.
func (h *Host) Starts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts
}

// Log returns what plugin and host logged.
func (h *Host) Log() string { return h.log.String() }

// Kill9 kills the plugin as kill -9 does.
func (h *Host) Kill9() error { return Signal(h.PID(), syscall.SIGKILL) }

// Kill stops the plugin as Grafana does when it stops: the Shutdown call, two seconds, SIGKILL. The plugin is not
// started again. It may be called more than once.
func (h *Host) Kill() {
	h.cancel()
	<-h.kept
	h.mu.Lock()
	client := h.client
	h.mu.Unlock()
	client.Kill()
}

// ExitCode is that of the plugin after Kill; -1 when it had to be killed.
func (h *Host) ExitCode() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cmd.ProcessState.ExitCode()
}

func (h *Host) dispense(service string) (any, error) {
	h.mu.Lock()
	client := h.client
	h.mu.Unlock()
	if client.Exited() {
		return nil, ErrUnavailable
	}
	rpc, err := client.Client()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return rpc.Dispense(service)
}

// Query sends queries as one request of Explore or a panel.
func (h *Host) Query(ctx context.Context, pluginCtx backend.PluginContext, queries ...backend.DataQuery) (*backend.QueryDataResponse, error) {
	return h.QueryRequest(ctx, &backend.QueryDataRequest{PluginContext: pluginCtx, Queries: queries})
}

// QueryRequest sends a whole request, with headers.
func (h *Host) QueryRequest(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	service, err := h.dispense("data")
	if err != nil {
		return nil, err
	}
	resp, err := service.(grpcplugin.DataClient).QueryData(ctx, backend.ToProto().QueryDataRequest(req))
	if err != nil {
		return nil, err
	}
	return backend.FromProto().QueryDataResponse(resp)
}

// Resource calls a resource; target is the path with parameters.
func (h *Host) Resource(ctx context.Context, pluginCtx backend.PluginContext, method, target string) (*backend.CallResourceResponse, error) {
	service, err := h.dispense("resource")
	if err != nil {
		return nil, err
	}
	path, _, _ := strings.Cut(target, "?")
	req := &backend.CallResourceRequest{PluginContext: pluginCtx, Method: method, Path: path, URL: target}
	stream, err := service.(grpcplugin.ResourceClient).CallResource(ctx, backend.ToProto().CallResourceRequest(req))
	if err != nil {
		return nil, err
	}
	var whole *backend.CallResourceResponse
	for { // the first message has status and headers, and large bodies come in several
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if whole == nil {
				return nil, errors.New("the resource answered nothing")
			}
			return whole, nil
		}
		if err != nil {
			return nil, err
		}
		r := backend.FromProto().CallResourceResponse(part)
		if whole == nil {
			whole = r
		} else {
			whole.Body = append(whole.Body, r.Body...)
		}
	}
}

// Health is Save & test.
func (h *Host) Health(ctx context.Context, pluginCtx backend.PluginContext) (*backend.CheckHealthResult, error) {
	service, err := h.dispense("diagnostics")
	if err != nil {
		return nil, err
	}
	resp, err := service.(grpcplugin.DiagnosticsClient).CheckHealth(ctx, &pluginv2.CheckHealthRequest{PluginContext: backend.ToProto().PluginContext(pluginCtx)})
	if err != nil {
		return nil, err
	}
	return backend.FromProto().CheckHealthResponse(resp), nil
}

// Metrics returns what Grafana serves at /metrics/plugins/ID.
func (h *Host) Metrics(ctx context.Context, pluginCtx backend.PluginContext) (string, error) {
	service, err := h.dispense("diagnostics")
	if err != nil {
		return "", err
	}
	resp, err := service.(grpcplugin.DiagnosticsClient).CollectMetrics(ctx, backend.ToProto().CollectMetricsRequest(&backend.CollectMetricsRequest{PluginContext: pluginCtx}))
	if err != nil {
		return "", err
	}
	return string(resp.GetMetrics().GetPrometheus()), nil
}

// PluginContext is that of a data source in organisation org, asked by somebody with the role; "" = nobody, as in alert
// rules.
func PluginContext(org int64, role, jsonData string) backend.PluginContext {
	if jsonData == "" {
		jsonData = "{}"
	}
	// The SDK keeps an instance for an id until its settings change: other settings are another data source here.
	id := org<<32 | int64(crc32.ChecksumIEEE([]byte(jsonData)))
	pc := backend.PluginContext{
		OrgID: org, PluginID: "woodshed-logs-datasource", PluginVersion: "0.0.0", //nolint:staticcheck // what Grafana 12 fills
		DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{
			ID: id, UID: fmt.Sprintf("woodshed-%x", id), Name: "Woodshed", Type: "woodshed-logs-datasource",
			JSONData: json.RawMessage(jsonData), DecryptedSecureJSONData: map[string]string{}, Updated: time.Unix(1, 0),
		},
	}
	if role != "" {
		pc.User = &backend.User{Login: "someone", Name: "Someone", Email: "someone@example.com", Role: role}
	}
	return pc
}

// DataQuery is one query over the time around now: the last hour and the next minute.
func DataQuery(refID, body string) backend.DataQuery {
	now := time.Now()
	return backend.DataQuery{
		RefID: refID, JSON: json.RawMessage(body), MaxDataPoints: 1000, Interval: 15 * time.Second,
		TimeRange: backend.TimeRange{From: now.Add(-time.Hour), To: now.Add(time.Minute)},
	}
}
