// Package index maps label matchers to streams: live postings of a head in memory, and index.db of a block on disk.
package index

import (
	"context"
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// ErrCorrupt marks an index that fails its checksum or its format.
var ErrCorrupt = errors.New("corrupt index")

// Postings is the set of streams that have one label pair, before anyone asked for it as a bitmap. Valid during the call
// that hands it out.
type Postings interface {
	AddTo(dst *roaring.Bitmap) error
	Intersects(other *roaring.Bitmap) (bool, error)
}

// Reader is one consistent state of an index. Bitmaps are new: the caller may change them.
type Reader interface {
	// All returns every stream.
	All() (*roaring.Bitmap, error)
	// Names returns the label names, sorted.
	Names() ([]string, error)
	// Name returns the streams that have the label.
	Name(name string) (*roaring.Bitmap, error)
	// Postings returns the streams that have the label pair.
	Postings(name, value string) (*roaring.Bitmap, error)
	// Values calls f for each value of the name that starts with prefix, in any order, until f fails. The value is valid
	// during the call.
	Values(name, prefix string, f func(value string, p Postings) error) error
}

// Resolve returns the streams that match all matchers, by Prometheus' rules: an absent label is the empty value.
func Resolve(r Reader, matchers []*labels.Matcher) (*roaring.Bitmap, error) {
	return nil, errors.New("not built")
}

// LabelNames returns the sorted names that some stream in refs has; nil refs mean every stream.
func LabelNames(r Reader, refs *roaring.Bitmap) ([]string, error) { return nil, nil }

// LabelValues returns the sorted values that the label has in refs; nil refs mean every stream.
func LabelValues(r Reader, name string, refs *roaring.Bitmap) ([]string, error) { return nil, nil }

// CompareCluster orders label sets so that small streams that look alike lie next to each other in packed chunks: by
// label names, then by app, job, namespace, container, then by all labels.
func CompareCluster(a, b labels.Labels) int { return 0 }

// Mem is the live index of a head. One goroutine adds while others read snapshots.
type Mem struct{}

// NewMem returns an empty index.
func NewMem() *Mem { return nil }

// Add indexes a stream. Refs must ascend strictly. The stream is in every snapshot taken after Add returned.
func (m *Mem) Add(ref model.StreamRef, ls labels.Labels) {}

// Len returns the number of streams.
func (m *Mem) Len() int { return 0 }

// MemoryBytes is what the index holds, strings included.
func (m *Mem) MemoryBytes() int64 { return 0 }

// Snapshot returns what is there now: every stream added before it, whole, and none added later.
func (m *Mem) Snapshot() Reader { return nil }

// Build makes index.db for streams 0..len-1 and, for each, the ascending numbers of the chunks that hold it. It works in a
// new file under scratchDir, a real directory, without sync, and returns the file's bytes.
func Build(ctx context.Context, scratchDir string, streams []labels.Labels, chunks [][]uint32) ([]byte, error) {
	return nil, errors.New("not built")
}

// Disk is an open index.db. It is a Reader; safe for concurrent use until Close.
type Disk struct{}

// Open opens index.db at a real path, read-only.
func Open(path string) (*Disk, error) { return nil, errors.New("not built") }

// Chunks returns the numbers of the chunks that hold a stream in refs.
func (d *Disk) Chunks(refs *roaring.Bitmap) (*roaring.Bitmap, error) { return nil, nil }

// Close releases the file. No call may be running.
func (d *Disk) Close() error { return nil }
