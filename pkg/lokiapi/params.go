package lokiapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	pmodel "github.com/prometheus/common/model"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// The texts that clients of Loki know.
const (
	textStepNotPositive = "zero or negative query resolution step widths are not accepted. Try a positive integer"
	textStepTooSmall    = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"
	textEndBeforeStart  = "end timestamp must not be before or equal to start time"
	textLimitPositive   = "limit must be a positive value"
	textIntervalSign    = "interval must be >= 0"
)

const sinceDefault = time.Hour

// parseForm reads the parameters from the URL and, for POST, the form in the body.
func parseForm(w http.ResponseWriter, r *http.Request) error {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, formBytesMax)
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return fail(http.StatusRequestEntityTooLarge, "request body too large: a form may have %d bytes", tooLarge.Limit)
		}
		return fail(http.StatusBadRequest, "could not parse the form: %v", err)
	}
	return nil
}

// timeParam reads a time: seconds with a fraction, whole seconds (up to ten digits), nanoseconds (more), or RFC 3339.
// What lies outside representable time becomes its end.
func timeParam(form url.Values, name string, otherwise model.Timestamp) (model.Timestamp, error) {
	value := form.Get(name)
	if value == "" {
		return otherwise, nil
	}
	if strings.Contains(value, ".") {
		if f, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(f) {
			// Milliseconds, as Loki rounds; a float has no more to give for today's seconds anyway.
			whole, fraction := math.Modf(f)
			fraction = math.Round(fraction*1000) / 1000
			return secondsToTimestamp(whole).Add(time.Duration(fraction * float64(time.Second))), nil
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil {
		if len(value) <= 10 {
			return secondsToTimestamp(float64(n)), nil
		}
		return model.Timestamp(n), nil
	}
	if errors.Is(err, strconv.ErrRange) {
		return 0, fail(http.StatusBadRequest, "could not parse '%s' parameter: %q is beyond 64-bit nanoseconds", name, value)
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return 0, fail(http.StatusBadRequest,
			"could not parse '%s' parameter: %q is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time", name, value)
	}
	return saturate(t), nil
}

func secondsToTimestamp(s float64) model.Timestamp {
	const secondsMax = float64(math.MaxInt64 / int64(time.Second))
	switch {
	case s > secondsMax:
		return model.MaxTimestamp
	case s < -secondsMax:
		return model.MinTimestamp
	}
	return model.Timestamp(int64(s) * int64(time.Second))
}

func saturate(t time.Time) model.Timestamp {
	switch {
	case t.After(model.MaxTimestamp.Time()):
		return model.MaxTimestamp
	case t.Before(model.MinTimestamp.Time()):
		return model.MinTimestamp
	}
	return model.TimestampOf(t)
}

// sinceParam is how far back a query looks that does not say its start.
func sinceParam(form url.Values) (time.Duration, error) {
	s := form.Get("since")
	if s == "" {
		return sinceDefault, nil
	}
	d, err := pmodel.ParseDuration(s)
	if err != nil {
		return 0, fail(http.StatusBadRequest, "could not parse 'since' parameter: %v", err)
	}
	return time.Duration(d), nil
}

// bounds reads start, end and since. An end in the future does not move the default start into the future.
func bounds(form url.Values, now model.Timestamp) (model.Interval, error) {
	since, err := sinceParam(form)
	if err != nil {
		return model.Interval{}, err
	}
	end, err := timeParam(form, "end", now)
	if err != nil {
		return model.Interval{}, err
	}
	start, err := timeParam(form, "start", min(end, now).Add(-since))
	if err != nil {
		return model.Interval{}, err
	}
	return model.Interval{Start: start, End: end}, nil
}

// listingBounds is bounds for labels, series and statistics, whose end is inclusive.
func listingBounds(form url.Values, now model.Timestamp) (model.Interval, error) {
	iv, err := bounds(form, now)
	if err != nil {
		return model.Interval{}, err
	}
	if iv.End < iv.Start {
		return model.Interval{}, fail(http.StatusBadRequest, textEndBeforeStart)
	}
	return model.Interval{Start: iv.Start, End: iv.End.Add(1)}, nil
}

// span is the length of an interval, saturating.
func span(iv model.Interval) time.Duration {
	d := int64(iv.End) - int64(iv.Start)
	if d < 0 && iv.End > iv.Start {
		return math.MaxInt64
	}
	return time.Duration(d)
}

func stepParam(form url.Values, iv model.Interval) (time.Duration, error) {
	step := max(time.Duration(math.Floor(span(iv).Seconds()/250)), 1) * time.Second
	if value := form.Get("step"); value != "" {
		var err error
		if step, err = secondsOrDuration("step", value); err != nil {
			return 0, err
		}
	}
	if step <= 0 {
		return 0, fail(http.StatusBadRequest, textStepNotPositive)
	}
	if span(iv)/step > stepsMax {
		return 0, fail(http.StatusBadRequest, textStepTooSmall)
	}
	return step, nil
}

// checkInterval accepts only an interval that changes nothing: sampling lines by time is not implemented, and leaving it
// out would answer another question than the one asked.
func checkInterval(form url.Values) error {
	value := form.Get("interval")
	if value == "" {
		return nil
	}
	d, err := secondsOrDuration("interval", value)
	switch {
	case err != nil:
		return err
	case d < 0:
		return fail(http.StatusBadRequest, textIntervalSign)
	case d > 0:
		return fail(http.StatusBadRequest,
			"the interval parameter is not supported: leave it out, lower the limit, or count lines with count_over_time")
	}
	return nil
}

func secondsOrDuration(name, value string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(value, 64); err == nil {
		ns := f * float64(time.Second)
		// 1<<63 is the first float above the largest duration.
		if math.IsNaN(ns) || ns >= 1<<63 || ns < -1<<63 {
			return 0, fail(http.StatusBadRequest,
				"could not parse '%s' parameter: cannot parse %q to a valid duration. It overflows int64", name, value)
		}
		return time.Duration(ns), nil
	}
	d, err := pmodel.ParseDuration(value)
	if err != nil {
		return 0, fail(http.StatusBadRequest,
			"could not parse '%s' parameter: cannot parse %q to a valid duration", name, value)
	}
	return time.Duration(d), nil
}

func limitParam(form url.Values) (int, error) {
	value := form.Get("limit")
	if value == "" {
		return queryEntriesDefault, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fail(http.StatusBadRequest, "could not parse 'limit' parameter: %q is not a number", value)
	}
	if n <= 0 {
		return 0, fail(http.StatusBadRequest, textLimitPositive)
	}
	return n, nil
}

func directionParam(form url.Values) (storage.Order, error) {
	value := form.Get("direction")
	switch strings.ToLower(value) {
	case "", "backward":
		return storage.Backward, nil
	case "forward":
		return storage.Forward, nil
	}
	return 0, fail(http.StatusBadRequest, "invalid direction '%s'", value)
}

// fail makes an error whose text is for the client.
func fail(status int, format string, args ...any) error {
	if len(args) == 0 {
		return &httpError{status: status, text: format}
	}
	return &httpError{status: status, text: fmt.Sprintf(format, args...)}
}

// boolParam reads a switch, which is off when it is left out.
func boolParam(form url.Values, name string) (bool, error) {
	value := form.Get(name)
	if value == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, fail(http.StatusBadRequest, "%s must be true or false, not %q", name, value)
	}
	return on, nil
}
