package plugin

import (
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// inspectQuery reports whether the query yields lines rather than numbers, and which words to highlight in them.
func inspectQuery(expr string) (logs bool, words []string, err error) {
	tree, err := syntax.Parse(expr)
	if err != nil {
		return false, nil, err
	}
	query, logs := tree.(*syntax.LogExpr)
	if logs {
		words = highlightWords(query.Stages)
	}
	return logs, words, nil
}

// highlightWords lists what the line filters look for, as regular expressions of the browser. Which of them are literals
// is known only here. They are bounded, because the browser runs each over every line.
func highlightWords(stages []syntax.Stage) []string {
	var out []string
	for _, stage := range stages {
		f, ok := stage.(*syntax.LineFilter)
		if !ok || f.Op != syntax.LineContains && f.Op != syntax.LineMatches {
			continue
		}
		for _, alternative := range f.Any {
			word := strings.ToValidUTF8(alternative.Text, "\uFFFD")
			if f.Op == syntax.LineContains {
				word = literalPattern(word)
			}
			if !alternative.IP && word != "" && len(word) <= searchWordBytes && len(out) < searchWordsMax && !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	return out
}

// literalPattern quotes a literal for JavaScript. Opening brackets become hexadecimal: Grafana cuts what follows the last
// one in a pattern, because people type patterns that are not finished.
var literalPattern = strings.NewReplacer(
	`\`, `\\`, `.`, `\.`, `+`, `\+`, `*`, `\*`, `?`, `\?`, `|`, `\|`, `^`, `\^`, `$`, `\$`, `)`, `\)`, `]`, `\]`, `}`, `\}`, `/`, `\/`,
	`(`, `\x28`, `[`, `\x5b`, `{`, `\x7b`,
).Replace

// parseSelector reads the selector of a listing, where {} is allowed.
func parseSelector(text string) ([]*labels.Matcher, error) { return syntax.ParseSelector(text) }

// isQueryFault reports an error in the text of the query.
func isQueryFault(err error) bool {
	var parseErr *syntax.ParseError
	return errors.As(err, &parseErr)
}
