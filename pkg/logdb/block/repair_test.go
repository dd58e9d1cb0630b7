package block

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand"
	"path"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func examine(t *testing.T, fsys vfs.FS, dir string) Examination {
	t.Helper()
	x, err := Examine(t.Context(), fsys, dir, nil)
	require.NoError(t, err)
	return x
}

// Every damaged chunk is named, and nothing else is blamed for it.
func TestExamineNamesEveryDamage(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	dir := blockPath(m)
	done := int64(0)
	x, err := Examine(t.Context(), fsys, dir, func(n int64) { done += n })
	require.NoError(t, err)
	require.Empty(t, x.Damage)
	require.False(t, x.IndexOnly())
	require.Equal(t, m, x.Meta)
	require.Greater(t, done, m.Bytes())
	require.LessOrEqual(t, done, m.ExamineBytes())

	b, err := Open(fsys, dir)
	require.NoError(t, err)
	chunksFile, indexFile := path.Join(dir, chunksName), path.Join(dir, indexName)
	data, err := vfs.ReadFile(fsys, chunksFile, 1<<20)
	require.NoError(t, err)
	indexData, err := vfs.ReadFile(fsys, indexFile, 1<<20)
	require.NoError(t, err)
	broken := slices.Clone(data)
	broken[b.entries[1].pagesOffset+3] ^= 1
	broken[b.entries[3].tableOffset+3] ^= 1
	putFile(t, fsys, chunksFile, broken)
	x = examine(t, fsys, dir)
	require.Len(t, x.Damage, 2)
	for i, number := range []uint32{1, 3} {
		d := x.Damage[i]
		require.Equal(t, chunksName, d.File)
		require.ErrorIs(t, d.Err, ErrCorrupt)
		require.Equal(t, number, d.Chunk.Number)
		require.Equal(t, b.entries[number].entries, d.Chunk.Entries)
	}
	require.False(t, x.IndexOnly())

	// A byte that no page covers: the file is blamed.
	broken = slices.Clone(data)
	broken[len(data)-footerBytes+1] ^= 1
	putFile(t, fsys, chunksFile, broken)
	x = examine(t, fsys, dir)
	require.Len(t, x.Damage, 1)
	require.Nil(t, x.Damage[0].Chunk)

	putFile(t, fsys, chunksFile, data)
	putFile(t, fsys, indexFile, indexData[:100])
	x = examine(t, fsys, dir)
	require.True(t, x.IndexOnly())
	require.NoError(t, b.Close())

	putFile(t, fsys, path.Join(dir, metaName), []byte("{}"))
	x = examine(t, fsys, dir)
	require.Len(t, x.Damage, 1)
	require.Equal(t, metaName, x.Damage[0].File)
	_, err = Examine(t.Context(), fsys, dir+"x", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestRepairIndex(t *testing.T) {
	scratch := t.TempDir()
	f := func(repaired bool, damage func(fsys vfs.FS, dir string)) {
		t.Helper()
		fsys := vfs.NewMem()
		m, err := smallContent(t).writeTo(t.Context(), fsys, scratch, testMeta(1))
		require.NoError(t, err)
		dir := blockPath(m)
		want, err := vfs.ReadFile(fsys, path.Join(dir, indexName), 1<<20)
		require.NoError(t, err)
		damage(fsys, dir)
		err = RepairIndex(t.Context(), RepairConfig{FS: fsys, TmpDir: "data/tmp", ScratchDir: scratch}, dir)
		require.Equal(t, repaired, err == nil, "%v", err)
		names, listErr := fsys.List("data/tmp")
		require.True(t, len(names) == 0, "%v %v", names, listErr)
		if !repaired {
			return
		}
		require.Empty(t, examine(t, fsys, dir).Damage)
		got, err := vfs.ReadFile(fsys, path.Join(dir, indexName), 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
	f(true, func(vfs.FS, string) {})
	f(true, func(fsys vfs.FS, dir string) { require.NoError(t, fsys.Remove(path.Join(dir, indexName))) })
	f(true, func(fsys vfs.FS, dir string) { putFile(t, fsys, path.Join(dir, indexName), []byte("x")) })
	f(false, func(fsys vfs.FS, dir string) { putFile(t, fsys, path.Join(dir, chunksName), []byte("x")) })
	f(false, func(fsys vfs.FS, dir string) { putFile(t, fsys, path.Join(dir, metaName), []byte("x")) })
	f(false, func(fsys vfs.FS, dir string) { // signed for other bytes: a program with another bbolt wrote it
		m, err := ReadMeta(fsys, dir)
		require.NoError(t, err)
		m.Files[1].CRC32C++
		data, err := encodeMeta(&m)
		require.NoError(t, err)
		putFile(t, fsys, path.Join(dir, metaName), data)
	})
}

// A repair that crashes or fails anywhere leaves the block no worse, and the next one works.
func TestRepairIndexAtEveryOperation(t *testing.T) {
	scratch := t.TempDir()
	for k := 1; ; k++ {
		for _, cause := range []error{nil, syscall.ENOSPC} {
			mem := vfs.NewMem()
			require.NoError(t, vfs.MkdirAllSynced(mem, "data")) // as whoever owns the data directory does
			m, err := tinyContent(t).writeTo(t.Context(), mem, scratch, testMeta(1))
			require.NoError(t, err)
			dir := blockPath(m)
			require.NoError(t, vfs.ReplaceFile(mem, path.Join(dir, indexName), []byte("damaged")))
			inject := vfs.NewInject(mem)
			inject.Arm(vfs.Fault{At: k, Err: cause})
			repairErr := RepairIndex(t.Context(), RepairConfig{FS: inject, TmpDir: "data/tmp", ScratchDir: scratch}, dir)
			if !inject.Fired() {
				require.NoError(t, repairErr)
				require.Greater(t, k, 5)
				return
			}
			after := vfs.FS(mem)
			if cause == nil {
				require.ErrorIs(t, repairErr, vfs.ErrCrashed)
				after = mem.CrashClone(rand.New(rand.NewSource(int64(k))))
			}
			x := examine(t, after, dir)
			require.True(t, len(x.Damage) == 0 || x.IndexOnly())
			require.NoError(t, RepairIndex(t.Context(), RepairConfig{FS: after, TmpDir: "data/tmp", ScratchDir: scratch}, dir))
			require.Empty(t, examine(t, after, dir).Damage)
		}
	}
}

func TestExamineReportsReadErrors(t *testing.T) {
	mem := vfs.NewMem()
	m, err := tinyContent(t).writeTo(t.Context(), mem, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	for k := 1; ; k++ {
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpRead || op.Kind == vfs.OpOpen }})
		x, err := Examine(t.Context(), inject, blockPath(m), nil)
		require.Empty(t, x.Damage)
		if !inject.Fired() {
			require.NoError(t, err)
			return
		}
		require.True(t, errors.Is(err, syscall.EIO), "%v", err)
	}
}
