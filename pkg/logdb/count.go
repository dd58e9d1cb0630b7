package logdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// counter is one Count under way: what is asked, where the entries may be, and what its workers share.
type counter struct {
	db      *DB
	edges   []model.Timestamp
	buckets int // one less than edges
	// edgeMinutes are the minutes that begin at the edges, as chunk.MinuteOf numbers them; unaligned counts, up to and with
	// each edge, those at which no minute begins.
	edgeMinutes []int64
	unaligned   []int

	levels, metadata, bytes bool
	names                   []string // of metadata; nil: all

	streams streamNames
	sources []countSource
	next    atomic.Int64 // source to be counted

	mu    sync.Mutex // guards stats; held while add runs
	stats storage.ScanStats
	add   func(*storage.Counts) error
}

// countSource is entries that are counted together: a chunk of a block, a sealed chunk or open rows of a head.
type countSource struct {
	handle *blockHandle // of a block's chunk
	ref    chunkRef
	of     *countBlock
	piece  *head.Piece // of a head; its runs name streams of the answer
}

// countBlock is what is asked of one block.
type countBlock struct {
	refs    *roaring.Bitmap
	only    uint32                           // stream of the answer, for all refs, when numbers is nil
	numbers map[model.StreamRef]uint32       // stream of the answer
	masks   map[model.StreamRef][]*tombstone // that may hide entries of the stream; nil: none
}

// Count implements storage.Querier. Each chunk is answered from the least that will do: its entry in the directory, counts
// of its table, those of minutes, its time column alone, or its entries.
func (db *DB) Count(ctx context.Context, id model.TenantID, r storage.CountRequest, add func(*storage.Counts) error) (storage.ScanStats, error) {
	if len(r.Edges) < 2 || !sort.SliceIsSorted(r.Edges, func(i, j int) bool { return r.Edges[i] <= r.Edges[j] }) {
		return storage.ScanStats{}, errors.New("count needs two or more edges, each after the one before")
	}
	t := db.lookup(id)
	if t == nil {
		return storage.ScanStats{}, nil
	}
	c := newCounter(db, r, add)
	v := t.acquire()
	defer v.release()
	db.active.Add(1)
	defer db.active.Add(-1)
	if err := c.find(ctx, t, v, r); err != nil {
		return c.stats, err
	}
	err := c.run(ctx)
	slices.Sort(c.stats.Warnings) // workers came upon them in any order
	return c.stats, err
}

func newCounter(db *DB, r storage.CountRequest, add func(*storage.Counts) error) *counter {
	c := &counter{
		db:       db,
		edges:    r.Edges,
		buckets:  len(r.Edges) - 1,
		levels:   r.Columns&storage.ColumnLevel != 0,
		metadata: r.Columns&storage.ColumnMetadata != 0,
		bytes:    r.Columns&storage.ColumnLineBytes != 0,
		names:    r.MetadataNames,
		streams:  newStreamNames(r.LabelNames),
		add:      add,
	}
	c.edgeMinutes, c.unaligned = make([]int64, len(c.edges)), make([]int, len(c.edges))
	for i, e := range c.edges {
		c.edgeMinutes[i] = chunk.MinuteOf(e)
		if i > 0 {
			c.unaligned[i] = c.unaligned[i-1]
		}
		if e == model.MinTimestamp || chunk.MinuteOf(e-1) == c.edgeMinutes[i] {
			c.unaligned[i]++
		}
	}
	return c
}

// find lists the sources.
func (c *counter) find(ctx context.Context, t *tenant, v *view, r storage.CountRequest) error {
	iv := r.Interval()
	for _, h := range v.within(iv) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.db.useTwice(h, func(b *block.Block) error { return c.addBlock(h, b, v.masksOf(h), r) })
		if isCorrupt(err) {
			c.stats.Warnings = append(c.stats.Warnings, c.db.dropBad(t, h, err))
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, h := range v.heads {
		found, err := h.Select(r.Matchers, iv)
		if err != nil {
			return err
		}
		c.addHead(found)
	}
	return nil
}

// addBlock adds the chunks of a block. Its streams are read only when something has to be known of them.
func (c *counter) addBlock(h *blockHandle, b *block.Block, masks []*tombstone, r storage.CountRequest) error {
	refs, err := b.Resolve(r.Matchers)
	if err != nil {
		return fmt.Errorf("resolve in block %s: %w", h.meta.ULID, err)
	}
	if refs.IsEmpty() {
		return nil
	}
	of := &countBlock{refs: refs}
	if !c.streams.told() {
		of.only = c.streams.number(labels.EmptyLabels())
	}
	if c.streams.told() || len(masks) > 0 {
		streams, err := b.Streams(refs)
		if err != nil {
			return fmt.Errorf("streams of block %s: %w", h.meta.ULID, err)
		}
		c.describe(of, streams, masks)
	}
	chunks, err := b.Chunks(refs, r.Interval())
	if err != nil {
		return fmt.Errorf("chunks of block %s: %w", h.meta.ULID, err)
	}
	for _, ref := range chunks {
		c.sources = append(c.sources, countSource{handle: h, ref: ref, of: of})
	}
	return nil
}

// describe notes what the answer calls the streams of a block, and which deletes may hide entries of theirs.
func (c *counter) describe(of *countBlock, streams []block.Stream, masks []*tombstone) {
	if c.streams.told() {
		of.numbers = make(map[model.StreamRef]uint32, len(streams))
	}
	for i := range streams {
		s := &streams[i]
		if of.numbers != nil {
			of.numbers[s.Ref] = c.streams.number(s.Labels)
		}
		for _, m := range masks {
			if m.selects(s.Labels) {
				if of.masks == nil {
					of.masks = map[model.StreamRef][]*tombstone{}
				}
				of.masks[s.Ref] = append(of.masks[s.Ref], m)
			}
		}
	}
}

// stream returns what the answer calls a stream of the block; false when it is not asked for.
func (of *countBlock) stream(ref model.StreamRef) (uint32, bool) {
	if of.numbers != nil {
		n, ok := of.numbers[ref]
		return n, ok
	}
	return of.only, of.refs.Contains(uint32(ref))
}

func (c *counter) addHead(found head.Selected) {
	numbers := make([]int, len(found.Streams))
	for i, ls := range found.Streams {
		numbers[i] = int(c.streams.number(ls))
	}
	for i := range found.Pieces {
		p := &found.Pieces[i]
		p.Runs = slices.Clone(p.Runs)
		for k := range p.Runs {
			p.Runs[k].Stream = numbers[p.Runs[k].Stream]
		}
		c.sources = append(c.sources, countSource{piece: p})
	}
}

// run counts the sources, a worker for each core.
func (c *counter) run(ctx context.Context) error {
	workers := min(runtime.GOMAXPROCS(0), len(c.sources))
	if workers <= 1 {
		return newCountWorker(c).run(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			if err := newCountWorker(c).run(ctx); err != nil {
				cancel(err) // the first one stays the cause
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// bucketOf returns the bucket of a time: -1 before the first one, c.buckets behind the last.
func (c *counter) bucketOf(t model.Timestamp) int { return firstAbove(c.edges, 0, t) - 1 }

// aligned reports whether a minute begins at every edge that lies between entries of the buckets lo and hi.
func (c *counter) aligned(lo, hi int) bool {
	if lo < 0 {
		return c.unaligned[hi] == 0
	}
	return c.unaligned[hi] == c.unaligned[lo]
}

// firstAbove returns the first index from from on whose time is after t; ts ascend. It looks near from first.
func firstAbove(ts []model.Timestamp, from int, t model.Timestamp) int {
	step := 1
	for from+step <= len(ts) && ts[from+step-1] <= t {
		from += step
		step *= 2
	}
	// ts[:from] are not after t; what is at from+step-1 is, or is not there.
	rest := ts[from:min(from+step-1, len(ts))]
	return from + sort.Search(len(rest), func(i int) bool { return rest[i] > t })
}

// streamNames numbers the label sets of an answer: those of streams, or what is left of them.
type streamNames struct {
	names []string // that are kept, sorted; nil: all
	sets  []labels.Labels

	numbers map[string]uint32 // by key
	key     []byte
	builder labels.ScratchBuilder
}

func newStreamNames(names []string) streamNames {
	if names != nil {
		names = slices.Compact(slices.Sorted(slices.Values(names)))
		names = append([]string{}, names...) // none are not all
	}
	return streamNames{names: names, numbers: map[string]uint32{}, builder: labels.NewScratchBuilder(len(names))}
}

// told reports whether anything is told of streams.
func (s *streamNames) told() bool { return s.names == nil || len(s.names) > 0 }

func (s *streamNames) number(ls labels.Labels) uint32 {
	if s.names == nil {
		s.key = ls.Bytes(s.key[:0])
	} else {
		s.key = s.key[:0]
		for _, name := range s.names {
			s.key = appendText(s.key, ls.Get(name))
		}
	}
	n, ok := s.numbers[string(s.key)]
	if ok {
		return n
	}
	if s.names != nil {
		s.builder.Reset()
		for _, name := range s.names {
			if v := ls.Get(name); v != "" {
				s.builder.Add(name, v)
			}
		}
		ls = s.builder.Labels()
	}
	n = uint32(len(s.sets))
	s.sets = append(s.sets, ls)
	s.numbers[string(s.key)] = n
	return n
}

// appendText appends a text behind its length, so that no two sequences of texts are the same bytes.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
