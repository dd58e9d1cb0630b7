package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Grafana reads logs page by page: older rows while a person scrolls, context around one. It names where a page begins by
// a time in milliseconds, or by a row, and tells rows apart by their IDs. Lines of the same time make both imprecise: a page
// that ends among them would lose the others, and one that begins among them could consist of nothing new. So a page has
// three parts, in the order of the query:
//
//	seam   all lines within query.seam of the near end, beyond the limit: what stands there was perhaps shown in part
//	rest   as many lines as the limit allows
//	tail   when the limit cut the rest, all other lines of the last line's nanosecond, or multiple of query.whole; and
//	       when the far end is within query.fill, all lines up to there, for Explore asks for nothing that near it
//
// A query that says nothing of this is its rest alone. Seam and tail hold as many lines as any query may return; what is
// beyond that is missing, and the answer says so.

// paging is what a query asks of its ends.
type paging struct {
	seam, whole, fill time.Duration
	omit              string // the ID of a line that is there already
	rowsMax           int    // of seam and tail, each

	extra int      // lines beyond the limit
	cut   bool     // the limit cut the rest, and there is more behind it
	notes []string // what is missing, in sentences
}

func (p *paging) isPage() bool { return p.seam > 0 || p.whole > 0 || p.fill > 0 || p.omit != "" }

// lines runs a log query with its parts.
func (p *Plugin) lines(ctx context.Context, q *query, params engine.Params) (*engine.Result, error) {
	if !q.isPage() {
		return p.Executor.Exec(ctx, params)
	}
	page := pageOf{executor: p.Executor, q: q, params: params, sum: &engine.Result{Type: engine.ResultStreams}}
	whole := model.Interval{Start: params.Start, End: params.End}
	near, far := splitNear(whole, q.seam, q.direction)
	if _, err := page.add(ctx, near, q.rowsMax, "the beginning of this page"); err != nil {
		return nil, err
	}
	if err := page.addRest(ctx, far); err != nil {
		return nil, err
	}
	r := page.sum
	q.extra = max(len(r.Entries)-q.limit, 0)
	if q.omit != "" {
		r.Entries = slices.DeleteFunc(r.Entries, func(e engine.Entry) bool { return e.ID == q.omit })
	}
	return r, nil
}

// pageOf collects the parts of a page.
type pageOf struct {
	executor engine.Executor
	q        *query
	params   engine.Params
	sum      *engine.Result
}

// addRest adds the rest and, if the limit cut it, the tail.
func (p *pageOf) addRest(ctx context.Context, far model.Interval) error {
	q := p.q
	n, err := p.add(ctx, far, q.limit, "")
	if err != nil || n < q.limit || n == 0 {
		return err
	}
	last := p.sum.Entries[len(p.sum.Entries)-1].Timestamp
	tail, reachesEnd := q.tailOf(far, last)
	q.cut = !reachesEnd
	p.sum.Entries = slices.DeleteFunc(p.sum.Entries, func(e engine.Entry) bool { return tail.Start <= e.Timestamp && e.Timestamp < tail.End })
	_, err = p.add(ctx, tail, q.rowsMax, "the end of this page")
	return err
}

// add runs the query over a part of its range and adds the lines. Where is for the person who is told that more than limit
// stand there; it is empty when that is the limit that was asked for.
func (p *pageOf) add(ctx context.Context, part model.Interval, limit int, where string) (n int, err error) {
	if part.Start >= part.End {
		return 0, nil
	}
	params := p.params
	params.Start, params.End, params.Limit = part.Start, part.End, limit
	r, err := p.executor.Exec(ctx, params)
	if err != nil {
		return 0, err
	}
	entries := r.Entries[:min(len(r.Entries), limit)]
	if len(entries) == limit && where != "" {
		p.q.notes = append(p.q.notes, fmt.Sprintf("More than %s lines stand within %s at %s, and one query may return no more (grafana.rows_max, max_entries_limit_per_query): some are missing. Narrow the query to see them.",
			countText(uint64(limit)), spanText(part), where))
	}
	p.sum.Entries = append(p.sum.Entries, entries...)
	p.sum.SearchWords = r.SearchWords
	for _, w := range r.Warnings {
		if !slices.Contains(p.sum.Warnings, w) {
			p.sum.Warnings = append(p.sum.Warnings, w)
		}
	}
	addStats(&p.sum.Stats, r.Stats)
	return len(entries), nil
}

// splitNear divides a range at seam from the end where an answer in this order begins.
func splitNear(whole model.Interval, seam time.Duration, order storage.Order) (near, far model.Interval) {
	if order == storage.Forward {
		at := min(whole.Start.Add(seam), whole.End)
		return model.Interval{Start: whole.Start, End: at}, model.Interval{Start: at, End: whole.End}
	}
	at := max(whole.End.Add(-seam), whole.Start)
	return model.Interval{Start: at, End: whole.End}, model.Interval{Start: whole.Start, End: at}
}

// tailOf is the range that completes an answer whose last line has the time last: the span of query.whole around it, or
// everything to the end of the range when that is no farther than query.fill.
func (q *query) tailOf(far model.Interval, last model.Timestamp) (tail model.Interval, reachesEnd bool) {
	whole := model.Timestamp(max(q.whole, 1))
	tail.Start = last - (last%whole+whole)%whole // times before 1970 are negative
	tail.End = tail.Start.Add(time.Duration(whole))
	if q.direction == storage.Forward {
		if reachesEnd = far.End <= last.Add(q.fill); reachesEnd {
			tail.End = far.End
		}
	} else if reachesEnd = far.Start >= last.Add(-q.fill); reachesEnd {
		tail.Start = far.Start
	}
	return model.Interval{Start: max(tail.Start, far.Start), End: min(tail.End, far.End)}, reachesEnd
}

// addStats adds what another read came to.
func addStats(sum *engine.Stats, s engine.Stats) {
	sum.Exec += s.Exec
	sum.Bytes += s.Bytes
	sum.Lines += s.Lines
	sum.LinesMatched += s.LinesMatched
	sum.Chunks += s.Chunks
	sum.ChunksSkipped += s.ChunksSkipped
	sum.EntriesReturned += s.EntriesReturned
}

// spanText is the length of a range for people.
func spanText(i model.Interval) string { return time.Duration(i.End - i.Start).String() }
