package plan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// comparisons are matchers that every entry must pass whose stream has a label of that name.
type comparisons []*labels.Matcher

// narrowStreams turns string comparisons of label filters into matchers. A name in a label filter is looked for among the
// labels of the stream first, so a stream that has the name with another value has no entry that passes; one that lacks the
// name may have it in metadata or lines. So env="prod" becomes env=~"prod|", which the index answers.
//
// A comparison counts as far as no stage before it can have given the name to something else. A name that ends in "_extracted"
// may be given to what a parser finds, or to metadata, even where the stream has it.
func narrowStreams(r *read) {
	for _, s := range r.stages {
		switch s := s.(type) {
		case *syntax.LabelFilterStage:
			for _, m := range requiredMatchers(s.Filter) {
				if !isErrorName(m.Name) && !strings.HasSuffix(m.Name, pipeline.ExtractedSuffix) {
					r.narrowed = append(r.narrowed, m)
				}
			}
			continue
		case *syntax.Drop:
			if dropsErrors(s) {
				continue
			}
		case *syntax.JSON:
			if len(s.Extractions) == 0 { // what is found under the name of a stream's label is called otherwise
				continue
			}
		case *syntax.Logfmt:
			if len(s.Extractions) == 0 {
				continue
			}
		case *syntax.LineFilter, *syntax.LineFormat, *syntax.Decolorize, *syntax.Regexp, *syntax.Pattern:
			continue
		}
		break
	}
	scan := &r.scans[0]
	scan.Matchers = append(slices.Clone(r.selector), r.orAbsent(func(string) bool { return true })...)
}

// of returns the comparisons with a name.
func (c comparisons) of(name string) []*labels.Matcher {
	var ms []*labels.Matcher
	for _, m := range c {
		if m.Name == name {
			ms = append(ms, m)
		}
	}
	return ms
}

// requiredMatchers returns the string comparisons that all must hold for the filter to hold.
func requiredMatchers(f syntax.LabelFilter) []*labels.Matcher {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		return []*labels.Matcher{f.Matcher}
	case *syntax.AndFilter:
		var list []*labels.Matcher
		for _, part := range f.Filters {
			list = append(list, requiredMatchers(part)...)
		}
		return list
	}
	return nil
}

// orAbsent returns, of the comparisons with names that are wanted, what holds for streams without the name as well; where the
// selector leaves none of these, the comparisons as they are.
func (r *read) orAbsent(wanted func(name string) bool) []*labels.Matcher {
	var ms []*labels.Matcher
	for _, m := range r.narrowed {
		if !wanted(m.Name) {
			continue
		}
		if !m.Matches("") && !isStreamLabel(r.selector, m.Name) {
			if m = withAbsent(m); m == nil {
				continue
			}
		}
		same := func(o *labels.Matcher) bool { return o.Type == m.Type && o.Name == m.Name && o.Value == m.Value }
		if !slices.ContainsFunc(r.selector, same) && !slices.ContainsFunc(ms, same) {
			ms = append(ms, m)
		}
	}
	return ms
}

// withAbsent returns a matcher that also holds for streams without the name; nil when there is none that is worth it.
func withAbsent(m *labels.Matcher) *labels.Matcher {
	re := ""
	switch {
	case m.Type == labels.MatchEqual:
		re = regexp.QuoteMeta(m.Value)
	case m.Type == labels.MatchRegexp && m.Value != ".+":
		re = "(?:" + m.Value + ")"
	default:
		return nil // holds for every value, or for all but a few
	}
	wide, err := labels.NewMatcher(labels.MatchRegexp, m.Name, re+"|")
	if err != nil {
		return nil // a value that is no UTF-8 has no expression
	}
	return wide
}
