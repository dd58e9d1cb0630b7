package plan

import (
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// pushPatterns tells the store of literals that a line must contain to pass a pattern filter: each literal of a pattern has
// its place in the line. The filter itself, which stores do not know, stays behind. Of several patterns one must hold, so the
// longest literals of all of them are the alternatives.
func pushPatterns(r *read) {
	scan := &r.scans[0]
	for _, s := range r.stages {
		if blocksLines(s) {
			return
		}
		if f, ok := s.(*syntax.LineFilter); ok && f.Op == syntax.LinePattern {
			scan.Filters = append(scan.Filters, patternFilters(f.Any)...)
		}
	}
}

func patternFilters(any []syntax.LineAlternative) []storage.LineFilter {
	var all []string // of the one pattern
	longest := storage.LineFilter{Kind: storage.FilterLiteral}
	for _, a := range any {
		parts, err := syntax.ParseLinePattern(a.Text)
		if err != nil {
			return nil // compiling the stage will say so
		}
		best := ""
		for _, part := range parts {
			if part.Literal != "" {
				all = append(all, part.Literal)
			}
			if len(part.Literal) > len(best) {
				best = part.Literal
			}
		}
		if best == "" {
			return nil // lines of any kind pass, or the empty one alone
		}
		longest.Any = append(longest.Any, best)
	}
	if len(any) > 1 {
		return []storage.LineFilter{longest}
	}
	var filters []storage.LineFilter
	for _, literal := range all {
		filters = append(filters, storage.LineFilter{Kind: storage.FilterLiteral, Any: []string{literal}})
	}
	return filters
}
