package chunk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestColumnSizes(t *testing.T) {
	var rows Rows
	for i := range 100 {
		rows.Append(model.Entry{
			Timestamp: model.Timestamp(i), Line: "the same line again and again", Level: []string{"info", "warn"}[i%2],
			Metadata: []model.Pair{{Name: "pod", Value: "a"}, {Name: "trace", Value: "b"}},
		})
	}
	e, err := Encode([]Run{{Rows: rows.Snapshot()}}, Options{})
	require.NoError(t, err)
	var kinds []string
	var stored int64
	for _, c := range e.Table.ColumnSizes() {
		kinds = append(kinds, c.Kind+c.Name)
		stored += c.Stored
		require.GreaterOrEqual(t, c.Raw, c.Stored)
	}
	require.Equal(t, []string{"time", "length", "level", "metadatapod", "metadatatrace", "lines"}, kinds)
	require.EqualValues(t, len(e.Pages), stored)
	lines := e.Table.ColumnSizes()[5]
	require.EqualValues(t, e.Table.LineBytes, lines.Raw)
	require.Less(t, lines.Stored, lines.Raw)
}
