package limits

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// read lays a YAML block over the defaults.
func read(text string) (Limits, error) {
	l := Default()
	err := yaml.Unmarshal([]byte(text), &l)
	return l, err
}

func TestDefaults(t *testing.T) {
	l := Default()
	require.NoError(t, l.Validate())
	require.Empty(t, l.Warnings())

	rate, _ := l.IngestionRate()
	require.Zero(t, rate, "unlimited, unlike Loki")
	rate, _ = l.StreamRate()
	require.Zero(t, rate, "unlimited, unlike Loki")
	require.Zero(t, l.StreamsMax(), "unlimited, unlike Loki")
	require.Zero(t, l.MaxQueryLength, "unlimited, unlike Loki")

	require.Equal(t, "256KB", l.MaxLineSize.String())
	require.Equal(t, 262144, l.MaxLineSize.Int())
	require.Equal(t, "64KB", l.MaxStructuredMetadataSize.String())
	require.Equal(t, Duration(168*time.Hour), l.RejectOldSamplesMaxAge)
	require.Equal(t, "1w", l.RejectOldSamplesMaxAge.String())
	require.Equal(t, "10m", l.CreationGracePeriod.String())
	require.Equal(t, "1m", l.QueryTimeout.String())
	require.Equal(t, []int{15, 1024, 2048, 128, 5000, 500, 1000, 100_000, 2}, []int{
		l.MaxLabelNamesPerSeries, l.MaxLabelNameLength, l.MaxLabelValueLength, l.MaxStructuredMetadataEntriesCount,
		l.MaxEntriesLimitPerQuery, l.MaxQuerySeries, l.MaxStreamsMatchersPerQuery, l.CardinalityLimit, l.LogLevelFromJSONMaxDepth,
	})
	require.True(t, l.RejectOldSamples && l.AllowStructuredMetadata && l.DiscoverLogLevels)
	require.False(t, l.MaxLineSizeTruncate || l.IncrementDuplicateTimestamp)
}

func TestReadYAML(t *testing.T) {
	l, err := read(`
ingestion_rate_mb: 4
ingestion_burst_size_mb: 6.5
per_stream_rate_limit: 3MB
per_stream_rate_limit_burst: 15mb
max_line_size: 1024
max_structured_metadata_size: 2KiB
reject_old_samples_max_age: 2w
creation_grace_period: 90m
query_timeout: 1h30m
max_query_length: 721h
discover_service_name: []
log_level_fields: [level, sev]
allow_structured_metadata: false
max_global_streams_per_user: 10
max_streams_per_user: 7
`)
	require.NoError(t, err)
	require.NoError(t, l.Validate())
	rate, burst := l.IngestionRate()
	require.Equal(t, 4.0*(1<<20), rate)
	require.Equal(t, 6<<20+1<<19, burst)
	rate, burst = l.StreamRate()
	require.Equal(t, 3.0*(1<<20), rate)
	require.Equal(t, 15<<20, burst)
	require.Equal(t, Bytes(1024), l.MaxLineSize)
	require.Equal(t, Bytes(2048), l.MaxStructuredMetadataSize)
	require.Equal(t, Duration(14*24*time.Hour), l.RejectOldSamplesMaxAge)
	require.Equal(t, Duration(90*time.Minute), l.CreationGracePeriod)
	require.Equal(t, Duration(721*time.Hour), l.MaxQueryLength)
	require.Empty(t, l.DiscoverServiceName)
	require.Equal(t, []string{"level", "sev"}, l.LogLevelFields)
	require.False(t, l.AllowStructuredMetadata)
	require.Equal(t, 7, l.StreamsMax())
	require.Equal(t, 15, l.MaxLabelNamesPerSeries, "what is not named stays")

	// A burst that nobody names follows the rate.
	l, err = read("ingestion_rate_mb: 2\nper_stream_rate_limit: 1MB")
	require.NoError(t, err)
	_, burst = l.IngestionRate()
	require.Equal(t, 3<<20, burst)
	_, burst = l.StreamRate()
	require.Equal(t, 5<<20, burst)

	for _, empty := range []string{"", "null", "# nothing", "max_line_size:", "query_timeout:", "max_query_series:"} {
		l, err = read(empty)
		require.NoError(t, err)
		require.Equal(t, Default(), l)
	}
}

// What is printed reads back as the same, also through /config.
func TestYAMLRoundTrip(t *testing.T) {
	l, err := read("max_line_size: 300000\nquery_timeout: 95s\ndiscover_service_name: [a, b]\ningestion_rate_mb: 0.5")
	require.NoError(t, err)
	text, err := yaml.Marshal(l)
	require.NoError(t, err)
	again, err := read(string(text))
	require.NoError(t, err)
	require.Equal(t, l, again)
	require.Contains(t, string(text), "max_line_size: 300000B\n")
	require.Contains(t, string(text), "query_timeout: 1m35s\n")
}

func TestBadYAML(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		before := Default()
		l := Default()
		err := yaml.Unmarshal([]byte(text), &l)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, l, "nothing changes")
	}
	f("max_line_sise: 1KB", `line 1: unknown limit "max_line_sise" (did you mean max_line_size?)`)
	f("a: 1\nb: 2", "line 1: unknown limit \"a\"\nline 2: unknown limit \"b\"")
	f("max_line_size: 1XB", `line 1: "1XB" is not a size; write for example 256KB`)
	f("max_line_size: -1", `is not a size`)
	f("max_line_size: 99999999TB", `is larger than any size`)
	f("max_line_size: [1]", `line 1: expected a single value`)
	f("query_timeout: soon", `line 1: "soon" is not a duration; write for example 30s, 168h or 1w`)
	f("reject_old_samples: perhaps", `cannot unmarshal`)
	f("[1]", `line 1: expected limits, a mapping of names to values`)
	f("max_query_series: 1\nmax_query_series: 2", `line 2: limit max_query_series is given twice`)
}

func TestValidate(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		l, err := read(text)
		require.NoError(t, err)
		require.EqualError(t, l.Validate(), want)
	}
	f("ingestion_rate_strategy: best", `ingestion_rate_strategy: "best" is neither local nor global`)
	f("ingestion_rate_mb: -1", `ingestion_rate_mb: -1 is not between 0 and 1048576`)
	f("ingestion_burst_size_mb: .nan", `ingestion_burst_size_mb: NaN is not between 0 and 1048576`)
	f("max_query_series: -1", `max_query_series: must not be negative`)
	f("max_line_size: 3B\nmax_line_size_truncate: true\nmax_line_size_truncate_identifier: ...", `max_line_size_truncate_identifier: longer than max_line_size`)
	f(`log_level_fields: [""]`, `log_level_fields: a name is empty or longer than 1024 bytes`)
	f(`log_level_fields: [`+strings.Repeat("x,", namesCountMax)+`x]`, `log_level_fields: more than 1024 names`)
	f("log_level_from_json_max_depth: 100000", `log_level_from_json_max_depth: more than 65536`)
	f("max_query_series: -1\ncardinality_limit: -2", "max_query_series: must not be negative\ncardinality_limit: must not be negative")
}

// A block pasted from a Loki works.
func TestLokiKeysWithoutEffect(t *testing.T) {
	l, err := read("max_line_size: 1KB\nsplit_queries_by_interval: 1h\nruler_remote_write_config:\n  a: {url: x}\n")
	require.NoError(t, err)
	require.Equal(t, Bytes(1024), l.MaxLineSize)
	require.Equal(t, []string{
		"line 2: the limit split_queries_by_interval has no effect here.",
		"line 3: the limit ruler_remote_write_config has no effect here.",
	}, l.Warnings())
	for _, key := range Keys() {
		require.False(t, unused[key], "%s both has and has not an effect", key)
	}
}

// A limit that nothing applies says so, and is still checked.
func TestLimitsNotYetApplied(t *testing.T) {
	l, err := read("max_query_lookback: 30d\nmax_query_length: 1d\nvolume_enabled: true\ncardinality_limit: 100000")
	require.NoError(t, err)
	require.Equal(t, Duration(30*24*time.Hour), l.MaxQueryLookback)
	require.Equal(t, []string{"line 1: the limit max_query_lookback is not applied yet."}, l.Warnings(), "defaults need no warning")
	_, err = read("max_query_lookback: long")
	require.Error(t, err)
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	for _, key := range Keys() {
		row := regexp.MustCompile("(?m)^\\| `" + key + "` .*$").FindString(string(doc))
		require.Equal(t, notYet[key], strings.Contains(row, "not applied yet"), row)
	}
	for key := range notYet {
		require.Contains(t, Keys(), key)
	}
}

func TestOverrides(t *testing.T) {
	var file struct {
		Limits    Limits                     `yaml:"limits_config"`
		Overrides map[model.TenantID]Partial `yaml:"overrides"`
	}
	file.Limits = Default()
	require.NoError(t, yaml.Unmarshal([]byte(`
limits_config:
  max_line_size: 1KB
  max_query_parallelism: 32
overrides:
  team-a:
    max_entries_limit_per_query: 7
    tsdb_max_query_parallelism: 1
  team-b:
`), &file))
	o, err := New(file.Limits, file.Overrides)
	require.NoError(t, err)
	require.Equal(t, Bytes(1024), o.For("team-a").MaxLineSize, "what a tenant does not name is everybody's")
	require.Equal(t, 7, o.QueryEntriesMax("team-a"))
	require.Equal(t, 5000, o.QueryEntriesMax("team-b"))
	require.Equal(t, 5000, o.QueryEntriesMax("anybody"))
	require.Same(t, o.For("anybody"), o.For("somebody"))
	require.Len(t, o.All(), 3)
	require.Equal(t, []string{
		"limits_config, line 4: the limit max_query_parallelism has no effect here.",
		"overrides, tenant team-a, line 8: the limit tsdb_max_query_parallelism has no effect here.",
	}, o.Warnings())

	printed, err := yaml.Marshal(file)
	require.NoError(t, err)
	require.Contains(t, string(printed), "max_entries_limit_per_query: 7")

	require.ErrorContains(t, yaml.Unmarshal([]byte("overrides:\n  a:\n    max_lines: 1"), &file), `line 3: unknown limit "max_lines"`)
}

func TestBadOverrides(t *testing.T) {
	f := func(base, tenant, block, want string) {
		t.Helper()
		l, err := read(base)
		require.NoError(t, err)
		var p Partial
		require.NoError(t, yaml.Unmarshal([]byte(block), &p))
		_, err = New(l, map[model.TenantID]Partial{model.TenantID(tenant): p})
		require.EqualError(t, err, want)
	}
	f("max_query_series: -1", "a", "{}", "limits_config: max_query_series: must not be negative\noverrides: tenant a: max_query_series: must not be negative")
	f("", "a", "max_query_series: -1", "overrides: tenant a: max_query_series: must not be negative")
	f("", "..", "{}", `overrides: invalid tenant ID: ".."`)
}

func TestBytes(t *testing.T) {
	f := func(text string, want Bytes, printed string) {
		t.Helper()
		got, err := ParseBytes(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, printed, got.String())
		again, err := ParseBytes(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	f("0", 0, "0B")
	f("1", 1, "1B")
	f("256kb", 256<<10, "256KB")
	f("256K", 256<<10, "256KB")
	f("256 KiB", 256<<10, "256KB")
	f("1536MB", 1536<<20, "1536MB")
	f("3GB", 3<<30, "3GB")
	f("2TB", 2<<40, "2TB")
	f("1PB", 1<<50, "1PB")
	f("7EB", 7<<60, "7EB")
	f("1000000", 1000000, "1000000B")
	for _, bad := range []string{"", "KB", "1.5MB", "1 X", "1BI", "1IB", "8EB", "18446744073709551616"} {
		_, err := ParseBytes(bad)
		require.Error(t, err, bad)
	}
	require.Equal(t, math.MaxInt64, Bytes(math.MaxInt64).Int())
}

func FuzzReadYAML(f *testing.F) {
	f.Add("max_line_size: 1KB\nquery_timeout: 1w\ndiscover_service_name: [a]")
	f.Add("retention_period: 30d\nretention_stream: [{selector: '{a=\"b\"}', priority: 1, period: 24h}]")
	f.Add("a: &x {max_query_series: 1}\n<<: *x")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := read(text)
		if err != nil {
			return
		}
		_ = l.Validate()
		l.IngestionRate()
		l.StreamRate()
		l.StreamsMax()
		_ = l.Retention().String()
	})
}

func TestRates(t *testing.T) {
	now := time.Unix(1700000000, 0)
	r := NewRates[string](3)
	require.True(t, r.Allow(now, "a", 10, 20, 20), "the bucket starts full")
	require.False(t, r.Allow(now, "a", 10, 20, 1))
	require.True(t, r.Allow(now, "b", 10, 20, 20), "each key has its own")
	require.False(t, r.Allow(now.Add(time.Second), "a", 10, 20, 11), "all or none")
	require.True(t, r.Allow(now.Add(time.Second), "a", 10, 20, 10))
	require.False(t, r.Allow(now.Add(time.Hour), "a", 10, 20, 21), "never more than the burst")
	require.True(t, r.Allow(now.Add(time.Hour), "a", 10, 20, 0))

	// A changed limit counts from now on.
	require.True(t, r.Allow(now.Add(time.Hour), "a", 10, 20, 20))
	require.True(t, r.Allow(now.Add(time.Hour+time.Second), "a", 1000, 2000, 10))

	// The key that was not asked for longest gives way.
	require.True(t, r.Allow(now, "c", 1, 1, 1))
	require.True(t, r.Allow(now, "d", 1, 1, 1))
	require.Equal(t, 3, r.Len())
	require.False(t, r.Allow(now, "c", 1, 1, 1), "still known")
	require.True(t, r.Allow(now, "b", 10, 20, 20), "forgotten, so full again")
	for i := range 100 {
		r.Allow(now, fmt.Sprint(i), 1, 1, 1)
	}
	require.Equal(t, 3, r.Len())
}

// docs/limits.md has a row for every limit with the default in force, and its block of Loki's defaults can be pasted.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(doc), -1) {
		rows[m[1]] = strings.Trim(strings.TrimSpace(m[2]), "`")
	}
	printed, err := yaml.Marshal(Default())
	require.NoError(t, err)
	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal(printed, &defaults))
	for _, key := range Keys() {
		require.Contains(t, rows, key)
		switch value := defaults[key].(type) {
		case []any:
			// Lists are told below the table.
			for _, name := range value {
				require.Contains(t, string(doc), fmt.Sprintf("`%s`", name))
			}
		default:
			want := strings.Trim(fmt.Sprint(value), `"`)
			require.Equal(t, want, rows[key], "default of %s", key)
		}
	}
	require.Len(t, rows, len(Keys()))

	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(string(doc))
	require.NotNil(t, block)
	var file struct {
		Limits Limits `yaml:"limits_config"`
	}
	file.Limits = Default()
	require.NoError(t, yaml.Unmarshal([]byte(block[1]), &file))
	require.NoError(t, file.Limits.Validate())
	require.Empty(t, file.Limits.Warnings())
	rate, burst := file.Limits.IngestionRate()
	require.Equal(t, []any{4.0 * (1 << 20), 6 << 20}, []any{rate, burst})
	rate, burst = file.Limits.StreamRate()
	require.Equal(t, []any{3.0 * (1 << 20), 15 << 20}, []any{rate, burst})
	require.Equal(t, 5000, file.Limits.StreamsMax())
	require.Equal(t, "721h", fmt.Sprintf("%.0fh", time.Duration(file.Limits.MaxQueryLength).Hours()))
}
