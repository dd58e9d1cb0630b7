package plan

import (
	"maps"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// splitNamesMax bounds the reads that one scan is split into; each resolves the matchers anew.
const splitNamesMax = 4

// splitScan adds the columns that needs asks for, the fewest that will do.
//
// A name in a grouping or a label filter may be a label of the stream or structured metadata, and which it is the query
// does not say. Metadata is the widest column there is, so it is not read on suspicion: the scan is split by streams. One
// part reads, without metadata, the streams that have all the names as labels; one more for each name reads, with the
// metadata of these names, the streams that lack it. Which streams these are is a question to the index.
func splitScan(scan Scan, needs pipeline.Needs, stages []syntax.Stage) []Scan {
	if needs.Line {
		scan.Columns |= storage.ColumnLine
	}
	if needs.AllNames {
		scan.Columns |= storage.ColumnMetadata | storage.ColumnLevel
		return []Scan{scan}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(needs.Names)) {
		if pipeline.NeedsLevel(name) {
			scan.Columns |= storage.ColumnLevel
		} else {
			names = append(names, name)
		}
	}
	all := slices.Clone(names)
	names = slices.DeleteFunc(names, func(name string) bool { return isStreamLabel(scan.Matchers, name) })
	withMetadata := scan
	withMetadata.Columns |= storage.ColumnMetadata
	withMetadata.MetadataNames = pipeline.MetadataNames(names)
	if len(names) > splitNamesMax {
		return []Scan{withMetadata}
	}
	var scans []Scan
	present := slices.Clone(scan.Matchers)
	for _, name := range names {
		lacking := withMetadata
		lacking.Matchers = append(slices.Clone(present), labels.MustNewMatcher(labels.MatchEqual, name, ""))
		scans = append(scans, lacking)
		present = append(present, labels.MustNewMatcher(labels.MatchNotEqual, name, ""))
	}
	scan.Matchers = append(present, filterMatchers(stages, all)...)
	scan.MetadataEqual = slices.DeleteFunc(slices.Clone(scan.MetadataEqual), func(p model.Pair) bool { return isStreamLabel(scan.Matchers, p.Name) })
	return append(scans, scan)
}

// oneScan is splitScan where what is read must be in one order.
func oneScan(scan Scan, needs pipeline.Needs) Scan {
	if needs.Line {
		scan.Columns |= storage.ColumnLine
	}
	if needs.AllNames {
		scan.Columns |= storage.ColumnMetadata | storage.ColumnLevel
		return scan
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(needs.Names)) {
		switch {
		case pipeline.NeedsLevel(name):
			scan.Columns |= storage.ColumnLevel
		case !isStreamLabel(scan.Matchers, name):
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		scan.Columns |= storage.ColumnMetadata
		scan.MetadataNames = pipeline.MetadataNames(names)
	}
	return scan
}

// isStreamLabel reports whether the matchers already demand that streams have the label.
func isStreamLabel(ms []*labels.Matcher, name string) bool {
	return slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return m.Name == name && !m.Matches("") })
}

// filterMatchers returns the string comparisons with these names that every entry must pass before anything makes or
// changes labels. Of streams that have the names as labels they select some, so that the others are not read at all.
func filterMatchers(stages []syntax.Stage, names []string) []*labels.Matcher {
	var ms []*labels.Matcher
	for _, s := range stages {
		if _, ok := s.(*syntax.LineFilter); ok {
			continue
		}
		f, ok := s.(*syntax.LabelFilterStage)
		if !ok {
			break
		}
		filters := []syntax.LabelFilter{f.Filter}
		if and, ok := f.Filter.(*syntax.AndFilter); ok {
			filters = and.Filters
		}
		for _, f := range filters {
			if m, ok := f.(*syntax.MatcherFilter); ok && slices.Contains(names, m.Matcher.Name) {
				ms = append(ms, m.Matcher)
			}
		}
	}
	return ms
}
