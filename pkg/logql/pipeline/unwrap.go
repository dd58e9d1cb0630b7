package pipeline

import (
	"fmt"
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

// compileUnwrap appends unwrap and the filters behind it.
func (p *Pipeline) compileUnwrap(u *syntax.Unwrap) error {
	o := &unwrapOp{label: u.Label}
	switch u.Conversion {
	case syntax.ConvertNone:
		o.read = func(v string) (float64, error) { return strconv.ParseFloat(v, 64) }
	case syntax.ConvertBytes:
		o.read = readBytes
	case syntax.ConvertDuration, syntax.ConvertDurationSeconds:
		o.read = readSeconds
	default:
		return fmt.Errorf("conversion %s is unknown to the pipeline", u.Conversion)
	}
	p.Needs.AddName(u.Label)
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
		r.fail(classSampleExtraction, err.Error())
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
