package chunk

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// rowsOf appends entries as a head would.
func rowsOf(entries ...model.Entry) *Rows {
	r := &Rows{}
	for _, e := range entries {
		r.Append(e)
	}
	return r
}

func runOf(ref model.StreamRef, entries ...model.Entry) Run {
	return Run{Ref: ref, Rows: rowsOf(entries...).Snapshot()}
}

func encode(t require.TestingT, o Options, runs ...Run) *Encoded {
	e, err := Encode(runs, o)
	require.NoError(t, err)
	return e
}

// decodeAll reads a chunk back into entries, one slice for each run.
func decodeAll(r *Reader) ([][]model.Entry, error) {
	times, err := r.Timestamps(nil)
	if err != nil {
		return nil, err
	}
	ends, err := r.LineEnds(nil)
	if err != nil {
		return nil, err
	}
	lines, err := r.Lines(nil)
	if err != nil {
		return nil, err
	}
	var levels Levels
	if err := r.Levels(&levels); err != nil {
		return nil, err
	}
	var md Metadata
	if err := r.Metadata(&md); err != nil {
		return nil, err
	}
	var out [][]model.Entry
	start := uint32(0)
	for _, run := range r.Table().Runs {
		var entries []model.Entry
		for i := int(run.First); i < int(run.First+run.Count); i++ {
			entries = append(entries, model.Entry{
				Timestamp: times[i], Line: string(lines[start:ends[i]]),
				Level: levels.Names[levels.Codes[i]], Metadata: md.Pairs(nil, i),
			})
			start = ends[i]
		}
		out = append(out, entries)
	}
	return out, nil
}

// wanted is what a chunk must give back for the entries of a run: the slow, obvious way.
func wanted(entries []model.Entry, within model.Interval) []model.Entry {
	var out []model.Entry
	for _, e := range entries {
		if !within.Empty() && !within.Contains(e.Timestamp) {
			continue
		}
		var md []model.Pair
		for _, p := range e.Metadata {
			if p.Value != "" {
				md = append(md, p)
			}
		}
		slices.SortStableFunc(md, func(a, b model.Pair) int { return cmp.Compare(a.Name, b.Name) })
		e.Metadata = md
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b model.Entry) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return out
}

// reopen sends the table through its binary form and reads the pages from a file-like source at an offset.
func reopen(t require.TestingT, e *Encoded) *Reader {
	table, err := DecodeTable(AppendTable(nil, &e.Table))
	require.NoError(t, err)
	const base = 7
	file := append(bytes.Repeat([]byte{0xaa}, base), e.Pages...)
	return NewReader(bytes.NewReader(file), base, table)
}

func genEntry(times *rapid.Generator[int64]) *rapid.Generator[model.Entry] {
	value := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "pod-1", "pod-2"}),
		rapid.StringMatching(`[0-9a-f]{16}`),
		rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
		rapid.SampledFrom([]string{"0", "-1", "007", "+1", "-0", "99999999999999999999", "\x00\xff"}),
		rapid.String(),
	)
	name := rapid.OneOf(rapid.SampledFrom([]string{"trace_id", "pod", "n", ""}), rapid.StringN(0, 3, -1))
	return rapid.Custom(func(t *rapid.T) model.Entry {
		e := model.Entry{
			Timestamp: model.Timestamp(times.Draw(t, "time")),
			Line:      rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\nb", `\u0041`, "same line"})).Draw(t, "line"),
			Level: rapid.OneOf(rapid.SampledFrom(knownLevels[:]), rapid.SampledFrom([]string{"info", "info", "notice"}),
				rapid.String()).Draw(t, "level"),
		}
		pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) model.Pair {
			return model.Pair{Name: name.Draw(t, "name"), Value: value.Draw(t, "value")}
		}), 0, 4).Draw(t, "metadata")
		slices.SortStableFunc(pairs, func(a, b model.Pair) int { return cmp.Compare(a.Name, b.Name) })
		e.Metadata = pairs
		return e
	})
}

var genTimes = rapid.SampledFrom([]*rapid.Generator[int64]{
	rapid.Int64(),
	rapid.Int64Range(1_700_000_000_000_000_000, 1_700_000_300_000_000_000),
	rapid.Map(rapid.Int64Range(1_700_000_000, 1_700_000_300), func(s int64) int64 { return s * 1e9 }),
	rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, -1, 1}),
})

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := genTimes.Draw(t, "times")
		var runs []Run
		var want [][]model.Entry
		o := Options{Level: rapid.SampledFrom([]Level{Better, Fastest}).Draw(t, "level")}
		for i := range rapid.IntRange(1, 5).Draw(t, "runs") {
			entries := rapid.SliceOfN(genEntry(times), 1, 300).Draw(t, "entries")
			run := runOf(model.StreamRef(7*i+3), entries...)
			if rapid.Bool().Draw(t, "cut") {
				a, b := times.Draw(t, "start"), times.Draw(t, "end")
				run.Within = model.Interval{Start: model.Timestamp(min(a, b)), End: model.Timestamp(max(a, b))}
			}
			runs = append(runs, run)
			if w := wanted(entries, run.Within); len(w) > 0 {
				want = append(want, w)
			}
		}
		e, err := Encode(runs, o)
		if len(want) == 0 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		for _, r := range []*Reader{e.Reader(), reopen(t, e)} {
			got, err := decodeAll(r)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.NoError(t, r.Verify())
			checkTable(t, r.Table(), want)
		}
	})
}

// checkTable counts again what the table says.
func checkTable(t require.TestingT, table *Table, runs [][]model.Entry) {
	var entries uint32
	var raw, lines uint64
	levels := map[string]LevelCount{}
	minutes := map[MinuteCount]MinuteCount{}
	newline, escaped := false, false
	for ri, run := range runs {
		for _, e := range run {
			entries++
			raw += uint64(EntryBytes(e))
			lines += uint64(len(e.Line))
			l := levels[e.Level]
			levels[e.Level] = LevelCount{e.Level, l.Entries + 1, l.Bytes + uint64(len(e.Line))}
			newline = newline || strings.Contains(e.Line, "\n")
			escaped = escaped || strings.Contains(e.Line, `\u00`)
			key := MinuteCount{Run: uint32(ri), Minute: MinuteOf(e.Timestamp)}
			if k := slices.IndexFunc(table.Levels, func(l LevelCount) bool { return l.Level == e.Level }); k >= 0 {
				key.Level = uint32(k)
			}
			m := minutes[key]
			m.Entries, m.Bytes = m.Entries+1, m.Bytes+uint64(len(e.Line))
			minutes[key] = m
		}
		require.Equal(t, run[0].Timestamp, table.Runs[ri].MinTime)
		require.Equal(t, run[len(run)-1].Timestamp, table.Runs[ri].MaxTime)
		require.Equal(t, len(run), int(table.Runs[ri].Count))
	}
	require.Equal(t, entries, table.Entries)
	require.Equal(t, raw, table.RawBytes)
	require.Equal(t, lines, table.LineBytes)
	require.Equal(t, newline, table.Flags&HasNewline != 0)
	// A line's end and the next line's start may spell the escape together: pruning less is harmless.
	require.True(t, table.Flags&EscapedASCII != 0 || !escaped)
	if table.Levels != nil {
		require.Len(t, table.Levels, len(levels))
		for _, l := range table.Levels {
			require.Equal(t, levels[l.Level], l)
		}
	}
	if table.HasMinutes() {
		got, err := table.Minutes(nil)
		require.NoError(t, err)
		require.Len(t, got, len(minutes))
		for _, m := range got {
			w := minutes[MinuteCount{Run: m.Run, Level: m.Level, Minute: m.Minute}]
			require.Equal(t, w.Entries, m.Entries)
			require.Equal(t, w.Bytes, m.Bytes)
		}
	}
}

// entriesOf makes n plausible entries of which the k-th of every field depends on k.
func entriesOf(n int, f func(i int, e *model.Entry)) []model.Entry {
	out := make([]model.Entry, n)
	for i := range out {
		out[i] = model.Entry{
			Timestamp: model.Timestamp(1_700_000_000_000_000_000 + int64(i)*37_000_000), Level: "info",
			Line: fmt.Sprintf("request %d took %d ms", i, i%97),
		}
		f(i, &out[i])
	}
	return out
}

// TestMetadataEncodings pins which encoding each kind of column gets, and that it reads back.
func TestMetadataEncodings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	randomHex := func() string {
		var b [16]byte
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return hex.EncodeToString(b[:])
	}
	f := func(wantEnc uint8, value func(i int) string) {
		t.Helper()
		entries := entriesOf(3000, func(i int, e *model.Entry) {
			if v := value(i); v != "" {
				e.Metadata = []model.Pair{{Name: "k", Value: v}}
			}
		})
		e := encode(t, Options{}, runOf(1, entries...))
		col := e.Table.column(columnMetadata)
		require.NotNil(t, col)
		require.Equal(t, wantEnc, col.enc)
		got, err := decodeAll(reopen(t, e))
		require.NoError(t, err)
		require.Equal(t, [][]model.Entry{wanted(entries, model.Interval{})}, got)
	}
	f(metaConst, func(int) string { return "always" })
	f(metaDict, func(i int) string { return []string{"", "a", "b"}[i%3] })
	f(metaDict, func(i int) string { return fmt.Sprint("pod-", rng.IntN(20)) })
	f(metaHex, func(int) string { return randomHex() })
	f(metaHex, func(i int) string { return []string{randomHex(), ""}[i&1] })
	f(metaInt, func(int) string { return fmt.Sprint(rng.Int64N(1 << 40)) })
	f(metaInt, func(i int) string { return []string{"", fmt.Sprint(rng.Int64() - math.MaxInt64/2)}[i&1] })
	f(metaText, func(i int) string { return fmt.Sprintf("/api/%d/%x/items?q=%s", i, rng.Uint64(), randomHex()[:5]) })
	f(metaText, func(int) string { return "0" + fmt.Sprint(rng.Int64N(1<<40)) }) // not what strconv prints
}

// wideEntries have more metadata names than there are columns.
func wideEntries() []model.Entry {
	return entriesOf(600, func(i int, e *model.Entry) {
		e.Metadata = []model.Pair{
			{Name: "always", Value: "x"},
			{Name: fmt.Sprintf("key%03d", i), Value: fmt.Sprint("v", i)},
			{Name: "twice", Value: "1"}, {Name: "twice", Value: "2"}, {Name: "twice", Value: "3"},
		}
	})
}

func TestOverflowColumn(t *testing.T) {
	entries := wideEntries()
	e := encode(t, Options{}, runOf(1, entries...))
	names, more := e.Table.MetadataNames()
	require.Len(t, names, KeyColumnsMax)
	require.True(t, more)
	r := reopen(t, e)
	got, err := decodeAll(r)
	require.NoError(t, err)
	require.Equal(t, [][]model.Entry{wanted(entries, model.Interval{})}, got)

	var md Metadata
	require.NoError(t, r.Metadata(&md, "key599", "twice"))
	require.Equal(t, "v599", md.Value("key599", 599))
	require.Equal(t, "", md.Value("key599", 598))
	require.Equal(t, "1", md.Value("twice", 3))
	require.Equal(t, []model.Pair{{Name: "twice", Value: "1"}, {Name: "twice", Value: "2"}, {Name: "twice", Value: "3"}},
		md.Pairs(nil, 3))
	require.NoError(t, r.Metadata(&md, "always"))
	require.Equal(t, []model.Pair{{Name: "always", Value: "x"}}, md.Pairs(nil, 3))
}

func TestLimits(t *testing.T) {
	big := model.Entry{Line: strings.Repeat("x", RawBytesMax+1)}
	var r Rows
	require.True(t, r.Fits(big))
	r.Append(model.Entry{Line: "a"})
	require.False(t, r.Fits(big))
	require.True(t, r.Fits(model.Entry{Line: strings.Repeat("x", RawBytesMax-1)}))
	require.False(t, r.Fits(model.Entry{Line: strings.Repeat("x", RawBytesMax)}))
	require.False(t, r.Fits(model.Entry{Level: strings.Repeat("x", RawBytesMax)}), "a level of one's own counts")

	e := encode(t, Options{}, runOf(1, big)) // a chunk of its own
	got, err := decodeAll(reopen(t, e))
	require.NoError(t, err)
	require.Equal(t, [][]model.Entry{{big}}, got)

	many := make([]model.Entry, EntriesMax)
	for i := range many {
		many[i].Level = fmt.Sprintf("%04x", i)
	}
	e = encode(t, Options{}, runOf(1, many...)) // as many levels as a chunk can have
	require.Nil(t, e.Table.Levels)
	got, err = decodeAll(reopen(t, e))
	require.NoError(t, err)
	require.Equal(t, many, got[0])

	refuse := func(runs ...Run) {
		t.Helper()
		_, err := Encode(runs, Options{})
		require.Error(t, err)
		require.False(t, errors.Is(err, ErrCorrupt))
	}
	refuse()
	refuse(Run{Ref: 1})
	refuse(runOf(1, append(many, model.Entry{})...))
	refuse(runOf(1, many...), runOf(2, model.Entry{}))
	refuse(runOf(1, big), runOf(2, model.Entry{}))
	refuse(runOf(1, model.Entry{}), runOf(1, model.Entry{}))
}

func TestMinutes(t *testing.T) {
	entries := entriesOf(5000, func(i int, e *model.Entry) { e.Level = knownLevels[i%4] })
	e := encode(t, Options{}, runOf(1, entries[:4000]...), runOf(2, entries[4000:]...))
	require.True(t, e.Table.HasMinutes())
	checkTable(t, &e.Table, [][]model.Entry{entries[:4000], entries[4000:]})

	var small []Run // three entries a stream: counts would be as many as entries
	for i := range 100 {
		small = append(small, runOf(model.StreamRef(i), entriesOf(3, func(k int, e *model.Entry) { e.Level = knownLevels[k] })...))
	}
	require.False(t, encode(t, Options{}, small...).Table.HasMinutes())
	f := func(at model.Timestamp, want int64) {
		t.Helper()
		require.Equal(t, want, MinuteOf(at))
	}
	f(-1, -1)
	f(-minuteNanos, -2)
	f(1-minuteNanos, -1)
	f(0, -1)
	f(1, 0)
	f(minuteNanos, 0)
	f(minuteNanos+1, 1)
	require.Negative(t, MinuteOf(model.MinTimestamp))
}

func TestRenumber(t *testing.T) {
	e := encode(t, Options{}, runOf(5, model.Entry{Line: "a"}), runOf(6, model.Entry{Line: "b"}))
	n := e.Renumber(func(r model.StreamRef) model.StreamRef { return r + 100 })
	require.Equal(t, model.StreamRef(105), n.Table.Runs[0].Ref)
	require.Equal(t, model.StreamRef(5), e.Table.Runs[0].Ref)
	require.NoError(t, n.Reader().Verify())
	require.Greater(t, n.MemoryBytes(), int64(len(n.Pages)))
}

// goldenRuns exercise every encoding that a page can have.
func goldenRuns() []Run {
	rng := rand.New(rand.NewPCG(3, 4))
	first := entriesOf(400, func(i int, e *model.Entry) {
		e.Timestamp += model.Timestamp(rng.Int64N(5_000_000) * 1000)
		e.Level = []string{"info", "info", "warn", "", "notice"}[rng.IntN(5)]
		trace := fmt.Sprintf("%016x", rng.Uint64())
		if i%50 > 0 {
			e.Line += " trace_id=" + trace
		}
		e.Metadata = []model.Pair{
			{Name: "const", Value: "c"},
			{Name: "dict", Value: []string{"a", "b", "c"}[rng.IntN(3)]},
			{Name: "id", Value: fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())},
			{Name: "n", Value: fmt.Sprint(rng.Uint32())},
			{Name: "text", Value: fmt.Sprintf("/p/%d/%d", i, rng.Uint64())},
			{Name: "text", Value: "again"},
			{Name: "trace_id", Value: trace},
		}
	})
	second := entriesOf(300, func(i int, e *model.Entry) { e.Line = "a\n" + e.Line; e.Timestamp -= e.Timestamp % 60_000_000_000 })
	return []Run{runOf(4, first...), runOf(2, second...)}
}

func TestGolden(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	data := append(AppendTable(nil, &e.Table), e.Pages...)
	data = append(append(data, e.Filter.Bytes()...), e.MetaFilter.Bytes()...)
	path := filepath.Join("testdata", "chunk.golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	golden, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(golden, data), "the bytes of a chunk changed: that is a new format version")
	require.NoError(t, reopen(t, e).Verify())
}

// TestBitFlips: a flipped bit anywhere is an error where it is read, or changes nothing that is read.
func TestBitFlips(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	want, err := decodeAll(e.Reader())
	require.NoError(t, err)
	table := AppendTable(nil, &e.Table)
	for i := range table {
		for bit := range 8 {
			table[i] ^= 1 << bit
			_, err := DecodeTable(table)
			require.ErrorIs(t, err, ErrCorrupt)
			table[i] ^= 1 << bit
		}
	}
	for i := range e.Pages {
		e.Pages[i] ^= 1 << (i % 8)
		_, err := decodeAll(e.Reader())
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", i)
		e.Pages[i] ^= 1 << (i % 8)
	}
	got, err := decodeAll(e.Reader())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

type failingReader struct{ err error }

func (f failingReader) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// TestReadErrors: what the disk says is passed on; only missing bytes are corruption.
func TestReadErrors(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	eio := errors.New("input/output error")
	_, err := NewReader(failingReader{eio}, 0, &e.Table).Lines(nil)
	require.ErrorIs(t, err, eio)
	require.NotErrorIs(t, err, ErrCorrupt)
	_, err = NewReader(bytes.NewReader(e.Pages[:len(e.Pages)-1]), 0, &e.Table).Lines(nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

// TestAppendsToDst: columns go behind what is there.
func TestAppendsToDst(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	r := e.Reader()
	lines, err := r.Lines([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before", string(lines[:6]))
	require.Len(t, lines, 6+int(e.Table.LineBytes))
	times, err := r.Timestamps([]model.Timestamp{1})
	require.NoError(t, err)
	require.Len(t, times, 1+int(e.Table.Entries))
	ends, err := r.LineEnds([]uint32{9})
	require.NoError(t, err)
	require.Equal(t, uint32(e.Table.LineBytes), ends[len(ends)-1])
}

// TestEncodeConcurrently: sealers share pooled builders and encoders; what one makes is not the other's.
func TestEncodeConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				entries := entriesOf(50+10*i, func(k int, e *model.Entry) { e.Line = fmt.Sprint(g, i, k) })
				e, err := Encode([]Run{runOf(1, entries...)}, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := decodeAll(e.Reader()); err != nil || fmt.Sprint(got[0]) != fmt.Sprint(entries) {
					t.Errorf("entries differ, or %v", err)
				}
			}
		})
	}
	wg.Wait()
}
