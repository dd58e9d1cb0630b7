package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// The kinds of labels in labelTypes, as Loki's data source names them: Explore groups the details of a row by them, and a
// filter on an indexed label belongs into the selector while the others belong behind it.
const (
	labelIndexed    = 'I'
	labelStructured = 'S'
	labelParsed     = 'P'
)

// logsFrame makes the dataplane's log-lines frame. Rows stand in the query's direction: Explore sorts them again, but
// tables and downloads do not.
func (p *Plugin) logsFrame(q *query, r *engine.Result) *data.Frame {
	rows := min(len(r.Entries), q.limit+q.extra)
	timestamps := make([]time.Time, 0, rows)
	bodies, severities, ids := make([]string, 0, rows), make([]string, 0, rows), make([]string, 0, rows)
	labelSets, labelTypes := make([]json.RawMessage, 0, rows), make([]json.RawMessage, 0, rows)

	bytesLeft := int64(p.Config.Grafana.ResponseBytesMax)
	enc := labelEncoder{streams: map[uint64]streamJSON{}}
	for n := range rows {
		e := &r.Entries[n]
		line := strings.ToValidUTF8(e.Line, "\uFFFD")
		set, types := enc.encode(e)
		bytesLeft -= int64(len(line) + len(set) + len(types) + len(e.ID) + rowBytesOverhead)
		if bytesLeft < 0 && n > 0 { // one row is always shown: an answer without any could never be read on
			break
		}
		timestamps = append(timestamps, e.Timestamp.Time())
		bodies = append(bodies, line)
		severities = append(severities, severity(e))
		ids = append(ids, e.ID)
		labelSets = append(labelSets, set)
		labelTypes = append(labelTypes, types)
	}

	types := data.NewField("labelTypes", nil, labelTypes)
	types.SetConfig(&data.FieldConfig{Custom: map[string]any{"hidden": true}})
	frame := data.NewFrame("",
		data.NewField("timestamp", nil, timestamps),
		data.NewField("body", nil, bodies),
		data.NewField("severity", nil, severities),
		data.NewField("id", nil, ids),
		data.NewField("labels", nil, labelSets),
		types,
	)
	incomplete := p.cutText(q, r, len(timestamps))
	frame.Meta = &data.FrameMeta{
		Type:                   data.FrameTypeLogLines,
		TypeVersion:            data.FrameTypeVersion{0, 0}, // 0.0 keeps alerting from reading the frame as numbers
		PreferredVisualization: data.VisTypeLogs,
		ExecutedQueryString:    executedQuery(q, false),
		Stats:                  queryStats(r.Stats),
		Custom: customMeta{
			Limit: q.shownLimit(len(timestamps)), SearchWords: q.words, StatKey: statBytesProcessed,
			Error: joinSentences(incomplete),
		},
	}
	for _, text := range incomplete { // panels show notices, Explore shows meta.custom.error
		frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: text})
	}
	return frame
}

// cutText says what is missing from the rows and why, one sentence each.
func (p *Plugin) cutText(q *query, r *engine.Result, rows int) []string {
	var out []string
	end := "Newest"
	if q.direction == storage.Forward {
		end = "Oldest"
	}
	if asked := min(len(r.Entries), q.limit+q.extra); rows < asked {
		out = append(out, fmt.Sprintf("%s %s of %s lines: the answer reached %s. Lower the line limit or narrow the query.",
			end, countText(uint64(rows)), countText(uint64(asked)), bytesText(uint64(p.Config.Grafana.ResponseBytesMax))))
	}
	if q.asked > 0 && len(r.Entries) >= q.limit {
		out = append(out, fmt.Sprintf("%s %s lines: %s were asked for, and one query may return no more (grafana.rows_max, max_entries_limit_per_query).",
			end, countText(uint64(q.limit)), countText(uint64(q.asked))))
	}
	out = append(out, q.notes...)
	return append(out, partialText(r.Warnings)...)
}

// shownLimit is the number that Explore compares with the number of rows to tell whether there is more.
func (q *query) shownLimit(rows int) int {
	switch {
	case !q.isPage():
		return q.limit
	case q.cut:
		return rows
	}
	return max(q.limit, rows+1) // the parts of a page may add up to the limit without any line missing
}

// severities are Grafana's names of what people call levels.
var severities = map[string]string{
	"emerg": "critical", "emergency": "critical", "fatal": "critical", "alert": "critical", "crit": "critical", "critical": "critical", "panic": "critical",
	"err": "error", "eror": "error", "error": "error",
	"warn": "warning", "warning": "warning",
	"info": "info", "information": "info", "informational": "info", "notice": "info",
	"dbug": "debug", "debug": "debug", "trace": "trace",
	"0": "critical", "1": "critical", "2": "critical", "3": "error", "4": "warning", "5": "info", "6": "info", "7": "debug",
}

// severity is the store's level in Grafana's words. It is never empty: Grafana would then guess by searching the line.
func severity(e *engine.Entry) string {
	level := e.Level
	if level == "" {
		level = e.Labels.Get("level") // detection was switched off when the line came
	}
	if s, known := severities[strings.ToLower(level)]; known {
		return s
	}
	return "unknown"
}

// labelEncoder writes the labels of rows as JSON. The part of the stream's own labels is encoded once per stream.
type labelEncoder struct {
	streams map[uint64]streamJSON
}

type streamJSON struct {
	labels     labels.Labels
	set, types []byte // objects without their closing brace
}

// encode returns {"name":"value",…} and {"name":"I",…} of one row. A name that stands twice keeps its first value, in the
// order stream, metadata, parsed.
func (enc *labelEncoder) encode(e *engine.Entry) (set, types json.RawMessage) {
	s := enc.stream(e.Labels)
	set = append(make([]byte, 0, len(s.set)+2+pairsBytes(e.Metadata)+pairsBytes(e.Parsed)), s.set...)
	types = append(make([]byte, 0, len(s.types)+2+8*(len(e.Metadata)+len(e.Parsed))), s.types...)
	for n, pair := range e.Metadata {
		if !e.Labels.Has(pair.Name) && !hasPair(e.Metadata[:n], pair.Name) {
			set, types = appendLabel(set, pair), appendType(types, pair.Name, labelStructured)
		}
	}
	for n, pair := range e.Parsed {
		if !e.Labels.Has(pair.Name) && !hasPair(e.Metadata, pair.Name) && !hasPair(e.Parsed[:n], pair.Name) {
			set, types = appendLabel(set, pair), appendType(types, pair.Name, labelParsed)
		}
	}
	return append(set, '}'), append(types, '}')
}

func (enc *labelEncoder) stream(ls labels.Labels) streamJSON {
	hash := ls.Hash()
	if s, ok := enc.streams[hash]; ok && labels.Equal(s.labels, ls) {
		return s
	}
	s := streamJSON{labels: ls, set: []byte{'{'}, types: []byte{'{'}}
	ls.Range(func(l labels.Label) {
		s.set, s.types = appendLabel(s.set, model.Pair{Name: l.Name, Value: l.Value}), appendType(s.types, l.Name, labelIndexed)
	})
	enc.streams[hash] = s
	return s
}

func hasPair(pairs []model.Pair, name string) bool {
	return slices.ContainsFunc(pairs, func(p model.Pair) bool { return p.Name == name })
}

func pairsBytes(pairs []model.Pair) int {
	n := 0
	for _, p := range pairs {
		n += len(p.Name) + len(p.Value) + len(`"":"",`)
	}
	return n
}

func appendLabel(b []byte, p model.Pair) []byte {
	b = appendComma(b)
	b = appendJSONString(b, p.Name)
	return appendJSONString(append(b, ':'), p.Value)
}

func appendType(b []byte, name string, kind byte) []byte {
	b = appendJSONString(appendComma(b), name)
	return append(b, ':', '"', kind, '"')
}

func appendComma(b []byte) []byte {
	if len(b) > 1 {
		return append(b, ',')
	}
	return b
}

// appendJSONString quotes s. Bytes that are not UTF-8 become U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always marshals
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
