package vfs

import (
	"errors"
	"sync/atomic"
)

// injectFile is an open file of an Inject.
type injectFile struct {
	inject *Inject
	base   File
	name   string      // guarded by inject.filesMu
	owed   atomic.Bool // LateSync: a sync was reported and not yet done
}

func (f *injectFile) Read(p []byte) (n int, err error) {
	err = f.inject.do(f.op(OpRead, -1, len(p)), func() (err error) {
		n, err = f.base.Read(p)
		return err
	}, nil)
	return n, err
}

func (f *injectFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.inject.do(f.op(OpRead, off, len(p)), func() (err error) {
		n, err = f.base.ReadAt(p, off)
		return err
	}, nil)
	return n, err
}

func (f *injectFile) Write(p []byte) (n int, err error) {
	return f.write(f.op(OpWrite, -1, len(p)), p, f.base.Write)
}

func (f *injectFile) WriteAt(p []byte, off int64) (n int, err error) {
	return f.write(f.op(OpWrite, off, len(p)), p, func(p []byte) (int, error) { return f.base.WriteAt(p, off) })
}

// write fails as disks do when they fill up: some of the bytes are there.
func (f *injectFile) write(op Op, p []byte, write func([]byte) (int, error)) (n int, err error) {
	err = f.inject.do(op, func() (err error) {
		if err = f.payOwed(); err != nil {
			return err
		}
		n, err = write(p)
		return err
	}, func() {
		n, _ = write(p[:len(p)/2]) // the injected error is the one to report
	})
	return n, err
}

func (f *injectFile) Sync() error {
	return f.inject.do(f.op(OpSync, 0, 0), func() error {
		switch {
		case f.inject.NoSync:
			return nil
		case f.inject.LateSync:
			err := f.payOwed()
			f.owed.Store(true)
			return err
		default:
			return f.base.Sync()
		}
	}, func() {
		if m, ok := f.base.(*memFile); ok {
			m.failSync()
		}
	})
}

func (f *injectFile) payOwed() error {
	if f.owed.CompareAndSwap(true, false) {
		return f.base.Sync()
	}
	return nil
}

func (f *injectFile) Size() (size int64, err error) {
	err = f.inject.do(f.op(OpSize, 0, 0), func() (err error) {
		size, err = f.base.Size()
		return err
	}, nil)
	return size, err
}

func (f *injectFile) Truncate(size int64) error {
	return f.inject.do(f.op(OpTruncate, 0, int(size)), func() error { return f.base.Truncate(size) }, nil)
}

// Close frees the file below even after a crash: descriptors are the test's, not the dead process's.
func (f *injectFile) Close() error {
	err := f.inject.do(f.op(OpClose, 0, 0), f.base.Close, func() { _ = f.base.Close() })
	f.inject.filesMu.Lock()
	delete(f.inject.files, f)
	f.inject.filesMu.Unlock()
	if errors.Is(err, ErrCrashed) {
		_ = f.base.Close()
	}
	return err
}

func (f *injectFile) op(kind OpKind, off int64, size int) Op {
	f.inject.filesMu.Lock()
	defer f.inject.filesMu.Unlock()
	return Op{Kind: kind, Name: f.name, Offset: off, Bytes: int64(size)}
}
