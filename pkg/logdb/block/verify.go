package block

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Verify reads everything: it compares the files with their checksums, decodes every column, builds
// the filters again, and compares all that is stored twice. It holds the stream table in memory.
func (b *Block) Verify(ctx context.Context) error {
	if err := b.verify(ctx); err != nil {
		return fmt.Errorf("verify block %s: %w", b.meta.ULID, err)
	}
	return nil
}

// VerifyFiles compares the files with the checksums that meta.json has of them, and looks no further.
func (b *Block) VerifyFiles(ctx context.Context) error {
	for _, name := range []string{chunksName, indexName} {
		if err := b.verifyFile(ctx, name); err != nil {
			return fmt.Errorf("verify block %s: %w", b.meta.ULID, err)
		}
	}
	return nil
}

func (b *Block) verify(ctx context.Context) error {
	for _, name := range []string{chunksName, indexName} {
		if err := b.verifyFile(ctx, name); err != nil {
			return err
		}
	}
	streams, err := b.Streams(nil)
	if err != nil {
		return err
	}
	places, err := b.verifyChunks(ctx, streams)
	if err != nil {
		return err
	}
	if err := b.withIndex(func(ix *index.Disk) error { return verifyLabels(ctx, ix, streams) }); err != nil {
		return err
	}
	return b.withIndex(func(ix *index.Disk) error { return verifyPlaces(ctx, ix, places) })
}

// verifyFile compares a file with its checksum, a piece at a time.
func (b *Block) verifyFile(ctx context.Context, name string) error {
	want, err := b.file(name)
	if err != nil {
		return err
	}
	f, err := b.openFile(name)
	if err != nil {
		return err
	}
	var crc uint32
	buf := make([]byte, 1<<20)
	for offset := int64(0); offset < want.Bytes && err == nil; {
		n := min(int64(len(buf)), want.Bytes-offset)
		if err = errors.Join(ctx.Err(), readAt(f, buf[:n], offset)); err == nil {
			crc = updateChecksum(crc, buf[:n])
		}
		offset += n
	}
	if err == nil && crc != want.CRC32C {
		err = corrupt("%s has checksum %08x, want %08x", want.Name, crc, want.CRC32C)
	}
	return errors.Join(err, f.Close())
}

// verifyChunks decodes every chunk, compares counts and times, and returns the chunks of each stream.
func (b *Block) verifyChunks(ctx context.Context, streams []Stream) ([][]uint32, error) {
	places := make([][]uint32, len(streams))
	got := make([]Stream, len(streams))
	sum := Meta{MinTime: model.MaxTimestamp, MaxTime: model.MinTimestamp}
	for number := range uint32(len(b.entries)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := b.chunk(number)
		if err == nil {
			err = errors.Join(r.Verify(), b.verifyFilters(number, r))
		}
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", number, err)
		}
		t := r.Table()
		for i := range t.Runs {
			run := &t.Runs[i]
			s := &got[run.Ref]
			if len(places[run.Ref]) == 0 {
				s.MinTime, s.MaxTime = run.MinTime, run.MaxTime
			}
			s.MinTime, s.MaxTime = min(s.MinTime, run.MinTime), max(s.MaxTime, run.MaxTime)
			places[run.Ref] = append(places[run.Ref], number)
		}
		sum.MinTime, sum.MaxTime = min(sum.MinTime, t.MinTime), max(sum.MaxTime, t.MaxTime)
		sum.Entries += uint64(t.Entries)
		sum.RawBytes += t.RawBytes
		sum.LineBytes += t.LineBytes
	}
	m := &b.meta
	if sum.MinTime != m.MinTime || sum.MaxTime != m.MaxTime || sum.Entries != m.Entries || sum.RawBytes != m.RawBytes ||
		sum.LineBytes != m.LineBytes {
		return nil, corrupt("the chunks disagree with %s", metaName)
	}
	for i := range streams {
		s := &streams[i]
		if s.MinTime != got[i].MinTime || s.MaxTime != got[i].MaxTime || len(places[i]) == 0 ||
			s.Fingerprint != model.FingerprintOf(s.Labels) {
			return nil, corrupt("stream %d: the stream table disagrees with the chunks or itself", i)
		}
	}
	return places, nil
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

// RebuildIndex derives index.db again from chunks.bin and writes it to w. It is for repair: the same streams make the same
// bytes, so the result has the checksum that meta.json names.
func (b *Block) RebuildIndex(ctx context.Context, scratchDir string, w io.Writer) error {
	streams, err := b.Streams(nil)
	if err != nil {
		return err
	}
	places := make([][]uint32, len(streams))
	for number := range uint32(len(b.entries)) {
		r, err := b.Chunk(ChunkRef{Number: number})
		if err != nil {
			return err
		}
		for i := range r.Table().Runs {
			ref := r.Table().Runs[i].Ref
			places[ref] = append(places[ref], number)
		}
	}
	s := index.Source{Streams: labelsOf(streams), Chunks: places, ChunksCount: uint32(len(b.entries))}
	return index.Build(ctx, scratchDir, s, w)
}
