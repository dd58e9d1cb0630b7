package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// unwrapOp takes the entry's value from a label. An entry without the label is dropped: not every line has a figure. A
// value that cannot be read is an error of the entry, which filters behind may look at.
type unwrapOp struct {
	label string
	read  func(string) (float64, error)
}

func newUnwrapOp(u *syntax.Unwrap, needs *Needs) (*unwrapOp, error) {
	o := &unwrapOp{label: u.Label}
	switch u.Conversion {
	case syntax.ConvertNone:
		o.read = func(v string) (float64, error) { return strconv.ParseFloat(v, 64) }
	case syntax.ConvertBytes:
		o.read = readBytes
	case syntax.ConvertDuration, syntax.ConvertDurationSeconds:
		o.read = readSeconds
	default:
		return nil, fmt.Errorf("conversion %s is unknown to the pipeline", u.Conversion)
	}
	needs.AddName(u.Label)
	return o, nil
}

// compileUnwrap appends unwrap and the filters behind it.
func (p *Pipeline) compileUnwrap(u *syntax.Unwrap) error {
	o, err := newUnwrapOp(u, &p.Needs)
	if err != nil {
		return err
	}
	p.program.ops = append(p.program.ops, o)
	for _, f := range u.Filters {
		filter, err := newLabelOp(f, &p.Needs)
		if err != nil {
			return err
		}
		p.program.ops = append(p.program.ops, filter)
	}
	return nil
}

func (o *unwrapOp) apply(r *row) bool {
	text, _ := r.get(o.label)
	if text == "" {
		return false
	}
	v, err := o.read(text)
	if err != nil {
		r.Err = errorOf(classSampleExtraction, err)
		return true
	}
	r.Value = v
	return true
}

func readBytes(text string) (float64, error) {
	n, err := humanize.ParseBytes(text)
	return float64(n), err
}

func readSeconds(text string) (float64, error) {
	d, err := time.ParseDuration(text)
	return d.Seconds(), err
}

// unwrapStep is unwrap where no stage has made or changed labels: it needs no rows.
type unwrapStep struct {
	*unwrapOp
	ofStreams []string // by stream: the value that the label has in all its entries, "" when each has its own
}

// unwrapsColumn reports whether the label is one that entries are stored with.
func unwrapsColumn(u *syntax.Unwrap) bool {
	return u.Label != ErrorLabel && u.Label != ErrorDetailsLabel
}

// compileUnwrapStep is compileUnwrap for steps.
func (p *Pipeline) compileUnwrapStep(u *syntax.Unwrap) error {
	o, err := newUnwrapOp(u, &p.Needs)
	if err != nil {
		return err
	}
	p.steps = append(p.steps, &unwrapStep{unwrapOp: o})
	for _, f := range u.Filters {
		filter, err := newLabelStep(f, &p.Needs)
		if err != nil {
			return err
		}
		p.steps = append(p.steps, filter)
	}
	return nil
}

func (st *unwrapStep) run(b *Batch) {
	n := len(b.StreamIndex)
	b.values = slices.Grow(b.values[:0], n)[:n]
	st.ofStreams = st.ofStreams[:0]
	for _, stream := range b.Streams {
		v, decided := OfStream(stream, st.label)
		if !decided {
			v = ""
		}
		st.ofStreams = append(st.ofStreams, v)
	}
	for i := b.Selected.Next(0); i >= 0; i = b.Selected.Next(i + 1) {
		text := st.ofStreams[b.StreamIndex[i]]
		if text == "" {
			text, _ = b.Lookup(i, st.label)
		}
		if text == "" {
			b.Selected.Remove(i)
			continue
		}
		v, err := st.read(text)
		if err != nil {
			b.setError(i, errorOf(classSampleExtraction, err))
		}
		b.values[i] = v
	}
}
