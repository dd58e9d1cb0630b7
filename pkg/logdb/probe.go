package logdb

import (
	"slices"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// partFilters is what a query knows of the filters of one block. They are looked for when a worker first comes to the
// block, so that a query that stops early reads none of the rest.
type partFilters struct {
	handle  *blockHandle
	sources int // of the query
	once    sync.Once
	all     *block.Filters // nil: each source reads its own
	// usable says of each equality whether the filters can tell something: no stream of the block decides it.
	usable []bool
}

// Filters of a whole block are read at once when the query asks for more than one in so many of its chunks.
const filtersSparse = 8

// filtersShareMax is the share of the cache that the filters of one block may take.
const filtersShareMax = 2

// wholeBlock is the chunk of a columnKey that names something of the block itself.
const wholeBlock = ^uint32(0)

// filtersOf returns all filters of a block: those in memory, or, when a query reads enough of them and they fit, those on
// disk, which then stay in memory as decoded columns do. Without them a query is slower and its answer the same, so an
// error, which reading the chunks will meet again, costs nothing but that.
func (db *DB) filtersOf(p *partFilters) *block.Filters {
	key := columnKey{chunk: wholeBlock, kind: filtersColumn}
	if v := db.columns.find(p.handle.meta.ULID, key); v != nil {
		return v.(*block.Filters)
	}
	if uint64(p.sources)*filtersSparse < p.handle.meta.Chunks {
		return nil
	}
	var all *block.Filters
	err := db.use(p.handle, func(b *block.Block) (err error) {
		if b.FiltersMemoryBytes() <= db.columns.max/filtersShareMax {
			all, err = b.Filters()
		}
		return err
	})
	if err != nil {
		db.cfg.Logger.Warn("filters cannot be used", "block", p.handle.meta.ULID, "err", err)
	}
	if all != nil { // those that are damaged know nothing
		db.columns.add(p.handle.meta.ULID, key, all)
	}
	return all
}

// setParts tells the sources of a block of each other.
func (it *iterator) setParts() {
	q := it.question
	if !q.probes() && len(q.equal) == 0 {
		return
	}
	parts := map[*blockHandle]*partFilters{}
	for i := range it.sel.sources {
		s := &it.sel.sources[i]
		if s.handle == nil {
			continue
		}
		p := parts[s.handle]
		if p == nil {
			p = &partFilters{handle: s.handle}
			for k := range q.equal {
				p.usable = append(p.usable, q.equal[k].Name != levelName && !decidesAny(&q.equal[k], s.byRef))
			}
			parts[s.handle] = p
		}
		p.sources++
		s.part = p
	}
}

func decidesAny(e *equality, byRef map[model.StreamRef]int) bool {
	for _, stream := range byRef {
		if e.decided[stream] {
			return true
		}
	}
	return false
}

// prunes reports whether filters in memory tell that the source has nothing for the query. Called by one worker at a time.
func (it *iterator) prunes(s *source) bool {
	if s.handle == nil {
		return !it.question.probe.MayMatch(s.filter) && it.skip(s, skippedByFilter)
	}
	if s.part == nil {
		return false
	}
	s.part.once.Do(func() { s.part.all = it.db.filtersOf(s.part) })
	if s.part.all == nil {
		return false
	}
	if !it.question.probe.MayMatch(s.part.all.Filter(s.ref)) {
		return it.skip(s, skippedByFilter)
	}
	for k, usable := range s.part.usable {
		if p := &it.question.equal[k].Pair; usable && !s.part.all.MetaFilter(s.ref).MayHold(p.Name, p.Value) {
			return it.skip(s, skippedByMetadata)
		}
	}
	return false
}

// skip notes that a source need not be read, for the next page either.
func (it *iterator) skip(s *source, by skipReason) bool {
	s.skipped = true
	it.pruned[by]++
	return true
}

// addPruned moves what prunes counted into the statistics. No worker looks for a task any more.
func (it *iterator) addPruned() {
	for by, n := range it.pruned {
		it.stats.Chunks += n
		it.stats.ChunksSkipped += n
		*skipReason(by).of(&it.stats.Skipped) += n
		it.db.metrics.chunksSkipped[by].Add(float64(n))
	}
	it.pruned = [skipReasons]uint64{}
}

// openFilters gives an open source of a block the filters that the query can use, read one by one unless all are in memory.
// A damaged filter knows nothing; the chunk itself may be good.
func (s *scanner) openFilters(o *opened, src *source, b *block.Block) error {
	if src.part == nil {
		return nil
	}
	if all := src.part.all; all != nil {
		o.filter, o.metaFilter = all.Filter(src.ref), all.MetaFilter(src.ref)
		return nil
	}
	var err error
	if s.probes() {
		var scratch chunk.Filter // a filter is its own memory
		o.filter, err = column(o.key, columnKey{kind: filterColumn}, filterBytesGuess, &scratch,
			func(chunk.Filter) (chunk.Filter, error) { return b.Filter(src.ref) })
		if err != nil && !isCorrupt(err) {
			return err
		}
	}
	if slices.Contains(src.part.usable, true) {
		var scratch chunk.MetaFilter
		o.metaFilter, err = column(o.key, columnKey{kind: metaFilterColumn}, filterBytesGuess, &scratch,
			func(chunk.MetaFilter) (chunk.MetaFilter, error) { return b.MetaFilter(src.ref) })
		if err != nil && !isCorrupt(err) {
			return err
		}
	}
	return nil
}

// filterBytesGuess is about what a filter takes, as long as nothing is known of it.
const filterBytesGuess = 16 << 10
