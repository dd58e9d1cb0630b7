package tests

import (
	"archive/zip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/dev"
	"github.com/woodshed-logs/woodshed/internal/testkit"
)

const pluginID = "woodshed-logs-datasource"

// fakeDist is a dist/ with the real binary and plugin.json, and a binary of another platform that must stay out.
func fakeDist(t *testing.T) (dist, binary string) {
	t.Helper()
	dist = t.TempDir()
	binary = filepath.Join(dist, "gpx_woodshed_"+runtime.GOOS+"_"+runtime.GOARCH)
	for from, to := range map[string]string{
		testkit.BuildBinary(t):             binary,
		filepath.Join("..", "plugin.json"): filepath.Join(dist, "plugin.json"),
	} {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, b, 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dist, "img"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dist, "img", "logo.svg"), []byte("<svg/>"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dist, "gpx_woodshed_plan9_mips"), nil, 0o600))
	return dist, binary
}

// unzip does what Grafana and a person do: replace the plugin's folder with the archive's.
func unzip(t *testing.T, archive, plugins string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(plugins, pluginID)))
	r, err := zip.OpenReader(archive)
	require.NoError(t, err)
	defer r.Close()
	for _, f := range r.File {
		target := filepath.Join(plugins, filepath.FromSlash(f.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		src, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(src)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(target, b, f.Mode()))
	}
}

func TestPackageInstallsAndUpgrades(t *testing.T) {
	dist, binary := fakeDist(t)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.zip"), filepath.Join(dir, "2.zip")
	require.NoError(t, dev.ZipPlugin(first, dist, binary))
	require.NoError(t, os.WriteFile(filepath.Join(dist, "CHANGELOG.md"), []byte("second"), 0o600))
	require.NoError(t, dev.ZipPlugin(second, dist, binary))

	r, err := zip.OpenReader(first)
	require.NoError(t, err)
	defer r.Close()
	modes := map[string]fs.FileMode{}
	for _, f := range r.File {
		modes[f.Name] = f.Mode()
	}
	require.Equal(t, map[string]fs.FileMode{
		pluginID + "/" + filepath.Base(binary): 0o755, pluginID + "/plugin.json": 0o644, pluginID + "/img/logo.svg": 0o644,
	}, modes)

	grafana := t.TempDir()
	plugins := filepath.Join(grafana, "data", "plugins")
	require.NoError(t, os.MkdirAll(plugins, 0o755))
	unzip(t, first, plugins)
	addr := testkit.FreeAddr(t)
	launch := func() *testkit.Host {
		h, err := testkit.NewHost(testkit.HostConfig{
			Binary: filepath.Join(plugins, pluginID, filepath.Base(binary)),
			Env:    []string{"GF_PLUGIN_WOODSHED_LISTEN=" + addr}, // the data directory is left to the plugin's own choice
		})
		require.NoError(t, err)
		t.Cleanup(h.Kill)
		testkit.Eventually(t, "the listener to be ready", func() error {
			resp, err := http.Get("http://" + addr + "/ready")
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return &unready{resp.Status}
			}
			return nil
		})
		return h
	}
	h := launch()
	lines := testkit.Lines("kept over the upgrade", 100)
	now := time.Now().Add(-time.Minute)
	testkit.MustPush(t, "http://"+addr, "", testkit.Stream(labels.FromStrings("app", "upgrade"), now, lines...))
	require.DirExists(t, filepath.Join(grafana, "data", pluginID), "beside the plugins directory, not in it")
	h.Kill()

	unzip(t, second, plugins)
	require.FileExists(t, filepath.Join(plugins, pluginID, "CHANGELOG.md"))
	launch()
	values := queryRange(t, "http://"+addr, map[string][]string{"query": {`{app="upgrade"}`}, "direction": {"forward"}, "limit": {"1000"}})
	require.Len(t, values, len(lines))
	for i := range lines {
		require.Equal(t, lines[i], values[i][1])
	}
}

// TestPackageOfThisRepository packs what needs no front end: the texts, the pictures, plugin.json and a binary. What is left
// to complain of is what the build of the front end and mage's build of the binary add; `go tool mage test` checks all.
func TestPackageOfThisRepository(t *testing.T) {
	dist, binary := fakeDist(t)
	var meta struct {
		Info struct {
			Version     string
			Screenshots []struct{ Path string }
		}
		Includes []struct{ Type, Path string }
	}
	read := func(elem ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{".."}, elem...)...))
		require.NoError(t, err)
		return b
	}
	require.NoError(t, json.Unmarshal(read("package.json"), &meta.Info))
	text := strings.NewReplacer("%VERSION%", meta.Info.Version, "%TODAY%", time.Now().Format(time.DateOnly)).Replace(string(read("plugin.json")))
	require.NoError(t, json.Unmarshal([]byte(text), &meta))
	files := map[string][]byte{
		"plugin.json": []byte(text), "LICENSE": read("LICENSE"), "CHANGELOG.md": read("CHANGELOG.md"), "README.md": read("src", "README.md"),
		"img/logo.svg": read("src", "img", "logo.svg"),
	}
	for _, s := range meta.Info.Screenshots {
		files[s.Path] = read("src", filepath.FromSlash(s.Path))
	}
	for _, i := range meta.Includes {
		if i.Type == "dashboard" {
			files[i.Path] = read("src", filepath.FromSlash(i.Path))
		}
	}
	for name, data := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dist, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dist, name), data, 0o600))
	}
	archive := filepath.Join(t.TempDir(), "plugin.zip")
	require.NoError(t, dev.ZipPlugin(archive, dist, binary))
	err := dev.CheckPackage(t.Context(), archive, "..")
	require.Error(t, err, "there is no front end in it")
	for line := range strings.Lines(err.Error()) {
		rule, _, _ := strings.Cut(line, ": ")
		require.Contains(t, []string{"module.js", "source map", "go-manifest", "machine", "binaries"}, rule, line)
		require.True(t, rule != "binaries" || strings.Contains(line, "was built with"), line)
	}
}

type unready struct{ status string }

func (e *unready) Error() string { return e.status }
