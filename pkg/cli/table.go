package cli

import (
	"bufio"
	"strings"
	"unicode/utf8"
)

// table is text in columns. Numbers stand at the right of their column.
type table struct {
	heads []string // one that begins with > is of a column of numbers
	rows  [][]string
}

func newTable(heads ...string) *table { return &table{heads: heads} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table below a title, or nothing when it has no rows.
func (t *table) write(w *bufio.Writer, title string) {
	if len(t.rows) == 0 {
		return
	}
	put(w, "\n"+title+"\n")
	right := make([]bool, len(t.heads))
	heads := make([]string, len(t.heads))
	widths := make([]int, len(t.heads))
	for i, h := range t.heads {
		heads[i], right[i] = strings.CutPrefix(h, ">")
		widths[i] = utf8.RuneCountInString(heads[i])
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	for _, r := range append([][]string{heads}, t.rows...) {
		var line strings.Builder
		for i, cell := range r {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			line.WriteString("  ")
			if right[i] {
				line.WriteString(gap + cell)
			} else {
				line.WriteString(cell + gap)
			}
		}
		put(w, strings.TrimRight(line.String(), " ")+"\n")
	}
}
