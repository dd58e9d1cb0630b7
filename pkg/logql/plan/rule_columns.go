package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// splitNamesMax bounds the reads that one scan is split into; each resolves the matchers anew.
const splitNamesMax = 4

// narrowColumns reads the fewest columns that will do. An answer of lines shows every label there is; a metric has what its
// stages and its groups ask for.
//
// A name in a grouping or a label filter may be a label of the stream or structured metadata, and which it is the query
// does not say. Metadata is the widest column there is, so it is not read on suspicion: the scan is split by streams. One
// part reads, without metadata, the streams that have all the names as labels; one more for each name reads, with the
// metadata of these names, the streams that lack it. Which streams these are is a question to the index.
func narrowColumns(r *read) {
	if r.metric == nil {
		return
	}
	needs := r.needs()
	scan := r.scans[0]
	scan.Columns = 0
	if needs.Line {
		scan.Columns |= storage.ColumnLine
	}
	if r.measuresLines() {
		scan.Columns |= storage.ColumnLineBytes
	}
	if needs.AllNames {
		scan.Columns |= storage.ColumnMetadata | storage.ColumnLevel
		r.scans = []Scan{scan}
		return
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(needs.Names)) {
		if pipeline.NeedsLevel(name) {
			scan.Columns |= storage.ColumnLevel
		} else if strings.HasSuffix(name, pipeline.ExtractedSuffix) || !isStreamLabel(r.selector, name) {
			names = append(names, name)
		}
	}
	r.scans = r.splitByStreams(scan, names)
}

// needs is what the stages and the group read of an entry.
func (r *read) needs() pipeline.Needs {
	needs := r.wanted()
	needs.Add(r.compiled.Needs)
	return needs
}

// splitByStreams splits a scan by which of the names are labels of streams.
func (r *read) splitByStreams(scan Scan, names []string) []Scan {
	withMetadata := scan
	if len(names) > 0 {
		withMetadata.Columns |= storage.ColumnMetadata
		withMetadata.MetadataNames = pipeline.MetadataNames(names)
	}
	inOrder := (&Range{Op: r.metric.Op}).InOrder()
	// Metadata may be called so even in a stream that has the label.
	suffixed := slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, pipeline.ExtractedSuffix) })
	if inOrder || suffixed || len(names) > splitNamesMax {
		return []Scan{withMetadata}
	}
	var scans []Scan
	present := append(slices.Clone(r.selector), r.orAbsent(func(name string) bool { return !slices.Contains(names, name) })...)
	for i, name := range names {
		lacking := withMetadata
		lacking.Matchers = append(slices.Clone(present), labels.MustNewMatcher(labels.MatchEqual, name, ""))
		lacking.Matchers = append(lacking.Matchers, r.orAbsent(func(n string) bool { return slices.Contains(names[i+1:], n) })...)
		scans = append(scans, lacking)
		present = append(present, labels.MustNewMatcher(labels.MatchNotEqual, name, ""))
		present = append(present, r.narrowed.of(name)...)
	}
	scan.Matchers = present
	scan.MetadataEqual = slices.DeleteFunc(slices.Clone(scan.MetadataEqual), func(p model.Pair) bool { return isStreamLabel(present, p.Name) })
	scan.Implied = slices.DeleteFunc(slices.Clone(scan.Implied), func(f storage.ImpliedFilter) bool { return isStreamLabel(present, f.Name) })
	return append(scans, scan)
}

// isStreamLabel reports whether the matchers already demand that streams have the label.
func isStreamLabel(ms []*labels.Matcher, name string) bool {
	return slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return m.Name == name && !m.Matches("") })
}
