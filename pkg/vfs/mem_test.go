package vfs

import (
	"bytes"
	"fmt"
	"math/rand"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// outcomes collects what many power cuts leave, as name → content of the files in the root.
func outcomes(mem *Mem) map[string]int {
	out := map[string]int{}
	for seed := range int64(400) {
		out[describe(mem.CrashClone(rand.New(rand.NewSource(seed))), "")]++
	}
	return out
}

func describe(fsys *Mem, dir string) string {
	names, err := fsys.List(dir)
	if err != nil {
		return err.Error()
	}
	s := ""
	for _, name := range names {
		full := dir + "/" + name
		info, err := fsys.Stat(full)
		if err != nil {
			return err.Error()
		}
		if info.IsDir() {
			s += name + "{" + describe(fsys, full) + "} "
			continue
		}
		b, err := ReadFile(fsys, full, 1<<20)
		if err != nil {
			return err.Error()
		}
		s += fmt.Sprintf("%s=%s ", name, b)
	}
	return s
}

func keys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func synced(t *testing.T, fsys FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	require.NoError(t, err)
	_, err = f.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	mem := NewMem()
	synced(t, mem, "f", "x")
	require.ElementsMatch(t, []string{"", "f=x "}, keys(outcomes(mem)), "synced content, unsynced name")
	require.NoError(t, mem.SyncDir("/"))
	require.Equal(t, []string{"f=x "}, keys(outcomes(mem)))
	require.NoError(t, mem.Remove("f"))
	require.ElementsMatch(t, []string{"", "f=x "}, keys(outcomes(mem)))
	require.NoError(t, mem.SyncDir(""))
	require.Equal(t, []string{""}, keys(outcomes(mem)))
}

func TestCrashRename(t *testing.T) {
	mem := NewMem()
	synced(t, mem, "f", "old")
	synced(t, mem, "g", "new")
	require.NoError(t, mem.SyncDir("/"))
	require.NoError(t, mem.Rename("g", "f"))
	require.ElementsMatch(t, []string{"f=old g=new ", "f=new "}, keys(outcomes(mem)), "atomic")
	require.NoError(t, mem.Rename("f", "h"))
	require.ElementsMatch(t, []string{"f=old g=new ", "f=new ", "h=new "}, keys(outcomes(mem)), "in order on the same name")
	synced(t, mem, "k", "k")
	got := outcomes(mem)
	require.Contains(t, got, "f=old g=new k=k ", "in any order on different names")
	require.Contains(t, got, "h=new ")
}

func TestCrashRenameAcrossDirectories(t *testing.T) {
	mem := NewMem()
	require.NoError(t, mem.MkdirAll("a"))
	require.NoError(t, mem.MkdirAll("b"))
	synced(t, mem, "a/f", "x")
	require.NoError(t, mem.SyncDir("a"))
	require.NoError(t, mem.SyncDir("/"))
	require.NoError(t, mem.Rename("a/f", "b/f"))
	require.ElementsMatch(t, []string{"a{f=x } b{} ", "a{} b{f=x } "}, keys(outcomes(mem)))
	require.NoError(t, mem.SyncDir("a"))
	require.Len(t, outcomes(mem), 2, "the new name needs its own directory synced")
	synced(t, mem, "a/f", "second")
	require.NoError(t, mem.SyncDir("a"))
	require.Equal(t, []string{"a{f=second } b{f=x } "}, keys(outcomes(mem)), "a name drags along what happened to it before")
}

func TestCrashOfDirectories(t *testing.T) {
	mem := NewMem()
	require.NoError(t, mem.MkdirAll("a/b"))
	synced(t, mem, "a/b/f", "x")
	require.NoError(t, mem.SyncDir("a/b"))
	got := outcomes(mem)
	require.ElementsMatch(t, []string{"", "a{} ", "a{b{f=x } } "}, keys(got), "a directory's own name counts too")
	require.NoError(t, mem.SyncDir("a"))
	require.NoError(t, mem.SyncDir("/"))
	require.Equal(t, []string{"a{b{f=x } } "}, keys(outcomes(mem)))
	require.NoError(t, mem.RemoveAll("a"))
	require.Contains(t, outcomes(mem), "a{b{} } ", "a tree is not removed at once")
	require.Contains(t, outcomes(mem), "")
}

func TestCrashOfUnsyncedWrites(t *testing.T) {
	mem := NewMem()
	f, err := mem.Create("f")
	require.NoError(t, err)
	_, err = f.Write(bytes.Repeat([]byte("a"), 3*sectorBytes))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, mem.SyncDir("/"))
	_, err = f.WriteAt(bytes.Repeat([]byte("b"), 2*sectorBytes), sectorBytes+10)
	require.NoError(t, err)
	seen := map[string]bool{}
	for seed := range int64(400) {
		clone := mem.CrashClone(rand.New(rand.NewSource(seed)))
		b, err := ReadFile(clone, "f", 1<<20)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte("a"), sectorBytes+10), b[:sectorBytes+10], "synced and not written again")
		second, third := b[sectorBytes+10:2*sectorBytes], b[2*sectorBytes:3*sectorBytes]
		seen[fmt.Sprintf("second %c third %c size %d", second[200], third[200], len(b))] = true
		again, err := ReadFile(mem.CrashClone(rand.New(rand.NewSource(seed))), "f", 1<<20)
		require.NoError(t, err)
		require.Equal(t, b, again, "the same seed gives the same crash")
	}
	long, short := 3*sectorBytes+10, 3*sectorBytes
	for _, want := range []string{
		fmt.Sprintf("second a third a size %d", short), fmt.Sprintf("second a third a size %d", long),
		fmt.Sprintf("second b third a size %d", long), fmt.Sprintf("second a third b size %d", short),
		fmt.Sprintf("second b third b size %d", long),
	} {
		require.Contains(t, seen, want)
	}
}

func TestCrashAfterFailedSync(t *testing.T) {
	mem := NewMem()
	inject := NewInject(mem)
	f, err := inject.Create("f")
	require.NoError(t, err)
	require.NoError(t, inject.SyncDir("/"))
	_, err = f.Write([]byte("lost"))
	require.NoError(t, err)
	inject.Arm(Fault{At: 1, Err: syscall.EIO, Match: func(op Op) bool { return op.Kind == OpSync }})
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Sync(), "the kernel calls the pages clean")
	require.Equal(t, "lost", content(t, inject, "f"), "and shows them")
	got := outcomes(mem)
	require.Contains(t, got, "f= ", "but they may not be on the disk")
	require.Contains(t, got, "f=lost ")
	_, err = f.WriteAt([]byte("kept"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"f=kept "}, keys(outcomes(mem)), "written again and synced")
}

// Whatever is done: each byte of a file after a crash is one that stood there at or after the last sync, and a file with a
// synced name is there.
func TestCrashProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := NewMem()
		f, err := mem.Create("f")
		require.NoError(t, err)
		require.NoError(t, mem.SyncDir("/"))
		const sizeMax = 4 * sectorBytes
		history := make([]map[int]bool, sizeMax) // per place the values since the last sync; -1 is behind the end
		var now []byte
		note := func() {
			for i := range history {
				v := -1
				if i < len(now) {
					v = int(now[i])
				}
				history[i][v] = true
			}
		}
		reset := func() {
			for i := range history {
				history[i] = map[int]bool{}
			}
			note()
		}
		reset()
		for range rapid.IntRange(1, 30).Draw(t, "operations") {
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				require.NoError(t, f.Sync())
				reset()
			case 1:
				size := rapid.IntRange(0, sizeMax).Draw(t, "size")
				require.NoError(t, f.Truncate(int64(size)))
				now = append(now, make([]byte, sizeMax)...)[:max(size, len(now))]
				now = now[:size]
				note()
			default:
				at := rapid.IntRange(0, sizeMax-1).Draw(t, "at")
				data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "value")}, rapid.IntRange(1, sizeMax-at).Draw(t, "length"))
				_, err := f.WriteAt(data, int64(at))
				require.NoError(t, err)
				if missing := at - len(now); missing > 0 {
					now = append(now, make([]byte, missing)...)
				}
				now = append(now[:at], append(data, now[min(len(now), at+len(data)):]...)...)
				note()
			}
			require.Equal(t, string(now), string(readNow(t, mem)))
			after := readNow(t, mem.CrashClone(rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))))
			for i, values := range history {
				if i < len(after) {
					// A byte may also be zero where the size reached the disk and the data did not.
					require.True(t, values[int(after[i])] || (values[-1] && after[i] == 0), "byte %d is %d", i, after[i])
				} else {
					require.True(t, values[-1], "byte %d is gone", i)
				}
			}
		}
	})
}

func readNow(t require.TestingT, fsys FS) []byte {
	b, err := ReadFile(fsys, "f", 1<<20)
	require.NoError(t, err)
	return b
}

func TestCrashCloneIsIndependent(t *testing.T) {
	mem := NewMem()
	synced(t, mem, "f", "one")
	require.NoError(t, mem.SyncDir("/"))
	clone := mem.CrashClone(rand.New(rand.NewSource(1)))
	writeFile(t, mem, "f", "two")
	require.Equal(t, "one", content(t, clone, "f"))
	writeFile(t, clone, "f", "three")
	require.Equal(t, "two", content(t, mem, "f"))
}
