package lokiapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

// statusView is what both forms of the status page show.
type statusView struct {
	Version  string
	Ready    bool
	State    string
	Rows     []statusRow
	Refusals []string
	Warnings []string
	Errors   []string
}

type statusRow struct{ Name, Value string }

// statusPage is for people: HTML without script for browsers, text for everybody else.
func (a *API) statusPage(w http.ResponseWriter, r *http.Request) error {
	view := viewOf(a.Reporter.Report(r.Context()), a.cfg.Build.Version, time.Now())
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		writeText(w, view.text())
		return nil
	}
	var page bytes.Buffer
	if err := statusTemplate.Execute(&page, view); err != nil {
		return fmt.Errorf("render the status page: %w", err)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	writeText(w, page.String())
	return nil
}

func viewOf(rp Report, version string, at time.Time) statusView {
	v := statusView{Version: version, Ready: rp.Ready, State: rp.stateWords(), Warnings: rp.Warnings, Errors: rp.Errors}
	row := func(shown bool, name, format string, args ...any) {
		if shown {
			v.Rows = append(v.Rows, statusRow{name, fmt.Sprintf(format, args...)})
		}
	}
	clock := func(t time.Time) string {
		return fmt.Sprintf("%s ago (%s)", spell(at.Sub(t)), t.Local().Format("2006-01-02 15:04:05 MST"))
	}
	row(!rp.Started.IsZero(), "Running for", "%s", spell(at.Sub(rp.Started)))
	row(rp.Listen != "", "Listening on", "%s", rp.Listen)
	row(rp.Ready, "Receiving", "%s lines/s, %s/s", humanize.CommafWithDigits(rp.EntriesPerSecond, 1), humanize.Bytes(uint64(max(rp.BytesPerSecond, 0))))
	row(rp.Ready, "Streams", "%s", humanize.Comma(int64(min(rp.Streams, 1<<62))))
	row(rp.Ready, "Lines", "%s", humanize.Comma(int64(min(rp.Entries, 1<<62))))
	row(rp.DiskBytes > 0, "On disk", "%s", diskWords(rp))
	row(rp.Oldest != 0, "Oldest line", "%s", clock(rp.Oldest.Time()))
	row(rp.Retention != "", "Retention", "%s", rp.Retention)
	row(rp.Removed != "", "Removed", "%s", rp.Removed)
	row(rp.Space != "", "Disk", "%s", rp.Space)
	if len(rp.Memory) > 0 {
		row(true, "Memory", "%s", rp.Memory[0]) // /ready?verbose has the rest
	}
	row(!rp.LastFlush.IsZero(), "Last flush", "%s", clock(rp.LastFlush))
	row(!rp.LastCompaction.IsZero(), "Last compaction", "%s", clock(rp.LastCompaction))
	row(rp.DataDir != "", "Data directory", "%s", rp.DataDir)
	for _, rf := range rp.Refusals {
		v.Refusals = append(v.Refusals, rf.words())
	}
	return v
}

func diskWords(rp Report) string {
	s := humanize.Bytes(rp.DiskBytes)
	if rp.RawBytes > 0 {
		s += fmt.Sprintf(" for %s of lines (%.1f : 1)", humanize.Bytes(rp.RawBytes), float64(rp.RawBytes)/float64(rp.DiskBytes))
	}
	return s
}

// text is the page for curl.
func (v statusView) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Woodshed %s: %s\n\n", v.Version, v.State)
	for _, row := range v.Rows {
		fmt.Fprintf(&b, "%-16s %s\n", row.Name, row.Value)
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", oneLine(l))
		}
	}
	section("Refused", v.Refusals)
	section("Warnings", v.Warnings)
	section("Errors", v.Errors)
	b.WriteString("\n/ready?verbose  /metrics  /config  /loki/api/v1/push  /loki/api/v1/query_range\n")
	return b.String()
}
