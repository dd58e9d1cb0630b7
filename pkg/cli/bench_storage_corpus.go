package cli

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// storageNow is when the corpus ends, give or take: nothing in it depends on the day of the run, and it lies inside one
// UTC day.
var storageNow = time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)

const storageSpan = 6 * time.Hour

// storageCorpus is generated logs as the bodies of pushes, the clients taking turns.
type storageCorpus struct {
	bodies    []storageBody
	lines     int
	lineBytes int64
}

// storageBody is one push. Raw is never changed.
type storageBody struct {
	raw              []byte
	client           int
	lines, lineBytes int
}

// makeCorpus generates the corpus and says how well it compresses.
func (b *storageBench) makeCorpus() (*storageCorpus, error) {
	b.report.Version, b.report.Seed = b.env.version, b.seed
	c := b.generate(b.bytes, everyKind)
	all := corpusPart{Name: "all"}
	for kind, f := range formats {
		part, err := compressed(b.generate(b.bytes*int64(f.share)/100, kind))
		if err != nil {
			return nil, fmt.Errorf("compress the corpus: %w", err)
		}
		part.Name = f.name
		part.Ratio = ratioOf(part.RawBytes, part.ZstdBytes)
		b.report.Corpus = append(b.report.Corpus, part)
		all.Lines, all.LineBytes = all.Lines+part.Lines, all.LineBytes+part.LineBytes
		all.RawBytes, all.ZstdBytes = all.RawBytes+part.RawBytes, all.ZstdBytes+part.ZstdBytes
		all.ZstdApartBytes += part.ZstdApartBytes
	}
	all.Ratio = ratioOf(all.RawBytes, all.ZstdBytes)
	b.report.Corpus = append(b.report.Corpus, all)
	if all.Ratio > corpusRatioMax {
		return nil, fmt.Errorf("the corpus compresses %.2f : 1, and a comparison on lines that repeat themselves so much (over %d : 1) would say nothing about real ones", all.Ratio, corpusRatioMax)
	}
	fmt.Fprintf(b.env.Err, "corpus: %s lines, %s, in %s pushes\n", humanize.Comma(int64(c.lines)), humanize.IBytes(uint64(c.lineBytes)), humanize.Comma(int64(len(c.bodies))))
	return c, nil
}

// generate makes at least so many bytes of lines of one kind, or of all.
func (b *storageBench) generate(lineBytes int64, kind int) *storageCorpus {
	shape := corpus{seed: b.seed, streams: storageStreams, start: storageNow.Add(-storageSpan), span: storageSpan, kind: kind}
	shape.lines = sampleLines
	sample := packed(shape)
	// Lines of a kind have about one length, and a twentieth more is certain to be enough.
	shape.lines = int(float64(lineBytes)/float64(sample.lineBytes)*float64(sample.lines)*1.05) + 1
	c := packed(shape)
	for n := len(c.bodies); n > 1 && c.lineBytes-int64(c.bodies[n-1].lineBytes) >= lineBytes; n = len(c.bodies) {
		c.lines -= c.bodies[n-1].lines
		c.lineBytes -= int64(c.bodies[n-1].lineBytes)
		c.bodies = c.bodies[:n-1]
	}
	return c
}

// packed makes the bodies of a corpus, from each client in turn.
func packed(shape corpus) *storageCorpus {
	c := &storageCorpus{}
	generators := make([]*generator, storageClients)
	for i := range generators {
		generators[i] = newGenerator(shape, i, storageClients)
	}
	var body pushBody
	for left := true; left; {
		left = false
		for i, g := range generators {
			if !g.fill(&body, batchBytesDefault) {
				continue
			}
			left = true
			c.bodies = append(c.bodies, storageBody{raw: slices.Clone(body.encode()), client: i, lines: body.lines, lineBytes: body.lineBytes})
			c.lines += body.lines
			c.lineBytes += int64(body.lineBytes)
			body.reset()
		}
	}
	return c
}

// decoded calls f with each push of the corpus, decoded.
func (c *storageCorpus) decoded(f func(*storageBody, *wire.Request) error) error {
	for i := range c.bodies {
		req, err := wire.DecodeSnappyProto(c.bodies[i].raw, wire.Options{})
		if err != nil {
			return fmt.Errorf("decode a push: %w", err)
		}
		err = f(&c.bodies[i], req)
		req.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// compressed sizes a corpus by what zstd makes of it alone: of each stream the lines, and behind them the metadata, in
// pieces of 1 MiB, as one frame each. An id that stands in the line and in the metadata costs such a frame little; frames of
// lines and of metadata apart are counted besides.
func compressed(c *storageCorpus) (corpusPart, error) {
	part := corpusPart{Lines: c.lines, LineBytes: c.lineBytes}
	type piece struct{ lines, metadata bytes.Buffer }
	pieces := map[string]*piece{}
	var out []byte
	pack := func(p *piece) {
		part.RawBytes += int64(p.lines.Len() + p.metadata.Len())
		out = chunk.Compress(out[:0], slices.Concat(p.lines.Bytes(), p.metadata.Bytes()))
		part.ZstdBytes += int64(len(out))
		if p.metadata.Len() > 0 {
			out = chunk.Compress(chunk.Compress(out[:0], p.lines.Bytes()), p.metadata.Bytes())
		}
		part.ZstdApartBytes += int64(len(out))
		p.lines.Reset()
		p.metadata.Reset()
	}
	err := c.decoded(func(_ *storageBody, req *wire.Request) error {
		for i := range req.Streams {
			s := &req.Streams[i]
			p, ok := pieces[s.LabelsText]
			if !ok {
				p = &piece{}
				pieces[string(append([]byte(nil), s.LabelsText...))] = p
			}
			for _, e := range s.Entries {
				p.lines.WriteString(e.Line)
				for _, m := range e.Metadata {
					p.metadata.WriteString(m.Name)
					p.metadata.WriteString(m.Value)
				}
				if p.lines.Len()+p.metadata.Len() >= chunk.RawBytesMax {
					pack(p)
				}
			}
		}
		return nil
	})
	names := make([]string, 0, len(pieces))
	for name := range pieces {
		names = append(names, name)
	}
	slices.Sort(names)
	rest := &piece{} // small streams share pieces, as they share chunks
	for _, name := range names {
		p := pieces[name]
		rest.lines.Write(p.lines.Bytes())
		rest.metadata.Write(p.metadata.Bytes())
		if rest.lines.Len()+rest.metadata.Len() >= chunk.RawBytesMax {
			pack(rest)
		}
	}
	pack(rest)
	return part, err
}
