package logdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// withoutFilters takes the filters away from a query that was not asked for anything yet.
func withoutFilters(it storage.Iterator) {
	real := it.(*iterator)
	for i := range real.sel.sources {
		s := &real.sel.sources[i]
		s.part, s.filter, s.meta = nil, chunk.Filter{}, chunk.MetaFilter{}
	}
}

// texture makes lines of words, ids and addresses, among them what only folding of Unicode makes equal to ASCII.
type texture struct{ rng *rand.Rand }

func (x texture) word() string {
	switch x.rng.IntN(8) {
	case 0:
		return fmt.Sprintf("%016x", x.rng.Uint64()>>x.rng.IntN(40))
	case 1:
		return fmt.Sprintf("10.%d.%d.%d", x.rng.IntN(4), x.rng.IntN(256), x.rng.IntN(256))
	case 2:
		return fmt.Sprintf("pod-%x-%d", x.rng.IntN(1<<20), x.rng.IntN(100))
	case 3:
		return pick(x.rng, "\u212aelvin", "mi\u017fsing", "na\u00efve", "line\nbreak", "\xff\xfe", `\u0041scii`)
	}
	return pick(x.rng, "Connection", "refused", "timeout", "KeyError", "Missing", "kelvin", "session", "GET", "status=200", "a", "ok", "Exception")
}

func (x texture) line() string {
	words := make([]string, 1+x.rng.IntN(8))
	for i := range words {
		words[i] = x.word()
	}
	return strings.Join(words, pick(x.rng, " ", ",", "=", ""))
}

// needle is part of a line, or something that is hardly anywhere.
func (x texture) needle(lines []string) string {
	line := lines[x.rng.IntN(len(lines))]
	if x.rng.IntN(3) == 0 {
		line = x.line()
	}
	from := x.rng.IntN(len(line))
	return line[from : from+1+x.rng.IntN(min(len(line)-from, 24))]
}

func (x texture) filter(lines []string) storage.LineFilter {
	f := storage.LineFilter{Negate: x.rng.IntN(6) == 0}
	for range 1 + x.rng.IntN(5)/4 {
		f.Any = append(f.Any, x.needle(lines))
	}
	if x.rng.IntN(2) == 0 {
		return f
	}
	f.Kind = storage.FilterRegexp
	for i, text := range f.Any {
		text = regexp.QuoteMeta(strings.ToValidUTF8(text, "."))
		f.Any[i] = pick(x.rng, text, "(?i)"+strings.ToUpper(text), text+".*"+regexp.QuoteMeta(x.word()), text+"|"+regexp.QuoteMeta(strings.ToValidUTF8(x.word(), ".")), "^[a-z]*"+text)
		if _, err := regexp.Compile(f.Any[i]); err != nil {
			f.Any[i] = "."
		}
	}
	return f
}

// fill appends entries to head and blocks, and returns all lines.
func (x texture) fill(t *testing.T, db *DB, want naive) (lines []string) {
	for round := range 5 {
		for app := range 4 {
			ls := []string{"app", fmt.Sprint("app", app)}
			if app == 3 {
				ls = append(ls, "zone", "label")
			}
			s := model.Stream{Labels: labels.FromStrings(ls...)}
			for range 100 {
				e := model.Entry{Timestamp: at(time.Duration(x.rng.IntN(1000)) * time.Second), Line: x.line(), Level: pick(x.rng, "", "info", "error")}
				for _, name := range []string{"trace", "zone"} {
					if x.rng.IntN(2) == 0 {
						e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: fmt.Sprint(x.rng.IntN(60))})
					}
				}
				s.Entries = append(s.Entries, e)
				want.add("t", s.Labels, e)
				lines = append(lines, e.Line)
			}
			require.NoError(t, db.Append(context.Background(), pushOf("t", s)))
			if x.rng.IntN(3) == 0 {
				db.closeIdle()
				for _, h := range db.lookup("t").view.heads {
					for _, p := range h.Parts() {
						require.NoError(t, p.Seal(chunk.Options{}))
					}
				}
			}
		}
		if round < 3 && x.rng.IntN(2) == 0 {
			require.NoError(t, db.Flush(context.Background()))
		}
	}
	return lines
}

// Filters make an answer faster, never different: random questions of random data, with and without them.
func TestFiltersHideNothing(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			x := texture{rand.New(rand.NewPCG(seed, 3))}
			cfg := testConfig(t, vfs.NewMem())
			cfg.ChunkIdle = time.Nanosecond
			cfg.CacheBytes = pick[int64](x.rng, 1, 50_000, 64<<20) // filters of whole blocks fit, or only some
			db := openDB(t, cfg)
			want := naive{}
			lines := x.fill(t, db, want)
			for range 150 {
				r := storage.SelectRequest{
					Matchers: anyApp(), Interval: always, Order: pick(x.rng, storage.Unordered, storage.Backward), Columns: storage.ColumnLine,
				}
				if x.rng.IntN(4) == 0 {
					r.Matchers = append(r.Matchers, labels.MustNewMatcher(labels.MatchEqual, "app", "app1"))
				}
				for range x.rng.IntN(3) {
					r.Filters = append(r.Filters, x.filter(lines))
				}
				if x.rng.IntN(2) == 0 {
					r.MetadataEqual = append(r.MetadataEqual, model.Pair{Name: pick(x.rng, "trace", "zone", levelName), Value: pick(x.rng, "error", fmt.Sprint(x.rng.IntN(90)))})
				}
				if x.rng.IntN(3) == 0 {
					r.Implied = append(r.Implied, x.implied(lines))
				}
				x.compare(t, db, want.query("t", r), r)
			}
			skipped := testutil.ToFloat64(db.metrics.chunksSkipped[skippedByFilter]) + testutil.ToFloat64(db.metrics.chunksSkipped[skippedByMetadata])
			require.Positive(t, skipped)
		})
	}
}

func (x texture) compare(t *testing.T, db *DB, want []string, r storage.SelectRequest) {
	t.Helper()
	for _, off := range []bool{false, true} {
		it, err := db.Select(context.Background(), "t", r)
		require.NoError(t, err)
		if off {
			withoutFilters(it)
		}
		got := []string{}
		for {
			b, err := it.Next(context.Background())
			require.NoError(t, err)
			if b == nil {
				break
			}
			for i := range b.Timestamps {
				got = append(got, columnText(b.Streams[b.StreamIndex[i]], model.Entry{Timestamp: b.Timestamps[i], Line: b.Lines[i]}, r.Columns))
			}
		}
		require.NoError(t, it.Close())
		if r.Order == storage.Unordered {
			slices.Sort(want)
			slices.Sort(got)
		}
		require.Equal(t, want, got, "%+v", r)
	}
}

func TestFiltersSkipChunks(t *testing.T) {
	const chunks, entries = 6, 50
	f := func(cacheBytes int64, r storage.SelectRequest, want, read int) {
		t.Helper()
		cfg := testConfig(t, vfs.NewMem())
		cfg.CacheBytes = cacheBytes
		db := openDB(t, cfg)
		fillBlocks(t, db, "t", chunks, entries)
		r.Matchers, r.Interval, r.Columns = anyApp(), always, storage.ColumnLine
		for _, r.Order = range []storage.Order{storage.Unordered, storage.Forward, storage.Backward} {
			db.dropCaches()
			before := linesDecoded(db)
			got, stats := askStats(t, db, "t", r)
			require.Len(t, got, want)
			require.EqualValues(t, read, linesDecoded(db)-before)
			require.EqualValues(t, chunks, stats.Chunks)
			require.EqualValues(t, chunks-read, stats.ChunksSkipped)
		}
	}
	for _, cacheBytes := range []int64{1, 4 << 20} { // filters read one by one, and all at once
		f(cacheBytes, storage.SelectRequest{Filters: []storage.LineFilter{{Any: []string{"0b1946ac92492d2347c6235b4d2611184"}}}}, 0, 0)
		f(cacheBytes, storage.SelectRequest{MetadataEqual: []model.Pair{{Name: "trace", Value: fmt.Sprintf("%032x", 123)}}}, 1, 1)
		f(cacheBytes, storage.SelectRequest{MetadataEqual: []model.Pair{{Name: "trace", Value: "none"}}}, 0, 0)
	}
}
