// Package block is the immutable block directory: meta.json, chunks.bin, index.db.
package block

import (
	"context"
	"errors"
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// ErrCorrupt marks a block that fails a checksum or the format. It is chunk.ErrCorrupt: a caller asks for one error.
var ErrCorrupt = chunk.ErrCorrupt

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
	Index int       `json:"index"` // 0-based
	Count int       `json:"count"`
}

// File is one file of the block as it was written.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	CRC32C uint32 `json:"crc32c"`
}

// Meta is meta.json. The caller of Write fills the first part, Write the second.
type Meta struct {
	Version  int            `json:"version"`
	ULID     ulid.ULID      `json:"ulid"`
	Instance string         `json:"instance"`
	Tenant   model.TenantID `json:"tenant"`
	Day      string         `json:"day"` // UTC, 2006-01-02
	Level    int            `json:"level"`
	Group    Group          `json:"group"`
	Parents  []ulid.ULID    `json:"parents,omitempty"`
	WalTo    uint64         `json:"walTo"`
	Replicas Replicas       `json:"replicas"`

	MinTime   model.Timestamp `json:"minTime"`
	MaxTime   model.Timestamp `json:"maxTime"`
	Streams   uint64          `json:"streams"`
	Chunks    uint64          `json:"chunks"`
	Entries   uint64          `json:"entries"`
	RawBytes  uint64          `json:"rawBytes"`
	LineBytes uint64          `json:"lineBytes"`
	Files     []File          `json:"files"`
}

// StreamInfo is a stream to be written; its StreamRef is its place in the slice.
type StreamInfo struct {
	Labels      labels.Labels
	Fingerprint model.Fingerprint
}

// WriteConfig says where to write.
type WriteConfig struct {
	FS         vfs.FS
	Dir        string // <data>/blocks/<tenant>
	TmpDir     string // <data>/tmp, on the same file system
	ScratchDir string // a real directory for bbolt
}

// Write writes a block and returns its completed meta. When it returns nil the block stands complete and durable under
// its final name; otherwise, after a crash too, nothing stands there. Chunks must use the refs of streams (see
// chunk.Encoded.Renumber) and lie inside meta.Day.
func Write(ctx context.Context, c WriteConfig, meta Meta, streams []StreamInfo, chunks iter.Seq2[*chunk.Encoded, error]) (Meta, error) {
	return Meta{}, errors.New("not built")
}

// ReadMeta reads and checks meta.json of the block directory at path.
func ReadMeta(fs vfs.FS, path string) (Meta, error) { return Meta{}, nil }

// CompleteGroups sorts out the blocks of groups that miss a member.
func CompleteGroups(metas []Meta) (complete, incomplete []Meta) { return nil, nil }

// Block is an open block. Safe for concurrent use until Close.
type Block struct{}

// Open opens the block directory at path, checking lengths, versions, footer and directories. scratchDir is a real
// directory; it is used when fs is not the real file system, because bbolt can only read a real file.
func Open(fs vfs.FS, path, scratchDir string) (*Block, error) { return nil, errors.New("not built") }

// Meta returns meta.json.
func (b *Block) Meta() *Meta { return nil }

// Resolve returns the streams that match all matchers.
func (b *Block) Resolve(matchers []*labels.Matcher) (*roaring.Bitmap, error) { return nil, nil }

// LabelNames returns the sorted names that some stream in refs has; nil means every stream.
func (b *Block) LabelNames(refs *roaring.Bitmap) ([]string, error) { return nil, nil }

// LabelValues returns the sorted values that the label has in refs; nil means every stream.
func (b *Block) LabelValues(name string, refs *roaring.Bitmap) ([]string, error) { return nil, nil }

// Stream is a stream of the block.
type Stream struct {
	Ref              model.StreamRef
	Labels           labels.Labels
	Fingerprint      model.Fingerprint
	MinTime, MaxTime model.Timestamp
}

// Streams returns the streams in refs by ascending ref; nil means all.
func (b *Block) Streams(refs *roaring.Bitmap) ([]Stream, error) { return nil, nil }

// ChunkRef is one chunk of the block, from the directory.
type ChunkRef struct {
	Number           uint32
	MinTime, MaxTime model.Timestamp
	Entries          uint32
	RawBytes         uint64
	LineBytes        uint64
	Packed           bool // holds several streams
}

// Chunks returns the chunks that hold a stream in refs (nil means any) and may hold an entry in the interval, by number.
func (b *Block) Chunks(refs *roaring.Bitmap, iv model.Interval) ([]ChunkRef, error) { return nil, nil }

// Chunk opens a chunk: reads and checks its table.
func (b *Block) Chunk(ref ChunkRef) (*chunk.Reader, error) { return nil, nil }

// Verify reads everything and compares all that is stored twice.
func (b *Block) Verify(ctx context.Context) error { return nil }

// Close closes the files. No call may be running.
func (b *Block) Close() error { return nil }
