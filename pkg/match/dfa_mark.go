package match

import "math/bits"

// cursorRun is how far cursors go before any of them is asked whether its line is decided.
const cursorRun = 32

// cursor runs an automaton over one line.
type cursor struct {
	at, end int // in the buffer
	state   uint16
	line    int
}

// mark sets a bit in hits for each candidate that matches. Four cursors, each on a line of its own, step together: one
// alone would spend its time waiting for the table. A cursor that is done with its line takes the next one that waits, so
// that all lines are read from their beginnings, whatever is in them.
func (d *dfa) mark(b *buffer, candidates, hits []uint64) {
	if d.start == stateAccepts { // whatever the line is
		for i, w := range candidates {
			hits[i] |= w
		}
		return
	}
	q := &lineQueue{buffer: b, candidates: candidates, hits: hits, word: -1}
	var c [4]cursor
	live := 0
	for live < len(c) && d.next(&c[live], q) {
		live++
	}
	for live == len(c) {
		d.advance(b.bytes, &c)
		for i := 0; i < live; i++ {
			if d.decided(&c[i], q) && !d.next(&c[i], q) {
				live--
				c[i], c[live] = c[live], c[i]
				i--
			}
		}
	}
	for i := range c[:live] {
		last := d.run(c[i].state, b.bytes[c[i].at:c[i].end])
		if d.table[d.end+last] == stateAccepts {
			q.hit(c[i].line)
		}
	}
}

// advance moves all cursors by the same number of bytes.
func (d *dfa) advance(text []byte, c *[4]cursor) {
	n := min(c[0].end-c[0].at, c[1].end-c[1].at, c[2].end-c[2].at, c[3].end-c[3].at, cursorRun)
	l0, l1, l2, l3 := text[c[0].at:][:n], text[c[1].at:][:n], text[c[2].at:][:n], text[c[3].at:][:n]
	s0, s1, s2, s3 := c[0].state, c[1].state, c[2].state, c[3].state
	for i := range l0 {
		s0 = d.table[uint16(d.classes[l0[i]])+s0]
		s1 = d.table[uint16(d.classes[l1[i]])+s1]
		s2 = d.table[uint16(d.classes[l2[i]])+s2]
		s3 = d.table[uint16(d.classes[l3[i]])+s3]
	}
	c[0].state, c[1].state, c[2].state, c[3].state = s0, s1, s2, s3
	for i := range c {
		c[i].at += n
	}
}

// decided reports whether the cursor is done with its line, which is a hit then or is none.
func (d *dfa) decided(c *cursor, q *lineQueue) bool {
	s := c.state
	if s > d.end+1 {
		if c.at < c.end {
			return false
		}
		s = d.table[d.end+s]
	}
	if s == stateAccepts {
		q.hit(c.line)
	}
	return true
}

// next puts the cursor on the next line.
func (d *dfa) next(c *cursor, q *lineQueue) bool {
	line := q.next()
	if line < 0 {
		return false
	}
	*c = cursor{end: int(q.ends[line]), state: d.start, line: line}
	if line > 0 {
		c.at = int(q.ends[line-1])
	}
	return true
}

// lineQueue hands out the candidates that are no hits yet.
type lineQueue struct {
	*buffer
	candidates, hits []uint64
	word             int
	bits             uint64 // what is left of the word
}

func (q *lineQueue) next() int {
	for q.bits == 0 {
		if q.word++; q.word >= len(q.candidates) {
			return -1
		}
		q.bits = q.candidates[q.word] &^ q.hits[q.word]
	}
	bit := bits.TrailingZeros64(q.bits)
	q.bits &= q.bits - 1
	return q.word<<6 + bit
}

func (q *lineQueue) hit(line int) { q.hits[line>>6] |= 1 << (line & 63) }
