package compact

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const (
	dayStart  = model.Timestamp(1795392000_000000000)
	blocksDir = "data/blocks/fake"
)

// store is a directory of blocks.
type store struct {
	t       testing.TB
	fs      *vfs.Mem
	scratch string
	next    byte
}

func newStore(t testing.TB) *store { return &store{t: t, fs: vfs.NewMem(), scratch: t.TempDir()} }

// write writes and verifies a block, and opens it.
func (s *store) write(meta block.Meta, streams []block.StreamInfo, chunks iter.Seq2[*chunk.Encoded, error]) (*block.Block, error) {
	s.next++
	meta.ULID = ulid.ULID{15: s.next}
	meta.Group = block.Group{ULID: ulid.ULID{15: 200}, Count: 1}
	c := block.WriteConfig{FS: s.fs, Dir: blocksDir, TmpDir: "data/tmp", ScratchDir: s.scratch}
	if _, err := block.Write(s.t.Context(), c, meta, streams, chunks); err != nil {
		return nil, err
	}
	return s.open(meta.ULID), nil
}

func (s *store) open(id ulid.ULID) *block.Block {
	b, err := block.Open(s.fs, path.Join(blocksDir, id.String()))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, b.Close()) })
	return b
}

// merge writes what a merge gives as a block, nil when nothing is left, and checks that it is sound.
func (s *store) merge(inputs []Input, o MergeOptions) (*block.Block, Counts) {
	m, err := Merge(s.t.Context(), inputs, o)
	require.NoError(s.t, err)
	if len(m.Streams) == 0 {
		return nil, m.Counts()
	}
	j := Job{Level: 1}
	for _, in := range inputs {
		j.Blocks = append(j.Blocks, *in.Block.Meta())
	}
	b, err := s.write(j.Output(), m.Streams, m.Chunks(s.t.Context()))
	require.NoError(s.t, err)
	require.NoError(s.t, b.Verify(s.t.Context()))
	return b, m.Counts()
}

// blockContent is streams with the pieces that lie in one chunk each, in order.
type blockContent struct {
	sets   []labels.Labels
	pieces [][][]model.Entry
}

// writeContent writes pieces in a random order that keeps that of each stream. Small ones are packed.
func (s *store) writeContent(rng *rand.Rand, walTo uint64, c blockContent) *block.Block {
	var streams []block.StreamInfo
	for _, ls := range c.sets {
		streams = append(streams, block.StreamInfo{Labels: ls, Fingerprint: model.FingerprintOf(ls)})
	}
	var chunks []*chunk.Encoded
	var group []chunk.Run
	groupRaw := int64(0)
	encode := func(runs []chunk.Run) {
		e, err := chunk.Encode(runs, chunk.Options{})
		require.NoError(s.t, err)
		chunks = append(chunks, e)
	}
	flush := func() {
		if len(group) > 0 {
			encode(group)
		}
		group, groupRaw = nil, 0
	}
	var order []int
	for i := range c.pieces {
		order = append(order, slices.Repeat([]int{i}, len(c.pieces[i]))...)
	}
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	next := make([]int, len(c.pieces))
	for _, i := range order {
		var rows chunk.Rows
		for _, e := range c.pieces[i][next[i]] {
			rows.Append(e)
		}
		next[i]++
		run := chunk.Run{Ref: model.StreamRef(i), Rows: rows.Snapshot()}
		alone := rows.RawBytes() >= aloneBytesMin || rng.IntN(10) == 0
		if slices.ContainsFunc(group, func(r chunk.Run) bool { return r.Ref == run.Ref }) || groupRaw+rows.RawBytes() > chunk.RawBytesMax {
			flush()
		}
		if alone {
			encode([]chunk.Run{run})
			continue
		}
		group, groupRaw = append(group, run), groupRaw+rows.RawBytes()
	}
	flush()
	m := block.Meta{Tenant: "fake", Day: day, WalTo: walTo, Replicas: block.ReplicasUnknown}
	b, err := s.write(m, streams, sequence(chunks))
	require.NoError(s.t, err)
	return b
}

func sequence(chunks []*chunk.Encoded) iter.Seq2[*chunk.Encoded, error] {
	return func(yield func(*chunk.Encoded, error) bool) {
		for _, e := range chunks {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// randomContent is what a flush may hold: streams of all sizes, times with many duplicates, in no order between pieces.
func randomContent(rng *rand.Rand, sizes ...int64) blockContent {
	var c blockContent
	for i := range 30 {
		if rng.IntN(3) == 0 {
			continue
		}
		c.sets = append(c.sets, labels.FromStrings("app", fmt.Sprint("app-", i%3), "pod", fmt.Sprintf("pod-%02d", i)))
		var pieces [][]model.Entry
		for range 1 + rng.IntN(3) {
			pieces = append(pieces, randomPiece(rng, sizes[rng.IntN(len(sizes))]))
		}
		c.pieces = append(c.pieces, pieces)
	}
	return c
}

func randomPiece(rng *rand.Rand, size int64) (entries []model.Entry) {
	limit, raw := 1+rng.Int64N(size), int64(0)
	lineMax := max(1, int(limit/4))
	for {
		line := fmt.Sprintf("%x ", rng.Uint64()>>rng.IntN(60))
		e := model.Entry{
			Timestamp: dayStart + model.Timestamp(rng.IntN(40))*1e9,
			Line:      strings.Repeat(line, 1+rng.IntN(lineMax)/len(line)) + []string{"", "", "\n", "\nx", `\u0041`}[rng.IntN(5)],
			Level:     []string{"", "info", "error", "unknown", "verbose"}[rng.IntN(5)],
		}
		if rng.IntN(3) == 0 {
			e.Metadata = append(e.Metadata, model.Pair{Name: "trace", Value: fmt.Sprintf("%08x", rng.Uint32())})
		}
		if rng.IntN(4) == 0 {
			e.Metadata = append(e.Metadata, model.Pair{Name: "user", Value: fmt.Sprint(rng.IntN(5))})
			if rng.IntN(4) == 0 {
				e.Metadata = append(e.Metadata, model.Pair{Name: "user", Value: "again"})
			}
		}
		raw += chunk.EntryBytes(e)
		if raw > chunk.RawBytesMax && len(entries) > 0 {
			return entries
		}
		if entries = append(entries, e); raw >= limit {
			return entries
		}
	}
}

// readAll reads the entries of each stream by label set: chunk by chunk, run by run, as they lie.
func readAll(t testing.TB, b *block.Block) map[string][]model.Entry {
	streams, err := b.Streams(nil)
	require.NoError(t, err)
	all := map[string][]model.Entry{}
	for number := range b.Meta().Chunks {
		r, err := b.Chunk(block.ChunkRef{Number: uint32(number)})
		require.NoError(t, err)
		times, err := r.Timestamps(nil)
		require.NoError(t, err)
		ends, err := r.LineEnds([]uint32{0})
		require.NoError(t, err)
		lines, err := r.Lines(nil)
		require.NoError(t, err)
		var levels chunk.Levels
		var md chunk.Metadata
		require.NoError(t, errors.Join(r.Levels(&levels), r.Metadata(&md)))
		for _, run := range r.Table().Runs {
			key := streams[run.Ref].Labels.String()
			for i := run.First; i < run.First+run.Count; i++ {
				all[key] = append(all[key], model.Entry{
					Timestamp: times[i], Line: string(lines[ends[i]:ends[i+1]]), Level: levels.Names[levels.Codes[i]],
					Metadata: md.Pairs(nil, int(i)),
				})
			}
		}
	}
	return all
}

func byTime(entries []model.Entry) {
	slices.SortStableFunc(entries, func(a, b model.Entry) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
}
