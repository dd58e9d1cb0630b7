package plan

import (
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// pushLineFilters splits a pipeline into the line filters that the store applies and the stages that remain. A filter may
// move in front of anything that only drops entries; it may not move in front of a stage that changes the line.
func pushLineFilters(stages []syntax.Stage) (pushed []storage.LineFilter, rest []syntax.Stage) {
	lineChanged := false
	for _, s := range stages {
		switch s := s.(type) {
		case *syntax.LineFilter:
			if f, ok := storeFilter(s); ok && !lineChanged {
				if !isTrivial(f) {
					pushed = append(pushed, f)
				}
				continue
			}
		case *syntax.LineFormat, *syntax.Unpack, *syntax.Decolorize:
			lineChanged = true
		}
		rest = append(rest, s)
	}
	return pushed, rest
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
