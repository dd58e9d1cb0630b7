package pipeline

import (
	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// jsonPathOp is | json a="b.c[0]": the value at each path becomes a label, objects and arrays as they stand in the line.
// What is not there becomes an empty label.
//
// As in Loki the line is searched, not checked: what is broken matters only where a path ends, and nothing is looked at
// once all values are found. So lines that were cut off still give what they have.
type jsonPathOp struct {
	finder  finder
	targets []jsonTarget
	root    jsonPathNode
	missing int // targets that the current line has not given yet
}

// jsonTarget is one extraction.
type jsonTarget struct {
	label string
	name  *foundName
	found bool
}

// jsonPathNode is a place in a document that paths end at or lead through.
type jsonPathNode struct {
	step    syntax.PathStep // from the node above
	targets []int           // that end here
	below   []*jsonPathNode
}

func newJSONPathOp(extractions []syntax.Extraction) (op, error) {
	o := &jsonPathOp{}
	for i, e := range extractions {
		steps, err := syntax.ParseJSONPath(e.Path)
		if err != nil {
			return nil, err
		}
		node := &o.root
		for _, step := range steps {
			node = node.child(step)
		}
		node.targets = append(node.targets, i)
		o.targets = append(o.targets, jsonTarget{label: e.Label})
	}
	return o, nil
}

func (n *jsonPathNode) child(step syntax.PathStep) *jsonPathNode {
	if c := n.at(step.Key, step.Index); c != nil {
		return c
	}
	c := &jsonPathNode{step: step}
	n.below = append(n.below, c)
	return c
}

// at returns the node under a key, or under an index when the key is "".
func (n *jsonPathNode) at(key string, index int) *jsonPathNode {
	for _, c := range n.below {
		if c.step.Key == key && c.step.Index == index {
			return c
		}
	}
	return nil
}

func (o *jsonPathOp) prepare(w *wanted) {
	o.finder.prepare(w)
	for i := range o.targets {
		o.targets[i].name = o.finder.remember(o.targets[i].label)
	}
}

func (o *jsonPathOp) apply(r *row) bool {
	if r.Line == "" {
		return true
	}
	switch r.Line[0] {
	case '{', '[', '"':
	default:
		r.fail(classJSON, "")
		return true
	}
	o.finder.begin(r)
	o.missing = len(o.targets)
	for i := range o.targets {
		o.targets[i].found = false
	}
	o.search(r)
	if o.missing == 0 {
		return true
	}
	for i := range o.targets { // all of them, as in Loki: one that was found under another name than its own, too
		if t := &o.targets[i]; t.name.wanted {
			if _, ok := r.get(t.label); !ok {
				r.set(t.label, "")
			}
		}
	}
	return true
}

// search goes through what stands in the line one behind the other: as a rule one object.
func (o *jsonPathOp) search(r *row) {
	for i := 0; i >= 0 && i < len(r.Line) && o.missing > 0; {
		switch r.Line[i] {
		case '{':
			i = o.object(r, &o.root, i)
		case '[':
			i = o.array(r, &o.root, i)
		case '"':
			if i = jsontext.StringEnd(r.Line, i+1); i < 0 {
				return
			}
			if i = jsontext.Space(r.Line, i); i < len(r.Line) && r.Line[i] == ':' {
				r.fail(classJSON, faultJSON) // a key outside of all objects
				return
			}
		default:
			i++
		}
	}
}

// object searches the object at i, and returns the index behind it; -1 when the search ends.
func (o *jsonPathOp) object(r *row, n *jsonPathNode, i int) int {
	line := r.Line
	for i++; i < len(line); {
		switch line[i] {
		case '}':
			return i + 1
		case '{', '[': // not where it should be
			if i = jsontext.BlockEnd(line, i); i < 0 {
				return -1
			}
		case '"':
			end := jsontext.StringEnd(line, i+1)
			if end < 0 {
				return -1
			}
			raw := line[i+1 : end-1]
			if i = jsontext.Space(line, end); i == len(line) || line[i] != ':' {
				continue // a value without its key
			}
			key, ok := jsonUnescaped(r, raw)
			if !ok {
				return -1
			}
			if i = o.value(r, n.at(key, 0), jsontext.Space(line, i+1)); i < 0 {
				return -1
			}
		default:
			i++
		}
	}
	return -1
}

// array searches the array at i, and returns the index behind it; -1 when the search ends.
func (o *jsonPathOp) array(r *row, n *jsonPathNode, i int) int {
	if !n.hasIndexes() {
		return jsontext.BlockEnd(r.Line, i)
	}
	line := r.Line
	if i = jsontext.Space(line, i+1); i < len(line) && line[i] == ']' {
		return i + 1
	}
	for index := 0; i < len(line); index++ {
		if _, fault := jsonValueEnd(line, i); fault != "" {
			return -1 // of an element that is cut off nothing is taken
		}
		if i = o.value(r, n.at("", index), i); i < 0 {
			return -1
		}
		if i = jsontext.Space(line, i); i == len(line) || line[i] != ',' {
			break
		}
		i = jsontext.Space(line, i+1)
	}
	if i < len(line) && line[i] == ']' {
		return i + 1
	}
	return -1
}

func (n *jsonPathNode) hasIndexes() bool {
	for _, c := range n.below {
		if c.step.Key == "" {
			return true
		}
	}
	return false
}

// value reads the value at i, to which n leads, or no path when n is nil. It returns the index behind it; -1 when the search
// ends.
func (o *jsonPathOp) value(r *row, n *jsonPathNode, i int) (end int) {
	if i == len(r.Line) {
		if n != nil {
			o.broken(r, n, faultJSON)
		}
		return -1
	}
	if n != nil && len(n.targets) > 0 {
		if text, fault := jsonValueText(r, i); fault != "" {
			o.broken(r, n, fault)
		} else {
			o.give(r, n, text)
		}
	}
	if o.missing == 0 {
		return -1
	}
	switch c := r.Line[i]; {
	case c == '{' && n != nil && len(n.below) > 0:
		return o.object(r, n, i)
	case c == '[' && n != nil && len(n.below) > 0:
		return o.array(r, n, i)
	case c == '{' || c == '[':
		return jsontext.BlockEnd(r.Line, i)
	case c == '"':
		return jsontext.StringEnd(r.Line, i+1)
	}
	for i < len(r.Line) && !jsonEnds[r.Line[i]] {
		i++
	}
	return i
}

// jsonValueText returns the text of the value at i.
func jsonValueText(r *row, i int) (text, fault string) {
	line := r.Line
	end, fault := jsonValueEnd(line, i)
	switch {
	case fault != "":
		return "", fault
	case line[i] == '"':
		return jsonText(r, line[i+1:end-1]), ""
	case line[i] == 'n':
		return "", ""
	}
	return validText(r, line[i:end]), ""
}

// give makes labels of the value of the node, unless an earlier value has.
func (o *jsonPathOp) give(r *row, n *jsonPathNode, text string) {
	for _, i := range n.targets {
		if t := &o.targets[i]; !t.found {
			t.found = true
			o.missing--
			o.finder.replace(r, t.name, text)
		}
	}
}

// broken notes that there is a value, but none that can be read.
func (o *jsonPathOp) broken(r *row, n *jsonPathNode, fault string) {
	for _, i := range n.targets {
		if !o.targets[i].found {
			r.fail(classJSON, fault)
			return
		}
	}
}
