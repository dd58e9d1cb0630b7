package lokiapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	encodingFlagsHeader = "X-Loki-Response-Encoding-Flags"
	categorizeFlag      = "categorize-labels"
)

// wantsCategorized reports whether the client asked for labels by category. Grafana always does.
func wantsCategorized(r *http.Request) bool {
	for _, header := range r.Header.Values(encodingFlagsHeader) {
		for flag := range strings.SplitSeq(header, ",") {
			if strings.TrimSpace(flag) == categorizeFlag {
				return true
			}
		}
	}
	return false
}

// result writes the envelope of a query's answer.
func (an *answer) result(res *engine.Result, categorize bool) {
	an.raw(`{"status":"success",`)
	if len(res.Warnings) > 0 {
		an.raw(`"warnings":`)
		an.strs(res.Warnings)
		an.raw(`,`)
	}
	an.raw(`"data":{"resultType":"`)
	an.raw(res.Type.String())
	an.raw(`",`)
	if categorize {
		an.raw(`"encodingFlags":["` + categorizeFlag + `"],`)
	}
	an.raw(`"result":`)
	switch res.Type {
	case engine.ResultStreams:
		an.streams(res.Entries, categorize)
	case engine.ResultMatrix:
		an.matrix(res.Series)
	case engine.ResultVector:
		an.vector(res.Series)
	case engine.ResultScalar:
		an.sample(res.Scalar)
	}
	an.raw(`,"stats":`)
	an.value(statsOf(res))
	if res.Explain != nil {
		an.raw(`,"explain":`)
		an.value(explainOf(res.Explain))
	}
	an.raw("}}\n")
}

// streamEntries are the entries of one stream of an answer, by their place in Result.Entries.
type streamEntries struct {
	labels  labels.Labels
	entries []int
}

// streams writes entries grouped by stream, the streams in order of their labels, entries in the order of the answer.
// Plain: a stream is known by all labels, and an entry is [time, line]. Categorized: by the stream's own labels, and each
// entry carries its other labels.
func (an *answer) streams(entries []engine.Entry, categorize bool) {
	an.raw(`[`)
	for i, st := range groupStreams(entries, categorize) {
		if i > 0 {
			an.raw(`,`)
		}
		an.raw(`{"stream":`)
		an.labels(st.labels)
		an.raw(`,"values":[`)
		for k, n := range st.entries {
			if k > 0 {
				an.raw(`,`)
			}
			an.entry(&entries[n], categorize)
		}
		an.raw(`]}`)
	}
	an.raw(`]`)
}

func groupStreams(entries []engine.Entry, categorize bool) []streamEntries {
	var (
		streams []streamEntries
		byKey   = map[string]int{}
		key     []byte
		merge   merger
	)
	for i := range entries {
		e := &entries[i]
		ls := e.Labels
		if !categorize {
			ls = merge.all(e)
		}
		key = ls.Bytes(key[:0])
		n, found := byKey[string(key)]
		if !found {
			n = len(streams)
			byKey[string(key)] = n
			streams = append(streams, streamEntries{labels: ls})
		}
		streams[n].entries = append(streams[n].entries, i)
	}
	slices.SortFunc(streams, func(a, b streamEntries) int { return labels.Compare(a.labels, b.labels) })
	return streams
}

// merger makes one label set of an entry's labels. The pipeline has settled clashes of names already (pipeline.AppendMetadata).
type merger struct{ b labels.Builder }

func (m *merger) all(e *engine.Entry) labels.Labels {
	if len(e.Metadata) == 0 && len(e.Parsed) == 0 {
		return e.Labels
	}
	m.b.Reset(e.Labels)
	for _, p := range e.Metadata {
		m.b.Set(p.Name, p.Value)
	}
	for _, p := range e.Parsed {
		m.b.Set(p.Name, p.Value)
	}
	return m.b.Labels()
}

func (an *answer) entry(e *engine.Entry, categorize bool) {
	an.raw(`["`)
	an.buf = strconv.AppendInt(an.buf, int64(e.Timestamp), 10)
	an.raw(`",`)
	an.str(e.Line)
	if categorize {
		an.raw(`,{`)
		if len(e.Metadata) > 0 {
			an.raw(`"structuredMetadata":`)
			an.pairs(e.Metadata)
		}
		if len(e.Parsed) > 0 {
			if len(e.Metadata) > 0 {
				an.raw(`,`)
			}
			an.raw(`"parsed":`)
			an.pairs(e.Parsed)
		}
		an.raw(`}`)
	}
	an.raw(`]`)
}

func (an *answer) pairs(pairs []model.Pair) {
	an.raw(`{`)
	for i, p := range pairs {
		if i > 0 {
			an.raw(`,`)
		}
		an.str(p.Name)
		an.raw(`:`)
		an.str(p.Value)
	}
	an.raw(`}`)
}

func (an *answer) labels(ls labels.Labels) {
	an.raw(`{`)
	first := true
	ls.Range(func(l labels.Label) {
		if !first {
			an.raw(`,`)
		}
		first = false
		an.str(l.Name)
		an.raw(`:`)
		an.str(l.Value)
	})
	an.raw(`}`)
}

func (an *answer) matrix(series []engine.Series) {
	an.raw(`[`)
	for i := range series {
		if i > 0 {
			an.raw(`,`)
		}
		an.raw(`{"metric":`)
		an.labels(series[i].Labels)
		an.raw(`,"values":[`)
		for k, s := range series[i].Samples {
			if k > 0 {
				an.raw(`,`)
			}
			an.sample(s)
		}
		an.raw(`]}`)
	}
	an.raw(`]`)
}

// vector writes the last, and by contract only, sample of each series.
func (an *answer) vector(series []engine.Series) {
	an.raw(`[`)
	written := 0
	for i := range series {
		n := len(series[i].Samples)
		if n == 0 {
			continue
		}
		if written > 0 {
			an.raw(`,`)
		}
		written++
		an.raw(`{"metric":`)
		an.labels(series[i].Labels)
		an.raw(`,"value":`)
		an.sample(series[i].Samples[n-1])
		an.raw(`}`)
	}
	an.raw(`]`)
}

func (an *answer) sample(s engine.Sample) {
	an.raw(`[`)
	an.buf = appendSampleTime(an.buf, int64(s.Timestamp))
	an.raw(`,`)
	an.buf = appendSampleValue(an.buf, s.Value)
	an.raw(`]`)
	an.spill()
}
