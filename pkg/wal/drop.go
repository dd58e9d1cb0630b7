package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// DropBefore gives up every segment that holds only records before at: the caller has made them durable elsewhere and has
// stored that fact. Up to two such files are kept for recycling. The newest segment stays in any case, so that sequence
// numbers never start again.
func (l *Log) DropBefore(at Position) error {
	l.dropMu.Lock()
	defer l.dropMu.Unlock()
	var freed []segmentInfo
	victims := l.droppable(at)
	for _, s := range victims {
		recycled, err := l.dropSegment(s, len(freed))
		if err != nil {
			return fmt.Errorf("drop segment %d: %w", s.sequence, err)
		}
		if recycled {
			freed = append(freed, s)
		}
		l.mu.Lock()
		l.segments = slices.DeleteFunc(l.segments, func(o segmentInfo) bool { return o.sequence == s.sequence })
		l.mu.Unlock()
	}
	if len(victims) == 0 {
		return nil
	}
	// Before a spare is overwritten, its old name must be gone for good: else a crash could leave a segment's name on a
	// file that by then is another segment.
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil {
		return fmt.Errorf("sync log directory: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, freed...)
	return nil
}

// droppable returns the segments before at, oldest first.
func (l *Log) droppable(at Position) []segmentInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var newest uint32
	for _, s := range l.segments {
		newest = max(newest, s.sequence)
	}
	var out []segmentInfo
	for _, s := range l.segments {
		before := s.sequence < at.Segment() || (s.end != 0 && s.end <= at)
		if before && s.sequence != l.active && s.sequence != newest {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b segmentInfo) int { return int(int64(a.sequence) - int64(b.sequence)) })
	return out
}

// dropSegment removes a segment, or renames it to a spare when one is wanted.
func (l *Log) dropSegment(s segmentInfo, freed int) (recycled bool, err error) {
	name := segmentPath(l.cfg.Dir, s.sequence)
	l.mu.Lock()
	wanted := len(l.spares)+freed < spareSegmentsMax && s.bytes <= l.cfg.SegmentBytes
	l.mu.Unlock()
	if wanted {
		err = l.cfg.FS.Rename(name, l.path(spareName(s.sequence)))
	} else {
		err = l.cfg.FS.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // somebody else removed it; the result is the same
	}
	return wanted && err == nil, err
}

// Trim removes the spare and the prepared segments, for a disk that is running full.
func (l *Log) Trim() error {
	l.dropMu.Lock()
	defer l.dropMu.Unlock()
	l.prepare.refuse()
	var errs []error
	for {
		name, ok := l.takeSpare()
		if !ok {
			return errors.Join(errs...)
		}
		if err := l.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove spare segment: %w", err))
		}
	}
}

// adoptSpares takes over the spares of an earlier process, as far as they are wanted and known to be spares for good. The
// log works without them.
func (l *Log) adoptSpares(found []uint32) {
	for _, seq := range found {
		name := l.path(spareName(seq))
		info, err := l.cfg.FS.Stat(name)
		if err == nil && len(l.spares) < spareSegmentsMax && info.Size() <= l.cfg.SegmentBytes {
			l.spares = append(l.spares, segmentInfo{sequence: seq, bytes: info.Size()})
			continue
		}
		if err := l.cfg.FS.Remove(name); err != nil {
			l.log.Warn("spare segment not removed", "file", name, "err", err)
		}
	}
	if len(l.spares) == 0 {
		return
	}
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil { // as in DropBefore
		l.log.Warn("spare segments not used", "err", err)
		l.spares = nil
	}
}

// takeSpare hands out the path of a spare; it is the caller's from then on.
func (l *Log) takeSpare() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spares) == 0 {
		return "", false
	}
	s := l.spares[len(l.spares)-1]
	l.spares = l.spares[:len(l.spares)-1]
	return l.path(spareName(s.sequence)), true
}

func (l *Log) hasSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spares) > 0
}
