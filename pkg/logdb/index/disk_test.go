package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenSource has small sets and big ones, several groups of values and of streams, absent labels.
func goldenSource() Source {
	var s Source
	for i := range 300 {
		b := labels.NewBuilder(labels.EmptyLabels())
		b.Set("app", []string{"api", "web", "db"}[i%3])
		b.Set("pod", fmt.Sprintf("pod-%03d", i))
		if i%7 == 0 {
			b.Set("rare", strings.Repeat("v", i/7))
		}
		s.Streams = append(s.Streams, b.Labels())
		s.Chunks = append(s.Chunks, []uint32{uint32(i / 100), uint32(3 + i)})
	}
	s.ChunksCount = 303
	return s
}

// answers asks an index everything and returns the answers as text.
func answers(r Reader, chunks func(*roaring.Bitmap) (*roaring.Bitmap, error)) (string, error) {
	var out strings.Builder
	names, err := r.Names()
	if err != nil {
		return "", err
	}
	for _, name := range names {
		set, err := r.Name(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s %s\n", name, set)
		err = r.Values(name, "", func(v string, p Postings) error {
			set := roaring.New()
			if err := p.AddTo(set); err != nil {
				return err
			}
			one, err := r.Postings(name, v)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "%q %s %s\n", v, set, one)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	all, err := r.All()
	if err != nil {
		return "", err
	}
	for _, ref := range all.ToArray() {
		set, err := chunks(roaring.BitmapOf(ref))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%d %s\n", ref, set)
	}
	return out.String(), nil
}

// dump writes every key and value of the file.
func dump(t *testing.T, path string) string {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				fmt.Fprintf(&out, "%s %s %s\n", name, hex.EncodeToString(k), hex.EncodeToString(v))
				return nil
			})
		})
	}))
	require.NoError(t, db.Close())
	return out.String()
}

// TestGolden pins keys and values, and that a file written by an earlier build still opens and answers the same. (The pages
// around them are bbolt's business and may change with it.)
func TestGolden(t *testing.T) {
	s := goldenSource()
	dir := t.TempDir()
	built := filepath.Join(dir, "index.db")
	require.NoError(t, os.WriteFile(built, buildBytes(t, dir, s), 0o600))
	text, file := filepath.Join("testdata", "index.txt"), filepath.Join("testdata", "index.db")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(text, []byte(dump(t, built)), 0o600))
		data, err := os.ReadFile(built)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, data, 0o600))
	}
	want, err := os.ReadFile(text)
	require.NoError(t, err)
	require.Equal(t, string(want), dump(t, built), "the content of index.db changed: that is a new format version")

	d, err := openFile(file)
	require.NoError(t, err)
	got, err := answers(d, d.Chunks)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	fresh := diskOf(t, s)
	wantAnswers, err := answers(fresh, fresh.Chunks)
	require.NoError(t, err)
	require.Equal(t, wantAnswers, got)
}

// TestBuildIsDeterministic: the same streams make the same file, so that replicas and repairs can be compared by checksum.
func TestBuildIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	require.True(t, bytes.Equal(buildBytes(t, dir, goldenSource()), buildBytes(t, dir, goldenSource())))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "the scratch file is removed")
}

func TestBuildErrors(t *testing.T) {
	s := goldenSource()
	require.Error(t, Build(t.Context(), filepath.Join(t.TempDir(), "none"), s, io.Discard))
	require.Error(t, Build(t.Context(), t.TempDir(), Source{}, io.Discard))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Build(canceled, t.TempDir(), s, io.Discard), context.Canceled)
	full := errors.New("no space left on device")
	require.ErrorIs(t, Build(t.Context(), t.TempDir(), s, failingWriter{full}), full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// openFile opens a file as what it is.
func openFile(path string) (*Disk, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return Open(f, int64(len(data)), crc32.Checksum(data, castagnoli))
}

// memFile is a file in memory that may fail.
type memFile struct {
	*bytes.Reader
	err error
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.ReadAt(b, off)
}

func (f *memFile) Close() error { return nil }

func openBytes(data []byte, size int, crc uint32) (*Disk, *memFile, error) {
	f := &memFile{Reader: bytes.NewReader(data)}
	d, err := Open(f, int64(size), crc)
	return d, f, err
}

func TestOpenErrors(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("short"), make([]byte, 64<<10), bytes.Repeat([]byte{0xff}, 64<<10)} {
		_, _, err := openBytes(data, len(data), crc32.Checksum(data, castagnoli))
		require.ErrorIs(t, err, ErrCorrupt)
	}
	d := diskOf(t, goldenSource())
	_, err := d.Chunks(roaring.BitmapOf(300))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrCorrupt, "the caller asked for a stream that is not there")
}

// TestReadErrors: what the disk says is passed on and is no corruption.
func TestReadErrors(t *testing.T) {
	data := buildBytes(t, t.TempDir(), goldenSource())
	d, f, err := openBytes(data, len(data), crc32.Checksum(data, castagnoli))
	require.NoError(t, err)
	f.err = errors.New("input/output error")
	_, err = answers(d, d.Chunks)
	require.ErrorIs(t, err, f.err)
	require.NotErrorIs(t, err, ErrCorrupt)
	_, err = Open(f, int64(len(data)), 0)
	require.ErrorIs(t, err, f.err)
	require.NotErrorIs(t, err, ErrCorrupt)
}

// TestDamage flips every byte and cuts the file at many places before it is opened.
func TestDamage(t *testing.T) {
	data := buildBytes(t, t.TempDir(), goldenSource())
	crc := crc32.Checksum(data, castagnoli)
	refuse := func(data []byte, size int) {
		_, _, err := openBytes(data, size, crc)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	for i := range data {
		data[i] ^= 1 << (i % 8)
		refuse(data, len(data))
		data[i] ^= 1 << (i % 8)
	}
	for n := 0; n < len(data); n += 512 {
		refuse(data[:n], len(data))
	}
	refuse(append(slices.Clone(data), 0), len(data))
	_, _, err := openBytes(data, len(data), crc)
	require.NoError(t, err)
}

// TestDamageAfterOpen changes the bytes under an open index, page numbers, counts and lengths among them: what it answers
// is right or an error.
func TestDamageAfterOpen(t *testing.T) {
	data := buildBytes(t, t.TempDir(), goldenSource())
	d, f, err := openBytes(data, len(data), crc32.Checksum(data, castagnoli))
	require.NoError(t, err)
	want, err := answers(d, d.Chunks)
	require.NoError(t, err)
	ask := func() (refused bool) {
		t.Helper()
		got, err := answers(d, d.Chunks)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return true
		}
		require.Equal(t, want, got)
		return false
	}
	const step = 97 // prime to the bits of a byte and to every power of two
	refused := 0
	for i := 0; i < len(data); i += step {
		data[i] ^= 1 << (i % 8)
		if ask() {
			refused++
		}
		data[i] ^= 1 << (i % 8)
	}
	require.Greater(t, refused, len(data)/step/5, "what is read is checked; the rest is free pages and slack")
	*f.Reader = *bytes.NewReader(data[:4096])
	require.True(t, ask())
	*f.Reader = *bytes.NewReader(make([]byte, len(data)))
	require.True(t, ask())
}

// TestDamagedValues: every value is under its checksum, whatever the file's says.
func TestDamagedValues(t *testing.T) {
	data := buildBytes(t, t.TempDir(), goldenSource())
	for _, v := range valuesOf(t, data) {
		bad := slices.Clone(v)
		bad[len(bad)/2] ^= 1
		damaged := bytes.ReplaceAll(data, v, bad)
		d, _, err := openBytes(damaged, len(damaged), crc32.Checksum(damaged, castagnoli))
		if err == nil {
			_, err = answers(d, d.Chunks)
		}
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

// TestPageCycle: pages that point at each other end in an error, not in a stack overflow.
func TestPageCycle(t *testing.T) {
	const size = 1024
	branch := func(id, child byte) []byte {
		p := make([]byte, size)
		p[0], p[8], p[10] = id, pageBranch, 1
		binary.LittleEndian.PutUint32(p[16:], elementBytes) // an empty key right behind the element
		p[24] = child
		return p
	}
	data := slices.Concat(make([]byte, 2*size), branch(2, 3), branch(3, 2))
	f := &pageFile{src: bytes.NewReader(data), size: int64(len(data)), pageSize: size}
	b, err := f.bucket(2, nil)
	require.NoError(t, err)
	_, err = f.get(nil, &b, []byte("key"))
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "levels")
}

// valuesOf returns the values of all buckets, by way of bbolt.
func valuesOf(t *testing.T, data []byte) (values [][]byte) {
	path := filepath.Join(t.TempDir(), "index.db")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return b.ForEach(func(_, v []byte) error {
				values = append(values, slices.Clone(v))
				return nil
			})
		})
	}))
	require.NoError(t, db.Close())
	return values
}
