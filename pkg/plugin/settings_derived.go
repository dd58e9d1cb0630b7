package plugin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

const (
	derivedFaultsShown = 3  // More would bury the rest of the sentence under Save & test.
	clippedBytesMax    = 80 // of a setting in a sentence: enough to find it again
)

// derivedField is a link from logs in the shape of Loki's data source. Links are made in the browser; here they are only
// checked, so that Save & test and the health of a provisioned data source name what will not work.
type derivedField struct {
	Name         string `json:"name"`
	MatcherRegex string `json:"matcherRegex"`
	MatcherType  string `json:"matcherType"`
}

// derivedFaults says what is wrong with derivedFields, in a few sentences.
func derivedFaults(raw json.RawMessage) []string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var fields []json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return []string{"The derived fields of the data source are not a list, so there are no links from logs."}
	}
	var out []string
	for n, field := range fields {
		if fault := derivedFault(field); fault != "" {
			out = append(out, fmt.Sprintf("Link %d from logs does not work: %s.", n+1, fault))
		}
	}
	if more := len(out) - derivedFaultsShown; more > 0 {
		out = append(out[:derivedFaultsShown], fmt.Sprintf("The same is true of %s from logs.", plural(uint64(more), "more link", "more links")))
	}
	return out
}

// derivedFault says what is wrong with one derived field, "" for nothing.
func derivedFault(raw json.RawMessage) string {
	var f derivedField
	var wrongType *json.UnmarshalTypeError
	switch err := json.Unmarshal(raw, &f); {
	case errors.As(err, &wrongType):
		return fmt.Sprintf("its %s is no text", cmp.Or(wrongType.Field, "setting"))
	case err != nil:
		return err.Error()
	case f.Name == "":
		return "it has no name"
	case f.MatcherRegex == "":
		return fmt.Sprintf("%q has no matcherRegex", clipped(f.Name))
	case !slices.Contains([]string{"", "regex", "label"}, f.MatcherType):
		return fmt.Sprintf("the matcherType of %q is %q; it is regex or label", clipped(f.Name), clipped(f.MatcherType))
	}
	if fault := regexFault(f.MatcherRegex); fault != "" {
		return fmt.Sprintf("the regular expression of %q has a fault: %s", clipped(f.Name), fault)
	}
	return ""
}

// sharedFaults are what neither Go nor JavaScript, which runs the expression, can read. Each has syntax that the other
// has not, such as lookahead, and what only Go refuses is no fault.
var sharedFaults = []syntax.ErrorCode{
	syntax.ErrMissingParen, syntax.ErrUnexpectedParen, syntax.ErrMissingBracket,
	syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp, syntax.ErrTrailingBackslash,
}

func regexFault(expr string) string {
	_, err := syntax.Parse(expr, syntax.Perl)
	var fault *syntax.Error
	if !errors.As(err, &fault) || !slices.Contains(sharedFaults, fault.Code) {
		return ""
	}
	if fault.Expr == "" {
		return fault.Code.String()
	}
	return fmt.Sprintf("%s: %s", fault.Code, clipped(fault.Expr))
}

// clipped shortens a setting for a sentence, at a border of characters.
func clipped(s string) string {
	if len(s) <= clippedBytesMax {
		return s
	}
	end := clippedBytesMax
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
