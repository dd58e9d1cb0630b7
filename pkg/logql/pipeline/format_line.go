package pipeline

import (
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/logql/template"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// lineFormatOp is | line_format: the line becomes what the template makes. When that fails the line stays, with a note.
type lineFormatOp struct {
	template *template.Template
	label    string // the template is no more than this label, if isLabel
	isLabel  bool
	entry    templateEntry
	scratch  []byte
}

func (p *Pipeline) newLineFormatOp(s *syntax.LineFormat) (op, error) {
	t, err := template.Compile("line", s.Template)
	if err != nil {
		return nil, err
	}
	o := &lineFormatOp{template: t}
	o.label, o.isLabel = t.SingleLabel()
	addReads(&p.Needs, t)
	p.Needs.Line = p.Needs.Line || !o.isLabel // it is the line still when the template fails
	p.ChangesLines = true
	return o, nil
}

func (o *lineFormatOp) apply(r *row) bool {
	if o.isLabel {
		r.Line, _ = r.get(o.label) // no copy: it lives as long as a line
		return true
	}
	o.entry.row = r
	var err error
	if o.scratch, err = o.template.Append(o.scratch[:0], &o.entry); err != nil {
		r.Err = errorOf(classTemplate, err)
		return true
	}
	r.Line = r.text(o.scratch)
	return true
}

// addReads notes what a template reads.
func addReads(needs *Needs, t *template.Template) {
	reads := t.Reads()
	needs.Line = needs.Line || reads.Line
	needs.AllNames = needs.AllNames || reads.AllNames
	for _, name := range reads.Names {
		needs.AddName(name)
	}
}

// templateEntry shows a row to a template: its labels, and its error as labels, too.
type templateEntry struct{ row *row }

func (e *templateEntry) Line() string { return e.row.Line }

func (e *templateEntry) Timestamp() model.Timestamp { return e.row.Timestamp }

func (e *templateEntry) Ended() bool { return e.row.ended() }

func (e *templateEntry) Label(name string) string {
	value, _ := e.row.get(name)
	return value
}

func (e *templateEntry) Labels(yield func(name, value string) bool) {
	for name, value := range e.row.labels() {
		if !yield(name, value) {
			return
		}
	}
	if err := e.row.Err; err.Class != "" && !yield(ErrorLabel, err.Class) {
		return
	}
	if err := e.row.Err; err.Details != "" {
		yield(ErrorDetailsLabel, err.Details)
	}
}
