package index

import (
	"hash/maphash"
	"sort"
	"unsafe"
)

// memName is one label name of a Mem: its streams, and its values in order of appearance, numbered from 0. The values lie in
// groups of joined text as they do on disk, so that a regexp searches both in the same way.
//
// Group and slot of value i are i/groupValues and i%groupValues. Texts, ends and first refs are written once and only ever
// appended, so whoever has copied the headers of the slices under the lock may read these without it.
type memName struct {
	memRefs
	last map[uint64]uint32 // by hash of the value: the number, plus one, of the newest value that has it
	full []*memGroup       // each with groupValues values
	open memGroup          // with less
}

type memGroup struct {
	joined []byte
	ends   []uint32
	values []memValue
}

type memValue struct {
	memRefs
	before uint32 // number, plus one, of the value before that has the same hash; 0: none
}

// memRefs is an ascending list of streams, never empty. Most values of a large name have but one.
type memRefs struct {
	first uint32   // never changes, may be read without the lock
	more  []uint32 // guarded by the lock of Mem
}

const memValueBytes = int64(unsafe.Sizeof(memValue{}))

// hashSeed keeps a client from choosing values that have the same hash.
var hashSeed = maphash.MakeSeed()

func newMemName(first uint32) *memName {
	return &memName{memRefs: memRefs{first: first}, last: make(map[uint64]uint32)}
}

func (n *memName) group(g int) *memGroup {
	if g < len(n.full) {
		return n.full[g]
	}
	return &n.open
}

// find returns a value, nil when there is none. hash is of the value.
func (n *memName) find(value string, hash uint64) *memValue {
	for number := n.last[hash]; number > 0; {
		g, slot := n.group(int(number-1)/groupValues), int(number-1)%groupValues
		v := &g.values[slot]
		if valueAt(g.joined, g.ends, slot) == value {
			return v
		}
		number = v.before
	}
	return nil
}

// add appends a new value and returns by how many bytes the name grew.
func (n *memName) add(value string, hash uint64, first uint32) (grown int64) {
	g := &n.open
	before := g.bytes()
	if len(g.values) == 0 && len(n.full) > 0 {
		// Full groups are kept for long, so the next one gets the room that it will need.
		last := n.full[len(n.full)-1]
		*g = memGroup{
			joined: make([]byte, 0, len(last.joined)+len(last.joined)/16),
			ends:   make([]uint32, 0, groupValues),
			values: make([]memValue, 0, groupValues),
		}
	}
	g.joined = append(g.joined, value...)
	g.ends = append(g.ends, uint32(len(g.joined)))
	g.values = append(g.values, memValue{memRefs: memRefs{first: first}, before: n.last[hash]})
	grown = g.bytes() - before + memMapSlotBytes
	n.last[hash] = uint32(len(n.full)*groupValues + len(g.values))
	if len(g.values) == groupValues {
		full := *g
		n.full = append(n.full, &full)
		n.open = memGroup{}
	}
	return grown
}

func (g *memGroup) bytes() int64 {
	return int64(cap(g.joined)) + 4*int64(cap(g.ends)) + memValueBytes*int64(cap(g.values))
}

// memValues is the values of a name that a snapshot sees. Their refs may go beyond what it sees.
type memValues struct {
	full []*memGroup
	open memGroup // the last group, cut to what is seen
}

func (v *memValues) groups() int { return len(v.full) + min(1, len(v.open.ends)) }

func (v *memValues) group(i int) *memGroup {
	if i < len(v.full) {
		return v.full[i]
	}
	return &v.open
}

func (v *memValues) count() int { return len(v.full)*groupValues + len(v.open.ends) }

// values returns the values of a name. They are in order of their first refs, so those that are not seen lie at the end.
func (s *memSnapshot) values(text string) memValues {
	s.m.mu.RLock()
	name := s.m.names[text]
	if name == nil || len(s.all) == 0 {
		s.m.mu.RUnlock()
		return memValues{}
	}
	v := memValues{full: name.full, open: name.open}
	s.m.mu.RUnlock()

	last := v.groups() - 1
	for last >= 0 && v.group(last).values[0].first > s.last {
		last--
	}
	if last < 0 {
		return memValues{}
	}
	open := *v.group(last)
	n := sort.Search(len(open.values), func(i int) bool { return open.values[i].first > s.last })
	open.ends, open.values = open.ends[:n], open.values[:n]
	open.joined = open.joined[:open.ends[n-1]]
	return memValues{full: v.full[:last], open: open}
}
