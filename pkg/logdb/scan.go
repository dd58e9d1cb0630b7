package logdb

import (
	"slices"
	"sort"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// scanner reads sources one after the other and keeps its buffers between them. It decodes the time column first, lines
// only when an entry in the interval is left, and the other columns only for entries that passed every filter.
type scanner struct {
	filters *match.Matcher // nil when there are none
	iv      model.Interval
	columns storage.Columns
	names   []string // of metadata, to read; nil: all

	times    []model.Timestamp
	ends     []uint32
	lines    []byte
	levels   chunk.Levels
	metadata chunk.Metadata
	selected match.Selection
	hits     []hit
}

// hit is one entry that passed.
type hit struct {
	entry  uint32 // in the source
	stream uint32 // of the selection
}

// found is what a scan yields. Its strings and slices are valid until the next scan.
type found struct {
	hits    []hit
	columns decodedColumns
}

// decodedColumns reads columns of one source by entry.
type decodedColumns struct {
	times    []model.Timestamp
	lines    []byte
	ends     []uint32
	view     *chunk.View // when it has the other columns
	levels   *chunk.Levels
	metadata *chunk.Metadata
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

// scan reads one source. Only entries in iv, which lies inside the request's interval, are looked at.
func (s *scanner) scan(reader *chunk.Reader, view *chunk.View, runs []head.PieceRun, iv model.Interval, st *storage.ScanStats) (found, error) {
	st.Chunks++
	var f found
	if reader == nil {
		f.columns = viewColumns(view)
	} else {
		var err error
		if s.times, err = reader.Timestamps(s.times[:0]); err != nil {
			return f, err
		}
		f.columns.times = s.times
	}
	s.candidates(reader, view, runs, iv, f.columns.times)
	if len(s.hits) == 0 {
		st.ChunksSkipped++
		return f, nil
	}
	needLines := s.filters != nil || s.columns&storage.ColumnLine != 0
	if reader != nil {
		if err := s.decodeLines(reader, &f.columns, needLines); err != nil {
			return f, err
		}
	}
	st.Entries += uint64(len(s.hits))
	if needLines {
		for _, h := range s.hits {
			st.Bytes += uint64(f.columns.lineBytes(h.entry))
		}
		s.filter(&f.columns)
	}
	st.EntriesMatched += uint64(len(s.hits))
	f.hits = s.hits
	if reader != nil && len(s.hits) > 0 {
		return f, s.decodeRest(reader, &f.columns)
	}
	return f, nil
}

func viewColumns(v *chunk.View) decodedColumns {
	lines, ends := v.Lines()
	return decodedColumns{times: v.Timestamps(), lines: lines, ends: ends, view: v}
}

// candidates fills hits with the entries of the wanted runs whose time lies in iv.
func (s *scanner) candidates(reader *chunk.Reader, view *chunk.View, runs []head.PieceRun, iv model.Interval, times []model.Timestamp) {
	s.hits = s.hits[:0]
	for _, run := range runs {
		first, last, ordered := 0, len(times), true
		if reader != nil {
			info := reader.Table().Runs[run.Run]
			first, last = int(info.First), int(info.First+info.Count)
		} else {
			ordered = view.InOrder()
		}
		part := times[first:last]
		if ordered {
			from := sort.Search(len(part), func(i int) bool { return part[i] >= iv.Start })
			to := from + sort.Search(len(part)-from, func(i int) bool { return part[from+i] >= iv.End })
			for i := from; i < to; i++ {
				s.hits = append(s.hits, hit{uint32(first + i), uint32(run.Stream)})
			}
			continue
		}
		for i, t := range part {
			if iv.Contains(t) {
				s.hits = append(s.hits, hit{uint32(first + i), uint32(run.Stream)})
			}
		}
	}
}

func (s *scanner) decodeLines(reader *chunk.Reader, c *decodedColumns, needLines bool) (err error) {
	if needLines || s.columns&storage.ColumnLineBytes != 0 {
		if s.ends, err = reader.LineEnds(s.ends[:0]); err != nil {
			return err
		}
		c.ends = s.ends
	}
	if needLines {
		if s.lines, err = reader.Lines(s.lines[:0]); err != nil {
			return err
		}
		c.lines = s.lines
	}
	return nil
}

// filter keeps the hits whose line passes every filter.
func (s *scanner) filter(c *decodedColumns) {
	if s.filters == nil {
		return
	}
	s.selected.Clear(len(c.ends))
	for _, h := range s.hits {
		s.selected.Add(int(h.entry))
	}
	s.filters.Select(c.lines, c.ends, &s.selected)
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return !s.selected.Contains(int(h.entry)) })
}

func (s *scanner) decodeRest(reader *chunk.Reader, c *decodedColumns) error {
	if s.columns&storage.ColumnLevel != 0 {
		if err := reader.Levels(&s.levels); err != nil {
			return err
		}
		c.levels = &s.levels
	}
	if s.columns&storage.ColumnMetadata != 0 {
		if err := reader.Metadata(&s.metadata, s.names...); err != nil {
			return err
		}
		c.metadata = &s.metadata
	}
	return nil
}
