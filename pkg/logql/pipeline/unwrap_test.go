package pipeline

import (
	"math"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// unwrapped runs an unwrap over one entry with the metadata v: over columns, and over rows, which must come to the same.
func unwrapped(t *testing.T, unwrap, v string) (value float64, e EntryError, kept bool) {
	t.Helper()
	value, e, kept = unwrappedBehind(t, nil, unwrap, v)
	rowValue, rowError, rowKept := unwrappedBehind(t, []syntax.Stage{&syntax.Drop{Labels: []syntax.LabelPick{{Name: ErrorLabel}}}}, unwrap, v)
	require.Equal(t, kept, rowKept)
	require.Equal(t, e, rowError)
	if e.Class == "" {
		require.Equal(t, value, rowValue)
	}
	return value, e, kept
}

func unwrappedBehind(t *testing.T, stages []syntax.Stage, unwrap, v string) (value float64, e EntryError, kept bool) {
	t.Helper()
	expr, err := syntax.Parse(`sum_over_time({a="b"} | unwrap ` + unwrap + ` [1m])`)
	require.NoError(t, err)
	p, err := Compile(stages, Options{Unwrap: expr.(*syntax.RangeAggregation).Unwrap})
	require.NoError(t, err)
	require.True(t, p.Needs.Names["v"])
	require.False(t, p.Empty())
	b := &Batch{
		Streams:     []labels.Labels{labels.FromStrings("a", "b")},
		StreamIndex: []uint32{0},
		Metadata:    [][]model.Pair{{{Name: "v", Value: v}}},
	}
	b.Selected.Fill(1)
	require.NoError(t, p.Run(b, 0))
	require.Equal(t, stages != nil, b.HasRows())
	if b.Selected.Count() == 0 {
		return 0, EntryError{}, false
	}
	return b.Value(0), b.Errors[0], true
}

func TestUnwrap(t *testing.T) {
	f := func(unwrap, v string, want float64) {
		t.Helper()
		got, e, kept := unwrapped(t, unwrap, v)
		require.True(t, kept)
		require.Empty(t, e)
		require.Equal(t, want, got)
	}
	f("v", "1", 1)
	f("v", "-2.5e-3", -0.0025)
	f("v", "+Inf", math.Inf(1))
	f("bytes(v)", "12", 12)
	f("bytes(v)", "1.5 KB", 1500)
	f("bytes(v)", "2MiB", 2<<20)
	f("duration(v)", "1h2m3s4ms", 3723.004)
	f("duration(v)", "-5s", -5)
	f("duration_seconds(v)", "250µs", 0.00025)
	f(`v | v > 3 | __error__=""`, "4", 4)

	fails := func(unwrap, v, details string) {
		t.Helper()
		_, e, kept := unwrapped(t, unwrap, v)
		require.True(t, kept)
		require.Equal(t, EntryError{Class: "SampleExtractionErr", Details: details}, e)
	}
	fails("v", "x", `strconv.ParseFloat: parsing "x": invalid syntax`)
	fails("v", "1e999", `strconv.ParseFloat: parsing "1e999": value out of range`)
	fails("bytes(v)", "1 parsec", "unhandled size name: parsec")
	fails("duration(v)", "5", `time: missing unit in duration "5"`)
	fails("duration(v)", "1d", `time: unknown unit "d" in duration "1d"`)
	fails(`v | __error__!=""`, "x", `strconv.ParseFloat: parsing "x": invalid syntax`)

	drops := func(unwrap, v string) {
		t.Helper()
		_, _, kept := unwrapped(t, unwrap, v)
		require.False(t, kept)
	}
	drops("v", "")
	drops(`v | __error__=""`, "x")
	drops(`v | v > 3`, "3")
	drops(`v | __error_details__!~".*syntax"`, "x")
}
