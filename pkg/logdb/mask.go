package logdb

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// mask is a tombstone that may hide entries of a block from a query.
type mask struct {
	*tombstone
	selected []bool // by stream of the query, those of the block at least
}

// newMasks picks the tombstones that select a stream of the block.
func newMasks(tombstones []*tombstone, streams []labels.Labels, byRef map[model.StreamRef]int) []mask {
	var out []mask
	for _, t := range tombstones {
		m, any := mask{tombstone: t, selected: make([]bool, len(streams))}, false
		for _, i := range byRef {
			if t.selects(streams[i]) {
				m.selected[i], any = true, true
			}
		}
		if any {
			out = append(out, m)
		}
	}
	return out
}

// over reports whether the mask lies over an entry, leaving aside the content of the entry.
func (m *mask) over(h hit, times []model.Timestamp) bool {
	return m.selected[h.stream] && m.interval.Contains(times[h.entry])
}

// hideAll drops the hits that the mask lies over.
func (m *mask) hideAll(s *scanner) {
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return m.over(h, s.decoded.times) })
}

// hideByContent drops the hits that masks hide because of their line or metadata. Only for hits below such a mask is
// decoded what the mask looks at.
func (s *scanner) hideByContent(o *opened) error {
	for i := range o.masks {
		m := &o.masks[i]
		below := func(h hit) bool { return m.over(h, s.decoded.times) }
		if m.whole() || !slices.ContainsFunc(s.hits, below) {
			continue
		}
		if m.filters != nil {
			if err := s.readLines(o); err != nil {
				return err
			}
		}
		if err := s.readMaskMetadata(o, m); err != nil {
			return err
		}
		s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return below(h) && m.hides(s.maskEntry(m, h)) })
	}
	return nil
}

func (s *scanner) readMaskMetadata(o *opened, m *mask) error {
	if len(m.metadata) == 0 {
		return nil
	}
	names := make([]string, len(m.metadata))
	for i, p := range m.metadata {
		names[i] = p.Name
	}
	return s.decodeMetadata(o, &s.single, names...)
}

// maskEntry is the part of an entry that the mask looks at. It is valid until the next call.
func (s *scanner) maskEntry(m *mask, h hit) *model.Entry {
	s.entry = model.Entry{Timestamp: s.decoded.times[h.entry], Metadata: s.entry.Metadata[:0]}
	if m.filters != nil {
		s.entry.Line = s.decoded.line(h.entry)
	}
	if len(m.metadata) > 0 {
		s.entry.Metadata = s.single.Pairs(s.entry.Metadata, int(h.entry))
	}
	return &s.entry
}
