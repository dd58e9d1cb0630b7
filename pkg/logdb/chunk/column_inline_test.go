package chunk

import (
	"bytes"

	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// inlineEntries have an id in the line and in the metadata, now and then in one of them only.
func inlineEntries(n int) []model.Entry {
	rng := rand.New(rand.NewPCG(5, 6))
	return entriesOf(n, func(i int, e *model.Entry) {
		id := hexID(rng, 32)
		switch {
		case i%10 == 3: // in the line only
			e.Line += " trace_id=" + id
		case i%17 == 5: // in the metadata only
			e.Metadata = []model.Pair{{Name: "k", Value: id}}
		default:
			e.Line += " trace_id=" + id + " done"
			e.Metadata = []model.Pair{{Name: "k", Value: id}}
		}
	})
}

// metadataOf returns the column k of a chunk and all its entries, read back with and without lines handed in.
func metadataOf(t require.TestingT, e *Encoded) (*column, [][]model.Entry) {
	r := reopen(t, e)
	require.NoError(t, r.Verify())
	require.NoError(t, r.VerifyFilters(e.Filter, e.MetaFilter))
	got, err := decodeAll(r)
	require.NoError(t, err)
	lines, err := r.Lines(nil)
	require.NoError(t, err)
	ends, err := r.LineEnds(nil)
	require.NoError(t, err)
	var given Metadata
	given.UseLines(lines, ends)
	require.NoError(t, r.Metadata(&given, "k"))
	clear(lines) // nothing of them may be kept
	clear(ends)
	i := 0
	for _, run := range got {
		for _, entry := range run {
			want := ""
			for _, p := range entry.Metadata {
				if p.Name == "k" {
					want = p.Value
					break
				}
			}
			require.Equal(t, want, given.Value("k", i))
			if want != "" {
				require.True(t, given.Equal(model.Pair{Name: "k", Value: want})(i))
			}
			i++
		}
	}
	return e.Table.column(columnMetadata), got
}

// TestInline pins when values are taken from lines, what stands before them there, and that they read back.
func TestInline(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := func(wantEnc uint8, bytesMax int, entry func(i int, id string) (line, value string)) {
		t.Helper()
		entries := entriesOf(1000, func(i int, e *model.Entry) {
			e.Metadata = make([]model.Pair, 1)
			e.Metadata[0].Name = "k"
			e.Line, e.Metadata[0].Value = entry(i, hexID(rng, 32))
		})
		for _, runs := range [][]Run{{runOf(1, entries...)}, {runOf(1, entries[:300]...), runOf(7, entries[300:]...)}} {
			col, got := metadataOf(t, encode(t, Options{}, runs...))
			require.Equal(t, wantEnc, col.enc)
			require.LessOrEqual(t, int(col.stored), bytesMax)
			want := wanted(entries, model.Interval{})
			if len(runs) == 2 {
				require.Equal(t, [][]model.Entry{want[:300], want[300:]}, got)
			} else {
				require.Equal(t, [][]model.Entry{want}, got)
			}
		}
	}
	pad := func(i int) string { return strings.Repeat("x", i*7%40) }
	f(metaInline, 60, func(_ int, id string) (string, string) { return id, id })
	f(metaInline, 60, func(i int, id string) (string, string) { return id + pad(i), id })
	f(metaInline, 900, func(i int, id string) (string, string) { return pad(i) + id, id })
	f(metaInline, 80, func(i int, id string) (string, string) { return pad(i) + ` "trace_id": "` + id + `"}`, id })
	f(metaInline, 80, func(i int, id string) (string, string) { return "a\n" + pad(i) + "\ntrace=" + id + "\n", id })
	f(metaInline, 80, func(i int, id string) (string, string) { return pad(i) + " id=" + id + " id=" + id, id })
}

// TestInlineSome: some values are absent, some are not in their line, some lines are empty, the key is missing or comes twice.
func TestInlineSome(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := func(wantEnc uint8, entry func(i int, id string) (line, value string)) {
		t.Helper()
		entries := entriesOf(1000, func(i int, e *model.Entry) {
			var v string
			if e.Line, v = entry(i, hexID(rng, 32)); v != "" {
				e.Metadata = []model.Pair{{Name: "k", Value: v}}
			}
		})
		col, got := metadataOf(t, encode(t, Options{}, runOf(1, entries...)))
		require.Equal(t, wantEnc, col.enc)
		require.Equal(t, [][]model.Entry{wanted(entries, model.Interval{})}, got)
	}
	every := func(n int, a, b func(id string) (string, string)) func(int, string) (string, string) {
		return func(i int, id string) (string, string) {
			if i%n == n-1 {
				return b(id)
			}
			return a(id)
		}
	}
	both := func(id string) (string, string) { return "GET trace=" + id + " 200", id }
	f(metaInline, every(3, both, func(id string) (string, string) { return "trace=" + id, "" }))
	f(metaInline, every(3, both, func(string) (string, string) { return "", "" }))
	f(metaInline, every(7, both, func(id string) (string, string) { return "", id }))
	f(metaInline, every(7, both, func(id string) (string, string) { return "trace=" + id[1:], id }))
	f(metaInline, every(7, both, func(id string) (string, string) { return id, id }))
	f(metaInline, every(7, both, func(id string) (string, string) { return id + " trace=" + id[:9], id })) // before the key
	f(metaInline, every(7, both, func(id string) (string, string) { return " trace= trace=" + id, id }))
	f(metaInline, every(7, both, func(string) (string, string) { return "trace=none", "none" }))
	f(metaHex, every(2, both, func(id string) (string, string) { return "", id }))
	f(metaHex, func(_ int, id string) (string, string) { return "another " + id[1:], id })
	f(metaText, func(_ int, id string) (string, string) { return "short " + id[:7], id[:7] })
	f(metaDict, func(i int, id string) (string, string) { return both(fmt.Sprintf("%032x", i%200)) })
}

// TestInlineHuge: entries that fill a chunk alone or almost.
func TestInlineHuge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var entries []model.Entry
	for i := range 8 {
		id := hexID(rng, 32)
		line := strings.Repeat(string(rune('a'+i)), 120<<10) + id
		entries = append(entries, model.Entry{Timestamp: model.Timestamp(i), Line: line, Metadata: []model.Pair{{Name: "k", Value: id}}})
	}
	col, got := metadataOf(t, encode(t, Options{}, runOf(1, entries...)))
	require.EqualValues(t, metaInline, col.enc)
	require.Equal(t, [][]model.Entry{entries}, got)

	value := strings.Repeat("v", 3*RawBytesMax)
	huge := model.Entry{Line: "<" + value + ">", Metadata: []model.Pair{{Name: "k", Value: value}}}
	_, got = metadataOf(t, encode(t, Options{}, runOf(1, huge)))
	require.Equal(t, [][]model.Entry{{huge}}, got)
}

// TestInlineManyColumns: an entry may carry each word of its line as metadata, and is still encoded in time that is a
// multiple of its lines.
func TestInlineManyColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	entries := entriesOf(200, func(_ int, e *model.Entry) {
		e.Line = strings.Repeat("-", rng.IntN(1800)) // no value is where the one before was
		for k := range 100 {
			id := hexID(rng, 16)
			e.Line += " " + id
			e.Metadata = append(e.Metadata, model.Pair{Name: fmt.Sprintf("k%02d", k), Value: id})
		}
	})
	e := encode(t, Options{}, runOf(1, entries...))
	inline := 0
	for _, c := range e.Table.columns {
		if c.kind == columnMetadata && c.enc == metaInline {
			inline++
		}
	}
	require.Greater(t, inline, inlineSearches)
	require.Less(t, inline, 100)
	got, err := decodeAll(reopen(t, e))
	require.NoError(t, err)
	require.Equal(t, [][]model.Entry{wanted(entries, model.Interval{})}, got)
}

// TestInlineRoundTrip takes values out of random lines.
func TestInlineRoundTrip(t *testing.T) {
	encodings := map[uint8]int{}
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		words := []string{"id=", `"id":"`, "\n", "\x00", "", "", "a", "GET /", "\xff"}
		digits := rapid.IntRange(1, 32).Draw(t, "digits")
		odd := rapid.IntRange(4, 100).Draw(t, "odd") // one of so many is not like the others
		key := rapid.SampledFrom(words).Draw(t, "key")
		entries := entriesOf(rapid.IntRange(1, 400).Draw(t, "entries"), func(_ int, e *model.Entry) {
			id := hexID(rng, digits)
			e.Line = oneOf(rng, words...) + key + id + oneOf(rng, words...)
			switch rng.IntN(odd) {
			case 0:
				return
			case 1:
				id = oneOf(rng, words...)
			case 2:
				e.Line = oneOf(rng, words...)
			case 3:
				id = e.Line
			}
			e.Metadata = []model.Pair{{Name: "k", Value: id}}
		})
		col, got := metadataOf(t, encode(t, Options{}, runOf(1, entries...)))
		require.Equal(t, [][]model.Entry{wanted(entries, model.Interval{})}, got)
		if col != nil {
			encodings[col.enc]++
		}
	})
	require.Greater(t, encodings[metaInline], 10)
}

func TestLastKey(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		require.Equal(t, want, lastKey(text))
	}
	f("", "")
	f(`: "`, "")
	f(" a ", "")
	f("status=200 trace_id=", " trace_id=")
	f(`"level":"info","trace_id": "`, `,"trace_id": "`)
	f(`trace_id="`, `trace_id="`)
	f("a b c ", " b c ")
}

// TestInlineDamage changes every bit of the page behind its checksum: what then reads back lies within the lines or is an
// error.
func TestInlineDamage(t *testing.T) {
	e := plain(t, encode(t, Options{}, runOf(1, inlineEntries(200)...)))
	col := e.Table.column(columnMetadata)
	require.EqualValues(t, metaInline, col.enc)
	page := e.Pages[col.offset:][:col.stored]
	want, err := decodeAll(e.Reader())
	require.NoError(t, err)
	corrupted := 0
	for i := range page {
		for bit := range 8 {
			page[i] ^= 1 << bit
			col.crc = checksum(page)
			var md Metadata
			if err := e.Reader().Metadata(&md); err != nil {
				require.ErrorIs(t, err, ErrCorrupt)
				corrupted++
			} else {
				for k := range e.Table.Entries {
					require.LessOrEqual(t, len(md.Value("k", int(k))), int(e.Table.RawBytes))
				}
			}
			page[i] ^= 1 << bit
		}
	}
	require.Greater(t, corrupted, len(page))
	col.crc = checksum(page)
	got, err := decodeAll(e.Reader())
	require.NoError(t, err)
	require.Equal(t, want, got)

	lines := e.Table.column(columnLines) // the values are those of damaged lines: not read at all
	e.Pages[lines.offset] ^= 1
	var md Metadata
	require.ErrorIs(t, e.Reader().Metadata(&md), ErrCorrupt)
}

// TestInlineHostile: pages that nobody writes.
func TestInlineHostile(t *testing.T) {
	text := lineText{lines: []byte("0123456789abcdef"), ends: []uint32{10, 10, 16}}
	page := func(key string, offsets, lengths []int64, missing ...string) []byte {
		b := appendFOR(appendFOR(appendBytes([]byte{0}, key), offsets), lengths)
		var each []int64
		for _, m := range missing {
			each = append(each, int64(len(m)))
		}
		return append(appendFOR(b, each), strings.Join(missing, "")...)
	}
	f := func(want string, b []byte) {
		t.Helper()
		var c textColumn
		cur := cursor{b: b}
		err := c.decodeInline(&cur, text, new(inlineBuffer), 20)
		if want == "" {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, fmt.Sprint(c.value(0), ",", c.value(1), ",", c.value(2)))
	}
	f("0123456789,m,abcdef", page("", []int64{0, 0, 0}, []int64{10, 0, 6}, "m"))
	f("89,m,bc", page("67", []int64{0, 0, 1}, []int64{2, 0, 2}, "m"))
	f("0,m,f", page("67", []int64{-8, 9, 5}, []int64{1, 0, 1}, "m"))
	f("", page("", []int64{0, 0, 1}, []int64{10, 0, 6}, "m"))
	f("", page("", []int64{1, 0, 0}, []int64{10, 0, 6}, "m"))
	f("", page("", []int64{0, 0, 0}, []int64{10, 1, 5}))
	f("", page("", []int64{-1, 0, 0}, []int64{1, 0, 1}, "m"))
	f("", page("67", []int64{-9, 0, 0}, []int64{1, 0, 1}, "m"))
	f("", page("", []int64{1 << 62, 0, 0}, []int64{1, 0, 1}, "m"))
	f("", page("", []int64{-1 << 63, 0, 0}, []int64{1, 0, 1}, "m"))
	f("", page("", []int64{0, 0, 0}, []int64{-1, 0, 1}, "m"))
	f("", page("", []int64{0, 0, 0}, []int64{1 << 32, 0, 1}, "m"))
	f("", page("", []int64{0, 0, 0}, []int64{10, 0, 6}))          // a value short
	f("", page("", []int64{0, 0, 0}, []int64{10, 0, 6}, "mmmmm")) // more than the limit
	f("", page(strings.Repeat("k", 33), []int64{0, 0, 0}, []int64{1, 1, 1}))
	whole := page("", []int64{0, 0, 0}, []int64{10, 0, 6}, "m")
	for n := range whole {
		f("", whole[:n])
	}
	f("", append(bytes.Clone(whole), 'x'))
}
