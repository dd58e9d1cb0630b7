package config

import (
	"flag"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/limits"
)

// EnvPrefix begins every environment variable that Woodshed reads. Grafana turns woodshed_listen of the plugin's section
// into GF_PLUGIN_WOODSHED_LISTEN.
const EnvPrefix = "GF_PLUGIN_WOODSHED_"

// Setting is one key that file, environment and flags can set.
type Setting struct {
	Key   string // in the file: storage.flush_bytes
	Usage string // one line

	set func(*Config, string) error
	get func(*Config) string
}

// Env is the name in the environment.
func (s Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Ini is the name in grafana.ini's section of the plugin.
func (s Setting) Ini() string { return "woodshed_" + strings.ReplaceAll(s.Key, ".", "_") }

// Flag is the name on the command line.
func (s Setting) Flag() string {
	switch s.Key {
	case "data_dir":
		return "data"
	case "config_file":
		return "config"
	}
	return strings.ReplaceAll(s.Key, "_", "-")
}

// Default is the value when nobody sets it, as it is written.
func (s Setting) Default() string {
	c := Default()
	return s.get(&c)
}

// isBool reports a setting whose flag needs no value.
func (s Setting) isBool() bool {
	return s.Key == "insecure" || s.Key == "auth_enabled" || s.Key == "storage.compaction"
}

// Settings lists every key in the order of the documentation.
func Settings() []Setting {
	return []Setting{
		stringSetting("listen", "address of the HTTP listener; off opens none", func(c *Config) *string { return &c.Listen }),
		stringSetting("data_dir", "directory of the logs", func(c *Config) *string { return &c.DataDir }),
		stringSetting("config_file", "YAML file to read", func(c *Config) *string { return &c.ConfigFile }),
		setting("insecure", "allow a listener that other machines reach although it has no TLS and no credentials", strconv.ParseBool, func(c *Config) *bool { return &c.Insecure }),
		setting("auth_enabled", "refuse requests without X-Scope-OrgID", strconv.ParseBool, func(c *Config) *bool { return &c.AuthEnabled }),
		stringSetting("allowed_hosts", "names, separated by commas, under which a proxy may call a listener on the loopback interface", func(c *Config) *string { return &c.AllowedHosts }),
		setting("org_tenants", "tenants that each Grafana organisation may read: 1=fake,team-a 2=team-b", ParseOrgTenants, func(c *Config) *OrgTenants { return &c.OrgTenants }),
		stringSetting("log_level", "debug, info, warn or error", func(c *Config) *string { return &c.LogLevel }),
		setting("memory_limit", "memory for heads, caches and queries; 0 takes a quarter of the machine's", limits.ParseBytes, func(c *Config) *Bytes { return &c.MemoryLimit }),
		setting("push.bytes_in_flight", "bytes that all pushes together may hold in memory", limits.ParseBytes, func(c *Config) *Bytes { return &c.Push.BytesInFlight }),
		setting("push.decompressed_bytes_max", "decompressed bytes of one push", limits.ParseBytes, func(c *Config) *Bytes { return &c.Push.DecompressedBytesMax }),
		setting("storage.flush_bytes", "raw bytes in memory that start a flush to a block", limits.ParseBytes, func(c *Config) *Bytes { return &c.Storage.FlushBytes }),
		setting("storage.flush_age", "age of the oldest entry in memory that starts a flush", limits.ParseDuration, func(c *Config) *Duration { return &c.Storage.FlushAge }),
		setting("storage.head_open_bytes", "memory of open chunks over all streams", limits.ParseBytes, func(c *Config) *Bytes { return &c.Storage.HeadOpenBytes }),
		setting("storage.chunk_idle", "an open chunk without new entries is sealed after this", limits.ParseDuration, func(c *Config) *Duration { return &c.Storage.ChunkIdle }),
		setting("storage.retention_bytes", "bytes of all block files above which the oldest blocks are removed; 0 sets no limit", limits.ParseBytes, func(c *Config) *Bytes { return &c.Storage.RetentionBytes }),
		setting("storage.free_space_min", "free bytes of the disk below which pushes are refused; 0 takes 5 % of the disk, at least 1GB and at most a quarter", limits.ParseBytes, func(c *Config) *Bytes { return &c.Storage.FreeSpaceMin }),
		setting("storage.compaction", "merge small blocks into larger ones", strconv.ParseBool, func(c *Config) *bool { return &c.Storage.Compaction }),
		setting("storage.open_blocks", "blocks whose files are kept open, two files each", strconv.Atoi, func(c *Config) *int { return &c.Storage.OpenBlocks }),
		setting("storage.cache_bytes", "memory for decoded chunks and filters; 0 takes a share of memory_limit", limits.ParseBytes, func(c *Config) *Bytes { return &c.Storage.CacheBytes }),
		setting("query.memory_bytes_max", "memory that one query may keep: series, samples, lines; 0 takes a share of memory_limit", limits.ParseBytes, func(c *Config) *Bytes { return &c.Query.MemoryBytesMax }),
		setting("wal.segment_bytes", "size of one file of the write-ahead log; at least a quarter more than push.decompressed_bytes_max", limits.ParseBytes, func(c *Config) *Bytes { return &c.WAL.SegmentBytes }),
		setting("wal.sync", "batch (fsync before every answer), interval or off", parseSync, func(c *Config) *Sync { return &c.WAL.Sync }),
		setting("wal.sync_interval", "time between fsyncs with wal.sync interval", limits.ParseDuration, func(c *Config) *Duration { return &c.WAL.SyncInterval }),
		setting("grafana.rows_max", "log rows of one answer to Grafana", strconv.Atoi, func(c *Config) *int { return &c.Grafana.RowsMax }),
		setting("grafana.response_bytes_max", "bytes of lines and labels of one answer to Grafana", limits.ParseBytes, func(c *Config) *Bytes { return &c.Grafana.ResponseBytesMax }),
		setting("grafana.stats_orgs", "Grafana organisations whose Admins see statistics of the whole store although organisations are kept apart: 1 3", ParseOrgIDs, func(c *Config) *OrgIDs { return &c.Grafana.StatsOrgs }),
	}
}

func parseSync(s string) (Sync, error) {
	if v := Sync(strings.TrimSpace(s)); v.valid() {
		return v, nil
	}
	return "", fmt.Errorf("%q is none of batch, interval, off", s)
}

func stringSetting(key, usage string, field func(*Config) *string) Setting {
	return setting(key, usage, func(s string) (string, error) { return s, nil }, field)
}

func setting[T any](key, usage string, parse func(string) (T, error), field func(*Config) *T) Setting {
	return Setting{
		Key: key, Usage: usage,
		set: func(c *Config, s string) error {
			v, err := parse(s)
			if err != nil {
				if reflect.TypeFor[T]().PkgPath() == "" { // strconv's words name its function, not the value
					return fmt.Errorf("%q is not a valid %s", s, reflect.TypeFor[T]())
				}
				return err
			}
			*field(c) = v
			return nil
		},
		get: func(c *Config) string { return fmt.Sprint(*field(c)) },
	}
}

// Flags remembers which flags were given, so that they can be laid over the other sources.
type Flags struct{ given map[string]string }

// RegisterFlags defines one flag for every setting. Call it before fs.Parse and hand the result to Load after it.
func RegisterFlags(fs *flag.FlagSet) *Flags {
	f := &Flags{given: map[string]string{}}
	for _, s := range Settings() {
		usage := s.Usage
		if d := s.Default(); d != "" {
			usage += " (default " + d + ")"
		}
		remember := func(value string) error {
			var scratch Config
			if err := s.set(&scratch, value); err != nil {
				return err
			}
			f.given[s.Key] = value
			return nil
		}
		if s.isBool() {
			fs.BoolFunc(s.Flag(), usage, remember)
		} else {
			fs.Func(s.Flag(), usage, remember)
		}
	}
	return f
}
