package engine

import (
	"encoding/binary"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// grouper finds the series that an entry belongs to.
//
// Building a label set for each entry would cost more than all the rest. So a series is looked up by a key that is cheap to
// make: what of the stream and of the entry decides about its labels. Several keys may mean the same labels; a second map
// joins them, and is asked once per key. Entries of a stream whose labels alone decide need no key at all.
//
// There may be as many keys as entries: without (trace_id), say. So the maps of keys and streams are a cache, emptied when
// it is full; series alone are kept, and counted by newOne.
type grouper struct {
	group      plan.Group
	newOne     func(ls labels.Labels, labelBytes int) (*rangeSeries, error)
	byLabel    map[string]*rangeSeries // by the bytes of the label set
	byKey      map[string]*rangeSeries
	streams    map[string]uint64 // numbers of label sets, by their bytes
	lastNumber uint64            // of a stream; none is given twice
	cacheBytes int               // of byKey and streams, about

	// Of the current batch, per stream:
	constant []bool          // its labels decide alone
	decided  []*rangeSeries  // the series of entries without metadata and level; nil: not looked up yet
	levels   [][]levelSeries // the series of entries without metadata, by level
	numbers  []uint64        // its number in streams, 0: not looked up yet

	key, labelKey []byte
	last          *rangeSeries // of lastKey
	lastKey       []byte
	pairs         []model.Pair
	builder       labels.ScratchBuilder
}

type levelSeries struct {
	level  string
	series *rangeSeries
}

// levelsMax bounds the levels that are remembered per stream and batch; there are eight, and whatever clients make up.
const levelsMax = 16

func newGrouper(group plan.Group, newOne func(labels.Labels, int) (*rangeSeries, error)) grouper {
	return grouper{
		group:   group,
		newOne:  newOne,
		byKey:   map[string]*rangeSeries{},
		byLabel: map[string]*rangeSeries{},
		streams: map[string]uint64{},
		builder: labels.NewScratchBuilder(16),
	}
}

// startBatch forgets what was known of the last batch's streams.
func (g *grouper) startBatch(s *scanned) {
	n := len(s.Streams)
	g.decided = slices.Grow(g.decided[:0], n)[:n]
	g.levels = slices.Grow(g.levels[:0], n)[:n]
	g.numbers = slices.Grow(g.numbers[:0], n)[:n]
	g.constant = slices.Grow(g.constant[:0], n)[:n]
	clear(g.decided)
	clear(g.numbers)
	for i, ls := range s.Streams {
		g.constant[i] = g.streamDecides(s, ls)
		g.levels[i] = g.levels[i][:0]
	}
}

// streamDecides reports whether every entry of the stream belongs to the same group.
func (g *grouper) streamDecides(s *scanned, ls labels.Labels) bool {
	if s.HasRows() {
		return false
	}
	if s.Metadata == nil && s.Levels == nil {
		return true
	}
	if g.group.Mode != plan.GroupBy {
		return false
	}
	for _, name := range g.group.Names {
		if _, decided := pipeline.OfStream(ls, name); !decided {
			return false
		}
	}
	return true
}

// of returns the series of entry i.
func (g *grouper) of(s *scanned, i int) (*rangeSeries, error) {
	stream := s.StreamIndex[i]
	if s.HasRows() {
		return g.ofRow(s, i, stream)
	}
	if g.constant[stream] && g.decided[stream] != nil {
		return g.decided[stream], nil
	}
	level, metadata := "", []model.Pair(nil)
	if s.Levels != nil {
		level = s.Levels[i]
	}
	if s.Metadata != nil {
		metadata = s.Metadata[i]
	}
	switch {
	case g.constant[stream] || level == "" && len(metadata) == 0:
		if g.decided[stream] == nil {
			series, err := g.byLabels(g.labelsOf(s.Streams[stream], nil, ""))
			if err != nil {
				return nil, err
			}
			g.decided[stream] = series
		}
		return g.decided[stream], nil
	case len(metadata) == 0:
		return g.ofLevel(s, stream, level)
	}
	return g.ofKey(s, stream, metadata, level)
}

// ofLevel returns the series of an entry without metadata.
func (g *grouper) ofLevel(s *scanned, stream uint32, level string) (*rangeSeries, error) {
	for _, known := range g.levels[stream] {
		if known.level == level {
			return known.series, nil
		}
	}
	series, err := g.ofKey(s, stream, nil, level)
	if err == nil && len(g.levels[stream]) < levelsMax {
		g.levels[stream] = append(g.levels[stream], levelSeries{level, series})
	}
	return series, err
}

// ofKey returns the series of any entry.
func (g *grouper) ofKey(s *scanned, stream uint32, metadata []model.Pair, level string) (*rangeSeries, error) {
	g.makeKey(s, stream, metadata, level)
	return g.keyed(func() labels.Labels { return g.labelsOf(s.Streams[stream], metadata, level) })
}

// ofRow returns the series of an entry whose labels stages have made or changed.
func (g *grouper) ofRow(s *scanned, i int, stream uint32) (*rangeSeries, error) {
	g.key = g.key[:0]
	if g.group.Mode == plan.GroupBy {
		for _, name := range g.group.Names {
			v, _ := s.Lookup(i, name)
			g.key = appendText(g.key, v)
		}
		return g.keyed(func() labels.Labels { return g.labelsOfRow(s, i) })
	}
	own, removed := s.Labels(i)
	g.key = binary.AppendUvarint(g.key, g.streamNumber(s, stream))
	for _, l := range own {
		if keeps(g.group, l.Name) { // else each value that was unwrapped would be a key
			g.key = appendText(appendText(g.key, l.Name), l.Value)
		}
	}
	g.key = append(g.key, 0, 0) // no name is empty
	for _, name := range removed {
		g.key = appendText(g.key, name)
	}
	return g.keyed(func() labels.Labels { return g.labelsOfRow(s, i) })
}

// keyed returns the series of the key in g.key; of a new key make says the labels.
func (g *grouper) keyed(make func() labels.Labels) (*rangeSeries, error) {
	if g.last != nil && string(g.key) == string(g.lastKey) {
		return g.last, nil
	}
	series, ok := g.byKey[string(g.key)]
	if !ok {
		var err error
		if series, err = g.byLabels(make()); err != nil {
			return nil, err
		}
		g.cached(len(g.key))
		g.byKey[string(g.key)] = series
	}
	g.last, g.lastKey = series, append(g.lastKey[:0], g.key...)
	return series, nil
}

// makeKey writes what decides about the entry's labels: the values of the names, or the stream and all the metadata.
// Texts are preceded by their lengths, so that no two entries run into the same bytes.
func (g *grouper) makeKey(s *scanned, stream uint32, metadata []model.Pair, level string) {
	g.key = g.key[:0]
	if g.group.Mode == plan.GroupBy {
		for _, name := range g.group.Names {
			v, _ := pipeline.Lookup(s.Streams[stream], metadata, level, name)
			g.key = appendText(g.key, v)
		}
		return
	}
	g.key = binary.AppendUvarint(g.key, g.streamNumber(s, stream))
	g.key = appendText(g.key, level)
	for _, p := range metadata {
		// Of what the group goes without only a name of the stream's matters, for then it has another. Else each value that
		// was unwrapped would be a key.
		if keeps(g.group, p.Name) || s.Streams[stream].Get(p.Name) != "" {
			g.key = appendText(appendText(g.key, p.Name), p.Value)
		}
	}
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// streamNumber numbers the label sets of the query.
func (g *grouper) streamNumber(s *scanned, stream uint32) uint64 {
	if g.numbers[stream] > 0 {
		return g.numbers[stream]
	}
	g.labelKey = s.Streams[stream].Bytes(g.labelKey[:0])
	n, ok := g.streams[string(g.labelKey)]
	if !ok {
		g.cached(len(g.labelKey))
		g.lastNumber++
		n = g.lastNumber
		g.streams[string(g.labelKey)] = n
	}
	g.numbers[stream] = n
	return n
}

// cacheBytesMax bounds the cache of keys.
const cacheBytesMax = 8 << 20

// cached makes room in the cache for one more key.
func (g *grouper) cached(keyBytes int) {
	const fixed = 64 // the map's share
	if g.cacheBytes += fixed + keyBytes; g.cacheBytes > cacheBytesMax {
		clear(g.byKey)
		clear(g.streams)
		g.cacheBytes = fixed + keyBytes
	}
}

// byLabels returns the series with these labels.
func (g *grouper) byLabels(ls labels.Labels) (*rangeSeries, error) {
	g.labelKey = ls.Bytes(g.labelKey[:0])
	if series, ok := g.byLabel[string(g.labelKey)]; ok {
		return series, nil
	}
	series, err := g.newOne(ls, len(g.labelKey))
	if err != nil {
		return nil, err
	}
	g.byLabel[string(g.labelKey)] = series
	return series, nil
}

// labelsOf builds the labels of an entry's series.
func (g *grouper) labelsOf(stream labels.Labels, metadata []model.Pair, level string) labels.Labels {
	g.pairs = pipeline.AppendMetadata(g.pairs[:0], stream, metadata, level)
	g.builder.Reset()
	add := func(name, value string) {
		if keeps(g.group, name) {
			g.builder.Add(name, value)
		}
	}
	stream.Range(func(l labels.Label) {
		if !slices.ContainsFunc(g.pairs, func(p model.Pair) bool { return p.Name == l.Name }) { // else metadata was renamed to it
			add(l.Name, l.Value)
		}
	})
	for _, p := range g.pairs {
		add(p.Name, p.Value)
	}
	g.builder.Sort()
	return g.builder.Labels()
}

// labelsOfRow is labelsOf for an entry whose labels stages have made or changed. An empty label is none.
func (g *grouper) labelsOfRow(s *scanned, i int) labels.Labels {
	own, removed := s.Labels(i)
	g.builder.Reset()
	s.Streams[s.StreamIndex[i]].Range(func(l labels.Label) {
		hidden := slices.Contains(removed, l.Name) || slices.ContainsFunc(own, func(o pipeline.Label) bool { return o.Name == l.Name })
		if !hidden && keeps(g.group, l.Name) {
			g.builder.Add(l.Name, l.Value)
		}
	})
	for _, l := range own {
		if l.Value != "" && keeps(g.group, l.Name) {
			g.builder.Add(l.Name, l.Value)
		}
	}
	if e, ok := s.Errors[i]; ok && keeps(g.group, pipeline.ErrorLabel) { // an error that the query asks for
		g.builder.Add(pipeline.ErrorLabel, e.Class)
	}
	g.builder.Sort()
	return g.builder.Labels()
}

// keeps reports whether the series of a group keep the label.
func keeps(g plan.Group, name string) bool {
	switch g.Mode {
	case plan.GroupBy:
		_, found := slices.BinarySearch(g.Names, name)
		return found
	case plan.GroupWithout:
		_, found := slices.BinarySearch(g.Names, name)
		return !found
	}
	return true
}
