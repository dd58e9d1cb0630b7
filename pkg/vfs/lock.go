package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

const (
	lockInfoSuffix = ".info"
	// lockInfoBytesMax bounds what is read of a foreign info file: a few facts about a process fit ten times.
	lockInfoBytesMax = 4 << 10
)

// LockedError says that another owner holds a lock.
type LockedError struct {
	Path string
	// Info is what the owner wrote about itself when it took the lock. It is empty, or an earlier owner's, when the
	// owner has only just taken it.
	Info []byte
}

func (e *LockedError) Error() string {
	if len(e.Info) == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Path)
	}
	return fmt.Sprintf("%s is locked by another process: %s", e.Path, e.Info)
}

// Lock takes the exclusive lock of a file, making the file when needed, and writes info about the owner beside it (path +
// ".info"), where anybody can read it while the lock is held. When somebody else holds the lock, in this process or
// another, it returns a *LockedError at once. The lock ends with Close or with the process, however it dies; the file
// itself stays, because removing it would let two owners lock two files of the same name.
//
// It works on the real file system only: a lock that a test double grants protects nothing.
func Lock(path string, info []byte) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := flock(f, syscall.LOCK_EX); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Path: path, Info: readLockInfo(path + lockInfoSuffix)}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &fileLock{file: f, infoPath: path + lockInfoSuffix}
	if err := l.writeInfo(info); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock info: %w", err), l.Close())
	}
	return l, nil
}

type fileLock struct {
	file     *os.File
	infoPath string
}

// writeInfo replaces the info file by rename, so that a reader sees one owner's facts and never half of them. Only the
// holder of the lock writes, so one temporary name is enough, and one that a crash left is overwritten.
func (l *fileLock) writeInfo(info []byte) error {
	tmp := l.infoPath + replaceSuffix
	err := os.WriteFile(tmp, info, fileMode)
	if err == nil {
		err = os.Rename(tmp, l.infoPath)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// Close gives the lock back. The info goes first: once the lock is free it is the next owner's.
func (l *fileLock) Close() error {
	err := os.Remove(l.infoPath)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.file.Close()) // closing the last descriptor ends the flock
}

// flock asks for a lock of the kind, LOCK_EX or LOCK_SH, without waiting.
func flock(f *os.File, kind int) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if lockErr = syscall.Flock(int(fd), kind|syscall.LOCK_NB); !errors.Is(lockErr, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, lockErr)
}

// readLockInfo returns what can be read; the lock's answer does not depend on it.
func readLockInfo(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	info, err := io.ReadAll(io.LimitReader(f, lockInfoBytesMax))
	if err != nil {
		return nil
	}
	return info
}
