package tests

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// TestHandshakeComesFirst launches the plugin over a data directory that another process owns: the store cannot open,
// and Grafana's boot must not notice.
func TestHandshakeComesFirst(t *testing.T) {
	owner := testkit.StartServer(t)
	began := time.Now()
	p := launchPlugin(t, testkit.FreeAddr(t), owner.DataDir)
	require.Less(t, time.Since(began), 30*time.Second, "Grafana gives up after a minute")
	testkit.Eventually(t, "health names the owner", func() error {
		h := p.health(t, admin)
		if h.Status != backend.HealthStatusError || !strings.Contains(h.Message, fmt.Sprint(owner.PID())) {
			return errors.New(h.Message)
		}
		return nil
	})
	_, err := p.lines(patience(t), `{app="api"}`)
	require.Error(t, err, "queries are answered too, with what is wrong")
	require.Equal(t, 1, p.Starts(), "the plugin must not exit")

	owner.Kill9()
	p.waitReady(t)
	require.Equal(t, 1, p.Starts())
}

func TestPluginSurvivesKill9(t *testing.T) {
	p := startPlugin(t)
	want := testkit.Lines("kept", 100)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	for round := 1; round <= 2; round++ {
		pid := p.PID()
		require.NoError(t, p.Kill9())
		testkit.Eventually(t, "the plugin is gone", testkit.Gone(pid))
		p.wantLines(t, `{app="api"}`, want)
		require.NotEqual(t, pid, p.PID())
		require.Equal(t, round+1, p.Starts())
	}
	more := testkit.Lines("more", 3)
	p.waitReady(t)
	testkit.MustPush(t, p.url, "", testkit.Stream(stdoutLabels, time.Now(), more...))
	p.wantLines(t, `{stream="stdout"}`, more)
}

// TestPluginStopsOnSIGTERM: systemd sends it to every process of Grafana's unit.
func TestPluginStopsOnSIGTERM(t *testing.T) {
	addr, dir := testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs")
	host, err := testkit.NewHost(testkit.HostConfig{Binary: testkit.BuildBinary(t), Env: pluginEnv(addr, dir)})
	require.NoError(t, err)
	t.Cleanup(host.Kill)
	p := &plugin{Host: host, url: "http://" + addr}
	p.waitReady(t)
	want := testkit.Lines("kept", 10)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	require.NoError(t, testkit.Signal(p.PID(), syscall.SIGTERM))
	testkit.Eventually(t, "the plugin is gone", testkit.Gone(p.PID()))
	p.Kill()
	require.Equal(t, 0, p.ExitCode(), "it ended by itself, not by the signal")

	again := launchPlugin(t, addr, dir)
	again.wantLines(t, `{app="api"}`, want)
}

// TestPluginIgnoresSIGINT: Ctrl-C in a terminal reaches the whole group, and Grafana then stops the plugin by itself.
func TestPluginIgnoresSIGINT(t *testing.T) {
	p := startPlugin(t)
	require.NoError(t, testkit.Signal(p.PID(), syscall.SIGINT))
	for range 20 {
		require.Equal(t, backend.HealthStatusOk, p.health(t, admin).Status)
	}
	require.Equal(t, 1, p.Starts())
}

// TestShutdownIsQuick: Grafana allows two seconds from its Shutdown call to the end, with pushes and queries under way.
func TestShutdownIsQuick(t *testing.T) {
	p := startPlugin(t)
	want := testkit.Lines("kept", 1000)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	pid := p.PID()
	began := time.Now()
	p.Kill()
	took := time.Since(began)
	require.Less(t, took, 2*time.Second)
	require.Equal(t, 0, p.ExitCode(), "the plugin ended by itself")
	require.False(t, testkit.Alive(pid))
	t.Logf("stopped in %s", took)

	again := launchPlugin(t, p.addr, p.dir)
	again.wantLines(t, `{app="api"}`, want)
}

// TestSecondProcessTakesOver is an upgrade, or a second Grafana: the newer process finds the directory and the port
// taken, stays, says so, and takes over when the older one is gone.
func TestSecondProcessTakesOver(t *testing.T) {
	first := startPlugin(t)
	want := testkit.Lines("kept", 10)
	testkit.MustPush(t, first.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	second := launchPlugin(t, first.addr, first.dir)
	testkit.Eventually(t, "health names the owner", func() error {
		h := second.health(t, admin)
		if h.Status != backend.HealthStatusError || !strings.Contains(h.Message, fmt.Sprint(first.PID())) {
			return errors.New(h.Message)
		}
		return nil
	})
	require.Equal(t, backend.HealthStatusOk, first.health(t, admin).Status, "the owner is not disturbed")
	first.Kill()
	second.waitReady(t)
	second.wantLines(t, `{app="api"}`, want)
	testkit.MustPush(t, second.url, "", testkit.Stream(stdoutLabels, time.Now(), "after"))
	require.Equal(t, 1, second.Starts())
}

// TestOrphanLeaves kills the host: the plugin must see that, or the next Grafana would find port and directory taken.
func TestOrphanLeaves(t *testing.T) {
	addr, dir := testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs")
	helper := testkit.StartHelper(t, nil, pluginEnv(addr, dir)...)
	testkit.Eventually(t, "plugin is healthy", func() error {
		if a := helper.Ask(t); !a.OK {
			return errors.New(a.Message + a.Err)
		}
		return nil
	})
	want := testkit.Lines("kept", 10)
	testkit.MustPush(t, "http://"+addr, "", testkit.Stream(stderrLabels, time.Now(), want...))
	t.Cleanup(func() { _ = testkit.Signal(helper.Plugin, syscall.SIGKILL) }) // should it not leave
	helper.Kill9()
	testkit.Eventually(t, "the orphan is gone", testkit.Gone(helper.Plugin))

	next := launchPlugin(t, addr, dir)
	next.wantLines(t, `{app="api"}`, want)
}

// TestPidOneIsALegalParent runs the host as pid 1 of a namespace, as Grafana is in its container image: the plugin must
// not take it for the reaper of orphans.
func TestPidOneIsALegalParent(t *testing.T) {
	unshare := []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if out, err := exec.CommandContext(t.Context(), unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		unshare = []string{"unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"}
		if more, err := exec.CommandContext(t.Context(), unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: this system does not allow pid namespaces, so a host with pid 1 was not tried: %s%s", out, more)
		}
	}
	helper := testkit.StartHelper(t, unshare, pluginEnv(testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"))...)
	require.Equal(t, 1, helper.Self)
	testkit.Eventually(t, "plugin is healthy", func() error {
		if a := helper.Ask(t); !a.OK {
			return errors.New(a.Message + a.Err)
		}
		return nil
	})
	// The parent is looked at once a second: three looks.
	for end := time.Now().Add(3500 * time.Millisecond); time.Now().Before(end); {
		a := helper.Ask(t)
		require.True(t, a.OK, a.Message+a.Err)
		require.Equal(t, helper.Plugin, a.Plugin)
		require.Equal(t, 1, a.Starts)
	}
}
