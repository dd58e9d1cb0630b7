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
	for _, s := range l.droppable(at) {
		recycled, err := l.dropSegment(s)
		if err != nil {
			return fmt.Errorf("drop segment %d: %w", s.sequence, err)
		}
		l.mu.Lock()
		l.segments = slices.DeleteFunc(l.segments, func(o segmentInfo) bool { return o.sequence == s.sequence })
		if recycled {
			l.spares = append(l.spares, s)
		}
		l.mu.Unlock()
	}
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
		if before && s.sequence != newest { // the active one is the newest
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b segmentInfo) int { return int(int64(a.sequence) - int64(b.sequence)) })
	return out
}

// dropSegment removes a segment, or renames it to a spare when one is wanted. The name is gone for good before it returns,
// for two reasons. A crash must not bring back an old segment and not the one after it: the hole would look like a loss.
// And a spare must not be overwritten while a crash could still give it its old name: the segment of that name would be
// another one.
func (l *Log) dropSegment(s segmentInfo) (recycled bool, err error) {
	name := segmentPath(l.cfg.Dir, s.sequence)
	l.mu.Lock()
	recycled = len(l.spares) < spareSegmentsMax && s.bytes <= l.cfg.SegmentBytes
	l.mu.Unlock()
	if recycled {
		err = l.cfg.FS.Rename(name, l.path(spareName(s.sequence)))
	} else {
		err = l.cfg.FS.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		recycled, err = false, nil // somebody else removed it; the result is the same
	}
	if err != nil {
		return false, err
	}
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil {
		return false, fmt.Errorf("sync log directory: %w", err)
	}
	return recycled, nil
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
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil { // as in dropSegment
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
