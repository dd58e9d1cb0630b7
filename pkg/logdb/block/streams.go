package block

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// StreamInfo is a stream to be written; its StreamRef is its place in the slice.
type StreamInfo struct {
	Labels      labels.Labels
	Fingerprint model.Fingerprint
}

// Stream is a stream of a block.
type Stream struct {
	Ref              model.StreamRef
	Labels           labels.Labels
	Fingerprint      model.Fingerprint
	MinTime, MaxTime model.Timestamp // both inclusive
}

// appendStreamPage appends the uncompressed page of some streams.
func appendStreamPage(dst []byte, streams []Stream) []byte {
	symbols := make(map[string]uint64)
	var texts []string
	symbol := func(s string) uint64 {
		n, ok := symbols[s]
		if !ok {
			n = uint64(len(texts))
			symbols[s] = n
			texts = append(texts, s)
		}
		return n
	}
	var body []byte
	for i := range streams {
		body = binary.LittleEndian.AppendUint64(body, uint64(streams[i].Fingerprint))
	}
	for i := range streams {
		s := &streams[i]
		body = binary.AppendVarint(body, int64(s.MinTime))
		body = binary.AppendUvarint(body, uint64(s.MaxTime)-uint64(s.MinTime))
		body = binary.AppendUvarint(body, uint64(s.Labels.Len()))
		s.Labels.Range(func(l labels.Label) {
			body = binary.AppendUvarint(body, symbol(l.Name))
			body = binary.AppendUvarint(body, symbol(l.Value))
		})
	}
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for _, t := range texts {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		dst = append(dst, t...)
	}
	return append(dst, body...)
}

// cursor reads bytes that came from disk; see chunk's.
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

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
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

// decodeStreamPage reads a page of count streams, the first of which is first. It calls f for those that keep accepts.
func decodeStreamPage(b []byte, first, count uint32, keep func(uint32) bool, f func(Stream)) error {
	c := cursor{b: b}
	text := string(b) // one copy for all texts of the page
	symbols := make([]string, c.number(uint64(len(b))))
	for i := range symbols {
		n := c.number(textBytesMax)
		at := len(text) - len(c.b)
		if c.take(n); c.bad {
			return corrupt("stream table: symbols end early")
		}
		symbols[i] = text[at : at+int(n)]
	}
	fingerprints := c.take(8 * uint64(count))
	var builder labels.ScratchBuilder
	for i := range count {
		s := Stream{Ref: model.StreamRef(first + i), MinTime: model.Timestamp(c.varint())}
		span := c.number(uint64(math.MaxInt64) - uint64(s.MinTime))
		s.MaxTime = model.Timestamp(uint64(s.MinTime) + span)
		n := c.number(uint64(len(symbols)))
		kept := keep(first + i)
		builder.Reset()
		last := ""
		for k := range n {
			name, value := c.number(uint64(len(symbols)-1)), c.number(uint64(len(symbols)-1))
			if c.bad || (k > 0 && symbols[name] <= last) {
				return corrupt("stream table: labels of stream %d out of range", s.Ref)
			}
			last = symbols[name]
			if kept {
				builder.Add(symbols[name], symbols[value])
			}
		}
		if c.bad {
			return corrupt("stream table: stream %d ends early", s.Ref)
		}
		if kept {
			s.Labels = builder.Labels()
			s.Fingerprint = model.Fingerprint(binary.LittleEndian.Uint64(fingerprints[8*i:]))
			f(s)
		}
	}
	if len(c.b) != 0 {
		return corrupt("stream table: %d bytes too many", len(c.b))
	}
	return nil
}

// streamPage is an entry of the stream directory.
type streamPage struct {
	offset      int64
	stored, raw uint32
	crc         uint32
}

// Streams returns the streams in refs by ascending ref; nil means all.
func (b *Block) Streams(refs *roaring.Bitmap) ([]Stream, error) {
	var out []Stream
	keep := func(uint32) bool { return true }
	if refs != nil {
		keep = refs.Contains
		out = make([]Stream, 0, refs.GetCardinality())
	}
	for i := range b.streamPages {
		first := uint32(i) * streamsPerPage
		count := min(streamsPerPage, b.footer.streams-first)
		if refs != nil && !refs.IntersectsWithInterval(uint64(first), uint64(first)+uint64(count)) {
			continue
		}
		raw, err := b.streamPage(i)
		if err == nil {
			err = decodeStreamPage(raw, first, count, keep, func(s Stream) { out = append(out, s) })
		}
		if err != nil {
			return nil, fmt.Errorf("streams of block %s: %w", b.meta.ULID, err)
		}
	}
	return out, nil
}

// streamPage reads a page, checked and decompressed.
func (b *Block) streamPage(i int) ([]byte, error) {
	p := &b.streamPages[i]
	stored := make([]byte, p.stored)
	if err := readAt(b.chunks, stored, p.offset); err != nil {
		return nil, err
	}
	if checksum(stored) != p.crc {
		return nil, corrupt("stream table: page %d has a wrong checksum", i)
	}
	return chunk.Decompress(nil, stored, int(p.raw))
}

// sortedStrict reports whether label names ascend strictly, as labels.Labels promises.
func sortedStrict(ls labels.Labels) bool {
	var names []string
	ls.Range(func(l labels.Label) { names = append(names, l.Name) })
	return slices.IsSortedFunc(names, func(a, b string) int {
		if a == b {
			return 1 // equal counts as out of order
		}
		return strings.Compare(a, b)
	})
}
