// Package pipeline runs the stages of a log query over one batch of entries at a time. It owns what a stage means: which
// value a name has, what a comparison does with a label that is absent or is no number. It does not know where batches
// come from, nor what becomes of the entries that are left.
//
// A new stage is a file here that turns its syntax into a step, and a case in compile. A step works on the whole batch: it
// removes entries from the selection and may note an error about one that stays. Stages that have no step yet are refused
// by name when the query is compiled, before anything is read.
package pipeline

import (
	"fmt"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Batch is entries on their way through a pipeline, one slice per column. A column that Needs did not ask for may be nil.
type Batch struct {
	Streams     []labels.Labels // label sets that StreamIndex points into
	StreamIndex []uint32
	Lines       []string
	Levels      []string       // detected_level, "" when absent
	Metadata    [][]model.Pair // sorted by name; without detected_level
	// Selected holds the entries that are still in. Run narrows it.
	Selected match.Selection
	// Errors holds what went wrong with entries that are still in, by index. Run resets it.
	Errors map[int]EntryError
}

// EntryError becomes the labels __error__ and __error_details__ of an entry.
type EntryError struct{ Class, Details string }

// The names that errors have as labels.
const (
	ErrorLabel        = "__error__"
	ErrorDetailsLabel = "__error_details__"
)

// classLabelFilter is the class of a value that a typed label filter cannot read.
const classLabelFilter = "LabelFilterErr"

// Needs is what a pipeline, or whoever comes after it, reads of an entry.
type Needs struct {
	Line        bool
	AllMetadata bool
	// Names are labels that may be a stream's or structured metadata's, among them detected_level.
	Names map[string]bool
}

// AddName notes that the label is read.
func (n *Needs) AddName(name string) {
	if name == ErrorLabel || name == ErrorDetailsLabel {
		return // made by the pipeline itself
	}
	if n.Names == nil {
		n.Names = map[string]bool{}
	}
	n.Names[name] = true
}

// Pipeline is the stages of one query, compiled. It keeps scratch memory: use it in one goroutine at a time.
type Pipeline struct {
	steps []step
	Needs Needs
}

// step is one stage at work.
type step interface {
	// run removes from b.Selected what does not pass.
	run(b *Batch)
}

// Compile prepares stages. The error is an *UnsupportedError, or says why a filter cannot be compiled.
func Compile(stages []syntax.Stage) (*Pipeline, error) {
	p := &Pipeline{}
	for _, s := range stages {
		st, err := p.compile(s)
		if err != nil {
			return nil, err
		}
		p.steps = append(p.steps, st)
	}
	return p, nil
}

// Empty reports whether every entry passes.
func (p *Pipeline) Empty() bool { return len(p.steps) == 0 }

// Run narrows b.Selected to the entries that pass all stages.
func (p *Pipeline) Run(b *Batch) {
	clear(b.Errors)
	for _, s := range p.steps {
		s.run(b)
	}
}

func (p *Pipeline) compile(s syntax.Stage) (step, error) {
	switch s := s.(type) {
	case *syntax.LineFilter:
		p.Needs.Line = true
		return newLineStep(s)
	case *syntax.LabelFilterStage:
		return newLabelStep(s.Filter, &p.Needs)
	case *syntax.JSON:
		return nil, Unsupported("the json stage")
	case *syntax.Logfmt:
		return nil, Unsupported("the logfmt stage")
	case *syntax.Regexp:
		return nil, Unsupported("the regexp stage")
	case *syntax.Pattern:
		return nil, Unsupported("the pattern stage")
	case *syntax.Unpack:
		return nil, Unsupported("the unpack stage")
	case *syntax.LineFormat:
		return nil, Unsupported("the line_format stage")
	case *syntax.LabelFormat:
		return nil, Unsupported("the label_format stage")
	case *syntax.Decolorize:
		return nil, Unsupported("the decolorize stage")
	case *syntax.Drop:
		return newDropStep(s)
	case *syntax.Keep:
		return nil, Unsupported("the keep stage")
	}
	return nil, fmt.Errorf("stage %s is unknown to the pipeline", s)
}
