package logdb

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/oklog/ulid/v2"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// The functions below look at a data directory from outside, without its lock. What they list may be gone when it is
// opened: a running store replaces blocks and drops the log.

// blockDir is a directory in blocks/ or quarantine/ that is named like a block.
type blockDir struct {
	tenant      model.TenantID
	name        string // the ULID
	rel         string // relative to the data directory
	path        string
	quarantined bool
}

// blockDirs is what lies in blocks/.
type blockDirs struct {
	blocks []blockDir // by tenant and ULID
	odd    []string   // what is no block, relative to the data directory
}

func listBlocks(fsys vfs.FS, dir string) (blockDirs, error) {
	var out blockDirs
	root := path.Join(dir, blocksName)
	tenants, err := listDir(fsys, root)
	if err != nil {
		return out, err
	}
	for _, name := range tenants {
		id, err := model.ParseTenantID(name)
		if err != nil {
			out.odd = append(out.odd, path.Join(blocksName, name))
			continue
		}
		blocks, err := listDir(fsys, path.Join(root, name))
		if errors.Is(err, syscall.ENOTDIR) {
			out.odd = append(out.odd, path.Join(blocksName, name))
			continue
		}
		if err != nil {
			return out, err
		}
		for _, b := range blocks {
			rel := path.Join(blocksName, name, b)
			if _, err := ulid.ParseStrict(b); err != nil {
				out.odd = append(out.odd, rel)
				continue
			}
			out.blocks = append(out.blocks, blockDir{tenant: id, name: b, rel: rel, path: path.Join(dir, rel)})
		}
	}
	return out, nil
}

// listDir returns the names in a directory, none when it is not there.
func listDir(fsys vfs.FS, dir string) ([]string, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// Quarantined is a block that was moved away.
type Quarantined struct {
	Dir    string         `json:"dir"` // relative to the data directory
	Tenant model.TenantID `json:"tenant,omitempty"`
	Block  string         `json:"block,omitempty"`
	Bytes  int64          `json:"bytes"`
	Reason string         `json:"reason"`
}

func (q *Quarantined) blockDir() blockDir {
	return blockDir{tenant: q.Tenant, name: q.Block, rel: q.Dir, quarantined: true}
}

const (
	reasonSuffix   = ".reason"
	reasonBytesMax = 64 << 10
)

func listQuarantine(fsys vfs.FS, dir string) ([]Quarantined, error) {
	root := path.Join(dir, quarantineName)
	names, err := listDir(fsys, root)
	if err != nil {
		return nil, err
	}
	var out []Quarantined
	for _, name := range names {
		if strings.HasSuffix(name, reasonSuffix) || strings.HasSuffix(name, reasonSuffix+".tmp") {
			continue
		}
		q := Quarantined{Dir: path.Join(quarantineName, name), Reason: "no reason is recorded"}
		if at := len(name) - ulid.EncodedSize - 1; at > 0 && name[at] == '-' {
			q.Tenant, q.Block = model.TenantID(name[:at]), name[at+1:]
		}
		if b, err := vfs.ReadFile(fsys, path.Join(root, name+reasonSuffix), reasonBytesMax); err == nil {
			q.Reason = strings.TrimSpace(string(b))
		}
		if q.Bytes, err = treeBytes(fsys, path.Join(root, name)); err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// treeBytes sums the files in a directory; one that is gone has none.
func treeBytes(fsys vfs.FS, dir string) (int64, error) {
	names, err := listDir(fsys, dir)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, name := range names {
		info, err := fsys.Stat(path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if !info.IsDir() {
			n += info.Size()
		}
	}
	return n, nil
}

// LogFile is one file of the write-ahead log.
type LogFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Spare bool   `json:"spare"` // kept for its space; nothing in it counts
}

func listLog(fsys vfs.FS, dir string) ([]LogFile, error) {
	root := path.Join(dir, walName)
	names, err := listDir(fsys, root)
	if err != nil {
		return nil, err
	}
	var out []LogFile
	for _, name := range names {
		info, err := fsys.Stat(path.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, LogFile{Name: name, Bytes: info.Size(), Spare: path.Ext(name) != ".wal"})
	}
	return out, nil
}
