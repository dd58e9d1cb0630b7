package compact

import (
	"cmp"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// outputRun is pieces of one stream, in their order, that become one run.
type outputRun struct {
	ref     model.StreamRef // in Merged.Streams
	pieces  []piece
	entries int
	raw     uint64
}

// copied reports whether the run is a chunk of an input as it is.
func (r *outputRun) copied() bool {
	return len(r.pieces) == 1 && r.pieces[0].alone && (r.raw >= aloneBytesMin || r.pieces[0].full())
}

// single reports whether the run becomes a chunk of its own.
func (r *outputRun) single() bool { return r.raw >= aloneBytesMin || r.copied() }

// outputChunk is the runs of one chunk of the new block.
type outputChunk struct{ runs []outputRun }

// copied reports whether the chunk is copied from an input.
func (c *outputChunk) copied() bool { return len(c.runs) == 1 && c.runs[0].copied() }

// join makes the runs of one stream: neighbouring pieces as far as they fit into one chunk, full chunks as they are.
func join(dst []outputRun, ref model.StreamRef, pieces []piece) []outputRun {
	open := false // whether the last run takes more
	for i := range pieces {
		p := &pieces[i]
		if open && !p.full() {
			r := &dst[len(dst)-1]
			if r.raw+p.raw <= chunk.RawBytesMax && r.entries+int(p.entries) <= chunk.EntriesMax {
				r.pieces = r.pieces[:len(r.pieces)+1] // the next one in pieces
				r.raw += p.raw
				r.entries += int(p.entries)
				continue
			}
		}
		dst = append(dst, outputRun{ref: ref, pieces: pieces[i : i+1], entries: int(p.entries), raw: p.raw})
		open = !p.full()
	}
	return dst
}

// round is what is written together: see Merge.
type round struct{ single, small []outputRun }

// arrange lays the pieces of each stream out in chunks.
func arrange(streams []block.StreamInfo, pieces [][]piece) []outputChunk {
	var rounds []round
	var runs []outputRun
	for ref := range pieces {
		runs = join(runs[:0], model.StreamRef(ref), pieces[ref])
		number := 0
		for _, r := range runs {
			for len(rounds) <= number {
				rounds = append(rounds, round{})
			}
			if r.single() {
				rounds[number].single = append(rounds[number].single, r)
				continue
			}
			rounds[number].small = append(rounds[number].small, r)
			number++
		}
	}
	clusters := make([]uint64, len(streams))
	for i := range streams {
		clusters[i] = index.Cluster(streams[i].Labels)
	}
	var chunks []outputChunk
	for _, r := range rounds {
		for i := range r.single {
			chunks = append(chunks, outputChunk{runs: r.single[i : i+1]})
		}
		slices.SortFunc(r.small, func(a, b outputRun) int {
			return cmp.Or(cmp.Compare(clusters[a.ref], clusters[b.ref]), cmp.Compare(a.ref, b.ref))
		})
		chunks = pack(chunks, r.small)
	}
	return chunks
}

// pack fills chunks with small runs, in their order.
func pack(dst []outputChunk, runs []outputRun) []outputChunk {
	start, raw, entries := 0, uint64(0), 0
	for i := range runs {
		r := &runs[i]
		if i > start && (raw+r.raw > chunk.RawBytesMax || entries+r.entries > chunk.EntriesMax) {
			dst = append(dst, outputChunk{runs: runs[start:i]})
			start, raw, entries = i, 0, 0
		}
		raw += r.raw
		entries += r.entries
	}
	if start < len(runs) {
		dst = append(dst, outputChunk{runs: runs[start:]})
	}
	return dst
}
