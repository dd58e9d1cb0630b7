package syntax

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

// equalMatchers ignores what a matcher has compiled.
var equalMatchers = cmp.Comparer(func(a, b *labels.Matcher) bool {
	return a == b || a != nil && b != nil && a.Type == b.Type && a.Name == b.Name && a.Value == b.Value
})

func TestPrintReadsBack(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		e, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, e.String())
		again, err := Parse(e.String())
		require.NoError(t, err, e.String())
		require.Empty(t, cmp.Diff(e, again, equalMatchers))
	}
	f(`{app="api"}`, `{app="api"}`)
	f(`{app="api"}|="x" or "y"!=ip("10.0.0.0/8")`, `{app="api"} |= "x" or "y" != ip("10.0.0.0/8")`)
	f("{a=~`x\\d+`} # a comment\n !~ `b` |> \"<_>x\"", `{a=~"x\\d+"} !~ "b" |> "<_>x"`)
	f(`sum(rate({a="b"}[5m])) by (x,y)`, `sum by (x, y)(rate({a="b"} [5m]))`)
}
