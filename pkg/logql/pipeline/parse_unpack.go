package pipeline

import "github.com/woodshed-logs/woodshed/pkg/internal/jsontext"

// packedEntryKey is the key under which Promtail's pack stage and its like put the line.
const packedEntryKey = "_entry"

// unpackOp is | unpack: of an object with the key _entry, that string becomes the line, and the other strings become
// labels. Any other object stays as it is.
type unpackOp struct {
	finder finder
	values []packedValue
	path   []byte
}

// packedValue is a string that becomes a label when there is an entry.
type packedValue struct {
	name *foundName
	raw  string
}

func (o *unpackOp) prepare(w *wanted) { o.finder.prepare(w) }

func (o *unpackOp) apply(r *row) bool {
	if r.Line == "" {
		return true
	}
	if r.Line[0] != '{' {
		r.fail(classJSON, "expecting json object(6), but it is not") // Loki's text
		return true
	}
	if len(o.finder.names) > jsonKeysMax {
		o.prepare(r.wanted)
	}
	o.values = o.values[:0]
	entry, packed, fault := o.walk(r)
	switch {
	case fault != "":
		r.fail(classJSON, fault)
	case packed:
		o.finder.begin(r)
		for i := len(o.values) - 1; i >= 0; i-- { // of several under one name the last one counts
			if l := o.finder.claim(r, o.values[i].name); l != nil {
				l.Value = jsonText(r, o.values[i].raw)
			}
		}
		r.Line = entry
	}
	return true
}

// walk reads the object that the line is: its strings into o.values, and the entry.
func (o *unpackOp) walk(r *row) (entry string, packed bool, fault string) {
	line := r.Line
	i := jsontext.Space(line, 1)
	if i == len(line) {
		return "", false, faultJSON
	}
	for line[i] != '}' {
		if line[i] != '"' {
			return "", false, faultObject
		}
		end := jsontext.StringEnd(line, i+1)
		if end < 0 {
			return "", false, faultJSON
		}
		key, ok := jsonUnescaped(r, line[i+1:end-1])
		if !ok {
			return "", false, faultEscape
		}
		if i = jsontext.Space(line, end); i == len(line) || line[i] != ':' {
			return "", false, faultJSON
		}
		if i = jsontext.Space(line, i+1); i == len(line) {
			return "", false, faultJSON
		}
		if end, fault = jsonValueEnd(line, i); fault != "" {
			return "", false, fault
		}
		switch {
		case line[i] != '"':
		case key == packedEntryKey:
			if entry, packed = jsonUnescaped(r, line[i+1:end-1]); !packed {
				return "", false, faultEscape
			}
		default:
			o.path = appendLabelName(o.path[:0], key)
			if n := o.finder.name(o.path); n != nil {
				o.values = append(o.values, packedValue{name: n, raw: line[i+1 : end-1]})
			}
		}
		if i = jsontext.Space(line, end); i == len(line) {
			return "", false, faultArray
		}
		if line[i] == ',' {
			if i = jsontext.Space(line, i+1); i == len(line) {
				return "", false, faultArray
			}
		} else if line[i] != '}' {
			return "", false, faultObject
		}
	}
	return entry, packed, ""
}
