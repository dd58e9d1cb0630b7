package logdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// implies reports whether all of the implied filters hold for an entry.
func implies(ls labels.Labels, e model.Entry, filters []storage.ImpliedFilter) bool {
	return !slices.ContainsFunc(filters, func(f storage.ImpliedFilter) bool {
		inMetadata := slices.ContainsFunc(e.Metadata, func(p model.Pair) bool { return p.Name == f.Name })
		return !ls.Has(f.Name) && !inMetadata && !passes(e.Line, []storage.LineFilter{f.Line})
	})
}

// implied draws a filter on a name that is in a stream, in metadata, in both or nowhere.
func (x texture) implied(lines []string) storage.ImpliedFilter {
	f := storage.ImpliedFilter{Name: pick(x.rng, "app", "trace", "zone", "status"), Line: x.filter(lines)}
	f.Line.Negate = false
	if x.rng.IntN(2) == 0 {
		f.Line.Any = append(f.Line.Any, escapedASCII(f.Line.Kind))
	}
	return f
}

func TestImpliedFiltersSkipChunks(t *testing.T) {
	const entries = 40
	id := func(c, i int) string { return fmt.Sprintf("%016x", uint64(c*entries+i+1)*0x9e3779b97f4a7c15) }
	here, nowhere := id(2, 7), id(9, 7)
	text := func(n string) storage.LineFilter {
		return storage.LineFilter{Any: []string{n, storage.EscapedASCII}}
	}
	f := func(name string, line storage.LineFilter, spoil func(chunk int, s *model.Stream), kept, skipped int) {
		t.Helper()
		cfg := testConfig(t, vfs.NewMem())
		db := openDB(t, cfg)
		for c := range 4 {
			s := model.Stream{Labels: labels.FromStrings("app", fmt.Sprint("app", c))}
			for i := range entries {
				filler := strings.ReplaceAll(noise(c*entries+i, 300_000/entries), `\`, "/")
				s.Entries = append(s.Entries, model.Entry{
					Timestamp: at(time.Duration(c)*time.Minute + time.Duration(i)*time.Second), Line: filler + " " + id(c, i),
				})
			}
			if spoil != nil {
				spoil(c, &s)
			}
			require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
		}
		require.NoError(t, db.Flush(context.Background()))
		r := storage.SelectRequest{
			Matchers: anyApp(), Interval: always, Columns: storage.ColumnLine,
			Implied: []storage.ImpliedFilter{{Name: name, Line: line}},
		}
		for _, r.Order = range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} {
			got, st := askStats(t, db, "t", r)
			require.Equal(t, kept, len(got)) //nolint:testifylint // the lines are long
			require.EqualValues(t, 4, st.Chunks)
			require.EqualValues(t, skipped, st.ChunksSkipped)
			require.EqualValues(t, skipped, st.Skipped.Implied)
		}
	}
	f("status", text(here), nil, 1, 3)
	f("status", text(nowhere), nil, 0, 4)
	f("status", storage.LineFilter{Any: []string{here}}, nil, 1, 3)
	f("status", storage.LineFilter{Kind: storage.FilterRegexp, Any: []string{"(?i:" + strings.ToUpper(here) + ")", `\\u00`}}, nil, 1, 3)
	f("status", storage.LineFilter{Any: []string{storage.EscapedASCII}}, nil, 0, 0)
	// The stream has the name, or some metadata: the caller decides.
	f("app", text(nowhere), nil, 4*entries, 0)
	f("zone", text(nowhere), func(c int, s *model.Stream) {
		if c == 1 {
			s.Labels = labels.FromStrings("app", "app1", "zone", "z")
		}
	}, entries, 3)
	f("trace", text(nowhere), func(c int, s *model.Stream) {
		if c == 1 {
			s.Entries[3].Metadata = []model.Pair{{Name: "trace", Value: "1"}}
		}
	}, 1, 3)
	// A line may spell the text otherwise.
	spell := func(c int, s *model.Stream) {
		if c == 1 {
			s.Entries[3].Line = `\u0041` + s.Entries[3].Line
		}
	}
	f("status", text(nowhere), spell, 1, 3)
	f("status", storage.LineFilter{Any: []string{nowhere}}, spell, 0, 4)
}

func TestImpliedFilterIsRefused(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	_, err := db.Select(context.Background(), "t", storage.SelectRequest{Matchers: anyApp(), Interval: always, Implied: []storage.ImpliedFilter{
		{Name: "a", Line: storage.LineFilter{Kind: storage.FilterRegexp, Any: []string{"("}}},
	}})
	require.ErrorIs(t, err, storage.ErrInvalid)
}
