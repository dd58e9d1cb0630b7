package naive

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/buger/jsonparser"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

const jsonError = "JSONParserErr"

var errJSON = errors.New("malformed JSON")

// json makes a label of each text, number and boolean of the object that begins the line, under the keys on the way to it.
// What comes before a fault counts.
func (r *row) json() {
	err := walkObject(r.line, nil, func(path []string, value string) {
		var parts []string
		for _, key := range path {
			if key = strings.TrimSpace(key); key != "" {
				parts = append(parts, sanitizeRunes(key))
			}
		}
		name := strings.Join(parts, "_")
		if name == "" {
			return
		}
		if name[0] >= '0' && name[0] <= '9' {
			name = "_" + name
		}
		if text, ok := scalar(value); ok {
			r.extract(name, text)
		}
	})
	if err != nil {
		r.fail(jsonError, err.Error())
	}
}

func sanitizeRunes(key string) string { return strings.TrimPrefix(sanitize("_"+key), "_") }

// walkObject visits the values in an object that are no objects themselves, in the order written. It reads what a reader in
// a hurry accepts: whatever follows the object, a comma before the closing brace, numbers that only begin like one. But an
// inner object that does not end is not gone into.
func walkObject(text string, path []string, visit func(path []string, value string)) error {
	s := &scanner{rest: text}
	if !s.take('{') {
		return errJSON
	}
	for first := true; ; first = false {
		if s.take('}') {
			return nil
		}
		if !first {
			if !s.take(',') {
				return errJSON
			}
			if s.take('}') {
				return nil
			}
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		inner := slices.Concat(path, []string{key})
		if value[0] != '{' {
			visit(inner, value)
		} else if err := walkObject(value, inner, visit); err != nil {
			return err
		}
	}
}

// scanner cuts JSON into pieces.
type scanner struct{ rest string }

func (s *scanner) blanks() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// take removes a character, blanks before it too, and reports whether it was there.
func (s *scanner) take(c byte) bool {
	s.blanks()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// key removes a key and its colon.
func (s *scanner) key() (string, error) {
	s.blanks()
	n := quoted(s.rest)
	if n == 0 {
		return "", errJSON
	}
	key, ok := unquote(s.rest[:n])
	s.rest = s.rest[n:]
	if !ok || !s.take(':') {
		return "", errJSON
	}
	return key, nil
}

// value removes a value and returns its text.
func (s *scanner) value() (string, error) {
	s.blanks()
	n := 0
	switch {
	case s.rest == "":
	case s.rest[0] == '"':
		n = quoted(s.rest)
	case s.rest[0] == '{' || s.rest[0] == '[':
		n = block(s.rest)
	default:
		n = strings.IndexAny(s.rest+" ", " \t\r\n,}]")
		word := s.rest[:n]
		if word != "true" && word != "false" && word != "null" && !strings.ContainsAny(word[:min(1, n)], "-0123456789") {
			n = 0
		}
	}
	if n == 0 {
		return "", errJSON
	}
	value := s.rest[:n]
	s.rest = s.rest[n:]
	return value, nil
}

// quoted returns the length of the string that begins a text, quotes included; 0 when none does.
func quoted(text string) int {
	if text == "" || text[0] != '"' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// block returns the length of the object or array that begins a text; 0 when it does not end.
func block(text string) int {
	open, closing := text[0], text[0]+2 // {} and [] are two apart
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := quoted(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case open:
			depth++
		case closing:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func unquote(text string) (string, bool) {
	if !strings.Contains(text, `\`) {
		return text[1 : len(text)-1], true // as it is, even what JSON wants escaped
	}
	var s string
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil
}

// scalar returns the value of a label; ok is false for null and for what is no scalar.
func scalar(value string) (text string, ok bool) {
	switch value[0] {
	case '"':
		text, _ = unquote(value) // "" when its escapes are wrong
		return text, true
	case '[', '{', 'n':
		return "", false
	}
	return value, true
}

// jsonPaths makes a label of each path, "" for what is not there. It replaces what was made before. How lenient it is with
// lines that are cut off is for the library to say that Loki uses.
func (r *row) jsonPaths(s *syntax.JSON) error {
	if r.line == "" {
		return nil
	}
	if !strings.ContainsAny(r.line[:1], `"{[`) {
		r.fail(jsonError, "")
		return nil
	}
	var paths [][]string
	for _, e := range s.Extractions {
		steps, err := syntax.ParseJSONPath(e.Path)
		if err != nil {
			return err
		}
		var path []string
		for _, step := range steps {
			if step.Key == "" {
				step.Key = fmt.Sprintf("[%d]", step.Index)
			}
			path = append(path, step.Key)
		}
		paths = append(paths, path)
	}
	found := 0
	jsonparser.EachKey([]byte(r.line), func(i int, value []byte, kind jsonparser.ValueType, err error) {
		if err != nil {
			r.fail(jsonError, err.Error())
			return
		}
		found++
		name := s.Extractions[i].Label
		if r.clashes(name) {
			name += extracted
		}
		text := string(value)
		switch kind {
		case jsonparser.String:
			text, _ = unquote(`"` + text + `"`)
		case jsonparser.Null:
			text = ""
		}
		r.set(name, strings.ToValidUTF8(text, " "))
	}, paths...)
	if found == len(paths) {
		return nil // and a name of the stream that was dropped stays so
	}
	for _, e := range s.Extractions {
		if _, ok := r.get(e.Label); !ok {
			r.set(e.Label, "")
		}
	}
	return nil
}

// unpack makes a label of each text of an object that has one named _entry, which becomes the line.
func (r *row) unpack() {
	if r.line == "" {
		return
	}
	type pair struct{ name, value string }
	var pairs []pair
	line, packed := r.line, false
	var err error
	if r.line[0] != '{' {
		err = errors.New("no object")
	} else {
		err = walkObject(r.line, nil, func(path []string, value string) {
			if len(path) > 1 || value[0] != '"' {
				return
			}
			text, _ := unquote(value)
			if path[0] == "_entry" {
				line, packed = text, true
				return
			}
			pairs = append(pairs, pair{path[0], text})
		})
	}
	if err != nil {
		r.fail(jsonError, err.Error())
		return
	}
	if !packed {
		return
	}
	for _, p := range pairs {
		r.extract(sanitize(p.name), p.value)
	}
	r.line = line
}
