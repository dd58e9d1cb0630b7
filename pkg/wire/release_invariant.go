//go:build invariant

package wire

// poison overwrites everything that strings of the request may point into.
func (r *Request) poison() {
	for _, b := range [][]byte{r.buf[:cap(r.buf)], r.inflate[:cap(r.inflate)], r.body} {
		for i := range b {
			b[i] = 0xdb
		}
	}
}
