package wal

import (
	"fmt"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// committer is the one goroutine that writes segments. All its fields are its own.
type committer struct {
	log     *Log
	buffer  []byte
	header  []byte // of one record, while it is laid out
	held    *entry // taken from the queue and not fit for the last batch
	active  *segment
	lastEnd Position // after the last acknowledged record

	dirty     bool // SyncInterval: acknowledged bytes are not yet synced
	retry     *time.Timer
	syncTimer *time.Timer
	failedAt  time.Time // of the last failure; bounds how often a new segment is opened at once
}

// applyItem is a durable batch, or a barrier that the committer waits for.
type applyItem struct {
	batch   []*entry
	barrier func(at Position) *Record
	at      Position
	reply   chan *Record
}

// run drains the queue until it is closed and empty.
func (c *committer) run() {
	c.retry, c.syncTimer = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	c.retry.Stop()
	c.syncTimer.Stop()
	defer close(c.log.applyQueue)
	defer c.end()
	for {
		e, ok := c.take()
		switch {
		case !ok:
			return
		case e == nil: // a timer was served
		case e.barrier != nil:
			c.runBarrier(e)
		default:
			c.commit(c.gather(e))
		}
	}
}

// take returns the next entry, nil after a timer's work, or false when the log is closed.
func (c *committer) take() (*entry, bool) {
	if e := c.held; e != nil {
		c.held = nil
		return e, true
	}
	select {
	case e, ok := <-c.log.queue:
		return e, ok
	case <-c.retry.C:
		c.heal()
		return nil, true
	case <-c.syncTimer.C:
		c.syncInterval()
		return nil, true
	}
}

// gather takes from the queue what is there, and what one write and the present segment can hold.
func (c *committer) gather(first *entry) []*entry {
	batch, size := []*entry{first}, first.bytes
	room := c.log.cfg.SegmentBytes - dataStart
	if c.active != nil && c.active.room() >= first.bytes {
		room = c.active.room() // else first opens a new segment
	}
	room = min(room, int64(c.log.cfg.BatchBytesMax))
	for {
		select {
		case e, ok := <-c.log.queue:
			if !ok {
				return batch // the next take sees it
			}
			if e.barrier != nil || size+e.bytes > room {
				c.held = e
				return batch
			}
			batch, size = append(batch, e), size+e.bytes
		default:
			return batch
		}
	}
}

// commit makes a batch durable and hands it to the applier, or fails it.
func (c *committer) commit(batch []*entry) {
	if f := c.log.failure.Load(); f != nil {
		fail(batch, f.err)
		return
	}
	var size int64
	for _, e := range batch {
		size += e.bytes
	}
	if err := c.makeRoom(size); err != nil {
		c.setFailed(err)
		fail(batch, c.log.failure.Load().err)
		return
	}
	if err := c.write(batch, size); err != nil {
		fail(batch, c.giveUp(err))
		return
	}
	c.active.offset += size
	c.lastEnd = NewPosition(c.active.sequence, c.active.offset)
	c.log.setNext(c.lastEnd)
	c.log.metrics.records.Add(float64(len(batch)))
	c.log.metrics.bytes.Add(float64(size))
	c.log.metrics.commits.Inc()
	c.log.prepare.filled(c.active.offset)
	c.log.applyQueue <- applyItem{batch: batch}
}

// makeRoom sees to it that so many bytes fit in the active segment.
func (c *committer) makeRoom(size int64) error {
	if c.active != nil && c.active.room() >= size {
		return nil
	}
	if c.active != nil {
		// What the next segment calls durable must be so before its header says it.
		if err := c.syncDirty(); err != nil {
			return err
		}
		c.closeActive()
	}
	return c.openSegment(0)
}

// write lays the batch into the buffer and the buffer into the segment, and syncs it. A large record goes in pieces, each
// synced, because disks take one large sync much worse than several small ones.
func (c *committer) write(batch []*entry, size int64) error {
	c.active.commit++
	w := batchWriter{committer: c, file: c.active.file, offset: c.active.offset, pieceBytes: c.pieceBytes(size)}
	at := c.active.offset
	for i, e := range batch {
		e.at = NewPosition(c.active.sequence, at)
		h := recordHeader{
			length: uint32(e.record.payloadBytes()), commit: c.active.commit, typ: e.record.Type,
			commitEnd: i == len(batch)-1,
		}
		c.header = h.append(c.header[:0], &c.active.sums, at, e.record.Payload)
		if err := w.write(c.header); err != nil {
			return err
		}
		for _, p := range e.record.Payload {
			if err := w.write(p); err != nil {
				return err
			}
		}
		if err := w.write(zeros[:e.bytes-recordHeaderSize-int64(h.length)]); err != nil {
			return err
		}
		at += e.bytes
	}
	if err := w.flush(); err != nil {
		return err
	}
	invariant.Check(w.offset == at, "wrote up to %d, records end at %d", w.offset, at)
	return nil
}

// pieceBytes cuts so many bytes into equal pieces of about Config.BatchBytesMax, at most half more: a record a little
// larger than that must not pay a second sync for its last bytes.
func (c *committer) pieceBytes(size int64) int {
	batch := int64(c.log.cfg.BatchBytesMax)
	pieces := max(1, (size+batch/2)/batch)
	return int((size + pieces - 1) / pieces)
}

// bufferBytes is the largest result of pieceBytes.
func (c Config) bufferBytes() int { return c.BatchBytesMax + (c.BatchBytesMax+1)/2 }

// batchWriter collects bytes in the committer's buffer and writes it out whenever a piece is full.
type batchWriter struct {
	committer  *committer
	file       vfs.File
	offset     int64 // in the file, of the buffer's first byte
	pieceBytes int
}

func (w *batchWriter) write(p []byte) error {
	c := w.committer
	for {
		n := min(len(p), w.pieceBytes-len(c.buffer))
		c.buffer = append(c.buffer, p[:n]...)
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
}

func (w *batchWriter) flush() error {
	c := w.committer
	b := c.buffer
	c.buffer = c.buffer[:0]
	if len(b) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(b, w.offset); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	w.offset += int64(len(b))
	switch c.log.cfg.Sync {
	case SyncBatch:
		return c.syncActive()
	case SyncInterval:
		if !c.dirty {
			c.dirty = true
			c.syncTimer.Reset(c.log.cfg.SyncInterval)
		}
	case SyncOff:
	}
	return nil
}

func (c *committer) syncActive() error {
	start := time.Now()
	if err := c.active.file.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	c.log.metrics.syncSeconds.Observe(time.Since(start).Seconds())
	return nil
}

// syncDirty syncs what SyncInterval has acknowledged without.
func (c *committer) syncDirty() error {
	if !c.dirty {
		return nil
	}
	c.dirty = false
	return c.syncActive()
}

// syncInterval serves the timer of SyncInterval.
func (c *committer) syncInterval() {
	if c.active == nil {
		return
	}
	if err := c.syncDirty(); err != nil {
		_ = c.giveUp(err) // logged and counted there; the records concerned were acknowledged long ago, as configured
	}
}

// runBarrier lets the applier catch up, runs the function there, and writes the record it asks for. Nothing else can be
// written meanwhile, because this is the goroutine that writes.
func (c *committer) runBarrier(e *entry) {
	at := c.position()
	reply := make(chan *Record, 1)
	c.log.applyQueue <- applyItem{barrier: e.barrier, at: at, reply: reply}
	record := <-reply
	if record == nil {
		e.done <- nil
		return
	}
	payload := record.payloadBytes()
	if err := c.log.checkRecord(*record, payload); err != nil {
		e.done <- err
		return
	}
	c.commit([]*entry{{record: *record, bytes: frameBytes(payload), done: e.done}})
}

// position returns a place after every applied record and not after any to come.
func (c *committer) position() Position {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return c.log.next
}

// end closes the active segment when the log is closed.
func (c *committer) end() {
	c.retry.Stop()
	c.syncTimer.Stop()
	if c.active == nil {
		return
	}
	if c.log.cfg.Sync == SyncOff {
		c.dirty = true // a clean stop is as good a moment as any to be safe
	}
	if err := c.syncDirty(); err != nil {
		c.log.endErr = fmt.Errorf("close log: %w", err)
	}
	c.closeActive()
}

// runApplier applies durable batches in the order of the log and wakes their callers.
func (l *Log) runApplier() {
	for item := range l.applyQueue {
		if item.barrier != nil {
			item.reply <- item.barrier(item.at)
			continue
		}
		for _, e := range item.batch {
			if e.record.Apply != nil {
				e.record.Apply(e.at)
			}
			e.done <- nil // the caller may go on; e is not ours any more
		}
	}
}

func fail(batch []*entry, err error) {
	for _, e := range batch {
		e.done <- err
	}
}
