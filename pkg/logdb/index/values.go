package index

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"
)

func groupKey(sym uint32, group int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, sym), uint32(group))
}

// fenceList is the list of fences of one name, immutable.
type fenceList struct {
	values, groups uint64
	ends, joined   []byte
}

func decodeFences(b []byte) (*fenceList, error) {
	f := &fenceList{}
	c := cursor{b: b}
	f.values = c.number(1 << 32)
	f.groups = c.number(1 << 32)
	f.ends = c.take(4 * f.groups)
	f.joined = c.b
	if c.bad || f.groups == 0 || f.groups != (f.values+groupValues-1)/groupValues {
		return nil, corrupt("fences out of range")
	}
	for i, end := 0, uint32(0); i < len(f.ends); i += 4 {
		next := binary.LittleEndian.Uint32(f.ends[i:])
		if next < end || uint64(next) > uint64(len(f.joined)) {
			return nil, corrupt("fences out of range")
		}
		end = next
	}
	return f, nil
}

func (f *fenceList) fence(i int) string {
	start := uint32(0)
	if i > 0 {
		start = binary.LittleEndian.Uint32(f.ends[4*i-4:])
	}
	return view(f.joined[start:binary.LittleEndian.Uint32(f.ends[4*i:])])
}

// find returns the group that holds value, if any does: the last one whose fence is not above it.
func (f *fenceList) find(value string) (group int) {
	return max(0, sort.Search(int(f.groups), func(i int) bool { return f.fence(i) > value })-1)
}

// span returns the groups [first, last) that may hold values with the prefix.
func (f *fenceList) span(prefix string) (first, last int) {
	first = f.find(prefix)
	// A fence may be shorter than the prefix; beyond are only those that are above it and do not start with it.
	last = sort.Search(int(f.groups), func(i int) bool {
		return f.fence(i) > prefix && !strings.HasPrefix(f.fence(i), prefix)
	})
	return first, max(last, first+1)
}

// spans returns the groups, ascending, that may hold values with one of the sorted prefixes.
func (f *fenceList) spans(prefixes []string) (groups []int) {
	if f.groups == 0 {
		return nil
	}
	next := 0
	for _, prefix := range prefixes {
		first, last := f.span(prefix)
		for next = max(next, first); next < last; next++ {
			groups = append(groups, next)
		}
	}
	return groups
}

// decodeEnds reads n lengths up to limit into dst, as where each ends, and returns the last end.
func decodeEnds(dst []uint32, c *cursor, n int, limit uint64) ([]uint32, uint64) {
	dst = slices.Grow(dst[:0], n)[:n]
	end, i := uint64(0), 0
	for i < len(dst) && i < len(c.b) && c.b[i] < 0x80 { // as nearly all are
		end += uint64(c.b[i])
		dst[i] = uint32(end)
		i++
	}
	c.b = c.b[i:]
	for ; i < len(dst); i++ {
		end += c.number(limit)
		dst[i] = uint32(end)
	}
	return dst, end
}

// valueGroup is one group of values.
type valueGroup struct {
	ends   []uint32
	joined []byte
}

// decode reads a group; it keeps b.
func (g *valueGroup) decode(b []byte) error {
	c := cursor{b: b}
	n := c.number(groupValues)
	var end uint64
	g.ends, end = decodeEnds(g.ends, &c, int(n), textBytesMax)
	g.joined = c.b
	if c.bad || n == 0 || end != uint64(len(c.b)) {
		return corrupt("group of values out of range")
	}
	return nil
}

func (g *valueGroup) len() int { return len(g.ends) }

func (g *valueGroup) value(i int) string {
	return valueAt(g.joined, g.ends, i)
}

// postingsGroup is the small sets of one group of values.
type postingsGroup struct {
	ends []uint32
	sets []byte
}

// decode reads the sets of n values; it keeps b.
func (p *postingsGroup) decode(b []byte, n int) error {
	c := cursor{b: b}
	var end uint64
	p.ends, end = decodeEnds(p.ends, &c, n, inlineStreams*binary.MaxVarintLen32)
	p.sets = c.b
	if c.bad || end != uint64(len(c.b)) {
		return corrupt("group of postings out of range")
	}
	return nil
}

func (p *postingsGroup) set(slot int) []byte {
	start := uint32(0)
	if slot > 0 {
		start = p.ends[slot-1]
	}
	return p.sets[start:p.ends[slot]]
}

// inline reports whether the slot's set lies here and not under a key of its own.
func (p *postingsGroup) inline(slot int) bool { return len(p.set(slot)) > 0 }

// list appends the streams of a slot to dst.
func (p *postingsGroup) list(dst []uint32, slot int, streams uint64) ([]uint32, error) {
	return decodeList(dst, &cursor{b: p.set(slot)}, -1, streams)
}

func (p *postingsGroup) addTo(dst *roaring.Bitmap, slot int, streams uint64) error {
	var space [inlineStreams]uint32
	list, err := p.list(space[:0], slot, streams)
	if err != nil {
		return err
	}
	dst.AddMany(list)
	return nil
}

// Values calls f for each value of the name that starts with prefix, in order.
func (d *Disk) Values(name, prefix string, f func(value string, p Postings) error) error {
	scan, err := d.scan(name)
	if err != nil {
		return fmt.Errorf("values of label %q: %w", name, err)
	}
	for _, group := range scan.fences.spans([]string{prefix}) {
		if err := scan.open(group); err != nil {
			return fmt.Errorf("values of label %q: %w", name, err)
		}
		for scan.slot = 0; scan.slot < scan.values.len(); scan.slot++ {
			v := scan.values.value(scan.slot)
			if !strings.HasPrefix(v, prefix) {
				continue
			}
			if err := f(v, scan); err != nil {
				return err
			}
		}
	}
	return nil
}

// matching searches the groups that may hold values with the right beginning and then gathers the streams of the smaller
// half: of the values that match, or of the others.
func (d *Disk) matching(name string, r *valueRegexp) (set *roaring.Bitmap, others bool, err error) {
	scan, err := d.scan(name)
	if err != nil {
		return nil, false, fmt.Errorf("values of label %q: %w", name, err)
	}
	var hits groupHits
	groups := scan.fences.spans(r.prefixes)
	for _, group := range groups {
		if err := scan.open(group); err != nil {
			return nil, false, fmt.Errorf("values of label %q: %w", name, err)
		}
		hits.add(r.find(scan.values.joined, scan.values.ends))
	}
	others = len(groups) == int(scan.fences.groups) && uint64(hits.count)*2 > scan.fences.values
	refs := newRefSet(d.counts.streams)
	for i, group := range groups {
		chosen := hits.of(i, scan.count(group), others)
		if err := scan.gather(refs, group, &chosen); err != nil {
			return nil, false, fmt.Errorf("postings of label %q: %w", name, err)
		}
	}
	return refs.bitmap(), others, nil
}

// scan prepares a walk over the groups of a name. A name that is not there has no groups.
func (d *Disk) scan(name string) (*valueScan, error) {
	sym, ok := d.sym(name)
	if !ok {
		return &valueScan{fences: &fenceList{}}, nil
	}
	fences, err := d.fences(sym)
	return &valueScan{d: d, sym: sym, fences: fences}, err
}

// valueScan walks groups of values. It is the Postings of the value at hand.
type valueScan struct {
	d      *Disk
	sym    uint32
	fences *fenceList
	key    [8]byte // of the group at hand
	slot   int

	valuesWalk, setsWalk, bigWalk pageWalk

	values valueGroup
	loaded bool // small holds the sets of the group at hand
	small  postingsGroup
	space  [inlineStreams]uint32
}

// count returns how many values a group has.
func (s *valueScan) count(group int) int {
	return int(min(groupValues, s.fences.values-uint64(group)*groupValues))
}

func (s *valueScan) seek(group int) {
	binary.BigEndian.PutUint32(s.key[:], s.sym)
	binary.BigEndian.PutUint32(s.key[4:], uint32(group))
	s.loaded = false
}

// open brings in the values of a group.
func (s *valueScan) open(group int) error {
	s.seek(group)
	b, err := s.valuesWalk.get(s.d.pages, &s.d.sets.values, s.key[:])
	if err != nil {
		return err
	}
	if err := s.values.decode(b); err != nil {
		return err
	}
	if s.values.len() != s.count(group) {
		return corrupt("group of %d values, want %d", s.values.len(), s.count(group))
	}
	return nil
}

// load brings in the small sets of the group at hand, which has count values, once.
func (s *valueScan) load(count int) error {
	if s.loaded {
		return nil
	}
	b, err := s.setsWalk.get(s.d.pages, &s.d.sets.postings, s.key[:])
	if err != nil {
		return err
	}
	s.loaded = true
	return s.small.decode(b, count)
}

// gather adds the streams of some values of a group.
func (s *valueScan) gather(refs *refSet, group int, chosen *slots) error {
	s.seek(group)
	for slot := chosen.next(0); slot >= 0; slot = chosen.next(slot + 1) {
		if err := s.load(s.count(group)); err != nil {
			return err
		}
		s.slot = slot
		if s.small.inline(slot) {
			list, err := s.small.list(s.space[:0], slot, s.d.counts.streams)
			if err != nil {
				return err
			}
			refs.add(list...)
			continue
		}
		set, err := s.big()
		if err != nil {
			return err
		}
		refs.addSet(set)
	}
	return nil
}

// big reads the set of the value at hand, which has a key of its own. It walks by itself: the other walk holds the page with
// the small sets.
func (s *valueScan) big() (*roaring.Bitmap, error) {
	return s.d.bigSet(&s.bigWalk, append(s.key[:len(s.key):len(s.key)], byte(s.slot)))
}

// AddTo adds the streams of the value at hand to dst.
func (s *valueScan) AddTo(dst *roaring.Bitmap) error {
	if err := s.load(s.values.len()); err != nil {
		return err
	}
	if s.small.inline(s.slot) {
		return s.small.addTo(dst, s.slot, s.d.counts.streams)
	}
	set, err := s.big()
	if err != nil {
		return err
	}
	dst.Or(set)
	return nil
}

// intersects reports whether some stream of the value at hand is in other.
func (s *valueScan) intersects(other refFilter) (bool, error) {
	if err := s.load(s.values.len()); err != nil {
		return false, err
	}
	if s.small.inline(s.slot) {
		list, err := s.small.list(s.space[:0], s.slot, s.d.counts.streams)
		return err == nil && slices.ContainsFunc(list, other.contains), err
	}
	set, err := s.big()
	if err != nil {
		return false, err
	}
	found := false
	set.Iterate(func(ref uint32) bool {
		found = other.contains(ref)
		return !found
	})
	return found, nil
}

// view views bytes as a string for as long as nothing writes them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
