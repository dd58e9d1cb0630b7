package plan

import (
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// pushLines gives the store the line filters that it can apply. A filter may move in front of other filters and of
// stages that only change labels. One that every line passes goes.
//
// In which order the store applies them is the store's business, and so is what it makes of literals in regular expressions:
// package match runs filters cheapest first, each behind the literals that it requires.
func pushLines(r *read) {
	scan, stages := &r.scans[0], r.stages
	r.stages = nil
	stays := false
	for _, s := range stages {
		switch s := s.(type) {
		case *syntax.LineFilter:
			if f, ok := storeFilter(s); ok && !stays {
				if !isTrivial(f) {
					scan.Filters = append(scan.Filters, f)
				}
				continue
			}
		default:
			stays = stays || blocksLines(s)
		}
		r.stages = append(r.stages, s)
	}
}

// blocksLines reports whether a line filter has to stay behind the stage: it changes the line, or, as distinct, what the
// stage drops depends on which entries come to it.
func blocksLines(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.LineFilter, *syntax.LabelFilterStage, *syntax.JSON, *syntax.Logfmt, *syntax.Regexp, *syntax.Pattern,
		*syntax.LabelFormat, *syntax.Drop, *syntax.Keep:
		return false
	}
	return true
}

// storeFilter turns a line filter into one that stores know: literals or regular expressions, no patterns, no addresses.
func storeFilter(s *syntax.LineFilter) (storage.LineFilter, bool) {
	f := storage.LineFilter{Negate: s.Op.Negated()}
	switch s.Op {
	case syntax.LineContains, syntax.LineNotContains:
		f.Kind = storage.FilterLiteral
	case syntax.LineMatches, syntax.LineNotMatches:
		f.Kind = storage.FilterRegexp
	default:
		return f, false
	}
	for _, a := range s.Any {
		if a.IP {
			return f, false
		}
		f.Any = append(f.Any, a.Text)
	}
	return f, true
}

// isTrivial reports whether the filter keeps every line: Grafana's builder sends |= “ while nothing is typed.
func isTrivial(f storage.LineFilter) bool {
	if f.Negate {
		return false
	}
	for _, text := range f.Any {
		if text == "" {
			return true
		}
	}
	return false
}

// searchWords returns what positive line filters look for, in the order of the query.
func searchWords(stages []syntax.Stage) []string {
	var words []string
	for _, s := range stages {
		f, ok := s.(*syntax.LineFilter)
		if !ok || f.Op != syntax.LineContains && f.Op != syntax.LineMatches {
			continue
		}
		for _, a := range f.Any {
			if !a.IP && a.Text != "" {
				words = append(words, a.Text)
			}
		}
	}
	return words
}
