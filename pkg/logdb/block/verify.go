package block

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// Damage is one thing that is wrong with a block.
type Damage struct {
	File  string    // meta.json, chunks.bin or index.db
	Chunk *ChunkRef // what cannot be read, when that is one chunk
	Err   error     // wraps ErrCorrupt
}

// Examination is what Examine found.
type Examination struct {
	Meta   Meta // zero when it cannot be read
	Damage []Damage
}

// IndexOnly reports whether the damage is in index.db alone, so that RepairIndex undoes it.
func (x *Examination) IndexOnly() bool {
	return len(x.Damage) > 0 && !slices.ContainsFunc(x.Damage, func(d Damage) bool { return d.File != indexName })
}

// Examine reads everything that the block directory at dir holds, as far as that is possible, and tells all that is wrong
// with it; each damage was seen twice. The error is one of reading and says nothing about the block. Progress, when not
// nil, hears of bytes as they are done, ExamineBytes of the meta together.
func Examine(ctx context.Context, fsys vfs.FS, dir string, progress func(bytes int64)) (Examination, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	x := &examiner{ctx: ctx, progress: progress}
	var m Meta
	if !x.sound(metaName, nil, func() (err error) { m, err = ReadMeta(fsys, dir); return err }) {
		return x.Examination, x.err
	}
	x.Meta = m
	x.b = &Block{fs: fsys, dir: dir, meta: m}
	if !x.sound(chunksName, nil, x.b.openChunks) {
		return x.Examination, x.err
	}
	x.run()
	if err := errors.Join(x.err, x.b.Close()); err != nil {
		return x.Examination, fmt.Errorf("examine block %s: %w", m.ULID, err)
	}
	return x.Examination, nil
}

// ExamineBytes is how many bytes an examination reads, about.
func (m *Meta) ExamineBytes() int64 {
	n := m.Bytes()
	for _, f := range m.Files {
		if f.Name == chunksName {
			n += f.Bytes // once for its checksum, once to decode it
		}
	}
	return n
}

// Verify reads everything: it compares the files with their checksums, decodes every column, builds the filters again, and
// compares all that is stored twice. It holds the stream table in memory. It returns the first damage, or why reading failed.
func (b *Block) Verify(ctx context.Context) error {
	x := &examiner{ctx: ctx, b: b, progress: func(int64) {}}
	x.run()
	err := x.err
	if err == nil && len(x.Damage) > 0 {
		err = x.Damage[0].Err
	}
	if err != nil {
		return fmt.Errorf("verify block %s: %w", b.meta.ULID, err)
	}
	return nil
}

// VerifyFiles compares the files with the checksums that meta.json has of them, and looks no further.
func (b *Block) VerifyFiles(ctx context.Context) error {
	for _, name := range []string{chunksName, indexName} {
		if err := b.verifyFile(ctx, name, func(int64) {}); err != nil {
			return fmt.Errorf("verify block %s: %w", b.meta.ULID, err)
		}
	}
	return nil
}

// examiner is one examination of a block. It ends at the first error that is not damage.
type examiner struct {
	Examination
	ctx      context.Context // of the one call
	b        *Block
	progress func(int64)
	err      error
}

// sound runs a check, a second time when it finds damage, and notes what it found. It reports whether all is well.
func (x *examiner) sound(file string, chunk *ChunkRef, check func() error) bool {
	if x.err != nil {
		return false
	}
	err := check()
	if isCorrupt(err) {
		err = check() // only a second read of the same makes it corruption
	}
	switch {
	case err == nil:
		return true
	case isCorrupt(err):
		x.Damage = append(x.Damage, Damage{File: file, Chunk: chunk, Err: err})
	default:
		x.err = err
	}
	return false
}

func isCorrupt(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, index.ErrCorrupt) }

func (x *examiner) run() {
	b := x.b
	var streams []Stream
	streamsSound := x.sound(chunksName, nil, func() (err error) { streams, err = b.Streams(nil); return err })
	got := x.chunks()
	if streamsSound && got.read == len(b.entries) {
		x.sound(chunksName, nil, func() error { return got.compare(&b.meta, streams) })
	}
	// What was found above explains a wrong checksum of the file; alone, it is the damage.
	before := len(x.Damage)
	if !x.sound(chunksName, nil, func() error { return b.verifyFile(x.ctx, chunksName, x.progress) }) && before > 0 && len(x.Damage) > before {
		x.Damage = x.Damage[:before]
	}
	indexSound := x.sound(indexName, nil, func() error { return b.verifyFile(x.ctx, indexName, x.progress) })
	if indexSound && streamsSound {
		indexSound = x.sound(indexName, nil, func() error {
			return b.withIndex(func(ix *index.Disk) error { return verifyLabels(x.ctx, ix, streams) })
		})
	}
	if indexSound && got.tables == len(b.entries) {
		x.sound(indexName, nil, func() error {
			return b.withIndex(func(ix *index.Disk) error { return verifyPlaces(x.ctx, ix, got.places) })
		})
	}
}

// verifyFile compares a file with its checksum, a piece at a time.
func (b *Block) verifyFile(ctx context.Context, name string, progress func(int64)) error {
	want, err := b.file(name)
	if err != nil {
		return err
	}
	f, err := b.openFile(name)
	if err != nil {
		return err
	}
	var crc uint32
	buf := make([]byte, min(1<<20, max(want.Bytes, 1)))
	for offset := int64(0); offset < want.Bytes && err == nil; {
		n := min(int64(len(buf)), want.Bytes-offset)
		if err = errors.Join(ctx.Err(), readAt(f, buf[:n], offset)); err == nil {
			crc = updateChecksum(crc, buf[:n])
			progress(n)
		}
		offset += n
	}
	if err == nil && crc != want.CRC32C {
		err = corrupt("%s has checksum %08x, want %08x", want.Name, crc, want.CRC32C)
	}
	return errors.Join(err, f.Close())
}

// tally is what the chunks of a block add up to.
type tally struct {
	read, tables int // chunks of which everything, or the table, is sound
	sum          Meta
	streams      []Stream   // times only
	places       [][]uint32 // the chunks of each stream
}

// chunks decodes every chunk.
func (x *examiner) chunks() *tally {
	b := x.b
	t := &tally{
		sum:     Meta{MinTime: model.MaxTimestamp, MaxTime: model.MinTimestamp},
		streams: make([]Stream, b.footer.streams), places: make([][]uint32, b.footer.streams),
	}
	always := model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	for number := range uint32(len(b.entries)) {
		if x.err == nil {
			x.err = x.ctx.Err()
		}
		if x.err != nil {
			return t
		}
		ref := b.appendChunk(nil, number, always)
		var table *chunk.Table
		sound := x.sound(chunksName, first(ref), func() error {
			r, err := b.chunk(number)
			if err == nil {
				table = r.Table()
				err = errors.Join(r.Verify(), b.verifyFilters(number, r))
			}
			if err != nil {
				return fmt.Errorf("chunk %d: %w", number, err)
			}
			return nil
		})
		if table != nil {
			t.add(number, table)
		}
		if sound {
			t.read++
		}
		x.progress(int64(b.entries[number].pagesBytes))
	}
	return t
}

// first is the one chunk, or nil for one that ends at the last representable moment.
func first(refs []ChunkRef) *ChunkRef {
	if len(refs) == 0 {
		return nil
	}
	return &refs[0]
}

func (t *tally) add(number uint32, table *chunk.Table) {
	t.tables++
	for i := range table.Runs {
		run := &table.Runs[i]
		s := &t.streams[run.Ref]
		if len(t.places[run.Ref]) == 0 {
			s.MinTime, s.MaxTime = run.MinTime, run.MaxTime
		}
		s.MinTime, s.MaxTime = min(s.MinTime, run.MinTime), max(s.MaxTime, run.MaxTime)
		t.places[run.Ref] = append(t.places[run.Ref], number)
	}
	t.sum.MinTime, t.sum.MaxTime = min(t.sum.MinTime, table.MinTime), max(t.sum.MaxTime, table.MaxTime)
	t.sum.Entries += uint64(table.Entries)
	t.sum.RawBytes += table.RawBytes
	t.sum.LineBytes += table.LineBytes
}

// compare compares counts and times with the meta and the stream table. All chunks were sound.
func (t *tally) compare(m *Meta, streams []Stream) error {
	sum := &t.sum
	if sum.MinTime != m.MinTime || sum.MaxTime != m.MaxTime || sum.Entries != m.Entries || sum.RawBytes != m.RawBytes ||
		sum.LineBytes != m.LineBytes {
		return corrupt("the chunks disagree with %s", metaName)
	}
	for i := range streams {
		s := &streams[i]
		if s.MinTime != t.streams[i].MinTime || s.MaxTime != t.streams[i].MaxTime || len(t.places[i]) == 0 ||
			s.Fingerprint != model.FingerprintOf(s.Labels) {
			return corrupt("stream %d: the stream table disagrees with the chunks or itself", i)
		}
	}
	return nil
}

// verifyLabels compares every name, value and set of the index with the stream table.
func verifyLabels(ctx context.Context, ix *index.Disk, streams []Stream) error {
	want := index.NewMem()
	for i := range streams {
		want.Add(streams[i].Ref, streams[i].Labels)
	}
	expected := want.Snapshot()
	names, err := ix.Names()
	if err != nil {
		return err
	}
	wantNames, err := expected.Names()
	if err != nil {
		return err
	}
	if !slices.Equal(names, wantNames) {
		return corrupt("label names of the index differ from the stream table")
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := verifyName(ix, expected, name); err != nil {
			return err
		}
	}
	return nil
}

func verifyName(ix *index.Disk, expected index.Reader, name string) error {
	same := func(what string, got, want *roaring.Bitmap) error {
		if !got.Equals(want) {
			return corrupt("index: the streams of %s differ from the stream table", what)
		}
		return nil
	}
	got, err := ix.Name(name)
	if err != nil {
		return err
	}
	want, err := expected.Name(name)
	if err != nil {
		return err
	}
	if err := same(name, got, want); err != nil {
		return err
	}
	values := 0
	err = ix.Values(name, "", func(value string, p index.Postings) error {
		values++
		got := roaring.New()
		if err := p.AddTo(got); err != nil {
			return err
		}
		want, err := expected.Postings(name, value)
		if err != nil {
			return err
		}
		return same("a value of "+name, got, want)
	})
	if err != nil {
		return err
	}
	all, err := index.LabelValues(expected, name, nil)
	if err == nil && len(all) != values { // each found value has the right streams, so only missing ones are left
		err = corrupt("index: values of %s are missing", name)
	}
	return err
}

func verifyPlaces(ctx context.Context, ix *index.Disk, places [][]uint32) error {
	for ref, want := range places {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := ix.Chunks(roaring.BitmapOf(uint32(ref)))
		if err != nil {
			return err
		}
		if !slices.Equal(got.ToArray(), want) {
			return corrupt("index: the chunks of stream %d differ from the run tables", ref)
		}
	}
	return nil
}
