package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// storageReport is what bench storage --json prints.
type storageReport struct {
	Version string       `json:"version"`
	Seed    uint64       `json:"seed"`
	Corpus  []corpusPart `json:"corpus"`
	Rows    []storageRow `json:"rows"`
	Store   []storageRow `json:"store"` // what a comparison with other stores asks, as far as storage alone decides it
}

// corpusPart is one kind of lines, or all of them.
type corpusPart struct {
	Name           string  `json:"name"`
	Lines          int     `json:"lines"`
	LineBytes      int64   `json:"line_bytes"`
	RawBytes       int64   `json:"raw_bytes"`        // lines and metadata
	ZstdBytes      int64   `json:"zstd_bytes"`       // of the same, in pieces of 1 MiB
	ZstdApartBytes int64   `json:"zstd_apart_bytes"` // of lines and of metadata in frames of their own
	Ratio          float64 `json:"ratio"`
}

// figure is a number with its unit.
type figure struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func (f figure) String() string {
	if f.Unit == "" {
		return ""
	}
	return digits(f.Value) + " " + f.Unit
}

// text prints a figure that somebody chose.
func (f figure) text() string {
	return strconv.FormatFloat(math.Round(f.Value*100)/100, 'f', -1, 64) + " " + f.Unit
}

// digits prints three digits that count, and all of a larger number.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		return humanize.Comma(int64(math.Round(v)))
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// goal is what a figure is to reach.
type goal struct {
	atLeast bool
	figure
}

func atLeast(v float64, unit string) *goal { return &goal{true, figure{v, unit}} }

func atMost(v float64, unit string) *goal { return &goal{false, figure{v, unit}} }

func (t *goal) String() string {
	if t == nil {
		return ""
	}
	if t.atLeast {
		return "≥ " + t.figure.text()
	}
	return "≤ " + t.figure.text()
}

// storageRow is one row of the table. The target is one of the ratio where there is one, and of the measured figure
// otherwise.
type storageRow struct {
	What        string  `json:"what"`
	Measured    figure  `json:"measured"`
	Primitive   *figure `json:"primitive,omitempty"`
	PrimitiveIs string  `json:"primitive_is,omitempty"`
	Ratio       *figure `json:"ratio,omitempty"`
	Target      string  `json:"target,omitempty"`
	Met         *bool   `json:"met,omitempty"`
	Note        string  `json:"note,omitempty"`
}

// measured is a row of one figure.
func measured(what string, value float64, unit string) storageRow {
	return storageRow{What: what, Measured: figure{value, unit}}
}

// against adds the primitive, and the ratio of the measured figure to it.
func (r storageRow) against(is string, value float64, unit string) storageRow {
	r.Primitive, r.PrimitiveIs = &figure{value, unit}, is
	return r
}

// as adds the ratio.
func (r storageRow) as(ratio float64, unit string) storageRow {
	r.Ratio = &figure{ratio, unit}
	return r
}

// wants adds the target and whether it is met.
func (r storageRow) wants(t *goal) storageRow {
	got := r.Measured.Value
	if r.Ratio != nil {
		got = r.Ratio.Value
	}
	met := got <= t.Value
	if t.atLeast {
		met = got >= t.Value
	}
	r.Target, r.Met = t.String(), &met
	return r
}

func (r storageRow) says(format string, args ...any) storageRow {
	r.Note = fmt.Sprintf(format, args...)
	return r
}

func (b *storageBench) add(rows ...storageRow) { b.report.Rows = append(b.report.Rows, rows...) }

func (r *storageReport) print(e *env, asJSON bool) error {
	w := bufio.NewWriter(e.Out)
	if asJSON {
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
func (r *storageReport) table(w *bufio.Writer) {
	fmt.Fprintf(w, "gpx_woodshed %s, seed %d\n", r.Version, r.Seed)
	t := newTable("part", ">lines", ">bytes of lines", ">lines and metadata", ">zstd-better of both", ">ratio")
	for _, p := range r.Corpus {
		t.row(p.Name, humanize.Comma(int64(p.Lines)), humanize.Comma(p.LineBytes), humanize.Comma(p.RawBytes), humanize.Comma(p.ZstdBytes), digits(p.Ratio)+" : 1")
	}
	t.write(w, "corpus, compressed in pieces of 1 MiB")
	var notes []string
	note := func(row *storageRow) string {
		if row.Note == "" {
			return ""
		}
		notes = append(notes, row.Note)
		return "[" + strconv.Itoa(len(notes)) + "]"
	}
	t = newTable("what", ">measured", ">primitive", "of the same run", ">ratio", "target", "met", "note")
	for i := range r.Rows {
		row := &r.Rows[i]
		primitive, ratio, met := "", "", "–"
		if row.Primitive != nil {
			primitive = row.Primitive.String()
		}
		if row.Ratio != nil {
			ratio = row.Ratio.String()
		}
		if row.Met != nil {
			met = map[bool]string{true: "yes", false: "NO"}[*row.Met]
		}
		t.row(row.What, row.Measured.String(), primitive, row.PrimitiveIs, ratio, row.Target, met, note(row))
	}
	t.write(w, "against primitives")
	t = newTable("what", ">measured", "note")
	for i := range r.Store {
		t.row(r.Store[i].What, r.Store[i].Measured.String(), note(&r.Store[i]))
	}
	t.write(w, "the whole corpus in a store")
	if len(notes) > 0 {
		put(w, "\n")
	}
	for i, n := range notes {
		fmt.Fprintf(w, "[%d] %s\n", i+1, n)
	}
}
