package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// explainReply is what the server tells of how it answered a query.
type explainReply struct {
	Plan  string        `json:"plan"`
	Scans []explainScan `json:"scans"`
}

type explainScan struct {
	Scan           string            `json:"scan"`
	Counted        bool              `json:"counted"`
	Complete       bool              `json:"complete"`
	Seconds        float64           `json:"seconds"`
	Chunks         uint64            `json:"chunks"`
	ChunksSkipped  uint64            `json:"chunksSkipped"`
	SkippedBy      map[string]uint64 `json:"skippedBy"`
	CountedFrom    map[string]uint64 `json:"countedFrom"`
	Pages          uint64            `json:"pages"`
	BytesRead      uint64            `json:"bytesRead"`
	BytesDecoded   uint64            `json:"bytesDecoded"`
	Entries        uint64            `json:"entries"`
	LineBytes      uint64            `json:"lineBytes"`
	EntriesMatched uint64            `json:"entriesMatched"`
	EntriesPassed  uint64            `json:"entriesPassed"`
}

// printExplain writes the plan, and below it what each scan came to.
func printExplain(w io.Writer, e *explainReply) error {
	var b strings.Builder
	for line := range strings.Lines(e.Plan) {
		b.WriteString(printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	for i := range e.Scans {
		b.WriteString("\n")
		e.Scans[i].print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *explainScan) print(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", printable(s.Scan))
	how := "read to its end"
	switch {
	case s.Counted:
		how = "counted by the store"
	case !s.Complete:
		how = "read until there were enough entries"
	}
	took := time.Duration(s.Seconds * float64(time.Second)).Round(10 * time.Microsecond)
	fmt.Fprintf(b, "  %s in %s\n", how, took)
	fmt.Fprintf(b, "  chunks   %s%s\n", comma(s.Chunks), s.chunkParts())
	fmt.Fprintf(b, "  pages    %s, %s as stored, %s decoded\n", comma(s.Pages), humanize.IBytes(s.BytesRead), humanize.IBytes(s.BytesDecoded))
	fmt.Fprintf(b, "  entries  %s, %s of lines; %s passed the store, %s the stages\n",
		comma(s.Entries), humanize.IBytes(s.LineBytes), comma(s.EntriesMatched), comma(s.EntriesPassed))
}

// chunkParts says what became of the chunks; the rest was read.
func (s *explainScan) chunkParts() string {
	text := ""
	for _, p := range []struct {
		count uint64
		what  string
	}{
		{s.SkippedBy["time"], "skipped by their times"},
		{s.SkippedBy["filter"], "skipped by substring filters"},
		{s.SkippedBy["implied"], "skipped by implied filters"},
		{s.SkippedBy["metadata"], "skipped by metadata"},
		{s.SkippedBy["level"], "skipped by levels"},
		{s.SkippedBy["delete"], "deleted"},
		{s.SkippedBy["order"], "skipped because others come first"},
		{s.CountedFrom["directory"], "counted from the directory"},
		{s.CountedFrom["total"], "counted from their totals"},
		{s.CountedFrom["minutes"], "counted from minutes"},
		{s.CountedFrom["columns"], "counted from columns"},
		{s.CountedFrom["entries"], "counted entry by entry"},
	} {
		if p.count > 0 {
			text += ", " + comma(p.count) + " " + p.what
		}
	}
	return text
}

func comma(n uint64) string { return humanize.Comma(int64(min(n, math.MaxInt64))) }
