package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// formatVersion is the version of the file. Another one is refused, and the history begins empty.
const formatVersion = 1

const (
	magic       = "wshist\x00\n"
	headerBytes = len(magic) + 3*4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFormat marks bytes that are no history.
var errFormat = errors.New("not a history")

// snapshot is what the file holds.
type snapshot struct {
	times  [len(tiers)][]int64
	series []*series
}

// encode writes a snapshot.
func (s *snapshot) encode() ([]byte, error) {
	le := binary.LittleEndian
	var body []byte
	body = le.AppendUint32(body, uint32(len(tiers)))
	for i, t := range tiers {
		body = le.AppendUint32(body, uint32(t.step.Milliseconds()))
		body = le.AppendUint32(body, uint32(len(s.times[i])))
		for _, at := range s.times[i] {
			body = le.AppendUint64(body, uint64(at))
		}
	}
	body = le.AppendUint32(body, uint32(len(s.series)))
	for _, one := range s.series {
		body = append(body, byte(one.kind), byte(len(one.metric)))
		body = append(append(body, one.metric...), byte(len(one.labels)))
		for _, l := range one.labels {
			body = append(append(body, byte(len(l.name))), l.name...)
			body = append(le.AppendUint16(body, uint16(len(l.value))), l.value...)
		}
		for i := range tiers {
			for _, v := range one.values[i] {
				body = le.AppendUint64(body, math.Float64bits(v))
			}
		}
	}
	return pack(body)
}

// pack puts a body behind its header.
func pack(body []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	packed := w.EncodeAll(body, nil)
	out := make([]byte, 0, headerBytes+len(packed))
	out = append(out, magic...)
	le := binary.LittleEndian
	out = le.AppendUint32(out, formatVersion)
	out = le.AppendUint32(out, uint32(len(body)))
	out = le.AppendUint32(out, crc32.Checksum(packed, castagnoli))
	return append(out, packed...), w.Close()
}

// decode reads a snapshot. Everything that it returns was checked: a file may hold anything.
func decode(b []byte) (*snapshot, error) {
	body, err := unpack(b)
	if err != nil {
		return nil, err
	}
	r := &reader{rest: body}
	out := &snapshot{}
	if n := r.u32(); r.err == nil && n != uint32(len(tiers)) {
		return nil, fmt.Errorf("%w: %d tiers, want %d", errFormat, n, len(tiers))
	}
	for i, t := range tiers {
		if step := r.u32(); r.err == nil && step != uint32(t.step.Milliseconds()) {
			return nil, fmt.Errorf("%w: tier %d has steps of %d ms", errFormat, i, step)
		}
		out.times[i] = r.times(t.count)
	}
	n := r.u32()
	if r.err == nil && n > seriesTop {
		return nil, fmt.Errorf("%w: %d series", errFormat, n)
	}
	known := map[string]bool{}
	for range n {
		one := r.series(&out.times)
		if r.err != nil {
			break
		}
		key := keyOf(one.metric, one.labels)
		if known[key] {
			return nil, fmt.Errorf("%w: series %q comes twice", errFormat, key)
		}
		known[key] = true
		out.series = append(out.series, one)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%w: %d bytes follow it", errFormat, len(r.rest))
	}
	return out, r.err
}

// unpack checks the header and returns the body.
func unpack(b []byte) ([]byte, error) {
	if len(b) < headerBytes || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it begins otherwise", errFormat)
	}
	le, h, packed := binary.LittleEndian, b[len(magic):headerBytes], b[headerBytes:]
	if v := le.Uint32(h); v != formatVersion {
		return nil, fmt.Errorf("%w of version %d but of version %d", errFormat, formatVersion, v)
	}
	size := le.Uint32(h[4:])
	if size > bodyBytesMax {
		return nil, fmt.Errorf("%w: its body has %d bytes", errFormat, size)
	}
	if sum := crc32.Checksum(packed, castagnoli); sum != le.Uint32(h[8:]) {
		return nil, fmt.Errorf("%w: it has checksum %08x, want %08x", errFormat, sum, le.Uint32(h[8:]))
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(decoderMemory))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	body, err := d.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	if len(body) != int(size) {
		return nil, fmt.Errorf("%w: its body has %d bytes, want %d", errFormat, len(body), size)
	}
	return body, nil
}

// reader takes values from the front. After the first that is not there all are zero, and err says so.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		if r.err == nil {
			r.err = fmt.Errorf("%w: it ends early", errFormat)
		}
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) text(n int) string {
	b := r.take(n)
	if r.err == nil && !utf8.Valid(b) {
		r.err = fmt.Errorf("%w: text is not UTF-8", errFormat)
	}
	return string(b)
}

// times reads a tier's times, which ascend.
func (r *reader) times(most int) []int64 {
	n := int(r.u32())
	if r.err == nil && n > most {
		r.err = fmt.Errorf("%w: a tier has %d samples", errFormat, n)
	}
	if r.err != nil {
		return nil
	}
	b := r.take(8 * n)
	out := make([]int64, len(b)/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		if out[i] < 0 || i > 0 && out[i] <= out[i-1] {
			r.err = fmt.Errorf("%w: its times do not ascend", errFormat)
			return nil
		}
	}
	return out
}

func (r *reader) series(times *[len(tiers)][]int64) *series {
	out := &series{kind: kind(r.u8())}
	if r.err == nil && out.kind >= kindsCount {
		r.err = fmt.Errorf("%w: kind %d", errFormat, out.kind)
	}
	out.metric = r.text(r.u8())
	n := r.u8()
	if r.err == nil && n > labelsTop {
		r.err = fmt.Errorf("%w: %d labels", errFormat, n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		name := r.text(r.u8())
		out.labels = append(out.labels, label{name, r.text(r.u16())})
	}
	for i := range tiers {
		b := r.take(8 * len(times[i]))
		out.values[i] = make([]float64, len(b)/8)
		for j := range out.values[i] {
			out.values[i][j] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*j:]))
		}
	}
	return out
}
