package vfs

import (
	"errors"
	"fmt"
	"io"
	"path"
)

const replaceSuffix = ".tmp"

// ReplaceFile makes data the content of name, durably: after a crash the file is the old one or the new one, whole, and
// after ReplaceFile returned nil it is the new one. Callers for one name take turns. A crash may leave name + ".tmp",
// which the next call overwrites.
func ReplaceFile(fsys FS, name string, data []byte) error {
	tmp := name + replaceSuffix
	if err := writeSynced(fsys, tmp, data); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		_ = fsys.Remove(tmp)
		return fmt.Errorf("rename into place: %w", err)
	}
	// Survives a crash after we told the caller: without it the old file may still stand under the name.
	if err := fsys.SyncDir(path.Dir(name)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// writeSynced writes a file and syncs it before anything renames it: a crash between rename and writeback would
// otherwise leave the final name with an empty file.
func writeSynced(fsys FS, name string, data []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return fmt.Errorf("create temporary file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write temporary file: %w", err)
	}
	return nil
}

// ErrFileTooLarge says that a file exceeds what its reader is ready to hold.
var ErrFileTooLarge = errors.New("file too large")

// ReadFile returns a whole small file, or ErrFileTooLarge when it holds more than bytesMax.
func ReadFile(fsys FS, name string, bytesMax int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, name, bytesMax)
	return data, errors.Join(err, f.Close())
}

func readAll(f File, name string, bytesMax int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > bytesMax {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read: %w", name, size, bytesMax, ErrFileTooLarge)
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil // it shrank, or ends exactly here
	}
	return data[:n], err
}
