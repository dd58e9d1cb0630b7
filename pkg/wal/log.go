package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// Record is what is appended.
type Record struct {
	Type    byte     // not 0
	Payload [][]byte // written one after the other; not kept after the call
	// Apply, when not nil, runs after the record is durable, in the order of the log, never at the same time as another
	// Apply or barrier of the log. at is where the record stands. Apply must not call the log and wait for it.
	Apply func(at Position)
}

func (r Record) payloadBytes() int64 {
	var n int64
	for _, p := range r.Payload {
		n += int64(len(p))
	}
	return n
}

// Log is a log open for appending. Its methods may be called concurrently. Only one Log may be open on a directory; the
// caller's lock sees to that.
type Log struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	queue      chan *entry
	applyQueue chan applyItem
	budget     *semaphore.Weighted // Config.QueueBytesMax
	queued     atomic.Int64        // bytes taken from budget

	gate    sync.RWMutex // read-held while an entry is put in the queue; Close holds it to close the queue
	closed  bool         // guarded by gate
	failure atomic.Pointer[failure]

	mu       sync.Mutex // guards what follows; never held across I/O
	segments []segmentInfo
	active   uint32 // sequence of the segment being written, 0 when none is open
	next     Position
	spares   []segmentInfo
	past     failure // the last failure, whether or not it is over

	dropMu  sync.Mutex // serialises DropBefore and Trim; held across their I/O
	temps   atomic.Uint64
	prepare *preparer

	stop    context.CancelFunc // ends the preparer
	workers sync.WaitGroup     // committer, applier, preparer
	endErr  error              // of the committer's last sync; read after workers
}

// segmentInfo is what the log remembers of a segment or spare.
type segmentInfo struct {
	sequence uint32
	bytes    int64    // on disk
	end      Position // after its last acknowledged record; 0 when a previous process wrote it
}

// failure says why nothing can be appended.
type failure struct {
	err   error
	since time.Time
}

// entry is a record or barrier on its way through the log.
type entry struct {
	record  Record
	bytes   int64 // framed
	weight  int64 // taken from the budget
	at      Position
	barrier func(at Position) *Record
	done    chan error // receives once
}

// Open opens the log of a directory, which it makes if needed. Replay comes first: nothing that stands in the directory
// is given to the caller here. Open never writes to a segment that it finds; it syncs the last one, so that what the
// replay made visible is durable, and opens a new one when the first record comes. A disk that cannot be written is no
// error of Open but a state of the log. ctx ends only Open itself; Close ends the log.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := vfs.MkdirAllSynced(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{
		cfg: cfg, log: cfg.Logger,
		queue:      make(chan *entry, queueRecordsMax),
		applyQueue: make(chan applyItem, applyBatchesMax),
		budget:     semaphore.NewWeighted(cfg.QueueBytesMax),
	}
	tail, err := l.adopt(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if l.metrics, err = newMetrics(cfg.Registerer, l.State); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.prepare = newPreparer(l)
	c := &committer{log: l, lastEnd: tail, buffer: make([]byte, 0, cfg.bufferBytes())}

	background, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.workers.Go(c.run)
	l.workers.Go(l.runApplier)
	l.workers.Go(func() { l.prepare.run(background) })
	return l, nil
}

// adopt takes stock of the directory and returns the durable end of what stands in it.
func (l *Log) adopt(ctx context.Context) (Position, error) {
	found, err := list(l.cfg.FS, l.cfg.Dir)
	if err != nil {
		return 0, err
	}
	for _, name := range found.temps {
		if err := l.cfg.FS.Remove(l.path(name)); err != nil {
			l.log.Warn("left-over file of the log not removed", "file", name, "err", err)
		}
	}
	l.adoptSpares(found.spares)
	last := max(l.cfg.Floor.Segment(), l.cfg.Replayed.Segment())
	for _, seq := range found.segments {
		info, err := l.cfg.FS.Stat(segmentPath(l.cfg.Dir, seq))
		if err != nil {
			return 0, err
		}
		l.segments = append(l.segments, segmentInfo{sequence: seq, bytes: info.Size()})
		last = max(last, seq)
	}
	if last == ^uint32(0) {
		return 0, errors.New("the sequence numbers of segments are used up")
	}
	l.next = NewPosition(last+1, 0)
	if len(found.segments) == 0 {
		return l.cfg.Replayed, nil
	}
	return l.settle(ctx, found.segments[len(found.segments)-1])
}

// settle makes the last segment of an earlier process durable and returns its end.
func (l *Log) settle(ctx context.Context, last uint32) (Position, error) {
	end := l.cfg.Replayed
	if end == 0 {
		stats, err := Replay(ctx, ReplayConfig{FS: l.cfg.FS, Dir: l.cfg.Dir, From: NewPosition(last, 0)},
			func(Position, byte, []byte) error { return nil })
		if err != nil {
			return 0, err
		}
		end = stats.End
	}
	// The process may have died between write and sync: the records are in the page cache, a replay has shown them, and
	// only now are they safe from a power cut. If it fails the next segment's opening will tell; reading can go on.
	if err := l.syncFile(segmentPath(l.cfg.Dir, last)); err != nil {
		l.log.Warn("last segment of the log not synced", "segment", last, "err", err)
	}
	return end, nil
}

func (l *Log) syncFile(name string) error {
	f, err := l.cfg.FS.OpenReadWrite(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Append makes a record durable and applies it. ctx counts only until the record is queued; from then on Append returns
// when the record is synced and its Apply has run, or when that failed (ErrFailed). A failed record may still turn up in
// a replay.
func (l *Log) Append(ctx context.Context, r Record) error {
	payload := r.payloadBytes()
	if err := l.checkRecord(r, payload); err != nil {
		return err
	}
	if f := l.failure.Load(); f != nil {
		return f.err // at once: waiting in the queue would not help
	}
	e := &entry{record: r, bytes: frameBytes(payload), done: make(chan error, 1)}
	e.weight = min(e.bytes, l.cfg.QueueBytesMax)
	if err := l.budget.Acquire(ctx, e.weight); err != nil {
		return fmt.Errorf("wait for the log's queue: %w", err)
	}
	l.queued.Add(e.weight)
	defer func() {
		l.queued.Add(-e.weight)
		l.budget.Release(e.weight)
	}()
	return l.submit(ctx, e)
}

// Barrier runs fn between two records: everything before at is applied, nothing from at on is, and no record is written
// while fn runs, so fn must be quick and must not call the log. When fn returns a record, that is the very next one in
// the log, durable and applied before Barrier returns. ctx counts only until the barrier is queued. A log that cannot be
// written still runs barriers; then, or when writing fails, an error (ErrFailed) is returned after fn has run. The
// record's Apply tells for certain.
func (l *Log) Barrier(ctx context.Context, fn func(at Position) *Record) error {
	return l.submit(ctx, &entry{barrier: fn, done: make(chan error, 1)})
}

func (l *Log) checkRecord(r Record, payload int64) error {
	if r.Type == 0 {
		return errors.New("wal: record of type 0")
	}
	if limit := l.cfg.payloadBytesMax(); payload > limit {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, payload, limit)
	}
	return nil
}

// submit queues an entry and waits for its end.
func (l *Log) submit(ctx context.Context, e *entry) error {
	if err := l.enqueue(ctx, e); err != nil {
		return err
	}
	return <-e.done
}

func (l *Log) enqueue(ctx context.Context, e *entry) error {
	l.gate.RLock()
	defer l.gate.RUnlock()
	if l.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the log's queue: %w", err)
	}
	select {
	case l.queue <- e:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the log's queue: %w", ctx.Err())
	}
}

// State describes the log for health and metrics.
type State struct {
	Failure     error // why nothing can be appended; nil when all is well
	FailedSince time.Time
	// The last failure, over or not: a log that fails and heals again and again stands on a disk to look at.
	LastFailure   error
	LastFailureAt time.Time

	Sync       SyncPolicy
	First      Position // the beginning of the oldest segment
	Next       Position // the next record will stand here or later
	Segments   int      // that a replay would read
	Bytes      int64    // of these on disk
	Spares     int      // kept for recycling
	SpareBytes int64    // of these and of the segment being prepared
	QueueBytes int64    // records waiting to be made durable and applied
}

// State returns the present state.
func (l *Log) State() State {
	s := State{Sync: l.cfg.Sync, QueueBytes: l.queued.Load(), SpareBytes: l.prepare.size.Load()}
	if f := l.failure.Load(); f != nil {
		s.Failure, s.FailedSince = f.err, f.since
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.LastFailure, s.LastFailureAt = l.past.err, l.past.since
	s.Next, s.Segments, s.Spares = l.next, len(l.segments), len(l.spares)
	s.First = l.next
	for _, seg := range l.segments {
		s.First = min(s.First, NewPosition(seg.sequence, 0))
		if seg.sequence == l.active {
			seg.bytes = max(seg.bytes, l.next.Offset())
		}
		s.Bytes += seg.bytes
	}
	for _, seg := range l.spares {
		s.SpareBytes += seg.bytes
	}
	return s
}

// Close makes durable and applies what is queued, then ends the log. Durability never depends on it. Later calls do
// nothing.
func (l *Log) Close() error {
	l.gate.Lock()
	if l.closed {
		l.gate.Unlock()
		l.workers.Wait()
		return nil
	}
	l.closed = true
	close(l.queue) // nobody sends any more: senders hold the gate
	l.gate.Unlock()
	l.stop()
	l.workers.Wait()
	l.metrics.unregister()
	return l.endErr
}

func (l *Log) path(name string) string { return l.cfg.Dir + "/" + name }

// tempPath returns a name that no other goroutine uses.
func (l *Log) tempPath() string { return l.path(fmt.Sprintf("%d%s", l.temps.Add(1), tempSuffix)) }

// setSegment notes a segment's size and end.
func (l *Log) setSegment(info segmentInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.segments, func(s segmentInfo) bool { return s.sequence == info.sequence })
	if i < 0 {
		l.segments = append(l.segments, info)
		return
	}
	l.segments[i] = info
}
