package engine

import (
	"context"
	"fmt"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// scanned is one batch behind the pipeline. It is valid until visit returns.
type scanned struct {
	pipeline.Batch      // its Selected are the entries that passed
	partial        bool // not all did
	LineBytes      []uint32
}

// request is one read, and what becomes of its entries.
type request struct {
	scan     plan.Scan
	interval model.Interval
	order    storage.Order
	limit    int // of entries that pass; 0: all
	stages   *pipeline.Pipeline
}

// scan reads the store and calls visit for each batch in which anything passed, until visit returns false or there is no
// more.
func (q *query) scan(ctx context.Context, r request, visit func(*scanned) (more bool, err error)) (err error) {
	if r.interval.Empty() {
		return nil
	}
	if err := q.checkBytes(ctx, storage.Scope{Matchers: r.scan.Matchers, Interval: r.interval}); err != nil {
		return err
	}
	req := storage.SelectRequest{
		Matchers:      r.scan.Matchers,
		Interval:      r.interval,
		Order:         r.order,
		Filters:       r.scan.Filters,
		MetadataEqual: r.scan.MetadataEqual,
		Columns:       r.scan.Columns,
		MetadataNames: r.scan.MetadataNames,
	}
	if r.stages.Empty() {
		req.Limit = r.limit
	}
	it, err := q.querier.Select(ctx, q.Tenant, req)
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	passed := uint64(0)
	defer func() {
		q.addStats(it.Stats(), passed)
		if closeErr := it.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close select: %w", closeErr)
		}
	}()
	var s scanned
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := it.Next(ctx)
		if err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if b == nil {
			return nil
		}
		s.fill(b)
		most := 0
		if r.limit > 0 {
			most = r.limit - int(passed)
		}
		runErr := r.stages.Run(&s.Batch, most)
		if count := s.Selected.Count(); count > 0 {
			s.partial = count < b.Len()
			passed += uint64(count)
			if more, err := visit(&s); err != nil || !more || passed == uint64(r.limit) {
				return err
			}
		}
		if runErr != nil {
			return runErr
		}
	}
}

// fill takes over the columns of a batch, all entries selected.
func (s *scanned) fill(b *storage.Batch) {
	s.Streams, s.StreamIndex = b.Streams, b.StreamIndex
	s.Lines, s.Levels, s.Metadata = b.Lines, b.Levels, b.Metadata
	s.Timestamps, s.LineBytes = b.Timestamps, b.LineBytes
	s.Selected.Fill(b.Len())
}

func (q *query) addStats(st storage.ScanStats, passed uint64) {
	q.stats.Bytes += st.Bytes
	q.stats.Lines += st.Entries
	q.stats.LinesMatched += passed
	q.stats.Chunks += st.Chunks
	q.stats.ChunksSkipped += st.ChunksSkipped
	for _, w := range st.Warnings {
		q.warn(w)
	}
}

// checkBytes holds the query to the tenant's limit of bytes, before they are read.
func (q *query) checkBytes(ctx context.Context, s storage.Scope) error {
	if q.limits.BytesRead == 0 {
		return nil
	}
	st, err := q.querier.Stats(ctx, q.Tenant, s)
	if err != nil {
		return fmt.Errorf("size query: %w", err)
	}
	if q.plannedBytes += st.Bytes; q.plannedBytes > q.limits.BytesRead {
		return errBytesRead(q.plannedBytes, q.limits.BytesRead)
	}
	return nil
}
