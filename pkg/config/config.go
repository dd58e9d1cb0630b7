// Package config is the one tree of settings of a Woodshed process.
//
// Four sources fill it, each over the one before: the defaults, a YAML file, the environment (GF_PLUGIN_WOODSHED_*, which
// is how the keys of grafana.ini's [plugin.woodshed-logs-datasource] section arrive), and flags. Every setting except the
// limits has one name in four spellings: storage.flush_bytes in the file is GF_PLUGIN_WOODSHED_STORAGE_FLUSH_BYTES in the
// environment, woodshed_storage_flush_bytes in grafana.ini and --storage.flush-bytes on the command line; the table in
// settings.go holds them all, and docs/configuration.md is checked against it.
//
// Invariants: Load returns a tree that passed Validate, or an error that says which key, where, and what to write
// instead; a plugin process keeps running with the defaults and shows that error in its health. The package reads
// nothing by itself: environment, files and the executable's path are handed in. It must not know how settings are used.
package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// PluginID is the plugin's id in plugin.json, in grafana.ini's section name, and of the directory below Grafana's data.
const PluginID = "woodshed-logs-datasource"

// Config is everything that a process can be told. The zero value is not usable: start from Default.
type Config struct {
	// Listen is the address of the HTTP listener for pushes and the Loki API; ListenOff opens none.
	Listen string `yaml:"listen"`
	// DataDir is where the logs are; empty lets ResolveDataDir decide.
	DataDir string `yaml:"data_dir"`
	// ConfigFile is the file that was read, "" when none. It is not a key of the file itself.
	ConfigFile string `yaml:"-"`
	// Insecure allows a listener beyond the loopback interface although nobody has to log in to it.
	Insecure bool `yaml:"insecure"`
	// AuthEnabled refuses requests without X-Scope-OrgID, and hides the store from organisations without a tenant.
	AuthEnabled bool `yaml:"auth_enabled"`
	// AllowedHosts are names, separated by commas, under which a proxy on this machine may call a loopback listener.
	AllowedHosts string `yaml:"allowed_hosts"`
	// OrgTenants says which tenants an organisation of Grafana may read.
	OrgTenants OrgTenants `yaml:"org_tenants"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log_level"`
	// MemoryLimit rules GOMEMLIMIT and all caches; 0 lets AutoMemoryLimit decide.
	MemoryLimit Bytes `yaml:"memory_limit"`

	Push    Push    `yaml:"push"`
	Storage Storage `yaml:"storage"`
	WAL     WAL     `yaml:"wal"`
	Query   Query   `yaml:"query"`
	Grafana Grafana `yaml:"grafana"`

	// Limits are those of every tenant, by Loki's names; Overrides change some of them for single tenants. Only the file
	// sets them.
	Limits    limits.Limits                     `yaml:"limits_config"`
	Overrides map[model.TenantID]limits.Partial `yaml:"overrides,omitempty"`

	notes []string // what Load wants to be shown but did not refuse
}

// Push bounds what pushes may hold in memory.
type Push struct {
	BytesInFlight        Bytes `yaml:"bytes_in_flight"`        // of all requests together; above it 503
	DecompressedBytesMax Bytes `yaml:"decompressed_bytes_max"` // of one request; above it 413
}

// Storage says when logs move from memory to blocks, and what blocks may take.
type Storage struct {
	FlushBytes    Bytes    `yaml:"flush_bytes"`     // raw bytes of all heads that start a flush
	FlushAge      Duration `yaml:"flush_age"`       // age of the oldest unflushed entry that starts a flush
	HeadOpenBytes Bytes    `yaml:"head_open_bytes"` // memory of open chunks over all streams
	ChunkIdle     Duration `yaml:"chunk_idle"`      // an open chunk without new entries is sealed after this

	RetentionBytes Bytes `yaml:"retention_bytes"` // of all block files, above which the oldest blocks are removed; 0 = any
	FreeSpaceMin   Bytes `yaml:"free_space_min"`  // of the disk; 0 lets FreeSpaceGuard decide
	Compaction     bool  `yaml:"compaction"`      // merge small blocks into larger ones
	OpenBlocks     int   `yaml:"open_blocks"`     // whose files are kept open
	CacheBytes     Bytes `yaml:"cache_bytes"`     // of decoded chunks and filters; 0 = its share of MemoryLimit
}

// FreeSpaceGuard returns how much of a disk of the given size stays free: below it pushes are refused. A twentieth is what
// file systems need to stay quick, a GiB what a merge of blocks may need; a small disk would be all guard, so it ends at a
// quarter.
func (s *Storage) FreeSpaceGuard(diskBytes Bytes) Bytes {
	if s.FreeSpaceMin > 0 {
		return s.FreeSpaceMin
	}
	return min(max(diskBytes/20, 1<<30), diskBytes/4)
}

// WAL says how pushes become durable.
type WAL struct {
	SegmentBytes Bytes    `yaml:"segment_bytes"`
	Sync         Sync     `yaml:"sync"`
	SyncInterval Duration `yaml:"sync_interval"` // of SyncInterval
}

// Query bounds what queries take.
type Query struct {
	MemoryBytesMax Bytes `yaml:"memory_bytes_max"` // that one query keeps: series, samples, lines; 0 = its share of MemoryLimit
}

// Grafana bounds what one query answers to Grafana: every byte exists three times on its way to the browser.
type Grafana struct {
	RowsMax          int   `yaml:"rows_max"`           // log rows of one answer
	ResponseBytesMax Bytes `yaml:"response_bytes_max"` // bytes of lines and labels of one answer

	// StatsOrgs are the organisations whose Admins may see statistics of the whole process although organisations are kept
	// apart; see SeparatesOrgs.
	StatsOrgs OrgIDs `yaml:"stats_orgs"`
}

// Default returns the settings in force when nobody says anything.
func Default() Config {
	return Config{
		Listen:   "127.0.0.1:3110",
		LogLevel: "info",
		Push:     Push{BytesInFlight: 128 << 20, DecompressedBytesMax: 64 << 20},
		Storage: Storage{
			FlushBytes: 512 << 20, FlushAge: Duration(time.Hour),
			HeadOpenBytes: 64 << 20, ChunkIdle: Duration(30 * time.Minute),
			Compaction: true, OpenBlocks: 512,
		},
		WAL:     WAL{SegmentBytes: 128 << 20, Sync: SyncBatch, SyncInterval: Duration(time.Second)},
		Grafana: Grafana{RowsMax: 5000, ResponseBytesMax: 16 << 20},
		Limits:  limits.Default(),
	}
}

// Limits of the settings themselves, each with what breaks beyond it.
const (
	memoryLimitMin       = 256 << 20 // below it a single widest query does not fit
	queryMemoryBytesMin  = 1 << 20
	segmentBytesMin      = 1 << 20   // a segment holds at least one group commit
	segmentBytesMax      = 4 << 30   // positions inside a segment are 32 bits wide
	decompressedBytesTop = 1 << 30   // one request must never own the machine
	rowsTop              = 50_000    // browsers freeze long before
	responseBytesTop     = 512 << 20 // three copies of it live at once
	retentionBytesMin    = 16 << 20  // below it one flush would remove all the others
	openBlocksMin        = 16        // a query over a day opens and closes less than this all the time
	openBlocksTop        = 4000      // of two files each: Grafana's unit file allows 10,000 open files
)

// Validate reports every setting that cannot work, each with its key.
func (c *Config) Validate() error {
	var bad []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	if err := validateListen(c.Listen); err != nil {
		bad = append(bad, err.Error())
	}
	_, err := c.SlogLevel()
	check(err == nil, "log_level: %q is none of debug, info, warn, error", c.LogLevel)
	check(c.MemoryLimit == 0 || c.MemoryLimit >= memoryLimitMin, "memory_limit: %s is less than 256MiB; 0 chooses it from the machine's memory", c.MemoryLimit)

	check(c.Push.DecompressedBytesMax > 0 && c.Push.DecompressedBytesMax <= decompressedBytesTop,
		"push.decompressed_bytes_max: %s is not between 1 and 1GiB", c.Push.DecompressedBytesMax)
	check(c.Push.BytesInFlight >= c.Push.DecompressedBytesMax,
		"push.bytes_in_flight: %s is less than push.decompressed_bytes_max (%s), so the largest request could never pass",
		c.Push.BytesInFlight, c.Push.DecompressedBytesMax)

	check(c.Storage.FlushBytes > 0, "storage.flush_bytes: must be positive")
	check(c.Storage.FlushAge > 0, "storage.flush_age: must be positive")
	check(c.Storage.HeadOpenBytes > 0, "storage.head_open_bytes: must be positive")
	check(c.Storage.ChunkIdle > 0, "storage.chunk_idle: must be positive")
	check(c.Storage.RetentionBytes == 0 || c.Storage.RetentionBytes >= retentionBytesMin,
		"storage.retention_bytes: %s is less than 16MiB, so that every flush would remove what is there; 0 sets no limit", c.Storage.RetentionBytes)
	check(c.Storage.OpenBlocks >= openBlocksMin && c.Storage.OpenBlocks <= openBlocksTop,
		"storage.open_blocks: %d is not between %d and %d; a block has two files open, and Grafana's service may have 10,000",
		c.Storage.OpenBlocks, openBlocksMin, openBlocksTop)

	check(c.Query.MemoryBytesMax == 0 || c.Query.MemoryBytesMax >= queryMemoryBytesMin,
		"query.memory_bytes_max: %s is less than 1MiB, which few queries get by with; 0 takes a share of memory_limit", c.Query.MemoryBytesMax)
	check(c.WAL.SegmentBytes >= segmentBytesMin && c.WAL.SegmentBytes <= segmentBytesMax,
		"wal.segment_bytes: %s is not between 1MiB and 1GiB", c.WAL.SegmentBytes)
	// Bytes that cannot be compressed grow a little in snappy's format, and a push is one record.
	check(int64(c.WAL.SegmentBytes) >= int64(c.Push.DecompressedBytesMax)/4*5+segmentBytesMin,
		"wal.segment_bytes: %s is less than a push of push.decompressed_bytes_max (%s) may need; a push has to fit one segment",
		c.WAL.SegmentBytes, c.Push.DecompressedBytesMax)
	check(c.WAL.Sync.valid(), "wal.sync: %q is none of batch, interval, off", c.WAL.Sync)
	check(c.WAL.Sync != SyncInterval || c.WAL.SyncInterval > 0, "wal.sync_interval: must be positive with sync: interval")

	check(c.Grafana.RowsMax > 0 && c.Grafana.RowsMax <= rowsTop, "grafana.rows_max: %d is not between 1 and %d", c.Grafana.RowsMax, rowsTop)
	check(c.Grafana.ResponseBytesMax > 0 && c.Grafana.ResponseBytesMax <= responseBytesTop,
		"grafana.response_bytes_max: %s is not between 1 and 512MiB", c.Grafana.ResponseBytesMax)
	if _, err := c.TenantLimits(); err != nil {
		bad = append(bad, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if len(bad) > 0 {
		return fmt.Errorf("configuration: %s", strings.Join(bad, "; "))
	}
	return nil
}

// Warnings lists settings that work but that a person should know of, in sentences for health and /config.
func (c *Config) Warnings() []string {
	var w []string
	switch c.WAL.Sync {
	case SyncInterval:
		w = append(w, fmt.Sprintf("wal.sync is interval: a power cut can lose the last %s of acknowledged pushes.", c.WAL.SyncInterval))
	case SyncOff:
		w = append(w, "wal.sync is off: a power cut can lose acknowledged pushes that the system had not written yet.")
	}
	if !c.Storage.Compaction {
		w = append(w, "storage.compaction is off: small blocks are never merged, so queries over long times open ever more files.")
	}
	if c.Insecure && IsExposed(c.Listen) {
		w = append(w, fmt.Sprintf("insecure is set: everybody who reaches %s can push and read logs.", c.Listen))
	}
	if o, err := c.TenantLimits(); err == nil {
		w = append(w, o.Warnings()...)
	}
	return append(w, c.notes...)
}

// TenantLimits lays the overrides over the limits for everybody.
func (c *Config) TenantLimits() (*limits.Overrides, error) { return limits.New(c.Limits, c.Overrides) }

// SeparatesOrgs reports whether an organisation of Grafana may not see what others have. Without it the store is everybody's.
func (c *Config) SeparatesOrgs() bool { return c.AuthEnabled || len(c.OrgTenants) > 0 }

// TenantsOf lists the tenants that an organisation of Grafana may read, the first one by default. Without auth_enabled
// an organisation that nobody listed reads the default tenant; with it, nothing.
func (c *Config) TenantsOf(orgID int64) []model.TenantID {
	if t, ok := c.OrgTenants[orgID]; ok {
		return slices.Clone(t)
	}
	if c.AuthEnabled {
		return nil
	}
	return []model.TenantID{model.DefaultTenant}
}

// SlogLevel returns LogLevel as slog knows it.
func (c *Config) SlogLevel() (slog.Level, error) {
	switch strings.ToLower(c.LogLevel) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return slog.LevelInfo, fmt.Errorf("log level %q is none of debug, info, warn, error", c.LogLevel)
}

// YAML prints the settings in force, with the warnings as comments on top. Load reads it back as the same, but for a dollar
// in a value, which a file writes twice.
func (c *Config) YAML() ([]byte, error) {
	body, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	var head strings.Builder
	if c.ConfigFile != "" {
		fmt.Fprintf(&head, "# read from %s\n", filepath.Clean(c.ConfigFile))
	}
	for _, w := range c.Warnings() {
		fmt.Fprintf(&head, "# WARNING: %s\n", strings.ReplaceAll(w, "\n", " "))
	}
	return append([]byte(head.String()), body...), nil
}
