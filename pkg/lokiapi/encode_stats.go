package lokiapi

import (
	"math"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
)

// The statistics object as Loki names its fields. Grafana's inspector shows the summary; dashboards and logcli read the
// rest, so every object is there. What Woodshed has no such part for is zero.
type (
	lokiStats struct {
		Summary  summaryStats        `json:"summary"`
		Querier  querierStats        `json:"querier"`
		Ingester ingesterStats       `json:"ingester"`
		Cache    map[string]struct{} `json:"cache"`
		Index    indexStats          `json:"index"`
	}
	summaryStats struct {
		BytesPerSecond  uint64  `json:"bytesProcessedPerSecond"`
		LinesPerSecond  uint64  `json:"linesProcessedPerSecond"`
		Bytes           uint64  `json:"totalBytesProcessed"`
		Lines           uint64  `json:"totalLinesProcessed"`
		ExecTime        float64 `json:"execTime"`
		QueueTime       float64 `json:"queueTime"`
		Subqueries      uint64  `json:"subqueries"`
		EntriesReturned uint64  `json:"totalEntriesReturned"`
		Splits          uint64  `json:"splits"`
		Shards          uint64  `json:"shards"`
		PostFilterLines uint64  `json:"totalPostFilterLines"`
		MetadataBytes   uint64  `json:"totalStructuredMetadataBytesProcessed"`
	}
	querierStats struct {
		Store storeStats `json:"store"`
	}
	ingesterStats struct {
		Reached       uint64     `json:"totalReached"`
		ChunksMatched uint64     `json:"totalChunksMatched"`
		Batches       uint64     `json:"totalBatches"`
		LinesSent     uint64     `json:"totalLinesSent"`
		Store         storeStats `json:"store"`
	}
	storeStats struct {
		ChunksRef          uint64     `json:"totalChunksRef"`
		ChunksDownloaded   uint64     `json:"totalChunksDownloaded"`
		ChunksDownloadTime uint64     `json:"chunksDownloadTime"`
		ReferencedMetadata bool       `json:"queryReferencedStructuredMetadata"`
		Chunk              chunkStats `json:"chunk"`
	}
	chunkStats struct {
		HeadChunkBytes    uint64 `json:"headChunkBytes"`
		HeadChunkLines    uint64 `json:"headChunkLines"`
		DecompressedBytes uint64 `json:"decompressedBytes"`
		DecompressedLines uint64 `json:"decompressedLines"`
		CompressedBytes   uint64 `json:"compressedBytes"`
		TotalDuplicates   uint64 `json:"totalDuplicates"`
		PostFilterLines   uint64 `json:"postFilterLines"`
	}
	indexStats struct {
		TotalChunks      uint64 `json:"totalChunks"`
		PostFilterChunks uint64 `json:"postFilterChunks"`
		ShardsDuration   uint64 `json:"shardsDuration"`
		UsedBloomFilters bool   `json:"usedBloomFilters"`
	}
)

func statsOf(res *engine.Result) lokiStats {
	s := res.Stats
	seconds := s.Exec.Seconds()
	read := s.Chunks - min(s.ChunksSkipped, s.Chunks)
	return lokiStats{
		Summary: summaryStats{
			BytesPerSecond:  perSecond(s.Bytes, seconds),
			LinesPerSecond:  perSecond(s.Lines, seconds),
			Bytes:           s.Bytes,
			Lines:           s.Lines,
			ExecTime:        seconds,
			EntriesReturned: s.EntriesReturned,
			PostFilterLines: s.LinesMatched,
		},
		Querier: querierStats{Store: storeStats{
			ChunksRef:        s.Chunks,
			ChunksDownloaded: read,
			Chunk: chunkStats{
				DecompressedBytes: s.BytesDecoded,
				DecompressedLines: s.Lines,
				CompressedBytes:   s.BytesRead,
				PostFilterLines:   s.LinesMatched,
			},
		}},
		Cache: map[string]struct{}{},
		Index: indexStats{
			TotalChunks:      s.Chunks,
			PostFilterChunks: read,
			UsedBloomFilters: s.Skipped.Filter+s.Skipped.Metadata+s.Skipped.Implied > 0,
		},
	}
}

func perSecond(n uint64, seconds float64) uint64 {
	if seconds <= 0 {
		return 0
	}
	rate := float64(n) / seconds
	if rate >= math.MaxUint64 {
		return math.MaxUint64
	}
	return uint64(rate)
}
