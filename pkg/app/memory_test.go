package app

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
)

func defaultMemory(limit int64, processors int) memoryBudget {
	cfg := config.Default()
	return newMemoryBudget(&cfg, limit, processors)
}

var memoryLimits = []int64{256 << 20, 512 << 20, 1 << 30, 8 << 30, 256 << 30}

// checkMemory holds a division to what it promises whatever the settings.
func checkMemory(t *testing.T, m memoryBudget) {
	t.Helper()
	sum := int64(0)
	for _, share := range []int64{m.runtime, m.pushes, m.heads, m.background, m.queries, m.caches} {
		require.Positive(t, share)
		sum += share
	}
	require.LessOrEqual(t, sum, m.limit)
	require.LessOrEqual(t, 2*m.bytesInFlight, m.pushes)
	require.LessOrEqual(t, m.headOpen, m.heads/4)
	require.LessOrEqual(t, m.flushBytes, 2*m.heads)
	require.LessOrEqual(t, m.queriesDecoded+2*(m.queryKept+m.queryPage), m.queries)
	require.LessOrEqual(t, m.queriesDecoded+3*m.queryKept+m.queryPage, m.queries)
	require.LessOrEqual(t, m.streamCache+m.chunkCache+int64(m.openBlocks)*openBlockBytes, m.caches)
	require.LessOrEqual(t, int64(m.processors)*processorBytes, m.limit/6, "the compressors of many processors must leave something")
	for _, used := range []int64{m.bytesInFlight, m.decompressedMax, m.headOpen, m.flushBytes, m.queryKept, m.queryPage, m.streamCache, m.chunkCache} {
		require.Positive(t, used)
	}
	require.Positive(t, m.openBlocks)
	require.Positive(t, m.processors)
	require.GreaterOrEqual(t, m.queriesRunning, 2)
}

func TestMemoryAddsUp(t *testing.T) {
	for _, limit := range memoryLimits {
		for _, processors := range []int{1, 2, 4, 64, 256} {
			m := defaultMemory(limit, processors)
			checkMemory(t, m)
			require.Empty(t, m.lowered, "nobody asked for anything")
			require.LessOrEqual(t, m.processors, processors)
		}
	}
	require.Equal(t, 4, defaultMemory(256<<20, 64).processors)
	require.Equal(t, 2, defaultMemory(256<<20, 2).processors)
	require.Equal(t, 64, defaultMemory(8<<30, 64).processors)
}

// The division holds for any settings, small ones and those that no machine has room for.
func TestMemoryAddsUpForAnySettings(t *testing.T) {
	for _, limit := range memoryLimits {
		for _, bytes := range []config.Bytes{1 << 20, 64 << 20, 1 << 30, 1 << 60} {
			for _, blocks := range []int{16, 512, 4000} {
				cfg := config.Default()
				cfg.Push.BytesInFlight, cfg.Push.DecompressedBytesMax = bytes, min(bytes, 1<<30)
				cfg.Storage.FlushBytes, cfg.Storage.HeadOpenBytes, cfg.Storage.CacheBytes = bytes, bytes, bytes
				cfg.Storage.OpenBlocks = blocks
				cfg.Query.MemoryBytesMax = bytes
				checkMemory(t, newMemoryBudget(&cfg, limit, 2))
			}
		}
	}
}

// Where there is room the settings are what they are.
func TestMemoryLeavesSettingsAlone(t *testing.T) {
	def := config.Default()
	m := defaultMemory(2<<30, 4)
	require.EqualValues(t, def.Push.BytesInFlight, m.bytesInFlight)
	require.EqualValues(t, def.Push.DecompressedBytesMax, m.decompressedMax)
	require.EqualValues(t, def.Storage.HeadOpenBytes, m.headOpen)
	require.EqualValues(t, def.Storage.FlushBytes, m.flushBytes)
	require.Equal(t, def.Storage.OpenBlocks, m.openBlocks)

	cfg := def
	cfg.Push.BytesInFlight, cfg.Push.DecompressedBytesMax = 10<<20, 10<<20
	m = newMemoryBudget(&cfg, 1<<30, 2)
	require.Empty(t, m.lowered)
	require.EqualValues(t, 10<<20, m.decompressedMax, "an operator may let one push take all")
	require.EqualValues(t, 20<<20, m.pushes, "the rest is for others")
	require.Greater(t, m.heads, defaultMemory(1<<30, 2).heads)

	cfg = def
	cfg.Storage.CacheBytes = 5 << 20
	m = newMemoryBudget(&cfg, 1<<30, 2)
	require.EqualValues(t, 5<<20, m.chunkCache)
	require.Empty(t, m.lowered)
}

func TestMemoryTellsWhatItLowers(t *testing.T) {
	f := func(change func(*config.Config), want ...string) {
		t.Helper()
		cfg := config.Default()
		change(&cfg)
		require.NoError(t, cfg.Validate())
		require.Equal(t, want, newMemoryBudget(&cfg, 256<<20, 2).lowered)
	}
	f(func(c *config.Config) { c.Push.BytesInFlight = 512 << 20 },
		"push.bytes_in_flight is 512 MiB, but a memory limit of 256 MiB leaves 28 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Push.DecompressedBytesMax = 32 << 20 },
		"push.decompressed_bytes_max is 32 MiB, but a memory limit of 256 MiB leaves 14 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Storage.FlushBytes = 4 << 30 },
		"storage.flush_bytes is 4.0 GiB, but a memory limit of 256 MiB leaves 119 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Storage.HeadOpenBytes = 128 << 20 },
		"storage.head_open_bytes is 128 MiB, but a memory limit of 256 MiB leaves 15 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Storage.CacheBytes = 1 << 30 },
		"storage.cache_bytes is 1.0 GiB, but a memory limit of 256 MiB leaves 8.2 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Query.MemoryBytesMax = 1 << 30 },
		"query.memory_bytes_max is 1.0 GiB, but a memory limit of 256 MiB leaves 6.4 MiB for it, which is used; raise memory_limit.")
	f(func(c *config.Config) { c.Storage.OpenBlocks = 1000 },
		"storage.open_blocks is 1000, but with a memory limit of 256 MiB it can be 65, which is used; raise memory_limit.")
}

// The tables of docs/configuration.md are what is computed, on two processors.
func TestMemoryDocs(t *testing.T) {
	body, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	columns := []memoryBudget{}
	for _, limit := range []int64{256 << 20, 512 << 20, 1 << 30, 8 << 30} {
		columns = append(columns, defaultMemory(limit, 2))
	}
	f := func(name string, of func(m *memoryBudget) string) {
		t.Helper()
		row := "| " + name + " |"
		for i := range columns {
			row += " " + of(&columns[i]) + " |"
		}
		require.Contains(t, string(body), row)
	}
	bytes := func(of func(m *memoryBudget) int64) func(*memoryBudget) string {
		return func(m *memoryBudget) string { return size(of(m)) }
	}
	f("memory_limit", bytes(func(m *memoryBudget) int64 { return m.limit }))
	f("runtime", bytes(func(m *memoryBudget) int64 { return m.runtime }))
	f("pushes", bytes(func(m *memoryBudget) int64 { return m.pushes }))
	f("heads", bytes(func(m *memoryBudget) int64 { return m.heads }))
	f("flushes and merges", bytes(func(m *memoryBudget) int64 { return m.background }))
	f("queries", bytes(func(m *memoryBudget) int64 { return m.queries }))
	f("caches", bytes(func(m *memoryBudget) int64 { return m.caches }))
	f("`push.bytes_in_flight`", bytes(func(m *memoryBudget) int64 { return m.bytesInFlight }))
	f("`push.decompressed_bytes_max`", bytes(func(m *memoryBudget) int64 { return m.decompressedMax }))
	f("`storage.flush_bytes`", bytes(func(m *memoryBudget) int64 { return m.flushBytes }))
	f("`storage.head_open_bytes`", bytes(func(m *memoryBudget) int64 { return m.headOpen }))
	f("`storage.open_blocks`", func(m *memoryBudget) string { return fmt.Sprint(m.openBlocks) })
	f("`storage.cache_bytes`", bytes(func(m *memoryBudget) int64 { return m.chunkCache }))
	f("`query.memory_bytes_max` (what one query keeps)", bytes(func(m *memoryBudget) int64 { return m.queryKept }))
	f("one query sorts at a time", bytes(func(m *memoryBudget) int64 { return m.queryPage }))
	f("queries of the HTTP API at once", func(m *memoryBudget) string { return fmt.Sprint(m.queriesRunning) })
}

func TestMemoryWords(t *testing.T) {
	m := defaultMemory(512<<20, 2)
	require.Equal(t, []string{
		"Memory limit 512 MiB: heads 133 MiB, pushes 126 MiB, queries 86 MiB, caches 37 MiB, flushes and merges 22 MiB, runtime 108 MiB on 2 processors.",
		"Pushes in flight hold up to 63 MiB, one of them up to 32 MiB unpacked; above it they are answered 503 and 413.",
		"Open chunks hold up to 33 MiB, and 267 MiB of raw lines in memory start a flush; heads over their share answer pushes with 503.",
		"A query keeps up to 14 MiB and sorts up to 14 MiB at a time; the HTTP API runs 5 at once, and others wait.",
		"Caches: 18 MiB of chunks and filters, 9.2 MiB of known streams, 146 open blocks.",
	}, m.words())
}
