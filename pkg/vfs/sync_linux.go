package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Sync is fdatasync: bytes and size become durable, times of access and change may not. It saves the journal commit
// that fsync makes for a file which did not grow.
func (f osFile) Sync() error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); !errors.Is(syncErr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		// Control fails on a closed file and on nothing else, with an error that errors.Is does not know.
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: os.ErrClosed}
	}
	if syncErr != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: syncErr}
	}
	return nil
}
