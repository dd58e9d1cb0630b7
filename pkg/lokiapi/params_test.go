package lokiapi

import (
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// text returns the client's text of an error, "" for none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	_, text := queryStatus(err)
	return text
}

func TestTimeParam(t *testing.T) {
	f := func(value string, want model.Timestamp) {
		t.Helper()
		got, err := timeParam(url.Values{"time": {value}}, "time", 42)
		require.NoError(t, err)
		require.Equal(t, want, got, value)
	}
	f("", 42)
	f("1700000000", 1700000000_000000000)
	f("1700000000.5", 1700000000_500000000)
	f("1700000000.123456", 1700000000_123000000)
	f("1.7e9", 0+17e17)
	f("-1.5", -1_500000000)
	f("0", 0)
	f("-5", -5_000000000)
	f("17000000000", 17000000000) // eleven digits are nanoseconds
	f("1700000000000000001", 1700000000000000001)
	f("2023-11-14T22:13:20Z", 1700000000_000000000)
	f("2023-11-14T23:13:20.000000001+01:00", 1700000000_000000001)
	f("9999999999", model.MaxTimestamp)
	f("9999-01-01T00:00:00Z", model.MaxTimestamp)
	f("0001-01-01T00:00:00Z", model.MinTimestamp)
}

func TestTimeParamRefuses(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		_, err := timeParam(url.Values{"start": {value}}, "start", 42)
		require.Equal(t, "could not parse 'start' parameter: "+want, textOf(err))
	}
	f("yesterday", `"yesterday" is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time`)
	f("NaN.", `"NaN." is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time`)
	f("2023-11-14", `"2023-11-14" is neither Unix seconds, Unix nanoseconds nor an RFC 3339 time`)
	f("99999999999999999999", `"99999999999999999999" is beyond 64-bit nanoseconds`)
}

// Whatever the value, reading it never panics, and floats beyond all time become its ends.
func TestTimeParamAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{0,25}\.?[0-9]{0,25}`)).Draw(t, "value")
		_, _ = timeParam(url.Values{"t": {v}}, "t", 0)
	})
	got, err := timeParam(url.Values{"t": {"123456789012345678901234567890.0"}}, "t", 0)
	require.NoError(t, err)
	require.Equal(t, model.MaxTimestamp, got)
	got, err = timeParam(url.Values{"t": {"-123456789012345678901234567890.0"}}, "t", 0)
	require.NoError(t, err)
	require.Equal(t, model.MinTimestamp, got)
}

func TestBounds(t *testing.T) {
	const now = model.Timestamp(1700000000_000000000)
	const hour = model.Timestamp(time.Hour)
	f := func(query string, start, end model.Timestamp) {
		t.Helper()
		form, err := url.ParseQuery(query)
		require.NoError(t, err)
		iv, err := bounds(form, now)
		require.NoError(t, err)
		require.Equal(t, model.Interval{Start: start, End: end}, iv, query)
	}
	f("", now-hour, now)
	f("since=2h", now-2*hour, now)
	f("since=1d", now-24*hour, now)
	f("end=1600000000", 1600000000_000000000-hour, 1600000000_000000000)
	f("end=1800000000", now-hour, 1800000000_000000000) // not an hour of the future
	f("start=1600000000&since=5h", 1600000000_000000000, now)
	f("start=1600000000&end=1600000001", 1600000000_000000000, 1600000001_000000000)

	_, err := bounds(url.Values{"since": {"long"}}, now)
	require.Contains(t, textOf(err), "could not parse 'since' parameter: ")
	_, err = bounds(url.Values{"end": {"x"}}, now)
	require.Contains(t, textOf(err), "could not parse 'end' parameter: ")

	iv, err := listingBounds(url.Values{}, now)
	require.NoError(t, err)
	require.Equal(t, model.Interval{Start: now - hour, End: now + 1}, iv, "the end of a listing is inclusive")
	_, err = listingBounds(url.Values{"start": {"1800000000"}}, now)
	require.Equal(t, textEndBeforeStart, textOf(err))
}

func TestStep(t *testing.T) {
	const s = model.Timestamp(time.Second)
	f := func(value string, end model.Timestamp, want time.Duration, refused string) {
		t.Helper()
		got, err := stepParam(url.Values{"step": {value}}, model.Interval{Start: 0, End: end})
		require.Equal(t, refused, textOf(err), value)
		if refused == "" {
			require.Equal(t, want, got)
		}
	}
	f("", 0, time.Second, "")
	f("", 499*s, time.Second, "")
	f("", 500*s, 2*time.Second, "")
	f("", 3600*s, 14*time.Second, "")
	f("30", 3600*s, 30*time.Second, "")
	f("0.5", 3600*s, 500*time.Millisecond, "")
	f("1m", 3600*s, time.Minute, "")
	f("1d", 3600*s, 24*time.Hour, "")
	f("1", 11000*s, time.Second, "")
	f("1", 11001*s, 0, textStepTooSmall)
	f("0", 3600*s, 0, textStepNotPositive)
	f("-1", 3600*s, 0, textStepNotPositive)
	f("1e300", 3600*s, 0, `could not parse 'step' parameter: cannot parse "1e300" to a valid duration. It overflows int64`)
	f("9223372036.8547759", 3600*s, 0, `could not parse 'step' parameter: cannot parse "9223372036.8547759" to a valid duration. It overflows int64`)
	f("NaN", 3600*s, 0, `could not parse 'step' parameter: cannot parse "NaN" to a valid duration. It overflows int64`)
	f("fast", 3600*s, 0, `could not parse 'step' parameter: cannot parse "fast" to a valid duration`)

	// All of time is a span too.
	all := model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	require.Equal(t, time.Duration(math.MaxInt64), span(all))
	got, err := stepParam(url.Values{}, all)
	require.NoError(t, err)
	require.Positive(t, got)
}

func TestLimitDirectionInterval(t *testing.T) {
	limit := func(value string, want int, refused string) {
		t.Helper()
		got, err := limitParam(url.Values{"limit": {value}})
		require.Equal(t, refused, textOf(err))
		require.Equal(t, want, got)
	}
	limit("", 100, "")
	limit("7", 7, "")
	limit("0", 0, "limit must be a positive value")
	limit("-1", 0, "limit must be a positive value")
	limit("many", 0, `could not parse 'limit' parameter: "many" is not a number`)
	limit("99999999999999999999", 0, `could not parse 'limit' parameter: "99999999999999999999" is not a number`)

	direction := func(value string, want storage.Order, refused string) {
		t.Helper()
		got, err := directionParam(url.Values{"direction": {value}})
		require.Equal(t, refused, textOf(err))
		require.Equal(t, want, got)
	}
	direction("", storage.Backward, "")
	direction("BACKWARD", storage.Backward, "")
	direction("forward", storage.Forward, "")
	direction("Forward", storage.Forward, "")
	direction("up", 0, "invalid direction 'up'")

	interval := func(value, refused string) {
		t.Helper()
		require.Equal(t, refused, textOf(checkInterval(url.Values{"interval": {value}})))
	}
	interval("", "")
	interval("0", "")
	interval("-1s", `could not parse 'interval' parameter: cannot parse "-1s" to a valid duration`)
	interval("-1", "interval must be >= 0")
	interval("1m", "the interval parameter is not supported: leave it out, lower the limit, or count lines with count_over_time")
	interval("x", `could not parse 'interval' parameter: cannot parse "x" to a valid duration`)
}

// Defaults come from the clock, end to end.
func TestDefaultsFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := now()
		time.Sleep(time.Hour)
		require.Equal(t, start.Add(time.Hour), now())
	})
}

func TestFormTooLarge(t *testing.T) {
	s := newSite(t)
	got := s.form(t, "/loki/api/v1/query", "query="+strings.Repeat("a", formBytesMax))
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	require.Contains(t, got.body, "request body too large")
	got = s.form(t, "/loki/api/v1/query", "query=%zz")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Contains(t, got.body, "could not parse the form")
}
