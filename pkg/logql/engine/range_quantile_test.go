package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The quantile of a set that slides over many values is that of the values sorted.
func TestRankSet(t *testing.T) {
	const n, seed = 40_000, 7 // several runs of ranks
	r := rand.New(rand.NewPCG(seed, seed))
	values := make([]float64, n)
	for i := range values {
		if values[i] = float64(r.IntN(n / 2)); i%5000 == 0 {
			values[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
		}
	}
	set := newRankSet(values)
	lo, hi := 0, 0
	for hi < n {
		for to := min(n, hi+1+r.IntN(3000)); hi < to; hi++ {
			set.add(int32(hi))
		}
		for to := lo + r.IntN(hi-lo); lo < to; lo++ {
			set.remove(int32(lo))
		}
		for _, q := range []float64{-1, 0, 0.01, 0.5, 0.99, 1, 2, r.Float64()} {
			want := slowQuantile(q, values[lo:hi])
			got := set.quantile(q)
			require.True(t, got == want || math.IsNaN(got) && math.IsNaN(want), "%g of %d to %d: %g, want %g", q, lo, hi, got, want)
		}
	}
}

// slowQuantile sorts.
func slowQuantile(q float64, values []float64) float64 {
	lower, weight, v, ok := quantilePlace(q, len(values))
	if !ok {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	return between(sorted[lower], sorted[min(lower+1, len(sorted)-1)], weight)
}

// Selecting yields what sorting yields, with many equal values, with orders that are bad for it, and with what is no number.
func TestQuantileProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, different := rapid.IntRange(1, 2000).Draw(t, "values"), rapid.IntRange(1, 3000).Draw(t, "different")
		nans := rapid.SampledFrom([]int{0, 0, 2, 50}).Draw(t, "one of so many is no number")
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, seed))
		values := make([]float64, n)
		for i := range values {
			if values[i] = float64(r.IntN(different) - different/3); nans > 0 && r.IntN(nans) == 0 {
				values[i] = math.NaN()
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "order") {
		case 1:
			slices.Sort(values)
		case 2:
			slices.SortFunc(values, func(a, b float64) int { return cmp.Compare(b, a) })
		case 3: // up and down
			slices.Sort(values)
			slices.Reverse(values[n/2:])
		}
		q := rapid.Float64Range(0, 1).Draw(t, "quantile")
		want, got := slowQuantile(q, values), quantileOf(q, slices.Clone(values))
		require.True(t, got == want || math.IsNaN(got) && math.IsNaN(want), "%g, want %g", got, want)
	})
}

// The order of the keys is that of the values.
func TestSortKeyed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64(), 1, 20).Draw(t, "values")
		for len(values) < rapid.SampledFrom([]int{1, 600, 1200}).Draw(t, "count") {
			values = append(values, values...)
		}
		var list []keyed
		for i, v := range values {
			list = append(list, keyed{key: sortKey(v), place: int32(i)})
		}
		list = sortKeyed(list)
		places := map[int32]bool{}
		for i, k := range list {
			places[k.place] = true
			require.False(t, i > 0 && cmp.Less(values[k.place], values[list[i-1].place]), "%g behind %g", values[k.place], values[list[max(i, 1)-1].place])
		}
		require.Len(t, places, len(values))
	})
}

func TestQuantileOf(t *testing.T) {
	f := func(q, want float64, values ...float64) {
		t.Helper()
		require.Equal(t, want, quantileOf(q, values))
	}
	inf := math.Inf(1)
	f(0.5, 3, 3)
	f(0.5, 2.5, 4, 1)
	f(0.5, 2, 9, 2, 1)
	f(0.9, 8.2, 1, 9)
	f(-0.1, -inf, 1, 2)
	f(1.1, inf, 1, 2)
	f(0, 1, 1, inf) // Loki and Prometheus: NaN, for infinity times nothing
	f(0.5, inf, 1, inf)
	f(1, inf, 1, inf)
	require.True(t, math.IsNaN(quantileOf(0, []float64{1, math.NaN()})))
	require.True(t, math.IsNaN(quantileOf(math.NaN(), []float64{1})))
}
