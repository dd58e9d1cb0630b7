package logdb

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
)

// Why retention removes a block.
const (
	removedByAge   = "age"
	removedByBytes = "bytes"
)

type metrics struct {
	entries, duplicates, bytes prometheus.Counter
	streamsCreated             prometheus.Counter
	sealFailures               prometheus.Counter
	flushes                    *prometheus.CounterVec
	flushSeconds               prometheus.Histogram
	carries                    prometheus.Counter
	badChunks, badBlocks       prometheus.Counter
	recovered, deletes         prometheus.Counter
	compactions                *prometheus.CounterVec
	compactionRead             prometheus.Counter
	compactionWritten          prometheus.Counter
	compactionDropped          prometheus.Counter
	compactionSeconds          prometheus.Histogram
	removedBlocks              *prometheus.CounterVec
	removedEntries             *prometheus.CounterVec
	removedBytes               *prometheus.CounterVec
	cacheHits, cacheMisses     prometheus.Counter
	linesDecoded               prometheus.Counter
	chunksSkipped              [skipReasons]prometheus.Counter
}

func newMetrics(r prometheus.Registerer, db *DB) *metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "woodshed_" + name, Help: help})
	}
	gauge := func(name, help string, v func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "woodshed_" + name, Help: help}, v)
	}
	gauge("head_memory_bytes", "Memory of all heads, those being flushed included.", func() float64 { return float64(db.heads.MemoryBytes()) })
	gauge("head_open_bytes", "Memory of open runs, streams and postings in heads.", func() float64 { return float64(db.heads.Open.Load()) })
	gauge("head_raw_bytes", "Lines and metadata in heads, uncompressed.", func() float64 { return float64(db.heads.Raw.Load()) })
	gauge("tenants", "Tenants with data.", func() float64 { db.mu.RLock(); defer db.mu.RUnlock(); return float64(len(db.tenants)) })
	gauge("blocks", "Blocks on disk.", func() float64 { return float64(db.blockTotals().Blocks) })
	gauge("block_bytes", "Bytes of blocks on disk.", func() float64 { return float64(db.blockTotals().DiskBytes) })
	gauge("block_raw_bytes", "Lines and metadata in blocks, uncompressed.", func() float64 { return float64(db.blockTotals().RawBytes) })
	gauge("entries", "Entries in blocks and heads.", func() float64 { return float64(db.entryCount()) })
	gauge("oldest_entry_timestamp_seconds", "Time of the oldest entry; 0 while there is none.", db.oldestSeconds)
	r.MustRegister(headStreams{db})
	removed := func(what, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "woodshed_retention_removed_" + what + "_total", Help: help}, []string{"reason"})
	}
	gauge("disk_free_bytes", "Free space on the file system of the data directory.", func() float64 {
		if s := db.guard.state(); s.Disk.Total > 0 {
			return float64(s.Disk.Free)
		}
		return math.NaN() // not known yet, or not to be known
	})
	gauge("disk_guard_bytes", "Free space below which pushes are refused.", func() float64 {
		if s := db.guard.state(); s.Disk.Total > 0 {
			return float64(s.Guard)
		}
		return math.NaN() // as above
	})
	gauge("pushes_refused_for_space", "1 while pushes are refused because the disk is nearly full.", func() float64 {
		if db.guard.state().Refusing {
			return 1
		}
		return 0
	})
	gauge("chunk_cache_bytes", "Memory of decoded columns that are kept.", func() float64 { return float64(db.columns.held()) })
	m := &metrics{
		compactions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "woodshed_compactions_total", Help: "Merges and rewrites of blocks, by result.",
		}, []string{"result"}),
		compactionRead:    counter("compaction_read_bytes_total", "Bytes of blocks that were merged or written again."),
		compactionWritten: counter("compaction_written_bytes_total", "Bytes of blocks that merges wrote."),
		compactionDropped: counter("compaction_dropped_entries_total", "Entries that merges left out: deleted, or of streams whose time is over."),
		compactionSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "woodshed_compaction_duration_seconds", Help: "Time to write one merged block.", Buckets: prometheus.ExponentialBuckets(0.05, 4, 8),
		}),
		removedBlocks:  removed("blocks", "Blocks that retention removed, by reason."),
		removedEntries: removed("entries", "Entries of blocks that retention removed whole, by reason."),
		removedBytes:   removed("bytes", "Bytes of blocks that retention removed, by reason."),
		entries:        counter("entries_appended_total", "Entries made durable and visible."),
		duplicates:     counter("entries_duplicate_total", "Entries dropped because an equal one was still in the head."),
		bytes:          counter("bytes_appended_total", "Lines and metadata of appended entries, uncompressed."),
		streamsCreated: counter("streams_created_total", "Streams that appeared in a head."),
		sealFailures:   counter("seal_failures_total", "Closed parts of a head that could not be encoded."),
		flushes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "woodshed_flushes_total", Help: "Flushes of a tenant's head to blocks, by result.",
		}, []string{"result"}),
		flushSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "woodshed_flush_duration_seconds", Help: "Time to flush one tenant's head.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 8),
		}),
		carries:   counter("carries_total", "Small heads carried forward in the log instead of flushed."),
		badChunks: counter("corrupt_chunks_total", "Chunks left out of an answer because they are corrupt."),
		deletes:   counter("deletes_total", "Deletes that were accepted."),
		recovered: counter("recovered_entries_total", "Entries of corrupt blocks that came back from the log."),
		badBlocks: counter("quarantined_blocks_total", "Blocks moved to quarantine because they are corrupt."),

		cacheHits:    counter("chunk_cache_hits_total", "Columns of blocks that a query found decoded."),
		cacheMisses:  counter("chunk_cache_misses_total", "Columns of blocks that a query had to decode."),
		linesDecoded: counter("chunk_lines_decoded_total", "Chunks whose lines a query decoded."),
	}
	skipped := f.NewCounterVec(prometheus.CounterOpts{
		Name: "woodshed_chunks_skipped_total", Help: "Chunks of which a query needed no line, by what told so.",
	}, []string{"by"})
	for by, name := range skipNames {
		m.chunksSkipped[by] = skipped.WithLabelValues(name)
	}
	m.begin()
	return m
}

// begin makes what is counted by label exist from the start: a rate of something that appears with 1 misses the first.
func (m *metrics) begin() {
	for _, v := range []*prometheus.CounterVec{m.removedBlocks, m.removedEntries, m.removedBytes} {
		for _, reason := range []string{removedByAge, removedByBytes} {
			v.WithLabelValues(reason)
		}
	}
	for _, v := range []*prometheus.CounterVec{m.flushes, m.compactions} {
		for _, result := range []string{"ok", "error"} {
			v.WithLabelValues(result)
		}
	}
}

func (m *metrics) applied(a head.Added) {
	m.entries.Add(float64(a.Entries))
	m.duplicates.Add(float64(a.Duplicates))
	m.bytes.Add(float64(a.Bytes))
	m.streamsCreated.Add(float64(a.NewStreams))
}
