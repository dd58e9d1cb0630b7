package syntax

import "github.com/grafana/regexp"

// hints say what to do about the mistakes that people make most, by the text of the error.
var hints = []struct {
	match *regexp.Regexp
	hint  string
}{
	{regexp.MustCompile(`unexpected IDENTIFIER, expecting STRING`), "put the text in quotes"},
	{regexp.MustCompile(`literal not terminated`), "close the quotes"},
	{regexp.MustCompile(`unexpected \$end, expecting RANGE`), "add a window such as [5m]"},
	{regexp.MustCompile(`missing closing '\]' in duration`), "close the window with ]"},
	{regexp.MustCompile(`unexpected =, expecting`), "labels are compared inside {…}: {name=\"value\"}"},
	{regexp.MustCompile(`unexpected \$end, expecting (IDENTIFIER or \}|\} or ,)`), "close the selector with }"},
	{regexp.MustCompile(`line 1, col 1: syntax error: unexpected (IDENTIFIER|STRING|NUMBER)`), "a query starts with a selector, such as {app=\"api\"}"},
	{regexp.MustCompile(`at least one regexp or equality matcher`), "name at least one label with a value, such as {app=\"api\"}"},
	{regexp.MustCompile(`invalid aggregation \w+ without unwrap`), "name the label whose numbers are meant: | unwrap label"},
}

// Hint says what to do about an error of Parse, given its text; "" when there is nothing to add.
func Hint(text string) string {
	for _, h := range hints {
		if h.match.MatchString(text) {
			return h.hint
		}
	}
	return ""
}
