package logdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// loaded is what the block directories hold when the database is opened.
type loaded struct {
	handles map[model.TenantID][]*blockHandle
	marks   map[model.TenantID]uint64 // highest walTo of complete groups
}

// loadBlocks reads every block's meta. What an interrupted flush or merge left is removed. First is where the log begins.
func (db *DB) loadBlocks(ctx context.Context, first wal.Position) (loaded, error) {
	out := loaded{handles: map[model.TenantID][]*blockHandle{}, marks: map[model.TenantID]uint64{}}
	root := path.Join(db.cfg.Dir, blocksName)
	tenants, err := db.cfg.FS.List(root)
	if err != nil {
		return out, fmt.Errorf("list %s: %w", root, err)
	}
	for _, name := range tenants {
		id, err := model.ParseTenantID(name)
		if err != nil {
			db.replay.Groups = append(db.replay.Groups, fmt.Sprintf("%s is no tenant's directory and was left alone", path.Join(root, name)))
			continue
		}
		handles, err := db.loadTenantBlocks(id, path.Join(root, name), first)
		if err == nil {
			handles, err = db.checkCovered(ctx, first, id, handles)
		}
		if err != nil {
			return out, err
		}
		out.handles[id] = handles
		for _, h := range handles {
			out.marks[id] = max(out.marks[id], h.meta.WalTo)
		}
	}
	return out, nil
}

func (db *DB) loadTenantBlocks(id model.TenantID, dir string, first wal.Position) ([]*blockHandle, error) {
	names, err := db.cfg.FS.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var metas []block.Meta
	for _, name := range names {
		if _, err := ulid.ParseStrict(name); err != nil {
			db.replay.Groups = append(db.replay.Groups, fmt.Sprintf("%s is no block and was left alone", path.Join(dir, name)))
			continue
		}
		m, err := db.readMeta(path.Join(dir, name))
		if errors.Is(err, block.ErrCorrupt) {
			text := fmt.Sprintf("block %s of tenant %s is corrupt and was moved to %s: %v", name, id, quarantineName, err)
			db.replay.Groups = append(db.replay.Groups, text)
			db.metrics.badBlocks.Inc()
			if err := db.quarantine(path.Join(dir, name), string(id)+"-"+name, text); err != nil {
				return nil, fmt.Errorf("quarantine block %s: %w", name, err)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read block %s: %w", name, err)
		}
		if m.Tenant != id {
			return nil, fmt.Errorf("block %s lies in the directory of tenant %s but belongs to %s", name, id, m.Tenant)
		}
		metas = append(metas, m)
	}
	return db.keepComplete(id, dir, metas, first)
}

func (db *DB) readMeta(dir string) (block.Meta, error) {
	m, err := block.ReadMeta(db.cfg.FS, dir)
	if errors.Is(err, block.ErrCorrupt) {
		m, err = block.ReadMeta(db.cfg.FS, dir) // confirmed by a second read
	}
	if err != nil {
		return m, err
	}
	// A meta alone is no block: what counts here moves the mark, and replay skips what is below.
	for _, f := range m.Files {
		info, err := db.cfg.FS.Stat(path.Join(dir, f.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("%w: %s is missing", block.ErrCorrupt, f.Name)
		}
		if err != nil {
			return m, err
		}
		if info.Size() != f.Bytes {
			return m, fmt.Errorf("%w: %s has %d bytes, want %d", block.ErrCorrupt, f.Name, info.Size(), f.Bytes)
		}
	}
	return m, nil
}

// keepComplete removes what an interrupted flush or merge left, and makes handles of the rest.
//
// A group of a flush that misses members counts for nothing if the log still has its entries: the log is dropped only after
// the group was complete, and replay brings them again. If the log does not have them, members that are missing left later:
// by compaction, by retention, to quarantine. A block that another one names as its parent was replaced by it: they stand
// together only if a crash came between writing the one and removing the other.
func (db *DB) keepComplete(id model.TenantID, dir string, metas []block.Meta, first wal.Position) ([]*blockHandle, error) {
	kept, incomplete := block.CompleteGroups(metas)
	// A group that anything complete follows was complete: flushes of a tenant come one after the other. The mark says the
	// same, unless state.json was lost.
	mark := uint64(db.state.WalTo[id])
	for _, m := range kept {
		mark = max(mark, m.WalTo)
	}
	var gone []block.Meta
	for _, m := range incomplete {
		if wal.Position(m.WalFrom) >= first && m.WalTo > mark {
			gone = append(gone, m)
		} else {
			kept = append(kept, m)
		}
	}
	replaced := map[ulid.ULID]bool{}
	for _, m := range kept {
		for _, p := range m.Parents {
			replaced[p] = true
		}
	}
	kept = slices.DeleteFunc(kept, func(m block.Meta) bool {
		if replaced[m.ULID] {
			gone = append(gone, m)
		}
		return replaced[m.ULID]
	})
	for _, m := range gone {
		if err := db.cfg.FS.RemoveAll(path.Join(dir, m.ULID.String())); err != nil {
			return nil, fmt.Errorf("remove block %s of an interrupted flush or merge: %w", m.ULID, err)
		}
		db.cfg.Logger.Info("removed a block of an interrupted flush or merge; its entries are in the log or in another block",
			"tenant", id, "block", m.ULID)
	}
	if len(gone) > 0 {
		if err := db.cfg.FS.SyncDir(dir); err != nil { // before a retry can bring the same entries under another name
			return nil, fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	handles := make([]*blockHandle, 0, len(kept))
	for _, m := range kept {
		handles = append(handles, &blockHandle{meta: m, path: path.Join(dir, m.ULID.String())})
	}
	sortHandles(handles)
	return handles, nil
}
