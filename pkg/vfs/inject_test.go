package vfs

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInjectError(t *testing.T) {
	inject := NewInject(NewMem())
	inject.Arm(Fault{At: 2, Err: syscall.ENOSPC})
	f, err := inject.Create("f")
	require.NoError(t, err)
	n, err := f.Write([]byte("half of it"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 5, n)
	require.True(t, inject.Fired())
	require.Equal(t, "half ", content(t, inject, "f"), "a full disk takes a part")
	_, err = f.Write([]byte("more"))
	require.NoError(t, err, "once")
	require.Equal(t, 3, inject.Count())
	require.NoError(t, f.Close())
}

func TestInjectForeverUntilDisarmed(t *testing.T) {
	inject := NewInject(NewMem())
	writeFile(t, inject, "f", "x")
	inject.Arm(Fault{At: 1, Err: syscall.EIO, Forever: true, Match: func(op Op) bool { return op.Kind == OpOpen }})
	for range 3 {
		_, err := inject.Open("f")
		require.ErrorIs(t, err, syscall.EIO)
	}
	require.NoError(t, inject.Rename("f", "g"))
	inject.Disarm()
	require.Equal(t, "x", content(t, inject, "g"))
}

func TestInjectCrash(t *testing.T) {
	mem := NewMem()
	inject := NewInject(mem)
	f, err := inject.Create("f")
	require.NoError(t, err)
	inject.Arm(Fault{At: 1})
	_, err = f.Write([]byte("never"))
	require.ErrorIs(t, err, ErrCrashed)
	require.Empty(t, content(t, mem, "f"), "the operation itself is not carried out")
	everything := func(fsys FS, f File) []error {
		var errs []error
		note := func(err error) { errs = append(errs, err) }
		_, err := fsys.Create("g")
		note(err)
		_, err = fsys.Open("f")
		note(err)
		_, err = fsys.OpenReadWrite("f")
		note(err)
		note(fsys.Rename("f", "g"))
		note(fsys.Remove("f"))
		note(fsys.RemoveAll("f"))
		note(fsys.MkdirAll("d"))
		_, err = fsys.List("/")
		note(err)
		_, err = fsys.Stat("f")
		note(err)
		note(fsys.SyncDir("/"))
		_, err = f.Write([]byte("x"))
		note(err)
		_, err = f.WriteAt([]byte("x"), 0)
		note(err)
		_, err = f.Read(make([]byte, 1))
		note(err)
		_, err = f.ReadAt(make([]byte, 1), 0)
		note(err)
		note(f.Sync())
		note(f.Truncate(0))
		_, err = f.Size()
		note(err)
		note(f.Close())
		return errs
	}
	for i, err := range everything(inject, f) {
		require.ErrorIs(t, err, ErrCrashed, "operation %d", i)
	}
	names, err := mem.List("/")
	require.NoError(t, err)
	require.Equal(t, []string{"f"}, names)

	other := NewInject(mem)
	other.Crash()
	require.ErrorIs(t, other.MkdirAll("d"), ErrCrashed)
}

func TestInjectTrace(t *testing.T) {
	inject := NewInject(NewMem())
	inject.StartTrace()
	require.NoError(t, ReplaceFile(inject, "f", []byte("abc")))
	var got []string
	for _, op := range inject.Trace() {
		if op.Mutates() {
			got = append(got, op.String())
		}
	}
	require.Equal(t, []string{"create f.tmp", "write f.tmp [-1, +3)", "sync f.tmp", "rename f.tmp -> f", "syncdir ."}, got)
}

func TestInjectFollowsRenames(t *testing.T) {
	inject := NewInject(NewMem())
	f, err := inject.Create("f")
	require.NoError(t, err)
	require.NoError(t, inject.Rename("f", "g"))
	require.Error(t, inject.Rename("f", "h"))
	inject.StartTrace()
	require.NoError(t, f.Sync())
	require.Equal(t, []Op{{Kind: OpSync, Name: "g"}}, inject.Trace())
	require.NoError(t, f.Close())
}

func TestInjectLateSync(t *testing.T) {
	mem := NewMem()
	inject := NewInject(mem)
	inject.LateSync = true
	f, err := inject.Create("f")
	require.NoError(t, err)
	require.NoError(t, mem.SyncDir("/"))
	_, err = io.WriteString(f, "first")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Contains(t, outcomes(mem), "f= ", "reported and not done")
	_, err = io.WriteString(f, "")
	require.NoError(t, err)
	require.Equal(t, []string{"f=first "}, keys(outcomes(mem)), "done at the next write")
	require.NoError(t, f.Close())
}

func TestInjectPassesErrorsOn(t *testing.T) {
	inject := NewInject(NewMem())
	_, err := inject.Open("missing")
	require.True(t, errors.Is(err, syscall.ENOENT))
	require.False(t, inject.Fired())
}
