package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// The JSON of /loki/api/v1/push:
//
//	{"streams":[{"stream":{"app":"api"},"values":[["1700000000000000000","line",{"trace_id":"abc"}], …]}, …]}
//
// and, with Options.LegacyJSON, that of /api/prom/push:
//
//	{"streams":[{"labels":"{app=\"api\"}","entries":[{"ts":"2023-11-14T22:13:20Z","line":"line"}, …]}, …]}
//
// Unknown fields are stepped over. Where Loki's two JSON libraries take a body or leave it by accident, the differences
// are: text behind the closing brace is refused (a second document in it would be lost unsaid), and half a surrogate pair
// becomes U+FFFD instead of costing the whole batch.

func (r *Request) decodeJSON(body []byte, snappyEncoded, inflated bool) error {
	if snappyEncoded {
		var err error
		if body, err = r.maybeUnsnappy(body); err != nil {
			return err
		}
	}
	// Uncompressed JSON is decoded where the caller has it. It obeys the same limit: what counts is the memory.
	if limit := r.o.DecompressedBytesMax; limit > 0 && len(body) > limit {
		return decompressedTooLarge(len(body), limit)
	}
	if !inflated && !snappyEncoded {
		r.body = body
	}
	r.DecompressedBytes = len(body)
	r.LabelsParsed = !r.o.LegacyJSON
	d := &jsonDecoder{jsonReader: jsonReader{b: body}, r: r}
	return d.decode()
}

// maybeUnsnappy decodes JSON under "Content-Encoding: snappy". Loki ignores that header for JSON, so a body that is no
// snappy block is taken as plain JSON. The two cannot be confused: read as a block, plain JSON begins with a copy from
// before the start, or promises another length than it has.
func (r *Request) maybeUnsnappy(body []byte) ([]byte, error) {
	err := r.unsnappy(body)
	var fault *Error
	switch {
	case err == nil:
		return r.buf, nil
	case errors.As(err, &fault) && fault.Class == Malformed:
		r.body = body
		return body, nil
	}
	return nil, err
}

// jsonDecoder decodes one push.
type jsonDecoder struct {
	jsonReader
	r       *Request
	scratch labels.ScratchBuilder
}

func (d *jsonDecoder) decode() error {
	if d.peek() == 0 && d.i == len(d.b) {
		return malformed("EOF")
	}
	if d.null() {
		return d.end()
	}
	err := d.object("the push", func(key string) error {
		if !strings.EqualFold(key, "streams") || d.null() {
			return d.skipUnless(strings.EqualFold(key, "streams"))
		}
		return d.array("streams", func() error {
			if d.r.o.LegacyJSON {
				return d.legacyStream()
			}
			return d.stream()
		})
	})
	if err != nil {
		return err
	}
	return d.end()
}

// skipUnless steps over a value that nobody asked for; done says that it was read.
func (d *jsonDecoder) skipUnless(done bool) error {
	if done {
		return nil
	}
	_, err := d.skipValue()
	return err
}

func (d *jsonDecoder) stream() error {
	s, err := d.r.addStream()
	if err != nil {
		return err
	}
	first := len(d.r.entries)
	err = d.object("a stream", func(key string) error {
		switch key {
		case "stream":
			s.Labels, err = d.labelSet()
			return err
		case "values":
			if d.null() {
				return nil
			}
			return d.array("values", d.value)
		}
		return d.skipUnless(false)
	})
	s.Entries = d.r.entriesFrom(first)
	return err
}

// labelSet reads {"name":"value", …}. A value that is no string counts as its text; of a name given twice the last counts.
func (d *jsonDecoder) labelSet() (labels.Labels, error) {
	first, size := len(d.r.pairs), 0
	err := d.object("stream", func(key string) error {
		value, err := d.text()
		if err != nil {
			return err
		}
		if len(d.r.pairs)-first == labelsCountMax {
			return &Error{Class: TooLarge, Text: fmt.Sprintf("request body too large: a stream has more than %d labels", labelsCountMax)}
		}
		p, err := d.r.addPair()
		if err != nil {
			return err
		}
		p.Name, p.Value = key, value
		size += len(key) + len(value) + len(`="", `)
		return nil
	})
	if err == nil {
		err = checkLabelsBytes(size)
	}
	if err == nil {
		err = d.r.reserve(size)
	}
	if err != nil {
		return labels.EmptyLabels(), err
	}
	pairs := d.r.pairs[first:]
	d.r.pairs = d.r.pairs[:first]
	slices.SortStableFunc(pairs, func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) })
	d.scratch.Reset()
	for i, p := range pairs {
		if i+1 == len(pairs) || pairs[i+1].Name != p.Name {
			d.scratch.Add(p.Name, p.Value)
		}
	}
	clear(pairs) // they lie behind the end of the arena now
	return d.scratch.Labels(), nil
}

// value reads ["<nanoseconds>","<line>",{"name":"value", …}].
func (d *jsonDecoder) value() error {
	if d.null() {
		return nil
	}
	e, err := d.r.addEntry()
	if err != nil {
		return err
	}
	e.Timestamp = model.MinTimestamp
	n := 0
	return d.array("a value", func() error {
		n++
		switch n {
		case 1:
			if e.Timestamp, err = d.nanoseconds(); err != nil {
				return err
			}
		case 2:
			if d.peek() != '"' {
				return d.fault("a line must be a string")
			}
			if e.Line, err = d.string(); err != nil {
				return err
			}
		case 3:
			e.Metadata, err = d.metadata()
			return err
		default:
			return d.skipUnless(false)
		}
		return nil
	})
}

func (d *jsonDecoder) nanoseconds() (model.Timestamp, error) {
	if d.peek() != '"' {
		return 0, d.fault("a timestamp must be a string of nanoseconds")
	}
	s, err := d.string()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, d.fault("a timestamp must be a string of nanoseconds")
	}
	return min(model.Timestamp(n), TimestampMax), nil
}

func (d *jsonDecoder) metadata() ([]model.Pair, error) {
	first := len(d.r.pairs)
	err := d.object("structured metadata", func(key string) error {
		if d.peek() != '"' {
			return d.fault("a value of structured metadata must be a string")
		}
		value, err := d.string()
		if err != nil {
			return err
		}
		p, err := d.r.addPair()
		if err != nil {
			return err
		}
		p.Name, p.Value = key, value
		return nil
	})
	return d.r.pairsFrom(first), err
}

func (d *jsonDecoder) legacyStream() error {
	s, err := d.r.addStream()
	if err != nil {
		return err
	}
	first := len(d.r.entries)
	err = d.object("a stream", func(key string) error {
		switch {
		case d.null():
			return nil
		case strings.EqualFold(key, "labels"):
			if d.peek() != '"' {
				return d.fault("labels must be a string")
			}
			if s.LabelsText, err = d.string(); err != nil {
				return err
			}
			return checkLabelsBytes(len(s.LabelsText))
		case strings.EqualFold(key, "entries"):
			return d.array("entries", d.legacyEntry)
		}
		return d.skipUnless(false)
	})
	s.Entries = d.r.entriesFrom(first)
	return err
}

func (d *jsonDecoder) legacyEntry() error {
	e, err := d.r.addEntry()
	if err != nil {
		return err
	}
	e.Timestamp = model.MinTimestamp
	if d.null() {
		return nil
	}
	return d.object("an entry", func(key string) error {
		switch {
		case d.null():
			return nil
		case strings.EqualFold(key, "ts"):
			e.Timestamp, err = d.rfc3339()
			return err
		case strings.EqualFold(key, "line"):
			if d.peek() != '"' {
				return d.fault("a line must be a string")
			}
			e.Line, err = d.string()
			return err
		case strings.EqualFold(key, "structuredMetadata"):
			e.Metadata, err = d.metadata()
			return err
		}
		return d.skipUnless(false)
	})
}

func (d *jsonDecoder) rfc3339() (model.Timestamp, error) {
	if d.peek() != '"' {
		return 0, d.fault("a timestamp must be a string in RFC 3339 format")
	}
	s, err := d.string()
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, d.fault("a timestamp must be a string in RFC 3339 format")
	}
	return saturate(t.Unix(), int64(t.Nanosecond())), nil
}
