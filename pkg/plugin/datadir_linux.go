package plugin

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

func fileSystemKind(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(uint32(st.Type)), nil // the magic numbers have 32 bits; the width and sign of the field differ by platform
}
