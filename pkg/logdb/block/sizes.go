package block

// RegionSizes sizes the regions of chunks.bin, for people.
type RegionSizes struct {
	Pages, Filters, Tables, Directory, Streams int64 // Streams: the stream table and its directory
}

// RegionSizes sizes the regions of chunks.bin.
func (b *Block) RegionSizes() RegionSizes {
	f := &b.footer
	return RegionSizes{
		Pages: f.filters - headerBytes, Filters: f.tables - f.filters, Tables: f.directory - f.tables,
		Directory: f.streamsStart - f.directory, Streams: f.bytes - footerBytes - f.streamsStart,
	}
}

// FileNames are the names of a block's files, meta.json last: a directory that has it has the others.
func FileNames() []string { return []string{chunksName, indexName, metaName} }
