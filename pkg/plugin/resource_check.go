package plugin

import (
	"errors"
	"net/url"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// checkJSON says what the parser thinks of a query while it is typed, in the words of a run.
type checkJSON struct {
	OK   bool   `json:"ok"`
	Kind string `json:"kind,omitempty"` // logs or metric, of what can be read

	Error string `json:"error,omitempty"` // the whole text, with its place if it names one
	Hint  string `json:"hint,omitempty"`  // what to do about it
	// The part of the text to underline: lines and columns count from 1, columns in characters, and the end is exclusive.
	Line      int `json:"line,omitempty"`
	Column    int `json:"column,omitempty"`
	EndLine   int `json:"endLine,omitempty"`
	EndColumn int `json:"endColumn,omitempty"`
}

// checkQuery answers the resource check. It needs neither the store nor a place among running queries: typing must not wait
// for them. A query that cannot be read is an answer, not an error.
func checkQuery(params url.Values) (checkJSON, error) {
	text := params.Get("query")
	if len(text) > queryBytesMax {
		return checkJSON{}, fault(400, "The query is %d bytes long; at most %d are read.", len(text), queryBytesMax)
	}
	expr, err := syntax.Parse(text)
	if err == nil {
		if syntax.IsLog(expr) {
			return checkJSON{OK: true, Kind: "logs"}, nil
		}
		return checkJSON{OK: true, Kind: "metric"}, nil
	}
	out := checkJSON{Error: err.Error(), Hint: syntax.Hint(err.Error())}
	from, to := 0, len(text)
	var parseErr *syntax.ParseError
	if errors.As(err, &parseErr) && parseErr.To > 0 {
		from, to = parseErr.From, parseErr.To
	}
	out.Line, out.Column = lineAndColumn(text[:from])
	out.EndLine, out.EndColumn = lineAndColumn(text[:to])
	return out, nil
}

// lineAndColumn returns where a text ends that comes before something.
func lineAndColumn(before string) (line, column int) {
	line, lineStart := 1, 0
	for i := range len(before) {
		if before[i] == '\n' {
			line, lineStart = line+1, i+1
		}
	}
	return line, 1 + utf8.RuneCountInString(before[lineStart:])
}
