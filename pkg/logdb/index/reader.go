package index

import (
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

// ErrCorrupt marks an index that fails its checksum or its format.
var ErrCorrupt = errors.New("corrupt index")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Postings is the set of streams that have one label pair, before anyone asked for it as a bitmap. It is valid during the
// call that hands it out.
type Postings interface {
	// AddTo adds the streams to dst.
	AddTo(dst *roaring.Bitmap) error
	intersects(other refFilter) (bool, error)
}

// Reader is Mem's snapshot or Disk: one consistent state of an index. It is safe for concurrent use. The bitmaps that it returns are the caller's.
type Reader interface {
	// All returns every stream.
	All() (*roaring.Bitmap, error)
	// Names returns the label names, sorted.
	Names() ([]string, error)
	// Name returns the streams that have the label.
	Name(name string) (*roaring.Bitmap, error)
	// Postings returns the streams that have the label pair.
	Postings(name, value string) (*roaring.Bitmap, error)
	// Values calls f for each value of the name that starts with prefix, in no particular order, until f fails. Copy the
	// value to keep it after the call.
	Values(name, prefix string, f func(value string, p Postings) error) error

	// matching returns the streams whose value of the name the regexp matches or, with others, all others that have the
	// label: whichever are less to gather.
	matching(name string, r *valueRegexp) (set *roaring.Bitmap, others bool, err error)
}
