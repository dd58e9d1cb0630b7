package derive

import (
	"strings"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
)

// inLogfmt reads a line as logfmt and returns the value under the earliest of the names, whatever their case, as Loki's
// decoder would: reading ends at the first thing that is not logfmt, and what was found until then counts.
func (f *levelFields) inLogfmt(line string) string {
	if !f.mayHaveKey(line) {
		return ""
	}
	best, found := len(f.folded), ""
	for i := 0; i < len(line); {
		for i < len(line) && line[i] <= ' ' {
			i++
		}
		key, value, next, ok := logfmtPair(line, i)
		if !ok {
			return found
		}
		i = next
		if !f.lastByte[key[len(key)-1]] || len(key) > 3*f.longest { // a letter folds to three bytes at most
			continue
		}
		for rank, name := range f.folded[:best] {
			if strings.EqualFold(key, name) {
				best, found = rank, value
				break
			}
		}
		if best == 0 {
			return found
		}
	}
	return found
}

// mayHaveKey looks at what stands before each equals sign. It is wrong only towards yes, and spares most lines that merely
// contain a sign from being read.
func (f *levelFields) mayHaveKey(line string) bool {
	for from := 0; ; {
		n := strings.IndexByte(line[from:], '=')
		if n < 0 {
			return false
		}
		end := from + n
		from = end + 1
		if end == 0 || !f.lastByte[line[end-1]] {
			continue
		}
		start := end
		for start > 0 && line[start-1] > ' ' && line[start-1] != '=' && line[start-1] != '"' && end-start <= 3*f.longest {
			start--
		}
		key := line[start:end]
		for _, name := range f.folded {
			if strings.EqualFold(key, name) {
				return true
			}
		}
	}
}

// logfmtPair reads the pair at i. The value is unescaped only as far as a level needs: one with escapes in it is none.
// ok is false at the end and where the text is not logfmt.
func logfmtPair(line string, i int) (key, value string, next int, ok bool) {
	start := i
	all := byte(0)
	for i < len(line) && line[i] > ' ' && line[i] != '=' {
		if line[i] == '"' {
			return "", "", i, false
		}
		all |= line[i]
		i++
	}
	key = line[start:i]
	if key == "" || all >= utf8.RuneSelf && strings.ContainsRune(key, utf8.RuneError) {
		return "", "", i, false
	}
	if i == len(line) || line[i] <= ' ' {
		return key, "", i, true
	}
	i++ // the equals sign
	if i == len(line) || line[i] <= ' ' {
		return key, "", i, true
	}
	if line[i] == '"' {
		value, next, ok = logfmtQuoted(line, i)
		return key, value, next, ok
	}
	start = i
	for i < len(line) && line[i] > ' ' {
		if line[i] == '=' || line[i] == '"' {
			return "", "", i, false
		}
		i++
	}
	return key, line[start:i], i, true
}

// logfmtQuoted reads the quoted value at i.
func logfmtQuoted(line string, i int) (value string, next int, ok bool) {
	end := jsontext.StringEnd(line, i+1)
	if end < 0 {
		return "", len(line), false
	}
	value = line[i+1 : end-1]
	if strings.IndexByte(value, '\\') < 0 {
		return value, end, true
	}
	value, ok = unescapeLogfmt(value)
	return value, end, ok
}

// unescapeLogfmt decodes the escapes of a quoted value; ok is false when one is not known. Only a short value can be a
// level, so a long one is checked and not built.
func unescapeLogfmt(s string) (value string, ok bool) {
	var b [2 * levelWordBytesMax]byte
	w := 0
	put := func(c byte) {
		if w < len(b) {
			b[w] = c
		}
		w++
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			put(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch c := s[i]; c {
		case '"', '\\', '/', '\'':
			put(c)
		case 'b', 'f', 'n', 'r', 't':
			put(' ') // some control character; no level has one
		case 'u':
			r, ok := hex4(s[i+1:])
			if !ok {
				return "", false
			}
			i += 4
			put(byte(min(r, utf8.RuneSelf)))
		default:
			return "", false
		}
	}
	if w > len(b) {
		return "", true
	}
	return string(b[:w]), true
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := lowerASCII(s[i])
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
