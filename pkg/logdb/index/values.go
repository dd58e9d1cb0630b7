package index

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"
)

func groupKey(sym uint32, group int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, sym), uint32(group))
}

// fenceList is the list of fences of one name. It checks what it touches: a look-up touches few of them.
type fenceList struct {
	values, groups uint64
	ends, joined   []byte
	bad            bool // some fence lay outside
}

func decodeFences(b []byte) (f fenceList, err error) {
	c := cursor{b: b}
	f.values = c.number(1 << 32)
	f.groups = c.number(1 << 32)
	f.ends = c.take(4 * f.groups)
	f.joined = c.b
	if c.bad || f.groups == 0 || f.groups != (f.values+groupValues-1)/groupValues {
		return f, corrupt("fences out of range")
	}
	return f, nil
}

func (f *fenceList) fence(i int) string {
	start, end := uint32(0), binary.LittleEndian.Uint32(f.ends[4*i:])
	if i > 0 {
		start = binary.LittleEndian.Uint32(f.ends[4*i-4:])
	}
	if start > end || uint64(end) > uint64(len(f.joined)) {
		f.bad = true
		return ""
	}
	return view(f.joined[start:end])
}

// find returns the group that holds value, if any does: the last one whose fence is not above it.
func (f *fenceList) find(value string) (group int, err error) {
	group = max(0, sort.Search(int(f.groups), func(i int) bool { return f.fence(i) > value })-1)
	if f.bad {
		return 0, corrupt("fences out of range")
	}
	return group, nil
}

// span returns the groups [first, last) that may hold values with the prefix.
func (f *fenceList) span(prefix string) (first, last int, err error) {
	first, err = f.find(prefix)
	// A fence may be shorter than the prefix; beyond are only those that are above it and do not start with it.
	last = sort.Search(int(f.groups), func(i int) bool {
		return f.fence(i) > prefix && !strings.HasPrefix(f.fence(i), prefix)
	})
	if err == nil && f.bad {
		err = corrupt("fences out of range")
	}
	return first, max(last, first+1), err
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
	g.ends = g.ends[:0]
	end := uint64(0)
	for range n {
		end += c.number(textBytesMax)
		g.ends = append(g.ends, uint32(end))
	}
	g.joined = c.b
	if c.bad || n == 0 || end != uint64(len(c.b)) {
		return corrupt("group of values out of range")
	}
	return nil
}

func (g *valueGroup) len() int { return len(g.ends) }

func (g *valueGroup) value(i int) string {
	start := uint32(0)
	if i > 0 {
		start = g.ends[i-1]
	}
	return view(g.joined[start:g.ends[i]])
}

// postingsGroup is the small sets of one group of values.
type postingsGroup struct {
	ends []uint32
	sets []byte
}

// decode reads the sets of n values; it keeps b.
func (p *postingsGroup) decode(b []byte, n int) error {
	c := cursor{b: b}
	p.ends = p.ends[:0]
	end := uint64(0)
	for range n {
		end += c.number(inlineStreams * binary.MaxVarintLen32)
		p.ends = append(p.ends, uint32(end))
	}
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

func (p *postingsGroup) addTo(dst *roaring.Bitmap, slot int, streams uint64) error {
	var space [inlineStreams]uint32
	list, err := decodeList(space[:0], &cursor{b: p.set(slot)}, -1, streams)
	if err != nil {
		return err
	}
	dst.AddMany(list)
	return nil
}

// Values calls f for each value of the name that starts with prefix, in order.
func (d *Disk) Values(name, prefix string, f func(value string, p Postings) error) error {
	sym, ok := d.sym(name)
	if !ok {
		return nil
	}
	fences, err := d.fences(sym)
	if err != nil {
		return fmt.Errorf("values of label %q: %w", name, err)
	}
	group, last, err := fences.span(prefix)
	if err != nil {
		return fmt.Errorf("values of label %q: %w", name, err)
	}
	scan := valueScan{d: d, sym: sym}
	for ; group < last; group++ {
		if err := scan.open(group); err != nil {
			return fmt.Errorf("values of label %q: %w", name, err)
		}
		for scan.slot = 0; scan.slot < scan.values.len(); scan.slot++ {
			v := scan.values.value(scan.slot)
			if !strings.HasPrefix(v, prefix) {
				continue
			}
			if err := f(v, &scan); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueScan walks groups of values. It is the Postings of the value at hand.
type valueScan struct {
	d     *Disk
	sym   uint32
	group int
	slot  int

	blob   []byte
	values valueGroup
	loaded bool // postings hold those of the group at hand
	data   []byte
	small  postingsGroup
}

func (s *valueScan) open(group int) (err error) {
	s.group, s.loaded = group, false
	s.blob, err = s.d.pages.get(s.blob[:0], &s.d.sets.values, groupKey(s.sym, group))
	if err != nil {
		return err
	}
	return s.values.decode(s.blob)
}

// load brings in the small sets of the group at hand, once.
func (s *valueScan) load() (err error) {
	if s.loaded {
		return nil
	}
	s.data, err = s.d.pages.get(s.data[:0], &s.d.sets.postings, groupKey(s.sym, s.group))
	if err != nil {
		return err
	}
	s.loaded = true
	return s.small.decode(s.data, s.values.len())
}

// big reads the set of the value at hand, which has a key of its own.
func (s *valueScan) big() (*roaring.Bitmap, error) {
	return s.d.bigSet(groupKey(s.sym, s.group), s.slot)
}

// AddTo adds the streams of the value at hand to dst.
func (s *valueScan) AddTo(dst *roaring.Bitmap) error {
	if err := s.load(); err != nil {
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

// Intersects reports whether some stream of the value at hand is in other.
func (s *valueScan) Intersects(other *roaring.Bitmap) (bool, error) {
	if err := s.load(); err != nil {
		return false, err
	}
	if !s.small.inline(s.slot) {
		set, err := s.big()
		return err == nil && set.Intersects(other), err
	}
	var space [inlineStreams]uint32
	list, err := decodeList(space[:0], &cursor{b: s.small.set(s.slot)}, -1, s.d.counts.streams)
	if err != nil {
		return false, err
	}
	for _, ref := range list {
		if other.Contains(ref) {
			return true, nil
		}
	}
	return false, nil
}

// view views bytes as a string for as long as nothing writes them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
