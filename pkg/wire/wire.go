// Package wire turns the bodies that clients push into streams of entries, and does nothing else: it parses no label
// text, normalises no names, knows no limits but those of size, and never looks at a clock.
//
// Bodies are snappy-compressed protobuf (logproto.PushRequest) or JSON, either of them gzipped or deflated besides; the
// legacy JSON of /api/prom/push too. What is accepted, what is refused and in which words follows Loki
// (pkg/loghttp/push); the protobuf walk accepts exactly what github.com/grafana/loki/pkg/push accepts, which a
// differential fuzz test holds it to.
//
// Decoding copies nothing that it can point to. Lines, metadata and label texts are strings made with unsafe.String
// over the request's own buffer, and the slices of entries and pairs are recycled: all of it is valid until
// Request.Release and not one call longer. Whoever keeps a line, a name or a value copies it (strings.Clone). Built with
// the tag "invariant", Release overwrites the buffer, so that a test finds the one who forgot.
//
// Sizes are checked before memory is taken: the length in the snappy header before decoding, a bounded reader around
// gzip and deflate, and Options.Reserve is asked before every larger allocation.
package wire

import (
	"fmt"
	"mime"
	"sync"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Class says which of its faults a body has.
type Class uint8

// The classes; an edge maps them to a status.
const (
	Malformed Class = iota // 400: no client can mean this
	TooLarge               // 413
)

// Error is a refused body. Text is meant for the client word for word.
type Error struct {
	Class Class
	Text  string
}

func (e *Error) Error() string { return e.Text }

func malformed(format string, args ...any) *Error {
	return &Error{Class: Malformed, Text: fmt.Sprintf(format, args...)}
}

// BodyTooLarge is the refusal of a body whose size as sent exceeds the limit. Size may be any number above limit when
// reading stopped there.
func BodyTooLarge(size, limit int) *Error {
	return &Error{Class: TooLarge, Text: fmt.Sprintf("request body too large: message size too large than max (%d vs %d)", size, limit)}
}

func decompressedTooLarge(size, limit int) *Error {
	return &Error{Class: TooLarge, Text: fmt.Sprintf("request body too large: decompressed message size too large than max (%d vs %d)", size, limit)}
}

// Options bound a decode. The zero value has no bounds: it is for bodies that were accepted before (replay).
type Options struct {
	BodyBytesMax         int  // the body as sent; 0 = no limit
	DecompressedBytesMax int  // after each decompression; 0 = no limit
	LegacyJSON           bool // JSON is that of /api/prom/push: {"streams":[{"labels":"{…}","entries":[{"ts":…,"line":…}]}]}
	// Reserve, when given, is told before the decoder takes n more bytes of memory, beyond the body itself. An error
	// ends the decode and is returned as it is. The caller gives the memory back after Release.
	Reserve func(n int) error
}

// Stream is one stream of a push, as the client named it.
type Stream struct {
	LabelsText string        // `{a="b"}` as sent; unused when Request.LabelsParsed
	Labels     labels.Labels // sorted by name, empty values kept; only when Request.LabelsParsed. Its own memory.
	// Entries hold the metadata as sent: unsorted, names not normalised, detected_level among it; Level is empty. A time
	// before the year 1678, or none at all, is model.MinTimestamp; one after 2262 is TimestampMax.
	Entries []model.Entry
}

// TimestampMax is the latest time that decoding yields, so that a half-open interval can contain every entry.
const TimestampMax = model.MaxTimestamp - 1

// Request is a decoded body.
type Request struct {
	Streams      []Stream
	LabelsParsed bool // the body was JSON with label sets instead of label texts
	// Raw is the snappy-compressed protobuf, when the body was one (below a Content-Encoding or not): DecodeSnappyProto
	// of it yields the same Streams. Otherwise nil.
	Raw []byte
	// BodyBytes is the size of the body as sent, DecompressedBytes what it holds.
	BodyBytes, DecompressedBytes int

	buf     []byte // what the strings point to: decompressed body, pooled
	inflate []byte // what Raw points to when the snappy body came gzipped or deflated, pooled
	body    []byte // the caller's buffer, overwritten at Release under the tag invariant when strings point into it
	entries []model.Entry
	pairs   []model.Pair

	o Options
	// How far streams, entries and pairs may grow before grow must be asked: to the end of what is reserved or allocated.
	streamsRoom, entriesRoom, pairsRoom int
	released                            bool
}

var requests = sync.Pool{New: func() any { return new(Request) }}

func newRequest(o Options) *Request {
	r := requests.Get().(*Request)
	*r = Request{Streams: r.Streams[:0], buf: r.buf[:0], inflate: r.inflate[:0], entries: r.entries[:0], pairs: r.pairs[:0], o: o}
	return r
}

// Decode decodes a push body. contentType and contentEncoding are the headers' values. The request owns body until
// Release: strings may point into it and JSON is unescaped in place. The error is an *Error, or what Options.Reserve
// returned.
func Decode(body []byte, contentType, contentEncoding string, o Options) (*Request, error) {
	if o.BodyBytesMax > 0 && len(body) > o.BodyBytesMax {
		return nil, BodyTooLarge(len(body), o.BodyBytesMax)
	}
	r := newRequest(o)
	r.BodyBytes = len(body)
	if err := r.decode(body, contentType, contentEncoding); err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

func (r *Request) decode(body []byte, contentType, contentEncoding string) error {
	var err error
	snappyEncoded, inflated := false, false
	switch contentEncoding {
	case "":
	case "snappy":
		// Some clients say so of the protobuf body, which is snappy-compressed with or without the header.
		snappyEncoded = true
	case "gzip", "deflate":
		inflated = true
		if body, err = r.decompress(body, contentEncoding); err != nil {
			return err
		}
	default:
		return malformed("Content-Encoding %q not supported", contentEncoding)
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return malformed("%s", err)
	}
	if mediaType == "application/json" {
		return r.decodeJSON(body, snappyEncoded, inflated)
	}
	return r.decodeSnappyProto(body)
}

// DecodeSnappyProto decodes a snappy-compressed protobuf body. The request owns raw until Release.
func DecodeSnappyProto(raw []byte, o Options) (*Request, error) {
	if o.BodyBytesMax > 0 && len(raw) > o.BodyBytesMax {
		return nil, BodyTooLarge(len(raw), o.BodyBytesMax)
	}
	r := newRequest(o)
	r.BodyBytes = len(raw)
	if err := r.decodeSnappyProto(raw); err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

func (r *Request) decodeSnappyProto(raw []byte) error {
	if err := r.unsnappy(raw); err != nil {
		return err
	}
	r.Raw = raw
	r.DecompressedBytes = len(r.buf)
	return r.walkRequest(r.buf)
}

// unsnappy decodes the block into r.buf.
func (r *Request) unsnappy(raw []byte) error {
	n, err := snappy.DecodedLen(raw)
	if err != nil {
		return malformed("%s", err)
	}
	if limit := r.o.DecompressedBytesMax; limit > 0 && n > limit {
		return decompressedTooLarge(n, limit)
	}
	// A block cannot hold more than 64 bytes for every 3 of input, so a header that promises more is a lie, found out
	// here before its memory is taken.
	if n > snappyRatioMax*(len(raw)+1) {
		return malformed("%s", snappy.ErrCorrupt)
	}
	if err := r.reserve(n); err != nil {
		return err
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	if r.buf, err = snappy.Decode(r.buf[:cap(r.buf)], raw); err != nil {
		return malformed("%s", err)
	}
	return nil
}

func (r *Request) reserve(n int) error {
	if r.o.Reserve == nil {
		return nil
	}
	return r.o.Reserve(n)
}

// Release gives the request's memory back. Nothing that came with the request may be used after it. The second call does
// nothing.
func (r *Request) Release() {
	if r == nil || r.released {
		return
	}
	r.released = true
	if invariant.Enabled {
		invariant.Mangle(r.buf[:cap(r.buf)])
		invariant.Mangle(r.inflate[:cap(r.inflate)])
		invariant.Mangle(r.body)
	}
	clear(r.Streams)
	clear(r.entries)
	clear(r.pairs)
	keep := Request{Streams: r.Streams, buf: r.buf, inflate: r.inflate, entries: r.entries, pairs: r.pairs}
	if cap(keep.buf) > pooledBufferBytesMax {
		keep.buf = nil
	}
	if cap(keep.inflate) > pooledBufferBytesMax {
		keep.inflate = nil
	}
	if cap(keep.entries) > pooledEntriesMax || cap(keep.pairs) > pooledEntriesMax || cap(keep.Streams) > pooledEntriesMax {
		keep.Streams, keep.entries, keep.pairs = nil, nil, nil
	}
	r.Streams, r.Raw, r.body = nil, nil, nil
	requests.Put(&keep)
}
