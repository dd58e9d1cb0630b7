package syntax

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseError says why a query is not LogQL, in Loki's words. Line and Col count from 1, Col in characters; both are 0
// when the fault is in the meaning rather than at one place of the text. From and To are the bytes of the text to
// underline: the token, the argument or the part of the query that is at fault. They are equal at the end of the text, and
// both 0 when nothing smaller than all of it can be named.
type ParseError struct {
	Line, Col int
	From, To  int
	Msg       string
	bare      bool // print Msg alone
}

// Error returns Loki's text.
func (e *ParseError) Error() string {
	switch {
	case e.bare:
		return e.Msg
	case e.Line == 0 && e.Col == 0:
		return "parse error : " + e.Msg
	}
	return fmt.Sprintf("parse error at line %d, col %d: %s", e.Line, e.Col, e.Msg)
}

// meaningErrorf is an error about the meaning of the query, without a place.
func meaningErrorf(format string, args ...any) *ParseError {
	return &ParseError{Msg: fmt.Sprintf(format, args...)}
}

// stageErrorf is Loki's text about a stage whose argument cannot be used.
func stageErrorf(s Stage, cause error) *ParseError {
	return meaningErrorf("stage '%s' : %s", s, cause)
}

// errorAt places an error at a byte offset of the text.
func errorAt(text string, offset int, msg string) *ParseError {
	before := text[:offset]
	line := 1 + strings.Count(before, "\n")
	col := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return &ParseError{Line: line, Col: col, From: offset, To: tokenEnd(text, offset), Msg: msg}
}

// tokenEnd returns the end of the token that begins at an offset. One that cannot be read, such as a string without its
// closing quote, ends with its line; a window that means nothing ends with its bracket.
func tokenEnd(text string, offset int) int {
	lx := &lexer{text: text, offset: offset}
	if lx.next(); lx.offset > offset {
		return lx.offset
	}
	line, _, _ := strings.Cut(text[offset:], "\n")
	if length := strings.IndexByte(line, ']'); length > 0 && line[0] == '[' {
		return offset + length + 1
	}
	return offset + len(line)
}

// place says what part of the text an error is about, unless it says so itself.
func place(err error, from, to int) {
	var pe *ParseError
	if errors.As(err, &pe) && pe.To == 0 {
		pe.From, pe.To = from, to
	}
}
