package chunk

// ColumnSize sizes one column of a chunk, for people.
type ColumnSize struct {
	Kind   string // time, length, level, metadata, overflow or lines
	Name   string // of a metadata key
	Stored int64  // bytes in the file
	Raw    int64  // bytes of the encoded column before it was compressed as a whole
}

var kindNames = [...]string{
	columnTime: "time", columnLength: "length", columnLevel: "level", columnMetadata: "metadata", columnOverflow: "overflow", columnLines: "lines",
}

// ColumnSizes sizes the columns, in the order of their pages.
func (t *Table) ColumnSizes() []ColumnSize {
	out := make([]ColumnSize, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		out[i] = ColumnSize{Kind: kindNames[c.kind], Name: c.name, Stored: int64(c.stored), Raw: int64(c.raw)}
	}
	return out
}
