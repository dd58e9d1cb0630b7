package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// FileSystem is what the checks of a data directory ask the operating system.
type FileSystem struct {
	// Kind returns the magic number of the file system that holds path, as statfs reports it.
	Kind func(path string) (int64, error)
	// Owner returns who owns path, and its permissions.
	Owner func(path string) (uid, gid uint32, mode fs.FileMode, err error)
	// UID and GID are those of this process.
	UID, GID int
}

// volatileKinds are the file systems that may lose logs, by the magic numbers of Linux's statfs(2).
var volatileKinds = map[int64]struct{ name, trouble string }{
	0x794c7630: {"overlayfs", inContainer}, 0x61756673: {"aufs", inContainer},
	0x01021994: {"tmpfs", inMemory}, 0x858458f6: {"ramfs", inMemory},
	0x6969: {"NFS", overNetwork}, 0x517b: {"SMB", overNetwork}, 0xff534d42: {"CIFS", overNetwork}, 0xfe534d42: {"SMB", overNetwork},
	0x00c36400: {"CephFS", overNetwork}, 0x01021997: {"9p", overNetwork}, 0x5346414f: {"AFS", overNetwork},
	0x0bd00bd0: {"Lustre", overNetwork}, 0x47504653: {"GPFS", overNetwork}, 0x65735546: {"FUSE", overFUSE},
}

const (
	inContainer = "its logs will not survive this container. Mount a volume there"
	inMemory    = "its logs will not survive a restart of the machine or container. Use a directory on a disk"
	overNetwork = "a network file system may lose what it acknowledged and may not lock. Use a local disk"
	overFUSE    = "such a file system may lose what it acknowledged. Use a directory on a local disk"
)

// WarnVolatile warns of a data directory on a file system that may not keep what is written. The directory need not
// exist yet. No second value: nothing to warn of, or nothing known.
func WarnVolatile(dir string, fsys FileSystem) (Notice, bool) {
	kind, err := fsys.Kind(existing(dir, fsys))
	if err != nil {
		return Notice{}, false // the check of access says what is wrong with the path
	}
	v, volatile := volatileKinds[kind]
	if !volatile {
		return Notice{}, false
	}
	return Notice{
		Text:   fmt.Sprintf("The data directory lies on %s: %s.", v.name, v.trouble),
		Detail: fmt.Sprintf("The data directory %s lies on %s: %s.", dir, v.name, v.trouble),
	}, true
}

// ExplainAccess turns the refusal to open the data directory into a sentence with the command that helps. No second
// value: err is something else.
func ExplainAccess(dir string, err error, fsys FileSystem) (Notice, bool) {
	if !errors.Is(err, fs.ErrPermission) {
		return Notice{}, false
	}
	text := "The data directory may not be written by Woodshed's user; an Admin sees here which, and what to do."
	path := dir
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) && pathErr.Path != "" {
		path = pathErr.Path
	}
	path = existing(path, fsys)
	uid, gid, mode, ownerErr := fsys.Owner(path)
	owner := "an unknown user"
	if ownerErr == nil {
		owner = fmt.Sprintf("user %d and group %d (%s)", uid, gid, mode)
	}
	// A missing directory is made below one that belongs to somebody else: making it for us takes less than giving us
	// its parent.
	command := fmt.Sprintf("chown -R %d:%d %s", fsys.UID, fsys.GID, shellQuote(dir))
	if path != dir && !inside(path, dir) {
		command = fmt.Sprintf("install -d -m 0750 -o %d -g %d %s", fsys.UID, fsys.GID, shellQuote(dir))
	}
	return Notice{
		Text: text,
		Detail: fmt.Sprintf("The data directory %s cannot be used: %s belongs to %s, and Woodshed runs as user %d and group %d. Run as root: %s",
			dir, path, owner, fsys.UID, fsys.GID, command),
	}, true
}

// ExplainDisk turns what the disk of the data directory does not allow into a sentence to act on. No second value: err is
// something else.
func ExplainDisk(dir string, err error) (Notice, bool) {
	switch {
	case errors.Is(err, syscall.EROFS):
		return Notice{
			Text:   "The store could not open: its data directory is on a read-only file system; an Admin sees here which.",
			Detail: fmt.Sprintf("The store could not open: %s is on a read-only file system. Mount it for writing, or set woodshed_data_dir.", dir),
		}, true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Notice{
			Text:   "The store could not open: the disk of its data directory is full. It opens by itself when there is room; nothing stored is lost.",
			Detail: fmt.Sprintf("The store could not open: the disk of %s is full. Make room there; it is tried again every second, and nothing stored is lost.", dir),
		}, true
	}
	return Notice{}, false
}

// existing returns path or its nearest ancestor that can be looked at.
func existing(path string, fsys FileSystem) string {
	for {
		_, _, _, err := fsys.Owner(path)
		parent := filepath.Dir(path)
		if err == nil || parent == path {
			return path
		}
		path = parent
	}
}

func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// shellQuote makes a path one word of a shell.
func shellQuote(s string) string {
	for _, c := range s {
		plain := c == '/' || c == '-' || c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !plain {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return s
}
