package naive

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// apply puts the row through a stage; seen is what distinct remembers.
func (r *row) apply(s syntax.Stage, seen map[string]bool) (keep bool, err error) {
	switch s := s.(type) {
	case *syntax.LineFilter:
		return r.keepsLine(s)
	case *syntax.LabelFilterStage:
		return r.holds(s.Filter)
	case *syntax.LineFormat:
		return true, r.lineFormat(s)
	case *syntax.LabelFormat:
		return true, r.labelFormat(s)
	case *syntax.Decolorize:
		r.line = colours.ReplaceAllString(r.line, "")
		return true, nil
	case *syntax.Drop:
		r.drop(s)
		return true, nil
	case *syntax.Keep:
		r.keep(s)
		return true, nil
	case *syntax.Distinct:
		var values []string
		for _, name := range s.Labels {
			value, _ := r.get(name)
			values = append(values, value)
		}
		k := fmt.Sprintf("%q", values)
		keep, seen[k] = !seen[k], true
		return keep, nil
	}
	errBefore, detailsBefore := r.err, r.details
	err = r.parse(s)
	if r.hasAllWanted() {
		r.err, r.details = errBefore, detailsBefore
	}
	return true, err
}

// parse applies a parser.
func (r *row) parse(s syntax.Stage) error {
	switch s := s.(type) {
	case *syntax.JSON:
		if len(s.Extractions) > 0 {
			return r.jsonPaths(s)
		}
		r.json()
	case *syntax.Logfmt:
		if len(s.Extractions) > 0 {
			return r.logfmtKeys(s)
		}
		r.logfmt(s)
	case *syntax.Regexp:
		return r.regexp(s)
	case *syntax.Pattern:
		return r.pattern(s)
	case *syntax.Unpack:
		r.unpack()
	default:
		return fmt.Errorf("stage %s is unknown here", s)
	}
	return nil
}

// colours are the escape sequences that terminals obey, by the expression of github.com/chalk/strip-ansi. It also takes
// what is left of one where a line is cut.
var colours = regexp.MustCompile("[\u001B\u009B][[\\]()#;?]*(?:(?:(?:[a-zA-Z\\d]*(?:;[a-zA-Z\\d]*)*)?\u0007)|" +
	"(?:(?:\\d{1,4}(?:;\\d{0,4})*)?[\\dA-PRZcf-ntqry=><~]))")

func (r *row) keepsLine(f *syntax.LineFilter) (bool, error) {
	for _, alt := range f.Any {
		found, err := finds(f.Op, alt, r.line)
		if err != nil {
			return false, err
		}
		if found {
			return !f.Op.Negated(), nil
		}
	}
	return f.Op.Negated(), nil
}

func finds(op syntax.LineFilterOp, alt syntax.LineAlternative, line string) (bool, error) {
	switch op {
	case syntax.LineContains, syntax.LineNotContains:
		if alt.IP {
			return hasAddress(line, alt.Text)
		}
		return strings.Contains(line, alt.Text), nil
	case syntax.LineMatches, syntax.LineNotMatches:
		return regexp.MatchString(alt.Text, line)
	}
	return matchesPattern(alt.Text, line)
}

// matchesPattern reports whether the line is made of the pattern's literals with at least one character for each <_>, where
// each literal is found as early as it can be.
func matchesPattern(pattern, line string) (bool, error) {
	parts, err := syntax.ParseLinePattern(pattern)
	if err != nil {
		return false, err
	}
	gap := false // before what comes next
	for _, part := range parts {
		if part.Literal == "" {
			gap = true
			continue
		}
		i := strings.Index(line, part.Literal)
		if i < 0 || !gap && i > 0 || gap && i == 0 {
			return false, nil
		}
		line, gap = line[i+len(part.Literal):], false
	}
	return gap == (line != ""), nil
}

func (r *row) drop(s *syntax.Drop) {
	for _, pick := range s.Labels {
		value, _ := r.get(pick.Name)
		if pick.Matcher != nil && !pick.Matcher.Matches(value) {
			continue
		}
		switch pick.Name {
		case errorLabel:
			r.err, r.details = "", ""
		case detailsLabel:
			r.details = ""
		default:
			r.remove(pick.Name)
		}
	}
}

func (r *row) keep(s *syntax.Keep) {
	for name, value := range r.all() {
		kept := name == errorLabel || name == detailsLabel
		for _, pick := range s.Labels {
			kept = kept || pick.Name == name && (pick.Matcher == nil || pick.Matcher.Matches(value))
		}
		if !kept {
			r.remove(name)
		}
	}
}

func (r *row) regexp(s *syntax.Regexp) error {
	re, err := regexp.Compile(s.Text)
	if err != nil {
		return err
	}
	for i, value := range re.FindStringSubmatch(r.line) {
		if name := re.SubexpNames()[i]; name != "" {
			r.extract(sanitize(name), value)
		}
	}
	return nil
}

// pattern takes what lies between the literals. The last capture before a literal that is not there takes the rest.
func (r *row) pattern(s *syntax.Pattern) error {
	parts, err := syntax.ParsePattern(s.Text)
	if err != nil || r.line == "" {
		return err
	}
	rest := r.line
	if literal := parts[0].Literal; literal != "" {
		if !strings.HasPrefix(rest, literal) {
			return nil
		}
		rest, parts = rest[len(literal):], parts[1:]
	}
	for len(parts) > 0 { // capture, literal, capture, …
		value, found := rest, false
		if len(parts) > 1 {
			value, rest, found = strings.Cut(rest, parts[1].Literal)
		}
		if name := parts[0].Capture; name != "_" {
			r.extract(name, value)
		}
		if !found {
			return nil
		}
		parts = parts[2:]
	}
	return nil
}

// sanitize makes a label name of a key.
func sanitize(key string) string {
	key = strings.TrimSpace(key)
	if key != "" && key[0] >= '0' && key[0] <= '9' {
		key = "_" + key
	}
	return strings.Map(func(c rune) rune {
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, key)
}
