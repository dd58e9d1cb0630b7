package engine

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// evalCount is evalRange where the store counts. The borders of all windows cut time into buckets, at most two for each
// step however long the windows are; all entries of a bucket lie in the same windows.
func (q *query) evalCount(ctx context.Context, n *plan.Count) ([]Series, error) {
	f := newFold(q, n.Range)
	edges := q.grid.edges(n.Range.Length, n.Range.Offset)
	if len(edges) < 2 {
		return q.evalRange(ctx, n.Range)
	}
	buckets := make([]windows, len(edges)-1)
	for i := range buckets {
		buckets[i] = q.grid.windows(edges[i].Add(n.Range.Offset), n.Range.Length)
	}
	scratch := int64(len(edges)) * (edgeBytes + bucketBytes)
	if err := q.budget.take(scratch); err != nil {
		return nil, err
	}
	defer q.budget.give(scratch)
	var s scanned
	for _, scan := range n.Range.Scans {
		r := storage.CountRequest{
			Matchers:      scan.Matchers,
			Edges:         edges,
			LabelNames:    n.LabelNames,
			Columns:       scan.Columns,
			MetadataNames: scan.MetadataNames,
		}
		if err := q.count(ctx, scan, r, func(c *storage.Counts) error { return f.addCounts(&s, c, buckets) }); err != nil {
			return nil, err
		}
	}
	return f.result(ctx)
}

const (
	edgeBytes   = 8
	bucketBytes = 32 // windows
)

// count asks the store, within the limits that hold for reads.
func (q *query) count(ctx context.Context, scan plan.Scan, r storage.CountRequest, add func(*storage.Counts) error) error {
	if err := q.checkBytes(ctx, storage.Scope{Matchers: r.Matchers, Interval: r.Interval()}); err != nil {
		return err
	}
	began := q.begin(scan, true)
	var refused error // by ourselves, in words of our own
	st, err := q.querier.Count(ctx, q.Tenant, r, func(c *storage.Counts) error {
		if refused = ctx.Err(); refused == nil {
			refused = add(c)
		}
		return refused
	})
	q.end(began, st, st.EntriesMatched, err == nil)
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return fmt.Errorf("count: %w", err)
	}
	return nil
}

// addCounts adds counts to the windows of their buckets.
func (f *fold) addCounts(s *scanned, c *storage.Counts, buckets []windows) error {
	s.Streams, s.StreamIndex, s.Levels, s.Metadata = c.Streams, c.StreamIndex, c.Levels, c.Metadata
	f.groups.startBatch(s)
	for i, bucket := range c.Buckets {
		w := &buckets[bucket]
		if w.lo > w.hi {
			continue // between two windows
		}
		series, err := f.groups.of(s, i)
		if err != nil {
			return err
		}
		r := run{series: series, lo: w.lo, hi: w.hi, entries: c.Entries[i]}
		if f.countBytes {
			r.bytes = c.LineBytes[i]
		}
		if err := f.count(r); err != nil {
			return err
		}
	}
	return nil
}

// edges returns the borders of the windows (T-length-offset, T-offset] of all steps as starts and ends of intervals,
// ascending, each once. It returns none when a border is, or may be, no time that can be expressed.
func (g grid) edges(length, offset time.Duration) []model.Timestamp {
	const far = math.MaxInt64 / 3 // of three such numbers the sum still fits
	near := func(v int64) bool { return -far < v && v < far }
	if length <= 0 || !near(int64(length)) || !near(int64(offset)) || !near(int64(g.start)) || !near(int64(g.last())) {
		return nil
	}
	end := func(step int) model.Timestamp { return g.at(step) - model.Timestamp(offset) + 1 }
	edges := make([]model.Timestamp, 0, 2*g.steps)
	for starts, ends := 0, 0; ends < g.steps; {
		next := end(ends)
		if starts < g.steps {
			next = min(next, end(starts)-model.Timestamp(length))
		}
		if starts < g.steps && next == end(starts)-model.Timestamp(length) {
			starts++
		}
		if next == end(ends) {
			ends++
		}
		edges = append(edges, next)
	}
	return edges
}
