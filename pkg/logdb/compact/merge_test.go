package compact

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

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
		inputs[i].Block = b
		if masks[i] != nil {
			inputs[i].Mask = masks[i]
		}
	}
	return inputs
}

// TestMergeIsTheTwin merges random blocks and compares with the list of their entries.
func TestMergeIsTheTwin(t *testing.T) {
	rounds := uint64(20)
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

// TestWindowMemory compares what a window gathers with what was reckoned, for streams of all sizes.
func TestWindowMemory(t *testing.T) {
	for _, size := range []int64{100, 2_000, 50_000, 1 << 20} {
		s := newStore(t)
		rng := rand.New(rand.NewPCG(uint64(size), 4))
		blocks := []*block.Block{s.writeContent(rng, 1, randomContent(rng, size)), s.writeContent(rng, 2, randomContent(rng, size))}
		m, err := Merge(t.Context(), inputsOf(blocks, make([]*testMask, 2)), MergeOptions{MemoryBytes: 4 << 20})
		require.NoError(t, err)
		w := window{m: m}
		for rest := m.chunks; len(rest) > 0; {
			n := w.fitting(rest)
			require.NoError(t, w.gather(t.Context(), rest[:n]))
			memory, reckoned := int64(0), int64(0)
			for i := range w.rows {
				reckoned += rest[i].memoryBytes()
				for k := range w.rows[i] {
					memory += w.rows[i][k].MemoryBytes()
				}
			}
			require.LessOrEqual(t, memory, reckoned, "size %d", size)
			require.True(t, n == 1 || reckoned <= 4<<20)
			rest = rest[n:]
		}
	}
}

func TestMergeRefusesOthers(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(3, 4))
	a, b := s.writeContent(rng, 1, randomContent(rng, 100)), s.writeContent(rng, 2, randomContent(rng, 100))
	_, err := Merge(t.Context(), nil, MergeOptions{})
	require.ErrorContains(t, err, "no blocks")
	_, err = Merge(t.Context(), []Input{{Block: b}, {Block: a}}, MergeOptions{})
	require.ErrorContains(t, err, "not in order")
	b.Meta().Day = "2026-11-22"
	_, err = Merge(t.Context(), []Input{{Block: a}, {Block: b}}, MergeOptions{})
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
	m, err := Merge(t.Context(), []Input{{Block: b, Mask: &fickle{testMask: testMask{iv: always, text: "x"}}}}, MergeOptions{})
	require.NoError(t, err)
	_, err = s.write(*b.Meta(), m.Streams, m.Chunks(t.Context()))
	require.ErrorContains(t, err, "2 entries are left, not 1 as before")
}
