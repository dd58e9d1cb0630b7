package pipeline

import "unsafe"

// arena holds what the stages make of one batch: texts and label lists. reset gives all of it back at once.
type arena struct {
	text   chunked[byte]
	labels chunked[Label]
	names  chunked[string]
}

func (a *arena) reset() {
	a.text.reset()
	a.labels.reset()
	a.names.reset()
}

// bytes returns what was taken since reset.
func (a *arena) bytes() int {
	return a.text.size() + a.labels.size()*int(unsafe.Sizeof(Label{})) + a.names.size()*int(unsafe.Sizeof(""))
}

// copyText returns a string of the bytes that is valid until reset.
func (a *arena) copyText(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	own := a.text.take(len(b))
	copy(own, b)
	return unsafe.String(&own[0], len(own)) //nolint:gosec // nobody writes to own any more until reset, after which nobody reads
}

// chunked hands out slices of a few large ones. What was handed out stays where it is.
type chunked[T any] struct {
	current []T
	retired int // elements of earlier chunks since reset, to size the next one
}

const (
	chunkElements    = 1 << 12
	chunkElementsMax = 1 << 18 // kept over reset
)

// take returns n elements, whatever they hold.
func (c *chunked[T]) take(n int) []T {
	if n > cap(c.current)-len(c.current) {
		c.retired += len(c.current)
		c.current = make([]T, 0, max(n, chunkElements, min(c.retired, chunkElementsMax)))
	}
	from := len(c.current)
	c.current = c.current[:from+n]
	return c.current[from : from+n : from+n]
}

// open returns an empty list that can grow where it will stay: close takes it. Nothing may be taken in between.
func (c *chunked[T]) open(room int) []T {
	if room > cap(c.current)-len(c.current) {
		c.retired += len(c.current)
		c.current = make([]T, 0, max(room, chunkElements, min(c.retired, chunkElementsMax)))
	}
	return c.current[len(c.current):]
}

// close keeps the list that open began. One that has outgrown the room is copied.
func (c *chunked[T]) close(list []T) []T {
	n := len(list)
	if at := len(c.current); n <= cap(c.current)-at && unsafe.SliceData(list) == unsafe.SliceData(c.current[at:at+n]) {
		c.current = c.current[:at+n]
		return list[:n:n]
	}
	kept := c.take(n)
	copy(kept, list)
	return kept
}

// size returns how many elements have been taken.
func (c *chunked[T]) size() int { return c.retired + len(c.current) }

func (c *chunked[T]) reset() {
	switch all := c.retired + len(c.current); {
	case cap(c.current) > chunkElementsMax:
		c.current = nil
	case c.retired > 0 && all <= chunkElementsMax:
		c.current = make([]T, 0, min(2*all, chunkElementsMax)) // what one batch took, the next will take, too
	}
	clear(c.current) // lets go of what the elements point to
	c.current, c.retired = c.current[:0], 0
}
