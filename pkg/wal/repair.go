package wal

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	ctxCheckBytes = windowBytes // searched between two looks at the context
	pieceBytes    = 64 << 10    // read at a time to sum a payload
)

// finding is what a search behind a bad record came to.
type finding struct {
	at     int64 // the next good record that may be given to the caller, or -1
	header recordHeader
	// more says that something of the same segment follows, good or not: a commit was begun here.
	more bool
}

// repair is called where no good record stands. It moves the reader to the next good record and reports what lies
// between as damage, or ends the segment: as its torn tail (io.EOF, nothing reported), or as damage up to the known end.
func (r *segmentReader) repair(ctx context.Context) error {
	from := r.offset
	found, err := r.search(ctx)
	switch {
	case err != nil:
		return err
	case found.at >= 0:
		r.damage(Damage{
			Segment: r.sequence, Offset: from, Bytes: found.at - from,
			Reason: fmt.Sprintf("no valid record of commit %d", r.pending()),
		})
		// The record is read again as the next one, of whatever commit it is.
		r.offset, r.commit, r.commitEnd = found.at, found.header.commit, false
		return nil
	case r.end != 0:
		r.damage(Damage{
			Segment: r.sequence, Offset: from, Bytes: r.end - from,
			Reason: fmt.Sprintf("no valid record of commit %d up to the end at %d", r.pending(), r.end),
		})
		r.offset = r.end
	default:
		r.torn = found.more
	}
	return io.EOF
}

// search looks behind a bad record for the first good one that may be given to the caller. Where the end of the
// acknowledged records is known, every good record before it may be. Elsewhere one may only when something of a later
// commit than the bad record's follows; even the header of such a record is proof enough.
func (r *segmentReader) search(ctx context.Context) (finding, error) {
	bad := r.pending()
	found, proven := finding{at: -1}, r.end != 0
	checked := r.offset
	for at := r.offset; at+recordHeaderSize <= r.limit(); at += recordAlign {
		if at-checked >= ctxCheckBytes {
			if err := ctx.Err(); err != nil {
				return found, err
			}
			checked = at
		}
		at = r.skip(at)
		h, ok, err := r.header(at)
		if err != nil {
			return found, err
		}
		if !ok || h.commit < bad {
			continue
		}
		found.more = true
		proven = proven || h.commit > bad
		if found.at < 0 && at > r.offset { // what stands at r.offset is known to be bad
			whole, err := r.intact(at, h)
			if err != nil {
				return found, err
			}
			if whole {
				found.at, found.header = at, h
			}
		}
		if found.at >= 0 && proven {
			return found, nil
		}
	}
	found.at = -1
	return found, nil
}

// skip moves on over what is no record by the look of its last bytes, as far as the window goes: it saves the search most
// of its time.
func (r *segmentReader) skip(at int64) int64 {
	if at < r.windowAt {
		return at
	}
	for i := at - r.windowAt; i+recordHeaderSize <= int64(len(r.window)); i += recordAlign {
		b := r.window[i+20 : i+24]
		if b[0] != 0 && b[1] <= flagCommitEnd && b[2]|b[3] == 0 {
			return r.windowAt + i
		}
		at = r.windowAt + i
	}
	return at
}

// intact tells whether the payload of a record fits its sum. It reads past the window, which stays where the search is.
func (r *segmentReader) intact(at int64, h recordHeader) (bool, error) {
	sum := h.headerCRC
	at += recordHeaderSize
	piece := make([]byte, min(int64(h.length), pieceBytes))
	for left := int64(h.length); left > 0; {
		b := piece[:min(left, int64(len(piece)))]
		n, err := readFull(r.file, b, at)
		if err != nil {
			return false, err
		}
		if n < len(b) {
			return false, nil
		}
		sum = crc32.Update(sum, castagnoli, b)
		at, left = at+int64(n), left-int64(n)
	}
	return sum == h.crc, nil
}
