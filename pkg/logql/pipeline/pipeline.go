// Package pipeline runs the stages of a log query over one batch of entries at a time. It owns what a stage means: which
// value a name has, what a parser extracts, what a comparison does with a label that is absent or is no number. It does not
// know where batches come from, nor what becomes of the entries that are left.
//
// Stages run in two phases. As long as they only filter, they are steps: each works on the whole batch and removes entries
// from the selection. From the first stage on that makes or changes labels or lines they are the row program: each entry
// goes through all of them alone, over one row that is used again and again. What has become of an entry is then asked of
// the batch: Line, Lookup, Labels.
//
// A new stage is a file here that turns its syntax into an op, and a case in compileOp. At compile time it says which labels
// it reads; a parser makes only labels that somebody behind it reads.
package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Batch is entries on their way through a pipeline, one slice per column. A column that Needs did not ask for may be nil.
// The columns are not changed.
type Batch struct {
	Streams     []labels.Labels // label sets that StreamIndex points into
	StreamIndex []uint32
	Timestamps  []model.Timestamp
	Lines       []string       // as stored; see Line
	Levels      []string       // detected_level, "" when absent
	Metadata    [][]model.Pair // sorted by name; without detected_level
	// Selected holds the entries that are still in. Run narrows it.
	Selected match.Selection
	// Errors holds what went wrong with entries that are still in, by index. Run resets it.
	Errors map[int]EntryError

	rows   []rowState // nil: no row program ran
	values []float64  // of an unwrap that is a step
	spare  []rowState
}

// EntryError becomes the labels __error__ and __error_details__ of an entry. It is valid as long as the batch.
type EntryError struct{ Class, Details string }

// OfParser reports whether a parser could not read the line.
func (e EntryError) OfParser() bool { return e.Class == classJSON || e.Class == classLogfmt }

// detailsBytesMax bounds the details: the text of an error repeats the value that could not be read, and every entry of a
// batch may have one as long as a line.
const detailsBytesMax = 1024

// errorOf returns an error with a text of its own.
func errorOf(class string, err error) EntryError {
	details := err.Error()
	if len(details) > detailsBytesMax {
		details = strings.ToValidUTF8(details[:detailsBytesMax], "") + "…" // a copy
	}
	return EntryError{Class: class, Details: details}
}

// get returns the value of one of the two labels.
func (e EntryError) get(name string) (string, bool) {
	v := e.Class
	if name == ErrorDetailsLabel {
		v = e.Details
	}
	return v, v != ""
}

// The names that errors have as labels.
const (
	ErrorLabel        = "__error__"
	ErrorDetailsLabel = "__error_details__"
)

// The classes of errors.
const (
	classJSON             = "JSONParserErr"
	classLogfmt           = "LogfmtParserErr"
	classLabelFilter      = "LabelFilterErr" // a value that a typed label filter cannot read
	classTemplate         = "TemplateFormatErr"
	classSampleExtraction = "SampleExtractionErr"
)

// HasRows reports whether entries have labels or lines of their own making.
func (b *Batch) HasRows() bool { return b.rows != nil }

// Line returns the line of an entry as the pipeline leaves it.
func (b *Batch) Line(i int) string {
	if b.rows != nil {
		return b.rows[i].line
	}
	return b.Lines[i]
}

// Lookup returns the value of a label of an entry as the pipeline leaves it.
func (b *Batch) Lookup(i int, name string) (string, bool) {
	if name == ErrorLabel || name == ErrorDetailsLabel {
		return b.Errors[i].get(name)
	}
	stream := b.Streams[b.StreamIndex[i]]
	if b.rows != nil {
		st := &b.rows[i]
		return lookupOwn(stream, st.own, st.removed, name)
	}
	level, metadata := "", []model.Pair(nil)
	if b.Levels != nil {
		level = b.Levels[i]
	}
	if b.Metadata != nil {
		metadata = b.Metadata[i]
	}
	return Lookup(stream, metadata, level, name)
}

// Labels returns, of a batch that has rows, the labels of an entry that its stream does not have, or not with this value,
// and those of the stream that were removed. They are valid as long as the batch.
func (b *Batch) Labels(i int) (own []Label, removed []string) {
	return b.rows[i].own, b.rows[i].removed
}

// Value returns what unwrap took of an entry.
func (b *Batch) Value(i int) float64 {
	if b.rows != nil {
		return b.rows[i].value
	}
	return b.values[i]
}

// sizeRows makes room for rows of all entries.
func (b *Batch) sizeRows() {
	n := len(b.StreamIndex)
	b.spare = slices.Grow(b.spare[:0], n)[:n]
	b.rows = b.spare
}

func (b *Batch) setError(i int, e EntryError) {
	if b.Errors == nil {
		b.Errors = map[int]EntryError{}
	}
	b.Errors[i] = e
}

// Options is what a pipeline is compiled for.
type Options struct {
	Unwrap *syntax.Unwrap // nil: none; else it comes behind the stages
	Wanted Needs          // what whoever comes behind the pipeline reads
}

// Pipeline is the stages of one query, compiled. It keeps scratch memory and what it has seen: use it for one query, in one
// goroutine at a time.
type Pipeline struct {
	steps   []step
	program *program // nil: all stages are steps
	// Needs is what the stages read, without Options.Wanted.
	Needs Needs
	// ChangesLines: what Line returns may differ from what is stored.
	ChangesLines bool

	stages  []syntax.Stage // what it was compiled from
	options Options
}

// step is a stage that works on the whole batch.
type step interface {
	// run removes from b.Selected what does not pass.
	run(b *Batch)
}

// Compile prepares stages. The error says why a stage cannot be compiled.
func Compile(stages []syntax.Stage, o Options) (*Pipeline, error) {
	p := &Pipeline{stages: stages, options: o}
	for len(stages) > 0 {
		st, err := p.compileStep(stages[0])
		if err != nil {
			return nil, err
		}
		if st == nil {
			break
		}
		p.steps = append(p.steps, st)
		stages = stages[1:]
	}
	switch {
	case len(stages) == 0 && o.Unwrap == nil:
		return p, nil
	case len(stages) == 0 && unwrapsColumn(o.Unwrap):
		return p, p.compileUnwrapStep(o.Unwrap)
	}
	return p, p.compileRows(stages, o)
}

// compileRows makes the row program of the stages from the first on that is more than a filter.
func (p *Pipeline) compileRows(stages []syntax.Stage, o Options) error {
	p.program = &program{}
	for _, s := range stages {
		op, err := p.compileOp(s)
		if err != nil {
			return err
		}
		p.program.ops = append(p.program.ops, op)
	}
	if o.Unwrap != nil {
		if err := p.compileUnwrap(o.Unwrap); err != nil {
			return err
		}
	}
	all := o.Wanted
	all.Names = maps.Clone(all.Names)
	all.Add(p.Needs)
	p.program.row = row{wanted: newWanted(all), suffixed: map[string]string{}}
	for _, o := range p.program.ops {
		if o, ok := o.(preparer); ok {
			o.prepare(p.program.row.wanted)
		}
	}
	return nil
}

// Clone returns a pipeline of the same stages that has seen nothing, for another goroutine.
func (p *Pipeline) Clone() (*Pipeline, error) { return Compile(p.stages, p.options) }

// LabelsRead returns the names of labels that a stage or whoever comes after the pipeline reads, sorted, when it has stages
// that make labels: parsers make no others. All: it may be any.
func (p *Pipeline) LabelsRead() (names []string, all bool) {
	if p.program == nil {
		return nil, false
	}
	w := p.program.row.wanted
	return slices.Sorted(slices.Values(w.names.list)), w.all
}

// Empty reports whether every entry passes as it is.
func (p *Pipeline) Empty() bool { return len(p.steps) == 0 && p.program == nil }

// Reserve says where stages that keep something between batches ask for memory; an error ends the query.
func (p *Pipeline) Reserve(take func(bytes int64) error) {
	if p.program != nil {
		p.program.row.take = take
	}
}

// Watch says for whom the pipeline works: when the context ends so does Run, with its error. A format may take a second for an
// entry, and a batch has tens of thousands.
func (p *Pipeline) Watch(ctx context.Context) {
	if p.program != nil {
		p.program.row.done, p.program.row.cause = ctx.Done(), ctx.Err
	}
}

// Run narrows b.Selected to the entries that pass all stages. When most is not 0, what comes behind so many is deselected,
// too, and not looked at. An error ends the query; the entries that are selected then have passed.
func (p *Pipeline) Run(b *Batch, most int) error {
	clear(b.Errors)
	b.rows = nil
	for _, s := range p.steps {
		s.run(b)
	}
	if p.program != nil {
		return p.program.run(b, most)
	}
	if most > 0 {
		keepFirst(&b.Selected, most)
	}
	return nil
}

// keepFirst deselects all but the first n entries.
func keepFirst(s *match.Selection, n int) {
	for i := s.Next(0); i >= 0; i = s.Next(i + 1) {
		if n == 0 {
			s.KeepRange(0, i)
			return
		}
		n--
	}
}

// compileStep returns nil for a stage that is more than a filter.
func (p *Pipeline) compileStep(s syntax.Stage) (step, error) {
	switch s := s.(type) {
	case *syntax.LineFilter:
		p.Needs.Line = true
		return newLineStep(s)
	case *syntax.LabelFilterStage:
		return newLabelStep(s.Filter, &p.Needs)
	}
	return nil, nil
}

func (p *Pipeline) compileOp(s syntax.Stage) (op, error) {
	switch s := s.(type) {
	case *syntax.LineFilter:
		p.Needs.Line = true
		st, err := newLineStep(s)
		return lineOp{st}, err
	case *syntax.LabelFilterStage:
		return newLabelOp(s.Filter, &p.Needs)
	case *syntax.JSON:
		p.Needs.Line = true
		o, err := newJSONOp(s)
		return parserOp{o}, err
	case *syntax.Logfmt:
		p.Needs.Line = true
		o, err := newLogfmtOp(s)
		return parserOp{o}, err
	case *syntax.Regexp:
		p.Needs.Line = true
		return newRegexpOp(s)
	case *syntax.Pattern:
		p.Needs.Line = true
		return newPatternOp(s)
	case *syntax.Unpack:
		p.Needs.Line = true
		p.ChangesLines = true
		return parserOp{&unpackOp{}}, nil
	case *syntax.LineFormat:
		return p.newLineFormatOp(s)
	case *syntax.LabelFormat:
		return p.newLabelFormatOp(s)
	case *syntax.Decolorize:
		p.Needs.Line, p.ChangesLines = true, true
		return &decolorizeOp{}, nil
	case *syntax.Drop:
		return &dropOp{s.Labels}, nil
	case *syntax.Keep:
		return &keepOp{picks: s.Labels}, nil
	case *syntax.Distinct:
		return newDistinctOp(s, &p.Needs), nil
	}
	return nil, fmt.Errorf("stage %s is unknown to the pipeline", s)
}
