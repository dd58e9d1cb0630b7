// Package chunk holds and encodes entries of one stream, or of several small ones, column by column.
//
// It owns Rows (entries in memory, append-only, with snapshots), Encode, the column table, the decoders, and the filters by
// which a chunk is skipped without being read. It knows nothing of files: a chunk is its pages, bytes without any position in them, and a table that says what and where they
// are; package block puts both into chunks.bin. It must not know labels: a stream is a number here.
//
// # Entries
//
// A chunk holds at most RawBytesMax bytes of lines and metadata and EntriesMax entries; an entry that is larger alone is a
// chunk of its own. Entries lie in runs, one for each stream, in the order in which Encode got them (similar streams next
// to each other compress better); inside a run they are ordered by (timestamp, arrival).
//
// # Pages
//
// One page for each column, in this order: time, length, level, metadata keys by name, overflow, lines. Integers below
// are little endian; uvarint and varint (zigzag) are those of encoding/binary. Any page may be zstd-compressed as a whole
// (bit 7 of its encoding byte). The crc32c of each page, of its bytes as stored, stands in the table, so a page that was
// written to the wrong place is found as well.
//
//	FOR(n)    blocks of 128 values, the last one shorter: base varint | width byte | values-base, width bits each,
//	          low bits first, padded to a byte. Differences wrap at 64 bits.
//	ints(n)   encoding 0: FOR(n).  encoding 1: n varints, always compressed.
//	texts(n)  FOR(n) of lengths | the texts joined
//
//	time      unit uvarint | ints(entries): difference from the entry before, divided by unit; the first entry of
//	          a run has 0 and its time is the run's min in the table
//	length    ints(entries): bytes of each line
//	level     count uvarint | count × name | FOR(entries): which name.
//	          name = byte 0 absent, 1 trace, 2 debug, 3 info, 4 warn, 5 error, 6 critical, 7 fatal, 8 unknown,
//	          or byte 9 | length uvarint | bytes.  No page when the table lists one level only.
//	metadata  encoding 0 const: the value that every entry has
//	          encoding 1 dict:  count uvarint ≤ 256 | count × (length uvarint | bytes) | FOR(entries)
//	          encoding 2 int:   presence | FOR(present), in plain decimal
//	          encoding 3 hex:   presence | digits uvarint, even | digits/2 bytes for each one present, lower-case
//	          encoding 4 text:  texts(entries)
//	          encoding 5 inline: presence | key length uvarint ≤ 32 | key | FOR(present): place of the value in the line
//	                    of its entry, counted from behind the first key there, or from 0 where there is none |
//	                    FOR(present): its length, or 0: the line does not hold it | texts(zeros): the values of these
//	          presence = byte 0, all present, or byte 1 | bitmap of entries, low bits first.
//	          A value is never empty; empty means absent.
//	overflow  count uvarint | count × (length uvarint | name) | FOR(entries): pairs of each entry | pairs uvarint |
//	          FOR(pairs): which name | texts(pairs).  Holds the names beyond the 256 most frequent, and what an
//	          entry has under one name after the first value.
//	lines     encoding 0: lines joined.  (Encoding 1 is kept for templates.)
//
// # Table
//
//	minTime varint | maxTime-minTime uvarint | entries | rawBytes | lineBytes | flags    (uvarint each)
//	runs uvarint, each: ref-previous ref varint | count | rawBytes | min-minTime | max-min    (uvarint each)
//	levels uvarint (0 when there are over 32, or long ones), each: name | entries | bytes of lines
//	bytes uvarint (0 when absent) of minute counts: for each run cells uvarint, each:
//	       minutes since the cell before (the first: since the minute of the run's min) | level | entries | bytes
//	       A minute ends with its last instant: minute m is (m, m+1] minutes since the epoch.
//	columns uvarint, each: kind byte | encoding byte | [name: length, bytes] | stored bytes |
//	       [bytes after decompression] | crc32c u32
//	crc32c of all before, u32
//
// Flags: 1 has_newline, 2 escaped_ascii (a line may spell ASCII as `\u00XX`), 4 fast (encoded in haste, worth doing again).
// Offsets of pages follow from their lengths.
// Everything that comes from disk is checked against the table, and the table against itself, before it is used or
// anything is allocated for it.
//
// # Filters
//
// A chunk has two, one over its lines and one over its metadata pairs. Either is a blocked bloom filter: lines of 64 bytes,
// then a trailer that is as long as one. A key, 64 bits, has the line (key>>32)*lines>>32, and in the line's quarter q of 128 bits the bit
// key>>7q & 127, low bits first. Without keys there are no lines, and everything asked with a key is denied.
//
//	lines × 64 bytes | 56 zeros | format byte 1 | kind byte: 1 lines, 2 metadata | flags u16 | crc32c of all before, u32
//
// Flags of the filter over lines: 1 exotic (some line has U+212A or U+017F, which match k and s where case does not matter),
// 2 open (no keys were taken, nothing may be denied: a line of over 2 MiB). Metadata: none.
//
// Keys of a text, over runs of letters, digits, '_' and '-' (ASCII, lower case); other bytes and the ends of lines separate
// runs. mix is the finalizer of SplitMix64, h(x) is x*0x9e3779b97f4a7c15, texts are numbers with the first byte highest:
//
//	letters  each 5 letters in a row       mix(1<<60 | h>>44)
//	word     2 to 32 letters between ends of the run, '_' or '-'    mix(2<<60 ^ w>>4), w as in wordKey
//	token    a run of 4 to 8 bytes, not behind a '.', that holds a digit and a letter other than t and z
//	                                       mix(3<<60 ^ h>>4)
//	address  d.b.c.d, where b and c are one to three digits and d is one    mix(4<<60 ^ h>>4), in base 12 from '.'
//	gram     of each 9 bytes in a run that hold a digit and a letter other than t and z, or digits only: the one of
//	         their four grams of 6 bytes whose h is least                   mix(5<<60 ^ h>>4)
//
// The key of a pair is max(1, mix(h(xxhash(name)) + xxhash(value))). A filter over lines has 8 bits a key but takes no more
// than a fifth of the pages, or one line where that is less; one over metadata has 12.
//
// A Probe says no only where no line can match. Why it never says no too often stands at the rules in keys.go; the filter of
// given entries is always the same, so Verify compares bytes.
package chunk
