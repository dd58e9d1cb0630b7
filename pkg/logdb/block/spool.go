package block

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// spool keeps bytes that belong behind others which are not all known yet: in memory at first, beyond bytesMax in a file. A
// merge of gigabytes has filters of hundreds of megabytes.
type spool struct {
	fs       vfs.FS
	dir      string
	name     string
	bytesMax int

	buf  []byte
	file vfs.File // nil while all is in buf
	size int64    // of what is in the file
}

// bytes is how much was put.
func (s *spool) bytes() int64 { return s.size + int64(len(s.buf)) }

// put appends p and returns where in the spool it begins.
func (s *spool) put(p []byte) (offset int64, err error) {
	offset = s.bytes()
	s.buf = append(s.buf, p...)
	if len(s.buf) <= s.bytesMax {
		return offset, nil
	}
	if s.file == nil {
		if s.file, err = s.fs.Create(path.Join(s.dir, s.name)); err != nil {
			return 0, fmt.Errorf("create %s: %w", s.name, err)
		}
	}
	if _, err = s.file.Write(s.buf); err != nil {
		return 0, fmt.Errorf("write %s: %w", s.name, err)
	}
	s.size += int64(len(s.buf))
	s.buf = s.buf[:0]
	return offset, nil
}

// copyTo writes everything to w and removes the file. It needs no sync: w has the bytes when anybody asks.
func (s *spool) copyTo(w *fileWriter) error {
	if s.file != nil {
		if _, err := io.Copy(w, io.NewSectionReader(s.file, 0, s.size)); err != nil {
			return fmt.Errorf("copy %s: %w", s.name, err)
		}
	}
	if err := w.put(s.buf); err != nil {
		return err
	}
	if s.file == nil {
		return nil
	}
	if err := errors.Join(s.close(), s.fs.Remove(path.Join(s.dir, s.name))); err != nil {
		return fmt.Errorf("remove %s: %w", s.name, err)
	}
	return nil
}

// close closes the file. It may be called more than once.
func (s *spool) close() error {
	f := s.file
	if s.file = nil; f == nil {
		return nil
	}
	return f.Close()
}
