package plugin

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	prommodel "github.com/prometheus/common/model"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// queryJSON is the query as the front end, provisioned dashboards and alert rules write it: Loki's fields by Loki's names.
// A field that is absent, null or empty has its default.
type queryJSON struct {
	Expr                string `json:"expr"`
	QueryType           string `json:"queryType"` // range (default) or instant
	Instant             bool   `json:"instant"`   // how old dashboards say queryType instant
	MaxLines            number `json:"maxLines"`
	Direction           string `json:"direction"` // backward (default), forward, or scan, which is backward
	Step                string `json:"step"`      // a duration, or $__interval and the like
	LegendFormat        string `json:"legendFormat"`
	Resolution          number `json:"resolution"` // multiplies the step
	SupportingQueryType string `json:"supportingQueryType"`

	// Explore's pages, which a range in milliseconds cannot describe; see lines.go and docs/datasource/explore.md.
	StartNs nanoseconds `json:"startNs"` // replaces the beginning of the range
	EndNs   nanoseconds `json:"endNs"`   // replaces its end
	SeamNs  number      `json:"seamNs"`
	WholeNs number      `json:"wholeNs"`
	FillNs  number      `json:"fillNs"`
	OmitID  string      `json:"omitId"`
}

// query is one query with everything decided but its meaning.
type query struct {
	refID     string
	expr      string // interpolated
	instant   bool
	interval  model.Interval
	step      time.Duration // positive
	limit     int
	direction storage.Order
	legend    string
	volume    bool // the bars above Explore's logs
	fromAlert bool
	words     []string // to highlight, of a log query
	asked     int      // the number of lines asked for, when that is more than is allowed; else 0
	logs      bool     // it returns lines
	paging
}

// parseQuery reads one query. Its errors are the user's.
func (i *Instance) parseQuery(q backend.DataQuery, fromAlert bool) (*query, error) {
	var in queryJSON
	if len(q.JSON) > 0 {
		if err := json.Unmarshal(q.JSON, &in); err != nil {
			return nil, fault(400, "The query could not be read: %s.", err)
		}
	}
	out := &query{refID: q.RefID, legend: in.LegendFormat, fromAlert: fromAlert}
	out.volume = in.SupportingQueryType == "logsVolume" || strings.HasPrefix(q.RefID, "log-volume-")
	var err error
	if out.instant, err = parseQueryType(in); err != nil {
		return nil, err
	}
	if out.direction, err = parseDirection(in.Direction); err != nil {
		return nil, err
	}
	if out.interval, err = parseInterval(q.TimeRange, in); err != nil {
		return nil, err
	}
	if out.paging, err = parsePaging(in); err != nil {
		return nil, err
	}
	if out.limit, err = parseLimit(in.MaxLines, i.settings.maxLines); err != nil {
		return nil, err
	}
	span := q.TimeRange.To.Sub(q.TimeRange.From)
	auto := autoInterval(q.Interval, span, q.MaxDataPoints)
	vars := interpolation{interval: auto, span: span}
	if out.step, err = parseStep(vars.text(in.Step), auto, in.Resolution, span); err != nil {
		return nil, err
	}
	vars.auto = out.step
	if out.instant {
		vars.auto = span
	}
	out.expr = strings.TrimSpace(vars.text(in.Expr))
	switch {
	case out.expr == "":
		return nil, fault(400, `The query is empty. Begin with a selector, for example {app="api"}.`)
	case len(out.expr) > queryBytesMax:
		return nil, fault(400, "The query is %d bytes long; at most %d are read.", len(out.expr), queryBytesMax)
	}
	return out, nil
}

func parseQueryType(in queryJSON) (instant bool, err error) {
	switch in.QueryType {
	case "":
		return in.Instant, nil
	case "range":
		return false, nil
	case "instant":
		return true, nil
	case "stream":
		return false, fault(400, `queryType "stream" (live tail) is not available; use range.`)
	}
	return false, fault(400, "queryType %q is neither range nor instant.", in.QueryType)
}

func parseDirection(s string) (storage.Order, error) {
	switch strings.ToLower(s) {
	case "", "backward", "scan":
		return storage.Backward, nil
	case "forward":
		return storage.Forward, nil
	}
	return 0, fault(400, "direction %q is neither backward nor forward.", s)
}

func parseRange(r backend.TimeRange) (model.Interval, error) {
	if r.From.After(r.To) {
		return model.Interval{}, fault(400, "The time range ends before it begins.")
	}
	if r.From.Before(model.MinTimestamp.Time()) || r.To.After(model.MaxTimestamp.Time()) {
		return model.Interval{}, fault(400, "The time range lies outside the years 1678 to 2262.")
	}
	return model.Interval{Start: model.TimestampOf(r.From), End: model.TimestampOf(r.To)}, nil
}

// parseInterval is the range, or what the query says of its ends in nanoseconds.
func parseInterval(r backend.TimeRange, in queryJSON) (model.Interval, error) {
	out, err := parseRange(r)
	if err != nil {
		return out, err
	}
	if in.StartNs.given {
		out.Start = in.StartNs.value
	}
	if in.EndNs.given {
		out.End = in.EndNs.value
	}
	if out.Start > out.End {
		return out, fault(400, "startNs %d lies behind endNs %d.", out.Start, out.End)
	}
	return out, nil
}

// parsePaging reads what a query asks of its ends.
func parsePaging(in queryJSON) (paging, error) {
	out := paging{omit: in.OmitID}
	for _, x := range []struct {
		name string
		in   number
		out  *time.Duration
	}{{"seamNs", in.SeamNs, &out.seam}, {"wholeNs", in.WholeNs, &out.whole}, {"fillNs", in.FillNs, &out.fill}} {
		if x.in.value < 0 || x.in.value > int64(pagingMax) {
			return out, fault(400, "%s is %d; it must lie between 0 and %d.", x.name, x.in.value, pagingMax.Nanoseconds())
		}
		*x.out = time.Duration(x.in.value)
	}
	if len(in.OmitID) > entryIDMax {
		return out, fault(400, "omitId is no ID of a line: it is %d bytes long.", len(in.OmitID))
	}
	return out, nil
}

// nanoseconds is a time in JSON: a string of digits, because JavaScript's numbers cannot hold it, or a number.
type nanoseconds struct {
	given bool
	value model.Timestamp
}

// UnmarshalJSON reads "1700000000000000000", the number, "" and null.
func (n *nanoseconds) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "" || text == "null" {
		*n = nanoseconds{}
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a time in nanoseconds between the years 1678 and 2262", b)
	}
	*n = nanoseconds{given: true, value: model.Timestamp(v)}
	return nil
}

// parseLimit returns how many lines a log query asks for.
func parseLimit(asked number, otherwise int) (int, error) {
	if !asked.given || asked.value == 0 { // 0 is what an emptied field in a panel leaves behind
		return otherwise, nil
	}
	if asked.value < 0 {
		return 0, fault(400, "maxLines is %d; it must be positive.", asked.value)
	}
	return int(asked.value), nil
}

// autoInterval is Grafana's suggestion of a step, or one made from the range when there is none.
func autoInterval(suggested, span time.Duration, points int64) time.Duration {
	if suggested > 0 {
		return ceilMS(suggested)
	}
	if points <= 0 {
		points = 1000
	}
	return ceilMS(span / time.Duration(points))
}

// parseStep returns the step of a range query. A step that would make more points than Loki allows is widened, for the
// person who zoomed out cannot know the right one.
func parseStep(text string, auto time.Duration, resolution number, span time.Duration) (time.Duration, error) {
	step := auto
	if text = strings.TrimSpace(text); text != "" {
		var err error
		if step, err = parseDuration(text); err != nil || step <= 0 {
			return 0, fault(400, "step %q is not a positive duration; write for example 30s or 5m.", text)
		}
	}
	if r := resolution.value; r > 1 && r <= 10 && step < 1<<58 {
		step *= time.Duration(r)
	}
	return max(ceilMS(step), ceilMS(span/stepsMax+1)), nil
}

// parseDuration reads 30s, 1h30m, 1d, 1.5m, or plain seconds.
func parseDuration(s string) (time.Duration, error) {
	if d, err := prommodel.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds < 1e9) {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// ceilMS rounds up to whole milliseconds, at least one: Grafana and Prometheus count in them.
func ceilMS(d time.Duration) time.Duration {
	d = min(d, 1<<62) // 146 years; the sum below must not overflow
	return max((d+time.Millisecond-1)/time.Millisecond, 1) * time.Millisecond
}

// interpolation holds the values of the variables that only the backend knows. The front end replaces those of the
// dashboard; alert rules have no front end at all.
type interpolation struct {
	interval, span, auto time.Duration
}

// text replaces the variables in s. $__rate_interval is the interval: there are no scrapes whose spacing it would respect.
func (v interpolation) text(s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	ms := func(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }
	spanSeconds := strconv.FormatInt(max(int64(v.span.Round(time.Second)/time.Second), 1), 10) // [0s] is not LogQL
	values := []struct{ name, value string }{                                                  // a name that begins with another stands before it
		{"__interval_ms", ms(v.interval)}, {"__interval", durationText(v.interval)},
		{"__range_ms", ms(v.span)}, {"__range_s", spanSeconds}, {"__range", spanSeconds + "s"},
		{"__rate_interval_ms", ms(v.interval)}, {"__rate_interval", durationText(v.interval)},
		{"__auto", durationText(v.auto)},
	}
	pairs := make([]string, 0, 4*len(values))
	for _, x := range values {
		pairs = append(pairs, "${"+x.name+"}", x.value, "$"+x.name, x.value)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// durationText writes a duration as LogQL reads it, in whole milliseconds.
func durationText(d time.Duration) string { return prommodel.Duration(ceilMS(d)).String() }
