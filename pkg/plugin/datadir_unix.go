//go:build unix

package plugin

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// SystemFiles asks the running operating system.
func SystemFiles() FileSystem {
	return FileSystem{Kind: fileSystemKind, Owner: fileOwner, UID: os.Getuid(), GID: os.Getgid()}
}

func fileOwner(path string) (uid, gid uint32, mode fs.FileMode, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	mode = fs.FileMode(st.Mode & 0o777)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mode |= fs.ModeDir
	}
	return st.Uid, st.Gid, mode, nil
}
