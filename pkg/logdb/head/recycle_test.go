package head

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// TestSelectedRowsOutliveTheirPart reads what was selected of open and closed rows while these grow, are sealed, and their
// arrays are used for other rows. The race detector and mangled arrays are the judges besides.
func TestSelectedRowsOutliveTheirPart(t *testing.T) {
	const entries = 4000
	h := New(new(Account))
	line := func(app string, i int) string { return fmt.Sprint(app, i, strings.Repeat("x", i%50)) }
	appendTo := func(app string, from, n int) []*Part {
		s := push(app)
		for i := from; i < from+n; i++ {
			s.Entries = append(s.Entries, entry(model.Timestamp(i), line(app, i)))
		}
		return h.Apply([]model.Stream{s}, 1).Closed
	}
	var wg sync.WaitGroup
	check := func() {
		sel, err := h.Select(nil, always)
		require.NoError(t, err)
		wg.Go(func() {
			for range 3 {
				for _, p := range sel.Pieces {
					if p.Reader != nil {
						continue
					}
					app := sel.Streams[p.Runs[0].Stream].Get("app")
					for i := range p.View.Len() {
						if e := p.View.Entry(i); e.Line != line(app, int(e.Timestamp)) {
							t.Errorf("%s: entry %d became %q", app, i, e.Line)
							return
						}
					}
				}
			}
		})
	}
	for round := range 6 {
		app := fmt.Sprint("app-", round, "-")
		appendTo(app, 0, entries/2)
		if round%3 == 0 {
			check() // while open; the rows grow afterwards
		}
		appendTo(app, entries/2, entries/2)
		parts := h.CloseOldest(1 << 40)
		if round%3 == 1 {
			check() // while closed
		}
		for _, p := range parts {
			require.NoError(t, p.Seal(chunk.Options{Level: chunk.Fastest}))
		}
		require.Zero(t, h.Bytes().Closed.Load())
		check()
	}
	wg.Wait()
	require.Len(t, lines(t, h), 6*entries)
}
