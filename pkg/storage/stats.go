package storage

// ScanStats tells what a Select or a Count did.
type ScanStats struct {
	// Chunks were looked at, of these ChunksSkipped skipped by time or filter without decoding lines. A store that gathers an
	// ordered answer in pages may look at a chunk for each.
	Chunks, ChunksSkipped uint64
	Entries, Bytes        uint64 // entries and line bytes decoded and tested; of a Count entries alone, however counted
	EntriesMatched        uint64 // entries that passed the filters
	Skipped               SkippedChunks
	Counted               CountedChunks
	// Pages are the columns of chunks that were read and decoded, BytesRead what they take as they are stored, BytesDecoded
	// what they became. Columns that a store keeps decoded are not among them.
	Pages, BytesRead, BytesDecoded uint64
	Warnings                       []string
}

// SkippedChunks says of ChunksSkipped what told that nothing in them is asked for.
type SkippedChunks struct {
	Time     uint64 // their times
	Filter   uint64 // that no line holds what Filters look for
	Metadata uint64 // that no entry has a pair of MetadataEqual
	Level    uint64 // the same of detected_level
	Implied  uint64 // that no line holds what an ImpliedFilter looks for
	Delete   uint64 // everything in them is deleted
	Order    uint64 // other entries come first, up to the limit
}

// CountedChunks says of a Count what the dearest was that a chunk was counted from, cheapest first.
type CountedChunks struct {
	Directory uint64 // what the list of chunks says of it as a whole
	Total     uint64 // sums of its table, by stream and level
	Minutes   uint64 // sums of minutes
	Columns   uint64 // times, and levels and lengths of lines, without looking at each entry's content
	Entries   uint64 // entry by entry
}

// Add adds up two reads.
func (s *ScanStats) Add(o *ScanStats) {
	for _, n := range []struct {
		sum  *uint64
		more uint64
	}{
		{&s.Chunks, o.Chunks},
		{&s.ChunksSkipped, o.ChunksSkipped},
		{&s.Entries, o.Entries},
		{&s.Bytes, o.Bytes},
		{&s.EntriesMatched, o.EntriesMatched},
		{&s.Skipped.Time, o.Skipped.Time},
		{&s.Skipped.Filter, o.Skipped.Filter},
		{&s.Skipped.Metadata, o.Skipped.Metadata},
		{&s.Skipped.Level, o.Skipped.Level},
		{&s.Skipped.Implied, o.Skipped.Implied},
		{&s.Skipped.Delete, o.Skipped.Delete},
		{&s.Skipped.Order, o.Skipped.Order},
		{&s.Counted.Directory, o.Counted.Directory},
		{&s.Counted.Total, o.Counted.Total},
		{&s.Counted.Minutes, o.Counted.Minutes},
		{&s.Counted.Columns, o.Counted.Columns},
		{&s.Counted.Entries, o.Counted.Entries},
		{&s.Pages, o.Pages},
		{&s.BytesRead, o.BytesRead},
		{&s.BytesDecoded, o.BytesDecoded},
	} {
		*n.sum += n.more
	}
	s.Warnings = append(s.Warnings, o.Warnings...)
}
