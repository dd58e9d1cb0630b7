package chunk

import (
	"encoding/binary"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// MinuteCount counts the entries of one level of one run in one minute.
type MinuteCount struct {
	Run     uint32 // index in Table.Runs
	Level   uint32 // index in Table.Levels
	Minute  int64  // as MinuteOf numbers them
	Entries uint32
	Bytes   uint64 // of lines
}

// MinuteOf returns the minute that a time lies in. Minute m is all after m minutes since the epoch, up to and with m+1: the
// windows of queries end with their last instant, and agents that write whole seconds put an entry there once a minute.
func MinuteOf(t model.Timestamp) int64 {
	m := int64(t) / minuteNanos
	if int64(t)%minuteNanos <= 0 {
		m--
	}
	return m
}

// HasMinutes reports whether the chunk has minute counts. Chunks whose counts would be nearly as many as their entries
// (packed ones of small streams) and those with too many levels have none.
func (t *Table) HasMinutes() bool { return t.minutes != nil }

// Minutes appends the minute counts to dst, ordered by (run, minute, level). Together they count every entry once.
func (t *Table) Minutes(dst []MinuteCount) ([]MinuteCount, error) {
	if t.minutes == nil {
		return dst, nil
	}
	c := cursor{b: t.minutes}
	for i := range t.Runs {
		run := &t.Runs[i]
		minute := MinuteOf(run.MinTime)
		var entries uint64
		for n := c.length(uint64(run.Count)); n > 0 && !c.bad; n-- {
			minute += int64(c.uvarint())
			m := MinuteCount{Run: uint32(i), Minute: minute}
			m.Level = uint32(c.length(uint64(len(t.Levels) - 1)))
			m.Entries = uint32(c.length(uint64(run.Count)))
			m.Bytes = uint64(c.length(run.RawBytes))
			entries += uint64(m.Entries)
			dst = append(dst, m)
		}
		if c.bad || entries != uint64(run.Count) || minute != MinuteOf(run.MaxTime) {
			return dst, corrupt("minute counts disagree with the run table")
		}
	}
	if len(c.b) != 0 {
		return dst, corrupt("minute counts: %d bytes too many", len(c.b))
	}
	return dst, nil
}

// countMinutes encodes the counts of a chunk: for each run the number of cells, and for each cell the minutes since the
// one before (the first is in the minute of the run's first entry), level, entries and bytes. It returns nil when the
// cells are too many to be worth their bytes.
func countMinutes(times []model.Timestamp, lengths []int64, levels *levelSet, runs []RunInfo, levelsCount int) []byte {
	cellsMax := max(4, len(times)/8)
	var dst, cells []byte
	cellsCount := 0
	entries, bytes := make([]uint32, levelsCount), make([]uint64, levelsCount)
	for _, run := range runs {
		cells = cells[:0]
		runCells, last := 0, MinuteOf(run.MinTime)
		for i, end := run.First, run.First+run.Count; i < end; {
			minute := MinuteOf(times[i])
			for ; i < end && MinuteOf(times[i]) == minute; i++ {
				code := levels.codes[i]
				entries[code]++
				bytes[code] += uint64(lengths[i])
			}
			for code, n := range entries {
				if n == 0 {
					continue
				}
				for _, v := range []uint64{uint64(minute - last), uint64(code), uint64(n), bytes[code]} {
					cells = binary.AppendUvarint(cells, v)
				}
				entries[code], bytes[code], last = 0, 0, minute
				runCells++
			}
			if cellsCount+runCells > cellsMax {
				return nil
			}
		}
		cellsCount += runCells
		dst = binary.AppendUvarint(dst, uint64(runCells))
		dst = append(dst, cells...)
	}
	return dst
}
