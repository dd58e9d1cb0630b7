package compact

import (
	"cmp"
	"context"
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

// merged is the slow twin of Merge: all entries in a list, masked, sorted.
func merged(t testing.TB, blocks []*block.Block, masks []*testMask) map[string][]model.Entry {
	all := map[string][]model.Entry{}
	for i, b := range blocks {
		for key, entries := range readAll(t, b) {
			for _, e := range entries {
				if masks[i] == nil || !masks[i].drops(key, e) {
					all[key] = append(all[key], e)
				}
			}
		}
	}
	for _, entries := range all {
		byTime(entries)
	}
	return all
}

// testMask drops entries of some streams, in an interval, with some text.
type testMask struct {
	stream string // in the label set
	iv     model.Interval
	text   string
	asked  int // entries
}

func (m *testMask) drops(ls string, e model.Entry) bool {
	return strings.Contains(ls, m.stream) && m.iv.Contains(e.Timestamp) && strings.Contains(e.Line, m.text)
}

func (m *testMask) Run(ls labels.Labels, minTime, maxTime model.Timestamp) Verdict {
	switch {
	case !strings.Contains(ls.String(), m.stream) || !m.iv.Overlaps(minTime, maxTime):
		return KeepAll
	case m.text == "" && m.iv.Contains(minTime) && m.iv.Contains(maxTime):
		return DropAll
	}
	return PerEntry
}

func (m *testMask) Drops(ls labels.Labels, e model.Entry) bool {
	m.asked++
	return m.drops(ls.String(), e)
}

var always = model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}

func inputsOf(blocks []*block.Block, masks []*testMask) []Input {
	inputs := make([]Input, len(blocks))
	for i, b := range blocks {
		inputs[i].Block = Stored{b}
		if masks[i] != nil {
			inputs[i].Mask = masks[i]
		}
	}
	return inputs
}

// TestMergeIsTheTwin merges random blocks and compares with the list of their entries.
func TestMergeIsTheTwin(t *testing.T) {
	rounds := uint64(30)
	if testing.Short() {
		rounds = 8
	}
	var sum Counts
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(seed, 9))
		s := newStore(t)
		sizes := [][]int64{{500}, {500, 60_000}, {500, 300_000, 1 << 20}, {300_000, 1 << 20, 1_300_000}}[rng.IntN(4)]
		var blocks []*block.Block
		var masks []*testMask
		for i := range 1 + rng.IntN(4) {
			blocks = append(blocks, s.writeContent(rng, uint64(i+1), randomContent(rng, sizes...)))
			masks = append(masks, []*testMask{
				nil, nil,
				{stream: "app-1", iv: always},
				{stream: "pod", iv: model.Interval{Start: dayStart + 5e9, End: dayStart + 30e9}},
				{stream: "pod-1", iv: always, text: "7"},
				{iv: always},
			}[rng.IntN(6)])
		}
		o := MergeOptions{MemoryBytes: 1 << (10 + rng.IntN(16))}
		if rng.IntN(4) == 0 {
			o.Again = chunk.HasNewline
		}
		want := merged(t, blocks, masks)
		b, counts := s.merge(inputsOf(blocks, masks), o)
		entries := 0
		for _, e := range want {
			entries += len(e)
		}
		require.Equal(t, uint64(entries), counts.EntriesOut, "seed %d", seed)
		require.Equal(t, counts.EntriesIn-counts.EntriesDropped, counts.EntriesOut, "seed %d", seed)
		if b == nil {
			require.Empty(t, want, "seed %d", seed)
			continue
		}
		got := readAll(t, b)
		for _, entries := range got {
			byTime(entries)
		}
		require.Equal(t, want, got, "seed %d", seed)
		sum.ChunksCopied += counts.ChunksCopied
		sum.ChunksRewritten += counts.ChunksRewritten
	}
	t.Logf("%d chunks copied, %d rewritten", sum.ChunksCopied, sum.ChunksRewritten)
	require.Greater(t, sum.ChunksCopied, uint64(20))
	require.Greater(t, sum.ChunksRewritten, uint64(100))
}

// piecesOf makes pieces of one entry each, of so many bytes of incompressible-looking text, a second apart from at on.
func piecesOf(at int, sizes ...int) (pieces [][]model.Entry) {
	for i, n := range sizes {
		pieces = append(pieces, []model.Entry{{
			Timestamp: dayStart + model.Timestamp(at+i)*1e9, Line: strings.Repeat(fmt.Sprintf("%08x", at+i), n/8+1)[:n],
		}})
	}
	return pieces
}

// TestMergeLayout pins what is copied, joined and packed: the runs of each chunk of the output.
func TestMergeLayout(t *testing.T) {
	const k = 1 << 10
	f := func(o MergeOptions, mask *testMask, want string, blocks ...map[string][]int) {
		t.Helper()
		s := newStore(t)
		var open []*block.Block
		var masks []*testMask
		for i, content := range blocks {
			var c blockContent
			for pod, sizes := range content {
				c.sets = append(c.sets, labels.FromStrings("pod", pod))
				c.pieces = append(c.pieces, piecesOf(10*i, sizes...))
			}
			open = append(open, s.writeContent(rand.New(rand.NewPCG(1, 2)), uint64(i+1), c))
			masks = append(masks, mask)
		}
		m, err := Merge(t.Context(), inputsOf(open, masks), o)
		require.NoError(t, err)
		var got []string
		for _, c := range m.chunks {
			kind := "new"
			if c.copied() {
				kind = "copy"
			}
			for _, r := range c.runs {
				kind += fmt.Sprintf(" %s:%d", m.Streams[r.ref].Labels.Get("pod"), len(r.pieces))
			}
			got = append(got, kind)
		}
		require.Equal(t, want, strings.Join(got, ", "))
	}
	type b = map[string][]int
	f(MergeOptions{}, nil, "new a:2 b:1", b{"a": {10 * k}}, b{"a": {20 * k}, "b": {5}})
	f(MergeOptions{}, nil, "copy a:1", b{"a": {900 * k}})
	f(MergeOptions{}, nil, "copy a:1", b{"a": {300 * k}}) // nothing to join it with
	f(MergeOptions{}, nil, "new a:3", b{"a": {300 * k, 300 * k}}, b{"a": {100 * k}})
	f(MergeOptions{}, nil, "new a:3, copy a:1", b{"a": {300 * k, 300 * k}}, b{"a": {300 * k}}, b{"a": {300 * k}})
	f(MergeOptions{}, nil, "copy a:1, copy a:1", b{"a": {900 * k}}, b{"a": {800 * k}})
	// A full chunk is a border: what is small before and after it stays apart, in two rounds.
	f(MergeOptions{}, nil, "new a:2 b:2, copy a:1, new a:2", b{"a": {10, 10, 900 * k}, "b": {7}}, b{"a": {10, 10}, "b": {7}})
	f(MergeOptions{}, nil, "copy a:1, new a:1 b:1", b{"b": {7}}, b{"a": {900 * k, 100 * k}})
	f(MergeOptions{}, nil, "copy a:1", b{"a": {3 << 20}}) // one entry larger than a chunk
	f(MergeOptions{}, nil, "new a:1 b:1 c:1 d:1 e:1, new f:1",
		b{"a": {200 * k}, "b": {200 * k}, "c": {200 * k}, "d": {200 * k}, "e": {200 * k}, "f": {200 * k}})
	f(MergeOptions{Again: chunk.HasNewline}, nil, "copy a:1", b{"a": {900 * k}})

	firstDropped := &testMask{stream: `"a"`, iv: model.Interval{Start: dayStart, End: dayStart + 1}}
	f(MergeOptions{}, firstDropped, "new b:1", b{"a": {900 * k}, "b": {5}})
	f(MergeOptions{}, firstDropped, "copy a:1", b{"a": {900 * k, 800 * k}})
	f(MergeOptions{}, &testMask{iv: always}, "", b{"a": {900 * k}, "b": {5}})
	f(MergeOptions{}, &testMask{iv: always, text: "no line has it"}, "copy a:1, new b:1", b{"a": {900 * k}, "b": {5}})
}

// TestMergeMasksWithoutReading asks for entries only where a mask cannot tell by stream and time.
func TestMergeMasksWithoutReading(t *testing.T) {
	s := newStore(t)
	c := blockContent{sets: []labels.Labels{labels.FromStrings("pod", "a")}, pieces: [][][]model.Entry{piecesOf(0, 900_000, 900_000, 900_000)}}
	b := s.writeContent(rand.New(rand.NewPCG(1, 2)), 1, c)
	mask := &testMask{iv: model.Interval{Start: dayStart + 1e9, End: dayStart + 2e9}}
	_, counts := s.merge(inputsOf([]*block.Block{b}, []*testMask{mask}), MergeOptions{})
	require.Zero(t, mask.asked)
	require.Equal(t, Counts{
		EntriesIn: 3, EntriesDropped: 1, EntriesOut: 2, ChunksCopied: 2, BytesCopied: counts.BytesCopied,
	}, counts)
	require.NotZero(t, counts.BytesCopied)
}

// TestMergeDecodesOncePerWindow reads packed chunks whose streams lie in another order in each input.
func TestMergeDecodesOncePerWindow(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(3, 4))
	var blocks []*block.Block
	chunks := uint64(0)
	for i := range 3 {
		blocks = append(blocks, s.writeContent(rng, uint64(i+1), randomContent(rng, 200_000)))
		chunks += blocks[i].Meta().Chunks
	}
	masks := make([]*testMask, len(blocks))
	_, counts := s.merge(inputsOf(blocks, masks), MergeOptions{})
	require.LessOrEqual(t, counts.ChunksDecoded, chunks)
	_, small := s.merge(inputsOf(blocks, masks), MergeOptions{MemoryBytes: 1})
	require.Greater(t, small.ChunksDecoded, counts.ChunksDecoded)
}

func TestMergeRefusesOthers(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(3, 4))
	a, b := s.writeContent(rng, 1, randomContent(rng, 100)), s.writeContent(rng, 2, randomContent(rng, 100))
	_, err := Merge(t.Context(), nil, MergeOptions{})
	require.ErrorContains(t, err, "no blocks")
	_, err = Merge(t.Context(), []Input{{Block: Stored{b}}, {Block: Stored{a}}}, MergeOptions{})
	require.ErrorContains(t, err, "not in order")
	b.Meta().Day = "2026-11-22"
	_, err = Merge(t.Context(), []Input{{Block: Stored{a}}, {Block: Stored{b}}}, MergeOptions{})
	require.ErrorContains(t, err, "different tenants or days")
}

// TestMergeEnds ends a merge at every place where it asks whether to go on.
func TestMergeEnds(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(3, 4))
	blocks := []*block.Block{s.writeContent(rng, 1, randomContent(rng, 20_000)), s.writeContent(rng, 2, randomContent(rng, 5_000, 400_000))}
	inputs := inputsOf(blocks, make([]*testMask, 2))
	enough := errors.New("enough")
	run := func(ctx context.Context, o MergeOptions) error {
		m, err := Merge(ctx, inputs, o)
		if err != nil {
			return err
		}
		for _, err := range m.Chunks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	asked := 0
	require.NoError(t, run(t.Context(), MergeOptions{Yield: func(context.Context) error { asked++; return nil }}))
	require.Greater(t, asked, 20)
	for k := range asked {
		left := k
		err := run(t.Context(), MergeOptions{Yield: func(context.Context) error {
			if left--; left < 0 {
				return enough
			}
			return nil
		}})
		require.ErrorIs(t, err, enough, "at %d", k)
		ctx, cancel := context.WithCancel(t.Context())
		left = k
		err = run(ctx, MergeOptions{Yield: func(context.Context) error {
			if left--; left < 0 {
				cancel()
			}
			return nil
		}})
		if k < asked-1 { // nobody asks after the last chunk
			require.ErrorIs(t, err, context.Canceled, "at %d", k)
		}
		cancel()
	}
}

// TestMergeOfDamaged flips a byte in the pages of each chunk of a block: no merge may give less than all.
func TestMergeOfDamaged(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(5, 4))
	blocks := []*block.Block{s.writeContent(rng, 1, randomContent(rng, 500)), s.writeContent(rng, 2, randomContent(rng, 500, 300_000, 1<<20))}
	id := blocks[1].Meta().ULID
	file, err := s.fs.OpenReadWrite(path.Join(blocksDir, id.String(), "chunks.bin"))
	require.NoError(t, err)
	defer file.Close()
	offset := int64(16)
	for number := range uint32(blocks[1].Meta().Chunks) {
		r, err := blocks[1].Chunk(block.ChunkRef{Number: number})
		require.NoError(t, err)
		var was [1]byte
		at := offset + rng.Int64N(int64(r.Table().PagesBytes()))
		_, err = file.ReadAt(was[:], at)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte{was[0] ^ 4}, at)
		require.NoError(t, err)

		damaged := []*block.Block{blocks[0], s.open(id)}
		for _, mask := range []*testMask{nil, {iv: always, text: "no line has it"}} {
			m, err := Merge(t.Context(), inputsOf(damaged, []*testMask{nil, mask}), MergeOptions{})
			if err == nil {
				_, err = s.write(*blocks[0].Meta(), m.Streams, m.Chunks(t.Context()))
			}
			require.ErrorIs(t, err, chunk.ErrCorrupt)
			require.ErrorContains(t, err, fmt.Sprintf("chunk %d of block %s", number, id))
		}
		_, err = file.WriteAt(was[:], at)
		require.NoError(t, err)
		offset += int64(r.Table().PagesBytes())
	}
}

// fickle changes its mind between the two passes.
type fickle struct {
	testMask
	calls int
}

func (f *fickle) Drops(labels.Labels, model.Entry) bool {
	f.calls++
	return f.calls == 1
}

func TestMergeOfFickleMask(t *testing.T) {
	s := newStore(t)
	c := blockContent{sets: []labels.Labels{labels.FromStrings("pod", "a")}, pieces: [][][]model.Entry{{slices.Concat(piecesOf(0, 9, 9)...)}}}
	b := s.writeContent(rand.New(rand.NewPCG(1, 2)), 1, c)
	m, err := Merge(t.Context(), []Input{{Block: Stored{b}, Mask: &fickle{testMask: testMask{iv: always, text: "x"}}}}, MergeOptions{})
	require.NoError(t, err)
	_, err = s.write(*b.Meta(), m.Streams, m.Chunks(t.Context()))
	require.ErrorContains(t, err, "2 entries are left, not 1 as before")
}
