package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// ErrNoDataDir marks a plugin process that found no place for its logs.
var ErrNoDataDir = errors.New("no data directory")

// Place is what the choice of a plugin's data directory depends on.
type Place struct {
	LookupEnv  func(name string) (string, bool)
	Executable string // absolute path of the running binary
	Stat       func(name string) (fs.FileInfo, error)
}

// ResolveDataDir chooses the data directory of a plugin process: the configured one, else one named after the plugin in
// Grafana's data directory, which GF_PATHS_DATA names in Grafana's container image and which is two levels above the
// plugin's own directory with Grafana's default of data/plugins. It never chooses a place inside the plugin's directory
// or the plugins directory: Grafana empties the first on update and serves its files without login, and searches the second.
func ResolveDataDir(configured string, p Place) (string, error) {
	home := pluginHome(p.Executable)
	if configured != "" {
		if !filepath.IsAbs(configured) {
			return "", fmt.Errorf("%w: woodshed_data_dir is %q; write an absolute path, for example /var/lib/grafana/%s", ErrNoDataDir, configured, PluginID)
		}
		dir := filepath.Clean(configured)
		if inside(dir, home) {
			return "", fmt.Errorf("%w: woodshed_data_dir is %s, inside the plugin's own directory, which Grafana empties when it updates the plugin; choose another place, for example /var/lib/grafana/%s",
				ErrNoDataDir, dir, PluginID)
		}
		if plugins := filepath.Dir(home); filepath.Base(plugins) == "plugins" && inside(dir, plugins) {
			return "", fmt.Errorf("%w: woodshed_data_dir is %s, inside the plugins directory, which Grafana searches for plugins; choose another place, for example /var/lib/grafana/%s",
				ErrNoDataDir, dir, PluginID)
		}
		if info, err := p.Stat(dir); err == nil && !info.IsDir() {
			return "", fmt.Errorf("%w: woodshed_data_dir is %s, which is a file", ErrNoDataDir, dir)
		}
		return dir, nil
	}
	if data, ok := p.LookupEnv("GF_PATHS_DATA"); ok && filepath.IsAbs(data) && isDir(p, data) {
		return filepath.Join(data, PluginID), nil
	}
	if plugins := filepath.Dir(home); home != "" && filepath.Base(plugins) == "plugins" && isDir(p, filepath.Dir(plugins)) {
		return filepath.Join(filepath.Dir(plugins), PluginID), nil
	}
	return "", fmt.Errorf("%w: set woodshed_data_dir in the [plugin.%s] section of grafana.ini, for example to /var/lib/grafana/%s, and restart Grafana",
		ErrNoDataDir, PluginID, PluginID)
}

// pluginHome returns the plugin's own directory: that of the binary, or its parent when the binary lies in dist, as it
// does when the project itself is installed. "" when the path is not known.
func pluginHome(executable string) string {
	if !filepath.IsAbs(executable) {
		return ""
	}
	dir := filepath.Dir(filepath.Clean(executable))
	if filepath.Base(dir) == "dist" {
		return filepath.Dir(dir)
	}
	return dir
}

func inside(dir, parent string) bool {
	return parent != "" && (dir == parent || strings.HasPrefix(dir, strings.TrimSuffix(parent, "/")+string(filepath.Separator)))
}

func isDir(p Place, name string) bool {
	info, err := p.Stat(name)
	return err == nil && info.IsDir()
}
