// Package engine runs LogQL: text in, Result out, over any storage.Querier.
//
// Exec parses, plans, and drives operators that pull batches: op_*.go read the store, range_*.go and vector_*.go fold
// batches to samples. It decides nothing about transport: the Loki HTTP edge and the Grafana edge encode the same Result.
package engine

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Params is one query.
type Params struct {
	Tenant model.TenantID
	Query  string
	// Start and End bound a range query. Log queries read [Start, End). Metric queries evaluate at Start, Start+Step, …
	// not after End. An instant metric query evaluates at End and ignores Start; an instant log query reads (Start, End], or
	// the hour up to End when Start is not before it.
	Start, End model.Timestamp
	Step       time.Duration // of range metric queries; positive
	Instant    bool
	Limit      int           // entries of a log query; positive
	Direction  storage.Order // Forward or Backward; of log queries
	Explain    bool          // fill Result.Explain
}

// ResultType says which field of a Result is filled.
type ResultType uint8

// The kinds of answers, as Loki names them.
const (
	ResultStreams ResultType = iota
	ResultMatrix
	ResultVector
	ResultScalar
)

// String returns Loki's name of the type.
func (t ResultType) String() string {
	return [...]string{"streams", "matrix", "vector", "scalar"}[t]
}

// Result is an answer. It owns its memory.
type Result struct {
	Type     ResultType
	Entries  []Entry  // ResultStreams: in the query's direction, at most Limit
	Series   []Series // ResultMatrix: sorted by labels; ResultVector: one sample each
	Scalar   Sample   // ResultScalar
	Stats    Stats
	Explain  *Explain // nil unless it was asked for
	Warnings []string
	// SearchWords are the literals and regular expressions that a log query looked for, to highlight.
	SearchWords []string
}

// Entry is one line of a log query's answer.
type Entry struct {
	Timestamp model.Timestamp
	Line      string
	Labels    labels.Labels // the stream's labels
	Metadata  []model.Pair  // structured metadata, sorted by name; detected_level is among them when present
	Parsed    []model.Pair  // what the pipeline extracted, sorted by name
	Level     string        // detected_level, "" when absent
	// ID is stable: the hash of the stream's fingerprint, timestamp, line and metadata, and the ordinal among identical
	// entries, as 16 hexadecimal digits, underscore, decimal.
	ID string
}

// Series is one labelled sequence of samples in order of time.
type Series struct {
	Labels  labels.Labels
	Samples []Sample
}

// Sample is one value at one time.
type Sample struct {
	Timestamp model.Timestamp
	Value     float64
}

// Stats sizes the work of one query.
type Stats struct {
	Exec            time.Duration
	Bytes, Lines    uint64 // read and tested
	LinesMatched    uint64 // passed all filters
	Chunks          uint64
	ChunksSkipped   uint64
	EntriesReturned uint64

	// These are as in storage.ScanStats, of all scans.
	Skipped                        storage.SkippedChunks
	Counted                        storage.CountedChunks
	Pages, BytesRead, BytesDecoded uint64
}

// Executor runs queries. Errors wrap *syntax.ParseError, storage.ErrInvalid, storage.ErrLimit, context errors, or are internal.
type Executor interface {
	Exec(ctx context.Context, p Params) (*Result, error)
}
