package logdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const (
	copyPieceBytes = 1 << 20
	// A long copy must not leave the log's fsync behind hundreds of dirty megabytes.
	copySyncBytes = 16 << 20
)

// transfer brings blocks to another place: under a second name where that is possible, else as a copy.
type transfer struct {
	fs       vfs.FS
	copyOnly bool
	copied   int64           // bytes that were copied and not linked
	progress func(int64)     // hears of bytes as they are done
	dirs     map[string]bool // parents of blocks, to be synced at the end
}

func newTransfer(fsys vfs.FS, copyOnly bool, progress func(int64)) *transfer {
	return &transfer{fs: fsys, copyOnly: copyOnly, progress: progress, dirs: map[string]bool{}}
}

// block brings one block from its directory to another, which is not there yet. When it returns nil the files are durable
// in their directory; the directory's own name is after finish.
func (t *transfer) block(ctx context.Context, from, to string) error {
	if err := t.fs.MkdirAll(to); err != nil {
		return err
	}
	for _, name := range block.FileNames() {
		if err := t.file(ctx, path.Join(from, name), path.Join(to, name)); err != nil {
			return err
		}
	}
	if err := t.fs.SyncDir(to); err != nil {
		return fmt.Errorf("sync %s: %w", to, err)
	}
	t.dirs[path.Dir(to)] = true
	return nil
}

// finish makes the names of all blocks durable, up to and with that of root in its parent.
func (t *transfer) finish(root string) error {
	parents := map[string]bool{root: true, path.Dir(root): true}
	for dir := range t.dirs {
		for at := dir; at != root && at != path.Dir(at); at = path.Dir(at) {
			parents[at] = true
		}
	}
	for dir := range parents {
		if err := t.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	return nil
}

func (t *transfer) file(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !t.copyOnly {
		err := vfs.Link(t.fs, from, to)
		if err == nil {
			info, err := t.fs.Stat(to)
			if err == nil {
				t.progress(info.Size())
			}
			return err
		}
		if !errors.Is(err, vfs.ErrNoLink) {
			return fmt.Errorf("link %s: %w", from, err)
		}
		t.copyOnly = true
	}
	if err := t.copy(ctx, from, to); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

func (t *transfer) copy(ctx context.Context, from, to string) error {
	in, err := t.fs.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // opened for reading only: nothing can be lost
	out, err := t.fs.Create(to)
	if err != nil {
		return err
	}
	err = t.pieces(ctx, in, out)
	if err == nil {
		err = out.Sync() // survives a crash after we reported success: the bytes
	}
	return errors.Join(err, out.Close())
}

func (t *transfer) pieces(ctx context.Context, in io.Reader, out vfs.File) error {
	buf := make([]byte, copyPieceBytes)
	unsynced := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
			t.copied += int64(n)
			t.progress(int64(n))
			unsynced += n
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if unsynced >= copySyncBytes {
			unsynced = 0
			if err := out.Sync(); err != nil {
				return err
			}
		}
	}
}
