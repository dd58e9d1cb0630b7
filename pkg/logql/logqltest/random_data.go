package logqltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Names and values are few, so that what queries ask for is often there, in several places at once: as a label of a stream,
// as structured metadata, in the line.
var (
	randomStreams = []labels.Labels{
		labels.FromStrings("app", "a"),
		labels.FromStrings("app", "a", "zone", "1"),
		labels.FromStrings("app", "b", "zone", "2", "status", "404"),
		labels.FromStrings("app", "b", "detected_level", "info"),
		labels.FromStrings("app", "c", "user_extracted", "x"),
		labels.FromStrings("app", "d", "user", "ann", "user_extracted", "x"),
	}
	randomNames    = []string{"status", "took", "size", "user", "zone", "app", "msg"}
	metadataNames  = []string{"app", "pod", "status", "user", "zone"}
	randomLevels   = []string{"", "info", "warn", "error"}
	randomMessages = []string{"", "hello world", "GET /a 200", "from 10.0.0.1 to 10.9.0.2:80", "::1 is home", "a b c"}
)

// drawOf draws one of a few values, the first when shrunk.
func drawOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.Custom(func(t *rapid.T) T { return values[drawBits(t, len(values))] }).Draw(t, label)
}

// drawInt draws a number between two, both included.
func drawInt(t *rapid.T, label string, from, to int) int {
	return rapid.Custom(func(t *rapid.T) int { return from + drawBits(t, to-from+1) }).Draw(t, label)
}

// drawBits draws a number below n bit by bit. All are equally likely: rapid by itself prefers the small, and queries would
// be made of the first value of each list.
func drawBits(t *rapid.T, n int) int {
	number := 0
	for range bits.Len(uint(n)) + 2 {
		number *= 2
		if rapid.Bool().Draw(t, "bit") {
			number++
		}
	}
	return number % n
}

// drawOften is true n times of ten. Shrinking makes it false, and all of drawOf the first value.
func drawOften(t *rapid.T, label string, n int) bool {
	return drawInt(t, label, 0, 9) >= 10-n
}

// drawStreams draws entries over two minutes. Times are half seconds, so that many are equal.
func drawStreams(t *rapid.T) []model.Stream {
	var streams []model.Stream
	for _, ls := range randomStreams[:drawInt(t, "streams", 1, len(randomStreams))] {
		n := drawOf(t, "entries", 0, 1, 10, 20, 40)
		var times []int
		for range n {
			times = append(times, drawInt(t, "time", 0, 240))
		}
		slices.Sort(times)
		s := model.Stream{Labels: ls}
		for _, at := range times {
			s.Entries = append(s.Entries, drawEntry(t, day.Add(time.Duration(at)*time.Second/2)))
		}
		if n > 0 && drawOften(t, "twice", 3) {
			s.Entries = append(s.Entries, s.Entries[n-1])
		}
		streams = append(streams, s)
	}
	return streams
}

func drawEntry(t *rapid.T, at model.Timestamp) model.Entry {
	e := model.Entry{Timestamp: at, Line: drawLine(t), Level: drawOf(t, "level", randomLevels...)}
	for _, name := range metadataNames {
		if drawOften(t, "metadata", 3) {
			e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: drawValue(t, name)})
		}
	}
	return e
}

// drawValue draws a value that is not empty.
func drawValue(t *rapid.T, name string) string {
	switch name {
	case "status":
		return drawOf(t, name, "200", "404", "500", "1.5", "-3", "1e2", "NaN", "oops")
	case "took":
		return drawOf(t, name, "10ms", "1.5s", "2m", "1h", "soon")
	case "size":
		return drawOf(t, name, "10KB", "1MiB", "77", "3.5kb", "big")
	case "user":
		return drawOf(t, name, "ann", "bob", "eve", "10.0.0.1")
	}
	return drawOf(t, name, "1", "2", "a", "b")
}

// drawFields draws what a structured line says.
func drawFields(t *rapid.T) map[string]string {
	fields := map[string]string{}
	for _, name := range randomNames {
		switch {
		case name == "msg":
			fields[name] = drawOf(t, name, randomMessages...)
		case drawOften(t, "field", 6):
			fields[name] = drawValue(t, name)
		}
	}
	return fields
}

func drawLine(t *rapid.T) string {
	var line string
	switch drawOf(t, "kind of line", "plain", "logfmt", "logfmt", "json", "json", "access", "packed", "colours") {
	case "json":
		line = jsonLine(t)
	case "logfmt":
		line = logfmtLine(t)
	case "access":
		f := drawFields(t)
		line = fmt.Sprintf(`%s - %s "GET /%s" %s %s`, drawOf(t, "ip", "10.0.0.1", "192.168.1.7", "2001:db8::1"), f["user"], f["zone"], f["status"], f["took"])
	case "packed":
		raw, _ := json.Marshal(map[string]any{"_entry": logfmtLine(t), "user": drawValue(t, "user"), "pod": "p", "n": 1}) // of texts and a number: cannot fail
		line = string(raw)
	case "colours":
		line = "\x1b[31mred\x1b[0m level=\x1b[1;32mwarn\x1b[0m " + drawOf(t, "msg", randomMessages...)
	default:
		line = drawOf(t, "msg", randomMessages...)
	}
	switch drawOf(t, "break", 0, 0, 0, 0, 0, 0, 0, 1, 2) {
	case 1:
		line = line[:drawInt(t, "cut", 0, len(line))]
	case 2:
		line += drawOf(t, "tail", " trailing", `}`, ` x="`, ` a"b=c d=e`, ` =x y=z`, " status=500 status=200", ` "status":500`)
	}
	return line
}

// jsonLine writes an object with values of all kinds, among them nested ones and, at times, a key twice.
func jsonLine(t *rapid.T) string {
	var members []string
	fields := drawFields(t)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := strconv.Quote(fields[name])
		if _, err := strconv.Atoi(fields[name]); err == nil && drawOften(t, "number", 5) {
			value = fields[name]
		}
		members = append(members, strconv.Quote(name)+":"+value)
	}
	for _, extra := range []string{
		`"req":{"status":500,"user":"nested","x y":{"z":"deep"}}`, `"ok":true`, `"nil":null`, `"list":[1,"two",{"three":3}]`,
		`"status":1`, `"esc":"a\"b\u00e9\n"`, `"1st":"digit"`, `"":"nameless"`, `"k-v.w":"dots"`, `"user":{"name":"ann"}`,
	} {
		if drawOften(t, "extra", 2) {
			members = append(members, extra)
		}
	}
	separator := drawOf(t, "separator", ",", ", ", " , ")
	return "{" + strings.Join(members, separator) + drawOf(t, "end", "}", "}", "}", " }", ",}")
}

func logfmtLine(t *rapid.T) string {
	var pairs []string
	fields := drawFields(t)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		if strings.Contains(value, " ") {
			value = strconv.Quote(value)
		}
		pairs = append(pairs, name+"="+value)
	}
	for _, extra := range []string{`flag`, `empty=`, `esc="a\"b\n"`, `1st=digit`, `k-v.w=dots`, `quoted=""`} {
		if drawOften(t, "extra", 2) {
			pairs = append(pairs, extra)
		}
	}
	return strings.Join(pairs, " ")
}
