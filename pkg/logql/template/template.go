// Package template compiles and runs the templates of line_format and label_format: Go's text/template with the functions
// that Loki adds. It sees an entry as a line, a time and named values, and knows neither streams nor stages.
//
// Most templates are text and fields, {{.level}} {{.msg}}. They become a list of parts that is appended without
// text/template. All others run on a map that holds the labels which the template can read, found out from its tree.
//
// A query is written by anyone, so a run is bounded whatever the template says: in the bytes it makes (outputBytesMax), the
// nodes it walks (stepsMax) and the bytes its functions handle (workBytesMax). What goes beyond, fails or panics is an error
// of that one entry.
package template

import (
	"fmt"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Entry is what a template reads. It is asked only while Append runs.
type Entry interface {
	Line() string
	Timestamp() model.Timestamp
	// Label returns "" for a name that is absent.
	Label(name string) string
	// Labels yields all labels, each name once.
	Labels(yield func(name, value string) bool)
	// Ended reports whether nobody waits for the output any more: then Append may fail.
	Ended() bool
}

// Template is a compiled template. It keeps the state of its run: use it in one goroutine at a time.
type Template struct {
	reads Reads
	parts []part                 // the whole template, if compiled is nil
	full  *texttemplate.Template // else
	run   run
}

// part is text, a label's value, or the line.
type part struct {
	kind partKind
	text string // or the label's name
}

type partKind uint8

const (
	partText partKind = iota
	partLabel
	partLine
)

// Compile compiles a template. Its name, "line" or "label", stands in the errors of its runs.
func Compile(name, text string) (*Template, error) {
	trees, err := syntax.ParseTemplate(name, text)
	if err != nil {
		return nil, err
	}
	t := &Template{reads: readsOf(trees, name)}
	if parts, ok := simpleParts(trees[name].Root); ok {
		t.parts = parts
		return t, nil
	}
	return t, t.compileFull(name, trees)
}

func (t *Template) compileFull(name string, trees map[string]*parse.Tree) error {
	addTicks(trees)
	t.run.dot = map[string]string{}
	t.full = texttemplate.New(name).Option("missingkey=zero").Funcs(t.run.functions())
	for name, tree := range trees {
		if _, err := t.full.AddParseTree(name, tree); err != nil {
			return err
		}
	}
	return nil
}

// Reads returns what the template may read of an entry.
func (t *Template) Reads() Reads { return t.reads }

// SingleLabel returns the name of the label whose value is all that the template makes, as of {{.msg}}.
func (t *Template) SingleLabel() (name string, ok bool) {
	if t.full != nil || len(t.parts) != 1 || t.parts[0].kind != partLabel {
		return "", false
	}
	return t.parts[0].text, true
}

// Append appends what the template makes of the entry. With an error nothing is appended.
func (t *Template) Append(dst []byte, e Entry) ([]byte, error) {
	if t.full != nil {
		return t.appendFull(dst, e)
	}
	start := len(dst)
	for _, p := range t.parts {
		switch text := p.text; p.kind {
		case partText:
			dst = append(dst, text...)
		case partLabel:
			dst = append(dst, e.Label(text)...)
		case partLine:
			dst = append(dst, e.Line()...)
		}
		if len(dst)-start > outputBytesMax {
			return dst[:start], errTooLong
		}
	}
	return dst, nil
}

func (t *Template) appendFull(dst []byte, e Entry) (out []byte, err error) {
	start := len(dst)
	defer func() {
		if fault := recover(); fault != nil { // text/template passes runtime errors on, such as of a bad comparison
			err = fmt.Errorf("template: %v", fault)
		}
		out, t.run.out, t.run.entry = t.run.out, nil, nil
		if err != nil {
			out = out[:start]
		}
	}()
	t.run.begin(dst, e)
	t.fillDot(e)
	return dst, t.full.Execute(&t.run, t.run.dot)
}

func (t *Template) fillDot(e Entry) {
	dot := t.run.dot
	if t.reads.AllNames {
		clear(dot)
		for name, value := range e.Labels {
			dot[name] = value
		}
		return
	}
	for _, name := range t.reads.Names { // the same ones each time
		dot[name] = e.Label(name)
	}
}

// simpleParts returns the parts of a template of text, fields of the dot and the line. Equal neighbours are joined.
func simpleParts(root *parse.ListNode) ([]part, bool) {
	var parts []part
	for _, n := range root.Nodes {
		p, ok := simplePart(n)
		if !ok {
			return nil, false
		}
		if last := len(parts) - 1; p.kind == partText && last >= 0 && parts[last].kind == partText {
			parts[last].text += p.text
			continue
		}
		parts = append(parts, p)
	}
	return parts, true
}

func simplePart(n parse.Node) (part, bool) {
	if text, ok := n.(*parse.TextNode); ok {
		return part{partText, string(text.Text)}, true
	}
	action, ok := n.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) > 0 || len(action.Pipe.Cmds) != 1 || len(action.Pipe.Cmds[0].Args) != 1 {
		return part{}, false
	}
	switch arg := action.Pipe.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return part{partLabel, arg.Ident[0]}, len(arg.Ident) == 1
	case *parse.VariableNode: // $.name: at the top there is no other variable before the first declaration
		if arg.Ident[0] == "$" && len(arg.Ident) == 2 {
			return part{partLabel, arg.Ident[1]}, true
		}
	case *parse.IdentifierNode:
		return part{kind: partLine}, arg.Ident == "__line__"
	case *parse.StringNode:
		return part{partText, arg.Text}, true
	}
	return part{}, false
}
