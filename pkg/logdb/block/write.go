package block

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// WriteConfig says where to write.
type WriteConfig struct {
	FS         vfs.FS
	Dir        string // <data>/blocks/<tenant>; made when missing
	TmpDir     string // <data>/tmp, on the same file system
	ScratchDir string // a real directory, where bbolt builds the index
}

// Write writes a block and returns its completed meta. When it returns nil the block stands whole and durable under its
// final name; when it fails, or a crash interrupts it, nothing stands there. Chunks use the places in streams as refs
// (see chunk.Encoded.Renumber) and lie inside meta.Day; every stream has an entry in some chunk.
func Write(ctx context.Context, c WriteConfig, meta Meta, streams []StreamInfo, chunks iter.Seq2[*chunk.Encoded, error]) (Meta, error) {
	if err := meta.check(); err != nil {
		return Meta{}, fmt.Errorf("write block: %w", err)
	}
	tmp := path.Join(c.TmpDir, meta.ULID.String())
	final := path.Join(c.Dir, meta.ULID.String())
	w := &writer{ctx: ctx, c: c, dir: tmp, meta: meta}
	err := w.writeFiles(streams, chunks)
	if err == nil {
		if err = publish(c.FS, tmp, final); err == nil {
			return w.meta, nil
		}
		// The block may stand under its name although the name may not survive a crash: take it away, or the caller would
		// have to know which of two states to clean up.
		err = errors.Join(err, c.FS.RemoveAll(final))
	}
	return Meta{}, fmt.Errorf("write block %s: %w", meta.ULID, errors.Join(err, c.FS.RemoveAll(tmp)))
}

// publish gives a directory of synced files its final name.
func publish(fsys vfs.FS, tmp, final string) error {
	// Survives a crash after the rename: the names of the files inside. Without it the block could stand there with files
	// missing.
	if err := fsys.SyncDir(tmp); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	// Survives a crash after we reported success: the tenant's directory itself, when this is its first block.
	if err := vfs.MkdirAllSynced(fsys, path.Dir(final)); err != nil {
		return err
	}
	// A crash before this leaves a directory under tmp, which is emptied at start; after it, the whole block or nothing.
	if err := fsys.Rename(tmp, final); err != nil {
		return fmt.Errorf("rename into place: %w", err)
	}
	// Survives a crash after we reported success: the block's name. Whoever hears of success drops the WAL.
	if err := fsys.SyncDir(path.Dir(final)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// writer writes one block into a temporary directory.
type writer struct {
	ctx  context.Context // of the one Write call
	c    WriteConfig
	dir  string
	meta Meta

	within  model.Interval
	streams []Stream
	places  [][]uint32 // chunks of each stream
	tables  []byte
	filters [2]*spool // over lines, over metadata
}

func (w *writer) writeFiles(streams []StreamInfo, chunks iter.Seq2[*chunk.Encoded, error]) (err error) {
	if w.within, err = DayInterval(w.meta.Day); err != nil {
		return err
	}
	if len(streams) == 0 || len(streams) > math.MaxUint32 {
		return fmt.Errorf("%d streams", len(streams))
	}
	w.streams, w.places = make([]Stream, len(streams)), make([][]uint32, len(streams))
	for i, s := range streams {
		if !sortedStrict(s.Labels) {
			return fmt.Errorf("labels of stream %d are not in order", i)
		}
		w.streams[i] = Stream{Ref: model.StreamRef(i), Labels: s.Labels, Fingerprint: s.Fingerprint}
	}
	// What an earlier attempt under this ULID left behind would mix with our files.
	if err := w.c.FS.RemoveAll(w.dir); err != nil {
		return fmt.Errorf("remove leftovers: %w", err)
	}
	if err := w.c.FS.MkdirAll(w.dir); err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	w.meta.Version = formatVersion
	w.meta.Streams, w.meta.Chunks, w.meta.Entries, w.meta.RawBytes, w.meta.LineBytes = uint64(len(streams)), 0, 0, 0, 0
	for i, name := range []string{filtersSpool, metaFiltersSpool} {
		w.filters[i] = &spool{fs: w.c.FS, dir: w.dir, name: name, bytesMax: spoolBytesMax}
	}
	defer func() { err = errors.Join(err, w.filters[0].close(), w.filters[1].close()) }()
	chunksFile, err := w.file(chunksName, func(f *fileWriter) error { return w.writeChunks(f, chunks) })
	if err != nil {
		return err
	}
	indexFile, err := w.file(indexName, w.writeIndex)
	if err != nil {
		return err
	}
	w.meta.Files = []File{chunksFile, indexFile}
	data, err := encodeMeta(&w.meta)
	if err != nil {
		return fmt.Errorf("%s: %w", metaName, err)
	}
	_, err = w.file(metaName, func(f *fileWriter) error { return f.put(data) })
	return err
}

// file makes one file, synced.
func (w *writer) file(name string, fill func(*fileWriter) error) (File, error) {
	file, err := w.c.FS.Create(path.Join(w.dir, name))
	if err != nil {
		return File{}, fmt.Errorf("create %s: %w", name, err)
	}
	f := newFileWriter(file)
	if err = fill(f); err == nil {
		// Survives a crash after the rename: the file's bytes. Without it the block could stand there with holes.
		err = f.finish()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return File{Name: name, Bytes: f.offset, CRC32C: f.crc}, nil
}

func (w *writer) writeIndex(f *fileWriter) error {
	s := index.Source{Streams: labelsOf(w.streams), Chunks: w.places, ChunksCount: uint32(w.meta.Chunks)}
	return index.Build(w.ctx, w.c.ScratchDir, s, f)
}

func (w *writer) writeChunks(f *fileWriter, chunks iter.Seq2[*chunk.Encoded, error]) error {
	head := binary.LittleEndian.AppendUint32([]byte(headerMagic), formatVersion)
	if err := f.put(binary.LittleEndian.AppendUint32(head, checksum(head))); err != nil {
		return err
	}
	var entries []entry
	for e, err := range chunks {
		if err == nil {
			err = w.ctx.Err()
		}
		if err == nil {
			err = w.count(e, uint32(len(entries)))
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", len(entries), err)
		}
		d, err := w.entry(e, f.offset)
		if err != nil {
			return fmt.Errorf("chunk %d: %w", len(entries), err)
		}
		entries = append(entries, d)
		if err := f.put(e.Pages); err != nil {
			return err
		}
	}
	for i, list := range w.places {
		if len(list) == 0 {
			return fmt.Errorf("stream %d has no entries", i)
		}
	}
	ft := footer{ulid: w.meta.ULID, streams: uint32(len(w.streams)), chunks: uint32(len(entries))}
	ft.filters = f.offset
	metaFilters := f.offset + w.filters[0].bytes()
	for _, s := range w.filters {
		if err := s.copyTo(f); err != nil {
			return err
		}
	}
	ft.tables = f.offset
	var directory []byte
	for i := range entries {
		entries[i].filterOffset += ft.filters
		entries[i].metaFilterOffset += metaFilters
		entries[i].tableOffset += ft.tables
		directory = entries[i].append(directory)
	}
	if err := f.put(w.tables); err != nil {
		return err
	}
	ft.directory, ft.directoryCRC = f.offset, checksum(directory)
	if err := f.put(directory); err != nil {
		return err
	}
	ft.streamsStart = f.offset
	pages, err := w.writeStreams(f)
	if err != nil {
		return err
	}
	ft.streamDirectory, ft.streamDirectoryCRC = f.offset, checksum(pages)
	ft.streamPages = uint32(len(pages) / streamPageEntry)
	if err := f.put(pages); err != nil {
		return err
	}
	ft.bytes = f.offset + footerBytes
	return f.put(ft.append(nil))
}

// count checks a chunk against the block and adds it to what the block counts.
func (w *writer) count(e *chunk.Encoded, number uint32) error {
	t := &e.Table
	if uint64(len(e.Pages)) != t.PagesBytes() || t.PagesBytes() > math.MaxUint32 {
		return errors.New("pages and table do not belong together")
	}
	if len(e.Filter.Bytes()) == 0 || len(e.MetaFilter.Bytes()) == 0 {
		return errors.New("has no filters")
	}
	if number == math.MaxUint32 {
		return errors.New("too many chunks")
	}
	if t.MinTime < w.within.Start || (t.MaxTime >= w.within.End && w.within.End != model.MaxTimestamp) {
		return fmt.Errorf("entries from %s to %s in a block of %s", t.MinTime.Time(), t.MaxTime.Time(), w.meta.Day)
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		if int(r.Ref) >= len(w.streams) {
			return fmt.Errorf("stream %d of %d", r.Ref, len(w.streams))
		}
		s := &w.streams[r.Ref]
		list := w.places[r.Ref]
		if n := len(list); n == 0 {
			s.MinTime, s.MaxTime = r.MinTime, r.MaxTime
		} else if list[n-1] == number {
			return fmt.Errorf("stream %d has two runs", r.Ref)
		}
		s.MinTime, s.MaxTime = min(s.MinTime, r.MinTime), max(s.MaxTime, r.MaxTime)
		w.places[r.Ref] = append(list, number)
	}
	m := &w.meta
	if number == 0 {
		m.MinTime, m.MaxTime = t.MinTime, t.MaxTime
	}
	m.MinTime, m.MaxTime = min(m.MinTime, t.MinTime), max(m.MaxTime, t.MaxTime)
	m.Chunks++
	m.Entries += uint64(t.Entries)
	m.RawBytes += t.RawBytes
	m.LineBytes += t.LineBytes
	return nil
}

// entry makes the directory entry of a chunk and keeps its table and filters for later; their offsets count from the start of
// the tables, and of the filters of each kind.
func (w *writer) entry(e *chunk.Encoded, pagesOffset int64) (d entry, err error) {
	t := &e.Table
	d = entry{
		minTime: t.MinTime, maxTime: t.MaxTime,
		pagesOffset: pagesOffset, pagesBytes: uint32(len(e.Pages)), tableOffset: int64(len(w.tables)),
		rawBytes: uint32(t.RawBytes), lineBytes: uint32(t.LineBytes), entries: t.Entries,
		runs: uint32(len(t.Runs)), ref: packedRef, flags: uint32(t.Flags),
	}
	if len(t.Runs) == 1 {
		d.ref = uint32(t.Runs[0].Ref)
	}
	w.tables = chunk.AppendTable(w.tables, t)
	d.tableBytes = uint32(int64(len(w.tables)) - d.tableOffset)
	filter, metaFilter := e.Filter.Bytes(), e.MetaFilter.Bytes()
	d.filterBytes, d.metaFilterBytes = uint32(len(filter)), uint32(len(metaFilter))
	if d.filterOffset, err = w.filters[0].put(filter); err != nil {
		return d, err
	}
	d.metaFilterOffset, err = w.filters[1].put(metaFilter)
	return d, err
}

// writeStreams writes the stream pages and returns their directory.
func (w *writer) writeStreams(f *fileWriter) (directory []byte, err error) {
	var raw, stored []byte
	for start := 0; start < len(w.streams); start += streamsPerPage {
		raw = appendStreamPage(raw[:0], w.streams[start:min(len(w.streams), start+streamsPerPage)])
		stored = chunk.Compress(stored[:0], raw)
		if len(raw) > streamPageBytesMax {
			return nil, fmt.Errorf("labels of streams from %d on take %d bytes", start, len(raw))
		}
		directory = binary.LittleEndian.AppendUint64(directory, uint64(f.offset))
		directory = binary.LittleEndian.AppendUint32(directory, uint32(len(stored)))
		directory = binary.LittleEndian.AppendUint32(directory, uint32(len(raw)))
		directory = binary.LittleEndian.AppendUint32(directory, checksum(stored))
		if err := f.put(stored); err != nil {
			return nil, err
		}
	}
	return directory, nil
}

// fileWriter writes a file front to back through a buffer and sums it up.
type fileWriter struct {
	f        vfs.File
	buf      []byte
	offset   int64 // of the next byte, buffered ones included
	unsynced int
	crc      uint32
}

var _ io.Writer = (*fileWriter)(nil)

func newFileWriter(f vfs.File) *fileWriter {
	return &fileWriter{f: f, buf: make([]byte, 0, writeBufferBytes)}
}

// Write appends p.
func (w *fileWriter) Write(p []byte) (int, error) {
	if err := w.put(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *fileWriter) put(p []byte) error {
	for len(p) > 0 {
		n := copy(w.buf[len(w.buf):cap(w.buf)], p)
		w.buf = w.buf[:len(w.buf)+n]
		w.offset += int64(n)
		p = p[n:]
		if len(w.buf) == cap(w.buf) {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *fileWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.f.Write(w.buf); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	w.crc = updateChecksum(w.crc, w.buf)
	w.unsynced += len(w.buf)
	w.buf = w.buf[:0]
	if w.unsynced >= syncEvery {
		return w.sync()
	}
	return nil
}

func (w *fileWriter) sync() error {
	w.unsynced = 0
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

func (w *fileWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.sync()
}

// footer is the fixed end of chunks.bin.
type footer struct {
	ulid                                                             ulid.ULID
	filters, tables, directory, streamsStart, streamDirectory, bytes int64
	chunks, streams, streamPages                                     uint32
	directoryCRC, streamDirectoryCRC                                 uint32
}

func (f *footer) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, f.ulid[:]...)
	for _, v := range []int64{f.filters, f.tables, f.directory, f.streamsStart, f.streamDirectory, f.bytes} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	for _, v := range []uint32{f.chunks, f.streams, f.streamPages, f.directoryCRC, f.streamDirectoryCRC, formatVersion} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	dst = binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
	return append(dst, footerMagic...)
}

// labelsOf is the label sets of streams, as an index is built from.
func labelsOf(streams []Stream) []labels.Labels {
	out := make([]labels.Labels, len(streams))
	for i := range streams {
		out[i] = streams[i].Labels
	}
	return out
}
