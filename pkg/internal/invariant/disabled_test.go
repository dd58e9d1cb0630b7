//go:build !invariant

package invariant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDisabledDoesNothing(t *testing.T) {
	require.False(t, Enabled)
	require.NotPanics(t, func() { Check(false, "interval %d > %d", 2, 1) })
	b := []byte("the old line")
	Mangle(b)
	require.Equal(t, "the old line", string(b))
}
