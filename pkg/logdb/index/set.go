package index

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/RoaringBitmap/roaring/v2"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a value under its key.
func sum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// sign appends the checksum to a value.
func sign(key, value []byte) []byte { return binary.LittleEndian.AppendUint32(value, sum(key, value)) }

// signed checks and removes the checksum of a value.
func signed(key, value []byte) ([]byte, error) {
	if len(value) < 4 {
		return nil, corrupt("key %x: value is missing or too short", key)
	}
	body := value[:len(value)-4]
	if sum(key, body) != binary.LittleEndian.Uint32(value[len(body):]) {
		return nil, corrupt("key %x: wrong checksum", key)
	}
	return body, nil
}

// cursor reads bytes that came from disk. The first read beyond the end makes it bad; from then on every read gives zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) fail() { c.b, c.bad = nil, true }

// number reads a uvarint up to limit.
func (c *cursor) number(limit uint64) uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > limit {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// appendList appends ascending numbers: the first, then differences.
func appendList(dst []byte, list []uint32) []byte {
	prev := uint32(0)
	for _, v := range list {
		dst = binary.AppendUvarint(dst, uint64(v-prev))
		prev = v
	}
	return dst
}

// decodeList appends count numbers below limit to dst; a negative count means all of c.
func decodeList(dst []uint32, c *cursor, count int, limit uint64) ([]uint32, error) {
	var v uint64
	for i := 0; i != count && (count >= 0 || len(c.b) > 0); i++ {
		d := c.number(limit)
		v += d
		if c.bad || v >= limit || (i > 0 && d == 0) {
			return dst, corrupt("list of numbers out of range")
		}
		dst = append(dst, uint32(v))
	}
	return dst, nil
}

func bitmapOf(refs []uint32) *roaring.Bitmap {
	b := roaring.New()
	b.AddMany(refs)
	return b
}

const (
	setList    = 0
	setRoaring = 1
)

// appendSet appends a set that has a key of its own.
func appendSet(dst []byte, list []uint32) ([]byte, error) {
	if len(list) <= inlineStreams {
		return appendList(append(dst, setList), list), nil
	}
	b := bitmapOf(list)
	b.RunOptimize()
	data, err := b.ToBytes()
	if err != nil {
		return nil, err
	}
	return append(append(dst, setRoaring), data...), nil
}

// decodeSet reads a set of numbers below limit.
func decodeSet(b []byte, limit uint64) (*roaring.Bitmap, error) {
	if len(b) == 0 {
		return nil, corrupt("set is missing")
	}
	set := roaring.New()
	switch b[0] {
	case setList:
		list, err := decodeList(nil, &cursor{b: b[1:]}, -1, limit)
		if err != nil {
			return nil, err
		}
		set.AddMany(list)
	case setRoaring:
		if err := decodeRoaring(set, b[1:]); err != nil {
			return nil, err
		}
	default:
		return nil, corrupt("unknown kind of set %d", b[0])
	}
	if set.IsEmpty() || uint64(set.Maximum()) >= limit {
		return nil, corrupt("set is empty or out of range")
	}
	return set, nil
}

// decodeRoaring reads a portable bitmap, copying it. The library checks lengths but was not made for hostile bytes: what
// it lets through is validated, and a panic in it is a format error too.
func decodeRoaring(set *roaring.Bitmap, b []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = corrupt("bitmap: %v", r)
		}
	}()
	if err := set.UnmarshalBinary(b); err != nil {
		return corrupt("bitmap: %v", err)
	}
	if err := set.Validate(); err != nil {
		return corrupt("bitmap: %v", err)
	}
	return nil
}
