package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Text prints a plan as a tree, a node a line, what it works on indented below it. The same plan is always the same text:
//
//	Aggregate max by (app)
//	  Range count_over_time [1m] by all labels
//	    Scan {app="api"} time, line, level, metadata
//	      line |= "timeout"
//	      line |= "503" or "\\u00", unless status is a label or metadata
//	    | json
//	    | status="503"
//
// Filters of a scan stand in the order in which they run.
func Text(n Node) string {
	var p planPrinter
	p.node(n, 0)
	return p.String()
}

// ScanText is the line of Text for one scan.
func ScanText(s Scan) string {
	columns := "time"
	for _, c := range []struct {
		column storage.Columns
		name   string
	}{
		{storage.ColumnLine, "line"}, {storage.ColumnLineBytes, "bytes"}, {storage.ColumnLevel, "level"}, {storage.ColumnMetadata, "metadata"},
	} {
		if s.Columns&c.column == 0 {
			continue
		}
		columns += ", " + c.name
		if c.column == storage.ColumnMetadata && s.MetadataNames != nil {
			columns += "(" + strings.Join(s.MetadataNames, ", ") + ")"
		}
	}
	return "Scan " + (&syntax.LogExpr{Matchers: s.Matchers}).String() + " " + columns
}

type planPrinter struct{ strings.Builder }

func (p *planPrinter) line(depth int, format string, args ...any) {
	p.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(p, format+"\n", args...)
}

func (p *planPrinter) node(n Node, depth int) {
	switch n := n.(type) {
	case *Log:
		limit := "limited behind its stages"
		if n.Limited {
			limit = "limited in the store"
		}
		p.line(depth, "Log %s", limit)
		p.scan(n.Scan, depth+1)
		p.stages(n.Syntax, n.Stages, depth+1)
	case *Range:
		p.line(depth, "Range %s", rangeText(n))
		for _, s := range n.Scans {
			p.scan(s, depth+1)
		}
		p.stages(n.Syntax, n.Stages, depth+1)
		p.unwrap(n.Unwrap, depth+1)
	case *Count:
		p.line(depth, "Count %s", rangeText(n.Range))
		for _, s := range n.Range.Scans {
			p.scan(s, depth+1)
		}
	case *Binary:
		p.line(depth, "Binary %s%s", n.Op, matchingText(n))
		p.node(n.LHS, depth+1)
		p.node(n.RHS, depth+1)
	case *Constant:
		p.line(depth, "Constant %s", number(n.Value))
	case *Scalar:
		p.line(depth, "Scalar %s", number(n.Value))
	default:
		text, input := overOne(n)
		p.line(depth, "%s", text)
		if input != nil {
			p.node(input, depth+1)
		}
	}
}

// overOne returns the line of a node that works on the series of one other, and that one.
func overOne(n Node) (text string, input Node) {
	switch n := n.(type) {
	case *Absent:
		return "Absent " + n.Labels.String(), n.Input
	case *Aggregate:
		return fmt.Sprintf("Aggregate %s %s", n.Op, groupText(n.Group)), n.Input
	case *TopK:
		name := map[bool]string{false: "TopK", true: "BottomK"}[n.Smallest]
		return fmt.Sprintf("%s %d %s", name, n.K, groupText(n.Group)), n.Input
	case *Sort:
		return "Sort " + map[bool]string{false: "ascending", true: "descending"}[n.Descending], n.Input
	case *LabelReplace:
		return fmt.Sprintf("LabelReplace %s=%q from %s=~%q", n.Dst, n.Replacement, n.Source, n.Regexp), n.Input
	}
	return fmt.Sprintf("%T", n), nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func rangeText(n *Range) string {
	text := n.Op.String()
	if n.Op == syntax.OpQuantileOverTime {
		text += " " + number(n.Quantile)
	}
	text += " [" + durationText(n.Length) + "]"
	if n.Offset != 0 {
		text += " offset " + durationText(n.Offset)
	}
	return text + " " + groupText(n.Group)
}

func durationText(d time.Duration) string {
	if d < 0 {
		return "-" + durationText(-d)
	}
	if d%time.Millisecond != 0 {
		return d.String()
	}
	return model.Duration(d).String()
}

func groupText(g Group) string {
	switch g.Mode {
	case GroupBy:
		return "by (" + strings.Join(g.Names, ", ") + ")"
	case GroupWithout:
		return "without (" + strings.Join(g.Names, ", ") + ")"
	}
	return "by all labels"
}

func matchingText(n *Binary) string {
	text := ""
	if n.Bool {
		text += " bool"
	}
	if m := n.Matching; m != nil {
		mode := "ignoring"
		if m.On {
			mode = "on"
		}
		text += " " + mode + " (" + strings.Join(m.Labels, ", ") + ")"
		switch m.Card {
		case syntax.ManyToOne:
			text += " group_left (" + strings.Join(m.Include, ", ") + ")"
		case syntax.OneToMany:
			text += " group_right (" + strings.Join(m.Include, ", ") + ")"
		}
	}
	return text
}

func (p *planPrinter) scan(s Scan, depth int) {
	p.line(depth, "%s", ScanText(s))
	for _, i := range filterOrder(s.Filters) {
		p.line(depth+1, "line %s", filterText(s.Filters[i]))
	}
	for _, m := range s.MetadataEqual {
		p.line(depth+1, "entry %s=%q in metadata, unless %[1]s is a label", m.Name, m.Value)
	}
	for _, f := range s.Implied {
		p.line(depth+1, "line %s, unless %s is a label or metadata", filterText(f.Line), f.Name)
	}
}

// filterOrder returns in which order a store runs filters, if it leaves that to package match.
func filterOrder(filters []storage.LineFilter) []int {
	list := make([]match.Filter, len(filters))
	order := make([]int, len(filters))
	for i, f := range filters {
		list[i] = match.Filter{Regexp: f.Kind == storage.FilterRegexp, Negate: f.Negate, Any: f.Any}
		order[i] = i
	}
	m, err := match.Compile(list...)
	if err != nil {
		return order // the store will refuse them
	}
	return m.Order()
}

func filterText(f storage.LineFilter) string {
	op := map[storage.FilterKind]syntax.LineFilterOp{storage.FilterLiteral: syntax.LineContains, storage.FilterRegexp: syntax.LineMatches}[f.Kind]
	if f.Negate {
		op = map[storage.FilterKind]syntax.LineFilterOp{storage.FilterLiteral: syntax.LineNotContains, storage.FilterRegexp: syntax.LineNotMatches}[f.Kind]
	}
	printed := &syntax.LineFilter{Op: op}
	for _, text := range f.Any {
		printed.Any = append(printed.Any, syntax.LineAlternative{Text: text})
	}
	return printed.String()
}

// stages prints what runs over each entry; behind parsers it says which labels they need make.
func (p *planPrinter) stages(stages []syntax.Stage, compiled *pipeline.Pipeline, depth int) {
	for _, s := range stages {
		switch s.(type) {
		case *syntax.JSON, *syntax.Logfmt, *syntax.Regexp, *syntax.Pattern, *syntax.Unpack:
			p.line(depth, "%s  # %s", s, readText(compiled))
		default:
			p.line(depth, "%s", s)
		}
	}
}

func readText(compiled *pipeline.Pipeline) string {
	names, all := compiled.LabelsRead()
	switch {
	case all:
		return "all labels are read"
	case len(names) == 0:
		return "no label is read"
	}
	return "read: " + strings.Join(names, ", ")
}

func (p *planPrinter) unwrap(u *syntax.Unwrap, depth int) {
	if u == nil {
		return
	}
	label := u.Label
	if u.Conversion != syntax.ConvertNone {
		label = u.Conversion.String() + "(" + label + ")"
	}
	p.line(depth, "| unwrap %s", label)
	for _, f := range u.Filters {
		p.line(depth, "%s", &syntax.LabelFilterStage{Filter: f})
	}
}
