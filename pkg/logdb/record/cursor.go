package record

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// cursor reads a payload from its front. After the first failure every read returns zero values and err says why.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	c.b = nil
}

func (c *cursor) header() (model.TenantID, model.Timestamp) {
	if len(c.b) == 0 {
		c.fail("empty")
		return "", 0
	}
	if c.b[0] != version {
		c.fail(fmt.Sprintf("version %d, this program reads version %d", c.b[0], version))
		return "", 0
	}
	c.b = c.b[1:]
	name := c.string()
	arrival := model.Timestamp(c.varint())
	if c.err != nil {
		return "", 0
	}
	tenant, err := model.ParseTenantID(strings.Clone(name)) // becomes a key that outlives the payload
	if err != nil {
		c.fail(err.Error())
	}
	return tenant, arrival
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail("bad varint")
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail("bad varint")
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads how many items of at least minBytes each follow; more than the rest can hold is a lie.
func (c *cursor) count(minBytes int) int {
	v := c.uvarint()
	if v > uint64(len(c.b)/minBytes) {
		c.fail("count exceeds the record")
		return 0
	}
	return int(v)
}

// string returns a string that aliases the payload.
func (c *cursor) string() string {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail("string exceeds the record")
		return ""
	}
	if n == 0 {
		return ""
	}
	s := unsafe.String(&c.b[0], int(n))
	c.b = c.b[n:]
	return s
}

func (c *cursor) streams() []model.Stream {
	streams := make([]model.Stream, c.count(2))
	for i := range streams {
		var builder labels.ScratchBuilder
		for n := c.count(2); n > 0; n-- {
			name := c.string()
			builder.Add(name, c.string())
		}
		if c.err != nil {
			return nil
		}
		builder.Sort()
		streams[i] = model.Stream{Labels: builder.Labels(), Entries: c.entries()}
	}
	return streams
}

func (c *cursor) entries() []model.Entry {
	entries := make([]model.Entry, c.count(4))
	var last model.Timestamp
	for i := range entries {
		e := &entries[i]
		last += model.Timestamp(c.varint())
		e.Timestamp = last
		e.Level = c.string()
		e.Line = c.string()
		if n := c.count(2); n > 0 {
			e.Metadata = make([]model.Pair, n)
			for j := range e.Metadata {
				e.Metadata[j].Name = c.string()
				e.Metadata[j].Value = c.string()
			}
		}
	}
	return entries
}
