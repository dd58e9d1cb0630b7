package chunk

import (
	"sync/atomic"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Rows are entries in memory, column by column, in arrival order. The zero value is empty and ready.
//
// One goroutine at a time may call Append, and none Snapshot meanwhile (the owner's lock); a View taken from it is then read without any
// lock while appends go on, because an append only writes beyond the lengths that earlier views hold: bytes that a view
// can see never change and never move under it (growth copies to a new array and leaves the old one to its views).
//
// Snapshot may be called by several goroutines at once while nobody appends. Rows of which no Snapshot was ever taken are
// seen by their owner alone (Peek): the arrays that they outgrow, and with Recycle all, are used again for other rows.
type Rows struct {
	v     View
	shown atomic.Bool // a Snapshot was taken: the arrays are left to it and the collector

	levelCodes map[string]uint16 // level → code, only those beyond the known ones
	nameCodes  map[string]uint32 // metadata name → code
	lastPair   []pair            // by name code: the last pair of that name, whose bytes an equal value shares
	dictBytes  int64             // bytes of interned strings
}

// View is a fixed prefix of Rows. It is a value: copy it freely, share it between goroutines.
type View struct {
	times  []model.Timestamp
	lines  []byte
	ends   []uint32 // end of each line in lines
	levels []uint16 // level codes; shorter than times when the rest has none

	pairs    []pair
	pairEnds []uint32 // end of each entry's pairs; shorter than times when the rest has none
	values   []byte   // metadata values that pairs point into

	levelNames []string // code - levelCustom → level
	names      []string // code → metadata name

	raw        int64 // sum of EntryBytes, without pairs that were dropped
	minT, maxT model.Timestamp
	unordered  bool
}

// pair is one metadata pair: values[start:end] under names[name].
type pair struct{ name, start, end uint32 }

// EntryBytes is what an entry counts for: its line and its metadata, names and values. A level counts when it is none of
// the known ones, so that whoever sends levels of their own stays within the same limits.
func EntryBytes(e model.Entry) int64 {
	n := int64(len(e.Line))
	if _, ok := knownLevelCode(e.Level); !ok {
		n += int64(len(e.Level))
	}
	for _, p := range e.Metadata {
		n += int64(len(p.Name) + len(p.Value))
	}
	return n
}

// Fits reports whether e can be appended without breaking a limit of a chunk. Empty Rows take any entry up to
// EntryBytesMax.
func (r *Rows) Fits(e model.Entry) bool { return r.FitsBytes(EntryBytes(e)) }

// FitsBytes is Fits for an entry of n bytes.
func (r *Rows) FitsBytes(n int64) bool {
	if r.Len() == 0 {
		return n <= EntryBytesMax
	}
	return r.Len() < EntriesMax && r.v.raw+n <= RawBytesMax
}

// Append adds an entry and copies all of it. Pairs without a value are dropped: an empty value means absent. The caller
// asks Fits first; Encode refuses rows that break the limits.
func (r *Rows) Append(e model.Entry) {
	v := &r.v
	n := len(v.times)
	if n == 0 {
		v.minT, v.maxT = e.Timestamp, e.Timestamp
	} else if e.Timestamp < v.times[n-1] {
		v.unordered = true
	}
	v.minT, v.maxT = min(v.minT, e.Timestamp), max(v.maxT, e.Timestamp)
	if n == cap(v.times) {
		v.times = timeVectors.Grow(v.times, 1, r.shown.Load())
	}
	v.times = append(v.times, e.Timestamp)
	if len(v.lines)+len(e.Line) > cap(v.lines) {
		v.lines = byteVectors.Grow(v.lines, len(e.Line), r.shown.Load())
	}
	v.lines = append(v.lines, e.Line...)
	v.ends = r.appendEnd(v.ends, len(v.lines))
	v.raw += int64(len(e.Line))
	if e.Level != "" {
		r.appendLevel(n, e.Level)
	}
	if len(e.Metadata) > 0 {
		r.appendMetadata(n, e.Metadata)
	}
}

func (r *Rows) appendEnd(ends []uint32, end int) []uint32 {
	if len(ends) == cap(ends) {
		ends = uint32Vectors.Grow(ends, 1, r.shown.Load())
	}
	return append(ends, uint32(end))
}

func (r *Rows) appendLevel(n int, level string) {
	v := &r.v
	if n >= cap(v.levels) {
		v.levels = uint16Vectors.Grow(v.levels, n+1-len(v.levels), r.shown.Load())
	}
	for len(v.levels) < n { // entries without a level cost nothing until the first one that has it
		v.levels = append(v.levels, levelAbsent)
	}
	code := r.levelCode(level)
	v.levels = append(v.levels, code)
	if code >= levelCustom {
		v.raw += int64(len(level))
	}
}

func (r *Rows) appendMetadata(n int, md []model.Pair) {
	v := &r.v
	for len(v.pairEnds) < n {
		v.pairEnds = r.appendEnd(v.pairEnds, len(v.pairs))
	}
	if len(v.pairs)+len(md) > cap(v.pairs) {
		v.pairs = pairVectors.Grow(v.pairs, len(md), r.shown.Load())
	}
	for _, p := range md {
		if p.Value == "" {
			continue
		}
		v.raw += int64(len(p.Name) + len(p.Value))
		code := r.nameCode(p.Name)
		last := r.lastPair[code]
		if string(v.values[last.start:last.end]) != p.Value { // a pod's name is the same in every entry: keep it once
			if len(v.values)+len(p.Value) > cap(v.values) {
				v.values = byteVectors.Grow(v.values, len(p.Value), r.shown.Load())
			}
			start := uint32(len(v.values))
			v.values = append(v.values, p.Value...)
			last = pair{name: code, start: start, end: uint32(len(v.values))}
			r.lastPair[code] = last
		}
		v.pairs = append(v.pairs, last)
	}
	v.pairEnds = r.appendEnd(v.pairEnds, len(v.pairs))
}

func (r *Rows) levelCode(level string) uint16 {
	if c, ok := knownLevelCode(level); ok {
		return c
	}
	if c, ok := r.levelCodes[level]; ok {
		return c
	}
	if r.levelCodes == nil {
		r.levelCodes = make(map[string]uint16)
	}
	level = string(append([]byte(nil), level...)) // the entry's strings belong to the caller
	c := uint16(levelCustom + len(r.v.levelNames))
	r.levelCodes[level] = c
	r.v.levelNames = append(r.v.levelNames, level)
	r.dictBytes += int64(len(level)) + dictEntryBytes
	return c
}

func (r *Rows) nameCode(name string) uint32 {
	if c, ok := r.nameCodes[name]; ok {
		return c
	}
	if r.nameCodes == nil {
		r.nameCodes = make(map[string]uint32)
	}
	name = string(append([]byte(nil), name...))
	c := uint32(len(r.v.names))
	r.nameCodes[name] = c
	r.v.names = append(r.v.names, name)
	r.lastPair = append(r.lastPair, pair{name: c})
	r.dictBytes += int64(len(name)) + dictEntryBytes
	return c
}

// Len returns the number of entries.
func (r *Rows) Len() int { return len(r.v.times) }

// RawBytes returns the bytes of lines and metadata.
func (r *Rows) RawBytes() int64 { return r.v.raw }

// MinTime returns the smallest timestamp; 0 when empty.
func (r *Rows) MinTime() model.Timestamp { return r.v.minT }

// MaxTime returns the largest timestamp; 0 when empty.
func (r *Rows) MaxTime() model.Timestamp { return r.v.maxT }

// InOrder reports whether timestamps never decrease.
func (r *Rows) InOrder() bool { return !r.v.unordered }

// dictEntryBytes is what one interned string costs besides its bytes: a slice slot and a map slot.
const dictEntryBytes = 64

// MemoryBytes is what the rows hold, counted by capacity.
func (r *Rows) MemoryBytes() int64 {
	v := &r.v
	n := int64(unsafe.Sizeof(*r)) + r.dictBytes
	n += int64(cap(v.times))*8 + int64(cap(v.lines)) + int64(cap(v.ends))*4 + int64(cap(v.levels))*2
	n += int64(cap(v.pairs)+cap(r.lastPair))*int64(unsafe.Sizeof(pair{})) + int64(cap(v.pairEnds))*4 + int64(cap(v.values))
	return n
}

// Snapshot returns what is there now. It stays valid for ever.
func (r *Rows) Snapshot() View {
	if !r.shown.Load() { // readers share the line
		r.shown.Store(true)
	}
	return r.v
}

// Peek is what is there now for the owner's eyes: neither it nor a string from it may be used after the next Append or
// Recycle.
func (r *Rows) Peek() *View { return &r.v }

// Recycle ends the rows: unless a Snapshot may still read them, other rows will use their arrays.
func (r *Rows) Recycle() {
	v := &r.v
	if r.shown.Load() {
		return
	}
	timeVectors.Recycle(v.times)
	byteVectors.Recycle(v.lines)
	uint32Vectors.Recycle(v.ends)
	uint16Vectors.Recycle(v.levels)
	pairVectors.Recycle(v.pairs)
	uint32Vectors.Recycle(v.pairEnds)
	byteVectors.Recycle(v.values)
	*v = View{}
}

// Len returns the number of entries.
func (v *View) Len() int { return len(v.times) }

// RawBytes returns the bytes of lines and metadata.
func (v *View) RawBytes() int64 { return v.raw }

// MinTime returns the smallest timestamp; 0 when empty.
func (v *View) MinTime() model.Timestamp { return v.minT }

// MaxTime returns the largest timestamp; 0 when empty.
func (v *View) MaxTime() model.Timestamp { return v.maxT }

// InOrder reports whether timestamps never decrease.
func (v *View) InOrder() bool { return !v.unordered }

// Timestamps returns the time column. It must not be changed.
func (v *View) Timestamps() []model.Timestamp { return v.times }

// Timestamp returns the time of entry i.
func (v *View) Timestamp(i int) model.Timestamp { return v.times[i] }

// Lines returns all lines joined, and the end of each. They must not be changed.
func (v *View) Lines() (buf []byte, ends []uint32) { return v.lines, v.ends }

// Line returns line i. The string stays valid for ever: its bytes are never rewritten.
func (v *View) Line(i int) string {
	start := uint32(0)
	if i > 0 {
		start = v.ends[i-1]
	}
	return bytesString(v.lines[start:v.ends[i]])
}

// Level returns the level of entry i, "" when it has none.
func (v *View) Level(i int) string {
	if i >= len(v.levels) {
		return ""
	}
	c := v.levels[i]
	if c < levelCustom {
		return knownLevels[c]
	}
	return v.levelNames[c-levelCustom]
}

// Metadata appends the pairs of entry i to dst, in the order in which they came.
func (v *View) Metadata(dst []model.Pair, i int) []model.Pair {
	for _, p := range v.entryPairs(i) {
		dst = append(dst, model.Pair{Name: v.names[p.name], Value: bytesString(v.values[p.start:p.end])})
	}
	return dst
}

// Entry returns entry i. Its strings stay valid for ever.
func (v *View) Entry(i int) model.Entry {
	return model.Entry{Timestamp: v.times[i], Line: v.Line(i), Metadata: v.Metadata(nil, i), Level: v.Level(i)}
}

func (v *View) entryPairs(i int) []pair {
	if i >= len(v.pairEnds) {
		return nil
	}
	start := uint32(0)
	if i > 0 {
		start = v.pairEnds[i-1]
	}
	return v.pairs[start:v.pairEnds[i]]
}

// bytesString views bytes that are never written again as a string.
func bytesString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
