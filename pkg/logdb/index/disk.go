package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// File is what Disk reads: a vfs.File, or anything like it.
type File interface {
	io.ReaderAt
	io.Closer
}

// Disk is an open index.db. It is a Reader; safe for concurrent use until Close. It keeps the root pages of the buckets,
// the label names and the fences in memory and reads the rest as it is asked for.
type Disk struct {
	file   File
	pages  *pageFile
	sets   buckets
	names  []string // sorted; the place is the name's number
	counts struct{ streams, chunks uint64 }
	fenced []atomic.Pointer[fenceList] // by name, once asked for: a few bytes for each 128 values
}

type buckets struct{ names, values, postings, runs bucket }

var _ Reader = (*Disk)(nil)

// Open opens an index.db after it has compared the whole file with its length and crc32c, and then owns f. When it fails, f
// is closed.
func Open(f File, bytes int64, crc uint32) (*Disk, error) {
	d := &Disk{file: f}
	err := check(f, bytes, crc)
	if err == nil {
		err = d.open(bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", errors.Join(err, f.Close()))
	}
	return d, nil
}

func check(f io.ReaderAt, bytes int64, crc uint32) error {
	h := crc32.New(castagnoli)
	n, err := io.Copy(h, io.NewSectionReader(f, 0, bytes+1)) // one more, to see a file that is too long
	if err != nil {
		return err
	}
	if n != bytes || h.Sum32() != crc {
		return corrupt("file has %d bytes with checksum %08x, want %d with %08x", n, h.Sum32(), bytes, crc)
	}
	return nil
}

func (d *Disk) open(bytes int64) (err error) {
	if d.pages, err = openPages(d.file, bytes); err != nil {
		return err
	}
	for _, b := range []struct {
		name []byte
		to   *bucket
	}{
		{bucketNames, &d.sets.names}, {bucketValues, &d.sets.values},
		{bucketPostings, &d.sets.postings}, {bucketRuns, &d.sets.runs},
	} {
		if *b.to, err = d.pages.open(b.name); err != nil {
			return err
		}
	}
	return d.readMeta()
}

// Close closes the file. No other call may be running.
func (d *Disk) Close() error { return d.file.Close() }

// Streams returns how many streams there are; their refs are 0 to Streams-1.
func (d *Disk) Streams() uint64 { return d.counts.streams }

// ChunksCount returns how many chunks there are.
func (d *Disk) ChunksCount() uint64 { return d.counts.chunks }

func (d *Disk) readMeta() error {
	meta, err := d.pages.open(bucketMeta)
	if err != nil {
		return err
	}
	b, err := d.pages.get(nil, &meta, keyMeta)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	if v := c.number(1 << 32); v != formatVersion {
		return corrupt("format version %d, this program reads %d", v, formatVersion)
	}
	d.counts.streams, d.counts.chunks = c.number(1<<32), c.number(1<<32)
	count := c.number(uint64(len(c.b)))
	for range count {
		d.names = append(d.names, string(c.take(c.number(textBytesMax))))
	}
	d.fenced = make([]atomic.Pointer[fenceList], len(d.names))
	if c.bad || len(c.b) != 0 || d.counts.streams == 0 || !slices.IsSorted(d.names) {
		return corrupt("index header out of range")
	}
	return nil
}

// All returns every stream.
func (d *Disk) All() (*roaring.Bitmap, error) {
	b := roaring.New()
	b.AddRange(0, d.counts.streams)
	return b, nil
}

// Names returns the label names, sorted.
func (d *Disk) Names() ([]string, error) { return slices.Clone(d.names), nil }

func (d *Disk) sym(name string) (uint32, bool) {
	n, ok := slices.BinarySearch(d.names, name)
	return uint32(n), ok
}

// Name returns the streams that have the label.
func (d *Disk) Name(name string) (*roaring.Bitmap, error) {
	n, ok := d.sym(name)
	if !ok {
		return roaring.New(), nil
	}
	b, err := d.pages.get(nil, &d.sets.names, binary.BigEndian.AppendUint32(nil, n))
	if err != nil {
		return nil, fmt.Errorf("streams of label %q: %w", name, err)
	}
	return decodeSet(b, d.counts.streams)
}

// Postings returns the streams that have the label pair.
func (d *Disk) Postings(name, value string) (*roaring.Bitmap, error) {
	sym, ok := d.sym(name)
	if !ok || value == "" {
		return roaring.New(), nil
	}
	set, err := d.postings(sym, value)
	if err != nil {
		return nil, fmt.Errorf("postings of label %q: %w", name, err)
	}
	return set, nil
}

// lookup is the space that looking up one value takes.
type lookup struct {
	walk  pageWalk
	group valueGroup
	small postingsGroup
}

var lookups = sync.Pool{New: func() any { return new(lookup) }}

func (d *Disk) postings(sym uint32, value string) (*roaring.Bitmap, error) {
	l := lookups.Get().(*lookup)
	defer lookups.Put(l)
	f, err := d.fences(sym)
	if err != nil {
		return nil, err
	}
	key := groupKey(sym, f.find(value))
	l.walk.reset()
	b, err := l.walk.get(d.pages, &d.sets.values, key)
	if err != nil {
		return nil, err
	}
	if err := l.group.decode(b); err != nil {
		return nil, err
	}
	slot := sort.Search(l.group.len(), func(i int) bool { return l.group.value(i) >= value })
	if slot == l.group.len() || l.group.value(slot) != value {
		return roaring.New(), nil
	}
	if b, err = l.walk.get(d.pages, &d.sets.postings, key); err != nil {
		return nil, err
	}
	if err := l.small.decode(b, l.group.len()); err != nil {
		return nil, err
	}
	if !l.small.inline(slot) {
		return d.bigSet(&l.walk, append(key, byte(slot)))
	}
	set := roaring.New()
	return set, l.small.addTo(set, slot, d.counts.streams)
}

// bigSet reads a set that has a key of its own.
func (d *Disk) bigSet(w *pageWalk, key []byte) (*roaring.Bitmap, error) {
	b, err := w.get(d.pages, &d.sets.postings, key)
	if err != nil {
		return nil, err
	}
	return decodeSet(b, d.counts.streams)
}

// fences returns the fences of a name, reading them the first time.
func (d *Disk) fences(sym uint32) (*fenceList, error) {
	if f := d.fenced[sym].Load(); f != nil {
		return f, nil
	}
	b, err := d.pages.get(nil, &d.sets.values, binary.BigEndian.AppendUint32(nil, sym))
	if err != nil {
		return nil, err
	}
	f, err := decodeFences(b)
	if err == nil {
		d.fenced[sym].Store(f)
	}
	return f, err
}

// Chunks returns the numbers of the chunks that hold a stream in refs.
func (d *Disk) Chunks(refs *roaring.Bitmap) (*roaring.Bitmap, error) {
	set := roaring.New()
	if !refs.IsEmpty() && uint64(refs.Maximum()) >= d.counts.streams {
		return nil, fmt.Errorf("no stream %d among %d", refs.Maximum(), d.counts.streams)
	}
	for it := refs.Iterator(); it.HasNext(); {
		group := it.Next() / groupStreams
		if err := d.addChunks(set, group, refs); err != nil {
			return nil, fmt.Errorf("chunks of streams: %w", err)
		}
		if next := (uint64(group) + 1) * groupStreams; next < d.counts.streams {
			it.AdvanceIfNeeded(uint32(next))
		} else {
			break
		}
	}
	return set, nil
}

// addChunks adds the chunks of all streams of one group that are in refs.
func (d *Disk) addChunks(set *roaring.Bitmap, group uint32, refs *roaring.Bitmap) error {
	b, err := d.pages.get(nil, &d.sets.runs, binary.BigEndian.AppendUint32(nil, group))
	if err != nil {
		return err
	}
	c := cursor{b: b}
	var list []uint32
	for ref := uint64(group) * groupStreams; ref < min(d.counts.streams, (uint64(group)+1)*groupStreams); ref++ {
		count := c.number(d.counts.chunks)
		list, err = decodeList(list[:0], &c, int(count), d.counts.chunks)
		if err != nil {
			return err
		}
		if refs.Contains(uint32(ref)) {
			set.AddMany(list)
		}
	}
	if c.bad || len(c.b) != 0 {
		return corrupt("runs of group %d out of range", group)
	}
	return nil
}
