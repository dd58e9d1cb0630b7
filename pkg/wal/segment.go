package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// segment is the one open for writing; the committer's.
type segment struct {
	file     vfs.File
	sequence uint32
	sums     summer
	limit    int64  // Config.SegmentBytes
	offset   int64  // where the next record goes
	commit   uint64 // the last one written
	bytes    int64  // on disk when it was opened
}

func (s *segment) room() int64 { return s.limit - s.offset }

// Where a segment's disk space comes from, best first.
const (
	originRecycled = "recycled"
	originPrepared = "prepared"
	originNew      = "new"
)

// openSegment makes the next segment the active one. After a failure the disk has to prove first that it takes more than a
// header: on a full one the log would else heal and fail for ever.
func (c *committer) openSegment(proofBytes int64) error {
	next := c.position()
	seq := next.Segment()
	invariant.Check(c.lastEnd < next, "records up to %s and the next segment at %s", c.lastEnd, next)
	if seq == 0 {
		return errors.New("the sequence numbers of segments are used up")
	}
	s, origin, err := c.acquire(seq, proofBytes)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", seq, err)
	}
	c.active = s
	c.log.metrics.opened.WithLabelValues(origin).Inc()
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.active = seq
	c.log.next = NewPosition(seq, s.offset)
	c.log.segments = append(slices.DeleteFunc(c.log.segments, func(s segmentInfo) bool { return s.sequence == seq }),
		segmentInfo{sequence: seq, bytes: max(s.bytes, dataStart)})
	return nil
}

// acquire finds the disk space for a segment and installs it. A spare that makes trouble must not stop the log while a
// new file would do.
func (c *committer) acquire(seq uint32, proofBytes int64) (*segment, string, error) {
	l := c.log
	if name, ok := l.takeSpare(); ok {
		f, err := l.cfg.FS.OpenReadWrite(name)
		if err == nil {
			var s *segment
			if s, err = c.install(f, name, seq, proofBytes); err == nil {
				return s, originRecycled, nil
			}
		}
		l.log.Warn("spare segment not usable", "file", name, "err", err)
		_ = l.cfg.FS.Remove(name)
	}
	if f, name, ok := l.prepare.take(); ok {
		s, err := c.install(f, name, seq, proofBytes)
		if err == nil {
			return s, originPrepared, nil
		}
		l.log.Warn("prepared segment not usable", "file", name, "err", err)
		_ = l.cfg.FS.Remove(name)
	}
	name := l.tempPath()
	f, err := l.cfg.FS.Create(name)
	if err != nil {
		return nil, "", err
	}
	s, err := c.install(f, name, seq, proofBytes)
	if err != nil {
		_ = l.cfg.FS.Remove(name) // gives the space back; what stays is removed by the next Open
		return nil, "", err
	}
	return s, originNew, nil
}

// install makes an open file the segment called seq. Every step is done before a record in it can be acknowledged.
func (c *committer) install(f vfs.File, name string, seq uint32, proofBytes int64) (_ *segment, err error) {
	defer func() {
		if err != nil {
			_ = f.Close() // the first error says more
		}
	}()
	h := segmentHeader{sequence: seq, previousEnd: c.lastEnd}
	if _, err = rand.Read(h.salt[:]); err != nil {
		return nil, fmt.Errorf("choose salt: %w", err)
	}
	if _, err = f.WriteAt(append(h.encode(), make([]byte, proofBytes)...), 0); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	// Synced under its temporary name: a crash never leaves a segment's name on a file without its header, so a header
	// that fails its sum is damage and nothing else.
	if err = f.Sync(); err != nil {
		return nil, fmt.Errorf("sync header: %w", err)
	}
	if err = c.log.cfg.FS.Rename(name, segmentPath(c.log.cfg.Dir, seq)); err != nil {
		return nil, err
	}
	// Without this the segment could lose its name after records in it were acknowledged.
	if err = c.log.cfg.FS.SyncDir(c.log.cfg.Dir); err != nil {
		return nil, fmt.Errorf("sync log directory: %w", err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	return &segment{file: f, sequence: seq, sums: h.summer(), limit: c.log.cfg.SegmentBytes, offset: dataStart, bytes: size}, nil
}

// closeActive ends writing to the active segment, whatever the reason.
func (c *committer) closeActive() {
	s := c.active
	c.active, c.dirty = nil, false
	if err := s.file.Close(); err != nil {
		c.log.log.Warn("segment not closed", "segment", s.sequence, "err", err) // its records are synced or given up
	}
	end := NewPosition(s.sequence, dataStart)
	if c.lastEnd.Segment() == s.sequence {
		end = c.lastEnd
	}
	c.log.setSegment(segmentInfo{sequence: s.sequence, bytes: max(s.bytes, s.offset), end: end})
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.active = 0
	c.log.next = NewPosition(s.sequence+1, 0)
}

// giveUp ends a segment after a write or sync error and returns the error for those who wait: what of the failed commit
// is on disk is unknown, and a later sync that succeeds would not tell, so nothing is written after it. The next segment
// says where the acknowledged records end.
func (c *committer) giveUp(cause error) error {
	c.buffer = c.buffer[:0]
	seq, empty := c.active.sequence, c.lastEnd.Segment() != c.active.sequence
	c.closeActive()
	if empty {
		c.log.forget(seq)
	}
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	last := c.failedAt
	c.failedAt = time.Now()
	c.log.notePast(failure{err, c.failedAt})
	c.log.metrics.failures.Inc()
	// A second failure within the interval is a full or dying disk: segment after segment would not help, and each leaves
	// a file.
	if c.failedAt.Sub(last) < retryInterval {
		c.fallSilent(err)
		return err
	}
	if openErr := c.openSegment(c.proofBytes()); openErr != nil {
		c.fallSilent(fmt.Errorf("%w: %w", ErrFailed, openErr))
		return err
	}
	c.log.log.Warn("segment of the log given up", "segment", seq, "err", cause)
	return err
}

// setFailed notes that no segment can be opened.
func (c *committer) setFailed(cause error) {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if c.active != nil {
		c.closeActive()
	}
	c.failedAt = time.Now()
	c.log.metrics.failures.Inc()
	c.log.notePast(failure{err, c.failedAt})
	c.fallSilent(err)
}

// fallSilent makes Append fail at once until heal succeeds.
func (c *committer) fallSilent(err error) {
	f := &failure{err, time.Now()}
	if old := c.log.failure.Load(); old != nil {
		f.since = old.since
	}
	if c.log.failure.Swap(f) == nil {
		c.log.log.Error("log cannot be written, trying again", "every", retryInterval, "err", err)
	}
	c.retry.Reset(retryInterval)
}

// heal tries to open a segment again.
func (c *committer) heal() {
	old := c.log.failure.Load()
	if old == nil {
		return
	}
	if err := c.openSegment(c.proofBytes()); err != nil {
		c.fallSilent(fmt.Errorf("%w: %w", ErrFailed, err))
		return
	}
	c.log.failure.Store(nil)
	c.log.log.Info("log can be written again", "after", time.Since(old.since))
}

// proofBytes is what the disk must take before a log that failed calls itself healthy: as much as the next commit may be.
func (c *committer) proofBytes() int64 {
	return min(int64(c.log.cfg.BatchBytesMax), c.log.cfg.SegmentBytes-dataStart)
}

func (l *Log) notePast(f failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past = f
}

func (l *Log) setNext(at Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = at
}

// forget removes a segment in which nothing was acknowledged. If its name comes back after a crash, the next segment's
// header keeps a replay out of it.
func (l *Log) forget(seq uint32) {
	if err := l.cfg.FS.Remove(segmentPath(l.cfg.Dir, seq)); err != nil {
		return // it stays in the list and goes with DropBefore
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = slices.DeleteFunc(l.segments, func(s segmentInfo) bool { return s.sequence == seq })
}
