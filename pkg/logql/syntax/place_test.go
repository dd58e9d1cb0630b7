package syntax

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrorPlaces marks the part that is at fault with «…».
func TestErrorPlaces(t *testing.T) {
	f := func(marked string) {
		t.Helper()
		text := strings.NewReplacer("«", "", "»", "").Replace(marked)
		_, err := Parse(text)
		var pe *ParseError
		require.ErrorAs(t, err, &pe, text)
		require.Equal(t, marked, text[:pe.From]+"«"+text[pe.From:pe.To]+"»"+text[pe.To:], pe.Error())
	}
	f(`{app="api"} |= «timeout»`)
	f("{app=\"api\"}\n|= «größe» or \"x\"")
	f(`{app="api"«»`)
	f(`«»`)
	f(`{app=«"api}»`)
	f("{app=«\"api}»\n| json")
	f(`rate({app="api"} «[5x]»)`)
	f(`rate({app="api"}«)»`)
	f(`{app="api"} | json | «unwrap» x`)
	// Faults of the meaning have no line and column, and still a place.
	f(`{app="api", b=~«"("»}`)
	f(`{app="api"} |= "x" «|~ "("» | json`)
	f(`{app="api"} | json | regexp «"x"»`)
	f(`{app="api"} | pattern «"x"» | json`)
	f(`{app="api"} «| line_format "{{.a"» | json`)
	f(`{app="api"} | json «| addr=ip("x")»`)
	f(`sum(«rate({app=~".*"} | json [5m])») / 2`)
	f(`sum(rate({a="b"}[1m])) / «sum_over_time({a="b"}[1m])»`)
	f(`«1 + {a="b"} |= "x"» and vector(1)`)
	f(`2 * «topk(rate({a="b"}[1m]))»`)
}

// FuzzErrorPlace insists that a place is inside of the text.
func FuzzErrorPlace(f *testing.F) {
	f.Add(`{app="api"} |= timeout`)
	f.Add(`{a=~"("} | x=ip("y") | line_format "{{"`)
	f.Add("rate({a=\"b\"}[1m]) / \xff")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse(text)
		var pe *ParseError
		if errors.As(err, &pe) {
			require.True(t, 0 <= pe.From && pe.From <= pe.To && pe.To <= len(text), "%d..%d", pe.From, pe.To)
		}
	})
}
