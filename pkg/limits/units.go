package limits

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	prommodel "github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Bytes is a size as Loki writes it: 256KB, 3MB or a plain number, in powers of 1024 whatever the unit is called.
type Bytes uint64

type byteUnit struct {
	name  string
	bytes uint64
}

// is reports whether s, in upper case, names the unit.
func (u byteUnit) is(s string) bool {
	if u.bytes == 1 {
		return s == "" || s == "B"
	}
	prefix := u.name[:1]
	return s == u.name || s == prefix || s == prefix+"IB"
}

var byteUnits = []byteUnit{{"EB", 1 << 60}, {"PB", 1 << 50}, {"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// ParseBytes reads a size. Case does not matter; K, KB and KiB are the same.
func ParseBytes(s string) (Bytes, error) {
	text := strings.TrimSpace(s)
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	n, err := strconv.ParseUint(text[:digits], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size; write for example 256KB", s)
	}
	unit := strings.ToUpper(strings.TrimSpace(text[digits:]))
	for _, u := range byteUnits {
		if !u.is(unit) {
			continue
		}
		if n > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("%q is larger than any size", s)
		}
		return Bytes(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size; write for example 256KB", s)
}

// String prints the size in the largest unit that is exact: 262144 is 256KB.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && uint64(b)%u.bytes == 0 {
			return strconv.FormatUint(uint64(b)/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// Int returns the size as an int; ParseBytes yields no size that does not fit.
func (b Bytes) Int() int { return int(b) }

// UnmarshalYAML reads a size.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error { return unmarshalScalar(n, b, ParseBytes) }

// MarshalYAML prints a size.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }

// Duration is a span of time as Prometheus and Loki write it: 30s, 168h, 1w.
type Duration time.Duration

// ParseDuration reads a span of time.
func ParseDuration(s string) (Duration, error) {
	d, err := prommodel.ParseDuration(strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write for example 30s, 168h or 1w", s)
	}
	return Duration(d), nil
}

// String prints a duration that ParseDuration reads back.
func (d Duration) String() string { return prommodel.Duration(d).String() }

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error { return unmarshalScalar(n, d, ParseDuration) }

// MarshalYAML prints a duration.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

func unmarshalScalar[T any](n *yaml.Node, to *T, parse func(string) (T, error)) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: expected a single value", n.Line)
	}
	v, err := parse(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*to = v
	return nil
}
