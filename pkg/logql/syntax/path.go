package syntax

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// PathStep is one step into a JSON document: a key of an object, or an index of an array when Key is "".
type PathStep struct {
	Key   string
	Index int
}

// ParseJSONPath reads the path of a | json extraction: a.b, a["b c"], a[0].b . Blanks may stand between its parts.
func ParseJSONPath(text string) ([]PathStep, error) {
	var steps []PathStep
	for i := skipBlanks(text, 0); i < len(text); i = skipBlanks(text, i) {
		switch c := text[i]; {
		case c == '[':
			step, length, err := bracketStep(text[i:])
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
			i += length
		case c == '.' && len(steps) > 0, isKeyStart(c) && len(steps) == 0:
			if c == '.' {
				i = skipBlanks(text, i+1)
			}
			key := keyAt(text, i)
			if key == "" {
				return nil, errors.New("syntax error: a key must follow the dot")
			}
			steps = append(steps, PathStep{Key: key})
			i += len(key)
		case isKeyStart(c):
			return nil, errors.New("syntax error: unexpected FIELD")
		default:
			return nil, unexpectedChar(text[i:])
		}
	}
	if len(steps) == 0 {
		return nil, errors.New("syntax error: unexpected $end")
	}
	return steps, nil
}

// bracketStep reads ["key"] or [index] and returns its length.
func bracketStep(text string) (PathStep, int, error) {
	if start := skipBlanks(text, 1); strings.HasPrefix(text[start:], `"`) {
		key, rest, ok := strings.Cut(text[start+1:], `"`)
		end := skipBlanks(rest, 0)
		if !ok || key == "" || !strings.HasPrefix(rest[end:], "]") {
			return PathStep{}, 0, errors.New("syntax error: a quoted key must be followed by \"]")
		}
		return PathStep{Key: key}, len(text) - len(rest) + end + 1, nil
	}
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return PathStep{}, 0, errors.New("syntax error: missing ]")
	}
	digits := strings.Trim(text[1:end], blanks)
	index, err := strconv.Atoi(digits)
	if err != nil || !isDigit(digits[0]) {
		return PathStep{}, 0, fmt.Errorf("cannot use %q as array index", text[1:end])
	}
	return PathStep{Index: index}, end + 1, nil
}

// ParseLogfmtKey reads the key of a | logfmt extraction: a name, or anything in double quotes.
func ParseLogfmtKey(text string) (string, error) {
	text = strings.Trim(text, blanks)
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1], nil
	}
	key := keyAt(text, 0)
	if key == "" || key != text {
		rest := text[len(key):]
		if next := skipBlanks(rest, 0); next > 0 && isKeyStart(rest[next]) {
			return "", errors.New("syntax error: unexpected KEY")
		}
		return "", unexpectedChar(rest)
	}
	return key, nil
}

const blanks = " \t\n"

// skipBlanks returns the offset of what is no blank, from offset i on.
func skipBlanks(text string, i int) int {
	return len(text) - len(strings.TrimLeft(text[i:], blanks))
}

// keyAt returns the plain key at offset i, "" when none begins there.
func keyAt(text string, i int) string {
	end := i
	for end < len(text) && (isKeyStart(text[end]) || end > i && isDigit(text[end])) {
		end++
	}
	return text[i:end]
}

func isKeyStart(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func unexpectedChar(rest string) error {
	if rest == "" {
		return errors.New("syntax error: unexpected $end")
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return fmt.Errorf("unexpected char %c", r)
}
