package plugin

import (
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/history"
)

// statMode is how the samples of a metric become numbers.
type statMode uint8

const (
	modeGauge    statMode = iota // the last value
	modeRate                     // of a counter, per second
	modeIncrease                 // of a counter
	modeQuantile                 // of a histogram: p50, p95, p99
	modeAge                      // of a gauge that holds a Unix time: seconds since then
)

// splitNone is the total, as one of the splits.
const splitNone = "none"

// statistic is something that the process knows of itself.
type statistic struct {
	name, title, unit string
	process           bool     // about the whole process, not about a tenant
	by                []string // what it can be split by; the first is what a query gets that does not say
	mode              statMode
	terms             []statTerm // summed for each value of the split
	over              []statTerm // what the sum is divided by
}

// statTerm is what one metric adds to a statistic.
type statTerm struct {
	metric string
	as     string            // the value of the label kind that the metric stands for, "" when it has the labels itself
	not    map[string]string // label values, separated by |, that are left out
	only   map[string]string // label values, separated by |, that count; the others do not
	minus  bool
}

// The metrics that several statistics are made of.
const (
	metricReceivedEntries  = "woodshed_received_entries_total"
	metricReceivedBytes    = "woodshed_received_bytes_total"
	metricDiscardedEntries = "woodshed_discarded_entries_total"
	metricDiscardedBytes   = "woodshed_discarded_bytes_total"
	metricQuerySeconds     = "woodshed_query_duration_seconds"
	metricRequestSeconds   = "woodshed_request_duration_seconds"
	metricAlways           = "go_goroutines" // is there whenever the process is, so it tells where nothing counted is 0
)

// bodyReasons are the reasons for which whole bodies are refused, whose bytes were never counted as received.
const bodyReasons = "request_body_too_large|malformed_body"

// statistics are all that there are, in the order in which people read them.
var statistics = []statistic{
	{name: "ingest_entries", title: "Entries stored", unit: "cps", by: []string{splitNone, "tenant"}, mode: modeRate, terms: []statTerm{
		{metric: metricReceivedEntries}, {metric: metricDiscardedEntries, minus: true},
	}},
	{name: "ingest_bytes", title: "Bytes stored", unit: "Bps", by: []string{splitNone, "tenant"}, mode: modeRate, terms: []statTerm{
		{metric: metricReceivedBytes}, {metric: metricDiscardedBytes, minus: true, not: map[string]string{"reason": bodyReasons}},
	}},
	{name: "refused_entries", title: "Entries refused", unit: "short", by: []string{"reason", splitNone, "tenant"}, mode: modeIncrease, terms: []statTerm{{metric: metricDiscardedEntries}}},
	{name: "refused_bytes", title: "Bytes refused", unit: "bytes", by: []string{"reason", splitNone, "tenant"}, mode: modeIncrease, terms: []statTerm{{metric: metricDiscardedBytes}}},
	{name: "streams", title: "Active streams", unit: "short", by: []string{splitNone, "tenant"}, terms: []statTerm{{metric: "woodshed_head_streams"}}},

	{name: "stored_entries", title: "Entries", unit: "short", process: true, by: []string{splitNone}, terms: []statTerm{{metric: "woodshed_entries"}}},
	{name: "stored_bytes", title: "Lines and metadata, uncompressed", unit: "bytes", process: true, by: []string{splitNone, "kind"}, terms: []statTerm{
		{metric: "woodshed_block_raw_bytes", as: "blocks"}, {metric: "woodshed_head_raw_bytes", as: "in memory"},
	}},
	{name: "disk_bytes", title: "On disk", unit: "bytes", process: true, by: []string{"kind", splitNone}, terms: []statTerm{
		{metric: "woodshed_block_bytes", as: "blocks"}, {metric: "woodshed_wal_bytes", as: "log"}, {metric: "woodshed_wal_spare_bytes", as: "log, kept for reuse"},
	}},
	{name: "disk_free_bytes", title: "Free on the disk", unit: "bytes", process: true, by: []string{"kind"}, terms: []statTerm{
		{metric: "woodshed_disk_free_bytes", as: "free"}, {metric: "woodshed_disk_guard_bytes", as: "kept free"},
	}},
	{name: "compression", title: "Compression", unit: "suffix: : 1", process: true, by: []string{splitNone}, terms: []statTerm{{metric: "woodshed_block_raw_bytes"}}, over: []statTerm{{metric: "woodshed_block_bytes"}}},
	{name: "oldest_age", title: "Age of the oldest entry", unit: "s", process: true, by: []string{splitNone}, mode: modeAge, terms: []statTerm{{metric: "woodshed_oldest_entry_timestamp_seconds"}}},
	{name: "removed_entries", title: "Entries removed by retention", unit: "short", process: true, by: []string{"reason", splitNone}, mode: modeIncrease, terms: []statTerm{{metric: "woodshed_retention_removed_entries_total"}}},
	{name: "removed_bytes", title: "Bytes removed by retention", unit: "bytes", process: true, by: []string{"reason", splitNone}, mode: modeIncrease, terms: []statTerm{{metric: "woodshed_retention_removed_bytes_total"}}},

	{name: "query_latency", title: "Time of queries", unit: "s", process: true, by: []string{splitNone, "kind"}, mode: modeQuantile, terms: []statTerm{{metric: metricQuerySeconds}}},
	{name: "queries", title: "Queries", unit: "reqps", process: true, by: []string{"kind", splitNone}, mode: modeRate, terms: []statTerm{{metric: metricQuerySeconds, only: map[string]string{history.LabelLE: history.LabelInf}}}},
	{name: "query_errors", title: "Queries that failed", unit: "short", process: true, by: []string{"cause", "kind", splitNone}, mode: modeIncrease, terms: []statTerm{{metric: "woodshed_query_errors_total"}}},
	{name: "request_latency", title: "Time of requests to the listener", unit: "s", process: true, by: []string{splitNone, "route"}, mode: modeQuantile, terms: []statTerm{{metric: metricRequestSeconds}}},
	{name: "requests", title: "Requests to the listener", unit: "reqps", process: true, by: []string{"route", splitNone}, mode: modeRate, terms: []statTerm{{metric: metricRequestSeconds, only: map[string]string{history.LabelLE: history.LabelInf}}}},
	{name: "push_latency", title: "Time of pushes", unit: "s", process: true, by: []string{splitNone}, mode: modeQuantile, terms: []statTerm{{metric: metricRequestSeconds, only: map[string]string{"route": "/loki/api/v1/push|/api/prom/push"}}}},
	{name: "sync_latency", title: "Time of one sync of the log", unit: "s", process: true, by: []string{splitNone}, mode: modeQuantile, terms: []statTerm{{metric: "woodshed_wal_sync_seconds"}}},

	{name: "memory_bytes", title: "Memory", unit: "bytes", process: true, by: []string{"kind"}, terms: []statTerm{
		{metric: "process_resident_memory_bytes", as: "process"}, {metric: "go_memstats_heap_inuse_bytes", as: "Go heap"},
		{metric: "woodshed_head_memory_bytes", as: "heads"}, {metric: "woodshed_chunk_cache_bytes", as: "caches of chunks"}, {metric: "woodshed_memory_limit_bytes", as: "limit"},
	}},
	{name: "cpu", title: "Processors in use", unit: "none", process: true, by: []string{splitNone}, mode: modeRate, terms: []statTerm{{metric: "process_cpu_seconds_total"}}},
	{name: "log_writable", title: "The log can be written", unit: "bool_yes_no", process: true, by: []string{splitNone}, terms: []statTerm{{metric: "woodshed_wal_healthy"}}},
	{name: "refusing_for_space", title: "Pushes are refused for want of disk space", unit: "bool_yes_no", process: true, by: []string{splitNone}, terms: []statTerm{{metric: "woodshed_pushes_refused_for_space"}}},
	{name: "faults", title: "Faults", unit: "short", process: true, by: []string{"kind", splitNone}, mode: modeIncrease, terms: []statTerm{
		{metric: "woodshed_corrupt_chunks_total", as: "corrupt chunks"}, {metric: "woodshed_quarantined_blocks_total", as: "blocks in quarantine"},
		{metric: "woodshed_wal_failures_total", as: "log not written"}, {metric: "woodshed_seal_failures_total", as: "chunks not encoded"},
		{metric: "woodshed_flushes_total", as: "flushes failed", not: map[string]string{"result": "ok"}},
		{metric: "woodshed_compactions_total", as: "merges failed", not: map[string]string{"result": "ok"}},
		{metric: "woodshed_request_panics_total", as: "requests failed by a bug"},
	}},
}

// labelsKept are the labels by which a statistic selects or splits, for each metric that has them.
var labelsKept = map[string][]string{
	metricReceivedEntries: {"tenant"}, metricReceivedBytes: {"tenant"}, "woodshed_head_streams": {"tenant"},
	metricDiscardedEntries: {"tenant", "reason"}, metricDiscardedBytes: {"tenant", "reason"},
	"woodshed_retention_removed_entries_total": {"reason"}, "woodshed_retention_removed_bytes_total": {"reason"},
	metricQuerySeconds: {"kind"}, "woodshed_query_errors_total": {"kind", "cause"}, metricRequestSeconds: {"route"},
	"woodshed_flushes_total": {"result"}, "woodshed_compactions_total": {"result"},
}

const (
	tenantsRemembered = 100 // of each metric by tenant; the others share one series
	refusalsKept      = 200 // tenants times reasons
)

// StatMetrics lists what a history has to remember so that stats queries can be answered.
func StatMetrics() []history.Metric {
	out := []history.Metric{{Name: metricAlways}}
	for _, s := range statistics {
		for _, t := range slices.Concat(s.terms, s.over) {
			if slices.ContainsFunc(out, func(m history.Metric) bool { return m.Name == t.metric }) {
				continue
			}
			m := history.Metric{Name: t.metric, By: labelsKept[t.metric]}
			switch {
			case slices.Contains(m.By, "reason") && slices.Contains(m.By, "tenant"):
				m.SetsMax = refusalsKept
			case slices.Contains(m.By, "tenant"):
				m.SetsMax = tenantsRemembered
			}
			out = append(out, m)
		}
	}
	return out
}

func findStatistic(name string) (*statistic, bool) {
	n := slices.IndexFunc(statistics, func(s statistic) bool { return s.name == name })
	if n < 0 {
		return nil, false
	}
	return &statistics[n], true
}

// statNames lists statistics for people.
func statNames(want func(*statistic) bool) string {
	var out []string
	for n := range statistics {
		if want(&statistics[n]) {
			out = append(out, statistics[n].name)
		}
	}
	return strings.Join(out, ", ")
}

// selects reports whether a series counts.
func (t *statTerm) selects(labels map[string]string) bool {
	for name, values := range t.only {
		if !slices.Contains(strings.Split(values, "|"), labels[name]) {
			return false
		}
	}
	for name, values := range t.not {
		if slices.Contains(strings.Split(values, "|"), labels[name]) {
			return false
		}
	}
	return true
}
