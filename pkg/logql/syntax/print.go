package syntax

import (
	"math"
	"strconv"
	"strings"
	"time"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// The printer writes what Parse reads back as the same tree. Every String below appends to one builder, so that printing
// is linear in the size of the tree.

func (e *LogExpr) String() string           { return printed(e) }
func (e *RangeAggregation) String() string  { return printed(e) }
func (e *VectorAggregation) String() string { return printed(e) }
func (e *Binary) String() string            { return printed(e) }
func (e *Literal) String() string           { return printed(e) }
func (e *Vector) String() string            { return printed(e) }
func (e *LabelReplace) String() string      { return printed(e) }

func printed(e Expr) string {
	var pr printer
	pr.expr(e)
	return pr.String()
}

type printer struct{ strings.Builder }

// write appends the pieces.
func (pr *printer) write(pieces ...string) {
	for _, s := range pieces {
		pr.WriteString(s)
	}
}

func (pr *printer) expr(e Expr) {
	switch e := e.(type) {
	case *LogExpr:
		pr.selector(e.Matchers)
		pr.stages(e.Stages)
	case *RangeAggregation:
		pr.rangeAggregation(e)
	case *VectorAggregation:
		pr.write(e.Op.String())
		pr.grouping(e.Grouping)
		pr.write("(")
		if e.Op.TakesK() {
			pr.write(strconv.Itoa(e.K), ", ")
		}
		pr.expr(e.Expr)
		pr.write(")")
	case *Binary:
		pr.write("(")
		pr.expr(e.LHS)
		pr.write(" ", e.Op.String(), " ")
		pr.modifiers(e)
		pr.expr(e.RHS)
		pr.write(")")
	case *Literal:
		pr.write(formatNumber(e.Value))
	case *Vector:
		pr.write("vector(", formatNumber(e.Value), ")")
	case *LabelReplace:
		pr.write("label_replace(")
		pr.expr(e.Expr)
		for _, s := range []string{e.Dst, e.Replacement, e.Source, e.Regexp} {
			pr.write(", ", strconv.Quote(s))
		}
		pr.write(")")
	}
}

func (pr *printer) selector(ms []*labels.Matcher) {
	pr.write("{")
	for i, m := range ms {
		if i > 0 {
			pr.write(", ")
		}
		pr.matcher(m)
	}
	pr.write("}")
}

func (pr *printer) matcher(m *labels.Matcher) {
	pr.write(m.Name, m.Type.String(), strconv.Quote(m.Value))
}

func (pr *printer) rangeAggregation(e *RangeAggregation) {
	pr.write(e.Op.String(), "(")
	if e.Op == OpQuantileOverTime {
		pr.write(formatNumber(e.Param), ", ")
	}
	pr.selector(e.Log.Matchers)
	pr.stages(e.Log.Stages)
	if u := e.Unwrap; u != nil {
		pr.write(" | unwrap ")
		if u.Conversion == ConvertNone {
			pr.write(u.Label)
		} else {
			pr.write(u.Conversion.String(), "(", u.Label, ")")
		}
		for _, f := range u.Filters {
			pr.write(" | ")
			pr.outerFilter(f)
		}
	}
	pr.write(" [", formatDuration(e.Range), "]")
	if e.Offset != 0 {
		pr.write(" offset ", formatDuration(e.Offset))
	}
	pr.write(")")
	pr.grouping(e.Grouping)
}

func (pr *printer) grouping(g *Grouping) {
	if g == nil {
		return
	}
	word := " by ("
	if g.Without {
		word = " without ("
	}
	pr.write(word, strings.Join(g.Labels, ", "), ")")
}

func (pr *printer) modifiers(b *Binary) {
	if b.Bool {
		pr.write("bool ")
	}
	m := b.Matching
	if m == nil {
		return
	}
	word := "ignoring ("
	if m.On {
		word = "on ("
	}
	pr.write(word, strings.Join(m.Labels, ", "), ") ")
	switch m.Card {
	case ManyToOne:
		pr.write("group_left (", strings.Join(m.Include, ", "), ") ")
	case OneToMany:
		pr.write("group_right (", strings.Join(m.Include, ", "), ") ")
	}
}

func (pr *printer) stages(stages []Stage) {
	for _, s := range stages {
		pr.write(" ", s.String())
	}
}

// formatNumber writes a finite number. Parse yields no others: what does not fit a float64 is refused.
func formatNumber(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// formatDuration writes a duration in Prometheus' units when it has whole milliseconds, else as Go does. Both read back.
func formatDuration(d time.Duration) string {
	if d%time.Millisecond != 0 || d == math.MinInt64 {
		return d.String()
	}
	if d < 0 {
		return "-" + prommodel.Duration(-d).String()
	}
	return prommodel.Duration(d).String()
}

// formatBytes writes a size in the largest unit that divides it.
func formatBytes(b uint64) string {
	units := []struct {
		name string
		size uint64
	}{
		{"PiB", 1 << 50}, {"PB", 1e15}, {"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20},
		{"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3},
	}
	for _, u := range units {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatUint(b/u.size, 10) + u.name
		}
	}
	return strconv.FormatUint(b, 10) + "B"
}
