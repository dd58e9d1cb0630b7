package wal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// SyncPolicy says when a record is durable.
type SyncPolicy uint8

// Only SyncBatch keeps the package's promise through a power cut. With the other two a record that was acknowledged
// survives the death of the process and not that of the machine.
const (
	SyncBatch    SyncPolicy = iota // each commit is synced before it is acknowledged
	SyncInterval                   // synced every Config.SyncInterval
	SyncOff                        // left to the operating system
)

var syncPolicyNames = [...]string{SyncBatch: "batch", SyncInterval: "interval", SyncOff: "off"}

func (p SyncPolicy) String() string {
	if int(p) >= len(syncPolicyNames) {
		return fmt.Sprintf("SyncPolicy(%d)", p)
	}
	return syncPolicyNames[p]
}

// ParseSyncPolicy reads what String prints.
func ParseSyncPolicy(s string) (SyncPolicy, error) {
	for p, name := range syncPolicyNames {
		if s == name {
			return SyncPolicy(p), nil
		}
	}
	return SyncBatch, fmt.Errorf("sync policy %q: want batch, interval or off", s)
}

// Config says where and how a log is written. Only FS and Dir are needed; a zero elsewhere means the default.
type Config struct {
	FS  vfs.FS
	Dir string

	// Floor is the highest position that the caller has stored anywhere: all positions of this log will be above it, even
	// if somebody emptied the directory. Without it, marks from before would hide new records from a replay.
	Floor Position
	// Replayed is ReplayStats.End of the replay that preceded. Zero makes Open find the end of the last segment itself.
	Replayed Position

	SegmentBytes  int64 // 128 MiB; a record cannot be larger than a segment, nor than 128 MiB
	BatchBytesMax int   // 1 MiB; written and synced at a time
	QueueBytesMax int64 // 64 MiB; payloads that wait, all callers together; above it Append waits

	Sync         SyncPolicy
	SyncInterval time.Duration // 1 s; for SyncInterval only

	Logger     *slog.Logger          // nil: discards
	Registerer prometheus.Registerer // nil: the metrics are kept and not shown
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.FS == nil:
		return errors.New("wal: no file system")
	case c.Dir == "":
		return errors.New("wal: no directory")
	case c.SegmentBytes != 0 && (c.SegmentBytes < segmentBytesMin || c.SegmentBytes > segmentBytesMax):
		return fmt.Errorf("wal: segments of %d bytes: want %d to %d", c.SegmentBytes, segmentBytesMin, segmentBytesMax)
	case c.BatchBytesMax != 0 && (c.BatchBytesMax < batchBytesMin || c.BatchBytesMax > batchBytesMax):
		return fmt.Errorf("wal: batches of %d bytes: want %d to %d", c.BatchBytesMax, batchBytesMin, batchBytesMax)
	case c.QueueBytesMax < 0:
		return fmt.Errorf("wal: a queue of %d bytes", c.QueueBytesMax)
	case c.Sync > SyncOff:
		return fmt.Errorf("wal: unknown sync policy %d", c.Sync)
	case c.SyncInterval < 0:
		return fmt.Errorf("wal: a sync interval of %s", c.SyncInterval)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = segmentBytesDefault
	}
	if c.BatchBytesMax == 0 {
		c.BatchBytesMax = batchBytesDefault
	}
	if c.QueueBytesMax == 0 {
		c.QueueBytesMax = queueBytesDefault
	}
	if c.SyncInterval == 0 {
		c.SyncInterval = syncIntervalDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// payloadBytesMax is the largest payload that fits.
func (c Config) payloadBytesMax() int64 {
	return min(c.SegmentBytes-dataStart, recordBytesMax) - recordHeaderSize - recordAlign
}
