package head

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// manySmall is a push of one entry to each of many streams.
func manySmall(streams, n int) []model.Stream {
	out := make([]model.Stream, streams)
	for i := range out {
		out[i] = push(fmt.Sprintf("app-%05d", i), entry(model.Timestamp(n), fmt.Sprint("line ", n)))
	}
	return out
}

func TestOpenMemoryDoesNotDriftWhenRunsAreClosed(t *testing.T) {
	h := New(new(Account))
	h.Apply(manySmall(200, 0), 1)
	sealAll(t, h.CloseOldest(1<<30))
	idle := h.Bytes().Open.Load()
	require.Positive(t, idle, "streams, labels and postings stay")
	for i := range 20 {
		h.Apply(manySmall(200, i+1), 1)
		require.Greater(t, h.Bytes().Open.Load(), idle)
		sealAll(t, h.CloseOldest(1<<30))
		require.Equal(t, idle, h.Bytes().Open.Load(), "round %d", i)
	}
	require.Zero(t, h.Bytes().Closed.Load())
}

func TestSmallSealedRunsCountWhatTheyHold(t *testing.T) {
	h := New(new(Account))
	h.Apply(manySmall(2000, 0), 1)
	sealAll(t, h.CloseOldest(1<<30))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 20 {
		h.Apply(manySmall(2000, i+1), 1)
		sealAll(t, h.CloseOldest(1<<30))
	}
	counted := h.Bytes().MemoryBytes()
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	require.Greater(t, 3*counted, 2*held, "counted %d of about %d bytes", counted, held)
	runtime.KeepAlive(h)
}

func TestReleasedHeadIsNotCountedAgain(t *testing.T) {
	var total Account
	h := New(&total)
	h.Apply(manySmall(10, 0), 1)
	parts := h.CloseOldest(1 << 30)
	h.Release()
	sealAll(t, parts) // a worker that comes late
	require.Zero(t, total.MemoryBytes())
	require.Zero(t, total.Closed.Load())
	require.Zero(t, total.Sealed.Load())
}

// A part with many runs is decoded once for all of them, not once for each: the log waits meanwhile.
func TestPackedPartIsDecodedOnce(t *testing.T) {
	const streams = 3000
	h := New(new(Account))
	batch := manySmall(streams, 0)
	h.Apply(batch, 1)
	parts := h.CloseOldest(1 << 30)
	require.Len(t, parts, 1)
	require.NoError(t, parts[0].Seal(chunk.Options{}))
	f := func(what string, do func()) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), what)
	}
	f("all entries", func() { require.Len(t, lines(t, h), streams) })
	f("duplicates", func() { require.EqualValues(t, streams, h.Apply(batch, 2).Duplicates) })
}

func TestSameQuestionHasTheSameOrder(t *testing.T) {
	h := New(new(Account))
	h.Apply(manySmall(50, 0), 1)
	for range 3 {
		sel, err := h.Select(nil, always)
		require.NoError(t, err)
		for i, p := range sel.Pieces {
			require.Equal(t, i, p.Runs[0].Stream)
		}
	}
}

// A head that was cut is asked for no duplicates: it keeps nothing to find them by, whenever its parts are sealed.
func TestCutHeadForgetsHashes(t *testing.T) {
	const entries = 1000
	h := New(new(Account))
	held := func(f func()) (closed, sealed int64) {
		closed, sealed = h.Bytes().Closed.Load(), h.Bytes().Sealed.Load()
		f()
		return closed - h.Bytes().Closed.Load(), sealed - h.Bytes().Sealed.Load()
	}
	var parts [3][]*Part
	for i := range parts {
		h.Apply(manySmall(1, i*entries), 1)
		for j := range entries - 1 {
			h.Apply([]model.Stream{push("app-00000", entry(model.Timestamp(i*entries+j+1), fmt.Sprint("line ", j)))}, 1)
		}
		if i < 2 {
			parts[i] = h.CloseOldest(1 << 30)
		}
	}
	sealAll(t, parts[0])
	closed, sealed := held(func() { parts[2] = h.Freeze() })
	require.EqualValues(t, 4*entries, sealed, "half a hash for each sealed entry")
	require.Less(t, closed, int64(0), "what was open is closed now")
	sealAll(t, parts[1])
	sealAll(t, parts[2])
	require.Zero(t, h.Bytes().Closed.Load())
	for _, p := range h.Parts() {
		for i := range p.runs {
			require.Zero(t, p.runs[i].hashBytes())
		}
	}
	all, err := h.Sealed()
	require.NoError(t, err)
	want := int64(len(parts)) * closedRunBytes
	for _, c := range all.Chunks {
		want += c.MemoryBytes()
	}
	require.Equal(t, want, h.Bytes().Sealed.Load())
}
