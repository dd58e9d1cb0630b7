package plugin

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
)

type frames = data.Frames

// statBytesProcessed is the name of the statistic that Explore prints beside the number of lines; meta.custom names it.
const statBytesProcessed = "Summary: total bytes processed"

// customMeta is what Explore reads from meta.custom. Nothing of it belongs to Loki alone despite the names.
type customMeta struct {
	Limit       int      `json:"limit,omitempty"`       // "1000 lines shown" turns into "line limit reached" at so many rows
	SearchWords []string `json:"searchWords,omitempty"` // regular expressions to highlight
	StatKey     string   `json:"lokiQueryStatKey,omitempty"`
	Error       string   `json:"error,omitempty"` // shown under the result
}

// framesFromResult turns an answer into frames. It never returns none: Explore shows an empty logs frame as "no logs
// found" with its ways on, and no frame as nothing at all.
func (p *Plugin) framesFromResult(q *query, r *engine.Result) frames {
	switch r.Type {
	case engine.ResultStreams:
		return frames{p.logsFrame(q, r)}
	case engine.ResultMatrix, engine.ResultVector:
		return seriesFrames(q, r)
	}
	return frames{scalarFrame(q, r)}
}

// executedQuery is what Grafana's query inspector shows.
func executedQuery(q *query, metric bool) string {
	text := "Expr: " + q.expr
	if metric && !q.instant {
		text += "\nStep: " + durationText(q.step)
	}
	return text
}

func queryStats(s engine.Stats) []data.QueryStat {
	stat := func(name, unit string, value float64) data.QueryStat {
		return data.QueryStat{FieldConfig: data.FieldConfig{DisplayName: name, Unit: unit}, Value: value}
	}
	return []data.QueryStat{
		stat(statBytesProcessed, "decbytes", float64(s.Bytes)),
		stat("Summary: total lines processed", "short", float64(s.Lines)),
		stat("Summary: lines matched", "short", float64(s.LinesMatched)),
		stat("Summary: entries returned", "short", float64(s.EntriesReturned)),
		stat("Summary: exec time", "s", s.Exec.Seconds()),
		stat("Summary: chunks read", "short", float64(s.Chunks-min(s.Chunks, s.ChunksSkipped))),
		stat("Summary: chunks skipped", "short", float64(s.ChunksSkipped)),
	}
}

// joinSentences makes one text of what is incomplete about an answer.
func joinSentences(sentences []string) string {
	for n, s := range sentences {
		if s = strings.TrimSpace(s); s != "" && !strings.ContainsAny(s[len(s)-1:], ".!?") {
			s += "."
		}
		sentences[n] = s
	}
	return strings.Join(sentences, " ")
}

func partialText(warnings []string) []string {
	const shown = 3
	var out []string
	for n, w := range warnings {
		if n == shown {
			out = append(out, fmt.Sprintf("%d more warnings of this kind.", len(warnings)-shown))
			break
		}
		out = append(out, "Partial answer: "+w)
	}
	return out
}
