package block

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func every(t require.TestingT, b *Block) []ChunkRef {
	refs, err := b.Chunks(nil, model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp})
	require.NoError(t, err)
	return refs
}

// checkFilters compares the filters of an open block, read in every way, with those of the chunks it was made of.
func (c *content) checkFilters(t require.TestingT, b *Block) {
	all, err := b.Filters()
	require.NoError(t, err)
	require.Equal(t, b.FiltersMemoryBytes(), all.MemoryBytes())
	for i, ref := range every(t, b) {
		want := c.chunks[i]
		require.Equal(t, want.Filter.Bytes(), all.Filter(ref).Bytes())
		require.Equal(t, want.MetaFilter.Bytes(), all.MetaFilter(ref).Bytes())
		f, err := b.Filter(ref)
		require.NoError(t, err)
		require.Equal(t, want.Filter.Bytes(), f.Bytes())
		m, err := b.MetaFilter(ref)
		require.NoError(t, err)
		require.Equal(t, want.MetaFilter.Bytes(), m.Bytes())
		e, err := b.Encoded(ref)
		require.NoError(t, err)
		require.Equal(t, chunk.AppendTable(nil, &want.Table), chunk.AppendTable(nil, &e.Table))
		require.Equal(t, want.Pages, e.Pages)
		require.Equal(t, want.Filter.Bytes(), e.Filter.Bytes())
		require.Equal(t, want.MetaFilter.Bytes(), e.MetaFilter.Bytes())
	}
}

func TestFilters(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	c.checkFilters(t, b)
	_, err = b.Filter(ChunkRef{Number: 1000})
	require.ErrorContains(t, err, "there are only")
	require.NotErrorIs(t, err, ErrCorrupt)
	_, err = b.MetaFilter(ChunkRef{Number: 1000})
	require.NotErrorIs(t, err, ErrCorrupt)

	all, err := b.Filters()
	require.NoError(t, err)
	f := func(needle string, want bool) {
		t.Helper()
		matcher, err := match.Compile(match.Filter{Any: []string{needle}})
		require.NoError(t, err)
		p := chunk.NewProbe(matcher)
		require.NotNil(t, p)
		for _, ref := range every(t, b) {
			require.Equal(t, want, p.MayMatch(all.Filter(ref)))
		}
	}
	f(" of stream 7:", true)
	f(" of streams 7:", false)
	for i, ref := range every(t, b) {
		for _, entry := range c.entriesOf(t, c.chunks[i]) {
			for _, pair := range entry.Metadata {
				require.True(t, all.MetaFilter(ref).MayHold(pair.Name, pair.Value))
			}
		}
	}
}

// entriesOf decodes a chunk.
func (c *content) entriesOf(t require.TestingT, e *chunk.Encoded) (entries []model.Entry) {
	for _, run := range e.Table.Runs {
		list, err := readRun(e.Reader(), run.Ref)
		require.NoError(t, err)
		entries = append(entries, list...)
	}
	return entries
}

// TestCopiedChunks: chunks that pass from block to block as bytes make the same block.
func TestCopiedChunks(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	copied := &content{streams: c.streams, entries: c.entries}
	for _, ref := range every(t, b) {
		e, err := b.Encoded(ref)
		require.NoError(t, err)
		copied.chunks = append(copied.chunks, e)
	}
	require.NoError(t, b.Close())
	other, err := copied.writeTo(t.Context(), fsys, t.TempDir(), testMeta(2))
	require.NoError(t, err)
	copied.check(t, fsys, blockPath(other))
	require.Equal(t, m.Files[0].Bytes, other.Files[0].Bytes)
}

// TestFilterDamage flips a bit in every byte of the filters: the damage is found by whoever reads that filter, and by nobody
// else, and nothing is skipped by it.
func TestFilterDamage(t *testing.T) {
	fsys := vfs.NewMem()
	c := tinyContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	file := path.Join(blockPath(m), chunksName)
	data, err := vfs.ReadFile(fsys, file, 1<<20)
	require.NoError(t, err)
	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	start, end, entries := b.footer.filters, b.footer.tables, b.entries
	require.NoError(t, b.Close())
	require.Greater(t, end-start, int64(len(entries)*64))
	for i := start; i < end; i++ {
		data[i] ^= 1 << (i % 8)
		putFile(t, fsys, file, data)
		b, err := Open(fsys, blockPath(m))
		require.NoError(t, err)
		all, err := b.Filters()
		require.ErrorIs(t, err, ErrCorrupt)
		for k, ref := range every(t, b) {
			e := &entries[k]
			_, err := b.Filter(ref)
			hit := i >= e.filterOffset && i < e.filterOffset+int64(e.filterBytes)
			require.Equal(t, hit, err != nil)
			require.Equal(t, hit, len(all.Filter(ref).Bytes()) == 0)
			_, metaErr := b.MetaFilter(ref)
			metaHit := i >= e.metaFilterOffset && i < e.metaFilterOffset+int64(e.metaFilterBytes)
			require.Equal(t, metaHit, metaErr != nil)
			require.Equal(t, metaHit, len(all.MetaFilter(ref).Bytes()) == 0)
			_, encodedErr := b.Encoded(ref)
			require.Equal(t, hit || metaHit, encodedErr != nil)
			for _, err := range []error{err, metaErr, encodedErr} {
				if err != nil {
					require.ErrorIs(t, err, ErrCorrupt)
				}
			}
		}
		require.ErrorIs(t, b.Verify(t.Context()), ErrCorrupt)
		require.NoError(t, b.Close())
		data[i] ^= 1 << (i % 8)
	}
}

// TestVerifySeesAWrongFilter: a filter of other lines, written by a bug with all checksums right.
func TestVerifySeesAWrongFilter(t *testing.T) {
	f := func(want string, change func(c *content)) {
		t.Helper()
		fsys := vfs.NewMem()
		c := smallContent(t)
		change(c)
		m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
		require.NoError(t, err)
		b, err := Open(fsys, blockPath(m))
		require.NoError(t, err)
		defer func() { require.NoError(t, b.Close()) }()
		err = b.Verify(t.Context())
		require.ErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, want)
	}
	f("filter differs from that of the lines", func(c *content) { c.chunks[0].Filter = c.chunks[1].Filter })
	f("metadata filter differs", func(c *content) { c.chunks[0].MetaFilter = c.chunks[1].MetaFilter })
}

// TestSpool: what goes through a file comes out like what stays in memory.
func TestSpool(t *testing.T) {
	for _, bytesMax := range []int{0, 10, 1000, 1 << 20} {
		fsys := vfs.NewMem()
		require.NoError(t, fsys.MkdirAll("tmp"))
		s := &spool{fs: fsys, dir: "tmp", name: "spool", bytesMax: bytesMax}
		out, err := fsys.Create("tmp/out")
		require.NoError(t, err)
		w := newFileWriter(out)
		var want []byte
		for i := range 200 {
			piece := bytes.Repeat([]byte{byte(i)}, i)
			offset, err := s.put(piece)
			require.NoError(t, err)
			require.Equal(t, int64(len(want)), offset)
			want = append(want, piece...)
			require.Equal(t, int64(len(want)), s.bytes())
		}
		require.NoError(t, s.copyTo(w))
		require.NoError(t, s.close())
		require.NoError(t, w.finish())
		got, err := vfs.ReadFile(fsys, "tmp/out", 1<<20)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = fsys.Stat("tmp/spool")
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

// TestSpoolFails at every operation of its file.
func TestSpoolFails(t *testing.T) {
	for k := 1; ; k++ {
		inject := vfs.NewInject(vfs.NewMem())
		require.NoError(t, inject.MkdirAll("tmp"))
		out, err := inject.Create("tmp/out")
		require.NoError(t, err)
		eio := fmt.Errorf("operation %d", k)
		inject.Arm(vfs.Fault{At: k, Err: eio, Match: func(op vfs.Op) bool { return path.Base(op.Name) == "spool" }})
		s := &spool{fs: inject, dir: "tmp", name: "spool"}
		_, err = s.put([]byte("first"))
		if err == nil {
			_, err = s.put([]byte("second"))
		}
		if err == nil {
			err = s.copyTo(newFileWriter(out))
		}
		require.NoError(t, s.close())
		if !inject.Fired() {
			require.NoError(t, err)
			require.Greater(t, k, 4)
			return
		}
		require.ErrorIs(t, err, eio)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
}

// BenchmarkFilters reads all filters of a block.
func BenchmarkFilters(b *testing.B) {
	c, lines := benchContent(b, jsonLine, 4, 12000)
	fsys := vfs.OS()
	dir := b.TempDir()
	m, err := Write(context.Background(), WriteConfig{FS: fsys, Dir: dir + "/blocks", TmpDir: dir + "/tmp", ScratchDir: dir}, testMeta(1),
		c.streams, sequence(c.chunks))
	require.NoError(b, err)
	block, err := Open(fsys, path.Join(dir, "blocks", m.ULID.String()))
	require.NoError(b, err)
	for b.Loop() {
		_, err := block.Filters()
		require.NoError(b, err)
	}
	b.SetBytes(block.FiltersMemoryBytes())
	b.ReportMetric(100*float64(block.FiltersMemoryBytes())/float64(len(lines)), "of-raw-%")
	require.NoError(b, block.Close())
}
