package plugin

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// countText writes 48,210, and 4.1 M from a million on.
func countText(n uint64) string {
	switch {
	case n < 1_000_000:
		return humanize.Comma(int64(n))
	case n < 10_000_000_000:
		return fmt.Sprintf("%s.%d M", humanize.Comma(int64(n/1_000_000)), n/100_000%10)
	}
	return humanize.Comma(int64(n/1_000_000)) + " M"
}

// bytesText writes 512 B, 1.2 GB, 380 MB.
func bytesText(n uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < len(units)-1 {
		f, unit = f/1000, unit+1
	}
	if unit == 0 || f >= 9.95 {
		return fmt.Sprintf("%.0f %s", f, units[unit])
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[unit]
}

// ageText writes 6 days, 5 h, 12 min, 40 s: one unit is enough to tell how far back the logs go.
func ageText(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// plural writes 1 stream, 12 streams.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(n) + " " + many
}

// percentText writes 40%, and never 100% before the end.
func percentText(fraction float64) string {
	if !(fraction >= 0) {
		fraction = 0
	}
	return strconv.Itoa(min(int(fraction*100), 99)) + "%"
}
