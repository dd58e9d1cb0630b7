package chunk

import (
	"fmt"
)

// Encoded returns the chunk as it is stored, with the filters that belong to it, so that it can be written again without
// being decoded. All pages are checked; they are copied unless the reader reads from memory.
func (c *Reader) Encoded(f Filter, m MetaFilter) (*Encoded, error) {
	e := &Encoded{Table: *c.table, Filter: f, MetaFilter: m, Pages: c.mem}
	if c.src != nil {
		e.Pages = make([]byte, c.table.PagesBytes())
		if err := c.readAt(e.Pages, 0); err != nil {
			return nil, err
		}
	}
	if uint64(len(e.Pages)) != c.table.PagesBytes() {
		return nil, corrupt("pages lie outside the chunk")
	}
	for i := range c.table.columns {
		col := &c.table.columns[i]
		if checksum(e.Pages[col.offset:][:col.stored]) != col.crc {
			return nil, corrupt("page %d has a wrong checksum", i)
		}
	}
	return e, nil
}

// VerifyFilters builds both filters again from the decoded columns and compares them with those given, bit by bit.
func (c *Reader) VerifyFilters(f Filter, m MetaFilter) error {
	ends, err := c.LineEnds(nil)
	if err != nil {
		return err
	}
	lines, err := c.Lines(nil)
	if err != nil {
		return err
	}
	if want := makeFilter(lines, lineLengths(ends), int(c.table.PagesBytes())); string(want.raw) != string(f.raw) {
		return corrupt("filter differs from that of the lines")
	}
	var md Metadata
	md.UseLines(lines, ends)
	if err := c.Metadata(&md); err != nil {
		return fmt.Errorf("verify filters: %w", err)
	}
	if want := remakeMetaFilter(&md, int(c.table.Entries)); string(want.raw) != string(m.raw) {
		return corrupt("metadata filter differs from that of the metadata")
	}
	return nil
}
