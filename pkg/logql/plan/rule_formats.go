package plan

import (
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// withoutUnreadLines leaves out the stages that write lines which nobody reads, for aggregations that do not count bytes:
// Explore counts what a query of lines finds, its line_format included. As in Loki such a format cannot fail the query.
// But when a stage behind it asks for errors, a format stays, for it may make one.
func withoutUnreadLines(stages []syntax.Stage) []syntax.Stage {
	var kept []syntax.Stage
	wanted := false
	for _, s := range slices.Backward(stages) {
		switch s.(type) {
		case *syntax.LineFormat, *syntax.Decolorize:
			if !wanted {
				continue
			}
		}
		wanted = wanted || readsLine(s) || readsErrors(s)
		kept = append(kept, s)
	}
	slices.Reverse(kept)
	return kept
}

func readsLine(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.LabelFilterStage, *syntax.Drop, *syntax.Keep, *syntax.Distinct:
		return false
	case *syntax.LabelFormat:
		return slices.ContainsFunc(s.Formats, func(f syntax.LabelFormatting) bool { return strings.Contains(f.Template, "__line__") })
	}
	return true
}

// readsErrors reports whether the stage asks for the error of an entry. Dropping errors is no such thing: without the format
// there is none.
func readsErrors(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.LabelFilterStage:
		return comparesErrors(s.Filter)
	case *syntax.LabelFormat:
		return slices.ContainsFunc(s.Formats, func(f syntax.LabelFormatting) bool { return strings.Contains(f.Template, "__error") })
	}
	return false
}

func comparesErrors(f syntax.LabelFilter) bool {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		return f.Matcher.Name == pipeline.ErrorLabel || f.Matcher.Name == pipeline.ErrorDetailsLabel
	case *syntax.AndFilter:
		return slices.ContainsFunc(f.Filters, comparesErrors)
	case *syntax.OrFilter:
		return slices.ContainsFunc(f.Filters, comparesErrors)
	}
	return false
}
