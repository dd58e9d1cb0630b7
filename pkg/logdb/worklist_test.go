package logdb

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

type numberSlot struct{ number int }

// runWork hands out what the workers make of tasks 0 to n-1, until it has seen enough.
func runWork(t *testing.T, workers, slots, n, enough int) []int {
	t.Helper()
	var made []*numberSlot
	for range slots {
		made = append(made, &numberSlot{})
	}
	next, inHand := 0, atomic.Int64{}
	w := startWork(workers, made, func() (int, bool) {
		next++
		return next - 1, next <= n
	}, func(s *numberSlot, task int) {
		if inHand.Add(1) > int64(slots) {
			t.Error("more results than slots")
		}
		s.number = task
	})
	defer w.stop()
	var out []int
	for len(out) < enough {
		s, ok, err := w.next(context.Background())
		require.NoError(t, err)
		if !ok {
			_, ok, err = w.next(context.Background())
			require.NoError(t, err)
			require.False(t, ok)
			break
		}
		out = append(out, s.number)
		inHand.Add(-1)
		w.giveBack(s)
	}
	return out
}

func TestWorkListKeepsTheOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		for _, slots := range []int{1, 2, 3, 9} {
			for _, n := range []int{0, 1, 2, 300} {
				got := runWork(t, workers, slots, n, n+1)
				require.Len(t, got, n)
				for i, task := range got {
					require.Equal(t, i, task)
				}
				require.Len(t, runWork(t, workers, slots, n, n/2), n/2)
			}
		}
	}
}

func TestWorkListEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	w := startWork(2, []*numberSlot{{}, {}}, func() (int, bool) { return 0, true }, func(*numberSlot, int) { <-hang })
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	_, _, err := w.next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(hang)
	w.stop()
	w.stop()
}
