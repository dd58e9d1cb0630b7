//go:build linux || darwin

package vfs

import (
	"errors"
	"fmt"
	"syscall"
)

// Space returns the bytes that this process may still write on the real file system of a directory, and its size. What is
// reserved for root counts as used.
func Space(dir string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	for {
		err = syscall.Statfs(dir, &st)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	size := uint64(st.Bsize)
	return st.Bavail * size, st.Blocks * size, nil
}
