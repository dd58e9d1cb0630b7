package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// restarted waits until the plugin was started again after a crash.
func (p *plugin) restarted(t *testing.T, starts int) {
	t.Helper()
	testkit.Eventually(t, "the plugin comes back", func() error {
		if p.Starts() <= starts {
			return fmt.Errorf("%d starts", p.Starts())
		}
		return nil
	})
}

// crash ends the plugin with a signal and waits until it runs again; when ready, until it answers.
func (p *plugin) crash(t *testing.T, signal syscall.Signal, ready bool) {
	t.Helper()
	starts := p.Starts()
	require.NoError(t, testkit.Signal(p.PID(), signal))
	p.restarted(t, starts)
	if ready {
		p.waitReady(t)
	}
}

// TestCrashLoop kills the plugin again and again while Grafana starts it every second, before and after it replayed:
// nothing is lost, nothing grows, and health tells.
func TestCrashLoop(t *testing.T) {
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"), "GF_PLUGIN_WOODSHED_WAL_SEGMENT_BYTES=4MB", "GF_PLUGIN_WOODSHED_PUSH_DECOMPRESSED_BYTES_MAX=2MB")
	p.waitReady(t)
	want := testkit.Lines("kept", 1000)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	p.crash(t, syscall.SIGKILL, true)
	p.crash(t, syscall.SIGKILL, true)
	require.NotContains(t, p.health(t, admin).Message, "without notice", "two are no loop")
	before := filesBelow(t, p.dir)

	const rounds = 6
	for n := range rounds {
		p.crash(t, syscall.SIGKILL, n%2 == 0)
	}
	p.waitReady(t)
	after := filesBelow(t, p.dir)
	require.Equal(t, before, after, "a crash leaves no file behind, and the log that is to be replayed does not grow")
	p.wantLines(t, `{app="api"}`, want)

	says := fmt.Sprintf("Woodshed ended without notice %d times in the last 10 minutes", rounds+2)
	h := p.health(t, admin)
	require.Equal(t, backend.HealthStatusOk, h.Status, "it answers")
	require.Contains(t, h.Message, says)
	require.Contains(t, h.Message, filepath.Join(p.dir, "crash.log"))
	h = p.health(t, viewer)
	require.Contains(t, h.Message, says)
	require.NotContains(t, h.Message+string(h.JSONDetails), p.dir)

	testkit.MustPush(t, p.url, "", testkit.Stream(stdoutLabels, time.Now(), "after"))
	p.wantLines(t, `{stream="stdout"}`, []string{"after"})
}

// filesBelow lists the files of a store with the sizes of those of the log. What grows a little by design has no size: a
// list of starts of bounded length.
func filesBelow(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it lives
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone since
		}
		if out[rel] = 0; strings.HasPrefix(rel, "wal") {
			out[rel] = info.Size()
		}
		return nil
	}))
	return out
}

// TestRuntimeCrashesAreKept: what the Go runtime says at its end is in crash.log, which is put aside when it is large.
func TestRuntimeCrashesAreKept(t *testing.T) {
	p := startPlugin(t)
	name := filepath.Join(p.dir, "crash.log")
	require.NoError(t, os.WriteFile(name, make([]byte, 1<<20+1), 0o600))
	p.crash(t, syscall.SIGABRT, true)
	info, err := os.Stat(name + ".old")
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(1<<20), "with the end of the process that filled it")
	kept, err := os.ReadFile(name + ".old")
	require.NoError(t, err)
	require.Contains(t, string(kept[1<<20:]), "SIGABRT")
	info, err = os.Stat(name)
	require.NoError(t, err)
	require.Zero(t, info.Size())
	p.crash(t, syscall.SIGABRT, true)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, string(text), "goroutine ")
	require.Less(t, len(text), 1<<20)
}
