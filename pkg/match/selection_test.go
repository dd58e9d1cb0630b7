package match

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSelectionProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Selection
		s.Fill(rapid.IntRange(0, 300).Draw(t, "before")) // what was there before must not shine through
		n := rapid.IntRange(0, 300).Draw(t, "lines")
		s.Fill(n)
		require.Equal(t, n, s.Count())
		from, to := rapid.IntRange(0, n).Draw(t, "from"), rapid.IntRange(0, n).Draw(t, "to")
		s.KeepRange(from, to)
		var want []uint32
		for i := from; i < to; i++ {
			want = append(want, uint32(i))
		}
		require.Equal(t, want, s.AppendTo(nil))
		require.Equal(t, len(want), s.Count())
		var walked []uint32
		for i := s.Next(0); i >= 0; i = s.Next(i + 1) {
			require.True(t, s.Contains(i))
			walked = append(walked, uint32(i))
		}
		require.Equal(t, want, walked)
		for _, i := range want {
			s.Remove(int(i))
			require.False(t, s.Contains(int(i)))
		}
		require.Zero(t, s.Count())
		require.Equal(t, n, s.Len())
	})
}

func TestLineAt(t *testing.T) {
	ends := []uint32{0, 3, 3, 10, 11, 11, 11, 500, 501}
	f := func(from, at, want int) {
		t.Helper()
		require.Equal(t, want, lineAt(ends, from, at))
	}
	f(0, 0, 1)
	f(1, 2, 1)
	f(1, 3, 3)
	f(0, 10, 4)
	f(0, 11, 7)
	f(4, 499, 7)
	f(7, 500, 8)
	f(0, 500, 8)
}
