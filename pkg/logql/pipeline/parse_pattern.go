package pipeline

import (
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// patternOp is | pattern "<ip> - <_> <path>": what stands between the literals becomes labels. The line must begin with the
// literal that the pattern begins with. Each other literal is searched for behind the one before; when it is not there, the
// capture before it takes the rest of the line, and no more labels are made.
type patternOp struct {
	finder   finder
	prefix   string
	captures []patternCapture
}

// patternCapture is a capture and the literal behind it, "" at the end of the pattern.
type patternCapture struct {
	label string // "_" when it has none
	name  *foundName
	until string
}

func newPatternOp(s *syntax.Pattern) (op, error) {
	parts, err := syntax.ParsePattern(s.Text)
	if err != nil {
		return nil, err
	}
	o := &patternOp{}
	if parts[0].Capture == "" {
		o.prefix = parts[0].Literal
		parts = parts[1:]
	}
	for _, part := range parts { // captures and literals take turns
		if part.Capture != "" {
			o.captures = append(o.captures, patternCapture{label: part.Capture})
		} else {
			o.captures[len(o.captures)-1].until = part.Literal
		}
	}
	return o, nil
}

func (o *patternOp) prepare(w *wanted) {
	o.finder.prepare(w)
	read := 0
	for i := range o.captures {
		if c := &o.captures[i]; c.label != "_" {
			if c.name = o.finder.name([]byte(c.label)); c.name != nil {
				read = i + 1
			}
		}
	}
	o.captures = o.captures[:read] // what stands behind is for nobody, and cannot fail
}

func (o *patternOp) apply(r *row) bool {
	rest, ok := strings.CutPrefix(r.Line, o.prefix)
	if !ok || r.Line == "" {
		return true
	}
	o.finder.begin(r)
	for i := range o.captures {
		c := &o.captures[i]
		at := -1
		if c.until != "" {
			at = strings.Index(rest, c.until)
		}
		value := rest
		if at >= 0 {
			value = rest[:at]
		}
		if c.name != nil {
			if l := o.finder.claim(r, c.name); l != nil {
				l.Value = value
			}
		}
		if at < 0 {
			break
		}
		rest = rest[at+len(c.until):]
	}
	return true
}
