package logdb

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestByteBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := newByteBudget(100)
		r := reservation{fixed: 10, unit: 20, unitsMax: 3}
		f := func(want int) {
			t.Helper()
			units, err := b.reserve(ctx, r)
			require.NoError(t, err)
			require.Equal(t, want, units)
		}
		f(3) // 30 are free now
		f(1) // fewer when little is free
		served := make(chan int, 2)
		wait := func(ctx context.Context, unit int64) {
			go func() {
				units, err := b.reserve(ctx, reservation{unit: unit, unitsMax: 9})
				if err != nil {
					units = -1
				}
				served <- units
			}()
			synctest.Wait()
		}
		cancelled, cancel := context.WithCancel(ctx)
		wait(cancelled, 90)
		wait(ctx, 25) // would fit soon, but has to stay behind
		b.give(30)
		synctest.Wait()
		require.Empty(t, served)
		cancel()
		require.Equal(t, -1, <-served)
		require.Equal(t, 1, <-served)
		_, err := b.reserve(ctx, reservation{fixed: 81, unit: 20, unitsMax: 1})
		require.ErrorIs(t, err, storage.ErrLimit)
		b.give(70)
		b.give(25)
		require.EqualValues(t, 100, b.free)
		require.Zero(t, b.waiting.Len())
	})
}

// Many at once never hold more than there is, and all are served.
func TestByteBudgetUnderLoad(t *testing.T) {
	b := newByteBudget(1000)
	var held atomic.Int64
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 300 {
				r := reservation{fixed: rng.Int64N(300), unit: 1 + rng.Int64N(300), unitsMax: 1 + rng.IntN(5)}
				ctx, cancel := context.WithCancel(context.Background())
				if rng.IntN(4) == 0 {
					cancel()
				}
				units, err := b.reserve(ctx, r)
				cancel()
				if err != nil {
					continue
				}
				if n := held.Add(r.bytes(units)); n > 1000 || units < 1 || units > r.unitsMax {
					t.Errorf("%d bytes are held, %d units", n, units)
				}
				held.Add(-r.bytes(units))
				b.give(r.bytes(units))
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1000, b.free)
}
