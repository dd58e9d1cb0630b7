package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// LockOwner tells whether somebody holds the lock of a file (see Lock), and what the owner wrote about itself. It takes
// nothing and writes nothing: who looks may not be allowed to write there. What it says may be over a moment later.
func LockOwner(path string) (info []byte, held bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	// A shared lock for as long as this takes: two who look do not take each other for the owner. An owner that comes just
	// then is refused once, and tries again.
	err = flock(f, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return readLockInfo(path + lockInfoSuffix), true, f.Close()
	}
	return nil, false, errors.Join(err, f.Close())
}
