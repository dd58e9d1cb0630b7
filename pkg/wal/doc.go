// Package wal is the log that makes appended records durable before anybody is told so. It knows bytes, not logs: a record
// is a type byte and a payload; what they mean, and how records are applied, is the caller's.
//
// # Promises
//
//   - Append returns nil only after the record was written, synced and applied; records are applied in the order of their
//     positions, one at a time.
//   - Replay gives back every such record once, in the same order, at the same position. A record whose Append failed or
//     never returned is given back or not; nothing else ever is.
//   - A segment that a process found when it opened the log is never written again, nor one after a failed write or sync.
//   - Positions only grow, over all processes that open the log, as long as Config.Floor is honest.
//
// # Directory
//
//	0000000042.wal    a segment; the name is its sequence number
//	0000000041.free   a dropped segment, kept for its disk space
//	7.tmp             a segment in the making; removed by Open
//
// # Segment, version 1
//
// All integers are little endian. Magic, version and crc keep their places in all versions. The header stands twice, 4096 bytes apart, so that one bad sector cannot take the salt
// and with it the whole segment. Bytes between the copies are undefined. Records begin at 8192.
//
//	 0          8         12         16                        32             40      44
//	┌──────────┬─────────┬──────────┬─────────────────────────┬──────────────┬───────┐
//	│ WOODSWAL │ version │ sequence │ salt (16 random bytes)  │ previous end │ crc   │
//	└──────────┴─────────┴──────────┴─────────────────────────┴──────────────┴───────┘
//	version      u32  1
//	sequence     u32  the number in the file's name
//	previous end u64  the Position after the last acknowledged record before this segment, 0 when there is none. Whatever
//	                  stands between it and this segment was never acknowledged and is not replayed
//	crc          u32  crc32c of bytes 0 to 39
//
// # Record
//
// Records follow one another on borders of 8 bytes; the gap is zero.
//
//	 0        4            8              16           20     21      22     24
//	┌────────┬────────────┬──────────────┬────────────┬──────┬───────┬──────┬───────────┬──────────┐
//	│ length │ header crc │ commit       │ crc        │ type │ flags │ zero │ payload … │ 0–7 zero │
//	└────────┴────────────┴──────────────┴────────────┴──────┴───────┴──────┴───────────┴──────────┘
//	length      u32  of the payload in bytes
//	commit      u64  counts the commits of the segment from 1
//	type        u8   the caller's; never 0, so that zeros are not a record
//	flags       u8   bit 0: the last record of its commit
//	zero        u16
//	header crc  u32  crc32c of salt, sequence u32, offset of the record u32, length, commit, type, flags
//	crc         u32  crc32c of the same bytes and then the payload
//
// Sequence and offset are in the sums and not in the record. With the salt they tie a record to its place, so neither the
// earlier records of a recycled segment, nor a copy of a record elsewhere, nor a payload that looks like a record is ever
// taken for one. The header has a sum of its own so that a length is known to be true before it is used, and so that a
// search after damage costs one small sum per candidate whatever a payload pretends.
//
// # Commits, torn tails and corruption
//
// A commit is what one sync makes durable. The next is written only after that sync, so any sign of a later commit proves
// that all earlier ones were complete. A record that fails its sums is therefore
//
//   - corrupt, when a later commit follows in the segment or when it lies before the end that the next segment records: it
//     is skipped, counted and reported, and reading goes on at the next record that fits;
//   - the torn tail of a crash otherwise: the segment ends there, even if later records of the same commit survived.
//
// The flag for the last record of a commit tells the two apart when the bad record's header is gone too.
//
// # Writing
//
// One goroutine, the committer, drains the queue into one buffer, writes it and syncs it, about Config.BatchBytesMax at
// a time; a second one applies what is durable while the next commit is written. After a write or sync error the segment
// is given up: the callers of that commit get ErrFailed, and a new segment records the last durable end. While none can
// be opened Append fails at once with the reason and the committer tries again every second.
//
// A new segment gets its header under another name, is synced, renamed into place, and the directory is synced, all
// before the first record in it is acknowledged. Overwriting allocated blocks is up to twice as fast as growing a file,
// so dropped segments are kept for recycling, and where there are none a third goroutine writes zeros ahead for the next
// segment, only as fast as the present one fills: a log that is hardly used costs hardly any disk.
package wal
