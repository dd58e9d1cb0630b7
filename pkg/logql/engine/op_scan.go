package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

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
	limit    int  // of entries that pass; 0: all
	limited  bool // by the store
	stages   *pipeline.Pipeline
}

// lane is the pipeline for batches of one storage.Batch.Lane. Stages are the dear part of most queries; the store has them
// run in the goroutines that decode, and only what comes after, which folds, in the one that reads.
type lane struct {
	scanned
	stages *pipeline.Pipeline
	of     *storage.Batch // that scanned is of; nil: none
	passed int            // entries of it
	err    error          // of the pipeline, which ended at it: what passed before is of use
}

// lanes are those of one scan.
type lanes struct {
	ctx   context.Context //nolint:containedctx // of the scan, which they end with
	mu    sync.Mutex      // guards list; each lane is used by one goroutine at a time
	list  []*lane
	first *pipeline.Pipeline
}

func (ls *lanes) get(n int) (*lane, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(ls.list) <= n {
		stages, err := ls.first, error(nil)
		if len(ls.list) > 0 {
			stages, err = ls.first.Clone()
		}
		if err != nil {
			return nil, fmt.Errorf("clone pipeline: %w", err)
		}
		stages.Watch(ls.ctx)
		ls.list = append(ls.list, &lane{stages: stages})
	}
	return ls.list[n], nil
}

// run runs the pipeline over a batch, unless that was done.
func (l *lane) run(b *storage.Batch, most int) {
	if l.of == b {
		return
	}
	l.fill(b)
	l.err = l.runStages(most)
	l.passed = l.Selected.Count()
	l.partial = l.passed < b.Len()
	l.of = b
}

// runStages runs the stages. A fault of theirs ends the query and not the process: the goroutine may be one that nobody
// else watches over.
func (l *lane) runStages(most int) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			l.Selected.Clear(l.Selected.Len())
			err = fmt.Errorf("stages failed: %v\n%s", fault, debug.Stack())
		}
	}()
	return l.stages.Run(&l.Batch, most)
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
	lanesCtx, stop := context.WithCancel(ctx)
	defer stop()
	ls := &lanes{ctx: lanesCtx, first: r.stages}
	passed, complete := 0, false
	began := q.begin(r.scan, false)
	it, err := q.querier.Select(ctx, q.Tenant, selectRequest(r, ls))
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	defer func() {
		stop() // or Close would wait for stages that nobody waits for
		q.end(began, it.Stats(), uint64(passed), complete)
		if closeErr := it.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close select: %w", closeErr)
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := it.Next(ctx)
		if err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if b == nil {
			complete = r.limit == 0 || passed < r.limit
			return nil
		}
		l, err := ls.get(b.Lane)
		if err != nil {
			return err
		}
		l.run(b, r.most(passed))
		l.of = nil // the store may fill the same batch anew
		if l.passed > 0 {
			passed += l.passed
			if more, err := visit(&l.scanned); err != nil || !more || passed == r.limit {
				return err
			}
		}
		if l.err != nil {
			return l.err
		}
	}
}

// most is how many entries of the next batch may pass; 0: all.
func (r *request) most(passed int) int {
	if r.limit == 0 {
		return 0
	}
	return r.limit - passed
}

// selectRequest is what is asked of the store.
func selectRequest(r request, ls *lanes) storage.SelectRequest {
	req := storage.SelectRequest{
		Matchers:      r.scan.Matchers,
		Interval:      r.interval,
		Order:         r.order,
		Filters:       r.scan.Filters,
		MetadataEqual: r.scan.MetadataEqual,
		Implied:       r.scan.Implied,
		Columns:       r.scan.Columns,
		MetadataNames: r.scan.MetadataNames,
	}
	switch {
	case r.limited:
		req.Limit = r.limit
	case r.order == storage.Unordered && !r.stages.Empty():
		req.Prepare = func(b *storage.Batch) error {
			l, err := ls.get(b.Lane)
			if err == nil {
				l.run(b, 0)
			}
			return err
		}
	}
	return req
}

// fill takes over the columns of a batch, all entries selected.
func (s *scanned) fill(b *storage.Batch) {
	s.Streams, s.StreamIndex = b.Streams, b.StreamIndex
	s.Lines, s.Levels, s.Metadata = b.Lines, b.Levels, b.Metadata
	s.Timestamps, s.LineBytes = b.Timestamps, b.LineBytes
	s.Selected.Fill(b.Len())
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
