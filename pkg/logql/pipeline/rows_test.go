package pipeline

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func numberedLines(n int) *Batch {
	b := &Batch{Streams: []labels.Labels{labels.FromStrings("a", "x")}, StreamIndex: make([]uint32, n), Lines: make([]string, n)}
	for i := range n {
		b.Lines[i] = strconv.Itoa(i)
	}
	b.Selected.Fill(n)
	return b
}

// Entries behind the one that ended the query have no rows, or those of another batch.
func TestErrorsDeselectWhatIsBehind(t *testing.T) {
	full := errors.New("full")
	p, err := Compile(stagesOf(t, "| label_format n=`{{__line__}}` | distinct n"), all)
	require.NoError(t, err)
	p.Reserve(func(int64) error { return nil })
	require.NoError(t, p.Run(numberedLines(10), 0))

	p, err = Compile(stagesOf(t, "| label_format n=`{{__line__}}` | distinct n"), all)
	require.NoError(t, err)
	left := 3
	p.Reserve(func(int64) error {
		if left--; left < 0 {
			return full
		}
		return nil
	})
	b := numberedLines(100)
	require.ErrorIs(t, p.Run(b, 0), full)
	require.Equal(t, []uint32{0, 1, 2}, b.Selected.AppendTo(nil))
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Compile(stagesOf(t, "| json | label_format n=`{{__line__}}` | distinct n"), all)
	require.NoError(t, err)
	p.Watch(ctx)
	p.Reserve(func(int64) error {
		cancel() // while the first entry is looked at
		return nil
	})
	b := numberedLines(100)
	require.ErrorIs(t, p.Run(b, 0), context.Canceled)
	require.Equal(t, []uint32{0}, b.Selected.AppendTo(nil))
}

// A format may make an object with thousands of keys of every line.
func TestTooManyLabels(t *testing.T) {
	p, err := Compile(stagesOf(t, "| line_format `"+manyKeys(4000)+"` | json"), all)
	require.NoError(t, err)
	require.ErrorIs(t, p.Run(numberedLines(3000), 0), storage.ErrLimit)
}
