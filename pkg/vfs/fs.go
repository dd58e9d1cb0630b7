// Package vfs is the file system as the storage engine sees it: few operations, each with a stated durability, so that
// tests can crash or fail at any of them.
//
// Three implementations: OS (the real one), Mem (in memory; its crash clone keeps what was synced and a random subset of
// what was not) and Inject (wraps another, fails or crashes at the k-th operation). What the interface promises after a
// power cut, and no more:
//   - bytes written before a successful File.Sync are there; later bytes may be there in part, in any order, or not;
//   - a file's name (after Create, Rename, Remove, MkdirAll) is certain only after SyncDir of its directory;
//   - Rename is atomic: the new name is the old file or the new one, never a mixture;
//   - after a failed Sync nothing is known of the unsynced bytes, and a later successful Sync does not promise them.
//
// Paths are slash separated and absolute or relative to the process; the package knows nothing of what is in the files.
package vfs

import (
	"io"
	"io/fs"
)

// FS is a file system. Implementations are safe for concurrent use. Errors satisfy errors.Is with fs.ErrNotExist,
// fs.ErrExist and the syscall errors (ENOSPC, EACCES, …) as package os does.
type FS interface {
	// Create makes a new file for reading and writing, or truncates an existing one.
	Create(name string) (File, error)
	// Open opens an existing file for reading only.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing file for reading and writing, keeping its content.
	OpenReadWrite(name string) (File, error)
	// Rename moves oldName to newName, replacing a file that stands there.
	Rename(oldName, newName string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// RemoveAll deletes a tree; a missing one is no error.
	RemoveAll(name string) error
	// MkdirAll makes a directory and its missing parents with mode 0750.
	MkdirAll(name string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// Stat describes a file.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer   // appends at the file's position
	io.WriterAt // does not move the position
	io.Closer
	// Sync makes the written bytes, and the size needed to read them back, durable (fdatasync).
	Sync() error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate sets the length in bytes.
	Truncate(size int64) error
}
