package index

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Mem is the live index of a head. One goroutine at a time adds; snapshots may be taken and read at any time.
//
// A stream is added whole under the lock and with a higher ref than any before, and refs are only ever appended. So the
// state at any moment is what lies at or below the highest ref of that moment, and a snapshot is no more than that ref: it
// sees every label of each of its streams and nothing of later ones, whatever is added while it is read.
type Mem struct {
	mu    sync.RWMutex // guards all below; held for look-ups and appends, never while values are matched
	names map[string]*memName
	all   []uint32
	bytes int64
}

// NewMem returns an empty index.
func NewMem() *Mem { return &Mem{names: make(map[string]*memName)} }

// Add indexes a stream, copying its labels; empty values count as absent. Refs must ascend. The stream is in every
// snapshot that is taken after Add returned.
func (m *Mem) Add(ref model.StreamRef, ls labels.Labels) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := uint32(ref)
	invariant.Check(len(m.all) == 0 || m.all[len(m.all)-1] < r, "stream %d added out of order", r)
	m.append(&m.all, r)
	ls.Range(func(l labels.Label) {
		if l.Value == "" {
			return
		}
		n, ok := m.names[l.Name]
		if !ok {
			n = newMemName(r)
			m.names[strings.Clone(l.Name)] = n
			m.bytes += int64(len(l.Name)) + memNameBytes
		} else {
			m.append(&n.more, r)
		}
		hash := maphash.String(hashSeed, l.Value)
		if v := n.find(l.Value, hash); v != nil {
			m.append(&v.more, r)
		} else {
			m.bytes += n.add(l.Value, hash, r)
		}
	})
}

// append adds a ref and counts what the list grew by.
func (m *Mem) append(refs *[]uint32, ref uint32) {
	before := cap(*refs)
	*refs = append(*refs, ref)
	m.bytes += 4 * int64(cap(*refs)-before)
}

// Len returns the number of streams.
func (m *Mem) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.all)
}

// MemoryBytes is what the index holds: texts, lists by capacity, and an estimate of maps.
func (m *Mem) MemoryBytes() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.bytes
}

// Snapshot returns what is there now: every stream added before, whole, and none added later.
func (m *Mem) Snapshot() Reader {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := &memSnapshot{m: m, all: m.all}
	if len(m.all) > 0 {
		s.last = m.all[len(m.all)-1]
	}
	return s
}

// memSnapshot is the state of a Mem when its highest ref was last.
type memSnapshot struct {
	m    *Mem
	all  []uint32
	last uint32
}

var _ Reader = (*memSnapshot)(nil)

// sees reports whether the snapshot sees any stream of a list.
func (s *memSnapshot) sees(first uint32) bool { return len(s.all) > 0 && first <= s.last }

// visible cuts a list to what the snapshot sees.
func (s *memSnapshot) visible(refs []uint32) []uint32 {
	if n := len(refs); n == 0 || refs[n-1] <= s.last {
		return refs
	}
	n, found := slices.BinarySearch(refs, s.last)
	if found {
		n++
	}
	return refs[:n]
}

// newSet returns an empty set of streams that the snapshot sees.
func (s *memSnapshot) newSet() *refSet { return newRefSet(uint64(s.last) + 1) }

// bitmap returns what the snapshot sees of a list that was copied under the lock.
func (s *memSnapshot) bitmap(r memRefs) *roaring.Bitmap {
	more := s.visible(r.more)
	if n := len(more); n > 0 && more[n-1]-r.first == uint32(n) { // all of some range, as for a label that every stream has
		b := roaring.New()
		b.AddRange(uint64(r.first), uint64(more[n-1])+1)
		return b
	}
	set := s.newSet()
	set.add(r.first)
	set.add(more...)
	return set.bitmap()
}

// All returns every stream.
func (s *memSnapshot) All() (*roaring.Bitmap, error) {
	if len(s.all) == 0 {
		return roaring.New(), nil
	}
	return s.bitmap(memRefs{first: s.all[0], more: s.all[1:]}), nil
}

// Names returns the label names, sorted.
func (s *memSnapshot) Names() ([]string, error) {
	s.m.mu.RLock()
	defer s.m.mu.RUnlock()
	var names []string
	for name, n := range s.m.names {
		if s.sees(n.first) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Name returns the streams that have the label.
func (s *memSnapshot) Name(name string) (*roaring.Bitmap, error) {
	var refs memRefs
	s.m.mu.RLock()
	n := s.m.names[name]
	if n != nil {
		refs = n.memRefs
	}
	s.m.mu.RUnlock()
	if n == nil || !s.sees(refs.first) {
		return roaring.New(), nil
	}
	return s.bitmap(refs), nil
}

// Postings returns the streams that have the label pair.
func (s *memSnapshot) Postings(name, value string) (*roaring.Bitmap, error) {
	hash := maphash.String(hashSeed, value)
	var refs memRefs
	found := false
	s.m.mu.RLock()
	if n := s.m.names[name]; n != nil {
		if v := n.find(value, hash); v != nil {
			refs, found = v.memRefs, true
		}
	}
	s.m.mu.RUnlock()
	if !found || !s.sees(refs.first) {
		return roaring.New(), nil
	}
	return s.bitmap(refs), nil
}

// Values calls f for each value, in order of appearance.
func (s *memSnapshot) Values(name, prefix string, f func(value string, p Postings) error) error {
	values := s.values(name)
	p := &memPostings{s: s}
	for i := range values.groups() {
		g := values.group(i)
		for slot := range g.ends {
			v := valueAt(g.joined, g.ends, slot)
			if !strings.HasPrefix(v, prefix) {
				continue
			}
			p.v = &g.values[slot]
			if err := f(v, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// matching searches all groups and then gathers the streams of the smaller half: of the values that match, or of the others.
func (s *memSnapshot) matching(name string, r *valueRegexp) (set *roaring.Bitmap, others bool, err error) {
	values := s.values(name)
	var hits groupHits
	for i := range values.groups() {
		g := values.group(i)
		hits.add(r.find(g.joined, g.ends))
	}
	others = hits.count*2 > values.count()
	refs := s.newSet()
	for i := range values.groups() {
		g := values.group(i)
		chosen := hits.of(i, len(g.ends), others)
		s.m.mu.RLock()
		for slot := chosen.next(0); slot >= 0; slot = chosen.next(slot + 1) {
			refs.add(g.values[slot].first)
			refs.add(s.visible(g.values[slot].more)...)
		}
		s.m.mu.RUnlock()
	}
	return refs.bitmap(), others, nil
}

type memPostings struct {
	s *memSnapshot
	v *memValue
}

func (p *memPostings) refs() memRefs {
	p.s.m.mu.RLock()
	defer p.s.m.mu.RUnlock()
	return p.v.memRefs
}

// AddTo adds the streams to dst.
func (p *memPostings) AddTo(dst *roaring.Bitmap) error {
	refs := p.refs()
	dst.Add(refs.first)
	dst.AddMany(p.s.visible(refs.more))
	return nil
}

// intersects reports whether some of the streams is in other.
func (p *memPostings) intersects(other refFilter) (bool, error) {
	refs := p.refs()
	return other.contains(refs.first) || slices.ContainsFunc(p.s.visible(refs.more), other.contains), nil
}
