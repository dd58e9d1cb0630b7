package syntax

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseJSONPath(t *testing.T) {
	f := func(text string, want ...PathStep) {
		t.Helper()
		steps, err := ParseJSONPath(text)
		require.NoError(t, err, text)
		require.Equal(t, want, steps, text)
	}
	f(`a`, PathStep{Key: "a"})
	f(`a.b["c d"][3]`, PathStep{Key: "a"}, PathStep{Key: "b"}, PathStep{Key: "c d"}, PathStep{Index: 3})
	f(`["a"][0]`, PathStep{Key: "a"}, PathStep{})
	// Blanks between parts, as in Loki.
	f(" a . b\t[ 3 ] [ \"c d\" ]\n", PathStep{Key: "a"}, PathStep{Key: "b"}, PathStep{Index: 3}, PathStep{Key: "c d"})
	f(`[" a "]`, PathStep{Key: " a "})
}

func TestParseLogfmtKey(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		key, err := ParseLogfmtKey(text)
		require.NoError(t, err, text)
		require.Equal(t, want, key, text)
	}
	f(`a1`, "a1")
	f(` a `, "a")
	f(`" a.b "`, " a.b ")
}
