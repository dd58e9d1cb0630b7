package distributor

import (
	"strconv"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// groupKey tells the texts of refused entries apart before they are printed.
type groupKey struct {
	reason      reason
	stream      string // the whole text, where it is printed anyhow
	fingerprint model.Fingerprint
	number      int64
}

// groupedErrors collects what is wrong with a push and prints equal texts once, with their number.
type groupedErrors struct {
	index  map[groupKey]int // into groups
	groups []group
	rest   int // errors for which there was no room
}

type group struct {
	text  string
	count int
}

func (g *groupedErrors) empty() bool { return len(g.groups) == 0 }

// add counts one error; format prints it when it is the first of its key.
func (g *groupedErrors) add(key groupKey, format func() string) {
	if i, ok := g.index[key]; ok {
		g.groups[i].count++
		return
	}
	if len(g.groups) == groupsMax {
		g.rest++
		return
	}
	text := format()
	for i := range g.groups {
		if g.groups[i].text == text { // the same stream twice in one push
			g.groups[i].count++
			return
		}
	}
	if g.index == nil {
		g.index = map[groupKey]int{}
	}
	g.index[key] = len(g.groups)
	g.groups = append(g.groups, group{text: text, count: 1})
}

// text joins the errors in the order in which they first occurred.
func (g *groupedErrors) text() string {
	if len(g.groups) == 1 && g.groups[0].count == 1 && g.rest == 0 {
		return cut(g.groups[0].text, refusalTextBytesMax)
	}
	var b strings.Builder
	rest := g.rest
	for i, e := range g.groups {
		if i > 0 && b.Len()+len(e.text) > refusalTextBytesMax {
			rest += e.count
			continue
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(strconv.Itoa(e.count))
		b.WriteString(" errors like: ")
		b.WriteString(cut(e.text, refusalTextBytesMax))
	}
	if rest > 0 {
		b.WriteString("; ")
		b.WriteString(strconv.Itoa(rest))
		b.WriteString(" other errors")
	}
	return b.String()
}

// cut shortens a text to about so many bytes.
func cut(s string, bytesMax int) string {
	if len(s) <= bytesMax {
		return s
	}
	return strings.ToValidUTF8(s[:bytesMax], "") + "…"
}
