package tests

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

func loadCompose(t *testing.T, env []string, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join("..", "docker-compose.yaml")},
		cli.WithName("woodshed"), cli.WithEnv(env), cli.WithProfiles(profiles))
	require.NoError(t, err)
	project, err := options.LoadProject(context.Background())
	require.NoError(t, err)
	return project
}

func published(s types.ServiceConfig) map[uint32]string {
	out := map[uint32]string{}
	for _, p := range s.Ports {
		out[p.Target] = p.HostIP + ":" + p.Published
	}
	return out
}

func mounts(s types.ServiceConfig) map[string]types.ServiceVolumeConfig {
	out := map[string]types.ServiceVolumeConfig{}
	for _, v := range s.Volumes {
		out[v.Target] = v
	}
	return out
}

func TestComposeFile(t *testing.T) {
	p := loadCompose(t, nil)
	require.ElementsMatch(t, []string{"grafana", "alloy"}, p.ServiceNames())
	grafana, err := p.GetService("grafana")
	require.NoError(t, err)
	require.Regexp(t, `^grafana/grafana:12\.\d+\.\d+$`, grafana.Image)
	require.Equal(t, map[uint32]string{3000: "127.0.0.1:3000", 3110: "127.0.0.1:3110"}, published(grafana))

	env := grafana.Environment.Resolve(func(string) (string, bool) { return "", false })
	value := func(key string) string { require.NotNil(t, env[key], key); return *env[key] }
	require.Equal(t, "0.0.0.0:3110", value("GF_PLUGIN_WOODSHED_LISTEN"))
	require.Equal(t, "true", value("GF_PLUGIN_WOODSHED_INSECURE"))
	require.Equal(t, "woodshed-logs-datasource", value("GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS"))
	require.Equal(t, "admin", value("GF_SECURITY_ADMIN_PASSWORD"))

	m := mounts(grafana)
	require.Equal(t, types.VolumeTypeVolume, m["/var/lib/grafana"].Type, "the logs live in a named volume")
	require.Contains(t, p.Volumes, m["/var/lib/grafana"].Source)
	require.Regexp(t, `^/var/lib/grafana/`, value("GF_PLUGIN_WOODSHED_DATA_DIR"))
	plugin := m["/var/lib/grafana/plugins/woodshed-logs-datasource"]
	require.Equal(t, "dist", filepath.Base(plugin.Source))
	require.True(t, plugin.ReadOnly)
	for target, v := range m {
		if v.Type == types.VolumeTypeBind && target != "/var/lib/grafana/plugins/woodshed-logs-datasource" {
			require.FileExists(t, v.Source)
		}
	}

	alloy, err := p.GetService("alloy")
	require.NoError(t, err)
	require.FileExists(t, mounts(alloy)["/etc/alloy/config.alloy"].Source)
	require.Contains(t, mounts(alloy), "/var/run/docker.sock")
	require.Empty(t, alloy.Ports)
}

func TestComposeVariablesAndProfile(t *testing.T) {
	p := loadCompose(t, []string{"GRAFANA_PORT=3001", "WOODSHED_PORT=3111", "GRAFANA_ADMIN_PASSWORD=secret", "PROMETHEUS_PORT=9191"}, "prometheus")
	require.ElementsMatch(t, []string{"grafana", "alloy", "prometheus"}, p.ServiceNames())
	grafana, err := p.GetService("grafana")
	require.NoError(t, err)
	require.Equal(t, map[uint32]string{3000: "127.0.0.1:3001", 3110: "127.0.0.1:3111"}, published(grafana))
	require.Equal(t, "secret", *grafana.Environment["GF_SECURITY_ADMIN_PASSWORD"])
	require.Contains(t, mounts(grafana), "/etc/grafana/provisioning/datasources/prometheus.yaml")
	prometheus, err := p.GetService("prometheus")
	require.NoError(t, err)
	require.Equal(t, map[uint32]string{9090: "127.0.0.1:9191"}, published(prometheus))
	require.FileExists(t, mounts(prometheus)["/etc/prometheus/prometheus.yml"].Source)
}
