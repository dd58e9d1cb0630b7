package chunk

import (
	"bytes"
	"encoding/binary"
)

// runSet tells runs that were seen before from new ones. Logs repeat themselves: nine of ten runs in a chunk are no new ones.
// Runs are compared by their bytes: one taken for another would lose its keys.
type runSet struct {
	slots []runSlot // open addressing, a power of two; free when length is 0
	used  int
}

// runSlot is one run: its bytes when there are at most eight, else their hash and where they are.
type runSlot struct {
	word   uint64
	offset uint32
	length uint32 // and runAfterDot
}

// runAfterDot marks a run behind a dot, which has other keys than the same run elsewhere.
const runAfterDot = 1 << 31

func (s *runSet) reset(expected int) {
	s.used = 0
	s.size(slotsFor(expected))
}

func (s *runSet) size(slots int) {
	if cap(s.slots) < slots {
		s.slots = make([]runSlot, slots)
		return
	}
	s.slots = s.slots[:slots]
	clear(s.slots)
}

// add reports whether the run text[from:to], which is not empty, is new. All calls since reset have the same text.
func (s *runSet) add(text []byte, from, to int, dot bool) bool {
	slot := runSlot{word: wordOf(text, from, to), offset: uint32(from), length: uint32(to - from)}
	if dot {
		slot.length |= runAfterDot
	}
	if !s.place(text, slot) {
		return false
	}
	if s.used++; 2*s.used > len(s.slots) {
		s.grow(text)
	}
	return true
}

// place reports whether the run was new.
func (s *runSet) place(text []byte, run runSlot) bool {
	mask := uint64(len(s.slots) - 1)
	for i := run.word * spread >> 32 & mask; ; i = (i + 1) & mask {
		at := &s.slots[i]
		if at.length == 0 {
			*at = run
			return true
		}
		if at.word == run.word && at.length == run.length {
			n := int(run.length &^ runAfterDot)
			if n <= 8 || bytes.Equal(text[at.offset:][:n], text[run.offset:][:n]) {
				return false
			}
		}
	}
}

func (s *runSet) grow(text []byte) {
	old := s.slots
	s.slots = make([]runSlot, 2*len(old))
	for _, run := range old {
		if run.length != 0 {
			s.place(text, run)
		}
	}
}

// wordOf returns the bytes of a run up to eight, else a hash of them.
func wordOf(text []byte, from, to int) uint64 {
	n := to - from
	if n <= 8 {
		if from+8 <= len(text) {
			return binary.LittleEndian.Uint64(text[from:]) << (64 - 8*n) // a shift by 64 gives 0
		}
		var word uint64 // as above, near the end of the text
		for _, c := range text[from:to] {
			word = word>>8 | uint64(c)<<56
		}
		return word
	}
	h := uint64(n)
	for ; to-from > 8; from += 8 {
		h = (h ^ binary.LittleEndian.Uint64(text[from:])) * spread
		h ^= h >> 32
	}
	h = (h ^ binary.LittleEndian.Uint64(text[to-8:])) * spread
	return h ^ h>>32
}
