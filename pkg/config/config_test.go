package config

import (
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// sources has a file "c.yaml" with the given text, an environment, and command line arguments (nil for a plugin).
func sources(t *testing.T, file string, environ []string, args []string) Sources {
	t.Helper()
	files := fstest.MapFS{"c.yaml": {Data: []byte(file)}}
	src := Sources{Environ: environ, Open: func(name string) (fs.File, error) { return files.Open(name) }}
	if args != nil {
		set := flag.NewFlagSet("server", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		src.Flags = RegisterFlags(set)
		require.NoError(t, set.Parse(args))
	}
	return src
}

const fromFile = EnvPrefix + "CONFIG_FILE=c.yaml"

func load1(t *testing.T, file string, environ []string, args []string) (Config, error) {
	t.Helper()
	return Load(sources(t, file, append(environ, fromFile), args))
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	require.NoError(t, c.Validate())
	require.Empty(t, c.Warnings())
	require.Equal(t, "127.0.0.1:3110", c.Listen)
	got, err := Load(Sources{})
	require.NoError(t, err)
	require.Equal(t, c, got)
}

func TestEachSourceWinsOverTheOneBefore(t *testing.T) {
	const file = "listen: 127.0.0.1:1\nstorage:\n  flush_bytes: 1MB\n  flush_age: 2h\nlog_level: warn\n"
	env := []string{"GF_PLUGIN_WOODSHED_LISTEN=127.0.0.1:2", "GF_PLUGIN_WOODSHED_STORAGE_FLUSH_BYTES=2MB", "PATH=/bin"}
	c, err := load1(t, file, env, []string{"--listen", "127.0.0.1:3"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", c.Listen)
	require.Equal(t, Bytes(2<<20), c.Storage.FlushBytes)
	require.Equal(t, Duration(2*time.Hour), c.Storage.FlushAge)
	require.Equal(t, "warn", c.LogLevel)
	require.Equal(t, Default().WAL, c.WAL)
	require.Equal(t, "c.yaml", c.ConfigFile)
}

func TestFlagNamesTheConfigFile(t *testing.T) {
	c, err := Load(sources(t, "log_level: debug\n", []string{EnvPrefix + "CONFIG_FILE=gone.yaml"}, []string{"--config", "c.yaml"}))
	require.NoError(t, err)
	require.Equal(t, "debug", c.LogLevel)
}

// TestEverySettingInEverySpelling sets every key by file, environment and flag and expects it to arrive.
func TestEverySettingInEverySpelling(t *testing.T) {
	values := map[string]string{
		"listen": "127.0.0.1:9", "data_dir": "/data", "insecure": "true", "auth_enabled": "true", "org_tenants": "1=a,b 7=c",
		"log_level": "error", "allowed_hosts": "logs.example,logs", "memory_limit": "1GB", "push.bytes_in_flight": "999MB", "push.decompressed_bytes_max": "7MB",
		"storage.flush_bytes": "3MB", "storage.flush_age": "3h", "storage.head_open_bytes": "5MB", "storage.chunk_idle": "6m",
		"wal.segment_bytes": "256MB", "wal.sync": "interval", "wal.sync_interval": "3s", "grafana.rows_max": "77",
		"grafana.response_bytes_max": "8MB", "grafana.stats_orgs": "1 3", "storage.retention_bytes": "100GB", "storage.free_space_min": "2GB", "storage.compaction": "false",
		"storage.open_blocks": "99", "storage.cache_bytes": "11MB", "query.memory_bytes_max": "12MB",
	}
	for _, s := range Settings() {
		if s.Key == "config_file" {
			continue
		}
		want, ok := values[s.Key]
		require.True(t, ok, "the test has no value for %s", s.Key)
		require.NotEqual(t, s.Default(), want, s.Key)

		file := s.Key + ": " + want
		if section, key, nested := strings.Cut(s.Key, "."); nested {
			file = section + ":\n  " + key + ": " + want
		}
		byFile, err := load1(t, file, nil, nil)
		require.NoError(t, err, s.Key)
		require.Equal(t, want, s.get(&byFile), s.Key)

		byEnv, err := Load(sources(t, "", []string{s.Env() + "=" + want}, nil))
		require.NoError(t, err, s.Key)
		require.Equal(t, want, s.get(&byEnv), s.Env())

		byFlag, err := Load(sources(t, "", nil, []string{"--" + s.Flag() + "=" + want}))
		require.NoError(t, err, s.Key)
		require.Equal(t, want, s.get(&byFlag), s.Flag())
	}
}

func TestEmptyVariableIsAbsent(t *testing.T) {
	c, err := Load(sources(t, "", []string{"GF_PLUGIN_WOODSHED_LISTEN=", "GF_PLUGIN_WOODSHED_INSECURE="}, nil))
	require.NoError(t, err)
	require.Equal(t, Default().Listen, c.Listen)
}

func TestUnknownVariableIsShown(t *testing.T) {
	c, err := Load(sources(t, "", []string{"GF_PLUGIN_WOODSHED_LISTN=x", "GF_PLUGIN_OTHER=y"}, nil))
	require.NoError(t, err)
	require.Equal(t, []string{"GF_PLUGIN_WOODSHED_LISTN (woodshed_listn in grafana.ini) is not a setting and was ignored (did you mean woodshed_listen?)."}, c.Warnings())
}

func TestBadInputs(t *testing.T) {
	f := func(file string, environ []string, want string) {
		t.Helper()
		c, err := load1(t, file, environ, nil)
		require.ErrorContains(t, err, want)
		require.Equal(t, Default(), c, "a failed load must leave the defaults")
	}
	f("listen: [", nil, "config file c.yaml: line 1")
	f("- a", nil, "line 1: expected keys with values")
	f("storage:\n  flush_byte: 1", nil, `line 2: unknown key "storage.flush_byte" (did you mean flush_bytes?)`)
	f("listne: x", nil, `line 1: unknown key "listne" (did you mean listen?)`)
	f("zzzzzzzzzzz: x", nil, `line 1: unknown key "zzzzzzzzzzz"`)
	f("listen: a\nserver:\n  http_listen_port: 3100", nil, `line 2: "server" belongs to Loki's own configuration and has no meaning in Woodshed (the address is listen); only limits_config`)
	f("schema_config: {}", nil, "Woodshed has one storage format")
	f("storage:\n  flush_bytes: many", nil, `line 2: "many" is not a size`)
	f("storage:\n  flush_bytes: [1]", nil, "line 2: expected a single value")
	f("storage: 3", nil, "line 1: cannot unmarshal")
	f("storage:\n  flush_age: soon", nil, "is not a duration")
	f("insecure: perhaps", nil, "line 1")
	f("listen: a\nlisten: b", nil, "already defined")
	f("a: 1\n---\nb: 2", nil, "more than one YAML document")
	f("&a [*a]", nil, "line 1")
	f("storage: &a\n  <<: *a\n", nil, "")
	f("log_level: loud", nil, `log_level: "loud" is none of`)
	f("listen: 3110", nil, `listen: "3110" is not an address`)
	f("listen: 127.0.0.1:99999", nil, "has no port between")
	f("memory_limit: 1MB", nil, "memory_limit: 1MB is less than 256MiB")
	f("push: {bytes_in_flight: 1MB}", nil, "the largest request could never pass")
	f("wal: {segment_bytes: 1}", nil, "wal.segment_bytes")
	f("wal: {sync: sometimes}", nil, `wal.sync: "sometimes" is none of`)
	f("wal: {sync: interval, sync_interval: 0s}", nil, "wal.sync_interval")
	f("grafana: {rows_max: 0}", nil, "grafana.rows_max")
	f("grafana: {response_bytes_max: 0}", nil, "grafana.response_bytes_max")
	f("storage: {retention_bytes: 1MB}", nil, "storage.retention_bytes: 1MB is less than 16MiB, so that every flush would remove what is there; 0 sets no limit")
	f("storage: {open_blocks: 0}", nil, "storage.open_blocks: 0 is not between 16 and 4000")
	f("storage: {open_blocks: 5000}", nil, "Grafana's service may have 10,000")
	f("storage: {compaction: sometimes}", nil, "line 1")
	f("storage: {delete_delay: 1h}", nil, `unknown key "storage.delete_delay"`)
	f("limits_config: {retention_period: 1h}", nil, "limits_config: retention_period: 1h is less than 24h")
	f("limits_config: {max_line_sise: 1}", nil, "max_line_size")
	f("limits_config:\n  ingestion_rate_mb: -1", nil, "limits_config: ingestion_rate_mb")
	f("overrides: {../x: {}}", nil, "overrides: invalid tenant ID")
	f("overrides:\n  a:\n    nonsense: 1", nil, "line 3")
	f("org_tenants: {0: a}", nil, "is not an organisation's id")
	f("org_tenants: {1: [a/b]}", nil, "unsupported character")
	f("org_tenants: [1]", nil, "expected a mapping")
	f("org_tenants: 1=a,", nil, "organisation 1: invalid tenant ID")
	f("listen: ${NOPE}", nil, "line 1: the environment has no NOPE")
	f("", []string{"GF_PLUGIN_WOODSHED_INSECURE=maybe"}, `GF_PLUGIN_WOODSHED_INSECURE (woodshed_insecure in grafana.ini): "maybe" is not a valid bool`)
	f("", []string{"GF_PLUGIN_WOODSHED_GRAFANA_ROWS_MAX=x"}, `"x" is not a valid int`)
	f("", []string{"GF_PLUGIN_WOODSHED_ORG_TENANTS=1:a"}, "write for example 1=fake,team-a 2=team-b")
	f("", []string{"GF_PLUGIN_WOODSHED_ORG_TENANTS=1=a 1=b"}, "listed twice")
	f(strings.Repeat("#", fileBytesMax+1), nil, "longer than 1MB")
}

func TestMissingFile(t *testing.T) {
	_, err := Load(sources(t, "", []string{EnvPrefix + "CONFIG_FILE=none.yaml"}, nil))
	require.EqualError(t, err, "config file none.yaml: file does not exist")
}

func TestBadFlag(t *testing.T) {
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	RegisterFlags(set)
	require.ErrorContains(t, set.Parse([]string{"--storage.flush-bytes=much"}), "is not a size")
}

func TestEmptyFilesAreDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n", "limits_config:\n", "overrides:\n", "org_tenants:\n"} {
		c, err := load1(t, text, nil, nil)
		require.NoError(t, err, "%q", text)
		require.Equal(t, Default().Storage, c.Storage)
		require.Equal(t, Default().Limits, c.Limits)
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "EMPTY": "", "INJECT": "x\nlisten: evil"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	f := func(in, want string) {
		t.Helper()
		got, err := Expand(in, lookup)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	f("", "")
	f("$A", "1")
	f("x${A}y$A.", "x1y1.")
	f("${B:2}", "2")
	f("${EMPTY:2}", "2")
	f("${EMPTY}", "")
	f("${B:}", "")
	f("${B:a:b}", "a:b")
	f("$$A $$", "$A $")
	f("^a.*$", "^a.*$")
	f("$1 ${1} ${", "$1 ${1} ${")
	f("a$|b", "a$|b")

	for _, bad := range []string{"$B", "${B}"} {
		_, err := Expand(bad, lookup)
		require.ErrorContains(t, err, "the environment has no B")
	}
}

func TestExpandInFile(t *testing.T) {
	env := []string{"PORT=9", "ROWS=12", "X=y\ninsecure: true", "YES=true"}
	c, err := load1(t, "listen: 127.0.0.1:${PORT}\ngrafana:\n  rows_max: $ROWS\nauth_enabled: ${YES}\ndata_dir: $X\n", env, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9", c.Listen)
	require.Equal(t, 12, c.Grafana.RowsMax)
	require.True(t, c.AuthEnabled)
	require.Equal(t, "y\ninsecure: true", c.DataDir)
	require.False(t, c.Insecure, "a variable must not add keys")
}

func TestLimitsAndOverrides(t *testing.T) {
	c, err := load1(t, "limits_config:\n  max_line_size: 1KB\n  split_queries_by_interval: 1h\noverrides:\n  big:\n    max_line_size: 2KB\n", nil, nil)
	require.NoError(t, err)
	o, err := c.TenantLimits()
	require.NoError(t, err)
	require.EqualValues(t, 1<<10, o.For("small").MaxLineSize)
	require.EqualValues(t, 2<<10, o.For("big").MaxLineSize)
	require.Len(t, c.Warnings(), 1)
	require.Contains(t, c.Warnings()[0], "split_queries_by_interval")
}

func TestWarnings(t *testing.T) {
	c, err := load1(t, "wal: {sync: \"off\"}\ninsecure: true\nlisten: 0.0.0.0:3110\n", nil, nil)
	require.NoError(t, err)
	require.Len(t, c.Warnings(), 2)
	require.Contains(t, c.Warnings()[0], "wal.sync is off")
	require.Contains(t, c.Warnings()[1], "everybody who reaches 0.0.0.0:3110")

	c, err = load1(t, "wal: {sync: interval, sync_interval: 5s}\ninsecure: true\n", nil, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"wal.sync is interval: a power cut can lose the last 5s of acknowledged pushes."}, c.Warnings(), "a loopback listener is nothing to warn of")
}

func TestCompactionOffIsShown(t *testing.T) {
	c, err := Load(sources(t, "", nil, []string{"--storage.compaction=false"}))
	require.NoError(t, err)
	require.Len(t, c.Warnings(), 1)
	require.Contains(t, c.Warnings()[0], "storage.compaction is off")
	c, err = Load(sources(t, "", []string{"GF_PLUGIN_WOODSHED_STORAGE_COMPACTION=false"}, []string{"--storage.compaction"}))
	require.NoError(t, err)
	require.True(t, c.Storage.Compaction)
}

func TestFreeSpaceGuard(t *testing.T) {
	f := func(set, disk, want Bytes) {
		t.Helper()
		s := Storage{FreeSpaceMin: set}
		require.Equal(t, want, s.FreeSpaceGuard(disk))
	}
	f(0, 1000<<30, 50<<30)
	f(0, 20<<30, 1<<30)
	f(0, 8<<30, 1<<30)
	f(0, 2<<30, 512<<20) // a quarter
	f(0, 0, 0)
	f(5<<30, 8<<30, 5<<30)
	f(1, 1000<<30, 1)
}

func TestTenantsOf(t *testing.T) {
	c := Default()
	require.Equal(t, []model.TenantID{"fake"}, c.TenantsOf(3))
	c.OrgTenants = OrgTenants{1: {"a", "b"}, 2: {}}
	require.Equal(t, []model.TenantID{"a", "b"}, c.TenantsOf(1))
	require.Empty(t, c.TenantsOf(2))
	require.Equal(t, []model.TenantID{"fake"}, c.TenantsOf(3))
	c.AuthEnabled = true
	require.Empty(t, c.TenantsOf(3))
	c.TenantsOf(1)[0] = "changed"
	require.Equal(t, model.TenantID("a"), c.OrgTenants[1][0], "callers get a copy")
}

func TestOrgTenantsForms(t *testing.T) {
	want := OrgTenants{1: {"fake", "team-a"}, 2: {"b"}, 3: nil}
	for _, text := range []string{
		"org_tenants: 1=fake,team-a 2=b 3=",
		"org_tenants:\n  1: [fake, team-a]\n  2: b\n  3: []\n",
		"org_tenants:\n  1: [fake, team-a]\n  2: [b]\n  3:\n",
	} {
		c, err := load1(t, text, nil, nil)
		require.NoError(t, err, text)
		require.Equal(t, want, c.OrgTenants, text)
	}
	require.Equal(t, "1=fake,team-a 2=b 3=", want.String())
}

func TestSlogLevel(t *testing.T) {
	for name, want := range map[string]slog.Level{"debug": slog.LevelDebug, "INFO": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		c := Config{LogLevel: name}
		got, err := c.SlogLevel()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestYAMLRoundTrip prints the configuration, reads it back, and expects the same.
func TestYAMLRoundTrip(t *testing.T) {
	c, err := load1(t, "wal: {sync: \"off\"}\nstorage: {flush_bytes: 3MB, flush_age: 90m}\norg_tenants: {1: [a, b]}\n"+
		"limits_config:\n  max_line_size: 1KB\n  retention_period: 30d\n  retention_stream: [{selector: '{a=~\"x$|y\"}', period: 24h}]\n"+
		"overrides: {big: {max_line_size: 2KB, retention_stream: []}}\n", nil, nil)
	require.NoError(t, err)
	text, err := c.YAML()
	require.NoError(t, err)
	require.Contains(t, string(text), "# read from c.yaml\n# WARNING: wal.sync is off")
	again, err := load1(t, string(text), nil, nil)
	require.NoError(t, err)
	textAgain, err := again.YAML()
	require.NoError(t, err)
	require.Equal(t, string(text), string(textAgain))
	o, err := again.TenantLimits()
	require.NoError(t, err)
	require.EqualValues(t, 2<<10, o.For("big").MaxLineSize)
	require.Equal(t, `kept for 30d; {a=~"x$|y"} for 1d`, o.For("small").Retention().String())
	require.Equal(t, "kept for 30d", o.For("big").Retention().String())
	require.Equal(t, c.OrgTenants, again.OrgTenants)
}

func TestCheckListen(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:3110", "127.8.8.8:1", "localhost:1", "LOCALHOST:1", "[::1]:1", "[::ffff:127.0.0.1]:1", ListenOff} {
		require.NoError(t, CheckListen(listen, false), listen)
		require.False(t, IsExposed(listen), listen)
	}
	for _, listen := range []string{":3110", "0.0.0.0:3110", "[::]:3110", "10.0.0.1:1", "logs.example.com:1", "nonsense"} {
		err := CheckListen(listen, false)
		require.ErrorIs(t, err, ErrInsecureListen, listen)
		require.ErrorContains(t, err, "woodshed_insecure")
		require.ErrorContains(t, err, "--insecure")
		require.ErrorContains(t, err, listen)
		require.NoError(t, CheckListen(listen, true), listen)
	}
}

func TestListenForms(t *testing.T) {
	for _, listen := range []string{"off", ":0", "127.0.0.1:0", "[::1]:65535", "host:1"} {
		require.NoError(t, validateListen(listen), listen)
	}
	for _, listen := range []string{"", "3110", "1.2.3.4", "1.2.3.4:http", "1.2.3.4:-1", "::1:3", "a:1:2"} {
		require.Error(t, validateListen(listen), listen)
	}
}

func TestSettingNames(t *testing.T) {
	got := map[string][3]string{}
	for _, s := range Settings() {
		got[s.Key] = [3]string{s.Env(), s.Ini(), s.Flag()}
	}
	require.Equal(t, [3]string{"GF_PLUGIN_WOODSHED_LISTEN", "woodshed_listen", "listen"}, got["listen"])
	require.Equal(t, [3]string{"GF_PLUGIN_WOODSHED_DATA_DIR", "woodshed_data_dir", "data"}, got["data_dir"])
	require.Equal(t, [3]string{"GF_PLUGIN_WOODSHED_CONFIG_FILE", "woodshed_config_file", "config"}, got["config_file"])
	require.Equal(t, [3]string{"GF_PLUGIN_WOODSHED_MEMORY_LIMIT", "woodshed_memory_limit", "memory-limit"}, got["memory_limit"])
	require.Equal(t, [3]string{"GF_PLUGIN_WOODSHED_STORAGE_FLUSH_BYTES", "woodshed_storage_flush_bytes", "storage.flush-bytes"}, got["storage.flush_bytes"])
}

// TestDocumentation holds docs/configuration.md to the table of settings.
func TestDocumentation(t *testing.T) {
	body, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	text := string(body)
	for _, s := range Settings() {
		def := s.Default()
		if def == "" {
			def = " "
		} else {
			def = " `" + def + "` "
		}
		require.Contains(t, text, "| `"+s.Key+"` | `"+s.Ini()+"` | `--"+s.Flag()+"` |"+def+"|", "%s: %s", s.Key, s.Usage)
	}
}
