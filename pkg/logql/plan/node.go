package plan

import (
	"slices"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Node is a plan or a part of one. The set of implementations is closed: Log, Range, Count, Absent, Aggregate, TopK, Sort,
// LabelReplace, Binary, Constant, Scalar.
type Node interface{ node() }

func (*Log) node()          {}
func (*Range) node()        {}
func (*Count) node()        {}
func (*Absent) node()       {}
func (*Aggregate) node()    {}
func (*TopK) node()         {}
func (*Sort) node()         {}
func (*LabelReplace) node() {}
func (*Binary) node()       {}
func (*Constant) node()     {}
func (*Scalar) node()       {}

// Scan is one read of the store.
type Scan struct {
	Matchers []*labels.Matcher
	Filters  []storage.LineFilter
	// MetadataEqual and Implied follow from what every entry must pass in Stages, too; see storage.SelectRequest.
	MetadataEqual []model.Pair
	Implied       []storage.ImpliedFilter
	Columns       storage.Columns
	// MetadataNames are the names that ColumnMetadata is read for; nil: all.
	MetadataNames []string
}

// Log yields lines.
type Log struct {
	Scan        Scan
	Stages      *pipeline.Pipeline
	Syntax      []syntax.Stage // of Stages
	Limited     bool           // the store stops at the query's limit: nothing behind it drops entries
	SearchWords []string       // what positive line filters look for
}

// Range folds the entries of the window (T-Length-Offset, T-Offset] at each step T: it counts them or their bytes, or folds
// the values that unwrap, the last of its stages, took of them.
type Range struct {
	Op             syntax.RangeOp // without Values: count_over_time, rate, bytes_over_time or bytes_rate
	Values         bool
	Quantile       float64 // of quantile_over_time
	Length, Offset time.Duration
	Scans          []Scan // of disjoint sets of streams, together all
	Stages         *pipeline.Pipeline
	Syntax         []syntax.Stage // of Stages
	Unwrap         *syntax.Unwrap // behind those; nil: none
	Group          Group
	// KeepsErrors: what a parser could not read does not fail the query, for the query asks for such entries.
	KeepsErrors bool
}

// InOrder reports whether entries must be read in the order of time, and of arrival among those of one time. Then there is
// one scan.
func (n *Range) InOrder() bool {
	return n.Op == syntax.OpFirstOverTime || n.Op == syntax.OpLastOverTime || n.Op == syntax.OpRateCounter
}

// Count is a Range whose entries the store counts. The scans have no filters, and there are no stages.
type Count struct {
	Range *Range
	// LabelNames are the labels of streams that forming the group reads; nil: all.
	LabelNames []string
}

// Absent has one series, whose value is 1 at each step at which Input, one series at most, has no sample.
type Absent struct {
	Labels labels.Labels
	Input  Node
}

// Aggregate folds the series of each step.
type Aggregate struct {
	Op    syntax.VectorOp // sum, min, max, avg, count, stddev or stdvar
	Group Group
	Input Node
}

// TopK keeps of each group of each step the K largest samples, or the smallest, with the labels that they have.
type TopK struct {
	K        int
	Smallest bool
	Group    Group
	Input    Node
}

// Sort orders the series of an instant by their values.
type Sort struct {
	Descending bool
	Input      Node
}

// LabelReplace sets a label from another where the expression matches the whole value of that.
type LabelReplace struct {
	Dst, Replacement, Source string
	Regexp                   *regexp.Regexp // anchored
	Input                    Node
}

// Binary is an operator between two nodes. At most one side is a Scalar, and none of a set operator.
type Binary struct {
	Op       syntax.BinaryOp
	Bool     bool
	Matching *syntax.Matching // nil: all labels
	LHS, RHS Node
}

// Constant is one series without labels that has the same value at each step.
type Constant struct{ Value float64 }

// Scalar is a number.
type Scalar struct{ Value float64 }

// SortsByValue reports whether the order of a node's series at an instant is one that the query asked for. What works
// on each series by itself, or keeps those of its left side, keeps that order.
func SortsByValue(n Node) bool {
	switch n := n.(type) {
	case *Sort:
		return true
	case *LabelReplace:
		return SortsByValue(n.Input)
	case *Binary:
		switch m := n.Matching; {
		case m != nil && m.Card == syntax.OneToMany:
			return SortsByValue(n.RHS)
		default:
			_, scalar := n.LHS.(*Scalar)
			return SortsByValue(n.LHS) || scalar && SortsByValue(n.RHS)
		}
	}
	return false
}

// GroupMode says which labels a group's series keep.
type GroupMode uint8

// The ways to group.
const (
	GroupAll     GroupMode = iota // every label: one series per label set
	GroupBy                       // the Names alone
	GroupWithout                  // all but the Names
)

// Group says which entries or series are folded together: those whose labels, as Mode leaves them, are equal.
type Group struct {
	Mode  GroupMode
	Names []string // sorted, each once
}

// newGroup sorts the names.
func newGroup(mode GroupMode, names ...string) Group {
	return Group{Mode: mode, Names: slices.Compact(slices.Sorted(slices.Values(names)))}
}

// groupOf reads the grouping of a vector aggregation, where none means a single group.
func groupOf(g *syntax.Grouping) Group {
	switch {
	case g == nil:
		return Group{Mode: GroupBy}
	case g.Without:
		return newGroup(GroupWithout, g.Labels...)
	}
	return newGroup(GroupBy, g.Labels...)
}

// seriesGroup says which series a range aggregation has. The label that was unwrapped is none of theirs, or each value
// would be a series, unless "by" names it.
func seriesGroup(e *syntax.RangeAggregation) Group {
	switch {
	case e.Grouping != nil:
		return withoutUnwrapped(e, groupOf(e.Grouping))
	case e.Unwrap != nil:
		return newGroup(GroupWithout, e.Unwrap.Label)
	}
	return Group{Mode: GroupAll}
}

// withoutUnwrapped adds the label that was unwrapped to those that the group goes without.
func withoutUnwrapped(e *syntax.RangeAggregation, g Group) Group {
	if e.Unwrap == nil || g.Mode != GroupWithout {
		return g
	}
	return newGroup(GroupWithout, append(slices.Clone(g.Names), e.Unwrap.Label)...)
}

// of returns the group that has the same effect as grouping by inner first, and then by g.
func (g Group) of(inner Group) Group {
	among := func(names, list []string, want bool) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(list, name) != want })
	}
	switch {
	case inner.Mode == GroupAll:
		return g
	case g.Mode == GroupAll:
		return inner
	case inner.Mode == GroupBy:
		return newGroup(GroupBy, among(inner.Names, g.Names, g.Mode == GroupBy)...)
	case g.Mode == GroupBy:
		return newGroup(GroupBy, among(g.Names, inner.Names, false)...)
	}
	return newGroup(GroupWithout, append(slices.Clone(g.Names), inner.Names...)...)
}

// addNeeds notes what forming the group reads of an entry.
func (g Group) addNeeds(n *pipeline.Needs) {
	if g.Mode != GroupBy {
		n.AllNames = true
		return
	}
	for _, name := range g.Names {
		n.AddName(name)
	}
}
