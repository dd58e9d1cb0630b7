package index

import (
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

type memName struct {
	memRefs
	values map[string]*memValue
	list   []*memValue // in order of first ref
}

type memValue struct {
	memRefs
	value string
}

// memRefs is an ascending list of streams. first never changes, so it may be read without the lock.
type memRefs struct {
	first uint32
	refs  []uint32
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
			n = &memName{memRefs: memRefs{first: r}, values: make(map[string]*memValue)}
			m.names[strings.Clone(l.Name)] = n
			m.bytes += int64(len(l.Name)) + memEntryBytes
		}
		v, ok := n.values[l.Value]
		if !ok {
			v = &memValue{memRefs: memRefs{first: r}, value: strings.Clone(l.Value)}
			n.values[v.value] = v
			n.list = append(n.list, v)
			m.bytes += int64(len(v.value)) + memEntryBytes
		}
		m.append(&n.refs, r)
		m.append(&v.refs, r)
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

// visible cuts a list to what the snapshot sees.
func (s *memSnapshot) visible(refs []uint32) []uint32 {
	if len(s.all) == 0 {
		return nil
	}
	if n := len(refs); n == 0 || refs[n-1] <= s.last {
		return refs
	}
	n, found := slices.BinarySearch(refs, s.last)
	if found {
		n++
	}
	return refs[:n]
}

// sees reports whether the snapshot sees any stream of a list.
func (s *memSnapshot) sees(r *memRefs) bool { return len(s.all) > 0 && r.first <= s.last }

func (s *memSnapshot) refsOf(r *memRefs) []uint32 {
	s.m.mu.RLock()
	refs := r.refs
	s.m.mu.RUnlock()
	return s.visible(refs)
}

func (s *memSnapshot) lookup(name string) *memName {
	s.m.mu.RLock()
	defer s.m.mu.RUnlock()
	return s.m.names[name]
}

// All returns every stream.
func (s *memSnapshot) All() (*roaring.Bitmap, error) { return bitmapOf(s.all), nil }

// Names returns the label names, sorted.
func (s *memSnapshot) Names() ([]string, error) {
	s.m.mu.RLock()
	defer s.m.mu.RUnlock()
	var names []string
	for name, n := range s.m.names {
		if s.sees(&n.memRefs) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Name returns the streams that have the label.
func (s *memSnapshot) Name(name string) (*roaring.Bitmap, error) {
	n := s.lookup(name)
	if n == nil {
		return roaring.New(), nil
	}
	return bitmapOf(s.refsOf(&n.memRefs)), nil
}

// Postings returns the streams that have the label pair.
func (s *memSnapshot) Postings(name, value string) (*roaring.Bitmap, error) {
	s.m.mu.RLock()
	var refs []uint32
	if n := s.m.names[name]; n != nil {
		if v := n.values[value]; v != nil {
			refs = v.refs
		}
	}
	s.m.mu.RUnlock()
	return bitmapOf(s.visible(refs)), nil
}

// Values calls f for each value, in order of appearance.
func (s *memSnapshot) Values(name, prefix string, f func(value string, p Postings) error) error {
	n := s.lookup(name)
	if n == nil {
		return nil
	}
	s.m.mu.RLock()
	list := n.list
	s.m.mu.RUnlock()
	p := &memPostings{s: s}
	for _, v := range list {
		if !s.sees(&v.memRefs) {
			break // and so are all after it: the list is in order of first ref
		}
		if !strings.HasPrefix(v.value, prefix) {
			continue
		}
		p.v = v
		if err := f(v.value, p); err != nil {
			return err
		}
	}
	return nil
}

type memPostings struct {
	s *memSnapshot
	v *memValue
}

// AddTo adds the streams to dst.
func (p *memPostings) AddTo(dst *roaring.Bitmap) error {
	dst.AddMany(p.s.refsOf(&p.v.memRefs))
	return nil
}

// Intersects reports whether some of the streams is in other.
func (p *memPostings) Intersects(other *roaring.Bitmap) (bool, error) {
	return slices.ContainsFunc(p.s.refsOf(&p.v.memRefs), other.Contains), nil
}

func bitmapOf(refs []uint32) *roaring.Bitmap {
	b := roaring.New()
	b.AddMany(refs)
	return b
}
