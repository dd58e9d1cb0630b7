package cli

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"
)

// spent is what something took. Thread is the processor time of the calling goroutine alone, process that of all
// goroutines, collecting garbage and system calls included.
type spent struct{ thread, process, wall time.Duration }

// meter adds up what is between start and stop. The goroutine must stay on its thread (pinned).
type meter struct {
	sum, at spent
}

func (m *meter) start() { m.at = clocks() }

func (m *meter) stop() {
	now := clocks()
	m.sum.thread += now.thread - m.at.thread
	m.sum.process += now.process - m.at.process
	m.sum.wall += now.wall - m.at.wall
}

var meterEpoch = time.Now()

func clocks() spent { return spent{threadCPU(), processCPU(), time.Since(meterEpoch)} }

// pinned runs f on one thread, so that the thread's clock is its own.
func pinned(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}

// timed measures f once, on one thread.
func timed(f func() error) (spent, error) {
	var m meter
	err := pinned(func() error {
		m.start()
		err := f()
		m.stop()
		return err
	})
	return m.sum, err
}

// repeated measures f as often as asked, after a garbage collection each, and returns the median of each clock. Other
// programs on the machine disturb the clock on the wall most.
func (b *storageBench) repeated(ctx context.Context, f func() error) (spent, error) {
	return b.medianOf(ctx, func() (spent, error) { return timed(f) })
}

func (b *storageBench) medianOf(ctx context.Context, f func() (spent, error)) (spent, error) {
	var all []spent
	for range b.repeat {
		if err := ctx.Err(); err != nil {
			return spent{}, err
		}
		runtime.GC() // what was left behind before is not this one's to clean up
		s, err := f()
		if err != nil {
			return spent{}, err
		}
		all = append(all, s)
	}
	return spent{
		thread:  medianBy(all, func(s spent) time.Duration { return s.thread }),
		process: medianBy(all, func(s spent) time.Duration { return s.process }),
		wall:    medianBy(all, func(s spent) time.Duration { return s.wall }),
	}, nil
}

func medianBy[T any, V cmp.Ordered](all []T, value func(T) V) V {
	values := make([]V, len(all))
	for i := range all {
		values[i] = value(all[i])
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// perSecond is bytes by time in MB/s.
func perSecond(bytes int64, took time.Duration) float64 {
	return float64(bytes) / 1e6 / max(took, time.Nanosecond).Seconds()
}

// each is the time of one of n in nanoseconds.
func each(took time.Duration, n int) float64 { return float64(took) / float64(max(n, 1)) }

// ratioOf divides.
func ratioOf[T int64 | float64 | time.Duration](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
