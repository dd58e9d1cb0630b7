package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/golang/snappy"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// sampleBytesMax bounds the part of the corpus that is enough for figures of stages.
const sampleBytesMax = 32 << 20

// pushSample is what rows about pushing send at a time: so little that no stream of it fills a chunk, so nothing is sealed
// before it is asked for.
func (b *storageBench) pushSample() (*storageCorpus, error) {
	sizes := map[string]int64{}
	out := &storageCorpus{}
	errFull := errors.New("full")
	err := b.corpus.decoded(func(body *storageBody, req *wire.Request) error {
		for i := range req.Streams {
			name := strings.Clone(req.Streams[i].LabelsText)
			for _, e := range req.Streams[i].Entries {
				sizes[name] += chunk.EntryBytes(e)
			}
			if sizes[name] > chunk.RawBytesMax && len(out.bodies) > 0 {
				return errFull
			}
		}
		if out.lineBytes >= sampleBytesMax {
			return errFull
		}
		out.bodies = append(out.bodies, *body)
		out.lines += body.lines
		out.lineBytes += int64(body.lineBytes)
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return out, err
}

// unsnappied decodes the bodies and nothing else: the primitive of everything that takes a push.
func (b *storageBench) unsnappied(ctx context.Context, c *storageCorpus) (spent, error) {
	var buf []byte
	return b.repeated(ctx, func() (err error) {
		for i := range c.bodies {
			if buf, err = snappy.Decode(buf[:cap(buf)], c.bodies[i].raw); err != nil {
				return err
			}
		}
		return nil
	})
}

// stepAck measures from the body of a request to durable and visible.
func (b *storageBench) stepAck(ctx context.Context) error {
	c, err := b.pushSample()
	if err != nil {
		return err
	}
	snappied, err := b.unsnappied(ctx, c)
	if err != nil {
		return err
	}
	db, err := b.openDB(ctx, "ack", unflushed)
	if err != nil {
		return err
	}
	round := 0
	push := func() error {
		round++ // a tenant of its own: the same entries again would be dropped
		return db.push(ctx, model.TenantID(fmt.Sprintf("ack-%d", round)), c)
	}
	err = push() // the first segments of a log are new files, later ones are used again
	var ack spent
	if err == nil {
		ack, err = b.repeated(ctx, push)
	}
	var atOnce spent
	if err == nil {
		atOnce, err = b.repeated(ctx, func() error {
			round++
			return db.pushAtOnce(ctx, model.TenantID(fmt.Sprintf("ack-%d", round)), c)
		})
	}
	if err := errors.Join(err, db.remove()); err != nil {
		return err
	}
	b.add(
		measured("push, ack path, CPU", perSecond(c.lineBytes, ack.process), "MB/s").
			against("snappy decode", perSecond(c.lineBytes, snappied.thread), "MB/s").
			as(100*ratioOf(snappied.thread, ack.process), "%").wants(atLeast(35, "%")).
			says("Body in memory → decoded, derived, checked, logged, fsynced, in the head. CPU of the whole process: the log's goroutines, the kernel's copies, zeroing of new segments and the garbage collector are in it. HTTP itself is not; nothing is sealed meanwhile."),
		measured("push, ack path, one client, wall", perSecond(c.lineBytes, ack.wall), "MB/s"),
		measured("push, ack path, 4 clients, wall", perSecond(c.lineBytes, atOnce.wall), "MB/s"),
	)
	return nil
}

// stages is what the stages of a push cost, each alone.
type stages struct{ decode, derive, log, rows, seal, zstd spent }

func (s *stages) sum(of func(spent) float64) float64 {
	return of(s.decode) + of(s.derive) + of(s.log) + of(s.rows) + of(s.seal)
}

func processSeconds(s spent) float64 { return s.process.Seconds() }

func threadSeconds(s spent) float64 { return s.thread.Seconds() }

// stepSealed measures the whole way of entries to compressed chunks against the sum of its stages.
func (b *storageBench) stepSealed(ctx context.Context) error {
	c, err := b.pushSample()
	if err != nil {
		return err
	}
	s, err := b.measureStages(ctx, c)
	if err != nil {
		return err
	}
	bare, err := b.repeated(ctx, func() error {
		_, err := b.sealedHead(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	db, err := b.openDB(ctx, "sealed", unflushed)
	if err != nil {
		return err
	}
	round := 0
	whole, err := b.repeated(ctx, func() error {
		round++
		if err := db.push(ctx, model.TenantID(fmt.Sprintf("sealed-%d", round)), c); err != nil {
			return err
		}
		return db.Flush(ctx)
	})
	if err := errors.Join(err, db.remove()); err != nil {
		return err
	}
	sum, bareSum := s.sum(processSeconds), s.sum(threadSeconds)-threadSeconds(s.log)
	rate := func(seconds float64) float64 { return ratioOf(float64(c.lineBytes)/1e6, seconds) }
	b.add(
		measured("push to sealed, everything on, CPU", rate(whole.process.Seconds()), "MB/s").
			against("sum of stages", rate(sum), "MB/s").
			as(100*ratioOf(sum, whole.process.Seconds()), "%").wants(atLeast(60, "%")).
			says("Through the database: body → block on disk (the block and its index are in the measured figure and not in the sum), zstd-better. Each stage alone, MB/s of one core: %s.", s.text(rate)),
		measured("push to sealed, bare pipeline, CPU", rate(bare.thread.Seconds()), "MB/s").
			against("sum of stages but the log", rate(bareSum), "MB/s").
			as(100*ratioOf(bareSum, bare.thread.Seconds()), "%").wants(atLeast(85, "%")).
			says("Decode, derive, head and seal one after the other on one thread, without log and files."),
	)
	return nil
}

func (s *stages) text(rate func(float64) float64) string {
	one := func(x spent) string { return digits(rate(x.thread.Seconds())) }
	return fmt.Sprintf("decode %s, derive and check %s, log %s (process), head rows %s, columns and filter %s, zstd of the lines %s",
		one(s.decode), one(s.derive), digits(rate(s.log.process.Seconds())), one(s.rows),
		digits(rate(max(s.seal.thread-s.zstd.thread, 0).Seconds())), one(s.zstd))
}

// measureStages runs each stage alone over the same pushes.
func (b *storageBench) measureStages(ctx context.Context, c *storageCorpus) (s stages, err error) {
	if s.decode, err = b.repeated(ctx, func() error {
		return c.decoded(func(*storageBody, *wire.Request) error { return nil })
	}); err != nil {
		return s, err
	}
	if s.derive, err = b.medianOf(ctx, func() (spent, error) { return b.deriveOnce(ctx, c) }); err != nil {
		return s, err
	}
	if s.log, err = b.medianOf(ctx, func() (spent, error) { return b.logOnce(ctx, c) }); err != nil {
		return s, err
	}
	var h *head.Head
	if s.rows, err = b.medianOf(ctx, func() (m spent, err error) {
		h, m, err = b.rowsOnce(ctx, c)
		return m, err
	}); err != nil {
		return s, err
	}
	s.seal, err = b.medianOf(ctx, func() (spent, error) {
		h, _, err := b.rowsOnce(ctx, c) // sealing is once for all
		if err != nil {
			return spent{}, err
		}
		return timed(func() error { return sealRest(h) })
	})
	if err != nil {
		return s, err
	}
	if err := sealRest(h); err != nil {
		return s, err
	}
	s.zstd, err = b.zstdAlone(ctx, h)
	return s, err
}

// deriveOnce measures the gate: labels, levels, metadata, limits.
func (b *storageBench) deriveOnce(ctx context.Context, c *storageCorpus) (spent, error) {
	gate, err := b.gateFor(appenderFunc(func(storage.Push) error { return nil }))
	if err != nil {
		return spent{}, err
	}
	var m meter
	err = pinned(func() error {
		return c.decoded(func(_ *storageBody, req *wire.Request) error {
			m.start()
			defer m.stop()
			return gate.Push(ctx, tenantAll, req)
		})
	})
	return m.sum, err
}

// logOnce measures the write-ahead log with the bodies as its records.
func (b *storageBench) logOnce(ctx context.Context, c *storageCorpus) (spent, error) {
	dir, err := b.tempDir("log")
	if err != nil {
		return spent{}, err
	}
	log, err := wal.Open(ctx, wal.Config{FS: vfs.OS(), Dir: dir})
	if err != nil {
		return spent{}, err
	}
	took, err := timed(func() error {
		for i := range c.bodies {
			start := record.AppendRawHeader(nil, tenantAll, model.TimestampOf(storageNow), nil)
			if err := log.Append(ctx, wal.Record{Type: record.TypePushRaw, Payload: [][]byte{start, c.bodies[i].raw}}); err != nil {
				return err
			}
		}
		return nil
	})
	return took, errors.Join(err, log.Close())
}

// rowsOnce measures putting derived entries into a head, of which nothing is sealed.
func (b *storageBench) rowsOnce(ctx context.Context, c *storageCorpus) (*head.Head, spent, error) {
	h := head.New(&head.Account{})
	var m meter
	gate, err := b.gateFor(appenderFunc(func(p storage.Push) error {
		m.start()
		h.Apply(p.Streams, p.Arrival)
		m.stop()
		return nil
	}))
	if err != nil {
		return nil, spent{}, err
	}
	err = pinned(func() error {
		return c.decoded(func(_ *storageBody, req *wire.Request) error { return gate.Push(ctx, tenantAll, req) })
	})
	return h, m.sum, err
}

// zstdAlone compresses the lines of a head's chunks again.
func (b *storageBench) zstdAlone(ctx context.Context, h *head.Head) (spent, error) {
	sealed, err := h.Sealed()
	if err != nil {
		return spent{}, err
	}
	var lines [][]byte
	for _, e := range sealed.Chunks {
		l, err := e.Reader().Lines(nil)
		if err != nil {
			return spent{}, err
		}
		lines = append(lines, l)
	}
	var out []byte
	return b.repeated(ctx, func() error {
		for _, l := range lines {
			out = chunk.Compress(out[:0], l)
		}
		return nil
	})
}

// stepDecoder measures the decoder of pushes.
func (b *storageBench) stepDecoder(ctx context.Context) error {
	c, err := b.pushSample()
	if err != nil {
		return err
	}
	snappied, err := b.unsnappied(ctx, c)
	if err != nil {
		return err
	}
	decode, err := b.repeated(ctx, func() error {
		return c.decoded(func(*storageBody, *wire.Request) error { return nil })
	})
	if err != nil {
		return err
	}
	walk := decode.thread - snappied.thread
	b.add(measured("hand push decoder, snappy included", perSecond(c.lineBytes, decode.thread), "MB/s").
		against("snappy decode", perSecond(c.lineBytes, snappied.thread), "MB/s").
		as(100*ratioOf(snappied.thread, decode.thread), "%").
		says("The walk of the protobuf alone: %s MB/s of lines. Its target is ≥ 5 × the Unmarshal of Loki's push package, which this program does not contain: go test -run xxx -bench Decode$ ./pkg/wire (walk against gogo).", digits(perSecond(c.lineBytes, max(walk, 1)))))
	return nil
}
