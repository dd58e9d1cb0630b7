package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// benchReport is what bench --json prints.
type benchReport struct {
	Version      string        `json:"version"`
	Target       string        `json:"target"`
	Tenant       string        `json:"tenant"`
	Seed         uint64        `json:"seed"`
	Lines        int           `json:"lines"`
	Streams      int           `json:"streams"`
	Clients      int           `json:"clients"`
	BatchBytes   int           `json:"batch_bytes"`
	Repeat       int           `json:"repeat"`
	Push         *benchPush    `json:"push,omitempty"`
	FlushSeconds float64       `json:"flush_seconds,omitempty"`
	Queries      []benchResult `json:"queries"`
}

type benchPush struct {
	Seconds               float64    `json:"seconds"`
	Lines                 int64      `json:"lines"`
	RawBytes              int64      `json:"raw_bytes"`  // of lines
	BodyBytes             int64      `json:"body_bytes"` // as sent
	MBPerSecond           float64    `json:"mb_per_second"`
	LinesPerSecond        float64    `json:"lines_per_second"`
	Requests              int64      `json:"requests"`
	Retries               int64      `json:"retries"`
	LatencyMS             benchTimes `json:"latency_ms"`
	ServerCPUSeconds      float64    `json:"server_cpu_seconds,omitempty"`
	ServerCPUSecondsPerGB float64    `json:"server_cpu_seconds_per_gb,omitempty"`
	ServerResidentBytes   int64      `json:"server_resident_bytes,omitempty"`
	ClientCPUSeconds      float64    `json:"client_cpu_seconds"`
}

type benchTimes struct {
	Min    float64 `json:"min,omitempty"`
	Median float64 `json:"median"`
	P99    float64 `json:"p99,omitempty"`
	Max    float64 `json:"max"`
}

type benchResult struct {
	Name    string     `json:"name"`
	Query   string     `json:"query,omitempty"`
	MS      benchTimes `json:"ms"`
	Results int        `json:"results"`
	Want    int        `json:"want"` // -1: not known
	Bytes   int        `json:"bytes"`
	Error   string     `json:"error,omitempty"`
}

func (r benchResult) isWrong() bool { return r.Error == "" && r.Want != unknown && r.Results != r.Want }

// wrong counts the queries whose true answer is known and that gave another.
func (r *benchReport) wrong() int {
	n := 0
	for _, q := range r.Queries {
		if q.isWrong() {
			n++
		}
	}
	return n
}

func (b *bench) print(r *benchReport) error {
	w := bufio.NewWriter(b.env.Out)
	if b.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		r.table(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// table writes the report for people.
func (r *benchReport) table(w *bufio.Writer) {
	fmt.Fprintf(w, "%s, tenant %s, seed %d\n", r.Target, r.Tenant, r.Seed)
	if p := r.Push; p != nil {
		fmt.Fprintf(w, "\npushed %s lines (%s) in %.1f s: %.1f MB/s, %s lines/s, %d clients, %s requests, %d repeated\n",
			humanize.Comma(p.Lines), humanize.Bytes(uint64(p.RawBytes)), p.Seconds, p.MBPerSecond, humanize.Comma(int64(p.LinesPerSecond)),
			r.Clients, humanize.Comma(p.Requests), p.Retries)
		fmt.Fprintf(w, "request latency: median %.1f ms, p99 %.1f ms, max %.1f ms\n", p.LatencyMS.Median, p.LatencyMS.P99, p.LatencyMS.Max)
		if p.ServerResidentBytes > 0 {
			fmt.Fprintf(w, "server: %.2f CPU-seconds (%.1f per GB of lines), %s resident\n",
				p.ServerCPUSeconds, p.ServerCPUSecondsPerGB, humanize.Bytes(uint64(p.ServerResidentBytes)))
		}
		fmt.Fprintf(w, "these clients: %.2f CPU-seconds\n", p.ClientCPUSeconds)
	}
	if r.FlushSeconds > 0 {
		fmt.Fprintf(w, "flushed in %.2f s\n", r.FlushSeconds)
	}
	if len(r.Queries) == 0 {
		return
	}
	width := 0
	for _, q := range r.Queries {
		width = max(width, utf8.RuneCountInString(q.Name))
	}
	fmt.Fprintf(w, "\n%s  %10s %10s %10s %10s\n", pad("query", width), "median ms", "min", "max", "results")
	for _, q := range r.Queries {
		if q.Error != "" {
			fmt.Fprintf(w, "%s  %s\n", pad(q.Name, width), firstLine(q.Error))
			continue
		}
		fmt.Fprintf(w, "%s  %10.2f %10.2f %10.2f %10s", pad(q.Name, width), q.MS.Median, q.MS.Min, q.MS.Max, humanize.Comma(int64(q.Results)))
		if q.isWrong() {
			put(w, "  WRONG, it is "+strconv.Itoa(q.Want))
		}
		put(w, "\n")
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
