package logdb

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// An ordered answer is gathered in pages: the best so many entries after the last page. Pages grow, so that a query for a
// few lines reads little and one for many reads each chunk few times. A chunk that spans many pages is decoded for each of
// them, so they grow fast; their bytes are bounded anyway.
//
// Without filters the time columns alone tell which entries a page has (gatherKeys), and the other columns are decoded of
// just those chunks that own one (fill). With filters all is decoded at once (gatherContent).
const (
	pageEntriesMin    = 1 << 11
	pageEntriesMax    = 1 << 20
	pageEntriesGrowth = 8
	batchEntries      = 1 << 12 // of an ordered answer
)

// kept is an entry of the page. It holds no pointers: it is moved about a good deal.
type kept struct {
	sortKey
	stream  uint32
	content uint32 // its place in the page's contents, once it is there
}

// content is the columns that the query asked for, in their own memory.
type content struct {
	lineBytes uint32
	line      string
	level     string
	metadata  []model.Pair
}

const keptBytes = int64(unsafe.Sizeof(kept{}) + unsafe.Sizeof(content{}))

// bytes is what the content holds besides the struct.
func (c *content) bytes() int64 {
	n := int64(len(c.line) + len(c.level))
	for _, p := range c.metadata {
		n += int64(unsafe.Sizeof(p)) + int64(len(p.Name)+len(p.Value))
	}
	return n
}

// page is a heap of the best entries so far, the worst on top.
type page struct {
	backward bool
	entries  []kept
	contents []content
	spare    []uint32 // places in contents whose entry had to leave
	bytes    int64
	full     bool // as many entries or bytes as a page may have: only better ones come in
	at       int  // next to hand out, once sorted
	sources  int  // that have an entry which the page might have had
}

func (p *page) before(a, b *sortKey) bool {
	if p.backward {
		a, b = b, a
	}
	return a.compare(b) < 0
}

// worse reports whether entry i would have to leave before entry j.
func (p *page) worse(i, j int) bool { return p.before(&p.entries[j].sortKey, &p.entries[i].sortKey) }

// close makes the page a full one, of which only now the worst entry matters.
func (p *page) close() {
	p.full = true
	for i := len(p.entries)/2 - 1; i >= 0; i-- {
		p.sink(i)
	}
}

// push lets an entry into a full page.
func (p *page) push(k kept) {
	p.entries = append(p.entries, k)
	for i := len(p.entries) - 1; i > 0; {
		parent := (i - 1) / 2
		if !p.worse(i, parent) {
			return
		}
		p.entries[i], p.entries[parent] = p.entries[parent], p.entries[i]
		i = parent
	}
}

// pop takes the worst entry out of a full page.
func (p *page) pop() {
	p.leave(&p.entries[0])
	last := len(p.entries) - 1
	p.entries[0] = p.entries[last]
	p.entries = p.entries[:last]
	p.sink(0)
}

// replace puts an entry in the place of the worst one of a full page.
func (p *page) replace(k kept) {
	p.leave(&p.entries[0])
	p.entries[0] = k
	p.sink(0)
}

// leave lets go of what an entry holds.
func (p *page) leave(k *kept) {
	p.bytes -= keptBytes
	if len(p.contents) > 0 {
		c := &p.contents[k.content]
		p.bytes -= c.bytes()
		*c = content{}
		p.spare = append(p.spare, k.content)
	}
}

// sink lets entry i down to its place in the heap.
func (p *page) sink(i int) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(p.entries); child++ {
			if p.worse(child, worst) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		p.entries[i], p.entries[worst] = p.entries[worst], p.entries[i]
		i = worst
	}
}

// hold keeps content and returns its place.
func (p *page) hold(c content) uint32 {
	if last := len(p.spare) - 1; last >= 0 {
		at := p.spare[last]
		p.spare = p.spare[:last]
		p.contents[at] = c
		return at
	}
	p.contents = append(p.contents, c)
	return uint32(len(p.contents) - 1)
}

func (it *iterator) nextOrdered(ctx context.Context) (*storage.Batch, error) {
	if it.page.at == len(it.page.entries) {
		if err := it.gather(ctx); err != nil {
			return nil, err
		}
		if len(it.page.entries) == 0 {
			return nil, nil
		}
	}
	b := &it.batch
	resetBatch(b, it.sel.streams)
	end := min(it.page.at+batchEntries, len(it.page.entries))
	for i := it.page.at; i < end; i++ {
		it.addKept(&it.page.entries[i])
	}
	it.page.at = end
	return b, it.prepare(b)
}

func (it *iterator) addKept(k *kept) {
	b, columns := &it.batch, it.request.Columns
	b.StreamIndex = append(b.StreamIndex, k.stream)
	b.Timestamps = append(b.Timestamps, k.time)
	if columns == 0 {
		return
	}
	c := &it.page.contents[k.content]
	if columns&storage.ColumnLine != 0 {
		b.Lines = append(b.Lines, c.line)
	}
	if columns&storage.ColumnLineBytes != 0 {
		b.LineBytes = append(b.LineBytes, c.lineBytes)
	}
	if columns&storage.ColumnLevel != 0 {
		b.Levels = append(b.Levels, c.level)
	}
	if columns&storage.ColumnMetadata != 0 {
		b.Metadata = append(b.Metadata, c.metadata)
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
	for whole := false; !whole; {
		clear(p.contents)
		*p = page{backward: it.request.Order == storage.Backward, entries: p.entries[:0], contents: p.contents[:0], spare: p.spare[:0]}
		if err := it.gatherEntries(ctx, want); err != nil {
			return err
		}
		p.sort()
		whole = true
		if it.keysFirst() {
			var err error
			if whole, err = it.fill(ctx); err != nil {
				return err
			}
		}
	}
	it.given += len(p.entries)
	if !p.full || it.request.Limit > 0 && it.given >= it.request.Limit {
		it.done = true
	} else {
		last := p.entries[len(p.entries)-1].sortKey
		it.after = &last
	}
	return nil
}

// keysFirst reports whether time columns and equalities alone tell which entries there are.
func (it *iterator) keysFirst() bool { return !it.question.testsLines() }

func (p *page) sort() {
	slices.SortFunc(p.entries, func(a, b kept) int {
		if p.backward {
			return b.compare(&a.sortKey)
		}
		return a.compare(&b.sortKey)
	})
}

// bound is where entries for the page can still be found. It only narrows.
type bound struct {
	model.Interval
	full bool // so sources beyond it, in their order, need not be looked at
}

// gatherEntries has the workers scan the sources, and offers the page what they find.
func (it *iterator) gatherEntries(ctx context.Context, want int) error {
	var limit atomic.Pointer[bound] // set here, read by workers
	limit.Store(it.bound())
	it.startWork(it.takeWithin(&limit), func(sl *slot, s *source) error {
		return it.read(sl, s, func(o *opened) error {
			if it.keysFirst() {
				return sl.scanKeys(o, limit.Load().Interval)
			}
			return sl.scan(o, limit.Load().Interval)
		})
	})
	defer it.stopWork()
	for {
		sl, err := it.nextSlot(ctx)
		if sl == nil {
			return err
		}
		if len(sl.hits) > 0 {
			it.page.sources++
		}
		if it.page.backward {
			slices.Reverse(sl.hits) // best first, of each run: what comes behind them is soon turned away
		}
		for _, h := range sl.hits {
			it.offer(sl, h, want)
		}
		it.work.giveBack(sl)
		limit.Store(it.bound())
	}
}

// takeWithin picks the sources that may have an entry for the page.
func (it *iterator) takeWithin(limit *atomic.Pointer[bound]) func() (int, bool) {
	next := 0
	backward := it.page.backward
	return func() (int, bool) {
		for ; next < len(it.sel.sources); next++ {
			s, b := &it.sel.sources[next], limit.Load()
			if b.full && (backward && s.maxT < b.Start || !backward && s.minT >= b.End) {
				return 0, false // the sources are in this order: none of the rest can do better than the worst
			}
			if !s.bad && !s.skipped && b.Overlaps(s.minT, s.maxT) && !it.prunes(s) {
				next++
				return next - 1, true
			}
		}
		return 0, false
	}
}

// bound is the part of the interval where an entry can still be after the last page and, once the page is full, better
// than its worst.
func (it *iterator) bound() *bound {
	iv, p := it.request.Interval, &it.page
	if p.backward {
		if it.after != nil {
			iv.End = min(iv.End, it.after.time+1)
		}
		if p.full {
			iv.Start = max(iv.Start, p.entries[0].time)
		}
		return &bound{iv, p.full}
	}
	if it.after != nil {
		iv.Start = max(iv.Start, it.after.time)
	}
	if p.full {
		iv.End = min(iv.End, p.entries[0].time+1)
	}
	return &bound{iv, p.full}
}

// offer puts a hit into the page when it belongs there. The page is full when it has as many entries as wanted, or as many
// bytes as a page may have.
func (it *iterator) offer(sl *slot, h hit, want int) {
	s, p := sl.source, &it.page
	key := sortKey{time: sl.decoded.times[h.entry], rank: it.sel.rank[h.stream], arrived: s.arrived, entry: h.entry}
	if it.after != nil && !p.before(it.after, &key) || p.full && !p.before(&key, &p.entries[0].sortKey) {
		return
	}
	k := kept{sortKey: key, stream: h.stream}
	p.bytes += keptBytes
	if !it.keysFirst() {
		c := sl.keep(h.entry)
		p.bytes += c.bytes()
		k.content = p.hold(c)
	}
	switch {
	case !p.full:
		p.entries = append(p.entries, k)
		if len(p.entries) < want && p.bytes <= it.pageBytes {
			return
		}
		p.close()
	case len(p.entries) < want:
		p.push(k)
	default:
		p.replace(k)
	}
	for p.bytes > it.pageBytes && len(p.entries) > 1 {
		p.pop()
	}
}

// keep copies the columns of one entry: the slot will be used again.
func (sl *slot) keep(entry uint32) (k content) {
	c := &sl.decoded
	if sl.columns&storage.ColumnLine != 0 {
		k.line = strings.Clone(c.line(entry))
	}
	if sl.columns&storage.ColumnLineBytes != 0 {
		k.lineBytes = c.lineBytes(entry)
	}
	if sl.columns&storage.ColumnLevel != 0 {
		k.level = c.level(entry)
	}
	if sl.columns&storage.ColumnMetadata != 0 {
		k.metadata = c.pairs(nil, entry)
		for i := range k.metadata {
			k.metadata[i].Name = strings.Clone(k.metadata[i].Name)
			k.metadata[i].Value = strings.Clone(k.metadata[i].Value)
		}
	}
	return k
}

// owned is the entries of a sorted page that come from one source.
type owned struct {
	source int
	at     []int // in the page, ascending
}

// owners lists the sources that own an entry of the page, in the order in which it meets them.
func (it *iterator) owners() []owned {
	var out []owned
	of := map[int]int{} // source → its place in out
	for i := range it.page.entries {
		source := it.sel.byArrival[it.page.entries[i].arrived]
		n, ok := of[source]
		if !ok {
			n = len(out)
			of[source] = n
			out = append(out, owned{source: source})
		}
		out[n].at = append(out[n].at, i)
	}
	return out
}

// fill decodes the columns of the sorted page's entries. When their bytes are more than a page may have, the page ends
// earlier. It returns false when a chunk turned out to be corrupt: then other entries take the place of its own.
func (it *iterator) fill(ctx context.Context) (whole bool, err error) {
	if n := uint64(len(it.page.entries)); it.request.Columns == 0 || n == 0 {
		it.stats.Entries += n
		it.stats.EntriesMatched += n
		return true, nil
	}
	p, list := &it.page, it.owners()
	p.contents = slices.Grow(p.contents, len(p.entries))[:len(p.entries)]
	for i := range p.entries {
		p.entries[i].content = uint32(i)
	}
	var end atomic.Int64 // of the page; set here, read by workers
	end.Store(int64(len(p.entries)))
	next, bySource := 0, make(map[*source]owned, len(list))
	for _, o := range list {
		bySource[&it.sel.sources[o.source]] = o
	}
	take := func() (int, bool) {
		if next == len(list) || list[next].at[0] >= int(end.Load()) {
			return 0, false // nor do those behind it own an entry before the end
		}
		next++
		return list[next-1].source, true
	}
	it.startWork(take, func(sl *slot, s *source) error {
		return it.read(sl, s, func(o *opened) error { return sl.fetchPage(o, p.entries, bySource[s].at) })
	})
	defer it.stopWork()
	for {
		sl, err := it.nextSlot(ctx)
		if err != nil {
			return false, err
		}
		if sl == nil {
			break
		}
		if sl.source.bad {
			it.work.giveBack(sl)
			return false, nil
		}
		end.Store(int64(it.takeContent(sl, bySource[sl.source].at, int(end.Load()))))
		it.work.giveBack(sl)
	}
	passedOver := uint64(p.sources - next)
	it.stats.ChunksSkipped += passedOver
	it.stats.Skipped.Order += passedOver
	it.db.metrics.chunksSkipped[skippedByRank].Add(float64(passedOver))
	if n := int(end.Load()); n < len(p.entries) {
		p.entries, p.contents, p.full = p.entries[:n], p.contents[:n], true
	}
	return true, nil
}

// fetchPage decodes the entries of a source at some places of the page. The page's keys do not change meanwhile.
func (sl *slot) fetchPage(o *opened, entries []kept, at []int) error {
	sl.entries, sl.fetched = sl.entries[:0], sl.fetched[:0]
	for _, i := range at {
		sl.entries = append(sl.entries, entries[i].entry)
	}
	if err := sl.fetch(o, sl.entries); err != nil {
		return err
	}
	for _, e := range sl.entries {
		sl.fetched = append(sl.fetched, sl.keep(e))
	}
	return nil
}

// takeContent moves what was fetched into the page, and returns where the page ends so that its bytes are within bounds.
func (it *iterator) takeContent(sl *slot, at []int, end int) int {
	p := &it.page
	for n, i := range at {
		if i >= end {
			break
		}
		p.contents[i] = sl.fetched[n]
		p.bytes += sl.fetched[n].bytes()
		for p.bytes > it.pageBytes && end > 1 {
			end--
			p.bytes -= keptBytes + p.contents[end].bytes()
			p.contents[end] = content{}
		}
	}
	return end
}
