package block

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"path"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// ErrCorrupt marks a block that fails a checksum or the format. It is chunk.ErrCorrupt, so callers ask for one error.
var ErrCorrupt = chunk.ErrCorrupt

// ErrVersion marks a block of a format that this program does not know. It is not damaged: the program that wrote it reads it.
var ErrVersion = errors.New("unknown block format version")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: block: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Replicas says whether entries may be stored a second time on another node.
type Replicas string

// A flushed block's replicas are unknown; a compactor that merged them all writes deduped.
const (
	ReplicasUnknown Replicas = "unknown"
	ReplicasDeduped Replicas = "deduped"
)

// Group names the blocks that came from one flush or one merge. They count only together.
type Group struct {
	ULID  ulid.ULID `json:"ulid"`
	Index int       `json:"index"` // from 0
	Count int       `json:"count"`
}

// File is one file of the block as it was written.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	CRC32C uint32 `json:"crc32c"`
}

// Meta is meta.json. The caller of Write fills the first part; Write does the rest and the version.
type Meta struct {
	Version  int            `json:"version"`
	ULID     ulid.ULID      `json:"ulid"`
	Instance string         `json:"instance"` // who wrote it
	Tenant   model.TenantID `json:"tenant"`
	Day      string         `json:"day"`   // UTC, as 2006-01-02
	Level    int            `json:"level"` // of compaction, from 0
	Group    Group          `json:"group"`
	Parents  []ulid.ULID    `json:"parents,omitempty"` // blocks that this one replaces
	WalFrom  uint64         `json:"walFrom"`           // no entry from before this WAL position
	WalTo    uint64         `json:"walTo"`             // entries from before this WAL position
	Replicas Replicas       `json:"replicas"`

	MinTime   model.Timestamp `json:"minTime"` // both inclusive
	MaxTime   model.Timestamp `json:"maxTime"`
	Streams   uint64          `json:"streams"`
	Chunks    uint64          `json:"chunks"`
	Entries   uint64          `json:"entries"`
	RawBytes  uint64          `json:"rawBytes"` // lines and metadata, uncompressed
	LineBytes uint64          `json:"lineBytes"`
	Files     []File          `json:"files"`
}

// Bytes is the length of the block's files, without meta.json.
func (m *Meta) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// DayOf names the UTC day of a timestamp, as in Meta.Day.
func DayOf(t model.Timestamp) string { return t.Time().Format(time.DateOnly) }

// DayInterval returns the interval of a day named as in Meta.Day, cut to representable time.
func DayInterval(name string) (model.Interval, error) {
	t, err := time.Parse(time.DateOnly, name)
	if err != nil {
		return model.Interval{}, fmt.Errorf("day of block: %w", err)
	}
	days := t.Unix() / (24 * 60 * 60)                                  // exact: the time is a midnight
	const lowest, highest = math.MinInt64/day - 1, math.MaxInt64 / day // days that hold the first and last timestamp
	if days < lowest || days > highest {
		return model.Interval{}, fmt.Errorf("day of block: %s is not representable", name)
	}
	iv := model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}
	if days > lowest {
		iv.Start = model.Timestamp(days * day)
	}
	if days < highest {
		iv.End = model.Timestamp((days + 1) * day)
	}
	return iv, nil
}

// check tells what is wrong with the part that callers fill and the counts that follow from it.
func (m *Meta) check() error {
	if m.ULID == (ulid.ULID{}) || m.Group.ULID == (ulid.ULID{}) {
		return errors.New("no ULID")
	}
	if m.Group.Count < 1 || m.Group.Index < 0 || m.Group.Index >= m.Group.Count {
		return fmt.Errorf("member %d of a group of %d", m.Group.Index, m.Group.Count)
	}
	if _, err := model.ParseTenantID(string(m.Tenant)); err != nil {
		return err
	}
	if m.Replicas != ReplicasUnknown && m.Replicas != ReplicasDeduped {
		return fmt.Errorf("replicas %q", m.Replicas)
	}
	_, err := DayInterval(m.Day)
	return err
}

// sealedMeta is the outer object of meta.json.
type sealedMeta struct {
	Meta   json.RawMessage `json:"meta"`
	CRC32C string          `json:"crc32c"`
}

func encodeMeta(m *Meta) ([]byte, error) {
	inner, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`{"meta": `)
	b.Write(inner)
	fmt.Fprintf(&b, `, "crc32c": "%08x"}`+"\n", checksum(inner))
	return b.Bytes(), nil
}

func decodeMeta(b []byte) (Meta, error) {
	var sealed sealedMeta
	if err := json.Unmarshal(b, &sealed); err != nil {
		return Meta{}, corrupt("%s: %v", metaName, err)
	}
	crc, err := strconv.ParseUint(sealed.CRC32C, 16, 32)
	if err != nil || uint32(crc) != checksum(sealed.Meta) {
		return Meta{}, corrupt("%s: wrong checksum", metaName)
	}
	var m Meta
	if err := json.Unmarshal(sealed.Meta, &m); err != nil {
		return Meta{}, corrupt("%s: %v", metaName, err)
	}
	if m.Version != formatVersion {
		return Meta{}, fmt.Errorf("%w: %s has version %d, this program reads version %d", ErrVersion, metaName, m.Version, formatVersion)
	}
	if err := m.check(); err != nil {
		return Meta{}, corrupt("%s: %v", metaName, err)
	}
	return m, nil
}

// ReadMeta reads and checks meta.json of the block directory at dir.
func ReadMeta(fsys vfs.FS, dir string) (Meta, error) {
	m, err := readMeta(fsys, dir)
	if err != nil {
		return Meta{}, fmt.Errorf("read meta of %s: %w", dir, err)
	}
	return m, nil
}

func readMeta(fsys vfs.FS, dir string) (Meta, error) {
	b, err := vfs.ReadFile(fsys, path.Join(dir, metaName), metaBytesMax)
	switch {
	case errors.Is(err, vfs.ErrFileTooLarge):
		return Meta{}, corrupt("%v", err)
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := fsys.Stat(dir); statErr == nil {
			return Meta{}, corrupt("%s is missing", metaName)
		}
		return Meta{}, err
	case err != nil:
		return Meta{}, err
	}
	return decodeMeta(b)
}

// CompleteGroups tells the blocks whose groups are complete from those whose groups miss a member: these came from a flush
// or merge that a crash cut short. Both keep the order of metas.
func CompleteGroups(metas []Meta) (complete, incomplete []Meta) {
	type key struct {
		tenant model.TenantID
		group  ulid.ULID
	}
	members := make(map[key]map[int]bool)
	counts := make(map[key]int)
	sound := make(map[key]bool)
	for i := range metas {
		m := &metas[i]
		k := key{m.Tenant, m.Group.ULID}
		if members[k] == nil {
			members[k], counts[k], sound[k] = make(map[int]bool), m.Group.Count, true
		}
		members[k][m.Group.Index] = true
		sound[k] = sound[k] && m.Group.Count == counts[k]
	}
	for _, m := range metas {
		k := key{m.Tenant, m.Group.ULID}
		if sound[k] && len(members[k]) == counts[k] {
			complete = append(complete, m)
		} else {
			incomplete = append(incomplete, m)
		}
	}
	return complete, incomplete
}
