package logdb

import (
	"container/list"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
)

// chunkTable is the table of a chunk with its minute counts in the form in which they are added up.
type chunkTable struct {
	*chunk.Table
	minute  int64 // of the first of minutes, as chunk.MinuteOf numbers them
	minutes []minuteCount
	ends    []uint32 // of the minutes of each run; nil when they are not decoded
	names   []string // of metadata that has a column of its own
	more    bool     // some entry has another name
}

// minuteCount counts the entries of one level of one run in one minute.
type minuteCount struct {
	minute  uint32 // after that of the table
	bytes   uint32
	entries uint16
	level   uint8
}

func newChunkTable(t *chunk.Table) *chunkTable {
	names, more := t.MetadataNames()
	return &chunkTable{Table: t, names: names, more: more}
}

// decodeMinutes decodes the minute counts, if there are any.
func (w *countWorker) decodeMinutes(t *chunkTable) error {
	if !t.HasMinutes() {
		return nil
	}
	var err error
	if w.minutes, err = t.Minutes(w.minutes[:0]); err != nil {
		return err
	}
	t.minute = chunk.MinuteOf(t.MinTime)
	t.minutes, t.ends = make([]minuteCount, 0, len(w.minutes)), make([]uint32, len(t.Runs))
	for _, m := range w.minutes {
		after := m.Minute - t.minute
		if after < 0 || after > math.MaxUint32 || int(m.Level) >= len(t.Levels) {
			return fmt.Errorf("%w: minute counts are out of range", chunk.ErrCorrupt)
		}
		// The limits of package chunk see to it that the other numbers fit.
		t.minutes = append(t.minutes, minuteCount{minute: uint32(after), bytes: uint32(m.Bytes), entries: uint16(m.Entries), level: uint8(m.Level)})
		t.ends[m.Run] = uint32(len(t.minutes))
	}
	return nil
}

// minutesOf returns the minute counts of a run.
func (t *chunkTable) minutesOf(run int) []minuteCount {
	start := uint32(0)
	if run > 0 {
		start = t.ends[run-1]
	}
	return t.minutes[start:t.ends[run]]
}

// hasMetadata reports whether an entry may have metadata of these names; nil: of any.
func (t *chunkTable) hasMetadata(names []string) bool {
	if t.more || names == nil {
		return t.more || len(t.names) > 0
	}
	return slices.ContainsFunc(names, func(name string) bool {
		_, found := slices.BinarySearch(t.names, name)
		return found
	})
}

// lineBytesKnown reports whether lineBytes is right for every run.
func (t *chunkTable) lineBytesKnown() bool { return len(t.Runs) == 1 || t.RawBytes == t.LineBytes }

// lineBytes returns the bytes of the lines of a run.
func (t *chunkTable) lineBytes(run *chunk.RunInfo) uint64 {
	if len(t.Runs) == 1 {
		return t.LineBytes
	}
	return run.RawBytes
}

func (t *chunkTable) memoryBytes() int64 {
	const fixed = 300 // itself, its places in the cache
	return fixed + t.Table.MemoryBytes() + 12*int64(cap(t.minutes)) + 4*int64(len(t.ends)) + 16*int64(len(t.names))
}

// tableCache keeps tables of blocks' chunks that were counted before: reading and decoding them is most of what it costs to
// count from them.
type tableCache struct {
	max int64

	mu   sync.Mutex // guards the fields below; never held across I/O
	held int64
	lru  *list.List // of *cachedTable, most recent first
	at   map[*blockHandle]map[uint32]*list.Element
}

type cachedTable struct {
	handle *blockHandle
	number uint32
	table  *chunkTable
}

func newTableCache(bytesMax int64) *tableCache {
	return &tableCache{max: bytesMax, lru: list.New(), at: map[*blockHandle]map[uint32]*list.Element{}}
}

// get returns the table, nil when it is not there. It must not be changed.
func (c *tableCache) get(h *blockHandle, number uint32) *chunkTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[h][number]
	if !ok {
		return nil
	}
	c.lru.MoveToFront(e)
	return e.Value.(*cachedTable).table
}

// put keeps a table. The caller holds a view that names the block.
func (c *tableCache) put(h *blockHandle, number uint32, t *chunkTable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.at[h][number]; ok {
		return
	}
	if c.at[h] == nil {
		c.at[h] = map[uint32]*list.Element{}
	}
	c.at[h][number] = c.lru.PushFront(&cachedTable{handle: h, number: number, table: t})
	for c.held += t.memoryBytes(); c.held > c.max; {
		c.removeLocked(c.lru.Back())
	}
}

func (c *tableCache) removeLocked(e *list.Element) {
	t := c.lru.Remove(e).(*cachedTable)
	c.held -= t.table.memoryBytes()
	delete(c.at[t.handle], t.number)
	if len(c.at[t.handle]) == 0 {
		delete(c.at, t.handle)
	}
}

// clear forgets everything.
func (c *tableCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = 0
	c.lru.Init()
	clear(c.at)
}

// forget lets go of a block that no view names any more.
func (c *tableCache) forget(h *blockHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.at[h] {
		c.removeLocked(e)
	}
}
