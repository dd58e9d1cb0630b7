package chunk

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// sign makes the checksums of a mutated table right, so that the fuzzer gets past them.
func sign(b []byte) []byte { return binary.LittleEndian.AppendUint32(bytes.Clone(b), checksum(b)) }

// plain returns the chunk without compression: mutations then hit the columns themselves.
func plain(t testing.TB, e *Encoded) *Encoded {
	out := &Encoded{Table: e.Table}
	out.Table.columns = nil
	for _, c := range e.Table.columns {
		page := e.Pages[c.offset:][:c.stored]
		if c.zstd {
			var err error
			page, err = decompress(nil, page, int(c.raw))
			require.NoError(t, err)
		}
		c.zstd, c.offset, c.stored, c.raw = false, uint32(len(out.Pages)), uint32(len(page)), uint32(len(page))
		c.crc = checksum(page)
		out.Pages = append(out.Pages, page...)
		out.Table.columns = append(out.Table.columns, c)
	}
	require.NoError(t, out.Reader().Verify())
	return out
}

func seeds(f *testing.F) []*Encoded {
	golden := encode(f, Options{}, goldenRuns()...)
	small := encode(f, Options{}, runOf(1, entriesOf(3, func(int, *model.Entry) {})...))
	overflow := encode(f, Options{}, runOf(1, wideEntries()...))
	inline := plain(f, encode(f, Options{}, runOf(1, inlineEntries(60)...)))
	return []*Encoded{golden, plain(f, golden), small, plain(f, small), plain(f, overflow), inline}
}

func FuzzDecodeTable(f *testing.F) {
	for _, e := range seeds(f) {
		b := AppendTable(nil, &e.Table)
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := DecodeTable(sign(b))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		if _, err := table.Minutes(nil); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		again, err := DecodeTable(AppendTable(nil, table))
		require.NoError(t, err)
		require.Equal(t, table, again)
	})
}

func FuzzPages(f *testing.F) {
	for _, e := range seeds(f) {
		b := AppendTable(nil, &e.Table)
		f.Add(b[:len(b)-4], e.Pages)
	}
	f.Fuzz(func(t *testing.T, tableBytes, pages []byte) {
		table, err := DecodeTable(sign(tableBytes))
		if err != nil {
			return
		}
		for i := range table.columns {
			c := &table.columns[i]
			if uint64(c.offset)+uint64(c.stored) <= uint64(len(pages)) {
				c.crc = checksum(pages[c.offset:][:c.stored])
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := (&Encoded{Pages: pages, Table: *table}).Reader()
		err = r.Verify()
		runtime.ReadMemStats(&after)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		limit := uint64(64<<20) + 4*uint64(table.MetadataBytesMax()) + 4*table.RawBytes
		require.Less(t, after.TotalAlloc-before.TotalAlloc, limit)
		if err == nil { // what verifies can be read and written again
			runs, err := decodeAll(r)
			require.NoError(t, err)
			require.Len(t, runs, len(table.Runs))
		}
	})
}
