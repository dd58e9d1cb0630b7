package syntax

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Expr is a query or a part of one. The set of implementations is closed: LogExpr, RangeAggregation, VectorAggregation,
// Binary, Literal, Vector, LabelReplace. All but LogExpr are metric expressions. Trees from Parse are valid and are never
// changed afterwards; they may be shared between goroutines.
type Expr interface {
	// String prints the expression so that Parse reads the same tree back.
	String() string
	expr()
}

func (*LogExpr) expr()           {}
func (*RangeAggregation) expr()  {}
func (*VectorAggregation) expr() {}
func (*Binary) expr()            {}
func (*Literal) expr()           {}
func (*Vector) expr()            {}
func (*LabelReplace) expr()      {}

// IsLog reports whether the expression yields lines rather than samples.
func IsLog(e Expr) bool {
	_, ok := e.(*LogExpr)
	return ok
}

// LogExpr is a selector and its pipeline: {app="api"} |= "x" | json.
type LogExpr struct {
	Matchers []*labels.Matcher
	Stages   []Stage // in the order written
}

// RangeOp is an aggregation over the entries of one window.
type RangeOp uint8

// The range aggregations.
const (
	OpCountOverTime RangeOp = iota + 1
	OpRate
	OpRateCounter
	OpBytesOverTime
	OpBytesRate
	OpAvgOverTime
	OpSumOverTime
	OpMinOverTime
	OpMaxOverTime
	OpStdvarOverTime
	OpStddevOverTime
	OpQuantileOverTime
	OpFirstOverTime
	OpLastOverTime
	OpAbsentOverTime
)

var rangeOpNames = map[string]RangeOp{
	"count_over_time": OpCountOverTime, "rate": OpRate, "rate_counter": OpRateCounter, "bytes_over_time": OpBytesOverTime,
	"bytes_rate": OpBytesRate, "avg_over_time": OpAvgOverTime, "sum_over_time": OpSumOverTime, "min_over_time": OpMinOverTime,
	"max_over_time": OpMaxOverTime, "stdvar_over_time": OpStdvarOverTime, "stddev_over_time": OpStddevOverTime,
	"quantile_over_time": OpQuantileOverTime, "first_over_time": OpFirstOverTime, "last_over_time": OpLastOverTime,
	"absent_over_time": OpAbsentOverTime,
}

// String returns the operation's name in LogQL.
func (op RangeOp) String() string { return nameOf(rangeOpNames, op) }

// RangeAggregation folds the entries of a window (T-Range-Offset, T-Offset] to one sample per series:
// sum_over_time({app="api"} | json | unwrap size [5m] offset 1h) .
type RangeAggregation struct {
	Op       RangeOp
	Param    float64 // of quantile_over_time only
	Log      *LogExpr
	Range    time.Duration // not negative
	Offset   time.Duration // may be negative
	Unwrap   *Unwrap       // nil: entries are counted
	Grouping *Grouping     // nil: one series per label set
}

// Conversion says how unwrap reads the label's value.
type Conversion uint8

// The conversions of unwrap.
const (
	ConvertNone Conversion = iota
	ConvertBytes
	ConvertDuration
	ConvertDurationSeconds
)

var conversionNames = map[string]Conversion{
	"bytes": ConvertBytes, "duration": ConvertDuration, "duration_seconds": ConvertDurationSeconds,
}

// String returns the conversion's name in LogQL, "" for none.
func (c Conversion) String() string { return nameOf(conversionNames, c) }

// Unwrap takes the sample's value from a label: | unwrap bytes(size) | __error__="".
type Unwrap struct {
	Label      string
	Conversion Conversion
	Filters    []LabelFilter // applied after the conversion
}

// Grouping is by (a, b) or without (a, b).
type Grouping struct {
	Without bool
	Labels  []string // may be empty
}

// VectorOp is an aggregation over the series of one instant.
type VectorOp uint8

// The vector aggregations.
const (
	OpSum VectorOp = iota + 1
	OpAvg
	OpMax
	OpMin
	OpCount
	OpStddev
	OpStdvar
	OpTopK
	OpBottomK
	OpSort
	OpSortDesc
	OpApproxTopK
)

var vectorOpNames = map[string]VectorOp{
	"sum": OpSum, "avg": OpAvg, "max": OpMax, "min": OpMin, "count": OpCount, "stddev": OpStddev, "stdvar": OpStdvar,
	"topk": OpTopK, "bottomk": OpBottomK, "sort": OpSort, "sort_desc": OpSortDesc, "approx_topk": OpApproxTopK,
}

// String returns the operation's name in LogQL.
func (op VectorOp) String() string { return nameOf(vectorOpNames, op) }

// TakesK reports whether the operation needs a number of series to keep.
func (op VectorOp) TakesK() bool { return op == OpTopK || op == OpBottomK || op == OpApproxTopK }

// VectorAggregation folds series: sum by (app) (rate({job="x"}[1m])).
type VectorAggregation struct {
	Op       VectorOp
	K        int // of topk, bottomk and approx_topk; positive
	Expr     Expr
	Grouping *Grouping // nil: everything into one series
}

// BinaryOp is an operator between two metric expressions.
type BinaryOp uint8

// The binary operators.
const (
	OpOr BinaryOp = iota + 1
	OpAnd
	OpUnless
	OpEqual
	OpNotEqual
	OpGreater
	OpGreaterEqual
	OpLess
	OpLessEqual
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMod
	OpPow
)

var binaryOpNames = map[string]BinaryOp{
	"or": OpOr, "and": OpAnd, "unless": OpUnless, "==": OpEqual, "!=": OpNotEqual, ">": OpGreater, ">=": OpGreaterEqual,
	"<": OpLess, "<=": OpLessEqual, "+": OpAdd, "-": OpSub, "*": OpMul, "/": OpDiv, "%": OpMod, "^": OpPow,
}

// String returns the operator as written in LogQL.
func (op BinaryOp) String() string { return nameOf(binaryOpNames, op) }

// IsSet reports whether the operator works on label sets alone: and, or, unless.
func (op BinaryOp) IsSet() bool { return op == OpOr || op == OpAnd || op == OpUnless }

// IsComparison reports whether the operator compares values.
func (op BinaryOp) IsComparison() bool { return op >= OpEqual && op <= OpLessEqual }

// precedence is that of PromQL; higher binds tighter. All associate to the left but ^.
func (op BinaryOp) precedence() int {
	switch op {
	case OpOr:
		return 1
	case OpAnd, OpUnless:
		return 2
	case OpEqual, OpNotEqual, OpGreater, OpGreaterEqual, OpLess, OpLessEqual:
		return 3
	case OpAdd, OpSub:
		return 4
	case OpMul, OpDiv, OpMod:
		return 5
	default: // OpPow
		return 6
	}
}

// Cardinality says how many series of each side match one of the other.
type Cardinality uint8

// The cardinalities of a match.
const (
	OneToOne  Cardinality = iota
	ManyToOne             // group_left
	OneToMany             // group_right
)

// Matching says which series of the two sides of a Binary belong together.
type Matching struct {
	On      bool     // on (Labels), else ignoring (Labels)
	Labels  []string // may be empty
	Card    Cardinality
	Include []string // the labels of group_left or group_right
}

// Binary is LHS Op RHS.
type Binary struct {
	Op       BinaryOp
	Bool     bool      // the bool modifier
	Matching *Matching // nil: all labels, one to one
	LHS, RHS Expr
}

// Literal is a number.
type Literal struct{ Value float64 }

// Vector is vector(n): one series without labels that always has the value n.
type Vector struct{ Value float64 }

// LabelReplace is label_replace(expr, "dst", "replacement", "src", "regexp").
type LabelReplace struct {
	Expr                     Expr
	Dst, Replacement, Source string
	Regexp                   string
}

// nameOf inverts one of the small tables above. The zero value has the name "".
func nameOf[T comparable](names map[string]T, v T) string {
	for name, w := range names {
		if w == v {
			return name
		}
	}
	return ""
}
