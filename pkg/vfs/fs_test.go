package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everyFS runs a test on all implementations: they must not differ.
func everyFS(t *testing.T, f func(t *testing.T, fsys FS, root string)) {
	t.Run("os", func(t *testing.T) { f(t, OS(), t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		mem := NewMem()
		require.NoError(t, mem.MkdirAll("root"))
		f(t, mem, "root")
	})
	t.Run("inject", func(t *testing.T) {
		mem := NewMem()
		require.NoError(t, mem.MkdirAll("/root"))
		f(t, NewInject(mem), "/root")
	})
}

func writeFile(t *testing.T, fsys FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	require.NoError(t, err)
	_, err = io.WriteString(f, content)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func content(t *testing.T, fsys FS, name string) string {
	t.Helper()
	b, err := ReadFile(fsys, name, 1<<20)
	require.NoError(t, err)
	return string(b)
}

func TestFileOperations(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		name := path.Join(root, "f")
		f, err := fsys.Create(name)
		require.NoError(t, err)
		for _, s := range []string{"hello", " ", "world"} {
			n, err := io.WriteString(f, s)
			require.NoError(t, err)
			require.Len(t, s, n)
		}
		_, err = f.WriteAt([]byte("J"), 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("end"), 15)
		require.NoError(t, err)
		_, err = io.WriteString(f, "!") // WriteAt did not move the position
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		size, err := f.Size()
		require.NoError(t, err)
		require.EqualValues(t, 18, size)
		require.NoError(t, f.Close())
		require.Equal(t, "Jello world!\x00\x00\x00end", content(t, fsys, name))

		f, err = fsys.OpenReadWrite(name)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(5))
		require.NoError(t, f.Truncate(7)) // what was cut off is gone
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "Jello\x00\x00", string(b))
		p := make([]byte, 4)
		n, err := f.ReadAt(p, 4)
		require.Equal(t, 3, n)
		require.ErrorIs(t, err, io.EOF)
		n, err = f.ReadAt(p, 100)
		require.Zero(t, n)
		require.ErrorIs(t, err, io.EOF)
		_, err = f.ReadAt(p, -1)
		require.Error(t, err)
		_, err = f.WriteAt(p, -1)
		require.Error(t, err)
		require.Error(t, f.Truncate(-1))
		require.NoError(t, f.Close())

		writeFile(t, fsys, name, "new") // Create truncates
		require.Equal(t, "new", content(t, fsys, name))
	})
}

func TestFileErrors(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		name := path.Join(root, "f")
		writeFile(t, fsys, name, "x")
		f, err := fsys.Open(name)
		require.NoError(t, err)
		_, err = f.Write([]byte("y"))
		require.ErrorIs(t, err, syscall.EBADF)
		_, err = f.WriteAt([]byte("y"), 0)
		require.ErrorIs(t, err, syscall.EBADF)
		require.Error(t, f.Truncate(0))
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Close(), fs.ErrClosed)
		_, err = f.Read(make([]byte, 1))
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.Size()
		require.ErrorIs(t, err, fs.ErrClosed)
		require.ErrorIs(t, f.Sync(), fs.ErrClosed)

		is := func(want error, err error) {
			t.Helper()
			require.ErrorIs(t, err, want)
		}
		missing := path.Join(root, "missing")
		under := path.Join(name, "child")
		_, err = fsys.Open(missing)
		is(fs.ErrNotExist, err)
		_, err = fsys.OpenReadWrite(missing)
		is(fs.ErrNotExist, err)
		_, err = fsys.Create(path.Join(missing, "f"))
		is(fs.ErrNotExist, err)
		_, err = fsys.Create(under)
		is(syscall.ENOTDIR, err)
		_, err = fsys.Create(root)
		is(syscall.EISDIR, err)
		_, err = fsys.OpenReadWrite(root)
		is(syscall.EISDIR, err)
		_, err = fsys.Open(under)
		is(syscall.ENOTDIR, err)
		_, err = fsys.Stat(missing)
		is(fs.ErrNotExist, err)
		_, err = fsys.List(missing)
		is(fs.ErrNotExist, err)
		_, err = fsys.List(name)
		is(syscall.ENOTDIR, err)
		is(fs.ErrNotExist, fsys.SyncDir(missing))
		is(fs.ErrNotExist, fsys.Remove(missing))
		is(fs.ErrNotExist, fsys.Rename(missing, name))
		is(fs.ErrNotExist, fsys.Rename(name, path.Join(missing, "f")))
		is(syscall.ENOTDIR, fsys.MkdirAll(under))
		require.NoError(t, fsys.RemoveAll(missing))
		require.NoError(t, fsys.RemoveAll(path.Join(missing, "deeper")))
	})
}

func TestDirectories(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		a, b := path.Join(root, "a"), path.Join(root, "b")
		deep := path.Join(a, "x/y")
		require.NoError(t, fsys.MkdirAll(deep))
		require.NoError(t, fsys.MkdirAll(deep))
		writeFile(t, fsys, path.Join(deep, "2"), "two")
		writeFile(t, fsys, path.Join(deep, "1"), "one")
		names, err := fsys.List(deep)
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, names)
		require.NoError(t, fsys.SyncDir(deep))
		require.ErrorIs(t, fsys.Remove(deep), syscall.ENOTEMPTY)

		require.NoError(t, fsys.Rename(path.Join(deep, "1"), path.Join(deep, "2")))
		require.Equal(t, "one", content(t, fsys, path.Join(deep, "2")))
		require.NoError(t, fsys.Rename(path.Join(deep, "2"), path.Join(deep, "2")))
		require.NoError(t, fsys.Rename(a, b)) // a directory, with what is in it
		require.Equal(t, "one", content(t, fsys, path.Join(b, "x/y/2")))
		require.Error(t, fsys.Rename(b, path.Join(b, "x/b")), "into itself")
		require.Error(t, fsys.Rename(path.Join(b, "x/y/2"), b), "a file over a directory")
		writeFile(t, fsys, a, "a file now")
		require.Error(t, fsys.Rename(b, a), "a directory over a file")
		require.NoError(t, fsys.MkdirAll(path.Join(root, "c")))
		require.Error(t, fsys.Rename(path.Join(root, "c"), b), "over a directory that is not empty")

		info, err := fsys.Stat(a)
		require.NoError(t, err)
		require.Equal(t, "a", info.Name())
		require.EqualValues(t, 10, info.Size())
		require.EqualValues(t, 0o600, info.Mode())
		info, err = fsys.Stat(b)
		require.NoError(t, err)
		require.True(t, info.IsDir())
		require.EqualValues(t, 0o750, info.Mode().Perm())

		require.NoError(t, fsys.RemoveAll(b))
		require.NoError(t, fsys.Remove(a))
		names, err = fsys.List(root)
		require.NoError(t, err)
		require.Equal(t, []string{"c"}, names)
	})
}

// A file stays readable after its name is gone, as views of dropped blocks expect.
func TestOpenFileOutlivesItsName(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		name := path.Join(root, "f")
		writeFile(t, fsys, name, "still here")
		f, err := fsys.Open(name)
		require.NoError(t, err)
		require.NoError(t, fsys.Remove(name))
		writeFile(t, fsys, name, "another one")
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "still here", string(b))
		require.NoError(t, f.Close())
	})
}

func TestReadFileRefusesLargeOnes(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, root string) {
		name := path.Join(root, "f")
		writeFile(t, fsys, name, "12345")
		require.Equal(t, "12345", content(t, fsys, name))
		_, err := ReadFile(fsys, name, 4)
		require.ErrorIs(t, err, ErrFileTooLarge)
		_, err = ReadFile(fsys, path.Join(root, "missing"), 4)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, MkdirAllSynced(OS(), dir+"/a/b"))
	require.NoError(t, ReplaceFile(OS(), dir+"/a/b/f", []byte("x")))
	info, err := os.Stat(dir + "/a/b/f")
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)
}

// crashEverywhere runs work on a file system that crashes at its k-th operation, for every k, and checks what several
// power cuts leave. It returns how often check failed.
func crashEverywhere(t *testing.T, sabotage func(*Inject), setUp, work func(FS) error, check func(after *Mem, done bool) error) (failures int) {
	t.Helper()
	for k := 1; ; k++ {
		mem := NewMem()
		if setUp != nil {
			require.NoError(t, setUp(mem))
		}
		inject := NewInject(mem)
		if sabotage != nil {
			sabotage(inject)
		}
		inject.Arm(Fault{At: k})
		err := work(inject)
		if inject.Fired() {
			require.ErrorIs(t, err, ErrCrashed)
		} else {
			require.NoError(t, err)
		}
		for seed := range int64(40) {
			if err := check(mem.CrashClone(rand.New(rand.NewSource(seed))), err == nil); err != nil {
				failures++
				t.Logf("crash at operation %d, seed %d: %v", k, seed, err)
			}
		}
		if !inject.Fired() {
			return failures
		}
	}
}

func TestReplaceFileSurvivesEveryCrash(t *testing.T) {
	old, changed := string(make([]byte, 1500))+"old", "new"+string(make([]byte, 3000))
	setUp := func(fsys FS) error { return ReplaceFile(fsys, "state", []byte(old)) }
	work := func(fsys FS) error { return ReplaceFile(fsys, "state", []byte(changed)) }
	check := func(after *Mem, done bool) error {
		b, err := ReadFile(after, "state", 1<<20)
		switch {
		case err != nil:
			return err
		case done && string(b) != changed:
			return errors.New("the new content is gone")
		case string(b) != old && string(b) != changed:
			return errors.New("neither old nor new")
		}
		return nil
	}
	require.Zero(t, crashEverywhere(t, nil, setUp, work, check))
	require.NotZero(t, crashEverywhere(t, func(i *Inject) { i.NoSync = true }, setUp, work, check), "the test does not see a missing fsync")
	require.NotZero(t, crashEverywhere(t, func(i *Inject) { i.NoSyncDir = true }, setUp, work, check), "the test does not see a missing directory fsync")
	require.NotZero(t, crashEverywhere(t, func(i *Inject) { i.LateSync = true }, setUp, work, check), "the test does not see a late fsync")
}

func TestReplaceFileReportsErrors(t *testing.T) {
	for k := 1; ; k++ {
		inject := NewInject(NewMem())
		require.NoError(t, ReplaceFile(inject, "state", []byte("old")))
		inject.Arm(Fault{At: k, Err: syscall.EIO})
		err := ReplaceFile(inject, "state", []byte("new"))
		if !inject.Fired() {
			require.NoError(t, err)
			require.Greater(t, k, 5)
			return
		}
		require.ErrorIs(t, err, syscall.EIO)
		require.Contains(t, []string{"old", "new"}, content(t, inject, "state"))
		require.NoError(t, ReplaceFile(inject, "state", []byte("newer")))
		require.Equal(t, "newer", content(t, inject, "state"))
	}
}

func TestMkdirAllSyncedSurvivesEveryCrash(t *testing.T) {
	check := func(after *Mem, done bool) error {
		if _, err := after.Stat("a/b/c"); done && err != nil {
			return err
		}
		return nil
	}
	work := func(fsys FS) error { return MkdirAllSynced(fsys, "a/b/c/") }
	require.Zero(t, crashEverywhere(t, nil, nil, work, check))
	require.NotZero(t, crashEverywhere(t, func(i *Inject) { i.NoSyncDir = true }, nil, work, check))
	// An earlier process made the last directory and died before it synced.
	died := func(fsys FS) error { return errors.Join(MkdirAllSynced(fsys, "a/b"), fsys.MkdirAll("a/b/c")) }
	require.Zero(t, crashEverywhere(t, nil, died, work, check))
	require.ErrorIs(t, MkdirAllSynced(notDir(t), "f/d"), syscall.ENOTDIR)
}

func notDir(t *testing.T) FS {
	mem := NewMem()
	writeFile(t, mem, "f", "")
	return mem
}
