package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

var queryCommand = command{
	name:    "query",
	args:    "LOGQL",
	summary: "ask for lines or metrics with LogQL",
	about: `
  gpx_woodshed query '{app="api"} |= "timeout"'
  gpx_woodshed query --since 6h --limit 1000 --output raw '{app="api"}' | sort | uniq -c
  gpx_woodshed query --step 1m 'sum by (app) (rate({namespace="prod"}[5m]))'
  gpx_woodshed query --explain '{app="api"} | json | status="503"'
  gpx_woodshed query --instant 'sum(count_over_time({namespace="prod"}[1h]))'

Output: default (time, labels that differ, line), raw (lines alone), jsonl (one JSON object a line), json (the
server's answer). Without a match the exit code is 1.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		q := &query{}
		q.target.register(set, e)
		q.window.register(set)
		set.IntVar(&q.limit, "limit", 100, "the most lines to answer with (`n`)")
		set.StringVar(&q.direction, "direction", "backward", "backward: newest first; forward: oldest first (`order`)")
		set.StringVar(&q.step, "step", "", "the distance of a metric's samples; chosen by the server when left out (`duration`)")
		set.BoolVar(&q.instant, "instant", false, "evaluate a metric query once, at the end of the window; of a log query: up to and with the end")
		set.BoolVar(&q.plan, "explain", false, "show how the query is answered instead of the answer: its plan, and what was read")
		set.StringVar(&q.output, "output", "default", "default, raw, jsonl or json (`form`)")
		set.BoolVar(&q.json, "json", false, "the same as --output json")
		set.StringVar(&q.color, "color", "auto", "auto: on a terminal, unless NO_COLOR is set; always; never (`when`)")
		set.BoolVar(&q.quiet, "quiet", false, "no notes on standard error")
		return q.run
	},
}

// query is one run of the command.
type query struct {
	target
	window
	limit                          int
	direction, step, output, color string
	instant, json, quiet, plan     bool
}

func (q *query) run(ctx context.Context, args []string) error {
	if err := q.check(args); err != nil {
		return err
	}
	defer q.close()
	path, params, err := q.request(args[0], time.Now())
	if err != nil {
		return err
	}
	if q.output == "json" {
		return q.explain(args[0], q.copy(ctx, path, params))
	}
	var reply queryReply
	if err := q.getJSON(ctx, path, params, &reply, "X-Loki-Response-Encoding-Flags", "categorize-labels"); err != nil {
		return q.explain(args[0], err)
	}
	if q.plan {
		return q.printPlan(&reply)
	}
	return q.print(&reply)
}

func (q *query) check(args []string) error {
	switch {
	case len(args) == 0:
		return usagef("a LogQL query is missing")
	case len(args) > 1:
		return usagef("one query is asked at a time, not %d: put it in quotes", len(args))
	case q.limit <= 0:
		return usagef("--limit %d is not positive", q.limit)
	case q.direction != "backward" && q.direction != "forward":
		return usagef("--direction %q is neither backward nor forward", q.direction)
	case q.color != "auto" && q.color != "always" && q.color != "never":
		return usagef("--color %q is none of auto, always, never", q.color)
	}
	switch q.output {
	case "default", "raw", "jsonl", "json":
	default:
		return usagef("--output %q is none of default, raw, jsonl, json", q.output)
	}
	if q.json {
		q.output = "json"
	}
	return q.open()
}

// request builds the path and the parameters.
func (q *query) request(logql string, now time.Time) (string, url.Values, error) {
	params := url.Values{"query": {logql}, "limit": {strconv.Itoa(q.limit)}, "direction": {q.direction}}
	if q.plan {
		params.Set("explain", "true")
	}
	start, end, err := q.resolve(now)
	if err != nil {
		return "", nil, err
	}
	if q.instant {
		params.Set("time", nanoseconds(end))
		params.Set("since", strconv.FormatInt(end.Sub(start).Milliseconds(), 10)+"ms")
		return "/loki/api/v1/query", params, nil
	}
	params.Set("start", nanoseconds(start))
	params.Set("end", nanoseconds(end))
	if q.step != "" {
		params.Set("step", q.step)
	}
	return "/loki/api/v1/query_range", params, nil
}

// copy hands the server's answer through.
func (q *query) copy(ctx context.Context, path string, params url.Values) error {
	a, err := q.get(ctx, path, params)
	if err != nil {
		return err
	}
	defer a.close()
	if _, err := io.Copy(q.env.Out, a); err != nil {
		return fmt.Errorf("copy the answer: %w", err)
	}
	return nil
}

// explain draws the caret for a query that does not parse.
func (q *query) explain(logql string, err error) error {
	var se *statusError
	if !errors.As(err, &se) || se.status != http.StatusBadRequest {
		return err
	}
	if picture := drawCaret(logql, se.text, q.env.columns()); picture != "" {
		return errors.New("the query is not LogQL\n\n" + picture)
	}
	text := se.text
	if hint := syntax.Hint(text); hint != "" {
		text += " (" + hint + ")"
	}
	return errors.New(text)
}

// note tells something on standard error that is not part of the answer.
func (q *query) note(format string, args ...any) {
	if !q.quiet {
		fmt.Fprintf(q.env.Err, format+"\n", args...)
	}
}

// printPlan prints the plan and what was read.
func (q *query) printPlan(reply *queryReply) error {
	for _, w := range reply.Warnings {
		q.note("warning: %s", printable(w))
	}
	if reply.Data.Explain == nil {
		return errors.New("the server does not explain queries: it is older than this command, or no Woodshed")
	}
	return printExplain(q.env.Out, reply.Data.Explain)
}

func (q *query) print(reply *queryReply) error {
	for _, w := range reply.Warnings {
		q.note("warning: %s", printable(w))
	}
	p := &printer{w: q.env.Out, form: q.output, safe: q.env.Terminal, color: q.colored()}
	found, err := p.print(&reply.Data, q.direction == "backward")
	if err != nil {
		return err
	}
	if len(p.common) > 0 && q.output == "default" {
		q.note("labels of every line: %s", labelText(p.common))
	}
	if reply.Data.ResultType == "streams" && found >= q.limit {
		which := "newest"
		if q.direction == "forward" {
			which = "oldest"
		}
		q.note("the %s %s lines are shown; --limit gets more", which, strconv.Itoa(found))
	}
	if found == 0 {
		q.note("no match in this window; --since and --from look elsewhere")
		return errNoMatch
	}
	return nil
}

func (q *query) colored() bool {
	switch q.color {
	case "always":
		return true
	case "never":
		return false
	}
	return q.env.Terminal && q.env.getenv("NO_COLOR") == "" && !strings.EqualFold(q.env.getenv("TERM"), "dumb")
}
