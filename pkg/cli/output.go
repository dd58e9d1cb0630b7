package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// queryReply is the answer of query and query_range with labels by category.
type queryReply struct {
	Warnings []string  `json:"warnings"`
	Data     queryData `json:"data"`
}

type queryData struct {
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
	Explain    *explainReply   `json:"explain"`
}

type streamReply struct {
	Stream map[string]string `json:"stream"`
	Values []lineReply       `json:"values"`
}

// lineReply is [time, line, {structuredMetadata, parsed}].
type lineReply struct {
	at     int64
	line   string
	extras struct {
		Metadata map[string]string `json:"structuredMetadata"`
		Parsed   map[string]string `json:"parsed"`
	}
}

func (l *lineReply) UnmarshalJSON(b []byte) error {
	var at string
	parts := []any{&at, &l.line, &l.extras}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return fmt.Errorf("an entry with %d parts", len(parts))
	}
	n, err := strconv.ParseInt(at, 10, 64)
	l.at = n
	return err
}

type seriesReply struct {
	Metric map[string]string `json:"metric"`
	Value  *sampleReply      `json:"value"`
	Values []sampleReply     `json:"values"`
}

// sampleReply is [seconds, "value"].
type sampleReply struct {
	at    float64
	value string
}

func (s *sampleReply) UnmarshalJSON(b []byte) error {
	parts := []any{&s.at, &s.value}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("a sample with %d parts", len(parts))
	}
	return nil
}

// printer writes an answer in one of the forms.
type printer struct {
	w     io.Writer
	form  string
	safe  bool // make control characters in lines visible instead of obeyed
	color bool

	common map[string]string // labels that every stream has, left out of each line
}

// print writes the answer and returns how many lines or samples it had.
func (p *printer) print(d *queryData, newestFirst bool) (int, error) {
	buf := bufio.NewWriterSize(p.w, 64<<10)
	found, err := p.printTo(buf, d, newestFirst)
	if err == nil {
		err = buf.Flush()
	}
	return found, err
}

func (p *printer) printTo(w *bufio.Writer, d *queryData, newestFirst bool) (int, error) {
	switch d.ResultType {
	case "streams":
		var streams []streamReply
		if err := json.Unmarshal(d.Result, &streams); err != nil {
			return 0, fmt.Errorf("read the streams: %w", err)
		}
		return p.lines(w, streams, newestFirst)
	case "matrix", "vector":
		var series []seriesReply
		if err := json.Unmarshal(d.Result, &series); err != nil {
			return 0, fmt.Errorf("read the series: %w", err)
		}
		return p.series(w, series)
	case "scalar":
		var s sampleReply
		if err := json.Unmarshal(d.Result, &s); err != nil {
			return 0, fmt.Errorf("read the number: %w", err)
		}
		return p.series(w, []seriesReply{{Value: &s}})
	}
	return 0, fmt.Errorf("the server answered with a %q, which this version does not know", d.ResultType)
}

// lines writes entries of all streams in one order: by time, then as the streams stand in the answer.
func (p *printer) lines(w *bufio.Writer, streams []streamReply, newestFirst bool) (int, error) {
	type place struct{ stream, entry int }
	var order []place
	for i, s := range streams {
		for k := range s.Values {
			order = append(order, place{i, k})
		}
	}
	slices.SortStableFunc(order, func(a, b place) int {
		ta, tb := streams[a.stream].Values[a.entry].at, streams[b.stream].Values[b.entry].at
		if newestFirst {
			ta, tb = tb, ta
		}
		switch {
		case ta < tb:
			return -1
		case ta > tb:
			return 1
		case newestFirst && a.stream != b.stream:
			return b.stream - a.stream
		}
		return 0
	})
	p.common = commonLabels(streams)
	for _, at := range order {
		s := &streams[at.stream]
		if err := p.line(w, s.Stream, &s.Values[at.entry]); err != nil {
			return 0, err
		}
	}
	return len(order), nil
}

func (p *printer) line(w *bufio.Writer, stream map[string]string, l *lineReply) error {
	at := time.Unix(0, l.at)
	switch p.form {
	case "raw":
		put(w, p.shown(l.line))
	case "jsonl":
		return writeJSONLine(w, struct {
			Timestamp string            `json:"timestamp"`
			Labels    map[string]string `json:"labels"`
			Metadata  map[string]string `json:"metadata,omitempty"`
			Parsed    map[string]string `json:"parsed,omitempty"`
			Line      string            `json:"line"`
		}{at.UTC().Format(time.RFC3339Nano), stream, l.extras.Metadata, l.extras.Parsed, l.line})
	default:
		level := levelOf(stream, l)
		paint := p.paint(level)
		put(w, paint(at.Format("2006-01-02T15:04:05.000Z07:00")))
		if level != "" {
			put(w, " "+paint(fmt.Sprintf("%-5s", strings.ToUpper(p.shown(level)))))
		}
		own := maps.Clone(stream)
		maps.DeleteFunc(own, func(name, value string) bool { return p.common[name] == value })
		if len(own) > 0 {
			put(w, " "+p.shown(labelText(own)))
		}
		put(w, " "+p.shown(l.line))
	}
	return w.WriteByte('\n')
}

// series writes samples: labels, time, value.
func (p *printer) series(w *bufio.Writer, series []seriesReply) (int, error) {
	found := 0
	for _, s := range series {
		samples := s.Values
		if s.Value != nil {
			samples = append(samples, *s.Value)
		}
		found += len(samples)
		for _, sample := range samples {
			if err := p.sample(w, s.Metric, sample); err != nil {
				return 0, err
			}
		}
	}
	return found, nil
}

func (p *printer) sample(w *bufio.Writer, metric map[string]string, s sampleReply) error {
	at := time.UnixMilli(int64(s.at * 1000))
	switch p.form {
	case "raw":
		put(w, p.shown(s.value))
	case "jsonl":
		if metric == nil {
			metric = map[string]string{}
		}
		return writeJSONLine(w, struct {
			Timestamp string            `json:"timestamp"`
			Metric    map[string]string `json:"metric"`
			Value     string            `json:"value"`
		}{at.UTC().Format(time.RFC3339Nano), metric, s.value})
	default:
		fmt.Fprintf(w, "%s %s %s", at.Format("2006-01-02T15:04:05.000Z07:00"), p.shown(labelText(metric)), p.shown(s.value))
	}
	return w.WriteByte('\n')
}

// put writes text. A bufio.Writer keeps its first error until Flush.
func put(w *bufio.Writer, text string) { _, _ = w.WriteString(text) }

func writeJSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// commonLabels are the labels that all streams share.
func commonLabels(streams []streamReply) map[string]string {
	if len(streams) == 0 {
		return nil
	}
	common := maps.Clone(streams[0].Stream)
	for _, s := range streams[1:] {
		maps.DeleteFunc(common, func(name, value string) bool { v, ok := s.Stream[name]; return !ok || v != value })
	}
	return common
}

// labelText writes labels as a selector.
func labelText(ls map[string]string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(ls)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + "=" + strconv.Quote(ls[name]))
	}
	b.WriteByte('}')
	return b.String()
}

// shown makes control characters harmless on a terminal: a log line must not be able to move the cursor, rename the
// window or answer for the person. Tabs stay. Elsewhere the bytes are what was logged.
func (p *printer) shown(s string) string {
	if !p.safe || strings.IndexFunc(s, control) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t', r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case control(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// control reports characters that a terminal may obey: C0 but tab, DEL, C1, and those that reorder text.
func control(r rune) bool {
	return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func levelOf(stream map[string]string, l *lineReply) string {
	for _, level := range []string{l.extras.Parsed["level"], l.extras.Metadata["detected_level"], stream["detected_level"], stream["level"]} {
		if level != "" && level != "unknown" && len(level) <= 16 {
			return level
		}
	}
	return ""
}

// paint returns what colours a text by level.
func (p *printer) paint(level string) func(string) string {
	code := ""
	switch strings.ToLower(level) {
	case "critical", "fatal", "emerg", "alert":
		code = "35" // magenta
	case "error", "err":
		code = "31" // red
	case "warn", "warning":
		code = "33" // yellow
	case "info", "notice":
		code = "32" // green
	case "debug":
		code = "34" // blue
	case "trace", "":
		code = "90" // grey
	}
	if !p.color || code == "" {
		return func(s string) string { return s }
	}
	return func(s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
}
