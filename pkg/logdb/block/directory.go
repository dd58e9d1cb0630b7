package block

import (
	"encoding/binary"
	"math"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// entry is one entry of the chunk directory.
type entry struct {
	minTime, maxTime                   model.Timestamp
	pagesOffset, tableOffset           int64
	filterOffset, metaFilterOffset     int64
	pagesBytes, tableBytes             uint32
	filterBytes, metaFilterBytes       uint32
	rawBytes, lineBytes, entries, runs uint32
	ref, flags                         uint32
}

func (e *entry) append(dst []byte) []byte {
	for _, v := range []int64{int64(e.minTime), int64(e.maxTime), e.pagesOffset, e.tableOffset, e.filterOffset, e.metaFilterOffset} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	for _, v := range []uint32{e.pagesBytes, e.tableBytes, e.filterBytes, e.metaFilterBytes, e.rawBytes, e.lineBytes,
		e.entries, e.runs, e.ref, e.flags, 0, 0} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

// decodeDirectory reads the entries and checks that they lie in their regions.
func decodeDirectory(b []byte, f *footer) ([]entry, error) {
	entries := make([]entry, f.chunks)
	for i := range entries {
		e, raw := &entries[i], b[i*entryBytes:][:entryBytes]
		i64 := func(at int) int64 { return int64(binary.LittleEndian.Uint64(raw[at:])) }
		u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(raw[at:]) }
		*e = entry{
			minTime: model.Timestamp(i64(0)), maxTime: model.Timestamp(i64(8)), pagesOffset: i64(16), tableOffset: i64(24),
			filterOffset: i64(32), metaFilterOffset: i64(40),
			pagesBytes: u32(48), tableBytes: u32(52), filterBytes: u32(56), metaFilterBytes: u32(60),
			rawBytes: u32(64), lineBytes: u32(68), entries: u32(72), runs: u32(76), ref: u32(80), flags: u32(84),
		}
		if !e.sound(f) || u32(88) != 0 || u32(92) != 0 {
			return nil, corrupt("directory entry %d out of range", i)
		}
	}
	if !filtersFollow(entries, f) {
		return nil, corrupt("directory: filters out of range")
	}
	return entries, nil
}

// filtersFollow checks that the filters of all chunks, and then their metadata filters, fill their region.
func filtersFollow(entries []entry, f *footer) bool {
	at := f.filters
	for i := range entries {
		if entries[i].filterOffset != at {
			return false
		}
		at += int64(entries[i].filterBytes)
	}
	for i := range entries {
		if entries[i].metaFilterOffset != at {
			return false
		}
		at += int64(entries[i].metaFilterBytes)
	}
	return at == f.tables
}

func (e *entry) sound(f *footer) bool {
	inside := func(offset int64, bytes uint32, start, end int64) bool {
		return offset >= start && offset <= end && int64(bytes) <= end-offset
	}
	return inside(e.pagesOffset, e.pagesBytes, headerBytes, f.filters) &&
		inside(e.tableOffset, e.tableBytes, f.tables, f.directory) &&
		e.minTime <= e.maxTime && e.entries > 0 && e.runs > 0 && (e.runs == 1) == (e.ref != packedRef) &&
		(e.runs > 1 || e.ref < f.streams)
}

// decodeFooter reads the footer of a file of size bytes and checks that the regions follow each other and fill it.
func decodeFooter(b []byte, size int64) (f footer, err error) {
	body, crc, magic := b[:footerBytes-12], binary.LittleEndian.Uint32(b[footerBytes-12:]), string(b[footerBytes-8:])
	if magic != footerMagic || crc != checksum(body) {
		return f, corrupt("%s: footer has a wrong checksum", chunksName)
	}
	copy(f.ulid[:], b)
	for i, to := range []*int64{&f.filters, &f.tables, &f.directory, &f.streamsStart, &f.streamDirectory, &f.bytes} {
		*to = int64(binary.LittleEndian.Uint64(b[16+8*i:]))
	}
	var version uint32
	for i, to := range []*uint32{&f.chunks, &f.streams, &f.streamPages, &f.directoryCRC, &f.streamDirectoryCRC, &version} {
		*to = binary.LittleEndian.Uint32(b[64+4*i:])
	}
	if version != formatVersion {
		return f, corrupt("%s: format version %d, this program reads %d", chunksName, version, formatVersion)
	}
	ordered := headerBytes <= f.filters && f.filters <= f.tables && f.tables <= f.directory && f.directory <= f.streamsStart &&
		f.streamsStart <= f.streamDirectory && f.streamDirectory <= size
	if !ordered || f.bytes != size || f.chunks == 0 || f.streams == 0 ||
		f.streamsStart-f.directory != int64(f.chunks)*entryBytes ||
		size-footerBytes-f.streamDirectory != int64(f.streamPages)*streamPageEntry ||
		uint64(f.streamPages) != (uint64(f.streams)+streamsPerPage-1)/streamsPerPage {
		return f, corrupt("%s: footer out of range", chunksName)
	}
	return f, nil
}

func decodeStreamDirectory(b []byte, f *footer) ([]streamPage, error) {
	pages := make([]streamPage, f.streamPages)
	at := f.streamsStart
	for i := range pages {
		raw := b[i*streamPageEntry:]
		p := streamPage{
			offset: int64(binary.LittleEndian.Uint64(raw)), stored: binary.LittleEndian.Uint32(raw[8:]),
			raw: binary.LittleEndian.Uint32(raw[12:]), crc: binary.LittleEndian.Uint32(raw[16:]),
		}
		if p.offset != at || p.raw > streamPageBytesMax || p.stored > math.MaxInt32 {
			return nil, corrupt("stream directory: page %d out of range", i)
		}
		at += int64(p.stored)
		pages[i] = p
	}
	if at != f.streamDirectory {
		return nil, corrupt("stream directory out of range")
	}
	return pages, nil
}
