package chunk

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestVectorsKeepWhatTheyHold(t *testing.T) {
	f := func(shown bool) {
		var pool Vectors[pair] // its size divides no power of two
		s := []pair{}
		want := []pair{}
		for i := range uint32(100_000) {
			if len(s) == cap(s) {
				before := cap(s)
				s = pool.Grow(s, 1, shown)
				require.GreaterOrEqual(t, cap(s), 2*before)
				require.Equal(t, want, s)
			}
			s, want = append(s, pair{name: i}), append(want, pair{name: i})
		}
		require.Equal(t, want, s)
	}
	f(false)
	f(true)
}

func TestVectorsTakeOnlyArraysOfTheirSizes(t *testing.T) {
	var pool Vectors[byte]
	for _, n := range []int{0, 1, 4095, 4097, 1<<20 - 1, 1<<20 + 1, 3 << 20} {
		pool.Recycle(make([]byte, n))
		require.GreaterOrEqual(t, cap(pool.Grow(nil, n, false)), n)
	}
	for class := range pool.arrays {
		require.Nil(t, pool.arrays[class].Get(), "class %d", class)
	}
	const attempts = 100 // a pool may forget at any time, and the race detector has it do so
	came := false
	for range attempts {
		s := pool.Grow(nil, 5000, false)
		require.Equal(t, 8192, cap(s))
		first := unsafe.SliceData(s)
		pool.Recycle(s)
		came = came || unsafe.SliceData(pool.Grow(nil, 8192, false)) == first
	}
	require.True(t, came, "nothing ever came back")
}

// TestShownRowsAreNotRecycled grows and ends rows and lets others use what came back.
func TestShownRowsAreNotRecycled(t *testing.T) {
	entry := func(i int, text string) model.Entry {
		return model.Entry{
			Timestamp: model.Timestamp(i), Line: fmt.Sprint(text, i), Level: "l",
			Metadata: []model.Pair{{Name: "n", Value: fmt.Sprint(text, i)}},
		}
	}
	fill := func(r *Rows, n int, text string) {
		for range n {
			r.Append(entry(r.Len(), text))
		}
	}
	const n = 5000
	for _, shownAt := range []int{1, 100, n} {
		var shown Rows
		fill(&shown, shownAt, "first")
		view := shown.Snapshot()
		line := view.Line(shownAt - 1)
		fill(&shown, n-shownAt, "first")
		shown.Recycle()
		for range 3 {
			var other Rows
			fill(&other, n, "other text")
			other.Recycle()
		}
		require.Equal(t, shownAt, view.Len())
		for i := range view.Len() {
			require.Equal(t, entry(i, "first"), view.Entry(i))
		}
		require.Equal(t, fmt.Sprint("first", shownAt-1), line)
	}
	var own Rows
	fill(&own, n, "own")
	lines := own.Peek().lines
	own.Recycle()
	require.Zero(t, own.Len())
	if invariant.Enabled { // whoever keeps a Peek finds nonsense
		require.NotContains(t, string(lines), "own")
		require.True(t, strings.HasPrefix(string(lines), "\xDB\xDB"))
	}
}
