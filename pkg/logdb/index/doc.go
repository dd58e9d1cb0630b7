// Package index maps label matchers to streams: Mem is the live index of a head, Disk an index.db, Resolve and the label
// listings work on either through Reader.
//
// It owns the format of index.db and is the only package that knows bbolt. It knows label sets and numbers of streams and
// chunks; what a chunk holds, and where files lie, it must not know. An index.db is made once and never changed; all of it
// follows from the stream table and the run tables in chunks.bin.
//
// # index.db
//
// One bbolt file, written by bbolt, one transaction for each bucket (it saves the buckets of one transaction in random
// order, and the same streams shall make the same bytes), and read by pageFile. Integers in keys are big endian, so keys sort by number; in values they are
// uvarints unless said otherwise. Every value ends with the crc32c (u32, little endian) of key and value, so a value under
// a wrong key is found as well. Names are numbered by their place in the sorted list (n), the sorted values of a name lie
// in groups of 128 (g), a value's place in its group is its slot (s). A stream is its StreamRef, 0 to streams-1.
//
//	bucket    key          value
//	meta      "index"      version | streams | chunks | names, each length | bytes
//	names     n u32        set of the streams that have the name
//	values    n u32        values | groups | groups × end u32 little endian | fences joined
//	          n u32 g u32  values in the group | lengths | values joined
//	postings  n u32 g u32  for each slot the bytes of its set, 0 for a set with a key of its own | the small sets
//	          n u32 g u32 s u8   set
//	runs      r u32        for each of the streams 128r to 128r+127 that exist: count | chunk numbers
//
// A fence is the shortest text above the last value of the group before and not above the first one of its own: looking a
// value up reads the fences, one group and one group of postings. A small set (up to 32 streams) and a list of chunk
// numbers is the first number, then the difference to the one before for each other. A set with a key of its own is a
// byte 0 and such a list, or a byte 1 and a roaring bitmap in its portable form.
//
// # Regexps
//
// Mem joins the values of a name in groups too, so a regexp looks through both indexes in one way (valueRegexp): what its
// matches begin with picks groups on disk, texts that they must contain are searched for in whole groups, and only the values
// that are left are tried one by one. What that leaves out, labels.Matcher would have refused: it alone says what matches.
package index
