package chunk

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// TestRowsAgainstSlice compares Rows with a plain slice, through a snapshot at every length.
func TestRowsAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(genEntry(genTimes.Draw(t, "times")), 0, 60).Draw(t, "entries")
		var r Rows
		views := []View{r.Snapshot()}
		var raw int64
		for _, e := range entries {
			before := r.RawBytes()
			r.Append(e)
			raw += r.RawBytes() - before
			views = append(views, r.Snapshot())
		}
		require.Equal(t, raw, r.RawBytes())
		require.GreaterOrEqual(t, r.MemoryBytes(), int64(r.Len()*8))
		for n, v := range views { // every view still sees exactly its prefix
			require.Equal(t, n, v.Len())
			ordered := true
			for i := range n {
				w := entries[i]
				var md []model.Pair
				for _, p := range w.Metadata {
					if p.Value != "" {
						md = append(md, p)
					}
				}
				w.Metadata = md
				require.Equal(t, w, v.Entry(i))
				ordered = ordered && (i == 0 || entries[i-1].Timestamp <= w.Timestamp)
			}
			require.Equal(t, ordered, v.InOrder())
		}
	})
}

// TestRowsConcurrent appends under a lock while snapshots are read without; the race detector is the judge.
func TestRowsConcurrent(t *testing.T) {
	const n = 3000
	var mu sync.Mutex
	var r Rows
	snapshot := func() View {
		mu.Lock()
		defer mu.Unlock()
		return r.Snapshot()
	}
	entry := func(i int) model.Entry {
		return model.Entry{
			Timestamp: model.Timestamp(i), Line: fmt.Sprint("line ", i), Level: fmt.Sprint("l", i%20),
			Metadata: []model.Pair{{Name: fmt.Sprint("n", i%30), Value: fmt.Sprint(i)}},
		}
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				v := snapshot()
				for i := max(0, v.Len()-50); i < v.Len(); i++ {
					if want := entry(i); fmt.Sprint(want) != fmt.Sprint(v.Entry(i)) {
						t.Errorf("entry %d changed", i)
						return
					}
				}
				if v.Len() == n {
					return
				}
			}
		})
	}
	for i := range n {
		mu.Lock()
		r.Append(entry(i))
		mu.Unlock()
	}
	wg.Wait()
}
