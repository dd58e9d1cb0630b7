package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// plugin is the binary under a host that behaves like Grafana, with a listener and a data directory of its own.
type plugin struct {
	*testkit.Host
	addr, url, dir string
	env            []string
}

func pluginEnv(addr, dir string) []string {
	return []string{"GF_PLUGIN_WOODSHED_LISTEN=" + addr, "GF_PLUGIN_WOODSHED_DATA_DIR=" + dir}
}

func startPlugin(t *testing.T) *plugin {
	t.Helper()
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"))
	p.waitReady(t)
	return p
}

func launchPlugin(t *testing.T, addr, dir string, more ...string) *plugin {
	t.Helper()
	p := &plugin{addr: addr, url: "http://" + addr, dir: dir, env: append(pluginEnv(addr, dir), more...)}
	p.Host = testkit.StartHost(t, p.env...)
	return p
}

var admin, viewer = testkit.PluginContext(1, "Admin", ""), testkit.PluginContext(1, "Viewer", "")

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (p *plugin) waitReady(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "plugin is healthy", func() error {
		h, err := p.Health(patience(t), admin)
		if err == nil && h.Status != backend.HealthStatusOk {
			err = errors.New(h.Message)
		}
		return err
	})
}

func (p *plugin) health(t *testing.T, pc backend.PluginContext) *backend.CheckHealthResult {
	t.Helper()
	h, err := p.Health(patience(t), pc)
	require.NoError(t, err)
	return h
}

// lines runs a log query and returns the bodies of its rows, oldest first.
func (p *plugin) lines(ctx context.Context, expr string) ([]string, error) {
	body, err := json.Marshal(map[string]any{"expr": expr, "direction": "forward", "maxLines": 5000})
	if err != nil {
		return nil, err
	}
	resp, err := p.Query(ctx, viewer, testkit.DataQuery("A", string(body)))
	if err != nil {
		return nil, err
	}
	answer := resp.Responses["A"]
	if answer.Error != nil {
		return nil, answer.Error
	}
	if len(answer.Frames) != 1 {
		return nil, fmt.Errorf("%d frames", len(answer.Frames))
	}
	field, _ := answer.Frames[0].FieldByName("body")
	if field == nil {
		return nil, errors.New("no field body")
	}
	lines := make([]string, field.Len())
	for n := range lines {
		lines[n], _ = field.At(n).(string)
	}
	return lines, nil
}

// wantLines waits until a query answers exactly these lines.
func (p *plugin) wantLines(t *testing.T, expr string, want []string) {
	t.Helper()
	testkit.Eventually(t, "the lines are found", func() error {
		got, err := p.lines(patience(t), expr)
		if err == nil && strings.Join(got, "\n") != strings.Join(want, "\n") {
			err = fmt.Errorf("%d lines instead of %d", len(got), len(want))
		}
		return err
	})
}

func (p *plugin) resource(t *testing.T, method, target string) (status int, body string) {
	t.Helper()
	r, err := p.Resource(patience(t), viewer, method, target)
	require.NoError(t, err)
	return r.Status, string(r.Body)
}

var (
	stderrLabels = labels.FromStrings("app", "api", "stream", "stderr")
	stdoutLabels = labels.FromStrings("app", "api", "stream", "stdout")
)

func TestPluginAnswersGrafana(t *testing.T) {
	p := startPlugin(t)
	now := time.Now().Add(-time.Minute)
	bad, good := testkit.Lines("bad", 20), testkit.Lines("good", 30)
	withMetadata := testkit.Stream(stderrLabels, now, bad...)
	withMetadata.Entries[0].StructuredMetadata = push.LabelsAdapter{{Name: "trace_id", Value: "abc"}}
	testkit.MustPush(t, p.url, "", withMetadata)
	status, text, err := testkit.Push(patience(t), p.url, "", testkit.ContentJSON,
		testkit.JSONBody(t, []labels.Labels{stdoutLabels}, testkit.Stream(stdoutLabels, now.Add(time.Second), good...)))
	require.NoError(t, err)
	require.Equal(t, 204, status, text)

	// What was acknowledged is visible at once: no waiting here.
	got, err := p.lines(patience(t), `{stream="stderr"}`)
	require.NoError(t, err)
	require.Equal(t, bad, got)
	got, err = p.lines(patience(t), `{app="api"} |= "good 0000"`)
	require.NoError(t, err)
	require.Equal(t, good, got)

	resp, err := p.Query(patience(t), viewer,
		testkit.DataQuery("A", `{"expr":"{app=\"api\"}","maxLines":7}`),
		testkit.DataQuery("B", `{"expr":"sum by (stream) (count_over_time({app=\"api\"}[1h]))","queryType":"instant"}`),
		testkit.DataQuery("C", `{"expr":"{app=\"nobody\"}"}`),
		testkit.DataQuery("D", `{"expr":"{app=\"api\"} |= oops"}`),
		testkit.DataQuery("log-volume-A", `{"expr":"sum by (level, detected_level) (count_over_time({app=\"api\"}[1m]))","supportingQueryType":"logsVolume","step":"1m"}`),
	)
	require.NoError(t, err)
	checkRows(t, resp.Responses["A"], now)
	require.Len(t, resp.Responses["B"].Frames, 2)
	for n, want := range []float64{20, 30} {
		value := resp.Responses["B"].Frames[n].Fields[1]
		require.Equal(t, want, value.At(0), value.Labels)
	}
	require.NoError(t, resp.Responses["C"].Error)
	require.Len(t, resp.Responses["C"].Frames, 1, "an empty answer is an empty frame")
	require.Zero(t, resp.Responses["C"].Frames[0].Rows())
	require.Equal(t, data.VisType(data.VisTypeLogs), resp.Responses["C"].Frames[0].Meta.PreferredVisualization)
	require.ErrorContains(t, resp.Responses["D"].Error, "parse error at line 1, col 16")
	require.Equal(t, backend.StatusBadRequest, resp.Responses["D"].Status)
	require.NotEmpty(t, resp.Responses["log-volume-A"].Frames)
	require.Equal(t, "info", resp.Responses["log-volume-A"].Frames[0].Fields[1].Labels["level"])
}

// checkRows holds the newest seven rows of the push above to the frame that Explore reads.
func checkRows(t *testing.T, answer backend.DataResponse, first time.Time) {
	t.Helper()
	require.NoError(t, answer.Error)
	require.Len(t, answer.Frames, 1)
	f := answer.Frames[0]
	require.Equal(t, data.FrameTypeLogLines, f.Meta.Type)
	require.Equal(t, 7, f.Rows())
	names := []string{}
	for _, field := range f.Fields {
		names = append(names, field.Name)
	}
	require.Equal(t, []string{"timestamp", "body", "severity", "id", "labels", "labelTypes"}, names)
	at, _ := f.Fields[0].At(0).(time.Time)
	require.True(t, first.Add(time.Second+29).Equal(at), "nanoseconds survive: %s", at)
	require.Contains(t, f.Fields[1].At(0), "good 000029")
	require.Equal(t, "info", f.Fields[2].At(0))
	require.NotEqual(t, f.Fields[3].At(0), f.Fields[3].At(1), "ids are unique")
	var set, types map[string]string
	labelSet, _ := f.Fields[4].At(0).(json.RawMessage)
	require.NoError(t, json.Unmarshal(labelSet, &set))
	require.Equal(t, "stdout", set["stream"])
	require.Equal(t, "info", set["detected_level"])
	labelTypes, _ := f.Fields[5].At(0).(json.RawMessage)
	require.NoError(t, json.Unmarshal(labelTypes, &types))
	require.Equal(t, "I", types["stream"])
	require.Equal(t, "S", types["detected_level"])
}

func TestPluginResources(t *testing.T) {
	p := startPlugin(t)
	now := time.Now()
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, now, "a"), testkit.Stream(stdoutLabels, now, "b", "c"))
	testkit.MustPush(t, p.url, "other", testkit.Stream(labels.FromStrings("secret", "yes"), now, "x"))
	is := func(target, want string) {
		t.Helper()
		status, body := p.resource(t, "GET", target)
		require.Equal(t, 200, status, body)
		require.JSONEq(t, want, body)
	}
	is("labels", `{"status":"success","data":["app","service_name","stream"]}`)
	is("label/stream/values", `{"status":"success","data":["stderr","stdout"]}`)
	is("label/stream/values?query="+url.QueryEscape(`{stream!="stderr"}`), `{"status":"success","data":["stdout"]}`)
	is("series?match[]="+url.QueryEscape(`{stream="stderr"}`), `{"status":"success","data":[{"app":"api","service_name":"api","stream":"stderr"}]}`)
	is("label/secret/values", `{"status":"success","data":[]}`)

	status, body := p.resource(t, "GET", "index/stats?query="+url.QueryEscape(`{app="api"}`))
	require.Equal(t, 200, status)
	var stats struct{ Streams, Entries uint64 }
	require.NoError(t, json.Unmarshal([]byte(body), &stats))
	require.EqualValues(t, 2, stats.Streams)
	require.EqualValues(t, 3, stats.Entries)

	for _, target := range []string{"push", "loki/api/v1/labels", "../labels", "flush", "config"} {
		status, _ = p.resource(t, "GET", target)
		require.Equal(t, 404, status, target)
	}
	status, _ = p.resource(t, "POST", "labels")
	require.Equal(t, 404, status)

	foreign, err := p.Resource(patience(t), testkit.PluginContext(1, "Admin", `{"tenant":"other"}`), "GET", "labels")
	require.NoError(t, err)
	require.Equal(t, 403, foreign.Status)
}

func TestPluginHealthAndMetrics(t *testing.T) {
	p := startPlugin(t)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), testkit.Lines("x", 5)...))
	h := p.health(t, admin)
	require.Contains(t, h.Message, "is running: 1 stream, 5 lines, ")
	require.Contains(t, h.Message, "Listening on "+p.addr+".")
	require.Contains(t, string(h.JSONDetails), p.dir)

	h = p.health(t, viewer)
	require.NotContains(t, h.Message+string(h.JSONDetails), p.dir, "paths are for Admins")
	metrics, err := p.Metrics(patience(t), admin)
	require.NoError(t, err)
	require.Contains(t, metrics, "woodshed_")
}

// TestInsecureListenerStaysClosed: the network could reach it, and nothing guards it.
func TestInsecureListenerStaysClosed(t *testing.T) {
	port := testkit.FreePort(t)
	p := launchPlugin(t, fmt.Sprintf("0.0.0.0:%d", port), filepath.Join(t.TempDir(), "logs"))
	testkit.Eventually(t, "health names the keys", func() error {
		h := p.health(t, viewer)
		if h.Status != backend.HealthStatusError || !strings.Contains(h.Message, "woodshed_insecure") {
			return errors.New(h.Message)
		}
		return nil
	})
	got, err := p.lines(patience(t), `{app="api"}`)
	require.NoError(t, err, "queries go on")
	require.Empty(t, got)
	_, err = new(net.Dialer).DialContext(patience(t), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.Error(t, err)

	open := launchPlugin(t, fmt.Sprintf("0.0.0.0:%d", port), filepath.Join(t.TempDir(), "logs"), "GF_PLUGIN_WOODSHED_INSECURE=true")
	open.waitReady(t)
	testkit.MustPush(t, fmt.Sprintf("http://127.0.0.1:%d", port), "", testkit.Stream(stderrLabels, time.Now(), "x"))
	require.Contains(t, open.health(t, viewer).Message, "insecure is set")
}

// TestServerRefusesAnInsecureListener in the same words, and ends with the code of a wrong command line.
func TestServerRefusesAnInsecureListener(t *testing.T) {
	s := testkit.LaunchServer(t, "--listen", fmt.Sprintf("0.0.0.0:%d", testkit.FreePort(t)))
	require.Equal(t, 2, s.Wait(t))
	require.Contains(t, s.Output(), "woodshed_insecure = true in grafana.ini (--insecure on the command line)")
}

func TestServerKeepsWhatItStops(t *testing.T) {
	s := testkit.StartServer(t)
	testkit.MustPush(t, s.URL, "", testkit.Stream(stderrLabels, time.Now(), "kept"))
	require.Equal(t, 0, s.Stop(t))
	p := launchPlugin(t, testkit.FreeAddr(t), s.DataDir) // the same store, as a plugin
	p.wantLines(t, `{app="api"}`, []string{"kept"})
}

// TestTenantsComeFromTheProcess checks the whole way from grafana.ini's key to the rows.
func TestTenantsComeFromTheProcess(t *testing.T) {
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"),
		"GF_PLUGIN_WOODSHED_ORG_TENANTS=1=red,blue", "GF_PLUGIN_WOODSHED_AUTH_ENABLED=true")
	p.waitReady(t)
	for _, tenant := range []string{"red", "blue", "green"} {
		testkit.MustPush(t, p.url, tenant, testkit.Stream(stderrLabels, time.Now(), tenant))
	}
	status, text, err := testkit.Push(patience(t), p.url, "", testkit.ContentProtobuf, testkit.ProtobufBody(t, testkit.Stream(stderrLabels, time.Now(), "x")))
	require.NoError(t, err)
	require.Equal(t, 401, status)
	require.Contains(t, text, "no org id")

	read := func(pc backend.PluginContext) backend.DataResponse {
		t.Helper()
		resp, err := p.Query(patience(t), pc, testkit.DataQuery("A", `{"expr":"{app=\"api\"}"}`))
		require.NoError(t, err)
		return resp.Responses["A"]
	}
	for jsonData, want := range map[string]string{"": "red", `{"tenant":"blue"}`: "blue"} {
		answer := read(testkit.PluginContext(1, "Viewer", jsonData))
		require.NoError(t, answer.Error)
		require.Equal(t, 1, answer.Frames[0].Rows())
		require.Equal(t, want, answer.Frames[0].Fields[1].At(0))
	}
	require.Equal(t, backend.StatusForbidden, read(testkit.PluginContext(1, "Admin", `{"tenant":"green"}`)).Status)
	require.Equal(t, backend.StatusForbidden, read(testkit.PluginContext(2, "Admin", "")).Status)
	h := p.health(t, testkit.PluginContext(2, "Admin", ""))
	require.Equal(t, backend.HealthStatusError, h.Status)
	require.Contains(t, h.Message, "woodshed_org_tenants does not list it")
}

// TestPluginWithoutADataDirectory: nobody said where, and the binary does not lie below a Grafana.
func TestPluginWithoutADataDirectory(t *testing.T) {
	t.Setenv("GF_PATHS_DATA", "")
	host := testkit.StartHost(t, "GF_PLUGIN_WOODSHED_LISTEN="+testkit.FreeAddr(t))
	h, err := host.Health(patience(t), admin)
	require.NoError(t, err)
	require.Equal(t, backend.HealthStatusError, h.Status)
	require.Contains(t, h.Message, "woodshed_data_dir")
	require.Equal(t, 1, host.Starts())
}

// TestFaultyConfigurationOpensNothing: with the defaults in its place another directory would be opened, and agents would find
// nobody at the address that they know.
func TestFaultyConfigurationOpensNothing(t *testing.T) {
	dir, addr := t.TempDir(), testkit.FreeAddr(t)
	host := testkit.StartHost(t, "GF_PLUGIN_WOODSHED_LISTEN="+addr, "GF_PLUGIN_WOODSHED_DATA_DIR="+dir, "GF_PLUGIN_WOODSHED_STORAGE_RETENTION_BYTES=much")
	h, err := host.Health(patience(t), admin)
	require.NoError(t, err)
	require.Equal(t, backend.HealthStatusError, h.Status)
	require.Contains(t, h.Message, "neither the logs nor the listener are opened: ")
	require.Contains(t, h.Message, "much")
	require.Contains(t, h.Message, "Mend it and restart Grafana.")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Equal(t, 1, host.Starts())
}

// TestDataDirectoryInGrafanasOwn: installed in Grafana's default place, the logs lie beside Grafana's own files.
func TestDataDirectoryInGrafanasOwn(t *testing.T) {
	t.Setenv("GF_PATHS_DATA", "")
	grafana := t.TempDir()
	home := filepath.Join(grafana, "data", "plugins", "woodshed-logs-datasource")
	require.NoError(t, os.MkdirAll(home, 0o750))
	binary := filepath.Join(home, "gpx_woodshed_linux_amd64")
	body, err := os.ReadFile(testkit.BuildBinary(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(binary, body, 0o755))
	host, err := testkit.NewHost(testkit.HostConfig{Binary: binary, Env: []string{"GF_PLUGIN_WOODSHED_LISTEN=" + testkit.FreeAddr(t)}})
	require.NoError(t, err)
	t.Cleanup(host.Kill)
	p := &plugin{Host: host}
	p.waitReady(t)
	require.DirExists(t, filepath.Join(grafana, "data", "woodshed-logs-datasource", "wal"))
	entries, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is written into the plugin's own directory")
}

// TestLargeMessages: Grafana sends up to 16 MiB and reads what it gets.
func TestLargeMessages(t *testing.T) {
	p := startPlugin(t)
	huge := `{"expr":"{app=\"api\"}","legendFormat":"` + strings.Repeat("x", 15<<20) + `"}`
	resp, err := p.Query(patience(t), viewer, testkit.DataQuery("A", huge))
	require.NoError(t, err)
	require.NoError(t, resp.Responses["A"].Error)

	now := time.Now().Add(-time.Minute)
	for n := range 6 {
		var lines []string
		for i := range 20 {
			lines = append(lines, fmt.Sprintf("%d %s", n*20+i, strings.Repeat("y", 200<<10)))
		}
		testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, now.Add(time.Duration(n)*time.Second), lines...))
	}
	resp, err = p.Query(patience(t), viewer, testkit.DataQuery("A", `{"expr":"{app=\"api\"}","maxLines":1000}`))
	require.NoError(t, err)
	require.NoError(t, resp.Responses["A"].Error)
	f := resp.Responses["A"].Frames[0]
	require.Less(t, f.Rows(), 120)
	require.Greater(t, f.Rows(), 70)
	custom, err := json.Marshal(f.Meta.Custom)
	require.NoError(t, err)
	require.Contains(t, string(custom), "of 120 lines: the answer reached 17 MB")
}

// TestAlertRulesSeeOnlyNumbers sends the header that Grafana's alerting sends.
func TestAlertRulesSeeOnlyNumbers(t *testing.T) {
	p := startPlugin(t)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), "x"))
	resp, err := p.QueryRequest(patience(t), &backend.QueryDataRequest{
		PluginContext: testkit.PluginContext(1, "", ""), Headers: map[string]string{"FromAlert": "true"},
		Queries: []backend.DataQuery{
			testkit.DataQuery("A", `{"expr":"{app=\"api\"}"}`),
			testkit.DataQuery("B", `{"expr":"sum(count_over_time({app=\"api\"}[1h]))","queryType":"instant"}`),
		},
	})
	require.NoError(t, err)
	require.ErrorContains(t, resp.Responses["A"].Error, "An alert rule needs numbers")
	require.NoError(t, resp.Responses["B"].Error)
	require.Equal(t, data.FrameTypeNumericMulti, resp.Responses["B"].Frames[0].Meta.Type)
}
