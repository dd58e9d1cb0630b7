package logdb

import (
	"context"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// countMethod says what the entries of a run are counted from, the cheapest first.
type countMethod uint8

const (
	byNothing   countMethod = iota // no entry lies in a bucket
	byDirectory                    // all entries of the chunk lie in one bucket
	byTotal                        // all entries lie in one bucket
	byLevels                       // the same; levels are asked for, and the table counts them
	byMinutes                      // every edge among the entries begins a minute that the table counts
	byTimes                        // the time column, and those of levels and lengths when they are asked for
	byEntries                      // entry by entry: for their metadata, for deletes, or for levels without number
)

// countRun is one run of a chunk that is being counted.
type countRun struct {
	run    int          // of the chunk's table
	stream uint32       // of the answer
	masks  []*tombstone // that may hide entries of it
	lo, hi int          // buckets of its first and last entry; -1 is before all buckets, their number behind them
	how    countMethod

	first, entries uint32 // entries [first, first+entries) of the chunk
	bytes          uint64 // of its lines, when they are known
}

// count counts a source. A corrupt chunk is left out of the answer with a warning that names it.
func (w *countWorker) count(ctx context.Context, s *countSource) error {
	w.stats.Chunks++
	before := w.counted
	err := w.read(s)
	if isCorrupt(err) {
		err = w.read(s) // only a second read of the same makes it corruption
	}
	switch {
	case isCorrupt(err):
		w.c.db.metrics.badChunks.Inc()
		named := source{handle: s.handle, ref: s.ref}
		w.stats.Warnings = append(w.stats.Warnings, named.describe()+" is corrupt and missing from this answer: "+err.Error())
	case err != nil:
		return err
	default: // nothing is added before all that it takes is read
		if err := w.addRuns(ctx); err != nil {
			return err
		}
	}
	w.note(w.counted == before)
	return nil
}

// note adds the source at work to the statistics. skipped: nothing of it was counted.
func (w *countWorker) note(skipped bool) {
	st := &w.stats
	var how countMethod
	for i := range w.runs {
		how = max(how, w.runs[i].how)
	}
	switch {
	case skipped && how == byEntries && slices.ContainsFunc(w.runs, func(r countRun) bool { return len(r.masks) > 0 }):
		st.ChunksSkipped++
		st.Skipped.Delete++
	case skipped:
		st.ChunksSkipped++
		st.Skipped.Time++
	default:
		c := &st.Counted
		*[...]*uint64{&c.Directory, &c.Directory, &c.Total, &c.Total, &c.Minutes, &c.Columns, &c.Entries}[how]++
	}
	addPages(st, &w.pages)
	w.pages = chunk.PagesRead{}
}

// read decides how the runs of a source are counted, and reads what that takes.
func (w *countWorker) read(s *countSource) error {
	w.runs = w.runs[:0]
	switch {
	case s.handle != nil:
		if w.fromDirectory(s) {
			return nil
		}
		return w.fromBlock(s)
	case s.piece.Reader != nil:
		return w.fromHead(s.piece)
	}
	w.fromRows(s.piece)
	return nil
}

// fromDirectory counts a chunk of one stream that lies in one bucket, when nobody asks for more than its entry in the
// directory tells.
func (w *countWorker) fromDirectory(s *countSource) bool {
	plain := s.ref.RawBytes == s.ref.LineBytes // neither metadata nor levels of clients' own
	if s.ref.Packed || w.c.levels || w.c.metadata && !plain {
		return false
	}
	b := w.c.bucketOf(s.ref.MinTime)
	if b < 0 || b >= w.c.buckets || b+1 < len(w.c.edges) && w.c.edges[b+1] <= s.ref.MaxTime {
		return false
	}
	stream, ok := s.of.stream(s.ref.Stream)
	if !ok || masked(s.of.masks[s.ref.Stream], s.ref.MinTime, s.ref.MaxTime) {
		return false
	}
	w.runs = append(w.runs, countRun{stream: stream, lo: b, hi: b, how: byDirectory, entries: s.ref.Entries, bytes: s.ref.LineBytes})
	return true
}

// masked reports whether one of the deletes may hide an entry of a stream that it selects.
func masked(masks []*tombstone, minT, maxT model.Timestamp) bool {
	return slices.ContainsFunc(masks, func(m *tombstone) bool { return m.interval.Overlaps(minT, maxT) })
}

func (w *countWorker) fromBlock(s *countSource) error {
	t := w.c.db.tables.get(s.handle, s.ref.Number)
	if t == nil {
		err := w.c.db.use(s.handle, func(b *block.Block) error {
			reader, err := b.Chunk(s.ref)
			if err != nil {
				return err
			}
			t = newChunkTable(reader.Table())
			return w.decodeMinutes(t)
		})
		if err != nil {
			return err
		}
		w.c.db.tables.put(s.handle, s.ref.Number, t)
	}
	for i := range t.Runs {
		ref := t.Runs[i].Ref
		if stream, ok := s.of.stream(ref); ok {
			w.runs = append(w.runs, countRun{run: i, stream: stream, masks: s.of.masks[ref]})
		}
	}
	if !w.choose(t) {
		return nil
	}
	return w.c.db.use(s.handle, func(b *block.Block) error { return w.decode(b.Reader(s.ref, t.Table).Counted(&w.pages)) })
}

func (w *countWorker) fromHead(p *head.Piece) error {
	t := newChunkTable(p.Reader.Table())
	for _, r := range p.Runs {
		w.runs = append(w.runs, countRun{run: r.Run, stream: uint32(r.Stream)})
	}
	if w.choose(t) {
		if err := w.decode(p.Reader.Counted(&w.pages)); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(w.runs, func(r countRun) bool { return r.how == byMinutes }) {
		return w.decodeMinutes(t)
	}
	return nil
}

// choose decides how each run is counted, and reports whether columns have to be decoded for it.
func (w *countWorker) choose(t *chunkTable) (columns bool) {
	w.table = t
	metadata := w.c.metadata && t.hasMetadata(w.c.names)
	for i := range w.runs {
		r := &w.runs[i]
		info := &t.Runs[r.run]
		r.first, r.entries, r.bytes = info.First, info.Count, t.lineBytes(info)
		r.lo, r.hi = w.c.bucketOf(info.MinTime), w.c.bucketOf(info.MaxTime)
		whole := r.lo == r.hi
		switch {
		case r.hi < 0 || r.lo >= w.c.buckets:
			r.how = byNothing
		case metadata || w.c.levels && t.Levels == nil || masked(r.masks, info.MinTime, info.MaxTime):
			r.how = byEntries
		case whole && (!w.c.levels || len(t.Levels) == 1) && (!w.c.bytes || t.lineBytesKnown()):
			r.how = byTotal
		case whole && len(t.Runs) == 1 && t.Levels != nil:
			r.how = byLevels
		case t.HasMinutes() && w.c.aligned(r.lo, r.hi):
			r.how = byMinutes
		default:
			r.how = byTimes
		}
		columns = columns || r.how >= byTimes
	}
	return columns
}

// decode decodes the columns that counting the runs needs.
func (w *countWorker) decode(reader *chunk.Reader) (err error) {
	entries, times, lines := false, false, false
	pairs := w.c.metadata
	names := w.c.names
	for i := range w.runs {
		r := &w.runs[i]
		entries, times = entries || r.how == byEntries, times || r.how == byTimes
		for _, m := range r.masks {
			lines = lines || m.filters != nil
			if len(m.metadata) > 0 {
				pairs, names = true, nil // whatever it asks for; deletes are few
			}
		}
	}
	c := &w.columns
	*c = decodedColumns{}
	if w.times, err = reader.Timestamps(w.times[:0]); err != nil {
		return err
	}
	c.times = w.times
	if w.c.bytes || lines {
		if w.ends, err = reader.LineEnds(w.ends[:0]); err != nil {
			return err
		}
		c.ends = w.ends
	}
	if lines {
		if w.lines, err = reader.Lines(w.lines[:0]); err != nil {
			return err
		}
		c.lines = w.lines
	}
	if w.c.levels && (entries || times && len(reader.Table().Levels) != 1) {
		if err := reader.Levels(&w.levels); err != nil {
			return err
		}
		c.levels = &w.levels
	}
	if entries && pairs {
		if lines {
			w.metadata.UseLines(w.lines, w.ends)
		}
		if err := reader.Metadata(&w.metadata, names...); err != nil {
			return err
		}
		c.metadata = &w.metadata
	}
	return nil
}

// addRuns adds the runs to the tallies.
func (w *countWorker) addRuns(ctx context.Context) error {
	for i := range w.runs {
		r := &w.runs[i]
		switch r.how {
		case byDirectory, byTotal:
			w.addSpan(r, w.onlyLevel(), int64(r.entries), int64(r.bytes))
		case byLevels:
			for _, l := range w.table.Levels {
				w.addSpan(r, l.Level, int64(l.Entries), int64(l.Bytes))
			}
		case byMinutes:
			w.addMinutes(r)
		case byTimes:
			w.addTimes(r)
		case byEntries:
			if err := w.addEntries(ctx, r); err != nil {
				return err
			}
		}
		if w.memory > tallyBytesMax {
			if err := w.handOver(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// onlyLevel is the level of all entries when levels are asked for and the chunk has one.
func (w *countWorker) onlyLevel() string {
	if w.c.levels && len(w.table.Levels) == 1 {
		return w.table.Levels[0].Level
	}
	return ""
}

// addSpan adds entries that all lie in the bucket of the run.
func (w *countWorker) addSpan(r *countRun, level string, entries, bytes int64) {
	w.widen(w.tally(r.stream, level, nil), r.lo, r.lo).add(r.lo, entries, bytes)
	w.counted += uint64(entries)
}

// levelTally returns the tally of a level of the run at work; its number is that of the table or of the decoded column.
func (w *countWorker) levelTally(r *countRun, code int, level string) *tally {
	t := w.byLevel[code]
	if t == nil {
		t = w.widen(w.tally(r.stream, level, nil), r.lo, r.hi)
		w.byLevel[code] = t
	}
	return t
}

// startLevels forgets the tallies of the run before.
func (w *countWorker) startLevels(count int) {
	w.byLevel = slices.Grow(w.byLevel[:0], count)[:count]
	clear(w.byLevel)
}

// addMinutes adds the minute counts of a run: an edge among its entries begins a minute, so none is cut.
func (w *countWorker) addMinutes(r *countRun) {
	t := w.table
	w.startLevels(len(t.Levels))
	begins, buckets := w.c.edgeMinutes, w.c.buckets
	b, counted := r.lo, uint64(0)
	for _, m := range t.minutesOf(r.run) {
		at := t.minute + int64(m.minute)
		for b < r.hi && begins[b+1] <= at {
			b++
		}
		if uint(b) >= uint(buckets) {
			continue // before the first edge, or behind the last
		}
		tl := w.byLevel[0]
		switch {
		case w.c.levels:
			if tl = w.byLevel[m.level]; tl == nil {
				tl = w.levelTally(r, int(m.level), t.Levels[m.level].Level)
			}
		case tl == nil:
			tl = w.levelTally(r, 0, "")
		}
		tl.add(b, int64(m.entries), int64(m.bytes))
		counted += uint64(m.entries)
	}
	w.counted += counted
}

// addTimes adds a run whose times ascend.
func (w *countWorker) addTimes(r *countRun) {
	c := &w.columns
	codes, level := 1, ""
	if c.levels != nil {
		codes = len(c.levels.Names)
	} else if w.c.levels {
		level = w.onlyLevel()
	}
	first, end := int(r.first), int(r.first+r.entries)
	w.startLevels(codes)
	times := c.times[:end]
	i := first
	if r.lo < 0 {
		i = firstAbove(times, first, w.c.edges[0]-1)
	}
	for b := max(r.lo, 0); i < end; {
		b = firstAbove(w.c.edges, b, times[i]) - 1 // skips the buckets without entries
		if b >= w.c.buckets {
			return
		}
		next := entriesBefore(times, i, w.c.edges[b+1])
		w.counted += uint64(next - i)
		if c.levels != nil {
			w.addLevels(r, b, i, next)
		} else {
			w.levelTally(r, 0, level).add(b, int64(next-i), w.lineBytes(i, next))
		}
		i = next
	}
}

// lineBytes sums the lengths of the lines of entries, 0 when nobody asked for them.
func (w *countWorker) lineBytes(from, to int) int64 {
	ends := w.columns.ends
	if !w.c.bytes {
		return 0
	}
	if from == 0 {
		return int64(ends[to-1])
	}
	return int64(ends[to-1]) - int64(ends[from-1])
}

// entriesBefore returns the first index from i on whose time is not before t. Buckets mostly hold some dozen entries of a
// chunk, where small steps that the processor foresees are cheaper than to search.
func entriesBefore(times []model.Timestamp, i int, t model.Timestamp) int {
	for i+8 <= len(times) && times[i+7] < t {
		i += 8
	}
	for i < len(times) && times[i] < t {
		i++
	}
	return i
}

// tableLevels is above the number of levels that a table counts; runs with more are counted by entries.
const tableLevels = 64

// addLevels adds entries of one bucket, each to the tally of its level.
func (w *countWorker) addLevels(r *countRun, b, from, to int) {
	l := w.columns.levels
	if to-from < len(l.Names) || w.c.bytes {
		for i := from; i < to; i++ {
			code := int(l.Codes[i])
			w.levelTally(r, code, l.Names[code]).add(b, 1, w.lineBytes(i, i+1))
		}
		return
	}
	even, odd := &w.even, &w.odd // two, so that a count need not wait for the one before of the same level
	clear(even[:len(l.Names)])
	clear(odd[:len(l.Names)])
	codes := l.Codes[from:to]
	for ; len(codes) >= 2; codes = codes[2:] {
		even[codes[0]%tableLevels]++
		odd[codes[1]%tableLevels]++
	}
	if len(codes) > 0 {
		even[codes[0]%tableLevels]++
	}
	for code, name := range l.Names {
		if n := even[code] + odd[code]; n > 0 {
			w.levelTally(r, code, name).add(b, int64(n), 0)
		}
	}
}

// addEntries adds a run one entry after the other, in any order of times.
func (w *countWorker) addEntries(ctx context.Context, r *countRun) error {
	c := &w.columns
	pairs := c.metadata != nil || c.view != nil && w.c.metadata
	b, within := 0, model.Interval{}
	for i := int(r.first); i < int(r.first+r.entries); i++ {
		t := c.times[i]
		if !within.Contains(t) {
			found := w.c.bucketOf(t)
			if found < 0 || found >= w.c.buckets {
				continue
			}
			b, within = found, model.Interval{Start: w.c.edges[found], End: w.c.edges[found+1]}
		}
		if pairs {
			w.pairs = c.pairs(w.pairs[:0], uint32(i))
		}
		if len(r.masks) > 0 && w.hidden(r.masks, i) {
			continue
		}
		w.widen(w.entryTally(r.stream, i), b, b).add(b, 1, w.lineBytes(i, i+1))
		w.counted++
		if w.memory > tallyBytesMax {
			if err := w.handOver(ctx); err != nil {
				return err
			}
		}
	}
	w.pairs = w.pairs[:0]
	return nil
}

// hidden reports whether a delete hides an entry, whose pairs are decoded.
func (w *countWorker) hidden(masks []*tombstone, i int) bool {
	e := model.Entry{Timestamp: w.columns.times[i], Metadata: w.pairs}
	if w.columns.lines != nil {
		e.Line = w.columns.line(uint32(i))
	}
	return slices.ContainsFunc(masks, func(m *tombstone) bool { return m.hides(&e) })
}

// entryTally returns the tally of an entry. It is mostly that of the entry before.
func (w *countWorker) entryTally(stream uint32, i int) *tally {
	level := ""
	if w.c.levels {
		level = w.columns.level(uint32(i))
	}
	pairs := w.pairs[:0]
	if w.c.metadata {
		for _, p := range w.pairs {
			if w.c.names == nil || slices.Contains(w.c.names, p.Name) {
				pairs = append(pairs, p)
			}
		}
	}
	if t := w.last; t != nil && t.stream == stream && t.level == level && slices.Equal(t.metadata, pairs) {
		return t
	}
	w.last = w.tally(stream, level, pairs)
	return w.last
}

// fromRows counts open rows of a head.
func (w *countWorker) fromRows(p *head.Piece) {
	w.columns = viewColumns(&p.View)
	r := countRun{stream: uint32(p.Runs[0].Stream), entries: uint32(p.View.Len()), how: byEntries}
	r.lo, r.hi = w.c.bucketOf(p.MinTime), w.c.bucketOf(p.MaxTime)
	if p.View.InOrder() && !w.c.levels && !w.c.metadata {
		r.how = byTimes
	}
	w.runs = append(w.runs, r)
}
