package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// tinyContent is small enough to try every byte of the block.
func tinyContent(t require.TestingT) *content {
	sets := []labels.Labels{labels.FromStrings("app", "a"), labels.FromStrings("app", "b", "pod", "x"), labels.FromStrings("pod", "y")}
	entries := make([][]model.Entry, len(sets))
	for i := range sets {
		for k := range []int{40, 2, 3}[i] {
			entries[i] = append(entries[i], model.Entry{
				Timestamp: dayStart + model.Timestamp(k*1e9), Line: fmt.Sprintf("stream %d line %d", i, k), Level: "info",
				Metadata: []model.Pair{{Name: "k", Value: fmt.Sprint(k)}},
			})
		}
	}
	return newContent(t, sets, entries)
}

func putFile(t require.TestingT, fsys vfs.FS, name string, data []byte) {
	f, err := fsys.Create(name)
	require.NoError(t, err)
	_, err = f.Write(data)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// ask opens the block, reads everything and verifies. What it reads must be right or an error that says corrupt.
func (c *content) ask(t require.TestingT, fsys vfs.FS, dir string) (readErr, verifyErr error) {
	b, err := Open(fsys, dir)
	if err != nil {
		require.ErrorIs(t, err, ErrCorrupt)
		return err, err
	}
	defer func() { require.NoError(t, b.Close()) }()
	if _, _, readErr = readAll(b); readErr != nil {
		require.ErrorIs(t, readErr, ErrCorrupt)
	} else {
		c.compare(t, b)
	}
	if _, err := b.Resolve(matchers(t, labels.MatchRegexp, "app", ".*b")); err != nil {
		require.ErrorIs(t, err, ErrCorrupt)
	}
	if _, err := b.Filters(); err != nil {
		require.ErrorIs(t, err, ErrCorrupt)
	}
	if verifyErr = b.Verify(t.(*testing.T).Context()); verifyErr != nil {
		require.ErrorIs(t, verifyErr, ErrCorrupt)
	}
	return readErr, verifyErr
}

// TestBitFlips flips a bit in every byte of every file of a block, and cuts the files.
func TestBitFlips(t *testing.T) {
	fsys := vfs.NewMem()
	c := tinyContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	dir := blockPath(m)
	for _, name := range []string{metaName, chunksName, indexName} {
		file := path.Join(dir, name)
		data, err := vfs.ReadFile(fsys, file, 1<<20)
		require.NoError(t, err)
		step := 1
		if name == indexName {
			step = 13 // one checksum covers it; package index flips every byte
		}
		for i := 0; i < len(data); i += step {
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			putFile(t, fsys, file, flipped)
			_, verifyErr := c.ask(t, fsys, dir)
			if name != metaName { // an upper-case "Meta" is still the same to JSON
				require.Error(t, verifyErr, "%s byte %d", name, i)
			}
		}
		for _, n := range []int{0, 1, len(data) / 2, len(data) - 2} { // the last byte of meta.json is a newline
			putFile(t, fsys, file, data[:n])
			readErr, _ := c.ask(t, fsys, dir)
			require.Error(t, readErr)
		}
		putFile(t, fsys, file, append(slices.Clone(data), 0))
		_, verifyErr := c.ask(t, fsys, dir)
		require.Error(t, verifyErr)
		require.NoError(t, fsys.Remove(file))
		readErr, _ := c.ask(t, fsys, dir)
		require.Error(t, readErr)
		putFile(t, fsys, file, data)
	}
	readErr, verifyErr := c.ask(t, fsys, dir)
	require.NoError(t, errors.Join(readErr, verifyErr))
	_, err = Open(fsys, dir+"x")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, ErrCorrupt, "a block that is not there is no corrupt block")
}

// TestVerifySeesThroughChecksums: damage that someone signed again, because a bug wrote it that way.
func TestVerifySeesThroughChecksums(t *testing.T) {
	c := tinyContent(t)
	scratch := t.TempDir()
	var corruption error
	f := func(want string, change func(fsys vfs.FS, dir string, m *Meta)) {
		t.Helper()
		fsys := vfs.NewMem()
		m, err := c.writeTo(t.Context(), fsys, scratch, testMeta(1))
		require.NoError(t, err)
		change(fsys, blockPath(m), &m)
		data, err := encodeMeta(&m)
		require.NoError(t, err)
		putFile(t, fsys, path.Join(blockPath(m), metaName), data)
		b, err := Open(fsys, blockPath(m))
		if err == nil {
			err = b.Verify(t.Context())
			require.NoError(t, b.Close())
		}
		require.ErrorIs(t, err, corruption)
		require.ErrorContains(t, err, want)
	}
	corruption = ErrVersion
	f("version 9, this program reads version 2", func(_ vfs.FS, _ string, m *Meta) { m.Version = 9 })
	f("version 1, this program reads version 2", func(_ vfs.FS, _ string, m *Meta) { m.Version = 1 })
	corruption = ErrCorrupt
	f("chunks disagree", func(_ vfs.FS, _ string, m *Meta) { m.Entries++ })
	f("chunks disagree", func(_ vfs.FS, _ string, m *Meta) { m.RawBytes-- })
	f("does not belong", func(_ vfs.FS, _ string, m *Meta) { m.Streams++ })
	f("does not name index.db", func(_ vfs.FS, _ string, m *Meta) { m.Files = m.Files[:1] })
	// The index of a block with other labels.
	f("differ from the stream table", func(fsys vfs.FS, dir string, m *Meta) {
		other := tinyContent(t)
		other.streams[0].Labels = labels.FromStrings("app", "b")
		om, err := other.writeTo(t.Context(), fsys, scratch, testMeta(2))
		require.NoError(t, err)
		data, err := vfs.ReadFile(fsys, path.Join(blockPath(om), indexName), 1<<20)
		require.NoError(t, err)
		putFile(t, fsys, path.Join(dir, indexName), data)
		m.Files[1] = om.Files[1]
	})
	// chunks.bin of another block.
	f("does not belong", func(fsys vfs.FS, dir string, m *Meta) {
		om, err := tinyContent(t).writeTo(t.Context(), fsys, scratch, testMeta(2))
		require.NoError(t, err)
		data, err := vfs.ReadFile(fsys, path.Join(blockPath(om), chunksName), 1<<20)
		require.NoError(t, err)
		putFile(t, fsys, path.Join(dir, chunksName), data)
		m.Files[0] = om.Files[0]
	})
}

func TestRebuiltIndexIsTheSame(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	want, err := vfs.ReadFile(fsys, path.Join(blockPath(m), indexName), 1<<20)
	require.NoError(t, err)
	putFile(t, fsys, path.Join(blockPath(m), indexName), make([]byte, len(want)))
	b, err := Open(fsys, blockPath(m))
	require.NoError(t, err)
	require.ErrorIs(t, b.Verify(t.Context()), ErrCorrupt)
	var rebuilt bytes.Buffer
	require.NoError(t, b.RebuildIndex(t.Context(), t.TempDir(), &rebuilt))
	require.True(t, bytes.Equal(want, rebuilt.Bytes()))
	require.NoError(t, b.Close())
}

// crashLoop crashes Write at its k-th operation that changes something, for k = 1, 2, 3, … until a run needs fewer, and
// checks what a machine finds after the power came back. It returns the first violation.
func crashLoop(t *testing.T, sabotage func(*vfs.Inject)) error {
	c := tinyContent(t)
	scratch := t.TempDir()
	for k := 1; ; k++ {
		for seed := range int64(8) {
			mem := vfs.NewMem()
			require.NoError(t, vfs.MkdirAllSynced(mem, "data")) // as whoever owns the data directory does
			inject := vfs.NewInject(mem)
			sabotage(inject)
			inject.Arm(vfs.Fault{At: k})
			m := testMeta(1)
			_, err := c.writeTo(t.Context(), inject, scratch, m)
			if err != nil && !errors.Is(err, vfs.ErrCrashed) {
				return fmt.Errorf("operation %d: %w", k, err)
			}
			after := mem.CrashClone(rand.New(rand.NewSource(int64(k)<<8 | seed)))
			if violation := c.afterCrash(t, after, m, err == nil); violation != nil {
				return fmt.Errorf("crash at operation %d, seed %d: %w", k, seed, violation)
			}
			if err == nil && seed == 7 {
				if k < 10 {
					return fmt.Errorf("only %d operations", k)
				}
				return nil
			}
		}
	}
}

// afterCrash: the block is whole or not there; when Write reported success it is there.
func (c *content) afterCrash(t *testing.T, fsys vfs.FS, m Meta, success bool) error {
	if _, err := fsys.Stat(blockPath(m)); errors.Is(err, fs.ErrNotExist) && !success {
		return nil
	}
	b, err := Open(fsys, blockPath(m))
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, b.Close()) }()
	if err := b.Verify(t.Context()); err != nil {
		return err
	}
	c.compare(t, b)
	return nil
}

func TestCrashAtEveryOperation(t *testing.T) {
	require.NoError(t, crashLoop(t, func(*vfs.Inject) {}))
}

// TestCrashLoopSeesSabotage: the loop above fails when syncs lie. A test that cannot fail proves nothing.
func TestCrashLoopSeesSabotage(t *testing.T) {
	require.Error(t, crashLoop(t, func(i *vfs.Inject) { i.NoSync = true }))
	require.Error(t, crashLoop(t, func(i *vfs.Inject) { i.NoSyncDir = true }))
}

// TestFailAtEveryOperation: an operation that fails, once, leaves nothing behind and the next attempt works.
func TestFailAtEveryOperation(t *testing.T) {
	c := tinyContent(t)
	scratch := t.TempDir()
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k, Err: syscall.ENOSPC})
		m := testMeta(1)
		_, err := c.writeTo(t.Context(), inject, scratch, m)
		if !inject.Fired() {
			require.NoError(t, err)
			require.Greater(t, k, 10)
			return
		}
		if err != nil { // removing what is not there may fail without harm
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.NotErrorIs(t, err, ErrCorrupt)
			nothingStands(t, mem, m)
			_, err = c.writeTo(t.Context(), inject, scratch, m)
		}
		require.NoError(t, err)
		c.check(t, mem, blockPath(m))
	}
}

// TestReadErrorsAreNotCorruption: EIO says nothing about the data.
func TestReadErrorsAreNotCorruption(t *testing.T) {
	c := tinyContent(t)
	mem := vfs.NewMem()
	m, err := c.writeTo(t.Context(), mem, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	for k := 1; ; k++ {
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpRead || op.Kind == vfs.OpOpen }})
		b, err := Open(inject, blockPath(m))
		if err == nil {
			err = b.Verify(t.Context())
			require.NoError(t, b.Close())
		}
		if !inject.Fired() {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, syscall.EIO)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
}

// TestGolden pins the bytes of chunks.bin and meta.json. (Those of index.db are pinned in its package.)
func TestGolden(t *testing.T) {
	fsys := vfs.NewMem()
	c := smallContent(t)
	m, err := c.writeTo(t.Context(), fsys, t.TempDir(), testMeta(1))
	require.NoError(t, err)
	golden := vfs.OS()
	if *update {
		require.NoError(t, os.MkdirAll("testdata/block", 0o750))
		for _, name := range []string{metaName, chunksName, indexName} {
			data, err := vfs.ReadFile(fsys, path.Join(blockPath(m), name), 1<<20)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join("testdata/block", name), data, 0o600))
		}
	}
	want, err := os.ReadFile("testdata/block/" + chunksName)
	require.NoError(t, err)
	got, err := vfs.ReadFile(fsys, path.Join(blockPath(m), chunksName), 1<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "the bytes of chunks.bin changed: that is a new format version")
	wantMeta, err := ReadMeta(golden, "testdata/block")
	require.NoError(t, err)
	m.Files[1] = wantMeta.Files[1] // bbolt may lay out its pages in another way one day
	require.Equal(t, wantMeta, m)
	c.check(t, golden, "testdata/block")
}

func FuzzMeta(f *testing.F) {
	m := testMeta(1)
	m.Version = formatVersion
	data, err := encodeMeta(&m)
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		again, err := encodeMeta(&m)
		require.NoError(t, err)
		back, err := decodeMeta(again)
		require.NoError(t, err)
		require.Equal(t, m, back)
	})
}

// FuzzDirectories reads mutated footers, directories and stream pages with right checksums.
func FuzzDirectories(f *testing.F) {
	fsys := vfs.NewMem()
	m, err := tinyContent(f).writeTo(f.Context(), fsys, f.TempDir(), testMeta(1))
	require.NoError(f, err)
	data, err := vfs.ReadFile(fsys, path.Join(blockPath(m), chunksName), 1<<20)
	require.NoError(f, err)
	f.Add(data[len(data)-footerBytes:], data[len(data)-footerBytes-5*entryBytes:], []byte{})
	b, err := Open(fsys, blockPath(m))
	require.NoError(f, err)
	directory, err := b.region(b.footer.directory, b.footer.streamsStart, b.footer.directoryCRC)
	require.NoError(f, err)
	page, err := b.streamPage(0)
	require.NoError(f, err)
	f.Add(data[len(data)-footerBytes:], directory, page)
	f.Fuzz(func(t *testing.T, foot, directory, page []byte) {
		if len(foot) >= footerBytes {
			foot = slices.Clone(foot[:footerBytes])
			copy(foot[footerBytes-8:], footerMagic)
			binary.LittleEndian.PutUint32(foot[footerBytes-12:], checksum(foot[:footerBytes-12]))
			if ft, err := decodeFooter(foot, int64(len(data))); err == nil {
				if uint64(ft.chunks)*entryBytes <= uint64(len(directory)) {
					_, err = decodeDirectory(directory, &ft)
					require.True(t, err == nil || errors.Is(err, ErrCorrupt))
				}
				if uint64(ft.streamPages)*streamPageEntry <= uint64(len(directory)) {
					_, err = decodeStreamDirectory(directory, &ft)
					require.True(t, err == nil || errors.Is(err, ErrCorrupt))
				}
			} else {
				require.ErrorIs(t, err, ErrCorrupt)
			}
		}
		var streams []Stream
		err := decodeStreamPage(page, 0, 3, func(uint32) bool { return true }, func(s Stream) { streams = append(streams, s) })
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Len(t, streams, 3)
		again := appendStreamPage(nil, streams)
		require.NoError(t, decodeStreamPage(again, 0, 3, func(uint32) bool { return true }, func(s Stream) {
			require.Equal(t, streams[s.Ref], s)
		}))
	})
}
