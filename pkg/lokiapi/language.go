package lokiapi

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// isLogQuery parses a query and reports whether it asks for lines.
func isLogQuery(text string) (bool, error) {
	e, err := syntax.Parse(text)
	if err != nil {
		return false, err
	}
	return syntax.IsLog(e), nil
}

// prettyQuery prints a query in its canonical form.
func prettyQuery(text string) (string, error) {
	e, err := syntax.Parse(text)
	if err != nil {
		return "", err
	}
	return e.String(), nil
}

// parseSelector parses a selector of a listing, which may select everything.
func parseSelector(text string) ([]*labels.Matcher, error) { return syntax.ParseSelector(text) }

func isSyntaxError(err error) bool {
	var e *syntax.ParseError
	return errors.As(err, &e)
}
