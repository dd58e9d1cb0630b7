// Package limits holds what a tenant may push and ask and how long its logs are kept: Loki's limits_config by its names, read
// from YAML, with one set of values for everybody and overrides for single tenants, and the token buckets of the rate limits.
//
// Defaults are Loki's, except that ingestion rates, the number of streams and the length of a query are unlimited: on one
// node the memory budget protects the store, a full disk holds pushes back until there is room, and a limit that nobody
// asked for only loses logs. A limit of 0 means none. docs/limits.md lists every limit with its unit and what is said
// when it is hit; a test compares the two.
//
// A key that Loki does not have is an error. A key that Loki has and that means nothing here, or is not applied yet, is
// accepted with a warning, so that a block pasted from a Loki configuration works.
//
// Limits are values that never change once made. The package decides nothing about logs: distributor and engine do.
package limits

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Limits are the limits of one tenant. The zero value is not usable: start from Default.
type Limits struct {
	// Rates. Checked on bytes of lines and metadata.
	IngestionRateStrategy   string  `yaml:"ingestion_rate_strategy"` // local or global: the same on one node
	IngestionRateMB         float64 `yaml:"ingestion_rate_mb"`       // MiB per second of one tenant; 0 = unlimited
	IngestionBurstSizeMB    float64 `yaml:"ingestion_burst_size_mb"` // MiB at once; 0 = 1.5 times the rate
	PerStreamRateLimit      Bytes   `yaml:"per_stream_rate_limit"`   // per second; 0 = unlimited
	PerStreamRateLimitBurst Bytes   `yaml:"per_stream_rate_limit_burst"`

	// The shape of a stream's labels.
	MaxLabelNameLength     int      `yaml:"max_label_name_length"`
	MaxLabelValueLength    int      `yaml:"max_label_value_length"`
	MaxLabelNamesPerSeries int      `yaml:"max_label_names_per_series"` // service_name is not counted
	EnforcedLabels         []string `yaml:"enforced_labels"`
	// Streams that have entries in memory. Loki counts one of the two per ingester and one per cluster; the smaller holds.
	MaxLocalStreamsPerUser  int `yaml:"max_streams_per_user"`
	MaxGlobalStreamsPerUser int `yaml:"max_global_streams_per_user"`

	// Time.
	RejectOldSamples       bool     `yaml:"reject_old_samples"`
	RejectOldSamplesMaxAge Duration `yaml:"reject_old_samples_max_age"`
	CreationGracePeriod    Duration `yaml:"creation_grace_period"` // how far in the future an entry may lie

	// Lines and metadata.
	MaxLineSize                       Bytes  `yaml:"max_line_size"`
	MaxLineSizeTruncate               bool   `yaml:"max_line_size_truncate"`
	MaxLineSizeTruncateIdentifier     string `yaml:"max_line_size_truncate_identifier"`
	IncrementDuplicateTimestamp       bool   `yaml:"increment_duplicate_timestamp"`
	AllowStructuredMetadata           bool   `yaml:"allow_structured_metadata"`
	MaxStructuredMetadataSize         Bytes  `yaml:"max_structured_metadata_size"`
	MaxStructuredMetadataEntriesCount int    `yaml:"max_structured_metadata_entries_count"`

	// What is derived from streams and lines.
	DiscoverServiceName      []string `yaml:"discover_service_name"` // empty: no service_name is added
	DiscoverLogLevels        bool     `yaml:"discover_log_levels"`
	LogLevelFields           []string `yaml:"log_level_fields"`
	LogLevelFromJSONMaxDepth int      `yaml:"log_level_from_json_max_depth"` // 0 = any depth

	// Queries.
	MaxEntriesLimitPerQuery    int      `yaml:"max_entries_limit_per_query"`
	MaxQuerySeries             int      `yaml:"max_query_series"`
	MaxQueryLength             Duration `yaml:"max_query_length"`
	MaxQueryLookback           Duration `yaml:"max_query_lookback"`
	MaxQueryRange              Duration `yaml:"max_query_range"`
	QueryTimeout               Duration `yaml:"query_timeout"`
	MaxStreamsMatchersPerQuery int      `yaml:"max_streams_matchers_per_query"`
	MaxQueryBytesRead          Bytes    `yaml:"max_query_bytes_read"`
	CardinalityLimit           int      `yaml:"cardinality_limit"` // streams that one query may touch
	MaxConcurrentTailRequests  int      `yaml:"max_concurrent_tail_requests"`
	VolumeEnabled              bool     `yaml:"volume_enabled"`
	VolumeMaxSeries            int      `yaml:"volume_max_series"`

	// How long entries are kept; 0 = for ever. See Retention.
	RetentionPeriod Duration          `yaml:"retention_period"`
	RetentionStream []StreamRetention `yaml:"retention_stream"`

	warnings []string // keys that had no effect
}

// Default returns the limits in force when nobody says anything.
func Default() Limits {
	return Limits{
		IngestionRateStrategy:             "global",
		EnforcedLabels:                    []string{},
		MaxLabelNameLength:                1024,
		MaxLabelValueLength:               2048,
		MaxLabelNamesPerSeries:            15,
		RejectOldSamples:                  true,
		RejectOldSamplesMaxAge:            Duration(7 * 24 * time.Hour),
		CreationGracePeriod:               Duration(10 * time.Minute),
		MaxLineSize:                       256 << 10,
		AllowStructuredMetadata:           true,
		MaxStructuredMetadataSize:         64 << 10,
		MaxStructuredMetadataEntriesCount: 128,
		DiscoverServiceName: []string{
			"service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name",
			"k8s_container_name", "component", "workload", "job", "k8s_job_name",
		},
		DiscoverLogLevels: true,
		LogLevelFields: []string{
			"level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText", "lvl", "LVL", "Lvl",
			"severity_text", "Severity_Text", "SEVERITY_TEXT",
		},
		LogLevelFromJSONMaxDepth:   2,
		MaxEntriesLimitPerQuery:    5000,
		MaxQuerySeries:             500,
		QueryTimeout:               Duration(time.Minute),
		MaxStreamsMatchersPerQuery: 1000,
		CardinalityLimit:           100_000,
		MaxConcurrentTailRequests:  10,
		VolumeEnabled:              true,
		VolumeMaxSeries:            1000,
		RetentionStream:            []StreamRetention{},
	}
}

// Ceilings of the limits themselves.
const (
	rateMBMax      = 1 << 20 // a TiB per second; beyond it the sums of bytes no longer fit
	namesCountMax  = 1024    // of log_level_fields and discover_service_name: they are recorded with every push
	nameBytesMax   = 1024
	jsonDepthLimit = 1 << 16
)

// Validate reports every limit that cannot be.
func (l *Limits) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(l.IngestionRateStrategy == "local" || l.IngestionRateStrategy == "global",
		"ingestion_rate_strategy: %q is neither local nor global", l.IngestionRateStrategy)
	for _, r := range []struct {
		key   string
		value float64
	}{{"ingestion_rate_mb", l.IngestionRateMB}, {"ingestion_burst_size_mb", l.IngestionBurstSizeMB}} {
		check(r.value >= 0 && r.value <= rateMBMax && !math.IsNaN(r.value), "%s: %v is not between 0 and %d", r.key, r.value, rateMBMax)
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_label_name_length", l.MaxLabelNameLength},
		{"max_label_value_length", l.MaxLabelValueLength},
		{"max_label_names_per_series", l.MaxLabelNamesPerSeries},
		{"max_streams_per_user", l.MaxLocalStreamsPerUser},
		{"max_global_streams_per_user", l.MaxGlobalStreamsPerUser},
		{"max_structured_metadata_entries_count", l.MaxStructuredMetadataEntriesCount},
		{"max_entries_limit_per_query", l.MaxEntriesLimitPerQuery},
		{"max_query_series", l.MaxQuerySeries},
		{"max_streams_matchers_per_query", l.MaxStreamsMatchersPerQuery},
		{"cardinality_limit", l.CardinalityLimit},
		{"max_concurrent_tail_requests", l.MaxConcurrentTailRequests},
		{"volume_max_series", l.VolumeMaxSeries},
		{"reject_old_samples_max_age", int(l.RejectOldSamplesMaxAge)},
		{"creation_grace_period", int(l.CreationGracePeriod)},
		{"max_query_length", int(l.MaxQueryLength)},
		{"max_query_lookback", int(l.MaxQueryLookback)},
		{"max_query_range", int(l.MaxQueryRange)},
		{"query_timeout", int(l.QueryTimeout)},
	} {
		check(n.value >= 0, "%s: must not be negative", n.key)
	}
	check(l.LogLevelFromJSONMaxDepth <= jsonDepthLimit, "log_level_from_json_max_depth: more than %d", jsonDepthLimit)
	check(!l.MaxLineSizeTruncate || len(l.MaxLineSizeTruncateIdentifier) < int(l.MaxLineSize) || l.MaxLineSize == 0,
		"max_line_size_truncate_identifier: longer than max_line_size")
	for key, names := range map[string][]string{
		"discover_service_name": l.DiscoverServiceName, "log_level_fields": l.LogLevelFields, "enforced_labels": l.EnforcedLabels,
	} {
		check(len(names) <= namesCountMax, "%s: more than %d names", key, namesCountMax)
		check(!slices.ContainsFunc(names, func(s string) bool { return s == "" || len(s) > nameBytesMax }),
			"%s: a name is empty or longer than %d bytes", key, nameBytesMax)
	}
	return errors.Join(append(errs, l.validateRetention())...)
}

// Warnings lists keys that were read and have no effect, in sentences for the log, health and /config.
func (l *Limits) Warnings() []string { return slices.Clone(l.warnings) }

// IngestionRate returns bytes per second and the burst in bytes; a rate of 0 is unlimited.
func (l *Limits) IngestionRate() (bytesPerSecond float64, burstBytes int) {
	burst := l.IngestionBurstSizeMB
	if burst == 0 {
		burst = 1.5 * l.IngestionRateMB // the ratio of Loki's defaults
	}
	return l.IngestionRateMB * (1 << 20), int(burst * (1 << 20))
}

// StreamRate returns the rate of one stream in bytes per second and its burst; a rate of 0 is unlimited.
func (l *Limits) StreamRate() (bytesPerSecond float64, burstBytes int) {
	burst := l.PerStreamRateLimitBurst
	if burst == 0 {
		burst = 5 * min(l.PerStreamRateLimit, math.MaxInt64/5) // the ratio of Loki's defaults
	}
	return float64(l.PerStreamRateLimit), int(burst)
}

// StreamsMax is how many streams the tenant may have in memory; 0 = any number.
func (l *Limits) StreamsMax() int {
	switch {
	case l.MaxLocalStreamsPerUser == 0:
		return l.MaxGlobalStreamsPerUser
	case l.MaxGlobalStreamsPerUser == 0:
		return l.MaxLocalStreamsPerUser
	}
	return min(l.MaxLocalStreamsPerUser, l.MaxGlobalStreamsPerUser)
}
