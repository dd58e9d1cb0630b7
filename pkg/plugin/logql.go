package plugin

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// isLogQuery reports whether the query yields lines rather than numbers.
func isLogQuery(expr string) (bool, error) {
	tree, err := syntax.Parse(expr)
	if err != nil {
		return false, err
	}
	return syntax.IsLog(tree), nil
}

// parseSelector reads the selector of a listing, where {} is allowed.
func parseSelector(text string) ([]*labels.Matcher, error) { return syntax.ParseSelector(text) }

// isQueryFault reports an error in the text of the query.
func isQueryFault(err error) bool {
	var parseErr *syntax.ParseError
	return errors.As(err, &parseErr)
}
