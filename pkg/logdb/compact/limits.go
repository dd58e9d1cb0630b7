package compact

import "github.com/woodshed-logs/woodshed/pkg/logdb/chunk"

const (
	// BlockBytesDefault is what merged blocks aim at, raw: four flushes of 512 MiB. A later step may join four of them.
	BlockBytesDefault = 2 << 30
	// FanInDefault blocks make a merge worth it while more are expected.
	FanInDefault = 4
	// MemoryBytesDefault bounds what Merge holds of entries at one time.
	MemoryBytesDefault = 64 << 20

	levelSettled = 2 // what the merge of a closed day has at least
	levelMax     = 3 // of this level and above nothing is merged: four times written

	lateShare = 4 // late blocks join a neighbour that is at most so many times as large as they are together

	// A run this large is a chunk of its own, a smaller one is packed with others; the head has the same border.
	aloneBytesMin = chunk.RawBytesMax / 4
	// From here on a chunk is full: copied as it is, because filling it up would save less than it costs.
	fullBytesMin   = chunk.RawBytesMax / 4 * 3
	fullEntriesMin = chunk.EntriesMax / 4 * 3
)
