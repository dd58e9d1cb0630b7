package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// minuteEdges are those of the histogram of Explore: one bucket for each minute of the corpus. A minute ends with its last
// instant, as LogQL's windows do.
func (s *loadedStore) minuteEdges(shift time.Duration) []model.Timestamp {
	start := model.TimestampOf(storageNow.Add(-storageSpan - time.Minute)).Add(shift + 1)
	edges := []model.Timestamp{start}
	for i := range int(storageSpan/time.Minute) + 2 {
		edges = append(edges, start.Add(time.Duration(i+1)*time.Minute))
	}
	return edges
}

// countFast counts what lies between the edges by level, and compares the sum with the true one.
func (s *loadedStore) countFast(ctx context.Context, edges []model.Timestamp, want int64) error {
	var got int64
	stats, err := s.Count(ctx, tenantAll, storage.CountRequest{
		Matchers: everyStream(), Edges: edges, LabelNames: []string{}, Columns: storage.ColumnLevel,
	}, func(c *storage.Counts) error {
		for _, n := range c.Entries {
			got += n
		}
		return nil
	})
	if err == nil && len(stats.Warnings) > 0 {
		err = fmt.Errorf("the store warns: %s", stats.Warnings[0])
	}
	if err == nil && got != want {
		err = fmt.Errorf("%d entries are counted of %d", got, want)
	}
	return err
}

// countLines counts the same in the slow and obvious way, from entries with their lines.
func (s *loadedStore) countLines(ctx context.Context, edges []model.Timestamp) (total int64, err error) {
	it, err := s.Select(ctx, tenantAll, storage.SelectRequest{
		Matchers: everyStream(), Interval: model.Interval{Start: edges[0], End: edges[len(edges)-1]}, Columns: storage.ColumnLine | storage.ColumnLevel,
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = it.Close() }() // it has been read; what it holds is memory
	counts := map[string][]int64{}
	width := edges[1] - edges[0]
	for {
		batch, err := it.Next(ctx)
		if err != nil || batch == nil {
			return total, err
		}
		for i, t := range batch.Timestamps {
			of := counts[batch.Levels[i]]
			if of == nil {
				of = make([]int64, len(edges))
				counts[batch.Levels[i]] = of
			}
			of[(t-edges[0])/width]++
			total++
		}
	}
}

// stepCount measures the histogram over everything.
func (b *storageBench) stepCount(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	if err := b.withCache(ctx, s); err != nil {
		return err
	}
	cells, with, entries, err := s.minuteCells()
	if err != nil {
		return err
	}
	var total int64
	lines, err := b.repeated(ctx, func() (err error) {
		total, err = s.countLines(ctx, s.minuteEdges(0))
		return err
	})
	if err != nil {
		return err
	}
	if total != entries {
		return fmt.Errorf("%d entries are counted of %d", total, entries)
	}
	aligned, err := b.repeated(ctx, func() error { return s.countFast(ctx, s.minuteEdges(0), entries) })
	if err != nil {
		return err
	}
	cut, err := b.repeated(ctx, func() error { return s.countFast(ctx, s.minuteEdges(-7*time.Second), entries) })
	if err != nil {
		return err
	}
	b.add(
		measured("count by level, each minute, CPU", each(aligned.process, cells), "ns/minute and chunk").wants(atMost(20, "ns")).
			says("%d minutes of %d chunks, of which %d have counts of minutes (the others have too few entries for them); %s ms on the wall. Tables of chunks that were read before are kept decoded.",
				cells, s.chunks, with, digits(milliseconds(aligned.wall))),
		measured("count by level, each minute", milliseconds(aligned.process), "ms").
			against("through lines", milliseconds(lines.process), "ms").
			as(ratioOf(lines.process, aligned.process), "×").wants(atLeast(50, "×")),
		measured("count by level, cut minutes, CPU", each(cut.process, int(entries)), "ns/entry").wants(atMost(3, "ns")).
			says("Steps begin 7 s before the minute, so that each is cut; %s ms on the wall.", digits(milliseconds(cut.wall))),
	)
	return nil
}

// minuteCells counts, over all chunks, the minutes that a chunk has entries in, and the chunks that know them.
func (s *loadedStore) minuteCells() (cells, with int, entries int64, err error) {
	err = s.eachChunk(func(_ *block.Block, ref block.ChunkRef, r *chunk.Reader) error {
		entries += int64(ref.Entries)
		first, last := chunk.MinuteOf(ref.MinTime), chunk.MinuteOf(ref.MaxTime)
		counts, err := r.Table().Minutes(nil)
		if err != nil || len(counts) == 0 {
			cells += int(last - first + 1)
			return err
		}
		with++
		minutes := map[int64]bool{}
		for _, c := range counts {
			minutes[c.Minute] = true
		}
		cells += len(minutes)
		return nil
	})
	return cells, with, entries, err
}
