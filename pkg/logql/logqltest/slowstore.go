// Package logqltest holds LogQL to its word: scripts that load lines, ask queries and say what the answers are, and a
// runner that plays them against any store. It also has the slow obvious store that every other one is compared with.
//
// A script is text, one thing a line; "#" begins a comment line. Times count from a fixed day.
//
//	load                                          entries that the evals below see, until the next load
//	  {app="api", env="prod"}
//	    10s        "a line" code=500 detected_level=error     one entry: time, line as a Go string, structured metadata
//	    0s..50s/10s "tick"                        six entries
//	eval logs 0s..60s backward limit 10: {app="api"} |= "line"
//	  10s {app="api", env="prod"} "a line" code=500 detected_level=error
//	eval range 0s..60s step 20s: count_over_time({app="api"}[1m])
//	  {app="api", env="prod"} 1 3 _ 4             a value per step, _ for none
//	eval instant 60s: vector(1) + vector(1)
//	  {} 2
//	eval instant 60s: 1 + 1
//	  scalar 2
//	eval logs 0s..60s forward limit 10: {
//	  error: parse error at line 1, col 2: …      the whole text; lines of it are joined by \n
//	eval …
//	  nothing
package logqltest

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// SlowStore is a storage.Querier that keeps entries in a slice and looks at all of them each time. It fills just the
// columns that are asked for, and of metadata just the names, in small batches, and scribbles over a batch as soon as its time is up, so that whoever
// keeps one is found out. It has one tenant, whoever asks.
type SlowStore struct{ streams []model.Stream }

var _ storage.Querier = (*SlowStore)(nil)

// NewSlowStore returns a store of these streams, which must have different label sets.
func NewSlowStore(streams ...model.Stream) *SlowStore {
	s := &SlowStore{streams: slices.Clone(streams)}
	slices.SortFunc(s.streams, func(a, b model.Stream) int { return labels.Compare(a.Labels, b.Labels) })
	return s
}

// slowEntry is an entry with its stream and its place of arrival there.
type slowEntry struct {
	model.Entry
	stream, arrival int
}

func matchesAll(ls labels.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

func holds(f storage.LineFilter, line string) (bool, error) {
	for _, text := range f.Any {
		found := strings.Contains(line, text)
		if f.Kind == storage.FilterRegexp {
			var err error
			if found, err = regexp.MatchString(text, line); err != nil {
				return false, err
			}
		}
		if found {
			return !f.Negate, nil
		}
	}
	return f.Negate, nil
}

// mayLeaveOut reports whether a request says that it has no use for an entry. The store takes it at its word.
func mayLeaveOut(ls labels.Labels, e model.Entry, r storage.SelectRequest) bool {
	for _, p := range r.MetadataEqual {
		has := slices.Contains(e.Metadata, p)
		if p.Name == "detected_level" {
			has = e.Level == p.Value
		}
		if !ls.Has(p.Name) && !has {
			return true
		}
	}
	for _, f := range r.Implied {
		has := slices.ContainsFunc(e.Metadata, func(p model.Pair) bool { return p.Name == f.Name })
		if ok, err := holds(f.Line, e.Line); err == nil && !ok && !has && !ls.Has(f.Name) {
			return true
		}
	}
	return false
}

// Select implements storage.Querier.
func (s *SlowStore) Select(_ context.Context, _ model.TenantID, r storage.SelectRequest) (storage.Iterator, error) {
	it := &slowIterator{store: s, columns: r.Columns, names: r.MetadataNames, prepare: r.Prepare}
	for n, st := range s.streams {
		if !matchesAll(st.Labels, r.Matchers) {
			continue
		}
		it.stats.Chunks++
	entries:
		for k, e := range st.Entries {
			if !r.Interval.Contains(e.Timestamp) {
				continue
			}
			it.stats.Entries++
			it.stats.Bytes += uint64(len(e.Line))
			for _, f := range r.Filters {
				ok, err := holds(f, e.Line)
				if err != nil {
					return nil, err
				}
				if !ok {
					continue entries
				}
			}
			if mayLeaveOut(st.Labels, e, r) {
				continue
			}
			it.stats.EntriesMatched++
			it.rest = append(it.rest, slowEntry{e, n, k})
		}
	}
	slices.SortFunc(it.rest, func(a, b slowEntry) int {
		return cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.stream, b.stream), cmp.Compare(a.arrival, b.arrival))
	})
	switch r.Order {
	case storage.Backward:
		slices.Reverse(it.rest)
	case storage.Unordered: // as far from any order as is cheap
		slices.SortStableFunc(it.rest, func(a, b slowEntry) int { return cmp.Compare(len(a.Line)%3, len(b.Line)%3) })
	}
	if r.Limit > 0 && len(it.rest) > r.Limit {
		it.rest = it.rest[:r.Limit]
	}
	return it, nil
}

// batchEntries is small, so that every query sees several batches.
const batchEntries = 5

type slowIterator struct {
	store   *SlowStore
	columns storage.Columns
	names   []string // of metadata to fill; nil: all
	prepare func(*storage.Batch) error
	rest    []slowEntry
	arena   []byte // the texts of the last batch
	stats   storage.ScanStats
}

// text returns s in memory that is scribbled over later.
func (it *slowIterator) text(s string) string {
	if len(s) == 0 {
		return ""
	}
	at := len(it.arena)
	it.arena = append(it.arena, s...) // never grows beyond its capacity: Next made room
	return unsafe.String(&it.arena[at], len(s))
}

func (it *slowIterator) Next(context.Context) (*storage.Batch, error) {
	it.scribble()
	n := min(len(it.rest), batchEntries)
	if n == 0 {
		return nil, nil
	}
	size := 0
	for _, e := range it.rest[:n] {
		size += len(e.Line) + len(e.Level)
		for _, p := range e.Metadata {
			size += len(p.Name) + len(p.Value)
		}
	}
	it.arena = make([]byte, 0, size)
	b := &storage.Batch{}
	for _, e := range it.rest[:n] {
		it.add(b, e)
	}
	it.rest = it.rest[n:]
	if it.prepare != nil {
		return b, it.prepare(b)
	}
	return b, nil
}

func (it *slowIterator) add(b *storage.Batch, e slowEntry) {
	ls := it.store.streams[e.stream].Labels
	index := slices.IndexFunc(b.Streams, func(have labels.Labels) bool { return labels.Equal(have, ls) })
	if index < 0 {
		index = len(b.Streams)
		b.Streams = append(b.Streams, ls)
	}
	b.StreamIndex = append(b.StreamIndex, uint32(index))
	b.Timestamps = append(b.Timestamps, e.Timestamp)
	if it.columns&storage.ColumnLine != 0 {
		b.Lines = append(b.Lines, it.text(e.Line))
	}
	if it.columns&storage.ColumnLineBytes != 0 {
		b.LineBytes = append(b.LineBytes, uint32(len(e.Line)))
	}
	if it.columns&storage.ColumnLevel != 0 {
		b.Levels = append(b.Levels, it.text(e.Level))
	}
	if it.columns&storage.ColumnMetadata != 0 {
		var metadata []model.Pair
		for _, p := range e.Metadata {
			if it.names == nil || slices.Contains(it.names, p.Name) {
				metadata = append(metadata, model.Pair{Name: it.text(p.Name), Value: it.text(p.Value)})
			}
		}
		b.Metadata = append(b.Metadata, metadata)
	}
}

func (it *slowIterator) scribble() {
	for i := range it.arena {
		it.arena[i] = '!'
	}
}

func (it *slowIterator) Stats() storage.ScanStats { return it.stats }

func (it *slowIterator) Close() error {
	it.scribble()
	it.rest = nil
	return nil
}

// Count implements storage.Querier: it reads the entries and gives each a row of its own.
func (s *SlowStore) Count(ctx context.Context, tenant model.TenantID, r storage.CountRequest, add func(*storage.Counts) error) (storage.ScanStats, error) {
	it, err := s.Select(ctx, tenant, storage.SelectRequest{
		Matchers: r.Matchers, Interval: r.Interval(), Columns: r.Columns, MetadataNames: r.MetadataNames,
	})
	if err != nil {
		return storage.ScanStats{}, err
	}
	defer func() { _ = it.Close() }() // frees nothing but what the test would find scribbled over
	for {
		b, err := it.Next(ctx)
		if b == nil || err != nil {
			return it.Stats(), err
		}
		c := storage.Counts{StreamIndex: b.StreamIndex, Levels: b.Levels, Metadata: b.Metadata}
		for _, ls := range b.Streams {
			if r.LabelNames != nil {
				ls = labels.NewBuilder(ls).Keep(r.LabelNames...).Labels()
			}
			c.Streams = append(c.Streams, ls)
		}
		for i, at := range b.Timestamps {
			bucket := 0
			for r.Edges[bucket+1] <= at {
				bucket++
			}
			c.Buckets, c.Entries = append(c.Buckets, uint32(bucket)), append(c.Entries, 1)
			if r.Columns&storage.ColumnLineBytes != 0 {
				c.LineBytes = append(c.LineBytes, int64(b.LineBytes[i]))
			}
		}
		if err := add(&c); err != nil {
			return it.Stats(), err
		}
	}
}

// inScope returns the streams that match and have an entry in the interval.
func (s *SlowStore) inScope(scope storage.Scope) []model.Stream {
	var list []model.Stream
	for _, st := range s.streams {
		inside := func(e model.Entry) bool { return scope.Interval.Contains(e.Timestamp) }
		if matchesAll(st.Labels, scope.Matchers) && slices.ContainsFunc(st.Entries, inside) {
			list = append(list, st)
		}
	}
	return list
}

// LabelNames implements storage.Querier.
func (s *SlowStore) LabelNames(_ context.Context, _ model.TenantID, scope storage.Scope) ([]string, error) {
	var names []string
	for _, st := range s.inScope(scope) {
		st.Labels.Range(func(l labels.Label) { names = append(names, l.Name) })
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// LabelValues implements storage.Querier.
func (s *SlowStore) LabelValues(_ context.Context, _ model.TenantID, name string, scope storage.Scope) ([]string, error) {
	var values []string
	for _, st := range s.inScope(scope) {
		if v := st.Labels.Get(name); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}

// Series implements storage.Querier.
func (s *SlowStore) Series(_ context.Context, _ model.TenantID, scope storage.Scope) ([]labels.Labels, error) {
	var list []labels.Labels
	for _, st := range s.inScope(scope) {
		list = append(list, st.Labels)
	}
	return list, nil
}

// Stats implements storage.Querier.
func (s *SlowStore) Stats(_ context.Context, _ model.TenantID, scope storage.Scope) (storage.Stats, error) {
	var total storage.Stats
	for _, st := range s.inScope(scope) {
		total.Streams++
		total.Chunks++
		for _, e := range st.Entries {
			total.Entries++
			total.Bytes += uint64(len(e.Line))
			for _, p := range e.Metadata {
				total.Bytes += uint64(len(p.Name) + len(p.Value))
			}
		}
	}
	return total, nil
}
