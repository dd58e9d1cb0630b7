package block

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// RepairConfig says where a repair may write.
type RepairConfig struct {
	FS         vfs.FS
	TmpDir     string // on the file system of the block; made when missing
	ScratchDir string // a real directory, where bbolt builds the index
}

// RepairIndex writes index.db of the block directory at dir again, from chunks.bin. The file is replaced only by the very
// bytes that the block was written with (meta.json has their checksum), so whoever has the block open is not disturbed. It
// fails, and changes nothing, when chunks.bin or meta.json is damaged where it is needed.
func RepairIndex(ctx context.Context, c RepairConfig, dir string) error {
	m, err := ReadMeta(c.FS, dir)
	if err != nil {
		return err
	}
	b := &Block{fs: c.FS, dir: dir, meta: m}
	if err := b.repairIndex(ctx, c); err != nil {
		return fmt.Errorf("repair the index of block %s: %w", m.ULID, err)
	}
	return nil
}

func (b *Block) repairIndex(ctx context.Context, c RepairConfig) error {
	want, err := b.file(indexName)
	if err != nil {
		return err
	}
	if err := b.openChunks(); err != nil {
		return err
	}
	defer func() { _ = b.chunks.Close() }() // opened for reading only: nothing can be lost
	if err := vfs.MkdirAllSynced(c.FS, c.TmpDir); err != nil {
		return err
	}
	tmp := path.Join(c.TmpDir, b.meta.ULID.String()+"-"+indexName)
	got, err := b.writeIndex(ctx, c, tmp)
	if err == nil && (got.Bytes != want.Bytes || got.CRC32C != want.CRC32C) {
		err = fmt.Errorf("the new file has %d bytes with checksum %08x, and %s wants %d with %08x: another version of the program wrote it",
			got.Bytes, got.CRC32C, metaName, want.Bytes, want.CRC32C)
	}
	if err == nil {
		err = c.FS.Rename(tmp, path.Join(b.dir, indexName))
	}
	if err != nil {
		return errors.Join(err, c.FS.RemoveAll(tmp))
	}
	// Survives a crash after we reported success: the file's name.
	return c.FS.SyncDir(b.dir)
}

// writeIndex writes the index to a file of its own, synced.
func (b *Block) writeIndex(ctx context.Context, c RepairConfig, name string) (File, error) {
	file, err := c.FS.Create(name)
	if err != nil {
		return File{}, err
	}
	w := newFileWriter(file)
	if err = b.RebuildIndex(ctx, c.ScratchDir, w); err == nil {
		err = w.finish() // survives a crash after the rename: the bytes
	}
	return File{Name: indexName, Bytes: w.offset, CRC32C: w.crc}, errors.Join(err, file.Close())
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
