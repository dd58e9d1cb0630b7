package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// benchQuery is one question. want is the number of lines or the value that is right; -1 when not known.
type benchQuery struct {
	name   string
	path   string
	params url.Values
	want   int
}

const unknown = -1

// queries are those of the comparison with other log stores.
func (b *bench) queries() []benchQuery {
	end := b.corpus.start.Add(b.corpus.span + time.Second)
	start := b.corpus.start
	total := b.lines
	if total == 0 {
		// An earlier run: its time is not known, so the widest window that a store takes lines from.
		total, start = b.fromLines, end.Add(-7*24*time.Hour)
	}
	span := fmt.Sprintf("[%ds]", int(end.Sub(start).Seconds())+1)
	known := func(n int) int {
		if total < 100*b.clients { // too few lines to hide anything in
			return unknown
		}
		return n
	}
	var list []benchQuery
	add := func(name, path string, want int, pairs ...string) {
		q := benchQuery{name: name, path: "/loki/api/v1/" + path, params: url.Values{}, want: want}
		if path == "query" {
			q.params.Set("time", nanoseconds(end))
		} else {
			q.params.Set("start", nanoseconds(start))
			q.params.Set("end", nanoseconds(end))
		}
		for i := 0; i < len(pairs); i += 2 {
			q.params.Set(pairs[i], pairs[i+1])
		}
		list = append(list, q)
	}
	lines := func(name, logql string, limit, want int) {
		add(name, "query_range", want, "query", logql, "limit", strconv.Itoa(limit))
	}
	metric := func(name, logql, step string) { add(name, "query_range", unknown, "query", logql, "step", step) }
	const all = `{cluster="eu-1"}`
	lines("rare word", all+` |= "`+needleWord+`"`, 1000, known(needleLines))
	lines("part of that word", all+` |= "`+needleWord[2:9]+`"`, 1000, known(needleLines))
	lines("absent word", all+` |= "xylophonist"`, 1000, 0)
	lines("absent substring", all+` |= "qzjxvkw"`, 1000, 0)
	lines("common substring, newest 1000", all+` |= "timeout"`, 1000, unknown)
	add("count of lines with a common substring", "query", unknown, "query", `sum(count_over_time(`+all+` |= "timeout" `+span+`))`)
	lines("rare regex with (?i), limit 5000", all+` |~ "(?i)QUETZAL[a-z]+"`, 5000, known(needleLines))
	lines("regex with literal prefix, newest 1000", all+` |~ "order [0-9]+7$"`, 1000, unknown)
	lines("two line filters, one negated, newest 1000", all+` |= "level=error" != "cache"`, 1000, unknown)
	lines("json, numeric label filter, newest 1000", `{format="json"} | json | duration_ms > 100`, 1000, unknown)
	metric("logfmt, duration filter, count by label, 5m", `sum by (level) (count_over_time({format="logfmt"} | logfmt | duration > 50ms [5m]))`, "5m")
	metric("histogram: sum by (detected_level)(count_over_time[1m])", `sum by (detected_level) (count_over_time(`+all+`[1m]))`, "1m")
	metric("sum by (app)(rate[5m])", `sum by (app) (rate(`+all+`[5m]))`, "5m")
	metric("sum by (namespace)(bytes_over_time[5m])", `sum by (namespace) (bytes_over_time(`+all+`[5m]))`, "5m")
	want := total
	if total == 0 {
		want = unknown
	}
	add("count of everything", "query", want, "query", `sum(count_over_time(`+all+span+`))`)
	add("one stream, last 15 min, 1000 lines", "query_range", unknown, "query", `{pod="checkout-0"}`, "limit", "1000", "start", nanoseconds(end.Add(-15*time.Minute)))
	lines("newest 100 of everything", all, 100, known(100))
	lines("structured metadata equality", all+` | trace_id="`+needleTrace+`"`, 1000, known(traceLines))
	metric("quantile_over_time(0.99) of a JSON field", `quantile_over_time(0.99, {format="json"} | json | unwrap duration_ms [5m]) by (app)`, "5m")
	metric("topk(5) by a pattern-extracted path", `topk(5, sum by (path) (count_over_time({format="access"} | pattern "<_> \"<_> <path> <_>" [5m])))`, "5m")
	add("label values", "label/app/values", unknown)
	add("series listing", "series", b.streamsWanted(total))
	return list
}

// streamsWanted is the number of streams that a corpus has for certain.
func (b *bench) streamsWanted(total int) int {
	if total < 1000*b.streams { // quiet streams may have got no line
		return unknown
	}
	return b.streams
}

// time runs a query once to warm up and then for the clock. A query that the store does not know is reported, not fatal.
func (b *bench) time(ctx context.Context, q benchQuery) (benchResult, error) {
	r := benchResult{Name: q.name, Query: q.params.Get("query"), Want: q.want}
	var times []time.Duration
	for i := range b.repeat + 1 {
		start := time.Now()
		body, err := b.ask(ctx, q)
		took := time.Since(start)
		var se *statusError
		if errors.As(err, &se) && se.status/100 == 4 && se.status != http.StatusTooManyRequests {
			r.Error = se.text
			return r, nil
		}
		if err != nil {
			return r, fmt.Errorf("query %q: %w", q.name, err)
		}
		if i == 0 {
			if r.Results, err = countResults(body); err != nil {
				return r, fmt.Errorf("query %q: %w", q.name, err)
			}
			r.Bytes = len(body)
			continue
		}
		times = append(times, took)
	}
	slices.Sort(times)
	r.MS = benchTimes{Min: quantile(times, 0), Median: quantile(times, 0.5), Max: quantile(times, 1)}
	return r, nil
}

func (b *bench) ask(ctx context.Context, q benchQuery) ([]byte, error) {
	a, err := b.get(ctx, q.path, q.params, "Accept-Encoding", "identity") // nobody compresses on the loopback
	if err != nil {
		return nil, err
	}
	defer a.close()
	body, err := io.ReadAll(a)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return body, nil
}

// countResults counts an answer: lines of streams, samples of a matrix, items of a list; a vector of one sample without
// labels is a count itself.
func countResults(body []byte) (int, error) {
	var reply struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	if len(reply.Data) == 0 {
		return 0, nil
	}
	if reply.Data[0] == '[' {
		var list []json.RawMessage
		err := json.Unmarshal(reply.Data, &list)
		return len(list), err
	}
	var data struct {
		Result []struct {
			Metric map[string]string `json:"metric"`
			Value  *sampleReply      `json:"value"`
			Values []json.RawMessage `json:"values"`
		} `json:"result"`
	}
	if err := json.Unmarshal(reply.Data, &data); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	n := 0
	for _, s := range data.Result {
		n += len(s.Values)
		if s.Value == nil {
			continue
		}
		if len(data.Result) > 1 || len(s.Metric) > 0 {
			n++
			continue
		}
		v, err := strconv.ParseFloat(s.Value.value, 64)
		if err != nil {
			return 0, fmt.Errorf("read the answer: %w", err)
		}
		return int(v), nil
	}
	return n, nil
}
