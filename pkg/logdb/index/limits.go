package index

import "time"

const (
	formatVersion = 1

	groupValues   = 128 // values of a name that share a key: fewer cost keys and fences, more cost each look-up
	groupStreams  = 128 // streams that share a key in runs
	inlineStreams = 32  // streams up to which a set lies among its group's

	// pageBytes is set rather than left to bbolt, which takes the machine's: a block is read where it was not written.
	// Indexes of few streams take small pages, because a file has half a dozen of them at least.
	pageBytes      = 4096
	pageBytesSmall = 1024
	streamsSmall   = 1000

	textBytesMax  = 1<<24 - 1 // what labels.Labels can hold; a longer name or value cannot have been written
	lockTimeout   = 5 * time.Second
	memEntryBytes = 96 // a name or value in Mem besides its text and refs: struct, map slot, list slot
)
