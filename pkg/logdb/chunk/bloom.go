package chunk

import "encoding/binary"

const (
	bloomLine = 64 // bytes: a cache line, all that a probe touches
	bloomBits = 8 * bloomLine
)

// bloom is a blocked bloom filter: lines of 64 bytes. A key has one line and in it four bits, one in each quarter.
type bloom []byte

// mix spreads the bits of a number over all of them (the finalizer of SplitMix64); different numbers stay different.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// line returns the key's line: its upper half says which, its lower half which bits. There must be a line.
func (b bloom) line(key uint64) []byte {
	lines := uint64(len(b) / bloomLine)
	at := (key >> 32) * lines >> 32 * bloomLine
	return b[at : at+bloomLine : at+bloomLine]
}

func (b bloom) add(key uint64) {
	line := b.line(key)
	for quarter := range 4 {
		bit := key >> (7 * quarter) & 127
		line[16*quarter+int(bit>>3)] |= 1 << (bit & 7)
	}
}

// has reports whether the key may have been added. It looks at all four bits without branching in between: mostly the first
// one already says no, but which one does is a guess that the processor gets wrong.
func (b bloom) has(key uint64) bool {
	line := b.line(key)
	all := binary.LittleEndian.Uint64(line[key>>6&1<<3:]) >> (key & 63)
	all &= binary.LittleEndian.Uint64(line[16+key>>13&1<<3:]) >> (key >> 7 & 63)
	all &= binary.LittleEndian.Uint64(line[32+key>>20&1<<3:]) >> (key >> 14 & 63)
	all &= binary.LittleEndian.Uint64(line[48+key>>27&1<<3:]) >> (key >> 21 & 63)
	return all&1 != 0
}

// keySet collects distinct keys in the order in which they come.
type keySet struct {
	list  []uint64
	slots []uint64 // open addressing, a power of two; 0 is free
}

// reset empties the set and makes room for about so many keys.
func (s *keySet) reset(expected int) {
	s.list = s.list[:0]
	s.size(slotsFor(expected))
}

func slotsFor(expected int) int {
	n := 1 << 8
	for n < 2*expected {
		n <<= 1
	}
	return n
}

func (s *keySet) size(slots int) {
	if cap(s.slots) < slots {
		s.slots = make([]uint64, slots)
		return
	}
	s.slots = s.slots[:slots]
	clear(s.slots)
}

// add adds a key, which is not 0.
func (s *keySet) add(key uint64) {
	if !s.place(key) {
		return
	}
	s.list = append(s.list, key)
	if 2*len(s.list) > len(s.slots) {
		s.size(2 * len(s.slots))
		for _, k := range s.list {
			s.place(k)
		}
	}
}

// place reports whether the key was new.
func (s *keySet) place(key uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for i := key >> 16 & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case key:
			return false
		case 0:
			s.slots[i] = key
			return true
		}
	}
}
