package vfs

import (
	"math/rand"
	"slices"
)

// sectorBytes is the unit a crash keeps or loses: what disks have always written whole.
const sectorBytes = 512

// memContent is a file's bytes in the two places they live: the page cache and the disk.
type memContent struct {
	data  []byte     // what reads see
	disk  []byte     // what a crash surely keeps
	dirty []memWrite // what was done since the last sync, oldest first
	// lost holds sectors as they stood at a failed sync: a kernel may have written them or not and calls them clean
	// either way, so no later sync makes them durable; only writing them again does.
	lost     map[int64][]byte
	lostSize int64 // the size at the last failed sync
}

// memWrite is one write, or, with nil data, a truncation to offset.
type memWrite struct {
	offset int64
	data   []byte
	size   int64 // of the file afterwards
}

func (c *memContent) readAt(p []byte, off int64) int {
	if off >= int64(len(c.data)) {
		return 0
	}
	return copy(p, c.data[off:])
}

func (c *memContent) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	w := memWrite{offset: off, data: slices.Clone(p), size: max(int64(len(c.data)), off+int64(len(p)))}
	c.data = w.apply(c.data)
	c.dirty = append(c.dirty, w)
}

func (c *memContent) truncate(size int64) {
	w := memWrite{offset: size, size: size}
	c.data = w.apply(c.data)
	c.dirty = append(c.dirty, w)
}

// apply returns content with the operation done to it.
func (w memWrite) apply(content []byte) []byte {
	if w.data == nil {
		content = content[:min(int64(len(content)), w.offset)]
		return resize(content, w.offset)
	}
	if end := w.offset + int64(len(w.data)); end > int64(len(content)) {
		content = resize(content, end)
	}
	copy(content[w.offset:], w.data)
	return content
}

// resize cuts content or extends it with zeros.
func resize(content []byte, size int64) []byte {
	if old := int64(len(content)); size > old {
		content = slices.Grow(content, int(size-old))[:size]
		clear(content[old:]) // a truncation may have left old bytes in the capacity
	}
	return content[:size]
}

// sectors returns the half-open range of sectors the operation touches in a file of up to sizeMax bytes.
func (w memWrite) sectors(sizeMax int64) (first, end int64) {
	last := sizeMax
	if w.data != nil {
		last = w.offset + int64(len(w.data))
	}
	return w.offset / sectorBytes, (last + sectorBytes - 1) / sectorBytes
}

func (c *memContent) sync() {
	for _, w := range c.dirty {
		sizeMax := max(int64(len(c.disk)), w.size)
		c.disk = w.apply(c.disk)
		if len(c.lost) == 0 {
			continue
		}
		first, end := w.sectors(sizeMax)
		for s := range c.lost {
			if first <= s && s < end {
				delete(c.lost, s)
			}
		}
	}
	c.dirty = nil
}

func (c *memContent) failSync() {
	if c.lost == nil {
		c.lost = map[int64][]byte{}
	}
	size := int64(len(c.data))
	for _, w := range c.dirty {
		first, end := w.sectors(size)
		for s := first; s < end && s*sectorBytes < size; s++ {
			c.lost[s] = slices.Clone(c.data[s*sectorBytes : min(size, (s+1)*sectorBytes)])
		}
	}
	c.lostSize = size
	c.dirty = nil
}

// crash returns what a power cut leaves of the file.
func (c *memContent) crash(rng *rand.Rand) []byte {
	sizes := []int64{int64(len(c.disk))}
	if len(c.lost) > 0 {
		sizes = append(sizes, c.lostSize)
	}
	for _, w := range c.dirty {
		sizes = append(sizes, w.size)
	}
	keepAll, keepNone := false, false
	size := sizes[rng.Intn(len(sizes))]
	switch rng.Intn(4) { // the extremes are likely on real machines and unlikely by chance
	case 0:
		keepAll, size = true, sizes[len(sizes)-1]
	case 1:
		keepNone, size = true, sizes[0]
	}
	sizeMax := slices.Max(sizes)
	out := make([]byte, sizeMax)
	copy(out, c.disk)
	if keepNone {
		return out[:size]
	}
	for s := range (sizeMax + sectorBytes - 1) / sectorBytes {
		sector := out[s*sectorBytes : min(sizeMax, (s+1)*sectorBytes)]
		if old, ok := c.lost[s]; ok && (keepAll || rng.Intn(2) == 0) {
			copy(sector, old)
		}
		c.crashSector(sector, s, sizeMax, keepAll, rng)
	}
	return out[:size]
}

// crashSector gives one sector the content it had after some of the operations that touched it, in their order: a disk
// writes a sector as it stands at some moment. Now and then the last of them is torn.
func (c *memContent) crashSector(sector []byte, s, sizeMax int64, keepAll bool, rng *rand.Rand) {
	var touching []memWrite
	for _, w := range c.dirty {
		if first, end := w.sectors(sizeMax); first <= s && s < end {
			touching = append(touching, w)
		}
	}
	if !keepAll {
		touching = touching[:rng.Intn(len(touching)+1)]
	}
	for i, w := range touching {
		base := s * sectorBytes
		lo, hi := max(0, w.offset-base), int64(len(sector))
		if w.data == nil {
			clear(sector[lo:hi])
			continue
		}
		hi = min(hi, w.offset+int64(len(w.data))-base)
		if !keepAll && i == len(touching)-1 && rng.Intn(8) == 0 {
			lo += rng.Int63n(hi - lo + 1)
			hi -= rng.Int63n(hi - lo + 1)
		}
		copy(sector[lo:hi], w.data[base+lo-w.offset:])
	}
}
