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

	textBytesMax = 1<<24 - 1 // what labels.Labels can hold; a longer name or value cannot have been written
	lockTimeout  = 5 * time.Second

	// What Mem holds besides texts, values and refs, which it counts by capacity.
	memNameBytes    = 512 // the struct, its slot and an empty map
	memMapSlotBytes = 26  // 8 + 4 bytes padded to 16, one of control, two thirds full on average

	// A regexp is analysed when it meets more values than this: that costs as much as trying some hundreds of them.
	valuesFew = 512

	// Each text costs a search over all values.
	textSpellingsMax   = 8  // of neighbouring nodes of a regexp
	clauseSpellingsMax = 16 // of all branches of an alternation
	prefixesMax        = 16 // compared with each value in turn
	clausesMax         = 3  // searched for, one after the other among what is left
	clauseBytesMin     = 2  // of the shortest text, when there are several
)
