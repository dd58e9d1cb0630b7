// Package block writes and reads blocks: immutable directories of chunks with their index.
//
// It owns the layout of the directory, of chunks.bin and of meta.json, and the order of writes that makes a block appear
// whole or not at all. What is inside a chunk belongs to package chunk, index.db to package index. It must not know the
// WAL, heads or queries, nor which blocks exist: their owner holds them, counts references and decides when to close.
//
//	<ULID>/meta.json    what the block is: tenant, day, group, counts, lengths and checksums of the files
//	<ULID>/chunks.bin   chunks, their filters and directory, the stream table
//	<ULID>/index.db     label pairs to streams, streams to chunks; follows from chunks.bin
//
// A block holds entries of one tenant and one UTC day. Blocks that were written together form a group, which counts only
// when all its members are there (CompleteGroups).
//
// # chunks.bin
//
// Integers have fixed size and are little endian unless said otherwise; checksums are crc32c. The regions follow each
// other without gaps:
//
//	header      "WSCHUNKS" | version u32 | checksum of these u32
//	pages       of chunk 0, 1, …: see package chunk
//	filters     over lines of chunk 0, 1, …, then over metadata of chunk 0, 1, …: see package chunk
//	tables      of chunk 0, 1, …: see package chunk
//	directory   one entry of 96 bytes for each chunk:
//	              0 minTime i64 | maxTime i64 | offset of pages u64 | of table u64 | of filter u64 |
//	             40 of metadata filter u64 | bytes of pages u32 | of table u32 | of filter u32 |
//	             60 of metadata filter u32 | rawBytes u32 | lineBytes u32 | entries u32 | runs u32 |
//	             80 ref u32 of the only run, all ones when there are several | flags u32 | zero u64
//	streams     pages of 256 streams, by ref, each one zstd frame of
//	              symbols uvarint, each: bytes uvarint | text
//	              fingerprint u64 of each stream
//	              of each stream: minTime varint | maxTime-minTime uvarint | labels uvarint,
//	                each: symbol of name uvarint | symbol of value uvarint
//	stream      one entry of 20 bytes for each page:
//	directory     offset u64 | bytes u32 | bytes after decompression u32 | checksum u32
//	footer      ULID 16 bytes | start of filters u64 | tables u64 | directory u64 | streams u64 |
//	            stream directory u64 | length of the file u64 | chunks u32 | streams u32 | stream pages u32 |
//	            checksum of directory u32 | of stream directory u32 | version u32 | checksum of all these u32 |
//	            "WSFOOTER"
//
// # meta.json
//
// {"meta": {…}, "crc32c": "…"}: the checksum is that of the bytes of the inner object as they stand.
//
// A version is never misread: another one is refused with a sentence that names it. This is version 2.
package block
