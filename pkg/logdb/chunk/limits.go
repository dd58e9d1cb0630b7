package chunk

const (
	// RawBytesMax bounds lines and metadata of one chunk before compression: 2 MiB would win 3 % of space, 256 KiB lose
	// 11 %, and one decode has to fit a core's cache. A single larger entry is a chunk of its own.
	RawBytesMax = 1 << 20
	// EntriesMax bounds the entries of one chunk, so that the number of an entry and the code of its level (one for each
	// entry at worst, and the nine fixed ones) fit 16 bits.
	EntriesMax = 1<<16 - 16
	// EntryBytesMax bounds one entry, so that every length and offset inside a chunk fits 32 bits with room for sums.
	EntryBytesMax = 1 << 30
	// KeyColumnsMax bounds the metadata keys that get a column of their own; the rarer ones share the overflow column.
	KeyColumnsMax = 256

	dictValuesMax   = 256 // values of a dictionary column: codes stay within 8 bits
	levelsInTable   = 32  // distinct levels up to which the table counts entries and bytes of each
	levelNameMax    = 64  // bytes of a level's name up to which the table may hold it
	forBlock        = 128 // values that share one base and one width
	zstdMinBytes    = 48  // shorter pages are stored: a zstd frame's header eats the gain
	zstdExpandMax   = 1 << 15
	minuteNanos     = 60_000_000_000
	windowBytes     = 1 << 20 // zstd window: never more than a chunk
	encoderBytesMax = 1 << 20 // pooled gather buffers above this are left to the collector

	filterBits     = 8               // of the substring filter for each key: 2.9 % of absent keys seem to be there
	filterShare    = 5               // but no more than a fifth of the pages: long needles have several keys, and bits are dear
	filterTextMax  = 2 * RawBytesMax // a larger chunk is one huge entry: no filter for it, for it could have as many keys
	metaFilterBits = 12              // one key decides here: 0.9 %
	probeKeysMax   = 32              // of one needle: more would all be there as well
	keyerSlotsMax  = 1 << 20         // pooled tables above this are left to the collector
	recentKeys     = 1 << 12
)
