package config

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestResolveDataDir(t *testing.T) {
	files := fstest.MapFS{
		"var/lib/grafana/plugins/woodshed-logs-datasource/gpx_woodshed_linux_amd64": {},
		"var/lib/grafana/file": {},
		"data/plugins/woodshed-logs-datasource/dist/gpx_woodshed":  {},
		"opt/woodshed/gpx_woodshed":                                {},
		"home/me/extra/woodshed-logs-datasource/dist/gpx_woodshed": {},
		"srv/plugins/gpx_woodshed":                                 {},
	}
	const installed = "/var/lib/grafana/plugins/woodshed-logs-datasource/gpx_woodshed_linux_amd64"
	place := func(exe, pathsData string) Place {
		return Place{
			Executable: exe,
			LookupEnv: func(name string) (string, bool) {
				return pathsData, name == "GF_PATHS_DATA" && pathsData != ""
			},
			Stat: func(name string) (fs.FileInfo, error) { return files.Stat(strings.TrimPrefix(name, "/")) },
		}
	}
	f := func(configured, exe, pathsData, want string) {
		t.Helper()
		got, err := ResolveDataDir(configured, place(exe, pathsData))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	f("/srv/logs/", installed, "", "/srv/logs")
	f("/srv/logs", installed, "/var/lib/grafana", "/srv/logs")
	f("", "/opt/woodshed/gpx_woodshed", "/var/lib/grafana", "/var/lib/grafana/woodshed-logs-datasource")
	f("", installed, "", "/var/lib/grafana/woodshed-logs-datasource")
	f("", installed, "/gone", "/var/lib/grafana/woodshed-logs-datasource")
	f("", installed, "data", "/var/lib/grafana/woodshed-logs-datasource") // relative to a directory nobody knows
	f("", "/data/plugins/woodshed-logs-datasource/dist/gpx_woodshed", "", "/data/woodshed-logs-datasource")

	refuse := func(configured, exe, want string) {
		t.Helper()
		_, err := ResolveDataDir(configured, place(exe, ""))
		require.ErrorIs(t, err, ErrNoDataDir)
		require.ErrorContains(t, err, want)
	}
	refuse("logs", installed, "absolute path")
	refuse("/var/lib/grafana/plugins/woodshed-logs-datasource/data", installed, "empties when it updates")
	refuse("/var/lib/grafana/plugins/woodshed-logs-datasource", installed, "empties when it updates")
	refuse("/var/lib/grafana/file", installed, "is a file")
	refuse("", "/opt/woodshed/gpx_woodshed", "set woodshed_data_dir in the [plugin.woodshed-logs-datasource] section")
	refuse("", "/home/me/extra/woodshed-logs-datasource/dist/gpx_woodshed", "set woodshed_data_dir")
	refuse("", "", "set woodshed_data_dir")
	refuse("", "gpx_woodshed", "set woodshed_data_dir")
	refuse("/var/lib/grafana/plugins/woodshed-logs-datasource2", installed, "inside the plugins directory")
	f("/var/lib/grafana/plugins2", installed, "", "/var/lib/grafana/plugins2")
	f("/opt/woodshed2", "/opt/woodshed/gpx_woodshed", "", "/opt/woodshed2")
}

func TestAutoMemoryLimit(t *testing.T) {
	f := func(files map[string]string, want Bytes) {
		t.Helper()
		root := fstest.MapFS{}
		for name, text := range files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		require.Equal(t, want, AutoMemoryLimit(root))
	}
	const gib = 1 << 30
	meminfo := "MemTotal:       16777216 kB\nMemFree: 1 kB\n" // 16 GiB
	f(nil, 256<<20)
	f(map[string]string{"proc/meminfo": meminfo}, 4*gib)
	f(map[string]string{"proc/meminfo": "MemTotal: lots kB\n"}, 256<<20)
	f(map[string]string{"proc/meminfo": "MemTotal: 524288 kB\n"}, 256<<20)
	f(map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "max\n"}, 4*gib)
	f(map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "8589934592\n"}, 2*gib)
	f(map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 4*gib)
	unit := map[string]string{
		"proc/meminfo": meminfo, "proc/self/cgroup": "1:name=x:/old\n0::/system.slice/grafana-server.service\n",
		"sys/fs/cgroup/system.slice/grafana-server.service/memory.max": "max\n",
		"sys/fs/cgroup/system.slice/memory.max":                        "4294967296\n",
	}
	f(unit, gib)
	unit["sys/fs/cgroup/system.slice/grafana-server.service/memory.max"] = "2147483648"
	f(unit, gib/2)
}
