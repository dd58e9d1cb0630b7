package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Version is the segment format this package writes and reads. Version 1 is the first; nothing reads anything older.
const Version = 1

const (
	magic             = "WOODSWAL"
	saltBytes         = 16
	segmentHeaderSize = 44
	headerCopyStart   = 4096 // of the second copy
	dataStart         = 8192 // of the first record

	recordHeaderSize = 24
	recordAlign      = 8
	flagCommitEnd    = 1 << 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrVersion marks a segment of a format that this build does not know.
var ErrVersion = errors.New("unknown log format version")

// Position is a place in the log: the segment's sequence number in the upper 32 bits, the byte offset in the lower. It
// orders all records. The zero Position is before every record.
type Position uint64

// NewPosition returns the place at an offset in a segment.
func NewPosition(sequence uint32, offset int64) Position {
	return Position(sequence)<<32 | Position(uint32(offset))
}

// Segment returns the segment's sequence number.
func (p Position) Segment() uint32 { return uint32(p >> 32) }

// Offset returns the offset in bytes from the segment's beginning.
func (p Position) Offset() int64 { return int64(uint32(p)) }

func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Segment(), p.Offset()) }

// segmentHeader is the decoded beginning of a segment.
type segmentHeader struct {
	sequence    uint32
	salt        [saltBytes]byte
	previousEnd Position
}

// encode returns all bytes before the first record: two copies of the header.
func (h segmentHeader) encode() []byte {
	b := make([]byte, dataStart)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], Version)
	binary.LittleEndian.PutUint32(b[12:], h.sequence)
	copy(b[16:], h.salt[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(h.previousEnd))
	binary.LittleEndian.PutUint32(b[40:], crc32.Checksum(b[:40], castagnoli))
	copy(b[headerCopyStart:], b[:segmentHeaderSize])
	return b
}

var errBadHeader = errors.New("segment header fails its checksum")

// decodeSegmentHeader reads the header of the segment called sequence from its first bytes, of which there may be fewer
// than dataStart.
func decodeSegmentHeader(b []byte, sequence uint32) (segmentHeader, error) {
	err := errBadHeader
	for _, start := range []int{0, headerCopyStart} {
		if len(b) < start+segmentHeaderSize {
			continue
		}
		h, copyErr := decodeHeaderCopy(b[start : start+segmentHeaderSize])
		if copyErr == nil && h.sequence == sequence {
			return h, nil
		}
		if errors.Is(copyErr, ErrVersion) {
			err = copyErr
		}
	}
	return segmentHeader{}, err
}

func decodeHeaderCopy(b []byte) (segmentHeader, error) {
	var h segmentHeader
	if string(b[:8]) != magic || binary.LittleEndian.Uint32(b[40:]) != crc32.Checksum(b[:40], castagnoli) {
		return h, errBadHeader
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != Version {
		return h, fmt.Errorf("%w: the segment has version %d, this build reads %d", ErrVersion, v, Version)
	}
	h.sequence = binary.LittleEndian.Uint32(b[12:])
	copy(h.salt[:], b[16:])
	h.previousEnd = Position(binary.LittleEndian.Uint64(b[32:]))
	return h, nil
}

// summer computes the records' checksums of one segment. One goroutine uses it at a time.
type summer struct {
	seed    uint32   // of salt and sequence: what ties a record to its segment
	scratch [18]byte // a local array would be allocated for every record
}

func (h segmentHeader) summer() summer {
	b := append(h.salt[:], 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[saltBytes:], h.sequence)
	return summer{seed: crc32.Checksum(b, castagnoli)}
}

// header returns the checksum of a record's header at an offset of the segment.
func (s *summer) header(h recordHeader, offset int64) uint32 {
	b := s.scratch[:]
	binary.LittleEndian.PutUint32(b[0:], uint32(offset))
	binary.LittleEndian.PutUint32(b[4:], h.length)
	binary.LittleEndian.PutUint64(b[8:], h.commit)
	b[16] = h.typ
	b[17] = h.flags()
	return crc32.Update(s.seed, castagnoli, b)
}

// recordHeader is the decoded beginning of a record.
type recordHeader struct {
	length    uint32
	commit    uint64
	typ       byte
	commitEnd bool
	// headerCRC and crc are set by decode; append computes them.
	headerCRC, crc uint32
}

// frameBytes returns how much of a segment a record with so much payload takes.
func frameBytes(payload int64) int64 {
	return (recordHeaderSize + payload + recordAlign - 1) &^ (recordAlign - 1)
}

func (h recordHeader) flags() byte {
	if h.commitEnd {
		return flagCommitEnd
	}
	return 0
}

// append adds the record's first bytes to b.
func (h recordHeader) append(b []byte, s *summer, offset int64, payload [][]byte) []byte {
	sum := s.header(h, offset)
	crc := sum
	for _, p := range payload {
		crc = crc32.Update(crc, castagnoli, p)
	}
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = binary.LittleEndian.AppendUint64(b, h.commit)
	b = binary.LittleEndian.AppendUint32(b, crc)
	return append(b, h.typ, h.flags(), 0, 0)
}

// decodeRecordHeader reads the first bytes of what may be a record. It tests only what costs nothing; the caller compares
// headerCRC with summer.header.
func decodeRecordHeader(b []byte) (recordHeader, bool) {
	_ = b[recordHeaderSize-1]
	if b[20] == 0 || b[21]&^flagCommitEnd != 0 || b[22] != 0 || b[23] != 0 {
		return recordHeader{}, false
	}
	return recordHeader{
		length:    binary.LittleEndian.Uint32(b[0:]),
		headerCRC: binary.LittleEndian.Uint32(b[4:]),
		commit:    binary.LittleEndian.Uint64(b[8:]),
		crc:       binary.LittleEndian.Uint32(b[16:]),
		typ:       b[20],
		commitEnd: b[21] == flagCommitEnd,
	}, true
}
