package logdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// source is entries that are read together: a chunk of a block, a sealed chunk or open rows of a head.
type source struct {
	view    chunk.View    // when reader and handle are nil
	reader  *chunk.Reader // of a sealed chunk in memory
	handle  *blockHandle  // of a chunk in a block
	ref     chunkRef
	runs    []head.PieceRun         // which runs to read; for a block's chunk decided when it is opened
	byRef   map[model.StreamRef]int // block's StreamRef → stream of the query
	masks   []mask                  // of deletes, for a block's chunk
	columns *columnCache            // for a block's chunk
	part    *partFilters            // for a block's chunk; nil when the query can use no filters
	filter  chunk.Filter            // of a sealed chunk in memory
	meta    chunk.MetaFilter        // of a sealed chunk in memory
	minT    model.Timestamp
	maxT    model.Timestamp
	bad     bool // found corrupt, and said so
	skipped bool // filters told that it has nothing for the query
	arrived int  // rank among the sources: entries of one stream and time in an earlier source came earlier
}

type chunkRef = block.ChunkRef

// selection is the work of one Select: the streams and where their entries may be.
type selection struct {
	streams []labels.Labels
	rank    []uint32 // of each stream in the order of label sets
	sources []source

	byArrival []int // arrived of a source → its place in sources

	indexOf map[string]int
}

func (s *selection) stream(ls labels.Labels) int {
	key := string(ls.Bytes(nil))
	if i, ok := s.indexOf[key]; ok {
		return i
	}
	i := len(s.streams)
	s.indexOf[key] = i
	s.streams = append(s.streams, ls)
	return i
}

// Select implements storage.Querier.
func (db *DB) Select(ctx context.Context, id model.TenantID, r storage.SelectRequest) (storage.Iterator, error) {
	q, err := newQuestion(r)
	if err != nil {
		return nil, err
	}
	if r.Limit > 0 && r.Order == storage.Unordered {
		return nil, errors.New("select with a limit needs an order")
	}
	it := &iterator{db: db, request: r, question: q, pageEntries: pageEntriesMin}
	t := db.lookup(id)
	if t == nil || r.Interval.Empty() {
		it.done = true
		return it, nil
	}
	it.view = t.acquire()
	db.active.Add(1)
	if err := db.selectSources(ctx, t, r, it); err != nil {
		return nil, errors.Join(err, it.Close())
	}
	it.sel.rankStreams()
	it.question.setStreams(it.sel.streams)
	it.setParts()
	it.sortSources()
	return it, nil
}

func compileFilters(in []storage.LineFilter) (*match.Matcher, error) {
	if len(in) == 0 {
		return nil, nil
	}
	filters := make([]match.Filter, len(in))
	for i, f := range in {
		filters[i] = match.Filter{Regexp: f.Kind == storage.FilterRegexp, Negate: f.Negate, Any: f.Any}
	}
	m, err := match.Compile(filters...)
	if err != nil {
		return nil, &storage.Refusal{Class: storage.ErrInvalid, Text: err.Error()}
	}
	return m, nil
}

func (db *DB) selectSources(ctx context.Context, t *tenant, r storage.SelectRequest, it *iterator) error {
	v := it.view
	sel := &it.sel
	sel.indexOf = map[string]int{}
	for _, h := range v.within(r.Interval) {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := blockPart{handle: h, tombstones: v.masksOf(h), columns: db.columns}
		err := db.useTwice(h, func(b *block.Block) error { return sel.addBlock(part, b, r) })
		if isCorrupt(err) {
			it.stats.Warnings = append(it.stats.Warnings, db.dropBad(t, h, err))
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, h := range v.heads {
		found, err := h.Select(r.Matchers, r.Interval)
		if err != nil {
			return err
		}
		sel.addHead(found)
	}
	return nil
}

// blockPart is a block of a view, for one query.
type blockPart struct {
	handle     *blockHandle
	tombstones []*tombstone // that may hide some of its entries
	columns    *columnCache
}

// addBlock adds the chunks of a block. It is opened again when they are read: a query over many blocks must not hold the
// files of all of them.
func (s *selection) addBlock(p blockPart, b *block.Block, r storage.SelectRequest) error {
	h := p.handle
	refs, err := b.Resolve(r.Matchers)
	if err != nil {
		return fmt.Errorf("resolve in block %s: %w", h.meta.ULID, err)
	}
	if refs.IsEmpty() {
		return nil
	}
	streams, err := b.Streams(refs)
	if err != nil {
		return fmt.Errorf("streams of block %s: %w", h.meta.ULID, err)
	}
	byRef := make(map[model.StreamRef]int, len(streams))
	for i := range streams {
		byRef[streams[i].Ref] = s.stream(streams[i].Labels)
	}
	chunks, err := b.Chunks(refs, r.Interval)
	if err != nil {
		return fmt.Errorf("chunks of block %s: %w", h.meta.ULID, err)
	}
	masks := newMasks(p.tombstones, s.streams, byRef)
	for _, c := range chunks {
		s.sources = append(s.sources, source{
			handle: h, ref: c, byRef: byRef, masks: masks, columns: p.columns, minT: c.MinTime, maxT: c.MaxTime, arrived: len(s.sources),
		})
	}
	return nil
}

func (s *selection) addHead(found head.Selected) {
	index := make([]int, len(found.Streams))
	for i, ls := range found.Streams {
		index[i] = s.stream(ls)
	}
	for _, p := range found.Pieces {
		runs := slices.Clone(p.Runs)
		for i := range runs {
			runs[i].Stream = index[runs[i].Stream]
		}
		s.sources = append(s.sources, source{
			view: p.View, reader: p.Reader, runs: runs, filter: p.Filter, meta: p.MetaFilter,
			minT: p.MinTime, maxT: p.MaxTime, arrived: len(s.sources),
		})
	}
}

// rankStreams orders the label sets, so that comparing two entries compares two numbers.
func (s *selection) rankStreams() {
	order := make([]int, len(s.streams))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return labels.Compare(s.streams[a], s.streams[b]) })
	s.rank = make([]uint32, len(order))
	for r, i := range order {
		s.rank[i] = uint32(r)
	}
	s.indexOf = nil
}

// openChunk gives the reader and runs of a block's chunk. It is opened only when it is read, so that a query that stops
// early never reads the tables of the rest.
func (s *source) openChunk(b *block.Block) (*chunk.Reader, []head.PieceRun, error) {
	var none *chunk.Table // a table is its own memory
	table, err := column(s.key(), columnKey{kind: tableColumn}, tableBytesGuess, &none, func(*chunk.Table) (*chunk.Table, error) {
		reader, err := b.Chunk(s.ref)
		if err != nil {
			return nil, err
		}
		return reader.Table(), nil
	})
	if err != nil {
		return nil, nil, err
	}
	var runs []head.PieceRun
	for i, info := range table.Runs {
		if stream, ok := s.byRef[info.Ref]; ok {
			runs = append(runs, head.PieceRun{Stream: stream, Run: i})
		}
	}
	return b.Reader(s.ref, table), runs, nil
}

// tableBytesGuess is about what a table takes, as long as nothing is known of it.
const tableBytesGuess = 2 << 10

// key names the source for the cache.
func (s *source) key() chunkKey {
	if s.handle == nil {
		return chunkKey{}
	}
	return chunkKey{cache: s.columns, block: s.handle.meta.ULID, number: s.ref.Number}
}

// bytes bounds, roughly, what the query decodes of the source: the columns, and what is noted of each entry.
func (s *source) bytes(q *question) int64 {
	const perEntry = int64(unsafe.Sizeof(hit{})) + 8 + 4 + 2 // time, end, level
	var entries, raw, lines int64
	switch {
	case s.handle != nil:
		entries, raw, lines = int64(s.ref.Entries), int64(s.ref.RawBytes), int64(s.ref.LineBytes)
	case s.reader != nil:
		t := s.reader.Table()
		entries, raw, lines = int64(t.Entries), int64(t.RawBytes), int64(t.LineBytes)
	default:
		entries = int64(s.view.Len()) // the columns are there already
	}
	n := entries * perEntry
	content := slices.ContainsFunc(s.masks, func(m mask) bool { return !m.whole() })
	if content || q.testsLines() || q.columns&storage.ColumnLine != 0 {
		n += lines + entries*int64(unsafe.Sizeof(""))
	}
	if content || len(q.equal)+len(q.implied) > 0 || q.columns&storage.ColumnMetadata != 0 {
		n += 2*(raw-lines) + entries*(4+int64(unsafe.Sizeof([]model.Pair{})))
	}
	return n
}
