package wal

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// segmentReader walks the records of one segment. It holds one window of the file and, when a record does not fit in it,
// a buffer for that record.
type segmentReader struct {
	file     vfs.File
	sequence uint32
	sums     summer
	size     int64 // of the file
	end      int64 // where acknowledged records end, or 0 when the next segment does not say

	offset    int64  // of the next record
	commit    uint64 // of the last good record
	commitEnd bool   // it was the last of its commit

	window   []byte // holds what of the file starts at windowAt
	windowAt int64
	large    []byte

	damage func(Damage)
	torn   bool // the segment ended in a commit that was cut off
}

// readRecord is one record found. payload is valid until the next read.
type readRecord struct {
	header  recordHeader
	payload []byte
}

// limit returns where records must end.
func (r *segmentReader) limit() int64 {
	if r.end != 0 {
		return min(r.end, r.size)
	}
	return r.size
}

// next returns the next record and its offset, or io.EOF. Damage on the way is reported and skipped. Other errors are the
// file system's.
func (r *segmentReader) next(ctx context.Context) (int64, readRecord, error) {
	for {
		if r.end != 0 && r.offset >= r.end {
			return 0, readRecord{}, io.EOF
		}
		rec, ok, err := r.read(r.offset)
		if err == nil && !ok {
			// Read once more from the disk: a bit that flipped on the way up is no damage.
			r.window = r.window[:0]
			rec, ok, err = r.read(r.offset)
		}
		if err != nil {
			return 0, readRecord{}, err
		}
		if ok && rec.header.commit == r.pending() {
			at := r.offset
			r.accept(at, rec.header)
			return at, rec, nil
		}
		if err := r.repair(ctx); err != nil {
			return 0, readRecord{}, err
		}
	}
}

// pending is the commit that the record at offset must belong to.
func (r *segmentReader) pending() uint64 {
	if r.commitEnd {
		return r.commit + 1
	}
	return r.commit
}

func (r *segmentReader) accept(at int64, h recordHeader) {
	r.offset = at + frameBytes(int64(h.length))
	r.commit, r.commitEnd = h.commit, h.commitEnd
}

// header decodes what stands at an offset; ok says that it is a record's beginning that fits this place.
func (r *segmentReader) header(at int64) (h recordHeader, ok bool, err error) {
	b, err := r.view(at, recordHeaderSize)
	if err != nil || b == nil {
		return h, false, err
	}
	h, ok = decodeRecordHeader(b)
	if !ok || int64(h.length) > r.limit()-at-recordHeaderSize || r.sums.header(h, at) != h.headerCRC {
		return h, false, nil
	}
	return h, true, nil
}

// read decodes the whole record at an offset.
func (r *segmentReader) read(at int64) (rec readRecord, ok bool, err error) {
	h, ok, err := r.header(at)
	if err != nil || !ok {
		return rec, false, err
	}
	if h.length > recordBytesMax {
		return rec, false, nil // cannot be ours, and is not worth the memory
	}
	payload, err := r.payload(at+recordHeaderSize, int64(h.length))
	if err != nil {
		return rec, false, err
	}
	if payload == nil || crc32.Update(h.headerCRC, castagnoli, payload) != h.crc {
		return rec, false, nil
	}
	return readRecord{h, payload}, true, nil
}

// payload returns bytes of the file in one piece, in the window when they fit there; nil when the file is too short.
func (r *segmentReader) payload(at, length int64) ([]byte, error) {
	if length == 0 {
		return []byte{}, nil
	}
	if length <= int64(cap(r.window)) {
		if cap(r.large) > keepBytesMax {
			r.large = nil
		}
		return r.view(at, length)
	}
	if int64(cap(r.large)) < length {
		r.large = make([]byte, length)
	}
	b := r.large[:length]
	n, err := readFull(r.file, b, at)
	if err != nil || int64(n) < length {
		return nil, err
	}
	return b, nil
}

// view returns length bytes at an offset from the window, which is moved there if needed; nil when the file is too short.
func (r *segmentReader) view(at, length int64) ([]byte, error) {
	if at < r.windowAt || at+length > r.windowAt+int64(len(r.window)) {
		if at+length > r.size {
			return nil, nil
		}
		b := r.window[:min(int64(cap(r.window)), r.size-at)]
		n, err := readFull(r.file, b, at)
		if err != nil {
			return nil, err
		}
		r.window, r.windowAt = b[:n], at
		if int64(n) < length {
			return nil, nil
		}
	}
	start := at - r.windowAt
	invariant.Check(start >= 0 && start+length <= int64(len(r.window)), "view of %d at %d outside the window", length, at)
	return r.window[start : start+length : start+length], nil
}

// readFull reads as much of b as the file has.
func readFull(f vfs.File, b []byte, at int64) (int, error) {
	n, err := f.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read segment: %w", err)
	}
	return n, nil
}
