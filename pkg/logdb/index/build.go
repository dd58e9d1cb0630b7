package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	bolt "go.etcd.io/bbolt"
)

// The buckets of index.db.
var (
	bucketMeta     = []byte("meta")
	bucketNames    = []byte("names")
	bucketValues   = []byte("values")
	bucketPostings = []byte("postings")
	bucketRuns     = []byte("runs")
	keyMeta        = []byte("index")
)

// Source is what an index is built from: the label sets of streams 0 to len-1 and, for each, the ascending numbers of the
// chunks that hold it.
type Source struct {
	Streams     []labels.Labels
	Chunks      [][]uint32
	ChunksCount uint32
}

// Build makes index.db and writes its bytes to w. bbolt builds in a new file under scratchDir, a real directory, without
// sync: making the bytes durable is the business of whoever owns w.
func Build(ctx context.Context, scratchDir string, s Source, w io.Writer) error {
	if len(s.Streams) == 0 || len(s.Streams) != len(s.Chunks) {
		return fmt.Errorf("build index: %d streams, chunks of %d", len(s.Streams), len(s.Chunks))
	}
	f, err := os.CreateTemp(scratchDir, "index-*.db")
	if err != nil {
		return fmt.Errorf("build index: %w", err)
	}
	path := f.Name()
	defer func() { _ = os.Remove(path) }() // the scratch directory is emptied at start anyway
	if err := f.Close(); err != nil {
		return fmt.Errorf("build index: %w", err)
	}
	size, err := buildFile(ctx, path, s)
	if err != nil {
		return fmt.Errorf("build index: %w", err)
	}
	if err := copyFile(w, path, size); err != nil {
		return fmt.Errorf("build index: %w", err)
	}
	return nil
}

func copyFile(w io.Writer, path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, f, size)
	return errors.Join(err, f.Close())
}

// buildFile fills the file and returns the length of its used part.
func buildFile(ctx context.Context, path string, s Source) (size int64, err error) {
	page := pageBytes
	if len(s.Streams) < streamsSmall {
		page = pageBytesSmall
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: lockTimeout, NoSync: true, NoGrowSync: true, NoFreelistSync: true, PageSize: page,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := fill(ctx, db, s); err != nil {
		return 0, err
	}
	err = db.View(func(tx *bolt.Tx) error {
		size = tx.Size()
		return nil
	})
	return size, err
}

// label is one label name: its sorted values and the streams of each.
type label struct {
	name     string
	values   []string
	postings map[string][]uint32
}

// invert returns the label names, sorted.
func invert(streams []labels.Labels) []label {
	names := make(map[string]map[string][]uint32)
	for ref, ls := range streams {
		ls.Range(func(l labels.Label) {
			if l.Value == "" {
				return
			}
			values, ok := names[l.Name]
			if !ok {
				values = make(map[string][]uint32)
				names[l.Name] = values
			}
			values[l.Value] = append(values[l.Value], uint32(ref))
		})
	}
	all := make([]label, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, label{name: name, values: slices.Sorted(maps.Keys(names[name])), postings: names[name]})
	}
	return all
}

// fill writes one bucket after the other. Pages are filled to the end: nothing will ever be inserted.
func fill(ctx context.Context, db *bolt.DB, s Source) error {
	all := invert(s.Streams)
	perLabel := func(put func(b *bolt.Bucket, sym uint32, l label) error) func(b *bolt.Bucket) error {
		return func(b *bolt.Bucket) error {
			for sym, l := range all {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := put(b, uint32(sym), l); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, step := range []struct {
		bucket []byte
		fill   func(b *bolt.Bucket) error
	}{
		{bucketMeta, func(b *bolt.Bucket) error { return putMeta(b, s, all) }},
		{bucketNames, perLabel(putName)},
		{bucketValues, perLabel(putValues)},
		{bucketPostings, perLabel(putPostings)},
		{bucketRuns, func(b *bolt.Bucket) error { return putRuns(b, s.Chunks) }},
	} {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(step.bucket)
			if err != nil {
				return err
			}
			b.FillPercent = 1
			return step.fill(b)
		})
		if err != nil {
			return fmt.Errorf("bucket %s: %w", step.bucket, err)
		}
	}
	return nil
}

func put(b *bolt.Bucket, key, value []byte) error { return b.Put(key, sign(key, value)) }

func putMeta(b *bolt.Bucket, s Source, all []label) error {
	v := binary.AppendUvarint(nil, formatVersion)
	v = binary.AppendUvarint(v, uint64(len(s.Streams)))
	v = binary.AppendUvarint(v, uint64(s.ChunksCount))
	v = binary.AppendUvarint(v, uint64(len(all)))
	for _, l := range all {
		v = binary.AppendUvarint(v, uint64(len(l.name)))
		v = append(v, l.name...)
	}
	return put(b, keyMeta, v)
}

func putRuns(b *bolt.Bucket, chunks [][]uint32) error {
	for group := 0; group*groupStreams < len(chunks); group++ {
		var v []byte
		for _, list := range chunks[group*groupStreams : min(len(chunks), (group+1)*groupStreams)] {
			v = binary.AppendUvarint(v, uint64(len(list)))
			v = appendList(v, list)
		}
		if err := put(b, binary.BigEndian.AppendUint32(nil, uint32(group)), v); err != nil {
			return err
		}
	}
	return nil
}

func putName(b *bolt.Bucket, sym uint32, l label) error {
	var all []uint32
	for _, v := range l.values {
		all = append(all, l.postings[v]...)
	}
	slices.Sort(all)
	set, err := appendSet(nil, all)
	if err != nil {
		return err
	}
	return put(b, binary.BigEndian.AppendUint32(nil, sym), set)
}

func putValues(b *bolt.Bucket, sym uint32, l label) error {
	if err := put(b, binary.BigEndian.AppendUint32(nil, sym), fences(l.values)); err != nil {
		return err
	}
	for g, values := range groups(l.values) {
		blob := binary.AppendUvarint(nil, uint64(len(values)))
		for _, v := range values {
			blob = binary.AppendUvarint(blob, uint64(len(v)))
		}
		for _, v := range values {
			blob = append(blob, v...)
		}
		if err := put(b, groupKey(sym, g), blob); err != nil {
			return err
		}
	}
	return nil
}

func putPostings(b *bolt.Bucket, sym uint32, l label) error {
	for g, values := range groups(l.values) {
		var sizes, sets []byte
		var big []int
		for slot, v := range values {
			before := len(sets)
			if list := l.postings[v]; len(list) <= inlineStreams {
				sets = appendList(sets, list)
			} else {
				big = append(big, slot)
			}
			sizes = binary.AppendUvarint(sizes, uint64(len(sets)-before))
		}
		if err := put(b, groupKey(sym, g), append(sizes, sets...)); err != nil {
			return err
		}
		for _, slot := range big {
			set, err := appendSet(nil, l.postings[values[slot]])
			if err != nil {
				return err
			}
			if err := put(b, append(groupKey(sym, g), byte(slot)), set); err != nil {
				return err
			}
		}
	}
	return nil
}

// groups yields the groups of sorted values with their numbers.
func groups(values []string) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		g := 0
		for group := range slices.Chunk(values, groupValues) {
			if !yield(g, group) {
				return
			}
			g++
		}
	}
}

func fences(values []string) []byte {
	groups := (len(values) + groupValues - 1) / groupValues
	v := binary.AppendUvarint(nil, uint64(len(values)))
	v = binary.AppendUvarint(v, uint64(groups))
	var joined []byte
	for g := range groups {
		if g > 0 {
			joined = append(joined, separator(values[g*groupValues-1], values[g*groupValues])...)
		}
		v = binary.LittleEndian.AppendUint32(v, uint32(len(joined)))
	}
	return append(v, joined...)
}

// separator returns the shortest s with below < s <= above, for below < above.
func separator(below, above string) string {
	n := 0
	for n < len(below) && below[n] == above[n] {
		n++
	}
	return above[:n+1]
}
