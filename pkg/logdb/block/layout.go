package block

// Names in a block directory.
const (
	metaName   = "meta.json"
	chunksName = "chunks.bin"
	indexName  = "index.db"

	// While a block is written and its filters are many; gone before it gets its name.
	filtersSpool     = "filters.tmp"
	metaFiltersSpool = "metafilters.tmp"
)

// formatVersion counts changes of chunks.bin and meta.json. 1: the first, without filters; no program reads it any more,
// for it was never released. 2: every chunk has two filters, chunks may be marked as encoded in haste, a minute of the minute
// counts ends with its last instant, as windows of queries do, and meta.json has walFrom; programs before it cannot read it.
const formatVersion = 2

const (
	headerMagic = "WSCHUNKS"
	footerMagic = "WSFOOTER"

	headerBytes        = 16
	entryBytes         = 96
	streamPageEntry    = 20
	footerBytes        = 16 + 6*8 + 7*4 + 8
	streamsPerPage     = 256                // one stream's labels cost decompressing this many
	metaBytesMax       = 1 << 20            // parents of a merge are the only part that grows
	textBytesMax       = 1<<24 - 1          // what labels.Labels can hold
	syncEvery          = 4 << 20            // a long write must not leave the WAL's fsync behind hundreds of dirty megabytes
	writeBufferBytes   = 256 << 10          // of one file while it is written
	spoolBytesMax      = 8 << 20            // of filters that wait in memory until the pages are written
	packedRef          = 1<<32 - 1          // in place of a ref: several runs
	streamPageBytesMax = 1 << 30            // decompressed
	day                = 86_400_000_000_000 // nanoseconds
)
