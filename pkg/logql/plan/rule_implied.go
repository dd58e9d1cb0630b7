package plan

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// implyLines derives from a comparison of what a parser finds that the line contains the value: | json | status="503" needs
// lines with 503. The store then skips chunks without it, and lines, before anything is parsed.
//
// It is right because:
//  1. The parser is the first stage that makes labels, and the stages before it leave the line alone: it reads the line that
//     the store tests.
//  2. Between the parser and the comparison nothing makes, sets or removes a label. So the name compared is a label of the
//     stream, or else metadata, or else what this parser found. Entries whose stream or metadata has the name are out of
//     this: see storage.ImpliedFilter. (What a parser finds under such a name is called name_extracted. A name that ends so
//     may be any of these three, and is left alone; so are those of errors and detected_level, which nearly all entries have.)
//  3. A string comparison that must hold, with a value that is not empty, drops an entry for which nothing was found: also
//     one on which the parser failed, for only typed comparisons let errors pass. An entry dropped is dropped whatever
//     stands between: no stage there can make it part of the answer, and its errors go with it.
//  4. So the value was found in the line. | regexp and | pattern cut it out as it is. | json and | logfmt may have read
//     escapes, and put a blank for what is no UTF-8, and for U+FFFD: but each byte of an escapeless run of the value stood in
//     the line as it is, in a row, for an escape never yields nothing. What may be an escape other than \u00XX (quotes,
//     slashes, controls), what is not ASCII (é may be \u00e9, and more), and what common encoders write as \u00XX (< > & ' +
//     and the grave accent), is no part of a run: the longest run of the value is looked for. Any other character can only be
//     written \u00XX: where a line has `\u00`, it is kept.
//
// The comparisons are name="value", name=~"re" by the literals that the expression requires, and several of them on one name
// joined by or.
func implyLines(r *read) {
	parser := -1
	for i, s := range r.stages {
		if parser < 0 && isParser(s) {
			parser = i
			continue
		}
		switch s := s.(type) {
		case *syntax.LabelFilterStage:
			if parser >= 0 {
				r.imply(r.stages[parser], s.Filter)
			}
			continue
		case *syntax.LineFilter:
			continue
		case *syntax.LineFormat, *syntax.Decolorize:
			if parser >= 0 {
				continue
			}
		case *syntax.Drop:
			if dropsErrors(s) {
				continue
			}
		}
		return
	}
}

func isParser(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.JSON, *syntax.Logfmt, *syntax.Regexp, *syntax.Pattern:
		return true
	}
	return false
}

// imply adds what the comparisons that must hold for a filter imply of the line.
func (r *read) imply(parser syntax.Stage, f syntax.LabelFilter) {
	if and, ok := f.(*syntax.AndFilter); ok {
		for _, part := range and.Filters {
			r.imply(parser, part)
		}
		return
	}
	name, needles := needlesOf(f)
	if len(needles) == 0 || !mayBeMetadata(r.selector, name) || name == pipeline.LevelLabel || strings.HasPrefix(name, "__") {
		return
	}
	line, ok := lineWith(parser, needles)
	scan := &r.scans[0]
	same := func(o storage.ImpliedFilter) bool { return o.Name == name && slices.Equal(o.Line.Any, line.Any) }
	if ok && !slices.ContainsFunc(scan.Implied, same) {
		scan.Implied = append(scan.Implied, storage.ImpliedFilter{Name: name, Line: line})
	}
}

// needlesOf returns literals of which the value of a name contains one when the filter holds; none when that is not known.
func needlesOf(f syntax.LabelFilter) (name string, needles []match.Literal) {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		return f.Matcher.Name, matcherNeedles(f.Matcher)
	case *syntax.OrFilter:
		for i, part := range f.Filters {
			n, more := needlesOf(part)
			if len(more) == 0 || i > 0 && n != name {
				return "", nil
			}
			name, needles = n, append(needles, more...)
		}
	}
	return name, needles
}

func matcherNeedles(m *labels.Matcher) []match.Literal {
	switch {
	case m.Matches(""):
		return nil
	case m.Type == labels.MatchEqual:
		return []match.Literal{{Text: m.Value}}
	case m.Type == labels.MatchRegexp:
		// What holds for expressions that are found anywhere in a text holds for those that match all of it.
		compiled, err := match.Compile(match.Filter{Regexp: true, Any: []string{m.Value}})
		if err != nil {
			return nil
		}
		required := compiled.Required()
		if len(required) == 0 || len(required[0]) >= foldedMax && slices.ContainsFunc(required[0], func(l match.Literal) bool { return l.Fold }) {
			return nil
		}
		return required[0]
	}
	return nil
}

// foldedMax is the number of alternatives from which on a matcher under (?i) compares normalised texts, in which a letter of
// full width is as good as another.
const foldedMax = 16

// lineWith returns the filter that holds for each line from which the parser reads a value with one of the needles.
func lineWith(parser syntax.Stage, needles []match.Literal) (f storage.LineFilter, ok bool) {
	unescapes := false
	switch parser.(type) {
	case *syntax.JSON, *syntax.Logfmt:
		unescapes = true
	}
	folds := slices.ContainsFunc(needles, func(l match.Literal) bool { return l.Fold })
	if folds {
		f.Kind = storage.FilterRegexp
	}
	for _, l := range needles {
		text := l.Text
		if unescapes {
			text = longestRun(l)
		}
		if text == "" || folds && !utf8.ValidString(text) {
			return f, false
		}
		if folds {
			text = regexp.QuoteMeta(text)
		}
		if l.Fold {
			text = "(?i:" + text + ")"
		}
		if !slices.Contains(f.Any, text) {
			f.Any = append(f.Any, text)
		}
	}
	if unescapes {
		escape := storage.EscapedASCII
		if folds {
			escape = regexp.QuoteMeta(escape)
		}
		f.Any = append(f.Any, escape)
	}
	return f, true
}

// longestRun returns the longest part of the text whose characters stand in a line as they are, or as \u00XX. Regardless of
// case, k and s may be other characters, outside of ASCII.
func longestRun(l match.Literal) string {
	best, start := "", 0
	for i := 0; i <= len(l.Text); i++ {
		if i < len(l.Text) && isPlain(l.Text[i]) && (!l.Fold || l.Text[i] != 'k' && l.Text[i] != 's') {
			continue
		}
		if i-start > len(best) {
			best = l.Text[start:i]
		}
		start = i + 1
	}
	return best
}

func isPlain(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("\"\\/<>&'+`", rune(c))
}
