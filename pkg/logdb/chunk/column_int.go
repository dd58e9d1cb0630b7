package chunk

import (
	"encoding/binary"
	"math/bits"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Encodings of a column of integers.
const (
	intFOR    = 0 // blocks of 128: base varint, width byte, width bits for each value above the base
	intVarint = 1 // zigzag varints, worth it only under zstd
)

// integer is what integer columns decode to.
type integer interface {
	~int64 | ~uint32 | ~uint16
}

// appendFOR encodes values in blocks of forBlock: the block's smallest value as a varint, a byte with the width in bits of
// the largest difference from it, and the differences packed, low bits first. Differences wrap at 64 bits, so any int64
// round-trips.
func appendFOR(dst []byte, values []int64) []byte {
	for len(values) > 0 {
		block := values[:min(forBlock, len(values))]
		values = values[len(block):]
		lo, hi := block[0], block[0]
		for _, v := range block[1:] {
			lo, hi = min(lo, v), max(hi, v)
		}
		width := bits.Len64(uint64(hi) - uint64(lo))
		dst = binary.AppendVarint(dst, lo)
		dst = append(dst, byte(width))
		dst = appendPacked(dst, block, lo, width)
	}
	return dst
}

func appendPacked(dst []byte, values []int64, base int64, width int) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64 // bits not yet written, low first
	n := 0
	for _, v := range values {
		d := uint64(v) - uint64(base)
		acc |= d << n
		if n+width >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			acc = d >> (64 - n) // a shift by 64 gives 0 in Go: right when n is 0
			n += width - 64
		} else {
			n += width
		}
	}
	for ; n > 0; n -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// decodeFOR fills dst. Every value must be below limit when limit is not 0.
func decodeFOR[T integer](dst []T, c *cursor, limit uint64) error {
	var padded [forBlock*8 + 9]byte
	for len(dst) > 0 {
		block := dst[:min(forBlock, len(dst))]
		dst = dst[len(block):]
		base := c.varint()
		width := int(c.byte())
		if width > 64 {
			c.fail()
		}
		rest := c.b
		packed := c.take((len(block)*width + 7) / 8)
		if c.bad {
			return corrupt("integer column ends early")
		}
		if len(rest) < len(packed)+9 { // unpack reads whole words: give the last blocks of a page some slack
			copy(padded[:], packed)
			rest = padded[:]
		}
		if limit == 0 {
			unpack(block, rest, width, base)
			continue
		}
		if err := unpackBelow(block, rest, width, base, limit); err != nil {
			return err
		}
	}
	return nil
}

// unpackBelow unpacks values that must be below limit, itself at most what T holds plus one. Most blocks cannot exceed it
// by their base and width alone and pay nothing for the check.
func unpackBelow[T integer](block []T, src []byte, width int, base int64, limit uint64) error {
	top := uint64(base) + (uint64(1)<<width - 1)
	switch {
	case base >= 0 && width < 63 && top < limit:
		unpack(block, src, width, base)
		return nil
	case base >= 0 && width < 63 && top <= uint64(^T(0)): // nothing is cut off, so the check may come after
		unpack(block, src, width, base)
		for _, v := range block {
			if uint64(v) >= limit {
				return corrupt("integer column: a value is out of range")
			}
		}
		return nil
	}
	var wide [forBlock]int64
	unpack(wide[:len(block)], src, width, base)
	for i, v := range wide[:len(block)] {
		if uint64(v) >= limit {
			return corrupt("integer column: a value is out of range")
		}
		block[i] = T(v)
	}
	return nil
}

// unpack reads len(dst) values; src has at least 9 readable bytes behind the packed ones.
func unpack[T integer](dst []T, src []byte, width int, base int64) {
	switch {
	case width == 0:
		for i := range dst {
			dst[i] = T(base)
		}
	case width <= 8 && len(dst) >= 8: // eight values begin on a byte and lie in one word
		whole := len(dst) &^ 7
		unpackEights(dst[:whole], src, width, base)
		if whole < len(dst) {
			unpackEach(dst[whole:], src[whole>>3*width:], width, base)
		}
	case width <= 57: // a value and the up to 7 bits before it lie in one word
		unpackEach(dst, src, width, base)
	default:
		mask := ^uint64(0) >> (64 - width)
		for i, bit := 0, 0; i < len(dst); i, bit = i+1, bit+width {
			w := binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7) | uint64(src[bit>>3+8])<<(64-bit&7)
			// (a shift by 64 gives 0: nothing is added when the value starts on a byte)
			dst[i] = T(base + int64(w&mask))
		}
	}
}

func unpackEach[T integer](dst []T, src []byte, width int, base int64) {
	mask := uint64(1)<<width - 1
	for i, bit := 0, 0; i < len(dst); i, bit = i+1, bit+width {
		w := binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7)
		dst[i] = T(base + int64(w&mask))
	}
}

// unpackEights reads values of at most 8 bits, their number a multiple of eight, one word for eight of them.
func unpackEights[T integer](dst []T, src []byte, width int, base int64) {
	mask, shift := uint64(1)<<width-1, uint(width)&63
	for len(dst) >= 8 {
		w := binary.LittleEndian.Uint64(src)
		src = src[width:]
		d := dst[:8:8]
		dst = dst[8:]
		d[0] = T(base + int64(w&mask))
		w >>= shift
		d[1] = T(base + int64(w&mask))
		w >>= shift
		d[2] = T(base + int64(w&mask))
		w >>= shift
		d[3] = T(base + int64(w&mask))
		w >>= shift
		d[4] = T(base + int64(w&mask))
		w >>= shift
		d[5] = T(base + int64(w&mask))
		w >>= shift
		d[6] = T(base + int64(w&mask))
		w >>= shift
		d[7] = T(base + int64(w&mask))
	}
}

func appendVarints(dst []byte, values []int64) []byte {
	for _, v := range values {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func decodeVarints[T integer](dst []T, c *cursor, limit uint64) error {
	for i := range dst {
		v := c.varint()
		if limit != 0 && uint64(v) >= limit {
			return corrupt("integer column: a value is out of range")
		}
		dst[i] = T(v)
	}
	if c.bad {
		return corrupt("integer column ends early")
	}
	return nil
}

func decodeInts[T integer](dst []T, enc uint8, c *cursor, limit uint64) error {
	switch enc {
	case intFOR:
		return decodeFOR(dst, c, limit)
	case intVarint:
		return decodeVarints(dst, c, limit)
	}
	return corrupt("unknown integer encoding %d", enc)
}

// timeDeltas turns times into what the time page holds: the difference from the entry before in units of their greatest
// common divisor. The first entry of a run has 0: its time is the run's smallest and stands in the table.
func timeDeltas(dst []int64, times []model.Timestamp, runs []RunInfo) (deltas []int64, unit uint64) {
	for _, run := range runs {
		prev := times[run.First]
		for _, t := range times[run.First : run.First+run.Count] {
			d := uint64(t) - uint64(prev) // sorted, so this fits although the int64 difference may not
			prev = t
			dst = append(dst, int64(d))
			if unit != 1 && d != 0 {
				unit = gcd(d, unit)
			}
		}
	}
	if unit > 1 {
		for i, d := range dst {
			dst[i] = int64(uint64(d) / unit)
		}
	}
	return dst, max(unit, 1)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// sumTimes undoes timeDeltas in place.
func sumTimes(times []model.Timestamp, unit uint64, runs []RunInfo) error {
	for _, run := range runs {
		part := times[run.First : run.First+run.Count]
		t := run.MinTime
		down := false
		for i, d := range part {
			next := model.Timestamp(uint64(t) + uint64(d)*unit)
			down = down || next < t
			t = next
			part[i] = t
		}
		if down || part[0] != run.MinTime || t != run.MaxTime {
			return corrupt("time column disagrees with the run table")
		}
	}
	return nil
}
