package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON in place. Strings point into b; those with escapes are unescaped where they stand, since no escape
// is shorter than what it means.
type jsonReader struct {
	b []byte
	i int
}

func (d *jsonReader) fault(what string) error {
	return malformed("invalid JSON at byte %d: %s", d.i, what)
}

// peek steps over white space and returns the next byte, 0 at the end.
func (d *jsonReader) peek() byte {
	for d.i < len(d.b) {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return c
		}
	}
	return 0
}

// take steps over c when it comes next.
func (d *jsonReader) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	if d.i == len(d.b) { // c was the zero byte
		return false
	}
	d.i++
	return true
}

// null steps over null when it comes next.
func (d *jsonReader) null() bool {
	if d.peek() != 'n' || !bytes.HasPrefix(d.b[d.i:], []byte("null")) {
		return false
	}
	d.i += len("null")
	return true
}

func (d *jsonReader) end() error {
	if d.peek(); d.i < len(d.b) {
		return d.fault("text behind the end")
	}
	return nil
}

// object reads an object; field reads the value of each key.
func (d *jsonReader) object(what string, field func(key string) error) error {
	if !d.take('{') {
		return d.fault(what + " must be an object")
	}
	if d.take('}') {
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.fault("expected a key")
		}
		key, err := d.string()
		if err != nil {
			return err
		}
		if !d.take(':') {
			return d.fault("expected a colon")
		}
		if err := field(key); err != nil {
			return err
		}
		if d.take('}') {
			return nil
		}
		if !d.take(',') {
			return d.fault("expected a comma or the end of an object")
		}
	}
}

// array reads an array; element reads each value.
func (d *jsonReader) array(what string, element func() error) error {
	if !d.take('[') {
		return d.fault(what + " must be an array")
	}
	if d.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if d.take(']') {
			return nil
		}
		if !d.take(',') {
			return d.fault("expected a comma or the end of an array")
		}
	}
}

// text reads a string, or any other value as the text that it is written in.
func (d *jsonReader) text() (string, error) {
	if d.peek() == '"' {
		return d.string()
	}
	raw, err := d.skipValue()
	return stringOf(raw), err
}

// string reads the string at the opening quote.
func (d *jsonReader) string() (string, error) {
	start := d.i + 1
	n := bytes.IndexByte(d.b[start:], '"')
	if n < 0 {
		return "", d.fault("a string does not end")
	}
	plain := d.b[start : start+n]
	escape := bytes.IndexByte(plain, '\\')
	if escape < 0 {
		d.i = start + n + 1
		return stringOf(plain), nil
	}
	return d.unescape(start, start+escape)
}

// unescape reads on from the first backslash of the string that begins at start. It writes at w what it read at i; w never
// overtakes i.
func (d *jsonReader) unescape(start, i int) (string, error) {
	b, w := d.b, i
	for i < len(b) {
		switch b[i] {
		case '"':
			d.i = i + 1
			return stringOf(b[start:w]), nil
		case '\\':
			var ok bool
			if w, i, ok = unescapeOne(b, w, i); !ok {
				d.i = i
				return "", d.fault("unknown escape in a string")
			}
		default:
			run := i
			for run < len(b) && b[run] != '"' && b[run] != '\\' {
				run++
			}
			w += copy(b[w:], b[i:run])
			i = run
		}
	}
	d.i = len(b)
	return "", d.fault("a string does not end")
}

// unescapeOne writes at b[w] what the escape at b[i] means and returns where to go on.
func unescapeOne(b []byte, w, i int) (nextW, nextI int, ok bool) {
	if i+1 >= len(b) {
		return w, i, false
	}
	c := b[i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return unescapeUnicode(b, w, i)
	default:
		return w, i, false
	}
	b[w] = c
	return w + 1, i + 2, true
}

func unescapeUnicode(b []byte, w, i int) (nextW, nextI int, ok bool) {
	c, ok := hex4(b, i)
	if !ok {
		return w, i, false
	}
	i += 6
	if utf16.IsSurrogate(c) {
		low, ok := hex4(b, i)
		if c = utf16.DecodeRune(c, low); ok && c != utf8.RuneError {
			i += 6
		} else {
			c = utf8.RuneError
		}
	}
	return w + utf8.EncodeRune(b[w:], c), i, true
}

// hex4 reads \uXXXX at b[i].
func hex4(b []byte, i int) (rune, bool) {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skipValue steps over one value of any kind and returns its text.
func (d *jsonReader) skipValue() ([]byte, error) {
	d.peek()
	start := d.i
	var closers [jsonDepthMax]byte
	depth := 0
	for {
		switch c := d.peek(); c {
		case '{', '[':
			if depth == len(closers) {
				return nil, d.fault("values are nested too deep")
			}
			closers[depth] = c + 2 // ASCII has } and ] two behind { and [
			depth++
			d.i++
			if !d.take(closers[depth-1]) {
				if c == '{' {
					if err := d.skipKey(); err != nil {
						return nil, err
					}
				}
				continue
			}
			depth--
		case '"':
			if err := d.skipString(); err != nil {
				return nil, err
			}
		default:
			if !d.skipScalar() {
				return nil, d.fault("expected a value")
			}
		}
		// A value has ended, and with it every container that closes here.
		for depth > 0 && d.take(closers[depth-1]) {
			depth--
		}
		if depth == 0 {
			return d.b[start:d.i], nil
		}
		if !d.take(',') {
			return nil, d.fault("expected a comma or the end of a value")
		}
		if closers[depth-1] == '}' {
			if err := d.skipKey(); err != nil {
				return nil, err
			}
		}
	}
}

func (d *jsonReader) skipKey() error {
	if d.peek() != '"' {
		return d.fault("expected a key")
	}
	if err := d.skipString(); err != nil {
		return err
	}
	if !d.take(':') {
		return d.fault("expected a colon")
	}
	return nil
}

// skipString steps over a string without changing it: what is skipped may be read as text.
func (d *jsonReader) skipString() error {
	for i := d.i + 1; i < len(d.b); i++ {
		switch d.b[i] {
		case '\\':
			i++
		case '"':
			d.i = i + 1
			return nil
		}
	}
	return d.fault("a string does not end")
}

// skipScalar steps over true, false, null or a number.
func (d *jsonReader) skipScalar() bool {
	start := d.i
	for d.i < len(d.b) {
		switch c := d.b[d.i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '+', c == '.':
			d.i++
			continue
		}
		break
	}
	word := d.b[start:d.i]
	switch string(word) {
	case "true", "false", "null":
		return true
	}
	return isNumber(word)
}

// isNumber knows the grammar of JSON numbers.
func isNumber(s []byte) bool {
	s = bytes.TrimPrefix(s, []byte("-"))
	leadingZero := len(s) > 1 && s[0] == '0'
	whole, s := digits(s)
	if whole == 0 || leadingZero && whole > 1 {
		return false
	}
	if len(s) > 0 && s[0] == '.' {
		var fraction int
		if fraction, s = digits(s[1:]); fraction == 0 {
			return false
		}
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		var exponent int
		if exponent, s = digits(s); exponent == 0 {
			return false
		}
	}
	return len(s) == 0
}

func digits(s []byte) (count int, rest []byte) {
	for count < len(s) && '0' <= s[count] && s[count] <= '9' {
		count++
	}
	return count, s[count:]
}
