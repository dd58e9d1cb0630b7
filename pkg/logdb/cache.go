package logdb

import (
	"container/list"
	"sync"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// columnCache keeps decoded columns of blocks' chunks. Blocks never change, so nothing in it can become wrong; what leaves
// it stays valid for those who hold it, and is left to the collector.
//
// A column is admitted when it is asked for a second time before more bytes than the cache may hold were asked for in
// between. So a scan over more than that, once or again and again, leaves the cache as it is.
type columnCache struct {
	max          int64
	hits, misses prometheus.Counter

	mu     sync.Mutex // guards the fields below
	bytes  int64
	blocks map[ulid.ULID]map[columnKey]*list.Element
	recent list.List // of *cachedColumn, the last one used first

	seen      map[seenKey]*list.Element // asked for once
	seenOrder list.List                 // of seenColumn, the last one first
	seenBytes int64
}

// columnKey names something of one block.
type columnKey struct {
	chunk uint32
	kind  columnKind
	names string // of metadata, joined by zero bytes
}

type columnKind uint8

const (
	tableColumn      columnKind = iota // a *chunk.Table
	timeColumn                         // []model.Timestamp
	endsColumn                         // []uint32
	linesColumn                        // []byte
	levelColumn                        // chunk.Levels
	metadataColumn                     // chunk.Metadata
	filterColumn                       // chunk.Filter
	metaFilterColumn                   // chunk.MetaFilter
	filtersColumn                      // *block.Filters, of the whole block
)

type cachedColumn struct {
	block ulid.ULID
	key   columnKey
	value any
	bytes int64
}

type seenKey struct {
	block ulid.ULID
	key   columnKey
}

type seenColumn struct {
	seenKey
	bytes int64
}

func newColumnCache(maxBytes int64, m *metrics) *columnCache {
	c := &columnCache{max: maxBytes, hits: m.cacheHits, misses: m.cacheMisses}
	c.clear()
	return c
}

// clear empties the cache.
func (c *columnCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks, c.seen = map[ulid.ULID]map[columnKey]*list.Element{}, map[seenKey]*list.Element{}
	c.recent.Init()
	c.seenOrder.Init()
	c.bytes, c.seenBytes = 0, 0
}

// held is what the cache holds.
func (c *columnCache) held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// columnShareMax is the share of the cache above which one column is not worth all that it would push out.
const columnShareMax = 8

// lookup returns a column, or nil and whether it should be added once it is decoded. Bytes is about its size.
func (c *columnCache) lookup(block ulid.ULID, key columnKey, bytes int64) (value any, admit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value := c.findLocked(block, key); value != nil {
		return value, false
	}
	if bytes > c.max/columnShareMax {
		return nil, false
	}
	k := seenKey{block, key}
	if e, ok := c.seen[k]; ok {
		c.forgetLocked(e)
		return nil, true
	}
	c.seen[k] = c.seenOrder.PushFront(seenColumn{k, bytes})
	for c.seenBytes += bytes; c.seenBytes > c.max; {
		c.forgetLocked(c.seenOrder.Back())
	}
	return nil, false
}

// find returns a column, or nil.
func (c *columnCache) find(block ulid.ULID, key columnKey) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.findLocked(block, key)
}

func (c *columnCache) findLocked(block ulid.ULID, key columnKey) any {
	e, ok := c.blocks[block][key]
	if !ok {
		c.misses.Inc()
		return nil
	}
	c.recent.MoveToFront(e)
	c.hits.Inc()
	return e.Value.(*cachedColumn).value
}

func (c *columnCache) forgetLocked(e *list.Element) {
	s := c.seenOrder.Remove(e).(seenColumn)
	delete(c.seen, s.seenKey)
	c.seenBytes -= s.bytes
}

// add keeps a column. From now on nobody may change it.
func (c *columnCache) add(block ulid.ULID, key columnKey, value any) {
	added := &cachedColumn{block: block, key: key, value: value, bytes: columnBytes(value)}
	if added.bytes > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.blocks[block][key]; ok {
		return // two workers decoded it at the same time
	}
	if c.blocks[block] == nil {
		c.blocks[block] = map[columnKey]*list.Element{}
	}
	c.blocks[block][key] = c.recent.PushFront(added)
	for c.bytes += added.bytes; c.bytes > c.max; {
		c.removeLocked(c.recent.Back())
	}
}

func (c *columnCache) removeLocked(e *list.Element) {
	removed := c.recent.Remove(e).(*cachedColumn)
	c.bytes -= removed.bytes
	columns := c.blocks[removed.block]
	delete(columns, removed.key)
	if len(columns) == 0 {
		delete(c.blocks, removed.block)
	}
}

// drop forgets a block that nobody reads any more.
func (c *columnCache) drop(block ulid.ULID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.blocks[block] {
		c.removeLocked(e)
	}
}

// cachedOverhead is about what keeping a column costs besides its bytes.
const cachedOverhead = 256

func columnBytes(value any) int64 {
	n := int64(cachedOverhead)
	switch v := value.(type) {
	case *chunk.Table:
		n += v.MemoryBytes()
	case []model.Timestamp:
		n += 8 * int64(cap(v))
	case []uint32:
		n += 4 * int64(cap(v))
	case []byte:
		n += int64(cap(v))
	case chunk.Levels:
		n += v.MemoryBytes()
	case chunk.Metadata:
		n += v.MemoryBytes()
	case chunk.Filter:
		n += int64(cap(v.Bytes()))
	case chunk.MetaFilter:
		n += int64(cap(v.Bytes()))
	case *block.Filters:
		n += v.MemoryBytes()
	}
	return n
}

// chunkKey names a chunk of a block for the cache. Without a cache, as for chunks in memory, nothing is kept.
type chunkKey struct {
	cache  *columnCache
	block  ulid.ULID
	number uint32
}

// column returns a decoded column: the cache's, or a new one that the cache keeps from now on, or one in scratch, which is
// valid until scratch is decoded into again. Bytes is about its size.
func column[T any](k chunkKey, key columnKey, bytes int64, scratch *T, decode func(into T) (T, error)) (T, error) {
	key.chunk = k.number
	admit := false
	if k.cache != nil {
		var value any
		if value, admit = k.cache.lookup(k.block, key, bytes); value != nil {
			return value.(T), nil
		}
	}
	var into T
	if !admit {
		into = *scratch
	}
	out, err := decode(into)
	switch {
	case err != nil:
		return out, err
	case admit:
		k.cache.add(k.block, key, out)
	default:
		*scratch = out
	}
	return out, nil
}

// dropCaches gives back what is held only to be faster: memory or disk is short.
func (db *DB) dropCaches() {
	db.columns.clear()
	db.tables.clear()
}
