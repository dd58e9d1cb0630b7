package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// Names in the log's directory.
const (
	segmentSuffix = ".wal"
	spareSuffix   = ".free"
	tempSuffix    = ".tmp"
	nameDigits    = 10 // of the largest uint32
)

func segmentName(sequence uint32) string {
	return fmt.Sprintf("%0*d%s", nameDigits, sequence, segmentSuffix)
}

func spareName(sequence uint32) string {
	return fmt.Sprintf("%0*d%s", nameDigits, sequence, spareSuffix)
}

// parseName returns the sequence of a segment or spare. Names that this package would not have given are not its files.
func parseName(name, suffix string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != nameDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 {
		return 0, false
	}
	return uint32(n), true
}

// listing is what a log's directory holds.
type listing struct {
	segments []uint32 // ascending
	spares   []uint32
	temps    []string
}

// list reads the directory; one that does not exist is an empty log.
func list(fsys vfs.FS, dir string) (listing, error) {
	var l listing
	names, err := fsys.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("list log directory: %w", err)
	}
	for _, name := range names {
		if n, ok := parseName(name, segmentSuffix); ok {
			l.segments = append(l.segments, n)
		} else if n, ok := parseName(name, spareSuffix); ok {
			l.spares = append(l.spares, n)
		} else if strings.HasSuffix(name, tempSuffix) {
			l.temps = append(l.temps, name)
		}
	}
	slices.Sort(l.segments)
	return l, nil
}

func segmentPath(dir string, sequence uint32) string { return path.Join(dir, segmentName(sequence)) }
