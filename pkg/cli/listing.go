package cli

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/url"
	"time"
)

var labelsCommand = command{
	name:    "labels",
	args:    "[NAME]",
	summary: "list the names of labels, or the values of one",
	about: `
  gpx_woodshed labels
  gpx_woodshed labels app --match '{namespace="prod"}'
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		l := &listing{}
		l.register(set, e)
		set.StringVar(&l.match, "match", "", "only of streams with these labels (`selector`)")
		return l.labels
	},
}

var seriesCommand = command{
	name:    "series",
	args:    "[SELECTOR...]",
	summary: "list streams by their labels",
	about: `
  gpx_woodshed series
  gpx_woodshed series '{namespace="prod"}' '{job=~"batch-.+"}'
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		l := &listing{}
		l.register(set, e)
		return l.series
	},
}

// listing is one run of labels or series.
type listing struct {
	target
	window
	match string
	json  bool
}

func (l *listing) register(set *flag.FlagSet, e *env) {
	l.target.register(set, e)
	l.window.register(set)
	set.BoolVar(&l.json, "json", false, "print a JSON array")
}

func (l *listing) labels(ctx context.Context, args []string) error {
	if len(args) > 1 {
		return usagef("one label is listed at a time, not %d", len(args))
	}
	params := url.Values{}
	if l.match != "" {
		params.Set("query", l.match)
	}
	path := "/loki/api/v1/labels"
	if len(args) == 1 {
		if args[0] == "" {
			return usagef("the name of the label is empty")
		}
		path = "/loki/api/v1/label/" + url.PathEscape(args[0]) + "/values"
	}
	var reply struct {
		Data []string `json:"data"`
	}
	if err := l.ask(ctx, path, params, &reply); err != nil {
		return err
	}
	p := &printer{safe: l.env.Terminal}
	return l.print(reply.Data, len(reply.Data), func(i int) string { return p.shown(reply.Data[i]) })
}

func (l *listing) series(ctx context.Context, args []string) error {
	var reply struct {
		Data []map[string]string `json:"data"`
	}
	if err := l.ask(ctx, "/loki/api/v1/series", url.Values{"match[]": args}, &reply); err != nil {
		return err
	}
	p := &printer{safe: l.env.Terminal}
	return l.print(reply.Data, len(reply.Data), func(i int) string { return p.shown(labelText(reply.Data[i])) })
}

func (l *listing) ask(ctx context.Context, path string, params url.Values, into any) error {
	if err := l.open(); err != nil {
		return err
	}
	defer l.close()
	if err := l.set(params, time.Now()); err != nil {
		return err
	}
	return l.getJSON(ctx, path, params, into)
}

// print writes the list, one item a line, or as JSON.
func (l *listing) print(all any, n int, item func(int) string) error {
	w := bufio.NewWriter(l.env.Out)
	if l.json {
		if n == 0 {
			all = []string{}
		}
		if err := writeJSONLine(w, all); err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
	} else {
		for i := range n {
			fmt.Fprintln(w, item(i))
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	if n == 0 {
		return errNoMatch
	}
	return nil
}
