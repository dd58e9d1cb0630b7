package app

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/config"
)

// What the division of memory_limit rests on. docs/configuration.md explains it, and a test compares the two.
const (
	// idleBytes is what an idle process takes from the Go runtime, with the log's own memory while it is written.
	idleBytes = 24 << 20
	// processorBytes is what every processor adds: two compressors (9.2 MiB, measured) and what a scan decodes into.
	processorBytes = 10 << 20
	// processorLimitBytes is the memory limit per processor below which fewer processors are used: many processors and little
	// memory is what a container on a large machine has, and there the compressors alone would take all of it.
	processorLimitBytes = 64 << 20
	// backgroundBytesMax is what a flush and a merge of blocks take at most, whatever there is.
	backgroundBytesMax = 64 << 20
	// streamCacheBytesMax is room for the labels of some 60,000 known streams.
	streamCacheBytesMax = 32 << 20
	// openBlockBytes is about what an open block keeps: the directory of its chunks.
	openBlockBytes = 64 << 10
	// queryPageBytesMax bounds the lines that one query sorts at a time; more would not make it faster.
	queryPageBytesMax = 128 << 20
	// queryKeptBytesMax bounds the answer of one query; no browser and no panel takes more.
	queryKeptBytesMax = 512 << 20
	// queryRunningBytes is the share of queries per query of the HTTP API that may run.
	queryRunningBytes  = 16 << 20
	queriesRunningMin  = 2
	queriesRunningBase = 16
)

// memoryBudget divides memory_limit among all that can hold much of it. The first six add up to the limit, so that it holds
// when all are full at once; what follows are the settings of the parts that keep within them. A setting that wants more than
// its share is lowered to it: the limit is the one promise.
type memoryBudget struct {
	limit      int64
	processors int

	runtime    int64 // idle process, compressors, and an eighth of the limit for what the collector has not freed yet
	pushes     int64
	heads      int64
	background int64 // flush, merging of blocks
	queries    int64
	caches     int64

	bytesInFlight   int64 // half of pushes: a push is in memory twice, as it came and as log and head take it
	decompressedMax int64 // of one push
	headOpen        int64
	flushBytes      int64 // raw
	queriesRunning  int   // of the HTTP API
	queryKept       int64 // by the engine, for each query
	queryPage       int64 // by the store, for each query
	queriesDecoded  int64 // by all queries together
	streamCache     int64
	chunkCache      int64 // decoded chunks and filters
	openBlocks      int
	lowered         []string // what was asked for and is not given, in sentences
}

func newMemoryBudget(cfg *config.Config, limit int64, processors int) memoryBudget {
	m := memoryBudget{limit: limit, processors: max(1, min(processors, int(limit/processorLimitBytes)))}
	m.runtime = idleBytes + int64(m.processors)*processorBytes + limit/8
	rest := limit - m.runtime
	m.pushes = min(rest*5/16, 2*min(int64(cfg.Push.BytesInFlight), limit))
	rest -= m.pushes
	// More than what starts a flush, and as much again that comes in while it runs, is never in use.
	m.heads = min(rest*48/100, 2*(min(int64(cfg.Storage.FlushBytes), limit)+min(int64(cfg.Storage.HeadOpenBytes), limit)))
	m.background = min(rest*8/100, backgroundBytesMax)
	rest -= m.heads + m.background
	m.queries = rest * 7 / 10
	m.caches = rest - m.queries

	m.fitPushes(&cfg.Push)
	m.fitHeads(&cfg.Storage)
	// Besides what all queries decode, two of the largest fit at once, or one whose answer exists three times while it is
	// encoded.
	m.queryKept, m.queryPage = min(m.queries/6, queryKeptBytesMax), min(m.queries/6, queryPageBytesMax)
	if cfg.Query.MemoryBytesMax > 0 {
		m.queryKept = m.fit("query.memory_bytes_max", cfg.Query.MemoryBytesMax, 0, m.queries/6)
	}
	m.queriesDecoded = m.queries / 3
	m.queriesRunning = int(min(max(m.queries/queryRunningBytes, queriesRunningMin), int64(max(queriesRunningBase, 2*m.processors))))
	m.fitCaches(&cfg.Storage)
	return m
}

func (m *memoryBudget) fitPushes(c *config.Push) {
	def := config.Default().Push
	m.bytesInFlight = m.fit("push.bytes_in_flight", c.BytesInFlight, def.BytesInFlight, m.pushes/2)
	m.decompressedMax = int64(c.DecompressedBytesMax)
	if m.bytesInFlight < int64(c.BytesInFlight) { // else an operator chose how the two relate
		m.decompressedMax = m.fit("push.decompressed_bytes_max", c.DecompressedBytesMax, def.DecompressedBytesMax, m.bytesInFlight/2)
	}
}

func (m *memoryBudget) fitHeads(c *config.Storage) {
	def := config.Default().Storage
	m.headOpen = m.fit("storage.head_open_bytes", c.HeadOpenBytes, def.HeadOpenBytes, m.heads/4)
	// Sealed chunks of lines that hardly compress, with what is kept to find duplicates, take half of their raw size.
	m.flushBytes = m.fit("storage.flush_bytes", c.FlushBytes, def.FlushBytes, 2*m.heads)
}

func (m *memoryBudget) fitCaches(c *config.Storage) {
	def := config.Default().Storage
	m.streamCache = min(m.caches/4, streamCacheBytesMax)
	m.openBlocks = c.OpenBlocks
	if most := int(m.caches / 4 / openBlockBytes); m.openBlocks > most {
		if c.OpenBlocks != def.OpenBlocks {
			m.lowered = append(m.lowered, fmt.Sprintf("storage.open_blocks is %d, but with a memory limit of %s it can be %d, which is used; raise memory_limit.",
				c.OpenBlocks, size(m.limit), most))
		}
		m.openBlocks = most
	}
	m.chunkCache = m.caches - m.streamCache - int64(m.openBlocks)*openBlockBytes
	if c.CacheBytes > 0 {
		m.chunkCache = m.fit("storage.cache_bytes", c.CacheBytes, def.CacheBytes, m.chunkCache)
	}
}

// fit lowers a setting to what its share has for it, and says so when somebody set it.
func (m *memoryBudget) fit(key string, set, def config.Bytes, share int64) int64 {
	if int64(set) <= share {
		return int64(set)
	}
	if set != def {
		m.lowered = append(m.lowered, fmt.Sprintf("%s is %s, but a memory limit of %s leaves %s for it, which is used; raise memory_limit.",
			key, size(int64(set)), size(m.limit), size(share)))
	}
	return share
}

// words tell people who gets how much, in sentences.
func (m *memoryBudget) words() []string {
	return []string{
		fmt.Sprintf("Memory limit %s: heads %s, pushes %s, queries %s, caches %s, flushes and merges %s, runtime %s on %d processors.",
			size(m.limit), size(m.heads), size(m.pushes), size(m.queries), size(m.caches), size(m.background), size(m.runtime), m.processors),
		fmt.Sprintf("Pushes in flight hold up to %s, one of them up to %s unpacked; above it they are answered 503 and 413.",
			size(m.bytesInFlight), size(m.decompressedMax)),
		fmt.Sprintf("Open chunks hold up to %s, and %s of raw lines in memory start a flush; heads over their share answer pushes with 503.",
			size(m.headOpen), size(m.flushBytes)),
		fmt.Sprintf("A query keeps up to %s and sorts up to %s at a time; the HTTP API runs %d at once, and others wait.",
			size(m.queryKept), size(m.queryPage), m.queriesRunning),
		fmt.Sprintf("Caches: %s of chunks and filters, %s of known streams, %d open blocks.", size(m.chunkCache), size(m.streamCache), m.openBlocks),
	}
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
