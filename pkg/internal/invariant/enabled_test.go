//go:build invariant

package invariant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckPanicsOnlyWhenFalse(t *testing.T) {
	require.True(t, Enabled)
	require.NotPanics(t, func() { Check(true, "never shown") })
	require.PanicsWithValue(t, "invariant violated: interval 2 > 1", func() { Check(false, "interval %d > %d", 2, 1) })
}

func TestMangleLeavesNothing(t *testing.T) {
	b := []byte("the old line")
	Mangle(b)
	require.NotContains(t, string(b), "o")
}
