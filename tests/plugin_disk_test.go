//go:build linux

package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
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

// smallStore makes a store reach the ends of its files soon.
var smallStore = []string{
	"GF_PLUGIN_WOODSHED_WAL_SEGMENT_BYTES=4MB", "GF_PLUGIN_WOODSHED_PUSH_DECOMPRESSED_BYTES_MAX=2MB", "GF_PLUGIN_WOODSHED_PUSH_BYTES_IN_FLIGHT=8MB",
	"GF_PLUGIN_WOODSHED_STORAGE_FLUSH_BYTES=8MB", "GF_PLUGIN_WOODSHED_STORAGE_FREE_SPACE_MIN=10MB",
}

// freeze makes a directory and all below it read-only, and returns what ends that. For root, whom permissions do not
// bind, it lays a read-only view over the directory: names are looked up in it from then on, while files that are open
// stay open, as after a file system turned read-only.
func freeze(t *testing.T, dir string) (thaw func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		setModes(t, dir, 0o500)
		thaw = func() { setModes(t, dir, 0o700) }
		t.Cleanup(thaw)
		return thaw
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("SKIPPED: nothing can be mounted here, and root may write everywhere: %v", err)
	}
	done := false
	thaw = func() {
		if !done {
			require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH))
		}
		done = true
	}
	t.Cleanup(thaw)
	require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
	return thaw
}

func setModes(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	}))
}

// refusal is what the system says in a directory that was frozen.
func refusal() string {
	if os.Geteuid() == 0 {
		return syscall.EROFS.Error()
	}
	return syscall.EACCES.Error()
}

func (p *plugin) healthSays(t *testing.T, who backend.PluginContext, words ...string) *backend.CheckHealthResult {
	t.Helper()
	var h *backend.CheckHealthResult
	testkit.Eventually(t, "health says so", func() error {
		h = p.health(t, who)
		for _, w := range words {
			if !strings.Contains(h.Message, w) {
				return fmt.Errorf("not %q: %s", w, h.Message)
			}
		}
		return nil
	})
	return h
}

// TestReadOnlyFromTheStart: the plugin shakes hands, says what is wrong to whom, and opens when it can.
func TestReadOnlyFromTheStart(t *testing.T) {
	first := startPlugin(t)
	want := testkit.Lines("kept", 10)
	testkit.MustPush(t, first.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	first.Kill()
	thaw := freeze(t, first.dir)

	p := launchPlugin(t, first.addr, first.dir)
	h := p.healthSays(t, admin, refusal(), first.dir)
	require.Equal(t, backend.HealthStatusError, h.Status)
	h = p.health(t, viewer)
	require.Contains(t, h.Message, "Admin sees here", "whom to ask")
	require.NotContains(t, h.Message+string(h.JSONDetails), first.dir)
	_, err := p.lines(patience(t), `{app="api"}`)
	require.Error(t, err)
	status, text, err := testkit.Push(patience(t), p.url, "", testkit.ContentProtobuf, testkit.ProtobufBody(t, testkit.Stream(stdoutLabels, time.Now(), "refused")))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status, text)
	require.Equal(t, 1, p.Starts())

	thaw()
	p.waitReady(t)
	p.wantLines(t, `{app="api"}`, want)
	require.Equal(t, 1, p.Starts())
}

// TestReadOnlyWhileRunning: pushes are refused with the reason once the log needs a new file, queries go on, and it heals.
func TestReadOnlyWhileRunning(t *testing.T) {
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"), smallStore...)
	p.waitReady(t)
	f := &filler{t: t, c: &client{number: 1, start: time.Now().Add(-time.Hour), noise: 400}, url: p.url}
	for range 5 {
		status, text := f.push()
		require.Equal(t, http.StatusNoContent, status, text)
	}
	thaw := freeze(t, p.dir)
	status, text := f.pushUntilRefused(500) // the open file of the log, and one that was prepared, have room
	require.Equal(t, http.StatusServiceUnavailable, status, text)
	require.Contains(t, text, refusal())
	f.requireAll()

	h := p.healthSays(t, admin, "Pushes are refused: the write-ahead log cannot be written since", refusal(), p.dir, "Queries go on")
	require.Equal(t, backend.HealthStatusOk, h.Status, "it answers queries")
	h = p.healthSays(t, viewer, "Pushes are refused: the write-ahead log cannot be written since", refusal(), "Queries go on")
	require.NotContains(t, h.Message+string(h.JSONDetails), p.dir)

	thaw()
	testkit.Eventually(t, "pushes are taken again", func() error {
		if status, text := f.push(); status != http.StatusNoContent {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	f.requireAll()
	p.healthSays(t, admin, "and works again")
	require.NoError(t, p.Kill9())
	p.restarted(t, 1)
	p.waitReady(t)
	f.requireAll()
}

// TestPluginOnAFullDisk is TestFullDisk as Grafana and its users see it.
func TestPluginOnAFullDisk(t *testing.T) {
	dir := smallDisk(t, 48)
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(dir, "logs"), smallStore...)
	p.waitReady(t)
	f := &filler{t: t, c: &client{number: 1, start: time.Now().Add(-time.Hour), noise: 400}, url: p.url}
	for range 5 {
		status, text := f.push()
		require.Equal(t, http.StatusNoContent, status, text)
	}
	hog := filepath.Join(dir, "hog")
	fill(t, hog)
	status, text := f.pushUntilRefused(500)
	require.Equal(t, http.StatusServiceUnavailable, status, text)
	for _, who := range []backend.PluginContext{admin, viewer} {
		p.healthSays(t, who, "Pushes are refused since", "are kept free (storage.free_space_min)", "Nothing is deleted, queries go on, and it heals by itself when there is room")
	}
	f.requireAll()

	require.NoError(t, p.Kill9()) // a crash loop on a full disk
	p.restarted(t, 1)
	p.waitReady(t)
	f.requireAll()
	status, _ = f.pushUntilRefused(500)
	require.Equal(t, http.StatusServiceUnavailable, status)

	require.NoError(t, os.Remove(hog))
	testkit.Eventually(t, "pushes are taken again", func() error {
		if status, text := f.push(); status != http.StatusNoContent {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	testkit.Eventually(t, "health is quiet", func() error {
		if h := p.health(t, admin); strings.Contains(h.Message, "Pushes are refused") {
			return errors.New(h.Message)
		}
		return nil
	})
	f.requireAll()
}
