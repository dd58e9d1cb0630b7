// Package history remembers what a process counts of itself, so that a graph of it needs no other database.
//
// Every 15 seconds, and when somebody asks, it gathers the metrics that it was told to remember from a Prometheus
// registry: nothing is counted a second time. Samples fall into tiers of falling resolution: 15 s for an hour, a minute
// for six, five minutes for a day, an hour for two weeks. All are in memory, bounded by the label sets that each metric may
// have (Metric.SetsMax); what comes later shares one set, so that sums stay right.
//
// What holds:
//   - the times of a tier ascend, and every series has one value for each of them, NaN where it had none;
//   - a remembered counter never falls: when a process starts again its counters continue from the last value, so a rate
//     is a difference, in every tier, and nothing is lost between two samples of a coarse one;
//   - a clock that is set back forgets what is in its future.
//
// The history survives its process in one file, replaced whole every few minutes and at the end (temporary file, fsync,
// rename). It is worth nothing but graphs: a file that cannot be read or written is a warning and an empty history, never
// an error of the process.
//
// # Format of the file
//
// All integers are little endian, all times Unix milliseconds, all text UTF-8 behind its length.
//
//	header   8 B "wshist\x00\n" | u32 version | u32 bytes of the body | u32 crc32c of the compressed body
//	         the rest of the file is the body, compressed with zstd
//	body     u32 tiers, for each: u32 step in ms, u32 count, count × i64 time
//	         u32 series, for each:
//	           u8 kind (0 gauge, 1 counter) | u8+text name of the metric | u8 labels, for each u8+text name, u16+text value
//	           for each tier, as many as it has times: f64 value
//
// The tiers are those of the version. A golden file pins the bytes; another version is refused.
//
// The package knows nothing of logs, tenants or Grafana.
package history
