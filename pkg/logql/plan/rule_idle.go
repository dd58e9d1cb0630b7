package plan

import (
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// demand is what is read of an entry behind some place in a pipeline.
type demand struct {
	all    bool // every label
	names  map[string]bool
	line   bool
	errors bool // whether there was one

	satisfied bool // see readsStreamsOnly
}

func (d *demand) reads(name string) {
	if isErrorName(name) {
		d.errors = true
		return
	}
	d.names[name] = true
}

func isErrorName(name string) bool {
	return name == pipeline.ErrorLabel || name == pipeline.ErrorDetailsLabel
}

// dropIdle removes stages of a metric's pipeline that nothing behind them can tell from no stage at all: Grafana's
// histograms drop errors that nothing made, dashboards parse lines of which they count all.
//
// A parser whose labels nobody reads still makes errors, and one error fails the metric. So json, unpack and logfmt --strict
// stay, unless their errors are dropped before anybody sees them; or unless everything that the metric reads is labels of
// every stream, for then what parsers cannot read is no error (see package pipeline). That question is asked of all labels
// that the metric reads, so a stage that reads one stays behind such a parser even when it is idle itself. Whether the parser
// fails depends on the labels that are there before it, even on those that nobody reads behind: in front of it no stage that
// makes, sets or removes labels goes.
func dropIdle(r *read) {
	if r.metric == nil {
		return // an answer of lines shows everything
	}
	d := r.finalDemand()
	d.satisfied = r.readsStreamsOnly()
	var kept []syntax.Stage // last first
	fails := false          // a parser among them, so that somebody sees it
	for i, s := range slices.Backward(r.stages) {
		fallible := !d.satisfied && slices.ContainsFunc(r.stages[:i], isFallible)
		if fails && changesLabels(s) || !d.idle(r, s, fallible) {
			fails = fails || !d.satisfied && d.errors && isFallible(s)
			d.through(s)
			kept = append(kept, s)
		}
	}
	slices.Reverse(kept)
	r.stages = withoutErrorDrops(kept)
}

// changesLabels reports whether the stage makes, sets or removes labels besides those of errors.
func changesLabels(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.LineFilter, *syntax.LabelFilterStage, *syntax.Decolorize, *syntax.LineFormat:
		return false
	case *syntax.Drop:
		return !dropsErrors(s)
	}
	return true
}

// isFallible reports whether the stage is a parser that may fail.
func isFallible(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.JSON, *syntax.Unpack:
		return true
	case *syntax.Logfmt:
		return s.Strict
	}
	return false
}

// finalDemand is what the metric itself reads. An error of an entry fails it.
func (r *read) finalDemand() *demand {
	d := &demand{names: map[string]bool{}, line: r.measuresLines(), errors: true, all: r.group.Mode != GroupBy}
	for _, name := range r.group.Names {
		d.reads(name)
	}
	if u := r.metric.Unwrap; u != nil {
		d.reads(u.Label)
		for _, f := range u.Filters {
			d.filter(f)
		}
	}
	return d
}

// readsStreamsOnly reports whether all that the metric and its stages read of labels is labels that every stream has. Then
// no parser fails.
func (r *read) readsStreamsOnly() bool {
	d := &demand{names: map[string]bool{}, all: r.group.Mode != GroupBy || r.metric.Unwrap != nil}
	for _, name := range r.group.Names {
		d.reads(name)
	}
	for _, s := range r.stages {
		switch s := s.(type) {
		case *syntax.LabelFilterStage:
			d.filterNames(s.Filter)
		case *syntax.Drop:
			d.picks(s.Labels)
		case *syntax.Keep:
			d.picks(s.Labels)
		case *syntax.LineFilter, *syntax.JSON, *syntax.Logfmt, *syntax.Regexp, *syntax.Pattern, *syntax.Unpack, *syntax.Decolorize:
		default:
			return false
		}
	}
	for name := range d.names {
		if !isStreamLabel(r.selector, name) || strings.HasSuffix(name, pipeline.ExtractedSuffix) {
			return false
		}
	}
	return !d.all && !d.errors
}

// idle reports whether nothing that the stage does is read. A stage that may drop entries is never idle. fallible: a parser
// before it may fail.
func (d *demand) idle(r *read, s syntax.Stage, fallible bool) bool {
	silent := !d.errors || d.satisfied
	fallible = fallible && d.errors
	switch s := s.(type) {
	case *syntax.JSON:
		return silent && !d.readsAny(r, s.Extractions)
	case *syntax.Logfmt:
		return (silent || !s.Strict) && !d.readsAny(r, s.Extractions)
	case *syntax.Regexp, *syntax.Pattern:
		return !d.readsAny(r, nil)
	case *syntax.Unpack:
		return silent && !d.line && !d.readsAny(r, nil)
	case *syntax.Decolorize:
		return !d.line
	case *syntax.LabelFormat:
		return !fallible && !d.all && !slices.ContainsFunc(s.Formats, func(f syntax.LabelFormatting) bool {
			return f.Source == "" || d.readsLike(f.Label) || d.readsLike(f.Source)
		})
	case *syntax.Drop:
		return !(fallible && readsLabels(s.Labels)) && !d.all && !slices.ContainsFunc(s.Labels, func(p syntax.LabelPick) bool {
			return isErrorName(p.Name) && d.errors || d.readsLike(p.Name)
		})
	case *syntax.Keep:
		return !fallible && !d.all && len(d.names) == 0
	}
	return false
}

// readsLike reports whether the label is read, or what is called after it because it is there.
func (d *demand) readsLike(name string) bool {
	return d.names[name] || d.names[name+pipeline.ExtractedSuffix]
}

// readsAny reports whether a label is read that a parser may make: those extracted by name, or any. What is found under the
// name of a label that every stream has is called otherwise.
func (d *demand) readsAny(r *read, extracted []syntax.Extraction) bool {
	if d.all || slices.ContainsFunc(extracted, func(e syntax.Extraction) bool { return d.readsLike(e.Label) }) {
		return true
	}
	if len(extracted) > 0 {
		return false
	}
	for name := range d.names {
		if !isStreamLabel(r.selector, name) || strings.HasSuffix(name, pipeline.ExtractedSuffix) {
			return true
		}
	}
	return false
}

// through adds what a stage reads, which is then the demand before it.
func (d *demand) through(s syntax.Stage) {
	switch s := s.(type) {
	case *syntax.LineFilter, *syntax.JSON, *syntax.Logfmt, *syntax.Regexp, *syntax.Pattern:
		d.line = true
	case *syntax.LabelFilterStage:
		d.filter(s.Filter)
	case *syntax.LabelFormat:
		for _, f := range s.Formats {
			d.all, d.line = d.all || f.Source == "", d.line || f.Source == ""
			d.reads(f.Source)
		}
	case *syntax.Drop:
		d.picks(s.Labels)
		if slices.ContainsFunc(s.Labels, func(p syntax.LabelPick) bool { return p.Name == pipeline.ErrorLabel && p.Matcher == nil }) {
			d.errors = false
		}
	case *syntax.Keep:
		d.picks(s.Labels)
	case *syntax.Decolorize: // reads the line when it is read
	default: // templates may read anything
		d.all, d.line, d.errors = true, true, true
	}
}

func (d *demand) picks(picks []syntax.LabelPick) {
	for _, p := range picks {
		if p.Matcher != nil {
			d.reads(p.Name)
		}
	}
}

// readsLabels reports whether some pick looks at the value.
func readsLabels(picks []syntax.LabelPick) bool {
	return slices.ContainsFunc(picks, func(p syntax.LabelPick) bool { return p.Matcher != nil })
}

// filter adds what a label filter reads: typed comparisons let entries with errors pass.
func (d *demand) filter(f syntax.LabelFilter) {
	d.filterNames(f)
	d.errors = d.errors || typed(f)
}

func (d *demand) filterNames(f syntax.LabelFilter) {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		d.reads(f.Matcher.Name)
	case *syntax.NumberFilter:
		d.reads(f.Label)
	case *syntax.DurationFilter:
		d.reads(f.Label)
	case *syntax.BytesFilter:
		d.reads(f.Label)
	case *syntax.IPFilter:
		d.reads(f.Label)
	case *syntax.AndFilter:
		for _, part := range f.Filters {
			d.filterNames(part)
		}
	case *syntax.OrFilter:
		for _, part := range f.Filters {
			d.filterNames(part)
		}
	}
}

// withoutErrorDrops leaves out stages that drop errors which nothing before them made.
func withoutErrorDrops(stages []syntax.Stage) []syntax.Stage {
	var kept []syntax.Stage
	for _, s := range stages {
		if d, ok := s.(*syntax.Drop); ok && dropsErrors(d) && !slices.ContainsFunc(kept, makesErrors) {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

func makesErrors(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.LineFilter, *syntax.Regexp, *syntax.Pattern, *syntax.Decolorize, *syntax.Drop, *syntax.Keep:
		return false
	case *syntax.Logfmt:
		return s.Strict
	case *syntax.LabelFilterStage:
		return typed(s.Filter)
	}
	return true
}

// typed reports whether the filter reads a value as more than a text, which may fail.
func typed(f syntax.LabelFilter) bool {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		return false
	case *syntax.AndFilter:
		return slices.ContainsFunc(f.Filters, typed)
	case *syntax.OrFilter:
		return slices.ContainsFunc(f.Filters, typed)
	}
	return true
}

// dropsErrors reports whether the stage drops the error of an entry and nothing else.
func dropsErrors(s *syntax.Drop) bool {
	return !slices.ContainsFunc(s.Labels, func(p syntax.LabelPick) bool {
		return p.Matcher != nil || !isErrorName(p.Name)
	})
}
