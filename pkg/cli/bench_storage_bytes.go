package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// stepBytes compares blocks with what zstd makes of the same lines and metadata.
func (b *storageBench) stepBytes(ctx context.Context) error {
	parts, err := b.partBlocks(ctx)
	if err != nil {
		return err
	}
	var chunksBytes, indexBytes, filterBytes int64
	var streams uint64
	for i, p := range parts {
		var own int64
		for _, f := range p.meta.Files {
			if f.Name == "index.db" {
				indexBytes += f.Bytes
			} else {
				own += f.Bytes
			}
		}
		chunksBytes += own
		filterBytes += p.filterBytes
		streams += p.meta.Streams
		alone := b.report.Corpus[i].ZstdBytes
		limit := 1.35
		if p.name == "text" {
			limit = 1.6
		}
		row := measured("block bytes without index.db, "+p.name, float64(own)/1e6, "MB").
			against("zstd-better of lines and metadata", float64(alone)/1e6, "MB").
			as(ratioOf(own, alone), "×").wants(atMost(limit, "×"))
		if apart := b.report.Corpus[i].ZstdApartBytes; apart != alone {
			row = row.says("One frame for both, where an id that stands in the line and in the metadata is written once. Against frames of their own (%s MB): %s ×. Filters are %s MB of it.",
				digits(float64(apart)/1e6), digits(ratioOf(own, apart)), digits(float64(p.filterBytes)/1e6))
		}
		b.add(row)
	}
	b.add(
		measured("filters in blocks", float64(filterBytes)/1e6, "MB").
			against("blocks without index.db", float64(chunksBytes)/1e6, "MB").
			as(100*ratioOf(filterBytes, chunksBytes), "%").wants(atMost(20, "%")).
			says("Over lines and over metadata."),
		measured("index.db", float64(indexBytes)/float64(max(streams, 1)), "B/stream").
			says("%d streams in %d blocks; an index.db has at least its few pages.", streams, len(parts)),
	)
	return nil
}

// stepFiles counts the files that the whole corpus became.
func (b *storageBench) stepFiles(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	files, _, err := filesBelow(filepath.Join(s.dir, "blocks"))
	if err != nil {
		return err
	}
	days := map[string]bool{}
	for _, open := range s.blocks {
		days[open.Meta().Day] = true
	}
	b.add(
		measured("files in a block", float64(files)/float64(len(s.blocks)), "files").wants(atMost(3, "files")),
		measured("files in a tenant's day", float64(files)/float64(len(days)), "files").
			wants(atMost(30+3*float64(b.bytes)/(8<<30), "files")),
	)
	return nil
}

// manyStreams is how many small streams there are in a corpus of the default size.
const (
	manyStreams    = 50_000
	manyStreamsFew = 50
	linesOfSmall   = 20
)

// smallCorpusOf spreads the same lines over so many streams, in the order in which they come.
func (b *storageBench) smallCorpusOf(lines, streams int) *storageCorpus {
	g := newGenerator(corpus{seed: b.seed, lines: lines, streams: storageStreams, start: storageNow.Add(-storageSpan), span: storageSpan, kind: everyKind}, 0, 1)
	c := &storageCorpus{}
	var body pushBody
	names := make([]string, streams)
	for i := range names {
		names[i] = fmt.Sprintf(`{app="app-%d", cluster="eu-1", namespace="ns-%d", pod="app-%d-%d"}`, i%40, i%7, i%40, i)
	}
	g.rename = func(n int) string { return names[n%streams] }
	for g.fill(&body, batchBytesDefault) {
		c.bodies = append(c.bodies, storageBody{raw: append([]byte(nil), body.encode()...), lines: body.lines, lineBytes: body.lineBytes})
		c.lines += body.lines
		c.lineBytes += int64(body.lineBytes)
		body.reset()
	}
	return c
}

// stepSmallStreams compares the same lines in very many streams and in few.
func (b *storageBench) stepSmallStreams(ctx context.Context) error {
	streams := int(min(manyStreams, max(manyStreams*b.bytes/storageBytesDefault, 2*manyStreamsFew)))
	lines := streams * linesOfSmall
	type result struct {
		bytes, index int64
		took         spent
	}
	measure := func(streams int) (r result, err error) {
		c := b.smallCorpusOf(lines, streams)
		db, err := b.openDB(ctx, "small-"+strconv.Itoa(streams), func(c *logdb.Config) { c.FlushBytes = neverBytes })
		if err != nil {
			return r, err
		}
		runtime.GC()
		r.took, err = timed(func() error {
			if err := db.push(ctx, tenantAll, c); err != nil {
				return err
			}
			return db.Flush(ctx)
		})
		if err == nil {
			_, r.bytes, err = filesBelow(filepath.Join(db.dir, "blocks"))
		}
		if err == nil {
			r.index, err = bytesOf(filepath.Join(db.dir, "blocks", string(tenantAll), "*", "index.db"))
		}
		return r, errors.Join(err, db.remove())
	}
	many, err := measure(streams)
	if err != nil {
		return err
	}
	few, err := measure(manyStreamsFew)
	if err != nil {
		return err
	}
	more := (many.took.process - few.took.process).Seconds() * 1e6 / float64(lines)
	what := fmt.Sprintf("%d streams × %d lines", streams, linesOfSmall)
	b.add(
		measured(what+", flush", float64(many.bytes)/1e6, "MB").
			against(fmt.Sprintf("the same lines in %d streams", manyStreamsFew), float64(few.bytes)/1e6, "MB").
			as(ratioOf(many.bytes, few.bytes), "×").wants(atMost(2, "×")).
			says("All files of the blocks. Without index.db %s and %s MB; index.db takes %s bytes a stream.", digits(float64(many.bytes-many.index)/1e6),
				digits(float64(few.bytes-few.index)/1e6), digits(float64(many.index)/float64(streams))),
		measured(what+", CPU of a line more", more, "µs").
			against(fmt.Sprintf("a line in %d streams", manyStreamsFew), few.took.process.Seconds()*1e6/float64(lines), "µs").wants(atMost(1, "µs")).
			says("Body to block on disk, of the whole process; run once. Each of the %d lines is pushed to the next stream in turn.", lines),
	)
	return nil
}

func bytesOf(pattern string) (n int64, err error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

// stepRestart fills a log with four times the corpus, at most 1 GiB, and opens it again.
func (b *storageBench) stepRestart(ctx context.Context) error {
	db, err := b.openDB(ctx, "restart", func(c *logdb.Config) { c.FlushBytes = neverBytes })
	if err != nil {
		return err
	}
	var raw int64
	want := min(4*b.bytes, 1<<30)
	pushed, err := timed(func() error {
		for i := 0; raw < want; i++ {
			if err := db.pushAtOnce(ctx, model.TenantID("restart-"+strconv.Itoa(i)), b.corpus); err != nil {
				return err
			}
			raw += b.corpus.lineBytes
		}
		return nil
	})
	entries, _ := db.Appended()
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	runtime.GC()
	start := time.Now()
	again, err := b.openDB(ctx, "restart", func(c *logdb.Config) { c.FlushBytes = neverBytes })
	if err != nil {
		return err
	}
	took := time.Since(start)
	replayed := again.Replay().Entries
	if err := again.remove(); err != nil {
		return err
	}
	if replayed != entries {
		return fmt.Errorf("%d entries were replayed of %d", replayed, entries)
	}
	b.add(measured(fmt.Sprintf("restart with %s MB of lines in the log", digits(float64(raw)/1e6)), perSecond(raw, took), "MB/s").
		against("ack path, 4 clients, wall", perSecond(raw, pushed.wall), "MB/s").
		as(100*ratioOf(pushed.wall, took), "%").wants(atLeast(60, "%")).
		says("%.2f s on all cores, run once. The log was filled in this run by 4 clients; full chunks are sealed meanwhile in both.", took.Seconds()))
	return nil
}
