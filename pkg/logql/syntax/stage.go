package syntax

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Stage is one step of a pipeline. The set of implementations is closed: LineFilter, LabelFilterStage, JSON, Logfmt,
// Regexp, Pattern, Unpack, LineFormat, LabelFormat, Decolorize, Drop, Keep, Distinct.
type Stage interface {
	// String prints the stage with its leading pipe.
	String() string
	stage()
}

func (*LineFilter) stage()       {}
func (*LabelFilterStage) stage() {}
func (*JSON) stage()             {}
func (*Logfmt) stage()           {}
func (*Regexp) stage()           {}
func (*Pattern) stage()          {}
func (*Unpack) stage()           {}
func (*LineFormat) stage()       {}
func (*LabelFormat) stage()      {}
func (*Decolorize) stage()       {}
func (*Drop) stage()             {}
func (*Keep) stage()             {}
func (*Distinct) stage()         {}

// LineFilterOp says how a line filter tests.
type LineFilterOp uint8

// The operators of line filters.
const (
	LineContains LineFilterOp = iota + 1
	LineNotContains
	LineMatches
	LineNotMatches
	LinePattern
	LineNotPattern
)

var lineFilterOpNames = map[string]LineFilterOp{
	"|=": LineContains, "!=": LineNotContains, "|~": LineMatches, "!~": LineNotMatches, "|>": LinePattern, "!>": LineNotPattern,
}

// String returns the operator as written in LogQL.
func (op LineFilterOp) String() string { return nameOf(lineFilterOpNames, op) }

// Negated reports whether the filter keeps lines in which nothing is found.
func (op LineFilterOp) Negated() bool {
	return op == LineNotContains || op == LineNotMatches || op == LineNotPattern
}

// LineFilter keeps lines in which any alternative is found; when Op is negated, lines in which none is:
// |= "a" or "b" or ip("10.0.0.0/8").
type LineFilter struct {
	Op  LineFilterOp
	Any []LineAlternative // at least one
}

// LineAlternative is one operand of a line filter.
type LineAlternative struct {
	Text string // a literal, regular expression, pattern or address range, as Op and IP say
	IP   bool   // ip("…"), only with LineContains and LineNotContains
}

// Extraction names a label and where a parser finds its value. Without a path of its own, Path equals Label.
type Extraction struct{ Label, Path string }

// JSON is | json, optionally with paths.
type JSON struct{ Extractions []Extraction }

// Logfmt is | logfmt, optionally with keys.
type Logfmt struct {
	Strict, KeepEmpty bool
	Extractions       []Extraction
}

// Regexp is | regexp "(?P<name>…)".
type Regexp struct{ Text string }

// Pattern is | pattern "<ip> - <_>".
type Pattern struct{ Text string }

// Unpack is | unpack.
type Unpack struct{}

// LineFormat is | line_format "{{.x}}".
type LineFormat struct{ Template string }

// LabelFormat is | label_format a=b, c="{{.x}}".
type LabelFormat struct{ Formats []LabelFormatting }

// LabelFormatting sets one label: a rename of Source, or a template when Source is "".
type LabelFormatting struct{ Label, Source, Template string }

// Decolorize is | decolorize.
type Decolorize struct{}

// Drop is | drop a, b="x".
type Drop struct{ Labels []LabelPick }

// Keep is | keep a, b=~"x".
type Keep struct{ Labels []LabelPick }

// Distinct is | distinct a, b: of the entries that agree in these labels it keeps the first. It is not in Loki's language.
type Distinct struct{ Labels []string } // at least one, each once

// LabelPick names a label, by its name alone or only while Matcher holds.
type LabelPick struct {
	Name    string
	Matcher *labels.Matcher // nil: by name; else of the same Name
}

// LabelFilterStage is | followed by a label filter.
type LabelFilterStage struct{ Filter LabelFilter }

// LabelFilter tests labels, structured metadata and what parsers extracted. The set of implementations is closed:
// MatcherFilter, NumberFilter, DurationFilter, BytesFilter, IPFilter, AndFilter, OrFilter.
type LabelFilter interface {
	String() string
	labelFilter()
}

func (*MatcherFilter) labelFilter()  {}
func (*NumberFilter) labelFilter()   {}
func (*DurationFilter) labelFilter() {}
func (*BytesFilter) labelFilter()    {}
func (*IPFilter) labelFilter()       {}
func (*AndFilter) labelFilter()      {}
func (*OrFilter) labelFilter()       {}

// MatcherFilter compares a label as a string; an absent label is "".
type MatcherFilter struct{ Matcher *labels.Matcher }

// CompareOp is the operator of a typed label filter.
type CompareOp uint8

// The operators of typed label filters.
const (
	CompareEqual CompareOp = iota + 1
	CompareNotEqual
	CompareGreater
	CompareGreaterEqual
	CompareLess
	CompareLessEqual
)

var compareOpNames = map[string]CompareOp{
	"==": CompareEqual, "!=": CompareNotEqual, ">": CompareGreater, ">=": CompareGreaterEqual, "<": CompareLess,
	"<=": CompareLessEqual,
}

// String returns the operator as written in LogQL.
func (op CompareOp) String() string { return nameOf(compareOpNames, op) }

// NumberFilter compares a label as a number.
type NumberFilter struct {
	Label string
	Op    CompareOp
	Value float64
}

// DurationFilter compares a label as a duration.
type DurationFilter struct {
	Label string
	Op    CompareOp
	Value time.Duration
}

// BytesFilter compares a label as a size.
type BytesFilter struct {
	Label string
	Op    CompareOp
	Value uint64
}

// IPFilter tests whether a label holds an address of a range.
type IPFilter struct {
	Label  string
	Negate bool
	Range  string // ParseIPRange accepts it
}

// AndFilter holds when all do. Filters has at least two members, none of them an AndFilter.
type AndFilter struct{ Filters []LabelFilter }

// OrFilter holds when any does. Filters has at least two members, none of them an OrFilter.
type OrFilter struct{ Filters []LabelFilter }
