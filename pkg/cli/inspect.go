package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var inspectCommand = command{
	name:    "inspect",
	args:    "[DIR]",
	summary: "show what a store consists of: blocks, columns, largest streams, labels, heads",
	about: `
  gpx_woodshed inspect
  gpx_woodshed inspect /var/lib/grafana/woodshed-logs-datasource --day 2026-01-02
  gpx_woodshed inspect --json | jq '.labels[] | select(.values > 1000) | .name'

Reads the files of a data directory, beside the store or without one, and changes nothing. What is in the store's memory
(heads) is asked of its listener.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		i := &inspect{}
		i.register(set, e)
		set.StringVar(&i.tenant, "tenant", "", "only blocks and heads of this tenant (`name`)")
		set.StringVar(&i.day, "day", "", "only blocks of this day, as 2026-01-02 in UTC (`date`)")
		set.StringVar(&i.block, "block", "", "only this block (`ulid`)")
		set.IntVar(&i.top, "top", 10, "how many streams, labels, values and metadata keys are listed (`n`)")
		set.BoolVar(&i.json, "json", false, "print a JSON object")
		return i.run
	},
}

// inspect is one run of the command.
type inspect struct {
	storeFiles
	tenant, day, block string
	top                int
	json               bool
}

// inspectReport is what inspect --json prints.
type inspectReport struct {
	*logdb.Inspection
	Owner string           `json:"owner,omitempty"` // who has the directory open
	Heads []logdb.HeadInfo `json:"heads"`           // null when nobody could be asked
}

func (i *inspect) run(ctx context.Context, args []string) error {
	if err := i.take(args); err != nil {
		return err
	}
	if i.top < 1 || i.top > topMax {
		return usagef("--top %d is not between 1 and %d", i.top, topMax)
	}
	if i.day != "" {
		if _, err := time.Parse(time.DateOnly, i.day); err != nil {
			return usagef("--day %q is no day: write 2026-01-02", i.day)
		}
	}
	if err := i.locate(ctx); err != nil {
		return err
	}
	defer i.close()
	bar := i.env.newProgress(i.quiet)
	bar.count = func(n int64) string { return humanize.Comma(n) }
	found, err := logdb.Inspect(ctx, logdb.InspectConfig{
		FS: vfs.OS(), Dir: i.dir, Tenant: model.TenantID(i.tenant), Day: i.day, Block: i.block, Top: i.top,
		Progress: func(done, total int64) { bar.tell("blocks", done, total) },
	})
	bar.clear()
	if err != nil {
		return i.explain(err)
	}
	report := &inspectReport{Inspection: found}
	if err := i.addHeads(ctx, report); err != nil {
		return err
	}
	i.notes(found)
	return i.print(report)
}

func (i *inspect) addHeads(ctx context.Context, r *inspectReport) error {
	reply, err := i.running(ctx)
	if err != nil {
		return err
	}
	if i.locked {
		r.Owner = i.ownerText()
	}
	if reply == nil {
		if i.locked {
			i.note("note: what the store has in memory is not shown: nothing that belongs to it answers at %s; name its listener with --addr", i.shown())
		}
		return nil
	}
	r.Heads = []logdb.HeadInfo{}
	for _, h := range reply.Heads {
		if i.tenant == "" || i.tenant == string(h.Tenant) {
			r.Heads = append(r.Heads, h)
		}
	}
	return nil
}

func (i *inspect) notes(found *logdb.Inspection) {
	p := &printer{safe: i.env.Terminal}
	for _, problem := range found.Problems {
		i.note("left out: %s; gpx_woodshed verify says more", p.shown(problem))
	}
	if found.Vanished > 0 {
		i.note("note: %s removed by the running store meanwhile and left out", plural(found.Vanished, "block was", "blocks were"))
	}
	if found.Uncounted > 0 {
		i.note("note: there are too many streams to tell apart; labels and largest streams are of the first million")
	}
}

func (i *inspect) print(r *inspectReport) error {
	w := bufio.NewWriter(i.env.Out)
	if i.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		v := &inspectView{inspectReport: r, printer: printer{safe: i.env.Terminal}, chosen: i.tenant != "" || i.day != "" || i.block != "", now: time.Now(), top: i.top, columns: i.env.columns()}
		v.write(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// inspectView prints a report for people.
type inspectView struct {
	*inspectReport
	printer
	chosen  bool // blocks were chosen by a flag: all are listed
	now     time.Time
	top     int
	columns int
}

func (v *inspectView) write(w *bufio.Writer) {
	put(w, v.Dir+"\n")
	if v.Owner != "" {
		put(w, "open in "+v.shown(v.Owner)+"\n")
	}
	s := &v.Sum
	fmt.Fprintf(w, "%s: %s lines of %s, %s raw on %s (%s)\n", plural(s.Blocks, "block", "blocks"), humanize.Comma(int64(s.Entries)),
		plural(s.Streams, "stream", "streams"), bytesText(int64(s.Raw)), bytesText(s.Disk), ratio(int64(s.Raw), s.Disk))
	if s.Blocks > 0 {
		fmt.Fprintf(w, "from %s to %s\n", clock(s.From), clock(s.To))
	}
	v.blocks(w)
	v.parts(w, "What the blocks consist of", "part", v.Parts)
	v.parts(w, "Metadata keys that take most", "key", v.Metadata)
	v.streams(w)
	v.labels(w)
	v.heads(w)
	v.log(w)
	v.quarantine(w)
}

func (v *inspectView) blocks(w *bufio.Writer) {
	t := newTable("tenant", "day", "block", ">level", ">raw", ">disk", ">ratio", ">lines", ">chunks", ">streams", "from", "to", ">age", ">wal to")
	list, older := v.Blocks, 0
	if !v.chosen && len(list) > inspectBlocksMax {
		older = len(list) - inspectBlocksMax
		list = list[older:]
	}
	for _, b := range list {
		t.row(v.shown(string(b.Tenant)), b.Day, b.ULID, strconv.Itoa(b.Level), bytesText(int64(b.Raw)), bytesText(b.Disk), ratio(int64(b.Raw), b.Disk),
			humanize.Comma(int64(b.Entries)), humanize.Comma(int64(b.Chunks)), humanize.Comma(int64(b.Streams)),
			b.From.UTC().Format("15:04:05"), b.To.UTC().Format("15:04:05"), spell(max(v.now.Sub(b.Written), 0)),
			fmt.Sprintf("%d:%d", b.WalTo>>32, b.WalTo&(1<<32-1)))
	}
	t.write(w, "Blocks (times are UTC)")
	if older > 0 {
		fmt.Fprintf(w, "  and %s; choose with --tenant, --day or --block, or see all with --json\n", plural(older, "block before these", "blocks before these"))
	}
}

// parts prints what takes how much; shares are of all block files.
func (v *inspectView) parts(w *bufio.Writer, title, head string, parts []logdb.SizeInfo) {
	t := newTable(head, ">on disk", ">share", ">before zstd", ">ratio", ">bytes a line")
	for _, p := range parts {
		if p.Stored == 0 {
			continue
		}
		raw, r := "", ""
		if p.Raw > 0 {
			raw, r = bytesText(p.Raw), ratio(p.Raw, p.Stored)
		}
		t.row(v.shown(p.Name), bytesText(p.Stored), percent(p.Stored, v.Sum.Disk), raw, r, fmt.Sprintf("%.2f", float64(p.Stored)/float64(max(v.Sum.Entries, 1))))
	}
	t.write(w, title)
}

func (v *inspectView) streams(w *bufio.Writer) {
	t := newTable("tenant", ">lines", ">raw", ">share", "stream")
	for _, s := range v.Streams {
		t.row(v.shown(string(s.Tenant)), humanize.Comma(int64(s.Entries)), bytesText(int64(s.Raw)), percent(int64(s.Raw), int64(v.Sum.Raw)), v.shown(labelText(s.Labels)))
	}
	t.write(w, "Largest streams")
}

// labels prints the label names with most values, and the values that most streams have.
func (v *inspectView) labels(w *bufio.Writer) {
	t := newTable("label", ">values", ">streams", "values in most streams")
	for _, l := range v.Labels[:min(len(v.Labels), v.top)] {
		var values []string
		for _, value := range l.Top[:min(len(l.Top), 5)] {
			values = append(values, fmt.Sprintf("%s (%s)", strconv.Quote(value.Value), humanize.Comma(int64(value.Streams))))
		}
		if l.Values > len(values) {
			values = append(values, "…")
		}
		t.row(v.shown(l.Name), humanize.Comma(int64(l.Values)), humanize.Comma(int64(l.Streams)), v.shown(strings.Join(values, " ")))
	}
	t.write(w, "Labels with most values")
}

func (v *inspectView) heads(w *bufio.Writer) {
	t := newTable("tenant", ">streams", ">lines", ">raw", ">memory", "from", "to", ">oldest segment")
	for _, h := range v.Heads {
		segment := ""
		if h.Segment > 0 {
			segment = strconv.Itoa(int(h.Segment))
		}
		t.row(v.shown(string(h.Tenant)), humanize.Comma(int64(h.Streams)), humanize.Comma(int64(h.Entries)), bytesText(h.Raw), bytesText(h.Memory),
			clock(h.From), clock(h.To), segment)
	}
	t.write(w, "Heads: in memory and in the log, not yet in blocks")
	if v.Heads != nil && len(v.Heads) == 0 {
		put(w, "\nHeads: empty\n")
	}
}

func (v *inspectView) log(w *bufio.Writer) {
	t := newTable("file", ">bytes", "")
	for _, f := range v.Log {
		what := ""
		switch {
		case f.Spare && strings.HasSuffix(f.Name, ".tmp"):
			what = "prepared for the next one"
		case f.Spare:
			what = "spare"
		}
		t.row(v.shown(f.Name), bytesText(f.Bytes), what)
	}
	t.write(w, "Write-ahead log")
}

func (v *inspectView) quarantine(w *bufio.Writer) {
	t := newTable("directory", ">bytes", "reason")
	for _, q := range v.Quarantine {
		t.row(v.shown(q.Dir), bytesText(q.Bytes), v.shown(firstLine(q.Reason)))
	}
	t.write(w, "Quarantine")
}

func ratio(raw, disk int64) string {
	if disk == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f : 1", float64(raw)/float64(disk))
}

func percent(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
