package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

const (
	tenantAll   = model.TenantID("all")
	pushContent = "application/x-protobuf"
	// Heads of a benchmark are flushed when it says so.
	neverBytes = 1 << 50
)

// meteredFS counts the bytes that are written through it.
type meteredFS struct {
	vfs.FS
	written atomic.Int64
}

type meteredFile struct {
	vfs.File
	fs *meteredFS
}

func (m *meteredFS) metered(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &meteredFile{f, m}, nil
}

func (m *meteredFS) Create(name string) (vfs.File, error) { return m.metered(m.FS.Create(name)) }

func (m *meteredFS) OpenReadWrite(name string) (vfs.File, error) {
	return m.metered(m.FS.OpenReadWrite(name))
}

func (f *meteredFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.fs.written.Add(int64(n))
	return n, err
}

func (f *meteredFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	f.fs.written.Add(int64(n))
	return n, err
}

// benchDB is a database with the gate before it.
type benchDB struct {
	*logdb.DB
	gate Pusher
	dir  string
	fs   *meteredFS
}

// openDB opens a database in a directory of this run. Nothing in it happens by its age; change changes what is otherwise
// the default.
func (b *storageBench) openDB(ctx context.Context, name string, change func(*logdb.Config)) (*benchDB, error) {
	dir, err := b.tempDir(name)
	if err != nil {
		return nil, err
	}
	d := &benchDB{dir: dir, fs: &meteredFS{FS: vfs.OS()}}
	cfg := logdb.Config{FS: d.fs, Dir: dir, Instance: "bench", HeadBytesMax: neverBytes, Now: func() time.Time { return storageNow }}
	if change != nil {
		change(&cfg)
	}
	if d.DB, err = logdb.Open(ctx, cfg); err != nil {
		return nil, err
	}
	if d.gate, err = b.gateFor(d.DB); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// unflushed keeps everything in open runs until a flush is asked for.
func unflushed(c *logdb.Config) { c.FlushBytes, c.HeadOpenBytes = neverBytes, neverBytes }

// pushBodyTo is what an edge does with the body of a request.
func pushBodyTo(ctx context.Context, p Pusher, tenant model.TenantID, body *storageBody) error {
	req, err := wire.Decode(body.raw, pushContent, "", wire.Options{})
	if err != nil {
		return fmt.Errorf("decode a push: %w", err)
	}
	defer req.Release()
	return p.Push(ctx, tenant, req)
}

// push sends a corpus, one push after the other.
func (d *benchDB) push(ctx context.Context, tenant model.TenantID, c *storageCorpus) error {
	for i := range c.bodies {
		if err := pushBodyTo(ctx, d.gate, tenant, &c.bodies[i]); err != nil {
			return err
		}
	}
	return nil
}

// pushAtOnce sends a corpus with all its clients.
func (d *benchDB) pushAtOnce(ctx context.Context, tenant model.TenantID, c *storageCorpus) error {
	g, ctx := errgroup.WithContext(ctx)
	for client := range storageClients {
		g.Go(func() error {
			for i := range c.bodies {
				if c.bodies[i].client != client {
					continue
				}
				if err := pushBodyTo(ctx, d.gate, tenant, &c.bodies[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// remove closes the database and deletes its directory.
func (d *benchDB) remove() error { return errors.Join(d.Close(), os.RemoveAll(d.dir)) }

// loadedStore is the whole corpus in blocks of a database, and these blocks opened besides.
type loadedStore struct {
	*benchDB
	blocks    []*block.Block
	chunks    int
	fast      int // of these compressed in a hurry, because pushes were ahead of the compressor
	cached    bool
	pushed    spent
	flushTook time.Duration
}

// load pushes the whole corpus with all clients and flushes it, once in a run.
func (b *storageBench) load(ctx context.Context) (*loadedStore, error) {
	if b.loaded != nil {
		return b.loaded, nil
	}
	// Figures of reading lines are taken without the cache: it would hide what decoding costs.
	d, err := b.openDB(ctx, "loaded", func(c *logdb.Config) { c.CacheBytes = 1 })
	if err != nil {
		return nil, err
	}
	s := &loadedStore{benchDB: d}
	b.loaded = s // closed at the end of the run, whatever happens
	if s.pushed, err = timed(func() error { return d.pushAtOnce(ctx, tenantAll, b.corpus) }); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := d.Flush(ctx); err != nil {
		return nil, err
	}
	s.flushTook = time.Since(start)
	if s.blocks, err = openBlocks(filepath.Join(d.dir, "blocks", string(tenantAll))); err != nil {
		return nil, err
	}
	err = s.eachChunk(func(_ *block.Block, _ block.ChunkRef, r *chunk.Reader) error {
		s.chunks++
		if r.Table().Flags&chunk.Fast != 0 {
			s.fast++
		}
		return nil
	})
	return s, err
}

// withCache opens the database again, as a server has it, once in a run.
func (b *storageBench) withCache(ctx context.Context, s *loadedStore) error {
	if s.cached {
		return nil
	}
	s.cached = true
	written := s.fs.written.Load()
	if err := s.Close(); err != nil {
		return err
	}
	d, err := b.openDB(ctx, "loaded", nil)
	if err != nil {
		return err
	}
	d.fs.written.Add(written)
	s.benchDB = d
	return nil
}

func (s *loadedStore) close() error {
	if s == nil {
		return nil
	}
	errs := []error{s.Close()}
	for _, open := range s.blocks {
		errs = append(errs, open.Close())
	}
	return errors.Join(errs...)
}

func openBlocks(dir string) (blocks []*block.Block, err error) {
	names, err := vfs.OS().List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		open, err := block.Open(vfs.OS(), filepath.Join(dir, name))
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, open)
	}
	return blocks, nil
}

// eachChunk calls f with every chunk of the blocks.
func (s *loadedStore) eachChunk(f func(*block.Block, block.ChunkRef, *chunk.Reader) error) error {
	for _, open := range s.blocks {
		refs, err := open.Chunks(nil, everInterval)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			reader, err := open.Chunk(ref)
			if err != nil {
				return err
			}
			if err := f(open, ref, reader); err != nil {
				return err
			}
		}
	}
	return nil
}

var everInterval = model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}

// partBlock is one part of the corpus in a block of its own, every chunk compressed as well as a flush does.
type partBlock struct {
	name        string
	meta        block.Meta
	filterBytes int64
}

// partBlocks writes each part into a block, once in a run.
func (b *storageBench) partBlocks(ctx context.Context) ([]partBlock, error) {
	if b.parts != nil {
		return b.parts, nil
	}
	for kind, f := range formats {
		p, err := b.writePart(ctx, f.name, b.generate(b.bytes*int64(f.share)/100, kind))
		if err != nil {
			return nil, fmt.Errorf("write the %s part: %w", f.name, err)
		}
		b.parts = append(b.parts, p)
	}
	return b.parts, nil
}

func (b *storageBench) writePart(ctx context.Context, name string, c *storageCorpus) (partBlock, error) {
	h, err := b.sealedHead(ctx, c)
	if err != nil {
		return partBlock{}, err
	}
	sealed, err := h.Sealed()
	if err != nil {
		return partBlock{}, err
	}
	dir, err := b.tempDir("parts")
	if err != nil {
		return partBlock{}, err
	}
	streams := make([]block.StreamInfo, len(sealed.Streams))
	for i, ls := range sealed.Streams {
		streams[i] = block.StreamInfo{Labels: ls, Fingerprint: model.FingerprintOf(ls)}
	}
	id := ulid.Make()
	meta, err := block.Write(ctx, block.WriteConfig{FS: vfs.OS(), Dir: filepath.Join(dir, name), TmpDir: dir, ScratchDir: dir}, block.Meta{
		ULID: id, Instance: "bench", Tenant: model.TenantID(name), Day: block.DayOf(model.TimestampOf(storageNow)),
		Group: block.Group{ULID: id, Count: 1}, WalTo: 1, Replicas: block.ReplicasUnknown,
	}, streams, func(yield func(*chunk.Encoded, error) bool) {
		for _, e := range sealed.Chunks {
			if !yield(e, nil) {
				return
			}
		}
	})
	p := partBlock{name: name, meta: meta}
	for _, e := range sealed.Chunks {
		p.filterBytes += int64(len(e.Filter.Bytes()) + len(e.MetaFilter.Bytes()))
	}
	return p, err
}

// sealedHead brings a corpus into a head and seals all of it, without a log.
func (b *storageBench) sealedHead(ctx context.Context, c *storageCorpus) (*head.Head, error) {
	h := head.New(&head.Account{})
	into := appenderFunc(func(p storage.Push) error {
		for _, part := range h.Apply(p.Streams, p.Arrival).Closed {
			if err := part.Seal(chunk.Options{}); err != nil {
				return err
			}
		}
		return nil
	})
	gate, err := b.gateFor(into)
	if err != nil {
		return nil, err
	}
	for i := range c.bodies {
		if err := pushBodyTo(ctx, gate, tenantAll, &c.bodies[i]); err != nil {
			return nil, err
		}
	}
	return h, sealRest(h)
}

// sealRest closes and seals what is still open.
func sealRest(h *head.Head) error {
	h.Freeze()
	for _, part := range h.Parts() {
		if err := part.Seal(chunk.Options{}); err != nil {
			return err
		}
	}
	return nil
}

// appenderFunc is a store that is a function.
type appenderFunc func(storage.Push) error

// Append implements storage.Appender.
func (f appenderFunc) Append(_ context.Context, p storage.Push) error { return f(p) }

// filesBelow counts the files of a directory tree and their bytes.
func filesBelow(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files, bytes = files+1, bytes+info.Size()
		return nil
	})
	return files, bytes, err
}

func matcher(kind labels.MatchType, name, value string) []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(kind, name, value)}
}

// everyStream selects the whole corpus.
func everyStream() []*labels.Matcher { return matcher(labels.MatchEqual, "cluster", "eu-1") }
