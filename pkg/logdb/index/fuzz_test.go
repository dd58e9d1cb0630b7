package index

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// FuzzValues reads mutated values as each of the things that a value can be.
func FuzzValues(f *testing.F) {
	list := seq(20)
	big, err := appendSet(nil, seq(1000))
	require.NoError(f, err)
	small, err := appendSet(nil, list)
	require.NoError(f, err)
	f.Add(big)
	f.Add(small)
	f.Add(fences([]string{"a", "b", "c"}))
	f.Add(binary.AppendUvarint(nil, 1))
	f.Add([]byte("\x03\x01\x01\x01abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const streams = 5000
		if set, err := decodeSet(b, streams); err == nil {
			require.Less(t, set.Maximum(), uint32(streams))
			again, err := appendSet(nil, set.ToArray())
			require.NoError(t, err)
			back, err := decodeSet(again, streams)
			require.NoError(t, err)
			require.True(t, set.Equals(back))
		} else {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		if fl, err := decodeFences(b); err == nil {
			for i := range int(fl.groups) {
				first, last := fl.span(fl.fence(i))
				require.True(t, 0 <= first && first < last && last <= int(fl.groups))
			}
		}
		var g valueGroup
		if err := g.decode(b); err == nil {
			var p postingsGroup
			for i := range g.len() {
				_ = g.value(i)
			}
			if err := p.decode(b, g.len()); err == nil {
				for i := range g.len() {
					_ = p.addTo(roaring.New(), i, streams)
				}
			}
		}
	})
}

// FuzzFile opens mutated files whose checksum is right.
func FuzzFile(f *testing.F) {
	s := goldenSource()
	s.Streams, s.Chunks = s.Streams[:5], s.Chunks[:5]
	f.Add(buildBytes(f, f.TempDir(), s))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _, err := openBytes(b, len(b), crc32.Checksum(b, castagnoli))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		if _, err := answers(d, d.Chunks); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}
