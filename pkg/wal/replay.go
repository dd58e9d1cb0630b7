package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// ReplayConfig says what to replay.
type ReplayConfig struct {
	FS  vfs.FS
	Dir string
	// From skips records before it. Pass the lowest position up to which the caller has everything elsewhere.
	From Position
	// Progress, when not nil, is told now and then how many bytes of the log are done.
	Progress func(done, total int64)
}

// Damage is a stretch of a segment in which acknowledged records were lost.
type Damage struct {
	Segment       uint32
	Offset, Bytes int64
	Reason        string
}

func (d Damage) String() string {
	return fmt.Sprintf("segment %d, %d bytes at %d: %s", d.Segment, d.Bytes, d.Offset, d.Reason)
}

// ReplayStats tells what a replay found.
type ReplayStats struct {
	Segments       int   // read
	Records        int64 // given to the function
	Bytes          int64 // of their payloads
	RecordsSkipped int64 // before From
	// Damage lists the first damages; DamageCount and DamageBytes count all.
	Damage      []Damage
	DamageCount int
	DamageBytes int64
	// Torn counts segments whose last commit was cut off by a crash: no loss, nobody was told it was durable.
	Torn int
	// End is where the log ends; the next Open wants it.
	End Position
}

func (s *ReplayStats) addDamage(d Damage) {
	s.DamageCount++
	s.DamageBytes += d.Bytes
	if len(s.Damage) < damageListMax {
		s.Damage = append(s.Damage, d)
	}
}

// Replay calls fn with every record from From on, in order. payload is valid until fn returns. Damaged stretches are
// skipped and counted; an error is the file system's, fn's, ctx's, or ErrVersion. It changes nothing in the directory and
// may run beside an open log, whose last records it may then miss, and a segment that is recycled meanwhile may look
// damaged. A directory that does not exist is an empty log.
func Replay(ctx context.Context, cfg ReplayConfig, fn func(at Position, typ byte, payload []byte) error) (ReplayStats, error) {
	r := replayer{cfg: cfg, fn: fn}
	if err := r.plan(); err != nil {
		return r.stats, fmt.Errorf("replay log: %w", err)
	}
	for _, p := range r.plans {
		if err := r.segment(ctx, p); err != nil {
			return r.stats, fmt.Errorf("replay log segment %d: %w", p.sequence, err)
		}
		r.done += p.bytes
		r.progress(r.done)
	}
	return r.stats, nil
}

// First returns the beginning of the oldest segment in a directory; false when there is none.
func First(fsys vfs.FS, dir string) (Position, bool, error) {
	found, err := list(fsys, dir)
	if err != nil {
		return 0, false, fmt.Errorf("find the beginning of the log: %w", err)
	}
	if len(found.segments) == 0 {
		return 0, false, nil
	}
	return NewPosition(found.segments[0], 0), true, nil
}

type replayer struct {
	cfg    ReplayConfig
	fn     func(at Position, typ byte, payload []byte) error
	plans  []segmentPlan
	stats  ReplayStats
	window []byte
	large  []byte
	done   int64
	total  int64
}

// segmentPlan is what the headers of all segments say about reading one.
type segmentPlan struct {
	sequence uint32
	header   segmentHeader
	readable bool  // the header is good
	size     int64 // of the file
	end      int64 // where acknowledged records end; 0 when unknown
	ignored  bool  // nothing in it was ever acknowledged
	wanted   bool  // to be read
	bytes    int64 // its share of the progress; 0 when it is not read
}

// plan reads all headers: each says where the segments before it end.
func (r *replayer) plan() error {
	found, err := list(r.cfg.FS, r.cfg.Dir)
	if err != nil {
		return err
	}
	for _, seq := range found.segments {
		p, err := r.readHeader(seq)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped by a log that runs beside us
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", seq, err)
		}
		r.plans = append(r.plans, p)
	}
	for i := range r.plans {
		if r.plans[i].readable {
			r.applyEnd(i)
		}
	}
	window := int64(0)
	for i := range r.plans {
		p := &r.plans[i]
		// The last one is read in any case: where it ends is what the next Open must know.
		if p.wanted = p.reaches(r.cfg.From) || i == len(r.plans)-1; p.wanted {
			p.bytes = p.size
			if p.end != 0 {
				p.bytes = min(p.size, p.end)
			}
			r.total += p.bytes
			window = min(windowBytes, max(window, p.size))
		}
	}
	r.window = make([]byte, 0, window)
	return nil
}

// reaches tells whether a segment can hold records from a position on.
func (p *segmentPlan) reaches(from Position) bool {
	if p.ignored || p.sequence < from.Segment() {
		return false
	}
	return p.end == 0 || NewPosition(p.sequence, p.end) > from
}

func (r *replayer) readHeader(seq uint32) (segmentPlan, error) {
	p := segmentPlan{sequence: seq}
	f, err := r.cfg.FS.Open(segmentPath(r.cfg.Dir, seq))
	if err != nil {
		return p, err
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	if p.size, err = f.Size(); err != nil {
		return p, err
	}
	b := make([]byte, min(p.size, dataStart))
	for range 2 { // a second read confirms damage
		n, err := readFull(f, b, 0)
		if err != nil {
			return p, err
		}
		p.header, err = decodeSegmentHeader(b[:n], seq)
		if errors.Is(err, ErrVersion) {
			return p, err
		}
		if p.readable = err == nil; p.readable {
			break
		}
	}
	return p, nil
}

// applyEnd notes what the header of segment i says about those before it.
func (r *replayer) applyEnd(i int) {
	end := r.plans[i].header.previousEnd
	if end == 0 {
		return // the first segment ever, or nobody knew
	}
	missing := true
	for j := range i {
		p := &r.plans[j]
		switch {
		case p.sequence == end.Segment():
			p.end, missing = end.Offset(), false
		case p.sequence > end.Segment():
			p.ignored = true
		}
	}
	// Segments are dropped from the oldest on, so a hole behind one that exists, or behind From, is a loss.
	expected := (i > 0 && r.plans[0].sequence < end.Segment()) || (r.cfg.From != 0 && end > r.cfg.From)
	if missing && expected && end.Offset() > dataStart && end > r.cfg.From {
		r.stats.addDamage(Damage{Segment: end.Segment(), Bytes: end.Offset(), Reason: "the segment is missing"})
	}
}

// segment replays one segment.
func (r *replayer) segment(ctx context.Context, p segmentPlan) error {
	if !p.wanted {
		return nil
	}
	r.stats.Segments++
	report := func(d Damage) {
		if NewPosition(d.Segment, d.Offset+d.Bytes) > r.cfg.From {
			r.stats.addDamage(d)
		}
	}
	if !p.readable {
		report(Damage{Segment: p.sequence, Bytes: p.bytes, Reason: errBadHeader.Error()})
		r.stats.End = NewPosition(p.sequence, p.size)
		return nil
	}
	f, err := r.cfg.FS.Open(segmentPath(r.cfg.Dir, p.sequence))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // dropped by a log that runs beside us
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	reader := &segmentReader{
		file: f, sequence: p.sequence, sums: p.header.summer(), size: p.size, end: p.end,
		offset: dataStart, commitEnd: true, window: r.window[:0], large: r.large,
		damage: report,
	}
	err = r.records(ctx, reader)
	r.window, r.large = reader.window, reader.large
	if reader.torn {
		r.stats.Torn++
	}
	r.stats.End = NewPosition(p.sequence, max(reader.offset, p.end))
	return err
}

func (r *replayer) records(ctx context.Context, reader *segmentReader) error {
	reported := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		offset, rec, err := reader.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if offset-reported >= windowBytes {
			r.progress(r.done + offset)
			reported = offset
		}
		at := NewPosition(reader.sequence, offset)
		if at < r.cfg.From {
			r.stats.RecordsSkipped++
			continue
		}
		if err := r.fn(at, rec.header.typ, rec.payload); err != nil {
			return fmt.Errorf("record at %s: %w", at, err)
		}
		r.stats.Records++
		r.stats.Bytes += int64(len(rec.payload))
		invariant.Mangle(rec.payload)
	}
}

func (r *replayer) progress(done int64) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(done, r.total)
	}
}
