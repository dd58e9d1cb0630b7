package wal

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// BenchmarkAppend is a record made durable on the disk of the temporary directory, beside the same bytes by a bare write
// and fdatasync: into a file that grows, which a new log must do, and into one that was written before, which a recycled
// segment is.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		name := fmt.Sprintf("size=%dKiB", size>>10)
		b.Run(name+"/bare/growing", func(b *testing.B) { benchBare(b, size, false) })
		b.Run(name+"/bare/written", func(b *testing.B) { benchBare(b, size, true) })
		b.Run(name+"/append/new", func(b *testing.B) { benchAppend(b, size, 1, false) })
		b.Run(name+"/append/recycled", func(b *testing.B) { benchAppend(b, size, 1, true) })
		b.Run(name+"/append/recycled/callers=16", func(b *testing.B) { benchAppend(b, size, 16, true) })
	}
}

// benchFileBytes is what a bare benchmark writes before it begins again, and a segment's size.
const benchFileBytes = 64 << 20

func benchBare(b *testing.B, size int, written bool) {
	f, err := vfs.OS().Create(filepath.Join(b.TempDir(), "f"))
	require.NoError(b, err)
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i)
	}
	for at := 0; written && at < benchFileBytes; at += size {
		_, err := f.WriteAt(p, int64(at))
		require.NoError(b, err)
	}
	require.NoError(b, f.Sync())
	b.SetBytes(int64(size))
	at := int64(0)
	for b.Loop() {
		if at += int64(size); at+int64(size) > benchFileBytes {
			at = 0
			if !written {
				require.NoError(b, f.Truncate(0))
			}
		}
		_, err := f.WriteAt(p, at)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
	require.NoError(b, f.Close())
}

func benchAppend(b *testing.B, size, callers int, recycled bool) {
	l, err := Open(b.Context(), Config{FS: vfs.OS(), Dir: b.TempDir(), SegmentBytes: benchFileBytes})
	require.NoError(b, err)
	p := make([]byte, size)
	r := Record{Type: 1, Payload: [][]byte{p}}
	if recycled { // fill the segments that the log then overwrites
		big := Record{Type: 1, Payload: [][]byte{make([]byte, 1<<20)}}
		for l.State().Next.Segment() <= 3 {
			require.NoError(b, l.Append(b.Context(), big))
		}
		require.NoError(b, l.DropBefore(l.State().Next))
		for start := l.State().Next.Segment(); l.State().Next.Segment() == start; {
			require.NoError(b, l.Append(b.Context(), big))
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	work := make(chan struct{}, callers)
	var workers sync.WaitGroup
	for range callers {
		workers.Go(func() {
			for range work {
				if err := l.Append(context.Background(), r); err != nil {
					panic(err)
				}
			}
		})
	}
	segment := l.State().Next.Segment()
	for b.Loop() {
		work <- struct{}{}
		if s := l.State().Next; s.Segment() != segment {
			segment = s.Segment()
			require.NoError(b, l.DropBefore(s)) // as a flush does, so that the next segment is a recycled one
		}
	}
	close(work)
	workers.Wait()
	b.StopTimer()
	require.NoError(b, l.Close())
}

// BenchmarkReplay reads a log from the page cache, beside the checksum alone over the same bytes.
func BenchmarkReplay(b *testing.B) {
	const logBytes = 128 << 20
	sum := make([]byte, 1<<20)
	b.Run("crc32c", func(b *testing.B) {
		b.SetBytes(int64(len(sum)))
		for b.Loop() {
			crc32.Checksum(sum, castagnoli)
		}
	})
	for _, size := range []int{4 << 10, 200 << 10, 1 << 20, 5 << 20} {
		dir := b.TempDir()
		l, err := Open(b.Context(), Config{FS: vfs.OS(), Dir: dir, Sync: SyncOff})
		require.NoError(b, err)
		p := make([]byte, size)
		for written := 0; written < logBytes; written += size {
			require.NoError(b, l.Append(b.Context(), Record{Type: 1, Payload: [][]byte{p}}))
		}
		require.NoError(b, l.Close())
		cfg := ReplayConfig{FS: vfs.OS(), Dir: dir}
		run := func(b *testing.B) {
			b.SetBytes(logBytes / int64(size) * int64(size))
			b.ReportAllocs()
			for b.Loop() {
				stats, err := Replay(b.Context(), cfg, func(Position, byte, []byte) error { return nil })
				require.NoError(b, err)
				require.GreaterOrEqual(b, stats.Bytes, int64(logBytes))
			}
		}
		b.Run(fmt.Sprintf("record=%dKiB", size>>10), run)
		require.NoError(b, os.RemoveAll(dir))
	}
}

// BenchmarkSearch is the look behind a clean end: over zeros, and over the records of a recycled segment.
func BenchmarkSearch(b *testing.B) {
	f := func(name string, fill func([]byte)) {
		b.Run(name, func(b *testing.B) {
			tail := make([]byte, 32<<20)
			fill(tail)
			mem := vfs.NewMem()
			head, _ := buildSegment(1, 0, goldenSalt, testRecord{1, true, "one"})
			putSegment(b, mem, 1, append(head, tail...))
			b.SetBytes(int64(len(tail)))
			for b.Loop() {
				stats, err := Replay(b.Context(), ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { return nil })
				require.NoError(b, err)
				require.EqualValues(b, 1, stats.Records)
			}
		})
	}
	f("zeros", func([]byte) {})
	f("old", func(b []byte) {
		old, _ := buildSegment(9, 0, goldenSalt, testRecord{1, true, string(make([]byte, 100))})
		for at := 0; at < len(b); {
			at += copy(b[at:], old[dataStart:])
		}
	})
}
