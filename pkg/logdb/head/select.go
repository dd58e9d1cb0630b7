package head

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Selected is what a head holds for some streams: immutable, and valid for ever.
type Selected struct {
	Streams []labels.Labels
	Pieces  []Piece // those of one stream in order of arrival
}

// Piece is entries that are read together: a sealed chunk, or the rows of one run.
type Piece struct {
	Reader *chunk.Reader // nil when View is set
	View   chunk.View
	Runs   []PieceRun // of the chunk, those that were asked for; a View has one

	// Filter and MetaFilter are the chunk's; those of a View know nothing.
	Filter     chunk.Filter
	MetaFilter chunk.MetaFilter

	MinTime, MaxTime model.Timestamp
}

// PieceRun ties a run of a chunk to the stream that wrote it.
type PieceRun struct {
	Stream int // index into Selected.Streams
	Run    int // index into the chunk's Table.Runs; 0 for a View
}

// Select returns the entries of the streams that match and may have entries in the interval.
func (h *Head) Select(matchers []*labels.Matcher, iv model.Interval) (Selected, error) {
	refs, err := h.resolve(matchers)
	if err != nil {
		return Selected{}, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out Selected
	var refOf []model.StreamRef
	byRef := make(map[model.StreamRef]int, refs.GetCardinality())
	wanted := map[*Part]struct{}{}
	for it := refs.Iterator(); it.HasNext(); {
		ref := model.StreamRef(it.Next())
		s := h.streams[ref]
		if s.entries == 0 || !iv.Overlaps(s.minTime, s.maxTime) {
			continue
		}
		byRef[ref] = len(out.Streams)
		refOf = append(refOf, ref)
		out.Streams = append(out.Streams, s.labels)
		for _, c := range s.closed {
			wanted[c.part] = struct{}{}
		}
	}
	for _, p := range h.parts { // in order of closing, which is the order of arrival within each stream
		if _, ok := wanted[p]; ok {
			out.Pieces = p.appendPieces(out.Pieces, byRef, iv)
		}
	}
	for stream, ref := range refOf { // in the order in which the streams came: the same question has the same answer
		r := h.streams[ref].run
		if r == nil || !iv.Overlaps(r.rows.MinTime(), r.rows.MaxTime()) {
			continue
		}
		out.Pieces = append(out.Pieces, viewPiece(r.rows.Snapshot(), stream))
	}
	return out, nil
}

func viewPiece(v chunk.View, stream int) Piece {
	return Piece{View: v, Runs: []PieceRun{{Stream: stream}}, MinTime: v.MinTime(), MaxTime: v.MaxTime()}
}

// appendPieces appends what the part holds of the streams in byRef. Called with mu held.
func (p *Part) appendPieces(pieces []Piece, byRef map[model.StreamRef]int, iv model.Interval) []Piece {
	if p.chunks == nil {
		for i := range p.runs {
			r := &p.runs[i]
			stream, ok := byRef[r.ref]
			if ok && iv.Overlaps(r.minTime, r.maxTime) {
				pieces = append(pieces, viewPiece(r.rows.Snapshot(), stream))
			}
		}
		return pieces
	}
	for _, c := range p.chunks {
		t := &c.Table
		if !iv.Overlaps(t.MinTime, t.MaxTime) {
			continue
		}
		piece := Piece{Reader: c.Reader(), Filter: c.Filter, MetaFilter: c.MetaFilter, MinTime: t.MinTime, MaxTime: t.MaxTime}
		for i := range t.Runs {
			stream, ok := byRef[t.Runs[i].Ref]
			if ok && iv.Overlaps(t.Runs[i].MinTime, t.Runs[i].MaxTime) {
				piece.Runs = append(piece.Runs, PieceRun{Stream: stream, Run: i})
			}
		}
		if len(piece.Runs) > 0 {
			pieces = append(pieces, piece)
		}
	}
	return pieces
}

func (h *Head) resolve(matchers []*labels.Matcher) (*roaring.Bitmap, error) {
	snapshot := h.index.Snapshot()
	if len(matchers) == 0 {
		return snapshot.All()
	}
	refs, err := index.Resolve(snapshot, matchers)
	if err != nil {
		return nil, fmt.Errorf("resolve matchers in head: %w", err)
	}
	return refs, nil
}

// within returns those of refs whose streams may have entries in the interval.
func (h *Head) within(refs *roaring.Bitmap, iv model.Interval) *roaring.Bitmap {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := roaring.New()
	for it := refs.Iterator(); it.HasNext(); {
		ref := it.Next()
		if s := h.streams[ref]; s.entries > 0 && iv.Overlaps(s.minTime, s.maxTime) {
			out.Add(ref)
		}
	}
	return out
}

// LabelNames returns the sorted names of the labels of matching streams.
func (h *Head) LabelNames(matchers []*labels.Matcher, iv model.Interval) ([]string, error) {
	refs, err := h.resolve(matchers)
	if err != nil {
		return nil, err
	}
	return index.LabelNames(h.index.Snapshot(), h.within(refs, iv))
}

// LabelValues returns the sorted values of one label of matching streams.
func (h *Head) LabelValues(name string, matchers []*labels.Matcher, iv model.Interval) ([]string, error) {
	refs, err := h.resolve(matchers)
	if err != nil {
		return nil, err
	}
	return index.LabelValues(h.index.Snapshot(), name, h.within(refs, iv))
}

// StreamStats sizes one stream's part in a head.
type StreamStats struct {
	Labels           labels.Labels
	Entries, Bytes   uint64
	Chunks           uint64 // open, closed and sealed pieces
	MinTime, MaxTime model.Timestamp
}

// Series calls f for each matching stream that may have entries in the interval.
func (h *Head) Series(matchers []*labels.Matcher, iv model.Interval, f func(StreamStats)) error {
	refs, err := h.resolve(matchers)
	if err != nil {
		return err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for it := refs.Iterator(); it.HasNext(); {
		s := h.streams[it.Next()]
		if s.entries == 0 || !iv.Overlaps(s.minTime, s.maxTime) {
			continue
		}
		st := StreamStats{Labels: s.labels, Entries: s.entries, Bytes: s.raw, Chunks: uint64(len(s.closed)), MinTime: s.minTime, MaxTime: s.maxTime}
		if s.run != nil {
			st.Chunks++
		}
		f(st)
	}
	return nil
}

// Summary calls f for each stream.
func (h *Head) Summary(f func(fp model.Fingerprint, minTime, maxTime model.Timestamp)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.streams {
		if s.entries > 0 {
			f(s.fingerprint, s.minTime, s.maxTime)
		}
	}
}

// Sealed is everything that a frozen head holds, as chunks.
type Sealed struct {
	Streams []labels.Labels // by StreamRef
	Chunks  []*chunk.Encoded
}

// Sealed returns the chunks of a frozen head whose parts are all sealed.
func (h *Head) Sealed() (Sealed, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.frozen {
		return Sealed{}, fmt.Errorf("head is not frozen")
	}
	out := Sealed{Streams: make([]labels.Labels, len(h.streams))}
	for i, s := range h.streams {
		out.Streams[i] = s.labels
	}
	for i, p := range h.parts {
		if p.chunks == nil {
			return Sealed{}, fmt.Errorf("part %d of %d is not sealed", i, len(h.parts))
		}
		out.Chunks = append(out.Chunks, p.chunks...)
	}
	return out, nil
}

// Parts returns all closed parts.
func (h *Head) Parts() []*Part {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return append([]*Part(nil), h.parts...)
}

// Entries returns all that the head holds, by stream in order of arrival: what a carry record takes along.
func (h *Head) Entries() ([]model.Stream, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]model.Stream, len(h.streams))
	for i, s := range h.streams {
		all[i].Labels = s.labels
	}
	for _, p := range h.parts { // in order of closing; each is decoded once, whatever the number of its runs
		var d decodedPart
		for i := range p.runs {
			rows, err := d.rowsOf(partRun{part: p, run: i})
			if err != nil {
				return nil, fmt.Errorf("decode sealed run: %w", err)
			}
			s := &all[p.runs[i].ref]
			s.Entries = appendEntries(s.Entries, rows.Snapshot())
		}
	}
	for i, s := range h.streams {
		if s.run != nil {
			all[i].Entries = appendEntries(all[i].Entries, s.run.rows.Snapshot())
		}
	}
	return slices.DeleteFunc(all, func(s model.Stream) bool { return len(s.Entries) == 0 }), nil
}

func appendEntries(dst []model.Entry, v chunk.View) []model.Entry {
	for i := range v.Len() {
		dst = append(dst, v.Entry(i))
	}
	return dst
}
