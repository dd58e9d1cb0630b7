package logdb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	// tallyBytesMax is the memory of one worker's tallies above which they are handed over: streams times buckets may be
	// any number, and whoever asked folds them together.
	tallyBytesMax = 4 << 20
	tallyBytes    = 256 // of a tally without its counts and texts
	partRows      = 1 << 12
)

// tally is the counts of entries that are told apart by nothing but their buckets.
type tally struct {
	stream   uint32 // of the counter's streams
	level    string
	metadata []model.Pair

	first   int // bucket of entries[0]
	entries []int64
	bytes   []int64 // nil unless they are asked for
}

type tallyKey struct {
	stream          uint32
	level, metadata string
}

// countWorker counts one source after the other. What it found is added up in tallies; buffers are kept between sources.
type countWorker struct {
	c       *counter
	stats   storage.ScanStats
	tallies map[tallyKey]*tally
	memory  int64
	counted uint64 // entries

	table    *chunkTable // of the source at work, and its runs
	runs     []countRun
	columns  decodedColumns
	pages    chunk.PagesRead
	times    []model.Timestamp
	ends     []uint32
	lines    []byte
	levels   chunk.Levels
	metadata chunk.Metadata
	minutes  []chunk.MinuteCount
	byLevel  []*tally // of the run at work
	even     [tableLevels]uint32
	odd      [tableLevels]uint32
	pairs    []model.Pair
	key      []byte
	last     *tally // of the entry before

	part       storage.Counts
	partStream uint32 // of its last row
}

func newCountWorker(c *counter) *countWorker {
	return &countWorker{c: c, tallies: map[tallyKey]*tally{}}
}

func (w *countWorker) run(ctx context.Context) error {
	defer func() {
		w.c.mu.Lock()
		defer w.c.mu.Unlock()
		w.stats.Entries, w.stats.EntriesMatched = w.counted, w.counted
		w.c.stats.Add(&w.stats)
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := int(w.c.next.Add(1)) - 1
		if i >= len(w.c.sources) {
			return w.handOver(ctx)
		}
		if err := w.count(ctx, &w.c.sources[i]); err != nil {
			return err
		}
	}
}

// tally returns the tally of a stream, a level and metadata.
func (w *countWorker) tally(stream uint32, level string, metadata []model.Pair) *tally {
	w.key = w.key[:0]
	for _, p := range metadata {
		w.key = appendText(appendText(w.key, p.Name), p.Value)
	}
	t, ok := w.tallies[tallyKey{stream, level, string(w.key)}]
	if ok {
		return t
	}
	t = &tally{stream: stream, level: level}
	for _, p := range metadata {
		t.metadata = append(t.metadata, model.Pair{Name: strings.Clone(p.Name), Value: strings.Clone(p.Value)})
	}
	w.tallies[tallyKey{stream, level, string(w.key)}] = t
	w.memory += tallyBytes + 2*int64(len(w.key)) + 32*int64(len(metadata))
	return t
}

// compareTallies orders tallies so that those of a stream are together.
func compareTallies(a, b *tally) int {
	return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.level, b.level))
}

// widen makes room in the tally for the buckets lo to hi, those of them that there are.
func (w *countWorker) widen(t *tally, lo, hi int) *tally {
	lo, hi = max(lo, 0), min(hi, w.c.buckets-1)
	n := len(t.entries)
	from, to := t.first, t.first+n
	if from <= lo && hi < to || lo > hi {
		return t
	}
	switch {
	case n == 0:
		from, to = lo, hi+1
	case lo < from: // at least twice as wide, so that many small steps copy little
		from = max(0, min(lo, from-n))
		to = max(to, hi+1)
	default:
		to = min(w.c.buckets, max(hi+1, to+n))
	}
	t.entries = shifted(t.entries, t.first-from, to-from)
	w.memory += 8 * int64(to-from-n)
	if w.c.bytes {
		t.bytes = shifted(t.bytes, t.first-from, to-from)
		w.memory += 8 * int64(to-from-n)
	}
	t.first = from
	return t
}

// shifted returns n numbers, those of old from at on.
func shifted(old []int64, at, n int) []int64 {
	wide := make([]int64, n)
	if len(old) > 0 {
		copy(wide[at:], old)
	}
	return wide
}

// add counts entries of a bucket that the tally has room for.
func (t *tally) add(bucket int, entries, bytes int64) {
	t.entries[bucket-t.first] += entries
	if t.bytes != nil {
		t.bytes[bucket-t.first] += bytes
	}
}

// handOver gives the tallies to whoever asked, and begins new ones.
func (w *countWorker) handOver(ctx context.Context) error {
	if len(w.tallies) == 0 {
		return nil
	}
	list := make([]*tally, 0, len(w.tallies))
	for _, t := range w.tallies {
		list = append(list, t)
	}
	slices.SortFunc(list, compareTallies)
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	for _, t := range list {
		for i, n := range t.entries {
			if n == 0 {
				continue
			}
			w.addRow(t, i)
			if w.part.Len() == partRows {
				if err := w.handPart(ctx); err != nil {
					return err
				}
			}
		}
	}
	clear(w.tallies)
	w.memory, w.last = 0, nil
	return w.handPart(ctx)
}

func (w *countWorker) addRow(t *tally, i int) {
	p := &w.part
	if len(p.Streams) == 0 || w.partStream != t.stream {
		p.Streams = append(p.Streams, w.c.streams.sets[t.stream])
		w.partStream = t.stream
	}
	p.StreamIndex = append(p.StreamIndex, uint32(len(p.Streams)-1))
	p.Buckets = append(p.Buckets, uint32(t.first+i))
	p.Entries = append(p.Entries, t.entries[i])
	if w.c.bytes {
		p.LineBytes = append(p.LineBytes, t.bytes[i])
	}
	if w.c.levels {
		p.Levels = append(p.Levels, t.level)
	}
	if w.c.metadata {
		p.Metadata = append(p.Metadata, t.metadata)
	}
}

// handPart hands over the rows gathered. Called with mu held; somebody else's failure ends it.
func (w *countWorker) handPart(ctx context.Context) error {
	p := &w.part
	if p.Len() == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := w.c.add(p)
	*p = storage.Counts{
		Streams: p.Streams[:0], StreamIndex: p.StreamIndex[:0], Levels: p.Levels[:0], Metadata: p.Metadata[:0],
		Buckets: p.Buckets[:0], Entries: p.Entries[:0], LineBytes: p.LineBytes[:0],
	}
	return err
}
