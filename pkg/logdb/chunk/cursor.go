package chunk

import (
	"encoding/binary"
)

// cursor reads bytes that came from disk. The first read beyond the end makes it bad; from then on every read gives zero,
// so a decoder checks bad once per step instead of an error per field.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) fail() { c.b, c.bad = nil, true }

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// length reads a uvarint that must not exceed limit.
func (c *cursor) length(limit uint64) int {
	v := c.uvarint()
	if v > limit {
		c.fail()
		return 0
	}
	return int(v)
}

func (c *cursor) byte() byte {
	b := c.take(1)
	if c.bad {
		return 0
	}
	return b[0]
}

func (c *cursor) uint32() uint32 {
	b := c.take(4)
	if c.bad {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// take returns the next n bytes, aliasing the input.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// bytes returns bytes behind their length, at most limit.
func (c *cursor) bytes(limit int) []byte { return c.take(c.length(uint64(limit))) }

func appendBytes(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
