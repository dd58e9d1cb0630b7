package logqltest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// day is where a script's times count from.
var day = model.TimestampOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

// script is a parsed file.
type script struct{ sections []*section }

// section is one load and the evals that see it.
type section struct {
	streams []model.Stream
	evals   []eval
}

type eval struct {
	line   int
	params engine.Params
	want   []string
}

// parser reads a script line by line.
type parser struct {
	file    string
	number  int // of the current line, from 1
	script  script
	loading bool
	stream  *model.Stream
}

func parseScript(file, text string) (*script, error) {
	p := &parser{file: file}
	for i, raw := range strings.Split(text, "\n") {
		p.number = i + 1
		line := strings.TrimSpace(raw)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line, raw[0] == ' ' || raw[0] == '\t'); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, p.number, err)
		}
	}
	return &p.script, nil
}

// line takes one line that is neither empty nor a comment.
func (p *parser) line(line string, indented bool) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch {
	case !indented && line == "load":
		p.script.sections = append(p.script.sections, &section{})
		p.loading, p.stream = true, nil
		return nil
	case !indented && verb == "eval":
		p.loading = false
		return p.eval(rest)
	case !indented:
		return fmt.Errorf("%q is neither load nor eval", verb)
	case len(p.script.sections) == 0:
		return fmt.Errorf("indented line before load or eval")
	case p.loading && strings.HasPrefix(line, "{"):
		return p.openStream(line)
	case p.loading:
		return p.entries(line)
	case len(p.current().evals) == 0:
		return fmt.Errorf("answer before an eval")
	}
	evals := p.current().evals
	evals[len(evals)-1].want = append(evals[len(evals)-1].want, line)
	return nil
}

func (p *parser) current() *section { return p.script.sections[len(p.script.sections)-1] }

func (p *parser) openStream(text string) error {
	ls, err := parseLabels(text)
	if err != nil {
		return err
	}
	sec := p.current()
	sec.streams = append(sec.streams, model.Stream{Labels: ls})
	p.stream = &sec.streams[len(sec.streams)-1]
	return nil
}

// parseLabels reads a label set, by way of the query language: a set of equalities.
func parseLabels(text string) (labels.Labels, error) {
	ms, err := syntax.ParseSelector(text)
	if err != nil {
		return labels.EmptyLabels(), err
	}
	b := labels.NewScratchBuilder(len(ms))
	for _, m := range ms {
		if m.Type != labels.MatchEqual {
			return labels.EmptyLabels(), fmt.Errorf("%s is no label", m)
		}
		b.Add(m.Name, m.Value)
	}
	b.Sort()
	return b.Labels(), nil
}

// entries reads: time or from..to/step, quoted line, metadata.
func (p *parser) entries(text string) error {
	if p.stream == nil {
		return fmt.Errorf("entry before a stream")
	}
	when, rest, _ := strings.Cut(text, " ")
	e, err := parseEntry(strings.TrimSpace(rest))
	if err != nil {
		return err
	}
	times, stepText, repeated := strings.Cut(when, "/")
	if !repeated {
		e.Timestamp, err = parseTime(when)
		p.stream.Entries = append(p.stream.Entries, e)
		return err
	}
	from, to, err := parseTimes(times)
	if err != nil {
		return err
	}
	step, err := time.ParseDuration(stepText)
	if err != nil || step <= 0 {
		return fmt.Errorf("step %q: %w", stepText, err)
	}
	for t := from; t <= to; t = t.Add(step) {
		e.Timestamp = t
		p.stream.Entries = append(p.stream.Entries, e)
	}
	return nil
}

// parseEntry reads a quoted line and name=value pairs.
func parseEntry(text string) (model.Entry, error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return model.Entry{}, fmt.Errorf("no quoted line in %q", text)
	}
	line, err := strconv.Unquote(quoted)
	if err != nil {
		return model.Entry{}, err
	}
	e := model.Entry{Line: line}
	for _, field := range strings.Fields(text[len(quoted):]) {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return e, fmt.Errorf("%q is no name=value", field)
		}
		if name == pipeline.LevelLabel {
			e.Level = value
			continue
		}
		e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: value})
	}
	slices.SortFunc(e.Metadata, func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) })
	return e, nil
}

func parseTime(text string) (model.Timestamp, error) {
	d, err := time.ParseDuration(text)
	return day.Add(d), err
}

func parseTimes(text string) (from, to model.Timestamp, err error) {
	a, b, ok := strings.Cut(text, "..")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no from..to", text)
	}
	if from, err = parseTime(a); err != nil {
		return 0, 0, err
	}
	to, err = parseTime(b)
	return from, to, err
}

// eval reads the rest of an eval line: kind, times and settings, colon, query.
func (p *parser) eval(text string) error {
	head, query, ok := strings.Cut(text, ": ")
	if !ok {
		return fmt.Errorf("eval without a query")
	}
	if len(p.script.sections) == 0 {
		p.script.sections = append(p.script.sections, &section{})
	}
	params := engine.Params{Tenant: model.DefaultTenant, Query: query}
	if err := parseHead(&params, strings.Fields(head)); err != nil {
		return err
	}
	sec := p.current()
	sec.evals = append(sec.evals, eval{line: p.number, params: params})
	return nil
}

func parseHead(params *engine.Params, words []string) (err error) {
	if len(words) < 2 {
		return fmt.Errorf("eval wants a kind and a time")
	}
	if words[0] == "instant" {
		params.Instant = true
		params.End, err = parseTime(words[1])
		params.Start, params.Limit, params.Direction = params.End, 100, storage.Backward // the last two for log queries
		return err
	}
	if params.Start, params.End, err = parseTimes(words[1]); err != nil {
		return err
	}
	switch rest := words[2:]; {
	case words[0] == "range" && len(rest) == 2 && rest[0] == "step":
		params.Step, err = time.ParseDuration(rest[1])
		return err
	case words[0] == "logs" && len(rest) == 3 && rest[1] == "limit":
		params.Direction = storage.Forward
		if rest[0] == "backward" {
			params.Direction = storage.Backward
		}
		params.Limit, err = strconv.Atoi(rest[2])
		return err
	}
	return fmt.Errorf("eval %s is neither range … step, nor logs … limit, nor instant", strings.Join(words, " "))
}
