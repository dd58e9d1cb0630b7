package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseError says why a query is not LogQL, in Loki's words. Line and Col count from 1, Col in characters; both are 0
// when the fault is in the meaning rather than at one place of the text.
type ParseError struct {
	Line, Col int
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
	return &ParseError{Line: line, Col: col, Msg: msg}
}
