package derive

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
)

// isJSON reports whether a line looks like a JSON object: { first and } last, white space aside. As in Loki the last
// character is looked for byte by byte, so the Latin-1 spaces 0x85 and 0xA0 count as white space there.
func isJSON(line string) bool {
	if line == "" {
		return false
	}
	first := line[0]
	if first != '{' {
		if first > ' ' && first < utf8.RuneSelf {
			return false
		}
		trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
		if trimmed == "" || trimmed[0] != '{' {
			return false
		}
	}
	i := len(line) - 1
	for i > 0 && unicode.IsSpace(rune(line[i])) {
		i--
	}
	return line[i] == '}'
}

// inJSON walks a JSON object and returns the first string under one of the names, as it is written. Objects are searched
// to the given depth, arrays are not. The walk takes malformed JSON as Loki's library (buger/jsonparser) does: what was
// found before the fault counts, if the objects around it are closed.
func (f *levelFields) inJSON(line string, maxDepth int) string {
	i := jsontext.Space(line, 0)
	if i == len(line) || line[i] != '{' {
		return "" // white space that JSON does not know stands before the object
	}
	i = jsontext.Space(line, i+1)
	for depth := 1; i < len(line); {
		if line[i] == '}' {
			i++
			if depth--; depth == 0 {
				return ""
			}
		} else {
			key, at, ok := jsonKey(line, i)
			if !ok || at >= len(line) {
				return ""
			}
			if line[at] == '{' && (maxDepth <= 0 || depth < maxDepth) {
				depth++
				i = jsontext.Space(line, at+1)
				continue
			}
			end := jsonValueEnd(line, at)
			if end < 0 {
				return ""
			}
			if line[at] == '"' && f.has(key) {
				if !closes(line[end:], depth-1) {
					return ""
				}
				return line[at+1 : end-1]
			}
			i = end
		}
		// Behind a value: a comma and the next key, or the end of the object.
		if i = jsontext.Space(line, i); i < len(line) && line[i] == ',' {
			i = jsontext.Space(line, i+1)
		} else if i >= len(line) || line[i] != '}' {
			return ""
		}
	}
	return ""
}

// jsonKey reads the key at i and returns it with the index of its value.
func jsonKey(line string, i int) (key string, at int, ok bool) {
	if line[i] != '"' {
		return "", 0, false
	}
	end := jsontext.StringEnd(line, i+1)
	if end < 0 {
		return "", 0, false
	}
	key = line[i+1 : end-1]
	if strings.IndexByte(key, '\\') >= 0 {
		if key, ok = unescapeJSON(line[i:end]); !ok {
			return "", 0, false
		}
	}
	at = jsontext.Space(line, end)
	if at >= len(line) || line[at] != ':' {
		return "", 0, false
	}
	return key, jsontext.Space(line, at+1), true
}

// jsonValueEnd returns the index behind the value at i, -1 when it has none.
func jsonValueEnd(line string, i int) int {
	switch line[i] {
	case '"':
		return jsontext.StringEnd(line, i+1)
	case '{', '[':
		return jsontext.BlockEnd(line, i)
	}
	end := i
	for end < len(line) && !isTokenEnd(line[end]) {
		end++
	}
	switch word := line[i:end]; {
	case word == "":
		return -1
	case word == "true", word == "false", word == "null", isDigit(word[0]), word[0] == '-':
		return end
	}
	return -1
}

func isTokenEnd(c byte) bool {
	switch c {
	case ' ', '\n', '\r', '\t', ',', '}', ']':
		return true
	}
	return false
}

// unescapeJSON decodes a string with its quotes.
func unescapeJSON(quoted string) (string, bool) {
	var s string
	err := json.Unmarshal([]byte(quoted), &s)
	return s, err == nil
}

// closes reports whether so many objects that are open before s are closed in it.
func closes(s string, open int) bool {
	for i := 0; open > 0; {
		if i >= len(s) {
			return false
		}
		switch s[i] {
		case '"':
			if i = jsontext.StringEnd(s, i+1); i < 0 {
				return false
			}
			continue
		case '{':
			open++
		case '}':
			open--
		}
		i++
	}
	return true
}
