package logqltest

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// The queries below are well typed, and use all of the language. Where Loki leaves open what the answer is (which of equal
// series topk keeps, which of several entries of one time is the last) they do not look.

func drawSelector(t *rapid.T) string {
	return drawOf(t, "selector", `{app=~".+"}`, `{app=~".+"}`, `{app="a"}`, `{app="b"}`, `{app!~"a|c", app!=""}`, `{app=~"a|b", zone=""}`, `{app=~".+", zone!="1"}`)
}

func drawLineFilter(t *rapid.T) string {
	op := drawOf(t, "op", "|=", "|=", "!=", "|~", "|~", "!~", "|>", "!>")
	operand := func() string {
		switch op {
		case "|~", "!~":
			return drawOf(t, "regexp", `"status"`, `"(?i)HELLO"`, `"\\d{3}"`, `"^\\{"`, `"a|b"`, `""`, `"user=(ann|bob)"`)
		case "|>", "!>":
			return drawOf(t, "pattern", `"<_>status<_>"`, `"{<_>}"`, `"hello <_>"`, `"<_> - <_> \"GET <_>"`, `""`, `"hello world"`, `"<_>"`)
		}
		return drawOf(t, "text", `"status"`, `"s"`, `"a"`, `"hello world"`, `""`, `"{"`, `ip("10.0.0.0/8")`, `ip("10.0.0.1-10.0.0.9")`, `ip("::1")`)
	}
	text := op + " " + operand()
	for drawOften(t, "or", 2) {
		text += " or " + operand()
	}
	return text
}

func drawName(t *rapid.T) string {
	return drawOf(t, "name", "status", "status", "user", "zone", "app", "pod", "msg", "level", "detected_level", "status_extracted", "user_extracted",
		"app_extracted", "zone_extracted", "req_status", "missing", "flag", "_1st")
}

func drawLabelFilter(t *rapid.T, depth int) string {
	if depth > 0 && drawOften(t, "both", 3) {
		return drawLabelFilter(t, depth-1) + drawOf(t, "joined", " and ", " or ", ", ", " ") + drawLabelFilter(t, depth-1)
	}
	if depth > 0 && drawOften(t, "parentheses", 2) {
		return "(" + drawLabelFilter(t, depth-1) + ")"
	}
	compare := drawOf(t, "compare", "==", "=", "!=", ">", ">=", "<", "<=")
	switch drawOf(t, "kind of filter", "text", "text", "number", "duration", "bytes", "ip") {
	case "number":
		return drawOf(t, "name", "status", "status_extracted", "zone", "req_status", "missing") + compare + drawOf(t, "number", "200", "404", "1.5", "-3", "0")
	case "duration":
		return "took" + compare + drawOf(t, "duration", "10ms", "1s", "2m", "1d")
	case "bytes":
		return "size" + compare + drawOf(t, "bytes", "10KB", "1MB", "77B", "1KiB")
	case "ip":
		return "user" + drawOf(t, "op", "=", "!=") + `ip("10.0.0.0/8")`
	}
	return drawName(t) + drawOf(t, "op", "!=", "!=", "!~", "!~", "=", "=~") + drawOf(t, "value", `"404"`, `"ann"`, `"a"`, `"1"`, `""`, `"error"`, `"a.*"`, `"1|2"`)
}

func drawParser(t *rapid.T) string {
	return drawOf(t, "parser", `json`, `json`, `json status`, `json s="status", r="req.status"`, `json user="req", l="list[0]", m="list[2].three"`,
		`json app, zone="zone"`, `json x="req[\"x y\"].z"`, `logfmt`, `logfmt`, `logfmt --strict`, `logfmt --keep-empty`, `logfmt --strict --keep-empty`,
		`logfmt status`, `logfmt s="status", u="user"`, `logfmt --strict app, zone`, `regexp "(?P<user>\\w+)=(?P<status>\\d+)?"`,
		`regexp "(?P<zone>\\d+)"`, `pattern "<user> - <_> \"<msg>\" <status> <_>"`, `pattern "<msg>"`, `pattern "{<msg>"`, `unpack`)
}

const badTemplate = `line_format "{{ regexReplaceAll \"(\" .user \"\" }}"`

func drawFormat(t *rapid.T) string {
	return drawOf(t, "format", `line_format "{{.status}} {{.user}}"`, `line_format "{{.msg}}"`, `line_format "{{__line__}} {{.app | upper}}"`,
		`line_format "{{ if eq .app \"a\" }}status={{.status}}{{ else }}{{ __line__ }}{{ end }}"`, `line_format "{{ regexReplaceAll \"o+\" __line__ \"0\" }}"`,
		badTemplate, `line_format "{{ __timestamp__.Unix }}"`, `label_format s=status`, `label_format user=status, status="{{.user}}"`,
		`label_format zone="z{{.zone}}"`, `label_format app="new"`, `label_format x="1", y="{{.x}}"`, `label_format x=user, y="{{.x}}"`, `label_format pod=missing`,
		`label_format status="{{ if eq .status \"oops\" }}0{{ else }}{{ .status }}{{ end }}"`, `label_format zone_extracted=zone`, `label_format n=""`, `decolorize`)
}

func drawPicks(t *rapid.T) string {
	pick := func() string {
		if drawOften(t, "by value", 3) {
			return drawName(t) + drawOf(t, "op", "=", "!=", "=~", "!~") + drawOf(t, "value", `"404"`, `"ann"`, `""`, `"a"`, `"1|2"`)
		}
		return drawName(t)
	}
	text := drawOf(t, "drop or keep", "drop ", "drop ", "keep ") + pick()
	for drawOften(t, "more", 4) {
		text += ", " + pick()
	}
	return text
}

// endPicks ends a stage whose last name would take a line filter behind it, != "x", for its own.
const endPicks = ` |= ""`

// drawStages draws a pipeline, with a blank before each stage.
func drawStages(t *rapid.T) string {
	var b strings.Builder
	for range drawOf(t, "stages", 0, 1, 1, 1, 2, 2, 3, 4) {
		switch drawOf(t, "stage", "line", "label", "parser", "parser", "parser", "format", "pick", "no error") {
		case "line":
			b.WriteString(" " + drawLineFilter(t))
		case "label":
			b.WriteString(" | " + drawLabelFilter(t, 2))
		case "parser":
			b.WriteString(" | " + drawParser(t))
		case "format":
			b.WriteString(" | " + drawFormat(t))
		case "pick":
			b.WriteString(" | " + drawPicks(t) + endPicks)
		case "no error":
			b.WriteString(" | " + drawOf(t, "no error", `__error__=""`, `drop __error__`, `drop __error__, __error_details__`, `__error__!="JSONParserErr"`) + endPicks)
		}
	}
	return b.String()
}

func drawDuration(t *rapid.T, label string) string {
	return drawOf(t, label, "500ms", "5s", "10s", "30s", "1m", "2m")
}

// drawRange draws a range aggregation. Most drop what has errors, or few would have an answer.
func drawRange(t *rapid.T) string {
	// A template that fails is for log queries. Where nobody needs the line an engine leaves it out, with its error.
	stages := strings.ReplaceAll(drawStages(t), badTemplate, `line_format ""`)
	if drawOften(t, "drop errors", 8) {
		stages += drawOf(t, "how", ` | __error__=""`, ` | drop __error__`)
	}
	window := "[" + drawDuration(t, "range") + "]"
	if drawOften(t, "offset", 2) {
		window += " offset " + drawOf(t, "by", "10s", "1m", "-30s")
	}
	if drawOften(t, "unwrap", 5) {
		return drawUnwrapped(t, drawSelector(t)+stages, window)
	}
	op := drawOf(t, "op", "count_over_time", "rate", "bytes_over_time", "bytes_rate", "count_over_time", "absent_over_time")
	if drawOften(t, "range first", 2) {
		return op + "(" + drawSelector(t) + window + stages + ")"
	}
	return op + "(" + drawSelector(t) + stages + " " + window + ")"
}

func drawUnwrapped(t *rapid.T, log, window string) string {
	unwrap := drawOf(t, "what", "status", "status", "status", "status_extracted", "zone", "missing", "duration(took)", "duration_seconds(took)", "bytes(size)")
	log += " | unwrap " + unwrap
	if drawOften(t, "drop errors", 8) {
		log += ` | __error__=""`
	}
	if drawOften(t, "filter", 2) {
		log += " | " + drawLabelFilter(t, 1)
	}
	op := drawOf(t, "op", "rate", "rate_counter", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "stdvar_over_time", "stddev_over_time",
		"quantile_over_time", "first_over_time", "last_over_time", "absent_over_time")
	param := ""
	if op == "quantile_over_time" {
		param = drawOf(t, "quantile", "0", "0.3", "0.5", "0.99", "1", "1.5") + ", "
	}
	text := op + "(" + param + log + " " + window + ")"
	switch op {
	case "rate", "rate_counter", "sum_over_time", "absent_over_time":
		return text
	}
	return text + drawGrouping(t)
}

func drawGrouping(t *rapid.T) string {
	return drawOf(t, "grouping", "", " by (app)", " by (status)", " by (zone, user)", " by ()", " without (app)", " without (pod, status, msg)", " without ()", " by (missing)",
		" by (status_extracted, detected_level)")
}

// drawMetric draws a metric query that yields a vector.
func drawMetric(t *rapid.T, depth int) string {
	if depth == 0 {
		return drawRange(t)
	}
	switch drawOf(t, "metric", "range", "range", "vector", "vector", "vector", "binary", "number", "replace", "constant", "rank") {
	case "vector":
		op := drawOf(t, "op", "sum", "sum", "sum", "avg", "min", "max", "count", "stddev", "stdvar")
		if drawOften(t, "grouping behind", 3) {
			return op + "(" + drawMetric(t, depth-1) + ")" + drawGrouping(t)
		}
		return op + drawGrouping(t) + " (" + drawMetric(t, depth-1) + ")"
	case "rank":
		return drawOf(t, "op", "topk", "bottomk") + drawGrouping(t) + "(" + drawOf(t, "k", "1", "2", "5") + ", " + drawMetric(t, depth-1) + ")"
	case "binary":
		return drawBinary(t, depth)
	case "number":
		op := drawArithmetic(t)
		number := drawOf(t, "number", "2", "0", "-1.5", "100", "(1 + 2)")
		if drawOften(t, "number first", 4) {
			return "(" + number + op + drawMetric(t, depth-1) + ")"
		}
		return "(" + drawMetric(t, depth-1) + op + number + ")"
	case "replace":
		return fmt.Sprintf(`label_replace(%s, "made", %s, %s, %s)`, drawMetric(t, depth-1), drawOf(t, "replacement", `"$1"`, `"x"`, `"${1}y"`, `""`),
			drawOf(t, "source", `"app"`, `"status"`, `"missing"`), drawOf(t, "regexp", `"(.).*"`, `"(a)"`, `""`, `".*"`))
	case "constant":
		return drawOf(t, "constant", "vector(1)", "vector(0)", "vector(2) * 3 ^ 2")
	}
	return drawRange(t)
}

func drawArithmetic(t *rapid.T) string {
	op := drawOf(t, "op", " + ", " - ", " * ", " / ", " % ", " ^ ", " == ", " != ", " > ", " >= ", " < ", " <= ")
	if strings.ContainsAny(op, "=<>!") && drawOften(t, "bool", 5) {
		op += "bool "
	}
	return op
}

func drawBinary(t *rapid.T, depth int) string {
	matching := drawOf(t, "matching", "", "", "", "on (app) ", "on () ", "ignoring (status, user) ", "on (zone) ")
	op := drawArithmetic(t)
	switch {
	case drawOften(t, "set", 4):
		op = drawOf(t, "op", " and ", " or ", " unless ")
	case matching != "" && drawOften(t, "grouped", 4):
		matching += drawOf(t, "group", "group_left () ", "group_right () ", "group_left (zone) ", "group_right (zone) ")
	}
	left, right := drawMetric(t, depth-1), drawMetric(t, depth-1)
	if drawOften(t, "same", 4) {
		right = left
	}
	return "(" + left + op + matching + right + ")"
}

// drawNumber draws a query that is a number.
func drawNumber(t *rapid.T) string {
	return drawOf(t, "constant", "1", "2 * 3 ^ 2 - 1", "1 / 0", "2 > bool 1", "7 % 4", "-2 ^ 2", "(1 + 2) * 3")
}
