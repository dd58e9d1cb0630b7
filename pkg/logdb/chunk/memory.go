package chunk

import "unsafe"

// MemoryBytes is what the decoded column holds.
func (l *Levels) MemoryBytes() int64 {
	n := int64(cap(l.Codes))*2 + int64(cap(l.Names))*16
	for _, name := range l.Names {
		n += int64(len(name))
	}
	return n
}

// MemoryBytes is what the decoded columns and the buffers for the next ones hold.
func (m *Metadata) MemoryBytes() int64 {
	n := int64(cap(m.names))*16 + int64(cap(m.pairs))*int64(unsafe.Sizeof(overflowPair{})) + int64(cap(m.values))
	n += 4 * int64(cap(m.ends)+cap(m.lengths))
	for _, name := range m.names {
		n += int64(len(name))
	}
	for i := range m.columns[:cap(m.columns)] {
		c := &m.columns[:cap(m.columns)][i]
		n += int64(unsafe.Sizeof(*c)) + int64(len(c.name)) + 2*int64(cap(c.codes)) + 4*int64(cap(c.ends)) + int64(cap(c.buf))
	}
	return n
}
