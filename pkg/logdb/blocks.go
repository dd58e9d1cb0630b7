package logdb

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// blockHandle is one block on disk. Meta is always in memory; the files are opened when a query needs them and closed
// again when too many are open.
type blockHandle struct {
	meta block.Meta

	views atomic.Int32 // that name it; at zero its files go
	stuck atomic.Bool  // cannot be merged: it, or one that was to be merged with it, is damaged

	mu           sync.Mutex // guards the fields below; held while opening and while the directory moves
	path         string
	gone         bool // moved to tmp: removed with the last view
	open         *block.Block
	refs         int // users of open
	bad          error
	keptBy       string              // rules of retention by which no stream of it was over,
	keptUntil    time.Time           // until then
	clear        []*tombstone        // that hide nothing of it, although they cover it
	fingerprints []model.Fingerprint // of its streams; nil until asked for
}

// blockCache bounds how many blocks are open. The least recently used one without users is closed first.
type blockCache struct {
	max int

	mu   sync.Mutex // guards lru and at; taken inside blockHandle.mu, never the other way round
	lru  *list.List // of *blockHandle, most recent first
	at   map[*blockHandle]*list.Element
	shut bool
}

func newBlockCache(maxOpen int) *blockCache {
	return &blockCache{max: maxOpen, lru: list.New(), at: map[*blockHandle]*list.Element{}}
}

// acquire opens the block, or takes the open one. The caller releases it.
func (c *blockCache) acquire(h *blockHandle, fsys vfs.FS) (*block.Block, error) {
	h.mu.Lock()
	if h.bad != nil {
		h.mu.Unlock()
		return nil, h.bad
	}
	if h.open == nil {
		b, err := block.Open(fsys, h.path)
		if errors.Is(err, block.ErrCorrupt) {
			b, err = block.Open(fsys, h.path) // only a second read of the same makes it corruption
		}
		if errors.Is(err, fs.ErrNotExist) { // somebody removed it by hand: it is as lost as a corrupt one
			err = fmt.Errorf("%w: its directory is gone", storage.ErrCorrupt)
		}
		if err != nil {
			h.mu.Unlock()
			return nil, fmt.Errorf("open block %s: %w", h.meta.ULID, err)
		}
		h.open = b
	}
	h.refs++
	b := h.open
	h.mu.Unlock()
	for _, victim := range c.touch(h) {
		c.closeIdle(victim)
	}
	return b, nil
}

func (c *blockCache) release(h *blockHandle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs--
	c.mu.Lock()
	shut := c.shut
	c.mu.Unlock()
	if shut && h.refs == 0 && h.open != nil {
		_ = h.open.Close() // the database is closed; nobody is left to hear of it
		h.open = nil
	}
}

// touch makes h the most recent and returns those to close when there are too many.
func (c *blockCache) touch(h *blockHandle) (victims []*blockHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.at[h]; ok {
		c.lru.MoveToFront(e)
	} else {
		c.at[h] = c.lru.PushFront(h)
	}
	for c.lru.Len() > c.max {
		e := c.lru.Back()
		victim := e.Value.(*blockHandle)
		c.lru.Remove(e)
		delete(c.at, victim)
		victims = append(victims, victim)
	}
	return victims
}

// closeIdle closes a block that left the cache, unless a query uses it: then it stays open and counts again.
func (c *blockCache) closeIdle(h *blockHandle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs > 0 {
		c.mu.Lock()
		if _, ok := c.at[h]; !ok {
			c.at[h] = c.lru.PushFront(h)
		}
		c.mu.Unlock()
		return
	}
	if h.open != nil {
		_ = h.open.Close() // opened for reading only: nothing can be lost
		h.open = nil
	}
}

// forget takes a block out of the cache; the caller closes it.
func (c *blockCache) forget(h *blockHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.at[h]; ok {
		c.lru.Remove(e)
		delete(c.at, h)
	}
}

// close closes every block without users; the others are closed by their last one.
func (c *blockCache) close() error {
	c.mu.Lock()
	c.shut = true
	handles := make([]*blockHandle, 0, len(c.at))
	for h := range c.at {
		handles = append(handles, h)
	}
	c.mu.Unlock()
	var errs []error
	for _, h := range handles {
		h.mu.Lock()
		if h.open != nil && h.refs == 0 {
			errs = append(errs, h.open.Close())
			h.open = nil
		}
		h.mu.Unlock()
	}
	return errors.Join(errs...)
}

// useTwice is use for what may find a block corrupt: only a second read of the same makes it corruption.
func (db *DB) useTwice(h *blockHandle, f func(*block.Block) error) error {
	err := db.use(h, f)
	if isCorrupt(err) {
		err = db.use(h, f)
	}
	return err
}

func isCorrupt(err error) bool {
	return errors.Is(err, block.ErrCorrupt) || errors.Is(err, storage.ErrCorrupt)
}

// directory is where the block lies now.
func (h *blockHandle) directory() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.path
}

// without returns the handles but for some.
func without(all []*blockHandle, some ...*blockHandle) []*blockHandle {
	return slices.DeleteFunc(slices.Clone(all), func(h *blockHandle) bool { return slices.Contains(some, h) })
}

// moveAway takes blocks out of the tenant's directory, for good: after a crash they are not there any more. Queries that
// hold them go on reading; the files go with the last view. On an error some may have stayed, and still count after a
// crash.
func (db *DB) moveAway(t *tenant, handles ...*blockHandle) error {
	var errs []error
	for _, h := range handles {
		h.mu.Lock()
		var err error
		if to := path.Join(db.cfg.Dir, tmpName, h.meta.ULID.String()); !h.gone {
			if err = db.cfg.FS.Rename(h.path, to); db.isGone(h.path, err) {
				err = nil // somebody removed it by hand
			}
			if err == nil {
				h.path, h.gone = to, true
			}
		}
		h.mu.Unlock()
		errs = append(errs, err)
	}
	// Survives a crash after we said so: that the blocks are gone. Without it they could stand beside what replaced them.
	// A file system may keep either end of a rename alone.
	errs = append(errs, db.cfg.FS.SyncDir(path.Join(db.cfg.Dir, tmpName)), db.cfg.FS.SyncDir(path.Join(db.cfg.Dir, blocksName, string(t.id))))
	return errors.Join(errs...)
}

// isGone reports whether an error about a directory is that it is not there, and not that some other one is missing.
func (db *DB) isGone(dir string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = db.cfg.FS.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}

// discard lets go of a block that no view names any more.
func (db *DB) discard(h *blockHandle) {
	db.cache.forget(h)
	db.columns.drop(h.meta.ULID)
	db.tables.forget(h)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open != nil && h.refs == 0 {
		_ = h.open.Close() // opened for reading only: nothing can be lost
		h.open = nil
	}
	if !h.gone {
		return // in quarantine
	}
	if err := db.cfg.FS.RemoveAll(h.path); err != nil {
		db.cfg.Logger.Warn("a removed block still takes space; it goes at the next start", "block", h.meta.ULID, "err", err)
	}
}

// use opens a block for one call of f. The caller holds a view that names it.
func (db *DB) use(h *blockHandle, f func(*block.Block) error) error {
	b, err := db.cache.acquire(h, db.cfg.FS)
	if err != nil {
		return err
	}
	defer db.cache.release(h)
	return f(b)
}

// dropBad takes a block that was confirmed corrupt out of service and moves it to quarantine. It returns the sentence
// for people.
func (db *DB) dropBad(t *tenant, h *blockHandle, cause error) string {
	found := false
	t.update(db, func(b []*blockHandle, ts []*tombstone) ([]*blockHandle, []*tombstone) {
		found = slices.Contains(b, h)
		for _, other := range b {
			other.stuck.Store(false) // it may have been this one that kept them from being merged
		}
		return without(b, h), ts
	})
	text := h.corruptText(t.id, cause)
	if !found || db.closed.Load() { // another query saw it first, or the directory is not ours any more
		return text
	}
	h.mu.Lock()
	h.bad = fmt.Errorf("%w: block %s is in quarantine", storage.ErrCorrupt, h.meta.ULID)
	h.mu.Unlock()
	db.metrics.badBlocks.Inc()
	db.faults.add(text)
	c := condemned{dir: h.directory(), name: string(t.id) + "-" + h.meta.ULID.String(), reason: text}
	if err := db.quarantine(c.dir, c.name, c.reason); err != nil {
		db.cfg.Logger.Error("corrupt block could not be moved to quarantine; it is tried again", "block", h.meta.ULID, "err", err)
		db.leaving.condemn(c)
	}
	if _, ok := db.rangeOf(t.id, groupBlock{ULID: h.meta.ULID, Day: h.meta.Day}); ok {
		t.mu.Lock()
		t.lost = append(t.lost, groupBlock{ULID: h.meta.ULID, Day: h.meta.Day})
		t.mu.Unlock()
		db.tendSoon()
	}
	db.cfg.Logger.Error("block quarantined", "tenant", t.id, "block", h.meta.ULID, "day", h.meta.Day, "entries", h.meta.Entries, "err", cause)
	return text
}

func (h *blockHandle) corruptText(id model.TenantID, cause error) string {
	return fmt.Sprintf("block %s of tenant %s (%s, %d entries) is corrupt and was moved to %s: %v",
		h.meta.ULID, id, h.meta.Day, h.meta.Entries, quarantineName, cause)
}

// quarantine moves a directory away and leaves the reason beside it.
func (db *DB) quarantine(dir, name, reason string) error {
	fsys := db.cfg.FS
	to := path.Join(db.cfg.Dir, quarantineName)
	if err := vfs.MkdirAllSynced(fsys, to); err != nil {
		return err
	}
	if err := fsys.Rename(dir, path.Join(to, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(fsys.SyncDir(to), fsys.SyncDir(path.Dir(dir))); err != nil {
		return err
	}
	return vfs.ReplaceFile(fsys, path.Join(to, name+".reason"), []byte(reason+"\n"))
}
