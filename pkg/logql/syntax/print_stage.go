package syntax

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

func (s *LineFilter) String() string {
	var pr printer
	pr.write(s.Op.String(), " ")
	for i, a := range s.Any {
		if i > 0 {
			pr.write(" or ")
		}
		if a.IP {
			pr.write("ip(", strconv.Quote(a.Text), ")")
		} else {
			pr.write(strconv.Quote(a.Text))
		}
	}
	return pr.String()
}

func (s *LabelFilterStage) String() string {
	var pr printer
	pr.write("| ")
	pr.outerFilter(s.Filter)
	return pr.String()
}

func (s *JSON) String() string { return "| json" + extractions(s.Extractions) }

func (s *Logfmt) String() string {
	var pr printer
	pr.write("| logfmt")
	if s.Strict {
		pr.write(" ", flagStrict)
	}
	if s.KeepEmpty {
		pr.write(" ", flagKeepEmpty)
	}
	pr.write(extractions(s.Extractions))
	return pr.String()
}

// extractions always prints the path: a keyword begins the list only with its "=".
func extractions(list []Extraction) string {
	var pr printer
	for i, e := range list {
		if i > 0 {
			pr.write(",")
		}
		pr.write(" ", e.Label, "=", strconv.Quote(e.Path))
	}
	return pr.String()
}

func (s *Regexp) String() string { return "| regexp " + strconv.Quote(s.Text) }

func (s *Pattern) String() string { return "| pattern " + strconv.Quote(s.Text) }

func (*Unpack) String() string { return "| unpack" }

func (s *LineFormat) String() string { return "| line_format " + strconv.Quote(s.Template) }

func (s *LabelFormat) String() string {
	list := make([]string, len(s.Formats))
	for i, f := range s.Formats {
		list[i] = f.Label + "=" + f.Source
		if f.Source == "" {
			list[i] += strconv.Quote(f.Template)
		}
	}
	return "| label_format " + strings.Join(list, ", ")
}

func (*Decolorize) String() string { return "| decolorize" }

func (s *Drop) String() string { return "| drop " + labelPicks(s.Labels) }

func (s *Keep) String() string { return "| keep " + labelPicks(s.Labels) }

func (s *Distinct) String() string { return "| distinct " + strings.Join(s.Labels, ", ") }

func labelPicks(picks []LabelPick) string {
	var pr printer
	for i, pick := range picks {
		if i > 0 {
			pr.write(", ")
		}
		if pick.Matcher == nil {
			pr.write(pick.Name)
		} else {
			pr.matcher(pick.Matcher)
		}
	}
	return pr.String()
}

func (f *MatcherFilter) String() string  { return printedFilter(f) }
func (f *NumberFilter) String() string   { return printedFilter(f) }
func (f *DurationFilter) String() string { return printedFilter(f) }
func (f *BytesFilter) String() string    { return printedFilter(f) }
func (f *IPFilter) String() string       { return printedFilter(f) }
func (f *AndFilter) String() string      { return printedFilter(f) }
func (f *OrFilter) String() string       { return printedFilter(f) }

func printedFilter(f LabelFilter) string {
	var pr printer
	pr.filter(f)
	return pr.String()
}

// outerFilter prints a filter right behind its pipe, where some names would read as stages.
func (pr *printer) outerFilter(f LabelFilter) {
	if !readsAsStage(f) {
		pr.filter(f)
		return
	}
	pr.write("(")
	pr.filter(f)
	pr.write(")")
}

// readsAsStage reports whether the text of f begins with the name of a stage and != or !~, which reads as that stage and
// a line filter.
func readsAsStage(f LabelFilter) bool {
	name := ""
	switch f := f.(type) {
	case *MatcherFilter:
		if f.Matcher.Type == labels.MatchNotEqual || f.Matcher.Type == labels.MatchNotRegexp {
			name = f.Matcher.Name
		}
	case *NumberFilter:
		if f.Op == CompareNotEqual {
			name = f.Label
		}
	case *DurationFilter:
		if f.Op == CompareNotEqual {
			name = f.Label
		}
	case *BytesFilter:
		if f.Op == CompareNotEqual {
			name = f.Label
		}
	case *IPFilter:
		if f.Negate {
			name = f.Label
		}
	case *AndFilter:
		return readsAsStage(f.Filters[0])
	case *OrFilter:
		return readsAsStage(f.Filters[0])
	}
	k, ok := keywords[strings.ToLower(name)]
	return ok && slices.Contains(ambiguous, k)
}

func (pr *printer) filter(f LabelFilter) {
	switch f := f.(type) {
	case *MatcherFilter:
		pr.matcher(f.Matcher)
	case *NumberFilter:
		pr.write(f.Label, " ", f.Op.String(), " ", formatNumber(f.Value))
	case *DurationFilter:
		pr.write(f.Label, " ", f.Op.String(), " ", formatDuration(f.Value))
	case *BytesFilter:
		pr.write(f.Label, " ", f.Op.String(), " ", formatBytes(f.Value))
	case *IPFilter:
		op := " = "
		if f.Negate {
			op = " != "
		}
		pr.write(f.Label, op, "ip(", strconv.Quote(f.Range), ")")
	case *AndFilter:
		pr.filters(f.Filters, " and ")
	case *OrFilter:
		pr.filters(f.Filters, " or ")
	}
}

// filters prints a list. Lists in it are in parentheses, whatever their rank.
func (pr *printer) filters(list []LabelFilter, join string) {
	for i, f := range list {
		if i > 0 {
			pr.write(join)
		}
		switch f.(type) {
		case *AndFilter, *OrFilter:
			pr.write("(")
			pr.filter(f)
			pr.write(")")
		default:
			pr.filter(f)
		}
	}
}
