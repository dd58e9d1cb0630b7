package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// MkdirAllSynced makes a directory with its missing parents and makes their names durable, so that what is later put
// into the directory and synced cannot vanish with it. The name of dir is synced even if it existed: an earlier run may
// have died between making and syncing it.
func MkdirAllSynced(fsys FS, dir string) error {
	dir = path.Clean(dir)
	unsynced := []string{path.Dir(dir)}
	for at := path.Dir(dir); at != path.Dir(at); at = path.Dir(at) {
		_, err := fsys.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for directory: %w", err)
		}
		unsynced = append(unsynced, path.Dir(at))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for _, parent := range unsynced {
		if err := fsys.SyncDir(parent); err != nil {
			return fmt.Errorf("sync directory %s: %w", parent, err)
		}
	}
	return nil
}
