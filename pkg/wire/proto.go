package wire

import (
	"math"
	"unsafe"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// The walk over logproto.PushRequest:
//
//	PushRequest { repeated Stream streams = 1; string format = 2 }
//	Stream      { string labels = 1; repeated Entry entries = 2; uint64 hash = 3 }
//	Entry       { Timestamp timestamp = 1; string line = 2; repeated Pair structuredMetadata = 3; repeated Pair parsed = 4 }
//	Pair        { string name = 1; string value = 2 }
//	Timestamp   { int64 seconds = 1; int32 nanos = 2 }
//
// Where a body is odd (a field given twice, unknown fields, groups, varints of ten bytes) it is read as the generated
// decoder of github.com/grafana/loki/pkg/push (Apache-2.0) reads it, and refused with the same text. Fields that are not
// kept (format, hash, parsed) are checked as they are there.

// Wire types.
const (
	wireVarint     = 0
	wireFixed64    = 1
	wireBytes      = 2
	wireStartGroup = 3
	wireEndGroup   = 4
	wireFixed32    = 5
)

// Keys: field number and wire type.
const (
	key1Varint = 1<<3 | wireVarint
	key2Varint = 2<<3 | wireVarint
	key3Varint = 3<<3 | wireVarint
	key1Bytes  = 1<<3 | wireBytes
	key2Bytes  = 2<<3 | wireBytes
	key3Bytes  = 3<<3 | wireBytes
	key4Bytes  = 4<<3 | wireBytes
)

// message names a message and its fields for errors.
type message struct {
	name   string
	fields []string // of the numbers 1, 2, …
}

var (
	messageRequest   = message{"PushRequest", []string{"Streams", "Format"}}
	messageStream    = message{"StreamAdapter", []string{"Labels", "Entries", "Hash"}}
	messageEntry     = message{"EntryAdapter", []string{"Timestamp", "Line", "StructuredMetadata", "Parsed"}}
	messagePair      = message{"LabelPairAdapter", []string{"Name", "Value"}}
	messageTimestamp = message{"Timestamp", []string{"Seconds", "Nanos"}}
)

// walkRequest decodes a PushRequest. Strings point into b.
func (r *Request) walkRequest(b []byte) error {
	for i := 0; i < len(b); {
		key, at := readKey(b, i)
		switch key {
		case key1Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			if err := r.walkStream(b[start:end]); err != nil {
				return err
			}
			i = end
		case key2Bytes:
			if _, i = readSpan(b, at); i < 0 {
				return faultError(i)
			}
		default:
			var err error
			if i, err = skipOther(b, i, key, at, &messageRequest); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Request) walkStream(b []byte) error {
	s, err := r.addStream()
	if err != nil {
		return err
	}
	first := len(r.entries)
	for i := 0; i < len(b); {
		key, at := readKey(b, i)
		switch key {
		case key2Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			if err := r.walkEntry(b[start:end]); err != nil {
				return err
			}
			i = end
		case key1Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			s.LabelsText = stringOf(b[start:end])
			i = end
		case key3Varint:
			if _, i = readVarint(b, at); i < 0 {
				return faultError(i)
			}
		default:
			if i, err = skipOther(b, i, key, at, &messageStream); err != nil {
				return err
			}
		}
	}
	s.Entries = r.entriesFrom(first)
	return checkLabelsBytes(len(s.LabelsText))
}

func checkLabelsBytes(n int) error {
	if n <= labelsBytesMax {
		return nil
	}
	return &Error{Class: TooLarge, Text: "request body too large: stream labels size " + humanize.Bytes(uint64(n)) + " exceeds limit of " + humanize.Bytes(labelsBytesMax)}
}

func (r *Request) walkEntry(b []byte) error {
	e, err := r.addEntry()
	if err != nil {
		return err
	}
	e.Timestamp = model.MinTimestamp
	firstPair := len(r.pairs)
	for i := 0; i < len(b); {
		key, at := uint64(b[i]), i+1
		if key >= 0x80 {
			key, at = readLongKey(b, i)
		}
		switch key {
		case key1Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			if e.Timestamp, err = walkTimestamp(b[start:end]); err != nil {
				return err
			}
			i = end
		case key2Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			e.Line = stringOf(b[start:end])
			i = end
		case key3Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			p, err := r.addPair()
			if err != nil {
				return err
			}
			if err := walkPair(b[start:end], p); err != nil {
				return err
			}
			i = end
		case key4Bytes:
			start, end := readSpan(b, at)
			if end < 0 {
				return faultError(end)
			}
			var ignored model.Pair
			if err := walkPair(b[start:end], &ignored); err != nil {
				return err
			}
			i = end
		default:
			if i, err = skipOther(b, i, key, at, &messageEntry); err != nil {
				return err
			}
		}
	}
	e.Metadata = r.pairsFrom(firstPair)
	return nil
}

func walkPair(b []byte, p *model.Pair) error {
	for i := 0; i < len(b); {
		key, at := uint64(b[i]), i+1
		if key >= 0x80 {
			key, at = readLongKey(b, i)
		}
		if key != key1Bytes && key != key2Bytes {
			var err error
			if i, err = skipOther(b, i, key, at, &messagePair); err != nil {
				return err
			}
			continue
		}
		start, end := readSpan(b, at)
		if end < 0 {
			return faultError(end)
		}
		if key == key1Bytes {
			p.Name = stringOf(b[start:end])
		} else {
			p.Value = stringOf(b[start:end])
		}
		i = end
	}
	return nil
}

// The seconds of the years that google.protobuf.Timestamp allows, and of those that a Timestamp of ours can hold.
const (
	nanosPerSecond       = 1_000_000_000
	secondsMin     int64 = -62135596800 // 0001-01-01
	secondsEnd     int64 = 253402300800 // 10000-01-01
	secondsUnixMin int64 = math.MinInt64/nanosPerSecond + 1
	secondsUnixMax int64 = math.MaxInt64/nanosPerSecond - 1
)

const textTimestamp = "timestamp: &types.Timestamp{Seconds: %d,\nNanos: %d,\n}"

func walkTimestamp(b []byte) (model.Timestamp, error) {
	var seconds int64
	var nanos int32
	for i := 0; i < len(b); {
		key, at := uint64(b[i]), i+1
		if key >= 0x80 {
			key, at = readLongKey(b, i)
		}
		switch key {
		case key1Varint:
			v, next := readVarint(b, at)
			if next < 0 {
				return 0, faultError(next)
			}
			seconds, i = int64(v), next
		case key2Varint:
			v, next := readVarint(b, at)
			if next < 0 {
				return 0, faultError(next)
			}
			nanos, i = int32(v), next
		default:
			var err error
			if i, err = skipOther(b, i, key, at, &messageTimestamp); err != nil {
				return 0, err
			}
		}
	}
	switch {
	case seconds < secondsMin:
		return 0, malformed(textTimestamp+" before 0001-01-01", seconds, nanos)
	case seconds >= secondsEnd:
		return 0, malformed(textTimestamp+" after 10000-01-01", seconds, nanos)
	case nanos < 0 || nanos >= nanosPerSecond:
		return 0, malformed(textTimestamp+": nanos not in range [0, 1e9)", seconds, nanos)
	}
	return saturate(seconds, int64(nanos)), nil
}

// saturate converts a time that a Timestamp may not be able to hold.
func saturate(seconds, nanos int64) model.Timestamp {
	switch {
	case seconds < secondsUnixMin:
		return model.MinTimestamp
	case seconds > secondsUnixMax:
		return TimestampMax
	}
	return model.Timestamp(seconds*nanosPerSecond + nanos)
}

// The faults of reading, in place of an index.
const (
	faultEOF      = -1
	faultOverflow = -2
	faultLength   = -3
)

func faultError(fault int) error {
	switch fault {
	case faultOverflow:
		return malformed("proto: integer overflow")
	case faultLength:
		return malformed("proto: negative length found during unmarshaling")
	}
	return malformed("unexpected EOF")
}

// readVarint returns the varint at b[i] and the index behind it, or a fault.
func readVarint(b []byte, i int) (uint64, int) {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if i >= len(b) {
			return 0, faultEOF
		}
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
	return 0, faultOverflow
}

// readKey returns the key at b[i] and the index behind it. A key that spans several bytes has its field number cut to 32
// bits; a fault is returned as the index.
func readKey(b []byte, i int) (uint64, int) {
	if c := b[i]; c < 0x80 {
		return uint64(c), i + 1
	}
	return readLongKey(b, i)
}

// readLongKey is the slow half of readKey. The hot loops check for one byte themselves: the compiler does not inline readKey.
func readLongKey(b []byte, i int) (uint64, int) {
	v, next := readVarint(b, i)
	if next < 0 {
		return math.MaxUint64, next
	}
	return uint64(uint32(v>>3))<<3 | v&7, next
}

// readSpan returns the bounds of the bytes whose length stands at b[i]; end is a fault when there are none.
func readSpan(b []byte, i int) (start, end int) {
	if i < len(b) && b[i] < 0x80 {
		if end = i + 1 + int(b[i]); end <= len(b) {
			return i + 1, end
		}
	}
	return readLongSpan(b, i)
}

func readLongSpan(b []byte, i int) (start, end int) {
	v, start := readVarint(b, i)
	if start < 0 {
		return 0, start
	}
	n := int(v)
	if n < 0 || start+n < 0 {
		return 0, faultLength
	}
	if start+n > len(b) {
		return 0, faultEOF
	}
	return start, start + n
}

// skipOther steps over the field at b[i] that its message does not keep, or says what is wrong with it. key and at are
// what readKey returned.
func skipOther(b []byte, i int, key uint64, at int, m *message) (int, error) {
	if at < 0 {
		return 0, faultError(at)
	}
	wireType := key & 7
	if wireType == wireEndGroup {
		return 0, malformed("proto: %s: wiretype end group for non-group", m.name)
	}
	field := int32(key >> 3)
	if field <= 0 {
		v, _ := readVarint(b, i)
		return 0, malformed("proto: %s: illegal tag %d (wire type %d)", m.name, field, v)
	}
	if int(field) <= len(m.fields) {
		return 0, malformed("proto: wrong wireType = %d for field %s", wireType, m.fields[field-1])
	}
	return skip(b, i)
}

// skip steps over one field, a group with all that it holds. Groups are counted, not descended into, so their depth costs
// nothing.
func skip(b []byte, i int) (int, error) {
	for depth := 0; ; {
		if i >= len(b) {
			return 0, faultError(faultEOF)
		}
		key, next := readVarint(b, i)
		if next < 0 {
			return 0, faultError(next)
		}
		switch wireType := key & 7; wireType {
		case wireVarint:
			_, i = readVarint(b, next)
		case wireFixed64:
			i = next + 8
		case wireFixed32:
			i = next + 4
		case wireBytes:
			_, i = readLongSpan(b, next)
		case wireStartGroup:
			depth++
			i = next
		case wireEndGroup:
			depth--
			i = next
		default:
			return 0, malformed("proto: illegal wireType %d", wireType)
		}
		if i < 0 {
			return 0, faultError(i)
		}
		if depth == 0 {
			break
		}
	}
	if i > len(b) {
		return 0, faultError(faultEOF)
	}
	return i, nil
}

// stringOf points to b without copying. b is the request's buffer, which nobody writes to before Release.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
