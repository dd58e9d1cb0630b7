package vfs

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// linker is a file system that can give a file a second name. Not every one can, and none can across two of them.
type linker interface {
	Link(oldName, newName string) error
}

// ErrNoLink says that a file cannot get a second name there; a copy can be made instead.
var ErrNoLink = errors.New("files cannot be linked there")

// Link gives the file oldName the further name newName, which must be free. Like any name it is certain only after
// SyncDir; the bytes are as durable as they were. The file lives until its last name goes, so only files that nobody
// changes any more should have two. When the two places are on different file systems, or theirs has no links, the error
// is ErrNoLink.
func Link(fsys FS, oldName, newName string) error {
	l, ok := fsys.(linker)
	if !ok {
		return ErrNoLink
	}
	err := l.Link(oldName, newName)
	// EPERM: FAT, exFAT and some network file systems; EMLINK: the file has all the names that it may have.
	for _, no := range []syscall.Errno{syscall.EXDEV, syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EMLINK} {
		if errors.Is(err, no) {
			return fmt.Errorf("%w: %w", ErrNoLink, err)
		}
	}
	return err
}

func (osFS) Link(oldName, newName string) error { return os.Link(oldName, newName) }

// Link gives a file a further name.
func (m *Mem) Link(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup("link", oldName)
	if err != nil {
		return err
	}
	if n.isDir() {
		return pathError("link", oldName, syscall.EPERM)
	}
	to, old, err := m.parent("link", newName)
	if err != nil {
		return err
	}
	if old != nil {
		return pathError("link", newName, syscall.EEXIST)
	}
	m.change(memDirOp{added: to, node: n})
	return nil
}

// Link passes a link on. What cannot be linked below is no fault of ours.
func (i *Inject) Link(oldName, newName string) error {
	return i.do(Op{Kind: OpLink, Name: oldName, To: newName}, func() error { return Link(i.base, oldName, newName) }, nil)
}
