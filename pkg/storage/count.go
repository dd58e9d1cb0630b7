package storage

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// CountRequest asks how many entries match in each bucket of time. What a Select with the same matchers and columns would
// tell of an entry besides its time and its line tells it apart here too; entries that agree in all of that are counted
// together.
type CountRequest struct {
	Matchers []*labels.Matcher // all must hold; at least one must not match the empty value
	// Edges border the buckets: ascending, each once, at least two. Bucket i is the interval [Edges[i], Edges[i+1]).
	Edges []model.Timestamp
	// LabelNames narrows the label sets of the answer to these names, so that streams which agree in them are counted
	// together; nil: all labels; empty: none.
	LabelNames []string
	// Columns: ColumnLevel and ColumnMetadata tell entries apart, ColumnLineBytes sums the bytes of lines. There is no line.
	Columns Columns
	// MetadataNames narrows ColumnMetadata as it does in a SelectRequest.
	MetadataNames []string
}

// Interval is the span of all buckets.
func (r *CountRequest) Interval() model.Interval {
	return model.Interval{Start: r.Edges[0], End: r.Edges[len(r.Edges)-1]}
}

// Counts is a part of an answer, one slice per column; the filled slices have equal length. Any two rows, of one part or
// of several, may be of the same entries otherwise told apart and of the same bucket: they add up. No row counts nothing.
type Counts struct {
	Streams     []labels.Labels // label sets that StreamIndex points into
	StreamIndex []uint32
	Levels      []string       // ColumnLevel: detected_level, "" when absent
	Metadata    [][]model.Pair // ColumnMetadata: as in a Batch
	Buckets     []uint32
	Entries     []int64
	LineBytes   []int64 // ColumnLineBytes
}

// Len returns the number of rows.
func (c *Counts) Len() int { return len(c.Buckets) }
