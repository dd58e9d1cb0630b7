package record

import (
	"fmt"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// Decoder decodes records. It keeps a deriver for each set of options that it meets, which are few: they change only when
// an operator changes the configuration. Safe for concurrent use.
type Decoder struct {
	mu       sync.Mutex // guards derivers
	derivers map[string]*derive.Deriver
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder { return &Decoder{derivers: map[string]*derive.Deriver{}} }

// Decoded is a decoded record. Its strings are valid until Release.
type Decoded struct {
	Push
	request *wire.Request
}

// Release gives back the buffers that the push points into.
func (d *Decoded) Release() {
	if d.request != nil {
		d.request.Release()
		d.request = nil
	}
}

// Decode decodes a record of the given type. An error wraps ErrMalformed.
func (d *Decoder) Decode(typ byte, payload []byte) (Decoded, error) {
	switch typ {
	case TypePushRaw:
		return d.decodeRaw(payload)
	case TypePushKept, TypeCarry:
		p, err := decodeKept(payload)
		return Decoded{Push: p}, err
	}
	return Decoded{}, fmt.Errorf("%w: unknown type %d", ErrMalformed, typ)
}

func (d *Decoder) decodeRaw(payload []byte) (Decoded, error) {
	c := cursor{b: payload}
	tenant, arrival := c.header()
	options := c.string()
	if c.err != nil {
		return Decoded{}, c.err
	}
	deriver, err := d.deriver(options)
	if err != nil {
		return Decoded{}, err
	}
	request, err := wire.DecodeSnappyProto(c.b, wire.Options{}) // no limits: it was accepted under those of its time
	if err != nil {
		return Decoded{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	out := Decoded{Push: Push{Tenant: tenant, Arrival: arrival}, request: request}
	out.Streams = make([]model.Stream, len(request.Streams))
	for i := range request.Streams {
		s := &request.Streams[i]
		stream, err := deriver.Stream(s.LabelsText)
		if err != nil {
			out.Release()
			return Decoded{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		for j := range s.Entries {
			deriver.Entry(stream, &s.Entries[j])
		}
		out.Streams[i] = model.Stream{Labels: stream.Labels, Entries: s.Entries}
	}
	return out, nil
}

func (d *Decoder) deriver(options string) (*derive.Deriver, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found, ok := d.derivers[options]; ok {
		return found, nil
	}
	o, err := derive.ParseOptions([]byte(options))
	if err != nil {
		return nil, fmt.Errorf("%w: derivation options: %w", ErrMalformed, err)
	}
	made := derive.New(o)
	d.derivers[string(append([]byte(nil), options...))] = made // options aliases the payload
	return made, nil
}
