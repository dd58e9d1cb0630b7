package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// one sends the lines of one input, without their ends (\n or \r\n). Empty lines are left out, too long ones counted.
func (r *reading) one(in io.Reader) error {
	src := bufio.NewReaderSize(in, 64<<10)
	var line []byte
	for {
		part, err := src.ReadSlice('\n')
		if len(line) <= pushLineBytesMax+len("\r\n") {
			line = append(line, part...) // of a longer one the rest is read and dropped
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		if !r.emit(line) || ended {
			return nil
		}
		line = line[:0]
	}
}

// emit hands a copy of the line over. It returns false when nobody wants more.
func (r *reading) emit(line []byte) bool {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	switch {
	case len(line) == 0:
		return true
	case len(line) > pushLineBytesMax:
		r.mu.Lock()
		r.tooLong++
		r.mu.Unlock()
		return true
	}
	select {
	case r.lines <- bytes.Clone(line):
		return true
	case <-r.stop:
		return false
	}
}
