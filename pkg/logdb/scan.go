package logdb

import (
	"slices"
	"sort"
	"strings"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// question is what a query asks of each of its sources. It does not change once the sources are known.
type question struct {
	filters   *match.Matcher // nil when there are none
	probe     *chunk.Probe   // of filters; nil when none of them can tell anything
	columns   storage.Columns
	names     []string // of metadata, to read; nil: all
	namesText string   // the same for the cache
	equal     []equality
	implied   []implied
}

// equality is a pair of SelectRequest.MetadataEqual.
type equality struct {
	model.Pair
	decided []bool // by stream: it has a label of that name, which decides for all its entries
}

// newQuestion compiles what a request asks.
func newQuestion(r storage.SelectRequest) (*question, error) {
	filters, err := compileFilters(r.Filters)
	if err != nil {
		return nil, err
	}
	q := &question{filters: filters, columns: r.Columns, names: r.MetadataNames, namesText: strings.Join(r.MetadataNames, "\x00")}
	if filters != nil {
		q.probe = chunk.NewProbe(filters)
	}
	if q.implied, err = compileImplied(r.Implied); err != nil {
		return nil, err
	}
	for _, p := range r.MetadataEqual {
		q.equal = append(q.equal, equality{Pair: p})
	}
	return q, nil
}

// testsLines reports whether lines decide which entries there are.
func (q *question) testsLines() bool { return q.filters != nil || len(q.implied) > 0 }

// probes reports whether substring filters can tell something.
func (q *question) probes() bool {
	return q.probe != nil || slices.ContainsFunc(q.implied, func(f implied) bool { return f.probes() })
}

// setStreams notes which streams decide an equality or an implied filter.
func (q *question) setStreams(streams []labels.Labels) {
	for k := range q.implied {
		q.implied[k].setStreams(streams)
	}
	for k := range q.equal {
		e := &q.equal[k]
		e.decided = make([]bool, len(streams))
		for i, ls := range streams {
			e.decided[i] = ls.Has(e.Name)
		}
	}
}

// levelName is the name of the level column in an equality.
const levelName = "detected_level"

// skipReason says what told that no line of a chunk is needed.
type skipReason uint8

const (
	skippedByTime skipReason = iota
	skippedByFilter
	skippedByMetadata
	skippedByLevel
	skippedByDelete
	skippedByImplied
	skippedByRank // other entries come first in an ordered answer

	skipReasons
)

var skipNames = [skipReasons]string{"time", "filter", "metadata", "level", "delete", "implied", "rank"}

// of returns the reason's number in statistics.
func (by skipReason) of(s *storage.SkippedChunks) *uint64 {
	return [skipReasons]*uint64{&s.Time, &s.Filter, &s.Metadata, &s.Level, &s.Delete, &s.Implied, &s.Order}[by]
}

// scanner reads sources one after the other and keeps its memory between them. It decodes the time column first, then what
// equalities ask for, lines only when an entry is left, and the other columns only for entries that passed every filter.
// What it gives is valid until the next source is read.
type scanner struct {
	*question
	metrics *metrics

	hits    []hit
	decoded decodedColumns
	pages   chunk.PagesRead
	stats   storage.ScanStats // of what was read since the owner took the last ones

	times    []model.Timestamp
	ends     []uint32
	lines    []byte
	levels   chunk.Levels
	metadata chunk.Metadata
	single   chunk.Metadata // of one name, for an equality or a mask
	selected match.Selection
	entry    model.Entry
}

// hit is one entry that is still in.
type hit struct {
	entry  uint32 // in the source
	stream uint32 // of the selection
}

// opened is a source that can be read.
type opened struct {
	reader *chunk.Reader // nil when view is set
	view   *chunk.View
	runs   []head.PieceRun
	masks  []mask
	key    chunkKey

	filter     chunk.Filter // these two know nothing when they are not in use
	metaFilter chunk.MetaFilter
}

// decodedColumns reads columns of one source by entry. Columns that were not decoded are nil.
type decodedColumns struct {
	times    []model.Timestamp
	lines    []byte
	ends     []uint32
	view     *chunk.View // when it has the other columns
	levels   *chunk.Levels
	metadata *chunk.Metadata
}

func viewColumns(v *chunk.View) decodedColumns {
	lines, ends := v.Lines()
	return decodedColumns{times: v.Timestamps(), lines: lines, ends: ends, view: v}
}

func (c *decodedColumns) lineBytes(i uint32) uint32 {
	if i == 0 {
		return c.ends[0]
	}
	return c.ends[i] - c.ends[i-1]
}

func (c *decodedColumns) line(i uint32) string {
	n := c.lineBytes(i)
	if n == 0 {
		return ""
	}
	return unsafe.String(&c.lines[c.ends[i]-n], int(n))
}

func (c *decodedColumns) level(i uint32) string {
	if c.view != nil {
		return c.view.Level(int(i))
	}
	return c.levels.Names[c.levels.Codes[i]]
}

func (c *decodedColumns) pairs(dst []model.Pair, i uint32) []model.Pair {
	if c.view != nil {
		return c.view.Metadata(dst, int(i))
	}
	return c.metadata.Pairs(dst, int(i))
}

// scan finds the entries of a source in iv that pass everything, and decodes their columns.
func (s *scanner) scan(o *opened, iv model.Interval) error {
	if err := s.find(o, iv); err != nil || len(s.hits) == 0 {
		return err
	}
	s.stats.Entries += uint64(len(s.hits))
	if s.testsLines() || s.columns&storage.ColumnLine != 0 {
		if err := s.readLines(o); err != nil {
			return err
		}
		for _, h := range s.hits {
			s.stats.Bytes += uint64(s.decoded.lineBytes(h.entry))
		}
		s.filter()
		if err := s.filterImplied(o); err != nil {
			return err
		}
	}
	if err := s.hideByContent(o); err != nil {
		return err
	}
	s.stats.EntriesMatched += uint64(len(s.hits))
	if len(s.hits) == 0 {
		return nil
	}
	return s.readRest(o)
}

// scanKeys is scan for a query without filters, but decodes no more than it takes to know which entries there are.
func (s *scanner) scanKeys(o *opened, iv model.Interval) error {
	if err := s.find(o, iv); err != nil {
		return err
	}
	return s.hideByContent(o)
}

// fetch decodes the columns of some entries that scanKeys found.
func (s *scanner) fetch(o *opened, entries []uint32) error {
	s.begin(o)
	s.stats.Entries += uint64(len(entries))
	s.stats.EntriesMatched += uint64(len(entries))
	if s.columns&storage.ColumnLine != 0 {
		if err := s.readLines(o); err != nil {
			return err
		}
		for _, i := range entries {
			s.stats.Bytes += uint64(s.decoded.lineBytes(i))
		}
	}
	return s.readRest(o)
}

func (s *scanner) begin(o *opened) {
	s.hits, s.decoded = s.hits[:0], decodedColumns{}
	if o.view != nil {
		s.decoded = viewColumns(o.view)
	}
}

// find fills hits with the entries in iv that no equality and no mask of a whole stream excludes.
func (s *scanner) find(o *opened, iv model.Interval) error {
	s.stats.Chunks++
	s.begin(o)
	if !s.probe.MayMatch(o.filter) {
		s.skips(skippedByFilter)
		return nil
	}
	if s.denied(o) {
		s.skips(skippedByImplied)
		return nil
	}
	if err := s.candidates(o, iv); err != nil {
		return err
	}
	if s.skips(skippedByTime) {
		return nil
	}
	for i := range o.masks {
		if o.masks[i].whole() {
			o.masks[i].hideAll(s)
		}
	}
	if s.skips(skippedByDelete) {
		return nil
	}
	for i := range s.equal {
		by, err := s.cut(o, &s.equal[i])
		if err != nil || s.skips(by) {
			return err
		}
	}
	return nil
}

// skips reports whether no hit is left, and counts that.
func (s *scanner) skips(by skipReason) bool {
	if len(s.hits) > 0 {
		return false
	}
	s.stats.ChunksSkipped++
	*by.of(&s.stats.Skipped)++
	s.metrics.chunksSkipped[by].Inc()
	return true
}

// candidates fills hits with the entries of the wanted runs whose time lies in iv. The time column is not decoded when the
// table of runs tells that there is none.
func (s *scanner) candidates(o *opened, iv model.Interval) error {
	if o.view != nil {
		s.addInside(o.runs[0].Stream, 0, s.decoded.times, iv, o.view.InOrder())
		return nil
	}
	table := o.reader.Table()
	inside := func(r head.PieceRun) bool { return iv.Overlaps(table.Runs[r.Run].MinTime, table.Runs[r.Run].MaxTime) }
	if !slices.ContainsFunc(o.runs, inside) {
		return nil
	}
	times, err := column(o.key, columnKey{kind: timeColumn}, 8*int64(table.Entries), &s.times,
		func(into []model.Timestamp) ([]model.Timestamp, error) { return o.reader.Timestamps(into[:0]) })
	if err != nil {
		return err
	}
	s.decoded.times = times
	for _, r := range o.runs {
		if inside(r) {
			info := &table.Runs[r.Run]
			s.addInside(r.Stream, info.First, times[info.First:info.First+info.Count], iv, true)
		}
	}
	return nil
}

// addInside adds the entries of one run, which begins at entry first, whose time lies in iv.
func (s *scanner) addInside(stream int, first uint32, times []model.Timestamp, iv model.Interval, ordered bool) {
	if ordered {
		from := sort.Search(len(times), func(i int) bool { return times[i] >= iv.Start })
		to := from + sort.Search(len(times)-from, func(i int) bool { return times[from+i] >= iv.End })
		s.hits = slices.Grow(s.hits, to-from)
		for i := from; i < to; i++ {
			s.hits = append(s.hits, hit{first + uint32(i), uint32(stream)})
		}
		return
	}
	for i, t := range times {
		if iv.Contains(t) {
			s.hits = append(s.hits, hit{first + uint32(i), uint32(stream)})
		}
	}
}

// cut removes the hits that an equality excludes. It decodes the one column that this takes, or none.
func (s *scanner) cut(o *opened, e *equality) (by skipReason, err error) {
	by = skippedByMetadata
	if e.Name == levelName {
		by = skippedByLevel
	}
	if !slices.ContainsFunc(o.runs, func(r head.PieceRun) bool { return !e.decided[r.Stream] }) {
		return by, nil
	}
	holds, err := s.equalTest(o, e.Pair)
	if err != nil {
		return by, err
	}
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return !e.decided[h.stream] && !holds(int(h.entry)) })
	return by, nil
}

func never(int) bool { return false }

// equalTest returns a test for entries that have the pair, as an equality means it.
func (s *scanner) equalTest(o *opened, p model.Pair) (holds func(entry int) bool, err error) {
	switch {
	case p.Name == levelName:
		return s.levelTest(o, p.Value)
	case o.view != nil:
		return o.view.Equal(p), nil
	case !o.metaFilter.MayHold(p.Name, p.Value) || !o.reader.Table().MayHaveMetadata(p.Name):
		return never, nil
	}
	md, err := s.readName(o, p.Name)
	if err != nil {
		return nil, err
	}
	return md.Equal(p), nil
}

// readName decodes metadata of one name. It is valid until the next call.
func (s *scanner) readName(o *opened, name string) (*chunk.Metadata, error) {
	table := o.reader.Table()
	size := 4*int64(table.Entries) + int64(table.RawBytes-table.LineBytes)
	md, err := column(o.key, columnKey{kind: metadataColumn, names: name}, size, &s.single,
		func(into chunk.Metadata) (chunk.Metadata, error) {
			err := s.decodeMetadata(o, &into, name)
			return into, err
		})
	return &md, err
}

func (s *scanner) levelTest(o *opened, level string) (holds func(entry int) bool, err error) {
	if o.view != nil {
		return func(i int) bool { return o.view.Level(i) == level }, nil
	}
	counts := o.reader.Table().Levels
	if counts != nil && !slices.ContainsFunc(counts, func(c chunk.LevelCount) bool { return c.Level == level }) {
		return never, nil
	}
	if err := s.readLevels(o); err != nil {
		return nil, err
	}
	code := slices.Index(s.decoded.levels.Names, level)
	codes := s.decoded.levels.Codes
	return func(i int) bool { return int(codes[i]) == code }, nil
}

func (s *scanner) readEnds(o *opened) (err error) {
	if s.decoded.ends == nil {
		s.decoded.ends, err = column(o.key, columnKey{kind: endsColumn}, 4*int64(o.reader.Table().Entries), &s.ends,
			func(into []uint32) ([]uint32, error) { return o.reader.LineEnds(into[:0]) })
	}
	return err
}

// readLines decodes the lines and their ends.
func (s *scanner) readLines(o *opened) error {
	if s.decoded.view != nil || s.decoded.lines != nil {
		return nil
	}
	if err := s.readEnds(o); err != nil {
		return err
	}
	lines, err := column(o.key, columnKey{kind: linesColumn}, int64(o.reader.Table().LineBytes), &s.lines,
		func(into []byte) ([]byte, error) {
			s.metrics.linesDecoded.Inc()
			return o.reader.Lines(into[:0])
		})
	s.decoded.lines = lines
	return err
}

// filter keeps the hits whose line passes every filter.
func (s *scanner) filter() {
	if s.filters == nil {
		return
	}
	c := &s.decoded
	s.selected.Clear(len(c.ends))
	for _, h := range s.hits {
		s.selected.Add(int(h.entry))
	}
	s.filters.Select(c.lines, c.ends, &s.selected)
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return !s.selected.Contains(int(h.entry)) })
}

func (s *scanner) readLevels(o *opened) error {
	if s.decoded.view != nil || s.decoded.levels != nil {
		return nil
	}
	levels, err := column(o.key, columnKey{kind: levelColumn}, 2*int64(o.reader.Table().Entries), &s.levels,
		func(into chunk.Levels) (chunk.Levels, error) {
			err := o.reader.Levels(&into)
			return into, err
		})
	s.decoded.levels = &levels
	return err
}

// readRest decodes the columns besides lines that the query asks for.
func (s *scanner) readRest(o *opened) error {
	if o.view != nil {
		return nil
	}
	if s.columns&storage.ColumnLineBytes != 0 {
		if err := s.readEnds(o); err != nil {
			return err
		}
	}
	if s.columns&storage.ColumnLevel != 0 {
		if err := s.readLevels(o); err != nil {
			return err
		}
	}
	if s.columns&storage.ColumnMetadata == 0 {
		return nil
	}
	table := o.reader.Table()
	size := 4*int64(table.Entries) + 2*int64(table.RawBytes-table.LineBytes)
	md, err := column(o.key, columnKey{kind: metadataColumn, names: s.namesText}, size, &s.metadata,
		func(into chunk.Metadata) (chunk.Metadata, error) {
			err := s.decodeMetadata(o, &into, s.names...)
			return into, err
		})
	s.decoded.metadata = &md
	return err
}

// decodeMetadata decodes metadata. Where that takes the lines it takes those of the query, which mostly needs them as well.
func (s *scanner) decodeMetadata(o *opened, into *chunk.Metadata, names ...string) error {
	if o.reader.Table().MetadataTakesLines(names...) {
		if err := s.readLines(o); err != nil {
			return err
		}
		into.UseLines(s.decoded.lines, s.decoded.ends)
	}
	return o.reader.Metadata(into, names...)
}
