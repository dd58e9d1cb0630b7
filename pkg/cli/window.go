package cli

import (
	"flag"
	"net/url"
	"strconv"
	"strings"
	"time"

	pmodel "github.com/prometheus/common/model"
)

// window is the time that a command asks about.
type window struct {
	since, from, to string
}

func (w *window) register(set *flag.FlagSet) {
	set.StringVar(&w.since, "since", "1h", "how far back from the end, such as 15m, 6h, 7d (`duration`)")
	set.StringVar(&w.from, "from", "", "the start: RFC 3339, 2006-01-02 15:04, 15:04, Unix seconds or nanoseconds (`time`)")
	set.StringVar(&w.to, "to", "", "the end, written as the start; now when left out (`time`)")
}

// resolve returns the bounds in Unix nanoseconds.
func (w *window) resolve(now time.Time) (start, end time.Time, err error) {
	if end, err = parseTime(w.to, now, now); err != nil {
		return start, end, usagef("--to %v", err)
	}
	since, err := pmodel.ParseDuration(w.since)
	if err != nil || since <= 0 {
		return start, end, usagef("--since %q is no duration: write 15m, 6h or 7d", w.since)
	}
	if start, err = parseTime(w.from, now, end.Add(-time.Duration(since))); err != nil {
		return start, end, usagef("--from %v", err)
	}
	if !start.Before(end) {
		return start, end, usagef("the start %s is not before the end %s", start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return start, end, nil
}

// set writes the bounds as parameters.
func (w *window) set(params url.Values, now time.Time) error {
	start, end, err := w.resolve(now)
	if err != nil {
		return err
	}
	params.Set("start", nanoseconds(start))
	params.Set("end", nanoseconds(end))
	return nil
}

// localLayouts are read in the local zone; the last two mean today.
var localLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "15:04:05", "15:04"}

// parseTime reads a time as people and scripts write it.
func parseTime(value string, now, otherwise time.Time) (time.Time, error) {
	if value == "" {
		return otherwise, nil
	}
	if value == "now" {
		return now, nil
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if len(strings.TrimPrefix(value, "-")) <= 10 {
			return time.Unix(n, 0), nil
		}
		return time.Unix(0, n), nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	for _, layout := range localLayouts {
		if err == nil {
			break
		}
		if t, err = time.ParseInLocation(layout, value, now.Location()); err == nil && t.Year() == 0 {
			y, m, d := now.Date()
			t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		}
	}
	if err == nil && (t.Year() < 1678 || t.Year() > 2261) {
		return t, usagef("%q is beyond 64-bit nanoseconds", value)
	}
	if err != nil {
		return t, usagef("%q is no time: write 2006-01-02T15:04:05Z, 2006-01-02 15:04, 15:04 or Unix seconds", value)
	}
	return t, nil
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
