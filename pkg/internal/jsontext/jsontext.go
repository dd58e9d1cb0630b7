// Package jsontext finds the ends of things in JSON without checking it, as the library does that Loki reads JSON with
// (github.com/buger/jsonparser): a string ends at the next quote without an odd number of backslashes before it, a block at
// the bracket that closes it.
package jsontext

import "strings"

// Space returns the index of what follows the white space at i.
func Space(s string, i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// StringEnd returns the index behind the quote that ends the string whose first character, behind its quote, is at i; -1 when
// there is none.
func StringEnd(s string, i int) int {
	for from := i; ; {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if s[i-2] != '\\' { // at least the opening quote is there
			return i
		}
		backslashes := 1
		for i-2-backslashes >= from && s[i-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// BlockEnd returns the index behind the bracket that closes the one at i, -1 when there is none. It counts brackets of that
// kind outside of strings.
func BlockEnd(s string, i int) int {
	open, closed := s[i], s[i]+2 // ASCII has ] and } two behind [ and {
	for level := 0; i < len(s); {
		switch s[i] {
		case '"':
			if i = StringEnd(s, i+1); i < 0 {
				return -1
			}
			continue
		case open:
			level++
		case closed:
			if level--; level == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
