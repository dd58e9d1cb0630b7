// Package storage is the contract between the query engine, the HTTP and Grafana edges, and whatever holds the logs. It has
// interfaces, requests, answers and errors, and no behaviour: logql and logdb both know only this package, never each
// other, so the engine runs unchanged over one node, a cluster, or the slow obvious store that the tests compare with.
package storage

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Appender makes entries durable.
type Appender interface {
	// Append returns nil only when every entry of the push is fsynced and visible to queries. It may be called
	// concurrently. It does not keep p or anything it points to after it returns.
	Append(ctx context.Context, p Push) error
}

// Push is one accepted request: what is stored, and how to derive it again.
type Push struct {
	Tenant  model.TenantID
	Arrival model.Timestamp
	// Streams holds what is to be stored: derived, validated, limits applied.
	Streams []model.Stream
	// Raw is the client's snappy-compressed protobuf body, given only when Streams is all of it: deriving Raw again with
	// Derivation yields Streams. Otherwise nil, and the store encodes Streams itself.
	Raw []byte
	// Derivation is the binary form of derive.Options in force (derive.Options.AppendBinary). Opaque here.
	Derivation []byte
}

// Querier answers reads of one store. All methods may be called concurrently; each sees one consistent state.
type Querier interface {
	// Select returns the entries that match, in the order asked for. The caller closes the iterator.
	Select(ctx context.Context, tenant model.TenantID, r SelectRequest) (Iterator, error)
	// Count counts the entries that match, without handing them out. It calls add with parts of the answer, one call at a
	// time; a part and everything it points to is valid until add returns. An error of add ends it and is returned as it is.
	Count(ctx context.Context, tenant model.TenantID, r CountRequest, add func(*Counts) error) (ScanStats, error)
	// LabelNames returns the sorted names of stream labels in the scope.
	LabelNames(ctx context.Context, tenant model.TenantID, s Scope) ([]string, error)
	// LabelValues returns the sorted values of one stream label in the scope.
	LabelValues(ctx context.Context, tenant model.TenantID, name string, s Scope) ([]string, error)
	// Series returns the label sets in the scope, sorted.
	Series(ctx context.Context, tenant model.TenantID, s Scope) ([]labels.Labels, error)
	// Stats sizes what a query over the scope would read.
	Stats(ctx context.Context, tenant model.TenantID, s Scope) (Stats, error)
}

// Deleter hides entries for good.
type Deleter interface {
	// Delete hides what the request selects of everything that was acknowledged before the call. When it returns nil that
	// is durable, and no answer has those entries any more; their bytes go later. It returns an ID for Deletes.
	Delete(ctx context.Context, tenant model.TenantID, r DeleteRequest) (id string, err error)
	// Deletes lists the tenant's deletes that still wait for their bytes to go, oldest first.
	Deletes(ctx context.Context, tenant model.TenantID) ([]DeleteStatus, error)
}

// DeleteRequest selects entries: of the streams that all Matchers match, inside the interval, for which all Filters hold
// and which have all pairs of Metadata.
type DeleteRequest struct {
	Matchers []*labels.Matcher // at least one must not match the empty value
	Interval model.Interval
	Filters  []LineFilter
	Metadata []model.Pair // no name twice, no empty value
}

// DeleteStatus is a delete that is in force.
type DeleteStatus struct {
	ID      string
	Request DeleteRequest
	Made    time.Time
	Blocks  int // that may still hold bytes of its entries
}

// Scope narrows label and statistics requests. No matchers mean every stream.
type Scope struct {
	Matchers []*labels.Matcher
	Interval model.Interval
}

// Order is the order of a Select's answer.
type Order uint8

// Forward and Backward order by (timestamp, label set, arrival); Backward is exactly the reverse of Forward. Unordered
// leaves the order to the store and is the cheapest.
const (
	Unordered Order = iota
	Forward
	Backward
)

// Columns says which columns of a Batch must be filled. Timestamps and streams always are.
type Columns uint8

// The optional columns.
const (
	ColumnLine Columns = 1 << iota
	ColumnLineBytes
	ColumnLevel
	ColumnMetadata
)

// SelectRequest asks for entries.
type SelectRequest struct {
	Matchers []*labels.Matcher // all must hold; at least one must not match the empty value
	Interval model.Interval
	Order    Order
	Limit    int // the first so many entries in Order that pass Filters; 0 = all. Needs an Order.
	// Filters must all hold on the unmodified line. The store applies them exactly, whether or not it can use them to
	// skip data.
	Filters []LineFilter
	// MetadataEqual says what the caller has no use for, so that the store can skip it: only those entries matter for which
	// for each pair the stream has a label of that name, whatever its value (the caller decides those itself), or the
	// metadata has the pair; detected_level means the level. The store keeps all of these and may leave out any others. A
	// Limit counts the entries that are left. Values are not empty.
	MetadataEqual []model.Pair
	// Implied says more of what the caller has no use for. The store may leave out entries for which one of these does not
	// hold, or keep them. A Limit counts the entries that are left.
	Implied []ImpliedFilter
	Columns Columns
	// MetadataNames narrows ColumnMetadata to pairs of these names, for stores that keep a column per name; nil: all. The
	// store may fill others too.
	MetadataNames []string
	// Prepare, unless it is nil, is called with each batch before Next returns it, for work that need not be done in the order
	// of batches: of an Unordered answer several goroutines may call it at once. Two batches of the same Lane are never out at
	// the same time: the one is prepared after Next was called again for the other. Batches of an ordered answer share one
	// Lane. An error of Prepare becomes that of Next.
	Prepare func(b *Batch) error
}

// FilterKind says how a LineFilter tests.
type FilterKind uint8

// A literal is contained byte for byte; a regexp (RE2 syntax, unanchored) matches somewhere in the line.
const (
	FilterLiteral FilterKind = iota
	FilterRegexp
)

// LineFilter holds when any of Any is found in the line; with Negate when none is.
type LineFilter struct {
	Kind   FilterKind
	Negate bool
	Any    []string // at least one; an empty string is found in every line
}

// ImpliedFilter is what a label filter on something that is parsed out of the line says of the line itself. It holds for an
// entry whose stream has a label Name, or whose metadata has a pair Name, whatever the value (the caller decides those
// himself); and for one whose line Line holds for, which is not negated.
type ImpliedFilter struct {
	Name string
	Line LineFilter
}

// EscapedASCII is the alternative, in the Line of an ImpliedFilter, of which a store may know for many lines at once that none
// has it: how JSON spells a character of ASCII by its number.
const EscapedASCII = `\u00`

// Iterator yields batches. It is used by one goroutine at a time.
type Iterator interface {
	// Next returns the next batch, never empty, or nil at the end. The batch and everything it points to is valid until
	// the next call of Next or Close. Between batches the order of the request holds.
	Next(ctx context.Context) (*Batch, error)
	// Stats tells what was read so far. Valid after Close too.
	Stats() ScanStats
	// Close frees what the iterator holds. It may be called more than once.
	Close() error
}

// Batch holds decoded entries, one slice per column; the filled slices have equal length, and those of columns that were not
// asked for are nil.
type Batch struct {
	Lane        int             // small; tells apart batches that Prepare may see at the same time
	Streams     []labels.Labels // label sets that StreamIndex points into
	StreamIndex []uint32
	Timestamps  []model.Timestamp
	Lines       []string       // ColumnLine
	LineBytes   []uint32       // ColumnLineBytes: length of the line in bytes
	Levels      []string       // ColumnLevel: detected_level, "" when absent
	Metadata    [][]model.Pair // ColumnMetadata: sorted by name; without detected_level
}

// Len returns the number of entries.
func (b *Batch) Len() int { return len(b.Timestamps) }

// Stats sizes a scope. Entries and Bytes of chunks cut by the interval's ends count whole.
type Stats struct {
	Streams, Chunks, Entries, Bytes uint64 // Bytes: lines and metadata, uncompressed
}
