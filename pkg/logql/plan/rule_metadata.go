package plan

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// pushMetadata tells the store of pairs that every entry must have, as label of its stream or as metadata, to pass the
// stages. It looks at label filters before anything that makes or changes labels. The filters stay in the pipeline: what the
// store keeps may be more than what passes.
//
// A name that ends in "_extracted" may mean metadata of another name, and those of errors are the pipeline's own.
func pushMetadata(r *read) {
	scan := &r.scans[0]
	for _, s := range r.stages {
		switch s := s.(type) {
		case *syntax.LineFilter:
		case *syntax.LabelFilterStage:
			for _, m := range equalities(s.Filter) {
				p := model.Pair{Name: m.Name, Value: m.Value}
				if mayBeMetadata(r.selector, m.Name) && !slices.Contains(scan.MetadataEqual, p) {
					scan.MetadataEqual = append(scan.MetadataEqual, p)
				}
			}
		default:
			return
		}
	}
}

// equalities returns the comparisons name="value" that all must hold for the filter to hold.
func equalities(f syntax.LabelFilter) []*labels.Matcher {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		if f.Matcher.Type == labels.MatchEqual && f.Matcher.Value != "" {
			return []*labels.Matcher{f.Matcher}
		}
	case *syntax.AndFilter:
		var list []*labels.Matcher
		for _, part := range f.Filters {
			list = append(list, equalities(part)...)
		}
		return list
	}
	return nil
}

func mayBeMetadata(selector []*labels.Matcher, name string) bool {
	return !isStreamLabel(selector, name) && !strings.HasSuffix(name, pipeline.ExtractedSuffix) && !isErrorName(name)
}
