package block

// Names in a block directory.
const (
	metaName   = "meta.json"
	chunksName = "chunks.bin"
	indexName  = "index.db"
)

// formatVersion counts changes of chunks.bin and meta.json. 1: the first.
const formatVersion = 1

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
	packedRef          = 1<<32 - 1          // in place of a ref: several runs
	streamPageBytesMax = 1 << 30            // decompressed
	day                = 86_400_000_000_000 // nanoseconds
)
