package chunk

import (
	"errors"
	"fmt"
	"io"
)

// Encoded returns the chunk as it is stored, without decoding it. Every page is compared with its checksum.
func (c *Reader) Encoded() (*Encoded, error) {
	pages := c.mem
	if c.src != nil {
		pages = make([]byte, c.table.PagesBytes())
		if n, err := c.src.ReadAt(pages, c.base); n < len(pages) {
			if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, corrupt("pages end after %d of %d bytes", n, len(pages))
			}
			return nil, fmt.Errorf("read pages: %w", err)
		}
	}
	e := &Encoded{Pages: pages, Table: *c.table}
	inMemory := e.Reader()
	for i := range e.Table.columns {
		col := &e.Table.columns[i]
		if _, err := inMemory.stored(col, nil); err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
	}
	return e, nil
}
