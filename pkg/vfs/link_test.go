package vfs

import (
	"io/fs"
	"math/rand"
	"path"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLink(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		a, b := path.Join(root, "a"), path.Join(root, "b")
		writeFile(t, fsys, a, "once")
		require.NoError(t, Link(fsys, a, b))
		require.Equal(t, "once", content(t, fsys, b))
		require.ErrorIs(t, Link(fsys, a, b), fs.ErrExist)
		require.ErrorIs(t, Link(fsys, path.Join(root, "x"), path.Join(root, "y")), fs.ErrNotExist)
		require.ErrorIs(t, Link(fsys, a, path.Join(root, "no", "y")), fs.ErrNotExist)
		require.ErrorIs(t, Link(fsys, root, path.Join(root, "dir")), ErrNoLink)
		require.NoError(t, ReplaceFile(fsys, a, []byte("other"))) // a rename replaces a name, not the file
		require.Equal(t, "once", content(t, fsys, b))
		require.NoError(t, fsys.Remove(a))
		require.Equal(t, "once", content(t, fsys, b))
	})
	inject := NewInject(NewMem())
	writeFile(t, inject, "a", "x")
	inject.Arm(Fault{At: 1, Err: syscall.EXDEV})
	require.ErrorIs(t, Link(inject, "a", "b"), ErrNoLink)
	require.ErrorIs(t, Link(struct{ FS }{OS()}, "a", "b"), ErrNoLink, "a file system without links")
}

// A linked name is lost in a crash until its directory is synced; the bytes under it are those that were synced.
func TestLinkSurvivesOnlyWithItsDirectory(t *testing.T) {
	lost := 0
	for seed := range int64(40) {
		mem := NewMem()
		require.NoError(t, MkdirAllSynced(mem, "d/e"))
		require.NoError(t, ReplaceFile(mem, "d/a", []byte("bytes")))
		require.NoError(t, Link(mem, "d/a", "d/e/b"))
		if _, err := mem.CrashClone(rand.New(rand.NewSource(seed))).Stat("d/e/b"); err != nil {
			lost++
		}
		require.NoError(t, mem.SyncDir("d/e"))
		require.NoError(t, mem.Remove("d/a"))
		require.Equal(t, "bytes", content(t, mem.CrashClone(rand.New(rand.NewSource(seed))), "d/e/b"))
	}
	require.Positive(t, lost)
}

func TestLockOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	f := func(wantInfo string, wantHeld bool) {
		t.Helper()
		info, held, err := LockOwner(name)
		require.NoError(t, err)
		require.Equal(t, wantHeld, held)
		require.Equal(t, wantInfo, string(info))
	}
	f("", false)
	lock, err := Lock(name, []byte("pid 4711"))
	require.NoError(t, err)
	f("pid 4711", true)
	require.NoError(t, lock.Close())
	f("", false)
	lock, err = Lock(name, []byte("again")) // looking left nothing behind
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}
