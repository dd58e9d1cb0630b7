// Package compact decides which blocks are merged, and merges them: blocks in, the content of one block out.
//
// It owns Plan, which looks at metas only, and Merge, which reads blocks and gives streams and chunks to be fed to
// block.Write. It changes nothing: it writes no file, removes no parent and holds no state between calls. It must not know
// the database, its views, tombstones or retention: their owner says what is masked, what may be touched, and when to rest.
//
// # Order
//
// Answers are ordered by (timestamp, label set, arrival). Arrival of two entries of one stream is the order of blocks by
// (walTo, ULID), then the number of the chunk, then the entry in it. So a merge takes neighbours of that order within one
// tenant and day, its output takes their place (the walTo of the last one), and inside it the pieces of a stream keep
// their order: see Merge.
//
// # Levels
//
// A level says how often what is in a block may have been written again:
//
//	0  flushed
//	1  merged from level 0: of an open day, or late blocks of a closed one
//	2  merged once the day was closed: the day is settled up to here; or late blocks of level 1
//	3  merged with late blocks; never merged again
//
// Every merge raises the level of all it takes, so nothing is written more than four times, the flush included, whatever
// arrives. Rewriting one block to apply a mask does not count: its level stays.
package compact
