package logdb

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// implied is a storage.ImpliedFilter at work. It holds for an entry that has the name in its stream or its metadata, and for
// one whose line has one of the texts.
type implied struct {
	name    string
	decided []bool // by stream: it has a label of that name, so the filter holds for all its entries
	line    *match.Matcher
	// escapes: one of the texts is storage.EscapedASCII. Of a chunk whose table says that no line has it, the other texts
	// are looked for, plain, and asked of the substring filter.
	escapes bool
	plain   *match.Matcher
	probe   *chunk.Probe // of plain; nil: tells nothing
}

func compileImplied(in []storage.ImpliedFilter) ([]implied, error) {
	var out []implied
	for _, f := range in {
		m := implied{name: f.Name}
		var err error
		if m.line, err = compileFilters([]storage.LineFilter{f.Line}); err != nil {
			return nil, err
		}
		m.plain = m.line
		plain := f.Line
		plain.Any = slices.DeleteFunc(slices.Clone(plain.Any), func(text string) bool { return text == escapedASCII(plain.Kind) })
		if m.escapes = len(plain.Any) < len(f.Line.Any); m.escapes && len(plain.Any) > 0 {
			if m.plain, err = compileFilters([]storage.LineFilter{plain}); err != nil {
				return nil, err
			}
		}
		m.probe = chunk.NewProbe(m.plain)
		out = append(out, m)
	}
	return out, nil
}

// escapedASCII is how a filter of that kind spells storage.EscapedASCII.
func escapedASCII(k storage.FilterKind) string {
	if k == storage.FilterRegexp {
		return `\\u00`
	}
	return storage.EscapedASCII
}

// setStreams notes which streams have the name.
func (f *implied) setStreams(streams []labels.Labels) {
	f.decided = make([]bool, len(streams))
	for i, ls := range streams {
		f.decided[i] = ls.Has(f.name)
	}
}

// probes reports whether a substring filter can tell something.
func (f *implied) probes() bool { return f.probe != nil }

// spelledOut reports whether no line of the chunk spells ASCII by numbers.
func (f *implied) spelledOut(t *chunk.Table) bool {
	return !f.escapes || t.Flags&chunk.EscapedASCII == 0
}

// denied reports whether an implied filter holds for no entry of the source, as far as its table and its substring filter
// tell: no stream and no metadata has the name, and no line one of the texts.
func (s *scanner) denied(o *opened) bool {
	if o.reader == nil {
		return false
	}
	table := o.reader.Table()
	return slices.ContainsFunc(s.implied, func(f implied) bool {
		return f.probes() && f.spelledOut(table) && !f.probe.MayMatch(o.filter) && !table.MayHaveMetadata(f.name) &&
			!slices.ContainsFunc(o.runs, func(r head.PieceRun) bool { return f.decided[r.Stream] })
	})
}

// filterImplied keeps the hits for which every implied filter holds. Lines are decoded.
func (s *scanner) filterImplied(o *opened) error {
	for i := range s.implied {
		f := &s.implied[i]
		if len(s.hits) == 0 {
			return nil
		}
		inMetadata, err := s.nameTest(o, f.name)
		if err != nil {
			return err
		}
		elsewhere := func(h hit) bool { return f.decided[h.stream] || inMetadata != nil && inMetadata(int(h.entry)) }
		lines := f.line
		if o.reader != nil && f.spelledOut(o.reader.Table()) {
			lines = f.plain
		}
		c := &s.decoded
		s.selected.Clear(len(c.ends))
		for _, h := range s.hits {
			if !elsewhere(h) {
				s.selected.Add(int(h.entry))
			}
		}
		lines.Select(c.lines, c.ends, &s.selected)
		s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return !s.selected.Contains(int(h.entry)) && !elsewhere(h) })
	}
	return nil
}

// nameTest returns a test for entries that have metadata of the name; nil: none has.
func (s *scanner) nameTest(o *opened, name string) (has func(entry int) bool, err error) {
	if o.view != nil {
		return o.view.Has(name), nil
	}
	if !o.reader.Table().MayHaveMetadata(name) {
		return nil, nil
	}
	md, err := s.readName(o, name)
	if err != nil {
		return nil, err
	}
	return func(i int) bool { return md.Value(name, i) != "" }, nil
}
