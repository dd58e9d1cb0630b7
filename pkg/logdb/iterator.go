package logdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// iterator implements storage.Iterator. Its workers read the sources, one at a time each, into slots; Next runs in the
// caller's goroutine and is the only one that touches the fields below. What workers read of them does not change while
// they run.
type iterator struct {
	db       *DB
	request  storage.SelectRequest
	question *question
	view     *view // nil when there is nothing to read
	sel      selection
	stats    storage.ScanStats
	closed   bool
	done     bool

	slots     []*slot // nil until the first Next
	workers   int
	reserved  int64 // of the budget of all queries
	pageBytes int64

	work   *workList[*slot]    // what runs now; nil: nothing
	pruned [skipReasons]uint64 // sources that workers did not read; theirs while they run
	inHand *slot               // whose batch was handed out last

	page        page // ordered
	batch       storage.Batch
	pageEntries int
	given       int      // entries handed out
	after       *sortKey // the last one handed out
}

// slot is what one source is read into. It goes from worker to consumer and back; whoever has it may use it.
type slot struct {
	scanner
	lane   int
	source *source
	err    error

	batch   storage.Batch // unordered
	pairs   []model.Pair  // backing of batch.Metadata
	entries []uint32      // of the source, to fetch
	fetched []content     // of these entries
}

// slots keep their memory from query to query.
var slots = sync.Pool{New: func() any { return new(slot) }}

// slotBytesMax bounds what a slot may keep, so that one huge entry does not stay in memory.
const slotBytesMax = 8 << 20

func newSlot(q *question, m *metrics) *slot {
	sl := slots.Get().(*slot)
	sl.question, sl.metrics = q, m
	b := &sl.batch // what the last query asked for and this one does not is no part of its batches
	if q.columns&storage.ColumnLine == 0 {
		b.Lines = nil
	}
	if q.columns&storage.ColumnLineBytes == 0 {
		b.LineBytes = nil
	}
	if q.columns&storage.ColumnLevel == 0 {
		b.Levels = nil
	}
	if q.columns&storage.ColumnMetadata == 0 {
		b.Metadata = nil
	}
	return sl
}

func (sl *slot) release() {
	held := int64(cap(sl.lines)) + 8*int64(cap(sl.times)+cap(sl.hits)) + 4*int64(cap(sl.ends)) + sl.metadata.MemoryBytes() + sl.single.MemoryBytes()
	if held > slotBytesMax {
		return
	}
	sl.question, sl.metrics, sl.decoded, sl.source, sl.err, sl.stats = nil, nil, decodedColumns{}, nil, nil, storage.ScanStats{}
	sl.batch.Streams = nil
	clear(sl.batch.Lines[:cap(sl.batch.Lines)]) // or they hold on to columns that left the cache
	clear(sl.batch.Metadata[:cap(sl.batch.Metadata)])
	clear(sl.pairs[:cap(sl.pairs)])
	clear(sl.fetched[:cap(sl.fetched)])
	slots.Put(sl)
}

// sortSources puts the sources in the order in which an ordered answer meets them.
func (it *iterator) sortSources() {
	switch it.request.Order {
	case storage.Forward:
		slices.SortStableFunc(it.sel.sources, func(a, b source) int { return cmp.Compare(a.minT, b.minT) })
	case storage.Backward:
		slices.SortStableFunc(it.sel.sources, func(a, b source) int { return cmp.Compare(b.maxT, a.maxT) })
	}
	it.sel.byArrival = make([]int, len(it.sel.sources))
	for i := range it.sel.sources {
		it.sel.byArrival[it.sel.sources[i].arrived] = i
	}
}

// Next implements storage.Iterator.
func (it *iterator) Next(ctx context.Context) (*storage.Batch, error) {
	if it.closed {
		return nil, storage.ErrClosed
	}
	if it.done && it.page.at == len(it.page.entries) || len(it.sel.sources) == 0 {
		return nil, nil
	}
	if it.slots == nil {
		if err := it.reserve(ctx); err != nil {
			return nil, err
		}
	}
	if it.request.Order == storage.Unordered {
		return it.nextUnordered(ctx)
	}
	return it.nextOrdered(ctx)
}

// reserve takes memory for slots, one for each worker and one for the consumer, or fewer when little is free.
func (it *iterator) reserve(ctx context.Context) error {
	r := reservation{unitsMax: 1}
	total := int64(0)
	for i := range it.sel.sources {
		n := it.sel.sources[i].bytes(it.question)
		r.unit = max(r.unit, n)
		total += n
	}
	it.workers = min(it.db.cfg.QueryWorkers, len(it.sel.sources))
	if it.workers > 1 {
		r.unitsMax = it.workers + 1
	}
	if it.request.Order != storage.Unordered {
		it.pageBytes = min(it.db.cfg.QueryPageBytes, it.db.cfg.QueryBytes/4)
		r.fixed = min(it.pageBytes, total+int64(len(it.sel.sources))*keptBytes)
	}
	units, err := it.db.memory.reserve(ctx, r)
	if err != nil {
		return err
	}
	it.reserved, it.workers = r.bytes(units), min(it.workers, units)
	for lane := range units {
		it.slots = append(it.slots, newSlot(it.question, it.db.metrics))
		it.slots[lane].lane = lane
	}
	return nil
}

// Stats implements storage.Iterator.
func (it *iterator) Stats() storage.ScanStats { return it.stats }

// Close implements storage.Iterator.
func (it *iterator) Close() error {
	if it.closed {
		return nil
	}
	it.closed = true
	it.stopWork()
	for _, s := range it.slots {
		s.release()
	}
	it.slots, it.inHand, it.sel, it.page, it.batch = nil, nil, selection{}, page{}, storage.Batch{}
	if it.reserved > 0 {
		it.db.memory.give(it.reserved)
	}
	if it.view != nil {
		it.view.release()
		it.db.active.Add(-1)
	}
	return nil
}

// startWork has the workers do something with the sources that take picks by their number.
func (it *iterator) startWork(take func() (int, bool), do func(sl *slot, s *source) error) {
	it.work = startWork(it.workers, it.slots, take, func(sl *slot, i int) {
		sl.source, sl.stats = &it.sel.sources[i], storage.ScanStats{Warnings: sl.stats.Warnings[:0]}
		sl.err = do(sl, sl.source)
	})
}

func (it *iterator) stopWork() {
	if it.work != nil {
		it.work.stop()
		it.work = nil
		it.addPruned()
	}
}

// nextSlot returns what a worker made next, or nil when that was all. The caller gives it back.
func (it *iterator) nextSlot(ctx context.Context) (*slot, error) {
	sl, ok, err := it.work.next(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		it.addPruned()
		return nil, nil
	}
	it.stats.Add(&sl.stats)
	if sl.err != nil {
		it.work.giveBack(sl)
		return nil, sl.err
	}
	return sl, nil
}

// read opens a source for f. A corrupt chunk is left out of the answer with a warning that names it.
func (it *iterator) read(sl *slot, s *source, f func(*opened) error) error {
	err := it.readOnce(sl, s, f)
	if isCorrupt(err) {
		err = it.readOnce(sl, s, f) // only a second read of the same makes it corruption
	}
	if isCorrupt(err) {
		s.bad = true // the next page need not try
		sl.hits = sl.hits[:0]
		it.db.metrics.badChunks.Inc()
		sl.stats.Warnings = append(sl.stats.Warnings, s.describe()+" is corrupt and missing from this answer: "+err.Error())
		return nil
	}
	return err
}

func (it *iterator) readOnce(sl *slot, s *source, f func(*opened) error) error {
	o := opened{reader: s.reader, runs: s.runs, masks: s.masks, key: s.key(), filter: s.filter, metaFilter: s.meta}
	if s.handle == nil {
		if s.reader == nil {
			o.view = &s.view
		}
		return sl.counted(&o, f)
	}
	return it.db.use(s.handle, func(b *block.Block) (err error) {
		if err := sl.openFilters(&o, s, b); err != nil {
			return err
		}
		if o.reader, o.runs, err = s.openChunk(b); err != nil {
			return err
		}
		return sl.counted(&o, f)
	})
}

// counted calls f and notes what that reads.
func (sl *slot) counted(o *opened, f func(*opened) error) error {
	if o.reader == nil {
		return f(o)
	}
	sl.pages = chunk.PagesRead{}
	o.reader = o.reader.Counted(&sl.pages)
	err := f(o)
	addPages(&sl.stats, &sl.pages)
	return err
}

func addPages(s *storage.ScanStats, p *chunk.PagesRead) {
	s.Pages += p.Pages
	s.BytesRead += p.Stored
	s.BytesDecoded += p.Raw
}

func (s *source) describe() string {
	if s.handle == nil {
		return "a chunk in memory"
	}
	return fmt.Sprintf("chunk %d of block %s", s.ref.Number, s.handle.meta.ULID)
}

func (it *iterator) nextUnordered(ctx context.Context) (*storage.Batch, error) {
	if it.work == nil {
		it.startUnordered()
	}
	if it.inHand != nil {
		it.work.giveBack(it.inHand)
		it.inHand = nil
	}
	for {
		sl, err := it.nextSlot(ctx)
		if sl == nil {
			it.done = err == nil
			return nil, err
		}
		if sl.batch.Len() > 0 {
			it.inHand = sl
			return &sl.batch, nil
		}
		it.work.giveBack(sl)
	}
}

// startUnordered has the workers make a batch of each source.
func (it *iterator) startUnordered() {
	next := 0
	take := func() (int, bool) {
		for ; next < len(it.sel.sources); next++ {
			if !it.prunes(&it.sel.sources[next]) {
				next++
				return next - 1, true
			}
		}
		return 0, false
	}
	it.startWork(take, func(sl *slot, s *source) error {
		err := it.read(sl, s, func(o *opened) error { return sl.scan(o, it.request.Interval) })
		sl.resetBatch(it.sel.streams)
		if err != nil {
			return err
		}
		sl.fillBatch()
		return it.prepare(&sl.batch)
	})
}

// prepare has the caller's share of the work done, where it is worth a call.
func (it *iterator) prepare(b *storage.Batch) error {
	if it.request.Prepare == nil || b.Len() == 0 {
		return nil
	}
	return it.request.Prepare(b)
}

func (sl *slot) resetBatch(streams []labels.Labels) {
	resetBatch(&sl.batch, streams)
	sl.batch.Lane = sl.lane
	sl.pairs = sl.pairs[:0]
}

func resetBatch(b *storage.Batch, streams []labels.Labels) {
	b.Streams = streams
	b.StreamIndex, b.Timestamps = b.StreamIndex[:0], b.Timestamps[:0]
	b.Lines, b.LineBytes, b.Levels, b.Metadata = b.Lines[:0], b.LineBytes[:0], b.Levels[:0], b.Metadata[:0]
}

// fillBatch makes a batch of the hits, column by column.
func (sl *slot) fillBatch() {
	b, c := &sl.batch, &sl.decoded
	for _, h := range sl.hits {
		b.StreamIndex = append(b.StreamIndex, h.stream)
		b.Timestamps = append(b.Timestamps, c.times[h.entry])
	}
	if sl.columns&storage.ColumnLine != 0 {
		for _, h := range sl.hits {
			b.Lines = append(b.Lines, c.line(h.entry))
		}
	}
	if sl.columns&storage.ColumnLineBytes != 0 {
		for _, h := range sl.hits {
			b.LineBytes = append(b.LineBytes, c.lineBytes(h.entry))
		}
	}
	if sl.columns&storage.ColumnLevel != 0 {
		for _, h := range sl.hits {
			b.Levels = append(b.Levels, c.level(h.entry))
		}
	}
	if sl.columns&storage.ColumnMetadata != 0 {
		for _, h := range sl.hits {
			from := len(sl.pairs)
			sl.pairs = c.pairs(sl.pairs, h.entry)
			// A later growth of pairs leaves this part where it is: the old array stays with the slices into it.
			b.Metadata = append(b.Metadata, sl.pairs[from:len(sl.pairs):len(sl.pairs)])
		}
	}
}
