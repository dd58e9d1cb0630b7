package derive

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version1 are the rules in this package. Any change of what is derived from the same input needs a new version, with the
// old rules kept for as long as a write-ahead log may hold records that name them.
const Version1 uint8 = 1

// Options are what the derivation depends on besides its input. They stand in every record of the write-ahead log.
type Options struct {
	Version uint8
	// ServiceNames are the labels that service_name is taken from, the first that exists. None: no service_name is added.
	ServiceNames []string
	// DiscoverLevels looks for a level in labels, metadata and line of entries that come without detected_level.
	DiscoverLevels bool
	// LevelFields are the names under which a level is looked for, in order.
	LevelFields []string
	// JSONMaxDepth is how many levels of JSON objects are searched; 0 or less = all.
	JSONMaxDepth int
}

// ErrOptions marks options that cannot be parsed, or that are of a later version.
var ErrOptions = errors.New("derivation options")

const (
	optionNamesMax     = 4096    // names of both lists together
	optionNameBytesMax = 4 << 10 // one name
	flagDiscoverLevels = 1
)

// AppendBinary appends the binary form:
//
//	| u8 version | u8 flags (1 = discover levels) | varint JSON depth | names: services | names: level fields |
//
// where names are a uvarint count and, for each, a uvarint length and the bytes.
func (o Options) AppendBinary(b []byte) []byte {
	var flags byte
	if o.DiscoverLevels {
		flags |= flagDiscoverLevels
	}
	b = append(b, o.Version, flags)
	b = binary.AppendVarint(b, int64(o.JSONMaxDepth))
	for _, names := range [][]string{o.ServiceNames, o.LevelFields} {
		b = binary.AppendUvarint(b, uint64(len(names)))
		for _, n := range names {
			b = binary.AppendUvarint(b, uint64(len(n)))
			b = append(b, n...)
		}
	}
	return b
}

// ParseOptions reads what AppendBinary wrote, and nothing else.
func ParseOptions(b []byte) (Options, error) {
	if len(b) < 2 {
		return Options{}, fmt.Errorf("%w: cut short", ErrOptions)
	}
	o := Options{Version: b[0], DiscoverLevels: b[1]&flagDiscoverLevels != 0}
	if o.Version != Version1 {
		return Options{}, fmt.Errorf("%w: version %d is not known to this build", ErrOptions, o.Version)
	}
	if b[1]&^flagDiscoverLevels != 0 {
		return Options{}, fmt.Errorf("%w: unknown flags %#x", ErrOptions, b[1])
	}
	depth, n := binary.Varint(b[2:])
	if n <= 0 || int64(int(depth)) != depth {
		return Options{}, fmt.Errorf("%w: JSON depth", ErrOptions)
	}
	o.JSONMaxDepth = int(depth)
	b = b[2+n:]
	var err error
	if o.ServiceNames, b, err = parseNames(b); err != nil {
		return Options{}, err
	}
	if o.LevelFields, b, err = parseNames(b); err != nil {
		return Options{}, err
	}
	if len(b) != 0 {
		return Options{}, fmt.Errorf("%w: %d bytes behind the end", ErrOptions, len(b))
	}
	return o, nil
}

func parseNames(b []byte) (names []string, rest []byte, err error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > optionNamesMax {
		return nil, nil, fmt.Errorf("%w: number of names", ErrOptions)
	}
	b = b[n:]
	for range count {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > optionNameBytesMax || size > uint64(len(b)-n) {
			return nil, nil, fmt.Errorf("%w: length of a name", ErrOptions)
		}
		b = b[n:]
		names = append(names, string(b[:size]))
		b = b[size:]
	}
	return names, b, nil
}
