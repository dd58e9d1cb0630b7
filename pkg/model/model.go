// Package model holds the nouns that every other package shares: time, tenants, streams, entries.
//
// It owns no behaviour beyond what keeps these values well formed, and knows nothing of files, queries or HTTP. Times
// are int64 nanoseconds and intervals are half-open; whoever meets an inclusive end (Loki's metric windows, a person's
// time range) converts it at the edge. Label sets are Prometheus' labels.Labels.
package model

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/prometheus/model/labels"
)

// Timestamp is a time in Unix nanoseconds.
type Timestamp int64

// The ends of representable time.
const (
	MinTimestamp Timestamp = math.MinInt64
	MaxTimestamp Timestamp = math.MaxInt64
)

// TimestampOf converts a time.Time. Times outside the years 1678 to 2262 overflow; callers reject those first.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixNano()) }

// Time converts to a UTC time.Time.
func (t Timestamp) Time() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add returns t+d, saturating at the ends of representable time.
func (t Timestamp) Add(d time.Duration) Timestamp {
	s := t + Timestamp(d)
	switch {
	case d > 0 && s < t:
		return MaxTimestamp
	case d < 0 && s > t:
		return MinTimestamp
	}
	return s
}

// Interval is the half-open span [Start, End).
type Interval struct{ Start, End Timestamp }

// Contains reports whether t lies in the interval.
func (iv Interval) Contains(t Timestamp) bool { return iv.Start <= t && t < iv.End }

// Empty reports whether the interval holds no time at all.
func (iv Interval) Empty() bool { return iv.Start >= iv.End }

// Overlaps reports whether some t in [minTime, maxTime], both ends included, lies in the interval.
func (iv Interval) Overlaps(minTime, maxTime Timestamp) bool {
	return minTime < iv.End && iv.Start <= maxTime
}

// StreamRef numbers a stream inside one head or one block. It never crosses that border.
type StreamRef uint32

// Fingerprint is the stable 64-bit hash of a label set. It is stored in blocks and crosses nodes.
type Fingerprint uint64

// FingerprintOf hashes a label set: xxhash64 over name, 0xff, value, 0xff of each label in order of names. It is ours
// rather than labels.Hash because that one may change between releases.
func FingerprintOf(ls labels.Labels) Fingerprint {
	var d xxhash.Digest
	d.Reset()
	sep := []byte{0xff}
	ls.Range(func(l labels.Label) {
		_, _ = d.WriteString(l.Name)
		_, _ = d.Write(sep)
		_, _ = d.WriteString(l.Value)
		_, _ = d.Write(sep)
	})
	return Fingerprint(d.Sum64())
}

// Pair is one name=value of structured metadata, or of what a parser extracted.
type Pair struct{ Name, Value string }

// Entry is one line with its time. Line and Metadata may alias a buffer that the producer reuses: whoever keeps an
// entry beyond the call that it came with copies it.
type Entry struct {
	Timestamp Timestamp
	Line      string
	// Metadata is the structured metadata, sorted by name, without detected_level and without empty values.
	Metadata []Pair
	// Level is the value of detected_level, "" when the entry has none (detection was off and the client sent none).
	Level string
}

// Stream is one label set and some of its entries, in arrival order.
type Stream struct {
	Labels  labels.Labels
	Entries []Entry
}

// TenantID is the unit of isolation, from the X-Scope-OrgID header.
type TenantID string

// DefaultTenant is the tenant of a request without X-Scope-OrgID while authentication is off, as in Loki.
const DefaultTenant TenantID = "fake"

const tenantBytesMax = 150 // dskit's limit, which every Loki client is used to.

// ErrTenant marks a malformed tenant ID.
var ErrTenant = errors.New("invalid tenant ID")

// ParseTenantID checks s by dskit's rules: 1 to 150 bytes of [a-zA-Z0-9!-_.*'()], and neither "." nor "..": the ID
// becomes a directory name.
func ParseTenantID(s string) (TenantID, error) {
	if s == "" {
		return "", fmt.Errorf("%w: empty", ErrTenant)
	}
	if len(s) > tenantBytesMax {
		return "", fmt.Errorf("%w: longer than %d characters", ErrTenant, tenantBytesMax)
	}
	if s == "." || s == ".." {
		return "", fmt.Errorf("%w: %q", ErrTenant, s)
	}
	for i := 0; i < len(s); i++ {
		if !tenantByte(s[i]) {
			return "", fmt.Errorf("%w: %q contains unsupported character %q", ErrTenant, s, s[i])
		}
	}
	return TenantID(s), nil
}

func tenantByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '!', '-', '_', '.', '*', '\'', '(', ')':
		return true
	}
	return false
}
