package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// Block is an open block. It is safe for concurrent use until Close. In memory it holds the directories: about 100 bytes a
// chunk; the index is opened, and its whole checksum compared, at the first question that needs it.
type Block struct {
	fs          vfs.FS
	dir         string
	meta        Meta
	chunks      vfs.File
	footer      footer
	entries     []entry
	streamPages []streamPage

	mu        sync.Mutex // guards the fields below; held while the index is opened, so that one caller does it and the others wait
	indexFile vfs.File   // until index has it: the directory may have moved when the first question comes
	index     *index.Disk
}

// Open opens the block directory at dir. It checks the lengths of all files, and versions, footer and directories of
// chunks.bin. Errors wrap ErrCorrupt when these are wrong, and are the file system's otherwise.
func Open(fsys vfs.FS, dir string) (*Block, error) {
	m, err := ReadMeta(fsys, dir)
	if err != nil {
		return nil, err
	}
	b := &Block{fs: fsys, dir: dir, meta: m}
	if err := b.open(); err != nil {
		return nil, fmt.Errorf("open block %s: %w", m.ULID, err)
	}
	return b, nil
}

func (b *Block) open() error {
	err := b.openChunks()
	if err != nil {
		return err
	}
	// Only the length is looked at: the index is read when it is needed.
	if b.indexFile, err = b.openFile(indexName); err != nil {
		return errors.Join(err, b.chunks.Close())
	}
	return nil
}

// openChunks opens chunks.bin, which can be read without the index.
func (b *Block) openChunks() error {
	f, err := b.openFile(chunksName)
	if err != nil {
		return err
	}
	b.chunks = f
	if err := b.readDirectories(); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// file finds a file in the meta.
func (b *Block) file(name string) (File, error) {
	for _, f := range b.meta.Files {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, corrupt("%s does not name %s", metaName, name)
}

// openFile opens a file and checks its length.
func (b *Block) openFile(name string) (vfs.File, error) {
	want, err := b.file(name)
	if err != nil {
		return nil, err
	}
	f, err := b.fs.Open(path.Join(b.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt("%s is missing", name)
	}
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size != want.Bytes {
		err = corrupt("%s has %d bytes, want %d", name, size, want.Bytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (b *Block) readDirectories() error {
	want, err := b.file(chunksName)
	if err != nil {
		return err
	}
	if want.Bytes < headerBytes+footerBytes {
		return corrupt("%s has only %d bytes", chunksName, want.Bytes)
	}
	var head [headerBytes]byte
	if err := readAt(b.chunks, head[:], 0); err != nil {
		return err
	}
	if string(head[:8]) != headerMagic || binary.LittleEndian.Uint32(head[12:]) != checksum(head[:12]) {
		return corrupt("%s: wrong header", chunksName)
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != formatVersion {
		return corrupt("%s: format version %d, this program reads %d", chunksName, v, formatVersion)
	}
	tail := make([]byte, footerBytes)
	if err := readAt(b.chunks, tail, want.Bytes-footerBytes); err != nil {
		return err
	}
	if b.footer, err = decodeFooter(tail, want.Bytes); err != nil {
		return err
	}
	f := &b.footer
	if f.ulid != b.meta.ULID || uint64(f.chunks) != b.meta.Chunks || uint64(f.streams) != b.meta.Streams {
		return corrupt("%s does not belong to %s", chunksName, metaName)
	}
	directory, err := b.region(f.directory, f.streamsStart, f.directoryCRC)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if b.entries, err = decodeDirectory(directory, f); err != nil {
		return err
	}
	pages, err := b.region(f.streamDirectory, want.Bytes-footerBytes, f.streamDirectoryCRC)
	if err != nil {
		return fmt.Errorf("stream directory: %w", err)
	}
	b.streamPages, err = decodeStreamDirectory(pages, f)
	return err
}

// region reads part of chunks.bin whose checksum the footer has.
func (b *Block) region(start, end int64, crc uint32) ([]byte, error) {
	data := make([]byte, end-start)
	if err := readAt(b.chunks, data, start); err != nil {
		return nil, err
	}
	if checksum(data) != crc {
		return nil, corrupt("wrong checksum")
	}
	return data, nil
}

// readAt fills p. Bytes that are not there are corruption: the file's length was checked.
func readAt(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt("file ends at %d", offset+int64(n))
	}
	return fmt.Errorf("read: %w", err)
}

func updateChecksum(crc uint32, p []byte) uint32 { return crc32.Update(crc, castagnoli, p) }

// Close closes the files. No other call may be running.
func (b *Block) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.chunks.Close()
	if b.index != nil {
		err = errors.Join(err, b.index.Close())
	}
	if b.indexFile != nil {
		err = errors.Join(err, b.indexFile.Close())
	}
	return err
}

// Meta returns meta.json. It must not be changed.
func (b *Block) Meta() *Meta { return &b.meta }

// openIndex opens the index, once; a failure is tried again by the next caller.
func (b *Block) openIndex() (*index.Disk, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.index != nil {
		return b.index, nil
	}
	want, err := b.file(indexName)
	if err != nil {
		return nil, err
	}
	f := b.indexFile
	if f == nil { // an earlier attempt failed, and closed it
		if f, err = b.openFile(indexName); err != nil {
			return nil, err
		}
	}
	b.indexFile = nil
	ix, err := index.Open(f, want.Bytes, want.CRC32C)
	if err != nil {
		return nil, err
	}
	if ix.Streams() != b.meta.Streams || ix.ChunksCount() != b.meta.Chunks {
		return nil, errors.Join(corrupt("%s does not belong to %s", indexName, metaName), ix.Close())
	}
	b.index = ix
	return ix, nil
}

// withIndex asks the index something.
func (b *Block) withIndex(f func(ix *index.Disk) error) error {
	ix, err := b.openIndex()
	if err == nil {
		err = f(ix)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, index.ErrCorrupt):
		return fmt.Errorf("%w: block %s: %w", ErrCorrupt, b.meta.ULID, err)
	}
	return fmt.Errorf("block %s: %w", b.meta.ULID, err)
}

// Resolve returns the streams that match all matchers. The bitmap is the caller's.
func (b *Block) Resolve(matchers []*labels.Matcher) (refs *roaring.Bitmap, err error) {
	err = b.withIndex(func(ix *index.Disk) error {
		refs, err = index.Resolve(ix, matchers)
		return err
	})
	return refs, err
}

// LabelNames returns the sorted names that some stream in refs has; nil means every stream.
func (b *Block) LabelNames(refs *roaring.Bitmap) (names []string, err error) {
	err = b.withIndex(func(ix *index.Disk) error {
		names, err = index.LabelNames(ix, refs)
		return err
	})
	return names, err
}

// LabelValues returns the sorted values that the label has in refs; nil means every stream.
func (b *Block) LabelValues(name string, refs *roaring.Bitmap) (values []string, err error) {
	err = b.withIndex(func(ix *index.Disk) error {
		values, err = index.LabelValues(ix, name, refs)
		return err
	})
	return values, err
}

// ChunkRef is one chunk of the block, as the directory describes it.
type ChunkRef struct {
	Number           uint32
	MinTime, MaxTime model.Timestamp // both inclusive
	Entries          uint32
	RawBytes         uint64
	LineBytes        uint64
	Packed           bool            // holds several streams: look at the runs of its table
	Stream           model.StreamRef // the only one, when it is not packed
}

// Chunks returns, by number, the chunks that hold a stream in refs (nil means any) and may hold an entry in the interval.
func (b *Block) Chunks(refs *roaring.Bitmap, iv model.Interval) ([]ChunkRef, error) {
	var out []ChunkRef
	if refs == nil {
		for i := range b.entries {
			out = b.appendChunk(out, uint32(i), iv)
		}
		return out, nil
	}
	if !iv.Overlaps(b.meta.MinTime, b.meta.MaxTime) || refs.IsEmpty() {
		return nil, nil
	}
	err := b.withIndex(func(ix *index.Disk) error {
		numbers, err := ix.Chunks(refs)
		if err != nil {
			return err
		}
		for it := numbers.Iterator(); it.HasNext(); {
			out = b.appendChunk(out, it.Next(), iv)
		}
		return nil
	})
	return out, err
}

func (b *Block) appendChunk(dst []ChunkRef, number uint32, iv model.Interval) []ChunkRef {
	e := &b.entries[number] // the index has as many chunks as the directory, which was checked when it was opened
	if !iv.Overlaps(e.minTime, e.maxTime) {
		return dst
	}
	return append(dst, ChunkRef{
		Number: number, MinTime: e.minTime, MaxTime: e.maxTime, Entries: e.entries,
		RawBytes: uint64(e.rawBytes), LineBytes: uint64(e.lineBytes), Packed: e.ref == packedRef,
		Stream: model.StreamRef(e.ref),
	})
}

// Chunk opens a chunk: it reads the table and checks it against the directory. The reader is valid until Close.
func (b *Block) Chunk(ref ChunkRef) (*chunk.Reader, error) {
	r, err := b.chunk(ref.Number)
	if err != nil {
		return nil, fmt.Errorf("chunk %d of block %s: %w", ref.Number, b.meta.ULID, err)
	}
	return r, nil
}

// Reader reads the chunk whose table Chunk gave before. It is valid until Close.
func (b *Block) Reader(ref ChunkRef, t *chunk.Table) *chunk.Reader {
	return chunk.NewReader(b.chunks, b.entries[ref.Number].pagesOffset, t)
}

func (b *Block) hasChunk(number uint32) error {
	if int(number) >= len(b.entries) {
		return fmt.Errorf("there are only %d", len(b.entries))
	}
	return nil
}

func (b *Block) chunk(number uint32) (*chunk.Reader, error) {
	if err := b.hasChunk(number); err != nil {
		return nil, err
	}
	e := &b.entries[number]
	raw := make([]byte, e.tableBytes)
	if err := readAt(b.chunks, raw, e.tableOffset); err != nil {
		return nil, err
	}
	t, err := chunk.DecodeTable(raw)
	if err != nil {
		return nil, err
	}
	single := uint32(packedRef)
	if len(t.Runs) == 1 {
		single = uint32(t.Runs[0].Ref)
	}
	if t.MinTime != e.minTime || t.MaxTime != e.maxTime || t.Entries != e.entries || t.RawBytes != uint64(e.rawBytes) ||
		t.LineBytes != uint64(e.lineBytes) || len(t.Runs) != int(e.runs) || single != e.ref || uint32(t.Flags) != e.flags ||
		t.PagesBytes() != uint64(e.pagesBytes) {
		return nil, corrupt("column table disagrees with the directory")
	}
	for i := range t.Runs {
		if uint32(t.Runs[i].Ref) >= b.footer.streams {
			return nil, corrupt("run of stream %d, there are %d", t.Runs[i].Ref, b.footer.streams)
		}
	}
	return chunk.NewReader(b.chunks, e.pagesOffset, t), nil
}
