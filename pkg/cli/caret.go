package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// parseErrorText is how Loki and Woodshed say where a query is wrong.
var parseErrorText = regexp.MustCompile(`(?s)^parse error at line (\d+), col (\d+): (.*)$`)

// drawCaret draws the line of the query where a parse error lies, with a caret below the place:
//
//	{app="api"} |= timeout
//	               ^ parse error at line 1, col 16: syntax error: unexpected IDENTIFIER, expecting STRING (put the text in quotes)
//
// It returns "" when the text is no parse error of this query. A long line is cut to the width around the caret.
func drawCaret(query, text string, width int) string {
	m := parseErrorText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return ""
	}
	lineNumber, err1 := strconv.Atoi(m[1])
	col, err2 := strconv.Atoi(m[2])
	lines := strings.Split(query, "\n")
	if err1 != nil || err2 != nil || lineNumber < 1 || lineNumber > len(lines) || col < 1 {
		return ""
	}
	line := []rune(printable(lines[lineNumber-1]))
	at := min(col-1, len(line))
	if len(line) > width {
		// The caret stands in the middle of what is shown.
		from := max(min(at-width/2, len(line)-width), 0)
		cut := append([]rune(nil), line[from:min(from+width, len(line))]...)
		if from > 0 {
			cut[0] = '…'
		}
		if from+width < len(line) {
			cut[len(cut)-1] = '…'
		}
		line, at = cut, at-from
	}
	said := strings.TrimSpace(text)
	if hint := syntax.Hint(said); hint != "" {
		said += " (" + hint + ")"
	}
	return fmt.Sprintf("%s\n%s^ %s", string(line), strings.Repeat(" ", at), said)
}

// printable replaces what would move the cursor, one character for one, so that columns stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '\ufffd'
		}
		return r
	}, s)
}
