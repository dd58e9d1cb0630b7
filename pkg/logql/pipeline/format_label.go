package pipeline

import (
	"maps"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/logql/template"
)

// labelFormatOp is | label_format. Its formats work one after the other, and each sees what those before it renamed. But
// all templates see the labels as they are when the first of them runs.
type labelFormatOp struct {
	formats []labelFormat
	entry   snapshotEntry
	scratch []byte
}

// labelFormat sets one label: to that of source, which disappears, or to what the template makes.
type labelFormat struct {
	label    string
	source   string
	template *template.Template // nil: a rename
	// takesSnapshot: this is the first template, and one behind it reads what has been changed in between.
	takesSnapshot bool
}

func (p *Pipeline) newLabelFormatOp(s *syntax.LabelFormat) (op, error) {
	o := &labelFormatOp{}
	for _, f := range s.Formats {
		if f.Source == ErrorLabel || f.Source == ErrorDetailsLabel {
			p.Needs.AddName(f.Source)
			continue // as in Loki, where the error is no label to a rename
		}
		format := labelFormat{label: f.Label, source: f.Source}
		if f.Source != "" {
			p.Needs.AddName(f.Source)
		} else {
			t, err := template.Compile("label", f.Template)
			if err != nil {
				return nil, err
			}
			addReads(&p.Needs, t)
			format.template = t
		}
		o.formats = append(o.formats, format)
	}
	first := slices.IndexFunc(o.formats, func(f labelFormat) bool { return f.template != nil })
	if first >= 0 {
		o.formats[first].takesSnapshot = readsChanged(o.formats[first:])
	}
	return o, nil
}

// readsChanged reports whether a template may read what a format before it has changed; an error that a template causes is
// such a change, too.
func readsChanged(formats []labelFormat) bool {
	changed := map[string]bool{}
	for _, f := range formats {
		if f.template == nil {
			changed[f.label], changed[f.source] = true, true
			continue
		}
		reads := f.template.Reads()
		if reads.AllNames && len(changed) > 0 || slices.ContainsFunc(reads.Names, func(name string) bool { return changed[name] }) {
			return true
		}
		changed[f.label] = true
		changed[ErrorLabel], changed[ErrorDetailsLabel] = true, true
	}
	return false
}

func (o *labelFormatOp) apply(r *row) bool {
	o.entry.row, o.entry.taken = r, false
	for i := range o.formats {
		if f := &o.formats[i]; f.template != nil {
			o.format(r, f)
		} else if value, ok := r.get(f.source); ok {
			setLabel(r, f.label, value)
			r.remove(f.source) // last: a label that is renamed to itself is gone, as in Loki
		}
	}
	return true
}

// setLabel sets a label. The parser of queries refuses to format __error__, but not the details, which are no label of ours.
func setLabel(r *row, name, value string) {
	if name == ErrorDetailsLabel {
		r.Err.Details = value
		return
	}
	r.set(name, value)
}

func (o *labelFormatOp) format(r *row, f *labelFormat) {
	if f.takesSnapshot {
		o.entry.take()
	}
	var value string
	if name, ok := f.template.SingleLabel(); ok {
		value = o.entry.Label(name)
	} else {
		var err error
		if o.scratch, err = f.template.Append(o.scratch[:0], &o.entry); err != nil {
			r.Err = errorOf(classTemplate, err)
			return
		}
		value = r.text(o.scratch)
	}
	setLabel(r, f.label, value)
}

// snapshotEntry shows a row's labels as they were when take was called, if it was.
type snapshotEntry struct {
	templateEntry
	taken    bool
	snapshot map[string]string
}

func (e *snapshotEntry) take() {
	if e.snapshot == nil {
		e.snapshot = map[string]string{}
	}
	clear(e.snapshot)
	maps.Insert(e.snapshot, e.templateEntry.Labels)
	e.taken = true
}

func (e *snapshotEntry) Label(name string) string {
	if e.taken {
		return e.snapshot[name]
	}
	return e.templateEntry.Label(name)
}

func (e *snapshotEntry) Labels(yield func(name, value string) bool) {
	if !e.taken {
		e.templateEntry.Labels(yield)
		return
	}
	for name, value := range e.snapshot {
		if !yield(name, value) {
			return
		}
	}
}
