// Package record is what the write-ahead log carries: pushes and carried heads, each decodable alone.
//
// A record holds everything that replay needs and nothing that depends on memory: no StreamRef, no offset, no setting of
// the process that reads it. All integers are varints unless said; "string" is a uvarint length and that many bytes.
//
//	TypePushRaw (1): the client's body as it came; replay derives it again with the options in force at the time
//	+---------+----------------+---------------+--------------------+---------------------------+
//	| version | tenant: string | arrival: int  | derivation: string | snappy protobuf, the rest |
//	| u8 = 1  |                | Unix ns       | derive.Options     | loki push.PushRequest     |
//	+---------+----------------+---------------+--------------------+---------------------------+
//
//	TypePushKept (2): what was accepted of a push that could not be logged verbatim, already derived
//	TypeCarry    (3): all of a tenant's head; replaces every earlier record of that tenant
//	+---------+----------------+---------------+------------------------------------------------+
//	| version | tenant: string | arrival: int  | streams, snappy block format                   |
//	| u8 = 1  |                | Unix ns       |                                                |
//	+---------+----------------+---------------+------------------------------------------------+
//
//	streams: count, then for each
//	  labels:  count, then name: string, value: string of each, sorted by name
//	  entries: count, then for each
//	    timestamp: signed difference from the entry before it (the first from 0)
//	    level: string    line: string    metadata: count, then name: string, value: string of each
//
// An unknown type or version is refused: nothing is ever guessed. The package knows bytes and options, not files or heads.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// The types of records, as the log frames them.
const (
	TypePushRaw  byte = 1
	TypePushKept byte = 2
	TypeCarry    byte = 3
)

const (
	version = 1
	// A record is at most as large as a log segment holds, and snappy shrinks no text more than about 20-fold. A longer
	// declared length is a lie that must not be allocated for.
	streamsBytesMax = 1 << 30
)

// ErrMalformed marks a payload that is not a record of this version.
var ErrMalformed = errors.New("malformed record")

// Push is a decoded record. Its lines, levels and metadata may alias the payload: apply it before the payload is reused.
// Tenant and labels have memory of their own.
type Push struct {
	Tenant  model.TenantID
	Arrival model.Timestamp
	Streams []model.Stream
}

// AppendRawHeader appends to b what stands before the client's body in a TypePushRaw record.
func AppendRawHeader(b []byte, tenant model.TenantID, arrival model.Timestamp, derivation []byte) []byte {
	b = appendHeader(b, tenant, arrival)
	return appendBytes(b, derivation)
}

// AppendKept appends a TypePushKept or TypeCarry record's payload to b.
func AppendKept(b []byte, p Push) []byte {
	b = appendHeader(b, p.Tenant, p.Arrival)
	return append(b, snappy.Encode(nil, appendStreams(nil, p.Streams))...)
}

func appendHeader(b []byte, tenant model.TenantID, arrival model.Timestamp) []byte {
	b = append(b, version)
	b = appendString(b, string(tenant))
	return binary.AppendVarint(b, int64(arrival))
}

func appendStreams(b []byte, streams []model.Stream) []byte {
	b = binary.AppendUvarint(b, uint64(len(streams)))
	for i := range streams {
		s := &streams[i]
		b = binary.AppendUvarint(b, uint64(s.Labels.Len()))
		s.Labels.Range(func(l labels.Label) {
			b = appendString(b, l.Name)
			b = appendString(b, l.Value)
		})
		b = appendEntries(b, s.Entries)
	}
	return b
}

func appendEntries(b []byte, entries []model.Entry) []byte {
	b = binary.AppendUvarint(b, uint64(len(entries)))
	var last model.Timestamp
	for i := range entries {
		e := &entries[i]
		// The difference wraps around for absurd times; decoding adds with the same wrap.
		b = binary.AppendVarint(b, int64(e.Timestamp-last))
		last = e.Timestamp
		b = appendString(b, e.Level)
		b = appendString(b, e.Line)
		b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
		for _, m := range e.Metadata {
			b = appendString(b, m.Name)
			b = appendString(b, m.Value)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBytes(b, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// TenantOf reads only the tenant of a payload: replay skips most of a flushed tenant's records by it.
func TenantOf(payload []byte) (model.TenantID, error) {
	c := cursor{b: payload}
	tenant, _ := c.header()
	if c.err != nil {
		return "", c.err
	}
	return tenant, nil
}

func decodeKept(payload []byte) (Push, error) {
	c := cursor{b: payload}
	tenant, arrival := c.header()
	if c.err != nil {
		return Push{}, c.err
	}
	n, err := snappy.DecodedLen(c.b)
	if err != nil {
		return Push{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if n > streamsBytesMax {
		return Push{}, fmt.Errorf("%w: streams of %d bytes", ErrMalformed, n)
	}
	buf, err := snappy.Decode(nil, c.b)
	if err != nil {
		return Push{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c = cursor{b: buf}
	p := Push{Tenant: tenant, Arrival: arrival, Streams: c.streams()}
	if c.err == nil && len(c.b) > 0 {
		c.fail("bytes after the last stream")
	}
	return p, c.err
}
