package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	// shortNeedle is in no line, and too short for any filter.
	shortNeedle = "qzj"
	// absentID is an id that no line has.
	absentID = "0badc0ffee0ddf00d5ca1ab1e"
	// alternation has no literal that a match must contain, and matches a few of the ids.
	alternation = `[0-9]{5}[a-f]{3}[0-9]{2}|[A-Z]{2,}[0-9]{3,}|\d+\.\d+\.\d+\.\d+:\d{5}`
)

// selected is what a Select read and found.
type selected struct {
	entries int
	stats   storage.ScanStats
}

// ask runs a Select to its end.
func (s *loadedStore) ask(ctx context.Context, r storage.SelectRequest) (out selected, err error) {
	it, err := s.Select(ctx, tenantAll, r)
	if err != nil {
		return out, err
	}
	for {
		batch, err := it.Next(ctx)
		if err != nil {
			return out, errors.Join(err, it.Close())
		}
		if batch == nil {
			break
		}
		out.entries += batch.Len()
	}
	out.stats = it.Stats()
	if len(out.stats.Warnings) > 0 {
		err = fmt.Errorf("the store warns: %s", out.stats.Warnings[0])
	}
	return out, errors.Join(err, it.Close())
}

// timeAsk measures a Select and returns what it found. It was asked once before, to warm up.
func (b *storageBench) timeAsk(ctx context.Context, s *loadedStore, r storage.SelectRequest) (selected, spent, error) {
	found, err := s.ask(ctx, r)
	if err != nil {
		return found, spent{}, err
	}
	took, err := b.repeated(ctx, func() error {
		_, err := s.ask(ctx, r)
		return err
	})
	return found, took, err
}

func containing(text string) storage.SelectRequest {
	return storage.SelectRequest{
		Matchers: everyStream(), Interval: everInterval, Columns: storage.ColumnLine,
		Filters: []storage.LineFilter{{Kind: storage.FilterLiteral, Any: []string{text}}},
	}
}

// stepScan measures a search that has to read every line.
func (b *storageBench) stepScan(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	found, took, err := b.timeAsk(ctx, s, containing(shortNeedle))
	if err != nil {
		return err
	}
	if found.entries != 0 || found.stats.Bytes == 0 {
		return fmt.Errorf("%q is found in %d lines of %d bytes read", shortNeedle, found.entries, found.stats.Bytes)
	}
	decode, search, lineBytes, err := b.scanPrimitives(ctx, s)
	if err != nil {
		return err
	}
	both := decode.thread + search.thread
	b.add(measured("substring scan that no filter prunes, CPU", perSecond(int64(found.stats.Bytes), took.process), "MB/s").
		against("zstd decode, then search for the rarest byte", perSecond(lineBytes, both), "MB/s").
		as(ratioOf(perSecond(int64(found.stats.Bytes), took.process), perSecond(lineBytes, both)), "×").wants(atLeast(0.8, "×")).
		says("Per core; on the wall %s MB/s. Primitives: decode %s MB/s, search %s MB/s. The scan reads files, compares checksums and decodes time and length columns besides.",
			digits(perSecond(int64(found.stats.Bytes), took.wall)), digits(perSecond(lineBytes, decode.thread)), digits(perSecond(lineBytes, search.thread))))
	return nil
}

// scanPrimitives measures decompressing the lines of a part of the chunks, and searching them for the rarest byte of the
// needle.
func (b *storageBench) scanPrimitives(ctx context.Context, s *loadedStore) (decode, search spent, lineBytes int64, err error) {
	var plain, packed [][]byte
	if plain, err = s.sampleLines(); err != nil {
		return
	}
	for _, lines := range plain {
		packed = append(packed, chunk.Compress(nil, lines))
		lineBytes += int64(len(lines))
	}
	var buf []byte
	if decode, err = b.repeated(ctx, func() (err error) {
		for i := range packed {
			if buf, err = chunk.Decompress(buf[:0], packed[i], len(plain[i])); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return
	}
	rarest := rarestByte(shortNeedle, plain)
	search, err = b.repeated(ctx, func() error {
		for _, lines := range plain {
			for at := bytes.IndexByte(lines, rarest); at >= 0; at = bytes.IndexByte(lines, rarest) {
				lines = lines[at+1:]
			}
		}
		return nil
	})
	return
}

// rarestByte is the byte of the text that occurs least.
func rarestByte(text string, in [][]byte) byte {
	best, least := text[0], -1
	for i := range len(text) {
		n := 0
		for _, lines := range in {
			n += bytes.Count(lines, []byte(text[i:i+1]))
		}
		if least < 0 || n < least {
			best, least = text[i], n
		}
	}
	return best
}

// sampleLines returns the lines of the first chunks.
func (s *loadedStore) sampleLines() (all [][]byte, err error) {
	errEnough := errors.New("enough")
	n := 0
	err = s.eachChunk(func(_ *block.Block, _ block.ChunkRef, r *chunk.Reader) error {
		lines, err := r.Lines(nil)
		if err != nil {
			return err
		}
		all = append(all, lines)
		if n += len(lines); n >= sampleBytesMax {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

// stepRegex measures a regular expression without a literal that every match contains.
func (b *storageBench) stepRegex(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	standard, err := regexp.Compile(alternation)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	ours, err := match.Compile(match.Filter{Regexp: true, Any: []string{alternation}})
	if err != nil {
		return err
	}
	bufs, ends, lineBytes, err := s.regexSample(min(8<<20, b.bytes/8))
	if err != nil {
		return err
	}
	want, got := 0, 0
	slow, err := b.repeated(ctx, func() error {
		want = 0
		for i, buf := range bufs {
			start := uint32(0)
			for _, end := range ends[i] {
				if standard.Match(buf[start:end]) {
					want++
				}
				start = end
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fast, err := b.repeated(ctx, func() error {
		got = 0
		var sel match.Selection
		for i, buf := range bufs {
			sel.Fill(len(ends[i]))
			ours.Select(buf, ends[i], &sel)
			got += sel.Count()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%d lines match, the standard library finds %d", got, want)
	}
	b.add(measured("regex alternation without literal", perSecond(lineBytes, fast.thread), "MB/s").
		against("package regexp, line by line", perSecond(lineBytes, slow.thread), "MB/s").
		as(ratioOf(slow.thread, fast.thread), "×").wants(atLeast(15, "×")).
		says("%s, decoded lines, %d of which match.", alternation, got))
	return nil
}

// regexSample is lines enough for an engine that reads 40 MB/s.
func (s *loadedStore) regexSample(enough int64) (bufs [][]byte, ends [][]uint32, lineBytes int64, err error) {
	err = s.eachChunk(func(_ *block.Block, ref block.ChunkRef, r *chunk.Reader) error {
		// Chunks from everywhere in the blocks, so that all formats are among them.
		if lineBytes >= enough || int(ref.Number)%max(s.chunks/16, 1) != 0 {
			return nil
		}
		lines, err := r.Lines(nil)
		if err != nil {
			return err
		}
		end, err := r.LineEnds(nil)
		bufs, ends, lineBytes = append(bufs, lines), append(ends, end), lineBytes+int64(len(lines))
		return err
	})
	return bufs, ends, lineBytes, err
}

// stepNewest measures the newest lines of everything.
func (b *storageBench) stepNewest(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	const limit = 100
	found, took, err := b.timeAsk(ctx, s, storage.SelectRequest{
		Matchers: everyStream(), Interval: everInterval, Columns: storage.ColumnLine | storage.ColumnMetadata | storage.ColumnLevel,
		Order: storage.Backward, Limit: limit,
	})
	if err != nil {
		return err
	}
	if found.entries != limit {
		return fmt.Errorf("there are %d newest lines, want %d", found.entries, limit)
	}
	owners, err := s.ownersOfNewest(limit)
	if err != nil {
		return err
	}
	decoded := float64(found.stats.Chunks - found.stats.ChunksSkipped)
	b.add(
		measured("newest 100 of everything, chunks whose lines are read", decoded, "chunks").
			against("chunks that own an answer line", float64(owners), "chunks").
			as(decoded/float64(max(owners, 1)), "×").wants(atMost(1, "×")).
			says("Of %d chunks, %d were looked at, in %s ms on the wall.", s.chunks, found.stats.Chunks, digits(milliseconds(took.wall))),
	)
	return nil
}

// ownersOfNewest counts the chunks that hold one of the newest entries: from the time columns, the slow and certain way.
func (s *loadedStore) ownersOfNewest(limit int) (int, error) {
	type newest struct {
		at    model.Timestamp
		chunk int
	}
	var all []newest
	n := 0
	err := s.eachChunk(func(_ *block.Block, _ block.ChunkRef, r *chunk.Reader) error {
		times, err := r.Timestamps(nil)
		if err != nil {
			return err
		}
		for _, t := range times {
			all = append(all, newest{t, n})
		}
		n++
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(all, func(a, b newest) int { return cmp.Compare(b.at, a.at) })
	owners := map[int]bool{}
	for _, e := range all[:min(limit, len(all))] {
		owners[e.chunk] = true
	}
	return len(owners), nil
}

// stepNeedle measures a search that filters answer.
func (b *storageBench) stepNeedle(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	found, took, err := b.timeAsk(ctx, s, containing(absentID))
	if err != nil {
		return err
	}
	if found.entries != 0 {
		return fmt.Errorf("%q is found in %d lines", absentID, found.entries)
	}
	skipped := int(found.stats.ChunksSkipped)
	b.add(
		measured("needle, absent id, chunks skipped", float64(skipped), "chunks").
			against("all", float64(s.chunks), "chunks").
			as(100*ratioOf(float64(skipped), float64(s.chunks)), "%").wants(atLeast(98, "%")).
			says("%d characters; the query takes %s ms on the wall.", len(absentID), digits(milliseconds(took.wall))),
	)
	return b.stepProbe(ctx, s)
}

// stepProbe measures asking the filters of all chunks about a needle, without the query around it.
func (b *storageBench) stepProbe(ctx context.Context, s *loadedStore) error {
	m, err := match.Compile(match.Filter{Any: []string{absentID}})
	if err != nil {
		return err
	}
	probe := chunk.NewProbe(m)
	var filters []chunk.Filter
	for _, open := range s.blocks {
		all, err := open.Filters()
		if err != nil {
			return err
		}
		refs, err := open.Chunks(nil, everInterval)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			filters = append(filters, all.Filter(ref))
		}
	}
	skipped := 0
	took, err := b.repeated(ctx, func() error {
		skipped = 0
		for range probesAtOnce {
			for _, f := range filters {
				if !probe.MayMatch(f) {
					skipped++
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.add(
		measured("needle, absent id, chunks that filters exclude", float64(skipped)/probesAtOnce, "chunks").
			against("all", float64(len(filters)), "chunks").
			as(100*float64(skipped)/probesAtOnce/float64(max(len(filters), 1)), "%").wants(atLeast(98, "%")),
		measured("needle, absent id, an excluded chunk", each(took.thread, skipped), "ns").wants(atMost(20, "ns")).
			says("Filters in memory, CPU of a thread, %d chunks again and again.", len(filters)),
	)
	return nil
}

// probesAtOnce is how often all filters are asked together: once is too short for the clocks.
const probesAtOnce = 1000
