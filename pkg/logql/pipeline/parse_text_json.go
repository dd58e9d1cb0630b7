package pipeline

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
)

// What JSON is taken for here is what Loki's library (jsonparser) does: strings and blocks end as package jsontext says,
// anything else at white space, a comma or a closing bracket. The texts of the faults are that library's, for they end up in __error_details__.
const (
	faultObject = "Value looks like object, but can't find closing '}' symbol"
	faultArray  = "Value is array, but can't find closing ']' symbol"
	faultString = "Value is string, but can't find closing '\"' symbol"
	faultEscape = "Encountered an invalid escape sequence in a string"
	faultJSON   = "Malformed JSON error"
	faultValue  = "Unknown value type"
)

// jsonEnds marks the bytes that end a number or a word.
var jsonEnds = [256]bool{' ': true, '\n': true, '\r': true, '\t': true, ',': true, '}': true, ']': true}

// jsonValueEnd returns the index behind the value at i, or its fault. Of the words only null begins with an n.
func jsonValueEnd(s string, i int) (end int, fault string) {
	switch c := s[i]; {
	case c == '"':
		if end = jsontext.StringEnd(s, i+1); end < 0 {
			return end, faultString
		}
		return end, ""
	case c == '{':
		if end = jsontext.BlockEnd(s, i); end < 0 {
			return end, faultObject
		}
		return end, ""
	case c == '[':
		if end = jsontext.BlockEnd(s, i); end < 0 {
			return end, faultArray
		}
		return end, ""
	case '0' <= c && c <= '9' || c == '-':
		return jsonWordEnd(s, i), ""
	}
	end = jsonWordEnd(s, i)
	switch s[i:end] {
	case "true", "false", "null":
		return end, ""
	}
	return -1, faultValue
}

func jsonWordEnd(s string, i int) int {
	for i < len(s) && !jsonEnds[s[i]] {
		i++
	}
	return i
}

// jsonText returns the text of a string from between its quotes, made valid; "" when an escape in it is broken.
func jsonText(r *row, raw string) string {
	if isPlain(raw) {
		return raw
	}
	text, ok := jsonUnescaped(r, raw)
	if !ok {
		return ""
	}
	return validText(r, text)
}

// jsonUnescaped returns what the inside of a string means; false when an escape in it is broken.
func jsonUnescaped(r *row, raw string) (text string, ok bool) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	r.scratch, ok = appendUnescaped(r.scratch[:0], raw, &jsonEscapes)
	if !ok {
		return "", false
	}
	return r.text(r.scratch), true
}

// appendUnescaped appends what the inside of a string means. Half a surrogate pair is the replacement character.
func appendUnescaped(dst []byte, raw string, escapes *[256]byte) (text []byte, ok bool) {
	for {
		n := strings.IndexByte(raw, '\\')
		if n < 0 {
			return append(dst, raw...), true
		}
		dst = append(dst, raw[:n]...)
		raw = raw[n:]
		if len(raw) < 2 {
			return dst, false
		}
		if raw[1] != 'u' {
			c := escapes[raw[1]]
			if c == 0 {
				return dst, false
			}
			dst = append(dst, c)
			raw = raw[2:]
			continue
		}
		c, length := jsonRune(raw)
		if length == 0 {
			return dst, false
		}
		dst = utf8.AppendRune(dst, c)
		raw = raw[length:]
	}
}

// jsonEscapes are the characters that stand for themselves or others behind a backslash.
var jsonEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// jsonRune reads \uXXXX, or a pair of them, at the beginning of s. Its length is 0 when they are broken.
func jsonRune(s string) (c rune, length int) {
	c = hexRune(s)
	switch {
	case c < 0:
		return 0, 0
	case !utf16.IsSurrogate(c):
		return c, 6
	case c >= 0xDC00 || !strings.HasPrefix(s[6:], `\u`):
		return utf8.RuneError, 6
	}
	low := hexRune(s[6:])
	if low < 0 {
		return 0, 0
	}
	if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hexRune returns the number of \uXXXX, -1 when the digits are wrong.
func hexRune(s string) rune {
	if len(s) < 6 {
		return -1
	}
	var c rune
	for _, digit := range []byte(s[2:6]) {
		switch {
		case '0' <= digit && digit <= '9':
			c = c<<4 | rune(digit-'0')
		case 'a' <= digit|0x20 && digit|0x20 <= 'f':
			c = c<<4 | rune(digit|0x20-'a'+10)
		default:
			return -1
		}
	}
	return c
}
