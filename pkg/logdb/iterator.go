package logdb

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	// An ordered answer is gathered in pages: the best so many entries after the last page. Pages grow, so that a query
	// for a few lines reads little and one for many reads each chunk few times.
	// A chunk that spans many pages is decoded for each of them, so they grow fast; their bytes are bounded anyway.
	pageEntriesMin    = 1 << 11
	pageEntriesMax    = 1 << 20
	pageEntriesGrowth = 8
	batchEntries      = 1 << 12 // of an ordered answer
)

// iterator implements storage.Iterator.
type iterator struct {
	db      *DB
	request storage.SelectRequest
	view    *view // nil when there is nothing to read
	sel     selection
	scan    scanner
	stats   storage.ScanStats
	batch   storage.Batch
	pairs   []model.Pair // backing of batch.Metadata
	closed  bool
	done    bool

	next int // unordered: the next source

	page        page // ordered
	pageEntries int
	given       int      // entries handed out
	after       *sortKey // the last one handed out
}

// sortSources puts the sources in the order in which an ordered answer meets them.
func (it *iterator) sortSources() {
	switch it.request.Order {
	case storage.Forward:
		slices.SortStableFunc(it.sel.sources, func(a, b source) int { return cmp.Compare(a.minT, b.minT) })
	case storage.Backward:
		slices.SortStableFunc(it.sel.sources, func(a, b source) int { return cmp.Compare(b.maxT, a.maxT) })
	}
}

// Next implements storage.Iterator.
func (it *iterator) Next(ctx context.Context) (*storage.Batch, error) {
	if it.closed {
		return nil, storage.ErrClosed
	}
	if it.request.Order == storage.Unordered {
		return it.nextUnordered(ctx)
	}
	return it.nextOrdered(ctx)
}

// Stats implements storage.Iterator.
func (it *iterator) Stats() storage.ScanStats { return it.stats }

// Close implements storage.Iterator.
func (it *iterator) Close() error {
	if it.closed {
		return nil
	}
	it.closed = true
	it.sel, it.page, it.batch = selection{}, page{}, storage.Batch{}
	if it.view != nil {
		it.view.release()
	}
	return nil
}

// read scans one source within iv. A corrupt chunk is left out of the answer with a warning that names it.
func (it *iterator) read(ctx context.Context, s *source, iv model.Interval) (found, error) {
	if err := ctx.Err(); err != nil {
		return found{}, err
	}
	f, err := it.readOnce(s, iv)
	if isCorrupt(err) {
		f, err = it.readOnce(s, iv) // only a second read of the same makes it corruption
	}
	if isCorrupt(err) {
		s.bad = true // the next page need not try
		it.db.metrics.badChunks.Inc()
		it.stats.Warnings = append(it.stats.Warnings, s.describe()+" is corrupt and missing from this answer: "+err.Error())
		return found{}, nil
	}
	return f, err
}

func (it *iterator) readOnce(s *source, iv model.Interval) (f found, err error) {
	if s.handle == nil {
		return it.scan.scan(s.reader, &s.view, s.runs, iv, &it.stats)
	}
	err = it.db.use(s.handle, func(b *block.Block) error {
		reader, runs, err := s.openChunk(b)
		if err != nil {
			return err
		}
		f, err = it.scan.scan(reader, nil, runs, iv, &it.stats)
		return err
	})
	return f, err
}

func (s *source) describe() string {
	if s.handle == nil {
		return "a chunk in memory"
	}
	return fmt.Sprintf("chunk %d of block %s", s.ref.Number, s.handle.meta.ULID)
}

func (it *iterator) nextUnordered(ctx context.Context) (*storage.Batch, error) {
	for !it.done && it.next < len(it.sel.sources) {
		s := &it.sel.sources[it.next]
		it.next++
		f, err := it.read(ctx, s, it.request.Interval)
		if err != nil {
			return nil, err
		}
		if len(f.hits) == 0 {
			continue
		}
		it.resetBatch()
		for _, h := range f.hits {
			it.add(h.stream, f.columns.times[h.entry])
			it.addColumns(&f.columns, h.entry)
		}
		return &it.batch, nil
	}
	return nil, nil
}

func (it *iterator) resetBatch() {
	b := &it.batch
	b.Streams = it.sel.streams
	b.StreamIndex, b.Timestamps = b.StreamIndex[:0], b.Timestamps[:0]
	b.Lines, b.LineBytes, b.Levels, b.Metadata = b.Lines[:0], b.LineBytes[:0], b.Levels[:0], b.Metadata[:0]
	it.pairs = it.pairs[:0]
}

func (it *iterator) add(stream uint32, t model.Timestamp) {
	it.batch.StreamIndex = append(it.batch.StreamIndex, stream)
	it.batch.Timestamps = append(it.batch.Timestamps, t)
}

func (it *iterator) addColumns(c *decodedColumns, entry uint32) {
	b, columns := &it.batch, it.request.Columns
	if columns&storage.ColumnLine != 0 {
		b.Lines = append(b.Lines, c.line(entry))
	}
	if columns&storage.ColumnLineBytes != 0 {
		b.LineBytes = append(b.LineBytes, c.lineBytes(entry))
	}
	if columns&storage.ColumnLevel != 0 {
		b.Levels = append(b.Levels, c.level(entry))
	}
	if columns&storage.ColumnMetadata != 0 {
		from := len(it.pairs)
		it.pairs = c.pairs(it.pairs, entry)
		// A later growth of pairs leaves this part where it is: the old array stays with the slices into it.
		b.Metadata = append(b.Metadata, it.pairs[from:len(it.pairs):len(it.pairs)])
	}
}

// sortKey orders entries by (timestamp, label set, arrival).
type sortKey struct {
	time    model.Timestamp
	rank    uint32
	arrived int // of the source
	entry   uint32
}

func (a *sortKey) compare(b *sortKey) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.rank, b.rank), cmp.Compare(a.arrived, b.arrived), cmp.Compare(a.entry, b.entry))
}

// kept is an entry of the page, with its own memory.
type kept struct {
	sortKey
	stream    uint32
	line      string
	lineBytes uint32
	level     string
	metadata  []model.Pair
}

func (k *kept) bytes() int64 {
	n := int64(len(k.line) + len(k.level))
	for _, p := range k.metadata {
		n += int64(len(p.Name) + len(p.Value))
	}
	return n + 96 // the struct itself
}

// page is a heap of the best entries so far, the worst on top.
type page struct {
	backward bool
	entries  []kept
	bytes    int64
	at       int // next to hand out, once sorted
}

func (p *page) before(a, b *sortKey) bool {
	if p.backward {
		a, b = b, a
	}
	return a.compare(b) < 0
}

func (p *page) Len() int           { return len(p.entries) }
func (p *page) Less(i, j int) bool { return p.before(&p.entries[j].sortKey, &p.entries[i].sortKey) }
func (p *page) Swap(i, j int)      { p.entries[i], p.entries[j] = p.entries[j], p.entries[i] }
func (p *page) Push(x any)         { p.entries = append(p.entries, x.(kept)) }
func (p *page) Pop() any {
	last := p.entries[len(p.entries)-1]
	p.entries = p.entries[:len(p.entries)-1]
	return last
}

func (it *iterator) nextOrdered(ctx context.Context) (*storage.Batch, error) {
	if it.page.at == len(it.page.entries) {
		if it.done {
			return nil, nil
		}
		if err := it.gather(ctx); err != nil {
			return nil, err
		}
		if len(it.page.entries) == 0 {
			return nil, nil
		}
	}
	it.resetBatch()
	end := min(it.page.at+batchEntries, len(it.page.entries))
	for i := it.page.at; i < end; i++ {
		k := &it.page.entries[i]
		it.add(k.stream, k.time)
		it.addKept(k)
	}
	it.page.at = end
	return &it.batch, nil
}

func (it *iterator) addKept(k *kept) {
	b, columns := &it.batch, it.request.Columns
	if columns&storage.ColumnLine != 0 {
		b.Lines = append(b.Lines, k.line)
	}
	if columns&storage.ColumnLineBytes != 0 {
		b.LineBytes = append(b.LineBytes, k.lineBytes)
	}
	if columns&storage.ColumnLevel != 0 {
		b.Levels = append(b.Levels, k.level)
	}
	if columns&storage.ColumnMetadata != 0 {
		b.Metadata = append(b.Metadata, k.metadata)
	}
}

// gather fills the page with the best entries after the last one handed out, and sorts it.
func (it *iterator) gather(ctx context.Context) error {
	want := it.pageEntries
	if it.request.Limit > 0 {
		want = min(pageEntriesMax, it.request.Limit-it.given)
	}
	it.pageEntries = min(pageEntriesGrowth*it.pageEntries, pageEntriesMax)
	p := &it.page
	*p = page{backward: it.request.Order == storage.Backward, entries: p.entries[:0]}
	full := false
	for i := range it.sel.sources {
		s := &it.sel.sources[i]
		iv := it.window(full)
		if p.backward && full && s.maxT < iv.Start || !p.backward && full && s.minT >= iv.End {
			break // the sources are in this order: none of the rest can do better than the worst
		}
		if s.bad || !iv.Overlaps(s.minT, s.maxT) {
			continue // or before the last page's end
		}
		f, err := it.read(ctx, s, iv)
		if err != nil {
			return err
		}
		for _, h := range f.hits {
			full = it.offer(s, &f.columns, h, want, full)
		}
	}
	slices.SortFunc(p.entries, func(a, b kept) int {
		if p.backward {
			return b.compare(&a.sortKey)
		}
		return a.compare(&b.sortKey)
	})
	it.given += len(p.entries)
	if !full || it.request.Limit > 0 && it.given >= it.request.Limit {
		it.done = true
	} else {
		last := p.entries[len(p.entries)-1].sortKey
		it.after = &last
	}
	return nil
}

// window is the part of the interval where an entry can still be after the last page and, once the page is full, better
// than its worst.
func (it *iterator) window(full bool) model.Interval {
	iv := it.request.Interval
	if it.page.backward {
		if it.after != nil {
			iv.End = min(iv.End, it.after.time+1)
		}
		if full {
			iv.Start = max(iv.Start, it.page.entries[0].time)
		}
		return iv
	}
	if it.after != nil {
		iv.Start = max(iv.Start, it.after.time)
	}
	if full {
		iv.End = min(iv.End, it.page.entries[0].time+1)
	}
	return iv
}

// offer puts an entry into the page when it belongs there, and reports whether the page is full now: it has as many
// entries as wanted, or as many bytes as a page may have.
func (it *iterator) offer(s *source, c *decodedColumns, h hit, want int, full bool) bool {
	key := sortKey{time: c.times[h.entry], rank: it.sel.rank[h.stream], arrived: s.arrived, entry: h.entry}
	p := &it.page
	if it.after != nil && !p.before(it.after, &key) {
		return full
	}
	if full && !p.before(&key, &p.entries[0].sortKey) {
		return true
	}
	k := kept{sortKey: key, stream: h.stream}
	it.keep(&k, c, h.entry)
	p.bytes += k.bytes()
	if full {
		heap.Push(p, k)
	} else {
		p.entries = append(p.entries, k)
		if len(p.entries) < want && p.bytes <= it.db.cfg.QueryPageBytes {
			return false
		}
		heap.Init(p) // only now the worst entry matters
	}
	for len(p.entries) > want || p.bytes > it.db.cfg.QueryPageBytes && len(p.entries) > 1 {
		worst := heap.Pop(p).(kept)
		p.bytes -= worst.bytes()
	}
	return true
}

// keep copies the columns of one entry: the scanner's buffers are used again.
func (it *iterator) keep(k *kept, c *decodedColumns, entry uint32) {
	columns := it.request.Columns
	if columns&storage.ColumnLine != 0 {
		k.line = strings.Clone(c.line(entry))
	}
	if columns&storage.ColumnLineBytes != 0 {
		k.lineBytes = c.lineBytes(entry)
	}
	if columns&storage.ColumnLevel != 0 {
		k.level = c.level(entry)
	}
	if columns&storage.ColumnMetadata != 0 {
		k.metadata = c.pairs(nil, entry)
		for i := range k.metadata {
			k.metadata[i].Name = strings.Clone(k.metadata[i].Name)
			k.metadata[i].Value = strings.Clone(k.metadata[i].Value)
		}
	}
}
