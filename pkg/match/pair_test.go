package match

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIndexPair plants a pair at every place of texts of every length around the blocks, among halves of it.
func TestIndexPair(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 3 * pairBlock {
		first, second := make([]byte, n), make([]byte, n)
		for i := range n {
			if rng.IntN(2) == 0 {
				first[i] = 'a'
			} else {
				second[i] = 'b'
			}
		}
		require.Equal(t, -1, indexPair(first, second, 'a', 'b'), "%d places", n)
		for i := n - 1; i >= 0; i-- {
			first[i], second[i] = 'a', 'b'
			require.Equal(t, i, indexPair(first, second, 'a', 'b'), "place %d of %d", i, n)
			require.Equal(t, i, indexPairSlow(first, second, 'a', 'b'), "place %d of %d", i, n)
		}
	}
}

func FuzzIndexPair(f *testing.F) {
	f.Add([]byte("level=info msg=\"order placed\" level=error msg=\"payment refused\""), uint8(3), byte('l'), byte('e'))
	f.Fuzz(func(t *testing.T, text []byte, distance uint8, a, b byte) {
		if len(text) < int(distance) {
			return
		}
		first, second := text[:len(text)-int(distance)], text[distance:]
		require.Equal(t, indexPairSlow(first, second, a, b), indexPair(first, second, a, b))
	})
}

// FuzzLiteralIndex holds both searches of a literal to the standard one.
func FuzzLiteralIndex(f *testing.F) {
	f.Add([]byte("GET /api/orders HTTP/1.1 200 GET /api/order HTTP/1.1 404"), []byte("order "), uint16(0))
	f.Fuzz(func(t *testing.T, text, needle []byte, pos uint16) {
		if len(needle) == 0 || int(pos) > len(text) {
			return
		}
		l, want := newLiteral(string(needle)), bytes.Index(text[pos:], needle)
		if want >= 0 {
			want += int(pos)
		}
		require.Equal(t, want, l.index(text, int(pos)))
		require.Equal(t, want, l.indexByte(text, int(pos)))
	})
}
