package plugin

import (
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
)

var metricVersion = data.FrameTypeVersion{0, 1}

// seriesFrames makes one frame of times and values per series, with the labels on the value.
func seriesFrames(q *query, r *engine.Result) frames {
	kind := data.FrameTypeTimeSeriesMulti
	if r.Type == engine.ResultVector {
		kind = data.FrameTypeNumericMulti
	}
	var out frames
	samples, cut := 0, 0
	for n := range r.Series {
		s := &r.Series[n]
		if len(out) == seriesMax || samples+len(s.Samples) > samplesMax {
			cut = len(r.Series) - n
			break
		}
		samples += len(s.Samples)
		out = append(out, seriesFrame(q, s, kind))
	}
	if len(out) == 0 {
		out = frames{data.NewFrame("")} // the dataplane's "no data": a typed frame without fields
		out[0].Meta = &data.FrameMeta{Type: kind, TypeVersion: metricVersion, PreferredVisualization: data.VisTypeGraph}
	}
	var incomplete []string
	if cut > 0 {
		incomplete = append(incomplete, fmt.Sprintf("First %s of %s series: the answer is too large. Group by fewer labels or widen the step.",
			countText(uint64(len(r.Series)-cut)), countText(uint64(len(r.Series)))))
	}
	describeFirst(q, r, out[0], append(incomplete, partialText(r.Warnings)...))
	return out
}

// describeFirst puts what is said once per answer on its first frame.
func describeFirst(q *query, r *engine.Result, frame *data.Frame, incomplete []string) {
	frame.Meta.ExecutedQueryString = executedQuery(q, true)
	frame.Meta.Stats = queryStats(r.Stats)
	frame.Meta.Custom = customMeta{StatKey: statBytesProcessed, Error: joinSentences(incomplete)}
	for _, text := range incomplete { // panels show notices, Explore shows meta.custom.error
		frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: text})
	}
}

func seriesFrame(q *query, s *engine.Series, kind data.FrameType) *data.Frame {
	times, values := make([]time.Time, len(s.Samples)), make([]float64, len(s.Samples))
	for n, sample := range s.Samples {
		times[n], values[n] = sample.Timestamp.Time(), sample.Value
	}
	timeField := data.NewField("Time", nil, times)
	if kind == data.FrameTypeTimeSeriesMulti {
		timeField.SetConfig(&data.FieldConfig{Interval: float64(q.step.Milliseconds())})
	}
	set := data.Labels(s.Labels.Map())
	if q.volume {
		nameLevel(set)
	}
	value := data.NewField("Value", set, values)
	value.SetConfig(&data.FieldConfig{DisplayNameFromDS: displayName(q, s.Labels)})
	frame := data.NewFrame("", timeField, value)
	frame.Meta = &data.FrameMeta{Type: kind, TypeVersion: metricVersion, PreferredVisualization: data.VisTypeGraph}
	return frame
}

// nameLevel gives a volume series the label by which Explore colours its bars, in Grafana's words. Explore looks for
// level before detected_level, so a stream label of that name would win over what the store detected.
func nameLevel(set data.Labels) {
	level, found := set["detected_level"]
	if !found {
		level = set["level"]
	}
	if s, known := severities[strings.ToLower(level)]; known {
		set["level"] = s
	} else {
		set["level"] = "unknown"
	}
}

func scalarFrame(q *query, r *engine.Result) *data.Frame {
	value := data.NewField("Value", nil, []float64{r.Scalar.Value})
	value.SetConfig(&data.FieldConfig{DisplayNameFromDS: displayName(q, labels.EmptyLabels())})
	frame := data.NewFrame("", data.NewField("Time", nil, []time.Time{r.Scalar.Timestamp.Time()}), value)
	frame.Meta = &data.FrameMeta{Type: data.FrameTypeNumericMulti, TypeVersion: metricVersion, PreferredVisualization: data.VisTypeGraph}
	describeFirst(q, r, frame, partialText(r.Warnings))
	return frame
}

var legendVariable = regexp.MustCompile(`\{\{\s*([^{}]+?)\s*\}\}`)

// displayName is the legend: the pattern with labels filled in, else the labels, else the query.
func displayName(q *query, ls labels.Labels) string {
	switch {
	case q.legend != "":
		return legendVariable.ReplaceAllStringFunc(q.legend, func(m string) string {
			return ls.Get(legendVariable.FindStringSubmatch(m)[1]) // an absent label is nothing, as in Loki's data source
		})
	case ls.IsEmpty():
		return q.expr
	}
	return ls.String()
}
