package pipeline

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// op is a stage of the row program.
type op interface {
	// apply returns false when the entry is dropped.
	apply(r *row) (keep bool)
}

// preparer is an op that wants to know, once all stages are compiled, which labels are read behind it.
type preparer interface{ prepare(w *wanted) }

// program runs entry by entry what makes or changes labels or lines, and everything behind that. Its results are rows of
// the batch.
type program struct {
	ops   []op
	row   row
	arena arena
}

// rowState is what the program made of one entry.
type rowState struct {
	line    string
	own     []Label
	removed []string
	value   float64
}

// run narrows b.Selected, and fills b.rows for the entries that are left. It stops after most entries that pass, when most
// is not 0: those behind are deselected. So they are when an error ends the query.
func (p *program) run(b *Batch, most int) error {
	p.arena.reset()
	b.sizeRows()
	passed := 0
	for i := b.Selected.Next(0); i >= 0; i = b.Selected.Next(i + 1) {
		if most > 0 && passed == most {
			b.Selected.KeepRange(0, i)
			break
		}
		if p.row.ended() {
			return p.end(b, i, p.row.cause())
		}
		p.load(b, i)
		if !p.applyAll() || p.tooMuch() {
			if p.row.stop != nil {
				return p.end(b, i, p.row.stop)
			}
			b.Selected.Remove(i)
			continue
		}
		p.save(b, i)
		passed++
	}
	return nil
}

// end deselects the entries from i on, which have no rows.
func (p *program) end(b *Batch, i int, err error) error {
	b.Selected.KeepRange(0, i)
	return err
}

func (p *program) applyAll() bool {
	for _, o := range p.ops {
		if !o.apply(&p.row) {
			return false
		}
	}
	return true
}

// batchBytesMax bounds what the stages make of one batch: texts and lists of labels. Lines of usual length stay far below, but
// a format may make a megabyte of each, or an object with ten thousand keys that a parser behind it reads.
const batchBytesMax = 256 << 20

// tooMuch ends the query when what was made of a batch takes too much memory.
func (p *program) tooMuch() bool {
	if p.arena.bytes() <= batchBytesMax {
		return false
	}
	p.row.stop = &storage.Refusal{Class: storage.ErrLimit, Text: "the query would make more than 256 MiB of text and labels from one batch " +
		"of lines; make line_format and label_format shorter"}
	return true
}

// labelsRoom is how many labels an entry may get before they are moved.
const labelsRoom = 64

// load makes the row that of entry i: its labels are those of the stream and the structured metadata.
func (p *program) load(b *Batch, i int) {
	r := &p.row
	r.arena = &p.arena
	if s := b.Streams[b.StreamIndex[i]]; r.streamNumber == 0 || !labels.Equal(s, r.stream) {
		r.stream = s
		r.streamNumber++
	}
	// Who had many labels is, as a rule, followed by more of the kind.
	r.own, r.removed = p.arena.labels.open(max(labelsRoom, len(r.own))), r.removed[:0]
	r.Err, r.Value, r.Line, r.Timestamp = b.Errors[i], 0, "", 0
	if b.Lines != nil {
		r.Line = b.Lines[i]
	}
	if b.Timestamps != nil {
		r.Timestamp = b.Timestamps[i]
	}
	if b.Metadata != nil {
		for _, pair := range b.Metadata[i] {
			r.addMetadata(pair)
		}
	}
	if b.Levels != nil {
		r.addMetadata(model.Pair{Name: LevelLabel, Value: b.Levels[i]})
	}
}

// addMetadata is AppendMetadata for one pair: a name of the stream's gets a suffix, and gives way to what has that name by
// birth.
func (r *row) addMetadata(p model.Pair) {
	if p.Value == "" || p.Name == ErrorLabel || p.Name == ErrorDetailsLabel || !r.wanted.mayWant(p.Name) {
		return
	}
	name, renamed := p.Name, r.stream.Get(p.Name) != ""
	if renamed {
		name = r.suffix(name)
	}
	if i := r.find(name); i < 0 {
		r.add(name, false).Value = p.Value
	} else if !renamed {
		r.own[i].Value = p.Value
	}
}

// save keeps the row as that of entry i.
func (p *program) save(b *Batch, i int) {
	r := &p.row
	st := &b.rows[i]
	st.line, st.value, st.own, st.removed = r.Line, r.Value, nil, nil
	if len(r.own) > 0 {
		st.own = withoutGone(p.arena.labels.close(r.own))
	}
	if n := len(r.removed); n > 0 {
		st.removed = p.arena.names.take(n)
		copy(st.removed, r.removed)
	}
	if r.Err.Class != "" {
		b.setError(i, r.Err)
	} else if len(b.Errors) > 0 {
		delete(b.Errors, i)
	}
}

// labelOp is a label filter in the row program.
type labelOp struct {
	test    labelTest
	subject subject
}

func (o *labelOp) apply(r *row) bool {
	o.subject.row = r
	return o.test.test(&o.subject) != fails
}

func newLabelOp(f syntax.LabelFilter, needs *Needs) (op, error) {
	t, err := newLabelTest(f, needs)
	return &labelOp{test: t}, err
}

// withoutGone takes removed labels out of the list, which as a rule has none.
func withoutGone(list []Label) []Label {
	kept := 0
	for i := range list {
		if list[i].gone {
			continue
		}
		if kept < i {
			list[kept] = list[i]
		}
		kept++
	}
	return list[:kept]
}

// parserOp is a parser that may fail. What it cannot read matters only as long as somebody waits for a label: a metric
// query that has found what it asks for does not fail because the line was cut off behind that. In Loki parsers stop there.
type parserOp struct{ op }

func (o parserOp) prepare(w *wanted) {
	if p, ok := o.op.(preparer); ok {
		p.prepare(w)
	}
}

func (o parserOp) apply(r *row) bool {
	before := r.Err
	keep := o.op.apply(r)
	if r.Err != before && r.wanted.satisfied(r) {
		r.Err = before
	}
	return keep
}

// lineOp is a line filter in the row program.
type lineOp struct{ *lineStep }

func (o lineOp) apply(r *row) bool { return o.keeps(r.Line) }
