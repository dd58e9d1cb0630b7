package template

import (
	"fmt"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	_ "time/tzdata" // containers often have no zone files, and a wrong hour is worse than half a megabyte
)

// zone is a time zone that was asked for; UTC if there is none of that name.
type zone struct{ *time.Location }

// timeFunctions has dates in the time zone of this process where nothing else is said, as Loki.
func (r *run) timeFunctions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"now":             time.Now,
		"unixEpoch":       func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
		"unixEpochMillis": func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
		"unixEpochNanos":  func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) },
		"unixToTime":      unixToTime,
		"date":            func(layout string, date any) (string, error) { return r.made(toTime(date).Local().Format(layout)) },
		"toDate": func(layout, s string) time.Time {
			t, _ := time.ParseInLocation(layout, s, time.Local) // the zero time if it is none
			return t
		},
		"toDateInZone": func(layout, zone, s string) time.Time {
			t, _ := time.ParseInLocation(layout, s, r.zone(zone))
			return t
		},
	}
}

// zone loads a time zone once: each load reads a file.
func (r *run) zone(name string) *time.Location {
	if z := r.zones[name]; z != nil {
		return z.Location
	}
	name = strings.Clone(name) // it may be of the entry, and the location keeps it
	loc, err := time.LoadLocation(name)
	if err != nil {
		loc = time.UTC
	}
	if len(r.zones) >= cachedMax || r.zones == nil {
		r.zones = map[string]*zone{}
	}
	r.zones[name] = &zone{loc}
	return loc
}

// toTime takes a time, or seconds since 1970. As in sprig everything else is now.
func toTime(v any) time.Time {
	switch v := v.(type) {
	case time.Time:
		return v
	case int64:
		return time.Unix(v, 0)
	case int:
		return time.Unix(int64(v), 0)
	case int32:
		return time.Unix(int64(v), 0)
	}
	return time.Now()
}

// unixToTime reads days, seconds, milli-, micro- or nanoseconds since 1970, told apart by the number of digits.
func unixToTime(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("unable to parse time '%v': %w", s, err)
	}
	switch len(s) {
	case 5:
		return time.Unix(n*86400, 0), nil
	case 10:
		return time.Unix(n, 0), nil
	case 13:
		return time.UnixMilli(n), nil
	case 16:
		return time.UnixMicro(n), nil
	case 19:
		return time.Unix(0, n), nil
	}
	return time.Time{}, fmt.Errorf("unable to parse time '%v': it has neither 5, 10, 13, 16 nor 19 digits", s)
}
