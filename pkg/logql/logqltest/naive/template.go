package naive

import (
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

const templateError = "TemplateFormatErr"

func (r *row) lineFormat(s *syntax.LineFormat) error {
	line, ok, err := r.execute(s.Template, r.all())
	if ok {
		r.line = line
	}
	return err
}

// labelFormat sets labels in the order written. Templates see what the first of them sees: what the renames before it made
// counts, what comes after does not.
func (r *row) labelFormat(s *syntax.LabelFormat) error {
	var seen Labels
	for _, f := range s.Formats {
		if f.Source != "" {
			if value, ok := r.get(f.Source); ok {
				r.set(f.Label, value)
				r.remove(f.Source)
			}
			continue
		}
		if seen == nil {
			seen = r.all()
		}
		value, ok, err := r.execute(f.Template, seen)
		if err != nil {
			return err
		}
		if ok {
			r.set(f.Label, value)
		}
	}
	return nil
}

// stagesOf returns the stages of a range that have something to do. Where bytes are not counted, those that write a line of
// which no stage behind asks for the line or for errors have not; they cannot fail, nor do they read labels. Loki leaves
// them out, too.
func stagesOf(e *syntax.RangeAggregation) []syntax.Stage {
	stages := e.Log.Stages
	if e.Op == syntax.OpBytesOverTime || e.Op == syntax.OpBytesRate {
		return stages
	}
	var left []syntax.Stage
	for i, s := range stages {
		switch s.(type) {
		case *syntax.LineFormat, *syntax.Decolorize:
			if !slices.ContainsFunc(stages[i+1:], asksForLine) {
				continue
			}
		}
		left = append(left, s)
	}
	return left
}

func asksForLine(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.LineFormat, *syntax.Decolorize, *syntax.Drop, *syntax.Keep, *syntax.Distinct:
		return false
	case *syntax.LabelFilterStage, *syntax.LabelFormat:
		return strings.Contains(s.String(), "__line__") || strings.Contains(s.String(), "__error")
	}
	return true
}

// execute runs a template; ok is false when it failed, which the row notes.
func (r *row) execute(text string, ls Labels) (result string, ok bool, err error) {
	line := r.line
	t, err := template.New("").Option("missingkey=zero").Funcs(template.FuncMap{
		"__line__":      func() string { return line },
		"__timestamp__": func() time.Time { return r.at.Time() },
		"lower":         strings.ToLower,
		"upper":         strings.ToUpper,
		"ToLower":       strings.ToLower,
		"ToUpper":       strings.ToUpper,
		"TrimSpace":     strings.TrimSpace,
		"trim":          strings.TrimSpace,
		"TrimPrefix":    strings.TrimPrefix,
		"replace":       func(from, to, s string) string { return strings.ReplaceAll(s, from, to) },
		"contains":      func(part, s string) bool { return strings.Contains(s, part) },
		"hasPrefix":     func(prefix, s string) bool { return strings.HasPrefix(s, prefix) },
		"default": func(other, value string) string {
			if value == "" {
				return other
			}
			return value
		},
		"trunc": func(n int, s string) string {
			if n < 0 {
				return s[max(0, len(s)+n):]
			}
			return s[:min(n, len(s))]
		},
		"regexReplaceAll": func(expr, s, by string) (string, error) {
			re, err := regexp.Compile(expr)
			if err != nil {
				return "", err
			}
			return re.ReplaceAllString(s, by), nil
		},
	}).Parse(text)
	if err != nil {
		return "", false, err
	}
	var b strings.Builder
	if err := t.Execute(&b, ls); err != nil {
		r.fail(templateError, err.Error())
		return "", false, nil
	}
	return b.String(), true, nil
}
