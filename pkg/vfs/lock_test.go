package vfs

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const lockHelperEnv = "VFS_TEST_LOCK"

// TestLockHelper is another process that takes a lock and holds it until its stdin ends; run by the tests below.
func TestLockHelper(t *testing.T) {
	path := os.Getenv(lockHelperEnv)
	if path == "" {
		t.Skip("only for TestLockOfAnotherProcess")
	}
	_, err := Lock(path, []byte("the other process"))
	require.NoError(t, err)
	_, err = os.Stdout.WriteString("locked\n")
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "LOCK")
	l, err := Lock(path, []byte("pid 1"))
	require.NoError(t, err)
	info, err := os.ReadFile(path + ".info")
	require.NoError(t, err)
	require.Equal(t, "pid 1", string(info))

	_, err = Lock(path, []byte("pid 2"))
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "pid 1", string(locked.Info))
	require.ErrorContains(t, err, "locked by another process: pid 1")

	require.NoError(t, l.Close())
	require.NoFileExists(t, path+".info")
	l, err = Lock(path, []byte("pid 2"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(path+".info"))
	_, err = Lock(path, nil)
	require.ErrorAs(t, err, &locked, "the info may not be there yet")
	require.Empty(t, locked.Info)
	require.NoError(t, l.Close())
}

func TestLockOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "LOCK")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockHelper$")
	cmd.Env = append(os.Environ(), lockHelperEnv+"="+path)
	_, err := cmd.StdinPipe() // it lives until killed; Wait closes the pipe
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(stdout, make([]byte, len("locked\n")))
	require.NoError(t, err)

	_, err = Lock(path, nil)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "the other process", string(locked.Info))

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	l, err := Lock(path, []byte("mine"))
	require.NoError(t, err, "the lock dies with its process")
	require.NoError(t, l.Close())
}

func TestLockErrors(t *testing.T) {
	_, err := Lock(filepath.Join(t.TempDir(), "missing", "LOCK"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)

	path := filepath.Join(t.TempDir(), "LOCK")
	require.NoError(t, os.MkdirAll(path+".info/x", 0o750)) // the info cannot be put there
	_, err = Lock(path, nil)
	require.ErrorContains(t, err, "write lock info")
	var locked *LockedError
	require.False(t, errors.As(err, &locked))
	require.NoFileExists(t, path+".info.tmp")
	require.NoError(t, os.RemoveAll(path+".info"))
	l, err := Lock(path, nil)
	require.NoError(t, err, "a lock that could not be described is given back")
	require.NoError(t, l.Close())
}
