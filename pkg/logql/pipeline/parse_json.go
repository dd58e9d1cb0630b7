package pipeline

import (
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// jsonOp is | json: every string, number and truth value of an object becomes a label. In objects within, the name of the
// object and an underscore come first. Arrays and null are passed over.
//
// The line is read once, to its end or its first fault; what came before the fault counts. It is not read on when nobody
// waits for more labels, unless in an object within, of which nothing counts when it is not closed. The lines of one program
// look alike, so the op expects after each key the one that followed it last time: then a comparison of bytes finds the key's
// end, its colon, and what is known of it.
type jsonOp struct {
	finder finder
	root   *jsonObject
	keys   int // in all objects
	open   []jsonLevel
}

// jsonObject is what was learned of the objects at one place.
type jsonObject struct {
	prefix string // what the labels of its values begin with
	keys   map[string]*jsonKey
	first  *jsonKey // the one that came first last time
}

// jsonKey is what was learned of a key.
type jsonKey struct {
	token  keyToken    // as it stands in the line, with its quotes and the colon
	name   *foundName  // of its value; nil when nobody reads it
	inside *jsonObject // of what stands in it when it is an object; nil when nobody reads any of that
	next   *jsonKey    // the one that followed it last time
}

// pathText returns the path as a text. It is the name's when there is one: of long paths there may be tens of thousands.
func (k *jsonKey) pathText(path []byte) string {
	if k.name != nil {
		return k.name.text
	}
	return string(path)
}

// jsonLevel is an object that is open while one within is read.
type jsonLevel struct {
	object *jsonObject
	key    *jsonKey // of the object within
	start  int      // of the object within
	made   made     // before it
}

// jsonKeysMax bounds the keys that are remembered from line to line.
const jsonKeysMax = 4096

// unreadKey is every key whose value nobody reads, and that is not worth remembering.
var unreadKey = &jsonKey{}

func newJSONOp(s *syntax.JSON) (op, error) {
	if len(s.Extractions) > 0 {
		return newJSONPathOp(s.Extractions)
	}
	return &jsonOp{}, nil
}

func (o *jsonOp) prepare(w *wanted) {
	o.finder.prepare(w)
	o.root = &jsonObject{}
	o.keys = 0
}

func (o *jsonOp) apply(r *row) bool {
	if o.keys > jsonKeysMax {
		o.prepare(r.wanted)
	}
	o.open = o.open[:0]
	o.finder.begin(r)
	fault := o.walk(r)
	if fault == "" {
		return true
	}
	if len(o.open) > 0 && jsontext.BlockEnd(r.Line, o.open[0].start) < 0 {
		// An object that is not closed is the first fault, and nothing in it counts.
		fault = faultObject
		o.finder.rollBack(r, o.open[0].made)
	}
	r.fail(classJSON, fault)
	return true
}

// walk makes the labels. At a fault, o.open are the objects that are open around it.
func (o *jsonOp) walk(r *row) (fault string) {
	line := r.Line
	i := jsontext.Space(line, 0)
	if i == len(line) || line[i] != '{' {
		return faultObject
	}
	if i = jsontext.Space(line, i+1); i == len(line) {
		return faultJSON
	}
	object := o.root
	var last *jsonKey // the key before, in the same object
	for o.finder.waits > 0 || len(o.open) > 0 {
		if line[i] == '}' {
			depth := len(o.open) - 1
			if depth < 0 {
				return ""
			}
			object, last = o.open[depth].object, o.open[depth].key
			o.open = o.open[:depth]
			i++
		} else {
			if last, i, fault = o.key(object, last, line, i); fault != "" {
				return fault
			}
			if i < len(line) && line[i] <= ' ' {
				i = jsontext.Space(line, i)
			}
			if i == len(line) {
				return faultJSON
			}
			if line[i] == '{' {
				o.open = append(o.open, jsonLevel{object: object, key: last, start: i, made: o.finder.mark(r)})
				object, last = last.inside, nil
				if i = jsontext.Space(line, i+1); i == len(line) {
					return faultJSON
				}
				continue
			}
			if i, fault = o.value(r, last.name, i); fault != "" {
				return fault
			}
		}
		// Behind a value: a comma and the next key, or the end of the object.
		if i < len(line) && line[i] <= ' ' {
			i = jsontext.Space(line, i)
		}
		if i == len(line) {
			return faultArray
		}
		if line[i] == ',' {
			if i = jsontext.Space(line, i+1); i == len(line) {
				return faultArray
			}
		} else if line[i] != '}' {
			return faultObject
		}
	}
	return ""
}

// value reads the value at i, which is no object, and returns the index behind it.
func (o *jsonOp) value(r *row, name *foundName, i int) (end int, fault string) {
	line := r.Line
	if line[i] == '"' {
		if end = jsontext.StringEnd(line, i+1); end < 0 {
			return 0, faultString
		}
		if name != nil {
			if l := o.finder.claim(r, name); l != nil {
				l.Value = jsonText(r, line[i+1:end-1])
			}
		}
		return end, ""
	}
	end, fault = jsonValueEnd(line, i)
	if name == nil || fault != "" || line[i] == '[' || line[i] == 'n' {
		return end, fault
	}
	if l := o.finder.claim(r, name); l != nil {
		l.Value = line[i:end]
	}
	return end, ""
}

// key reads the key at i, and returns the index behind its colon.
func (o *jsonOp) key(object *jsonObject, last *jsonKey, line string, i int) (key *jsonKey, end int, fault string) {
	switch {
	case last != nil:
		key = last.next
	case object != nil:
		key = object.first
	}
	if key != nil {
		if key.token.begins(bytesOf(line), i) {
			return key, i + len(key.token.text), ""
		}
		// Perhaps it is one that is not always there.
		if key = key.next; key != nil && key.token.begins(bytesOf(line), i) {
			return key, i + len(key.token.text), ""
		}
	}
	if line[i] != '"' {
		return nil, 0, faultObject
	}
	if end = jsontext.StringEnd(line, i+1); end < 0 {
		return nil, 0, faultJSON
	}
	if key, fault = o.learn(object, line[i+1:end-1]); fault != "" {
		return nil, 0, fault
	}
	if end = jsontext.Space(line, end); end == len(line) || line[end] != ':' {
		return nil, 0, faultJSON
	}
	switch {
	case key == unreadKey || last == unreadKey:
	case last != nil:
		last.next = key
	default:
		object.first = key
	}
	return key, end + 1, ""
}

// learn returns what is known of a key from between its quotes.
func (o *jsonOp) learn(object *jsonObject, raw string) (key *jsonKey, fault string) {
	if object != nil {
		if key, ok := object.keys[raw]; ok {
			return key, ""
		}
	}
	text := raw
	if strings.IndexByte(raw, '\\') >= 0 {
		unescaped, ok := appendUnescaped(nil, raw, &jsonEscapes)
		if !ok {
			return nil, faultEscape
		}
		text = string(unescaped)
	}
	if object == nil {
		return unreadKey, ""
	}
	path := appendNestedName([]byte(object.prefix), text)
	key = &jsonKey{token: newKeyToken(`"` + raw + `":`), name: o.finder.name(path)}
	if len(path) <= labelNameBytesMax && o.finder.wanted.mayWantPrefix(string(path)) {
		key.inside = &jsonObject{prefix: key.pathText(path)}
	}
	if key.name == nil && key.inside == nil && o.keys >= jsonKeysMax {
		return unreadKey, "" // the keys that are read stay known, however many others there are
	}
	o.keys++
	if object.keys == nil {
		object.keys = map[string]*jsonKey{}
	}
	object.keys[key.token.text[1:len(raw)+1]] = key
	return key, ""
}
