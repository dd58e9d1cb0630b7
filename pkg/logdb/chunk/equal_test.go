package chunk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestViewHas(t *testing.T) {
	v := rowsOf(
		model.Entry{Line: "a", Metadata: []model.Pair{{Name: "k", Value: "1"}}},
		model.Entry{Line: "b"},
		model.Entry{Line: "c", Metadata: []model.Pair{{Name: "j", Value: "k"}, {Name: "k", Value: ""}}},
	).Snapshot()
	f := func(name string, want ...bool) {
		t.Helper()
		has := v.Has(name)
		for i, w := range want {
			require.Equal(t, w, has(i), "entry %d", i)
		}
	}
	f("k", true, false, false)
	f("j", false, false, true)
	f("none", false, false, false)
}

func TestCountedReader(t *testing.T) {
	e := encode(t, Options{}, runOf(1, entriesOf(500, func(int, *model.Entry) {})...))
	var n PagesRead
	r := e.Reader().Counted(&n)
	_, err := r.Timestamps(nil)
	require.NoError(t, err)
	times := n
	require.EqualValues(t, 1, times.Pages)
	lines, err := r.Lines(nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, n.Pages)
	require.EqualValues(t, len(lines), n.Raw-times.Raw)
	require.Less(t, n.Stored-times.Stored, n.Raw-times.Raw)
	_, err = e.Reader().Lines(nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, n.Pages, "another reader is not counted")
}
