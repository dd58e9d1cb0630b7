package chunk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func probeOf(t require.TestingT, filters ...match.Filter) *Probe {
	m, err := match.Compile(filters...)
	require.NoError(t, err)
	return NewProbe(m)
}

func contains(text string) match.Filter { return match.Filter{Any: []string{text}} }

func matches(expr string) match.Filter { return match.Filter{Regexp: true, Any: []string{expr}} }

func filterOf(lines ...string) Filter {
	var lengths []uint32
	for _, line := range lines {
		lengths = append(lengths, uint32(len(line)))
	}
	return makeFilter([]byte(strings.Join(lines, "")), lengths, 1<<20)
}

// swapCase changes the case of some ASCII letters.
func swapCase(rng *rand.Rand, s string) string {
	b := []byte(s)
	for i, c := range b {
		if c |= 0x20; 'a' <= c && c <= 'z' && rng.IntN(2) == 0 {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

// cut calls miss with every needle, of count cut from the lines at random, that the filter denies. Needles begin and end
// anywhere, and on purpose at the edges of words; every fourth is searched for regardless of case.
func cut(t require.TestingT, lines []string, f Filter, count int, miss func(needle string)) {
	rng := rand.New(rand.NewPCG(9, uint64(count)))
	for range count {
		line := lines[rng.IntN(len(lines))]
		if line == "" {
			continue
		}
		from := rng.IntN(len(line))
		if rng.IntN(3) == 0 { // the next border of a word
			for from < len(line)-1 && classes[line[from]] != 0 {
				from++
			}
		}
		needle := line[from:min(len(line), from+1+rng.IntN(64))]
		filter := contains(needle)
		if rng.IntN(4) == 0 && utf8.ValidString(needle) {
			filter = matches("(?i)" + regexp.QuoteMeta(swapCase(rng, needle)))
		}
		if !probeOf(t, filter).MayMatch(f) {
			miss(fmt.Sprintf("%q in %q", filter.Any[0], line))
		}
	}
}

// TestFilterMissesNothing cuts a million needles from stored lines and finds them all.
func TestFilterMissesNothing(t *testing.T) {
	kinds := append([]corpus{{"hostile", hostileLine}}, corpora...)
	for _, c := range kinds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := rowsOfLines(c.lines(1, RawBytesMax+1000))
			v := rows.Snapshot()
			e := encode(t, Options{}, Run{Ref: 1, Rows: v})
			lines := make([]string, v.Len())
			for i := range lines {
				lines[i] = v.Line(i)
			}
			cut(t, lines, e.Filter, cutCount/len(kinds), func(needle string) { t.Fatal("the filter denies ", needle) })
		})
	}
}

// TestCutFindsALostKey: the test above sees a filter that lacks one key.
func TestCutFindsALostKey(t *testing.T) {
	lines := corpora[0].lines(1, 20_000)
	keys := keysOf(lines)
	cut(t, lines, filterOfKeys(keys), 5000, func(needle string) { t.Fatal("the filter denies ", needle) })
	lost := 0
	for i := 0; i < len(keys); i += len(keys) / lostCount {
		without := append(slices.Clone(keys[:i]), keys[i+1:]...)
		f := filterOfKeys(without)
		if f.bloom().has(keys[i]) {
			continue // others have set its bits
		}
		misses := 0
		cut(t, lines, f, 5000, func(string) { misses++ })
		require.Positive(t, misses, "key %d", i)
		lost++
	}
	require.Greater(t, lost, lostCount/2)
}

func keysOf(lines []string) []uint64 {
	var x keyer
	x.reset(0)
	text, start := []byte(strings.Join(lines, "")), 0
	for _, line := range lines {
		x.addLine(text, start, start+len(line))
		start += len(line)
	}
	return x.appendTo(nil)
}

func filterOfKeys(keys []uint64) Filter {
	b := newBloom(filterLines(len(keys), 1<<30))
	for _, key := range keys {
		b.add(key)
	}
	return Filter{raw: b.seal(filterText, 0)}
}

var (
	letters = regexp.MustCompile(`^[a-z]{5}$`)
	digits  = regexp.MustCompile(`^[0-9]{9}$`)
	window  = regexp.MustCompile(`^[0-9a-z_-]{9}$`)
	runs    = regexp.MustCompile(`[0-9a-z_-]+`)
	parts   = regexp.MustCompile(`[0-9a-z]+`)
	word    = regexp.MustCompile(`^[a-z]{2,32}$`)
	middle  = regexp.MustCompile(`^[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]`)
)

// slowKeys takes every line apart at every place, the way the rules say it, and remembers nothing.
func slowKeys(lines []string) map[uint64]string {
	keys := map[uint64]string{}
	fill := func(text string) (v uint64) {
		for i := range len(text) {
			v = v<<8 | uint64(text[i])
		}
		return v
	}
	for _, line := range lines {
		line = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, latin1(line))
		for i := range len(line) {
			if i+5 <= len(line) && letters.MatchString(line[i:i+5]) {
				keys[lettersKey(uint32(fill(line[i:i+5])*spread>>44))] = line[i : i+5]
			}
			if i+9 > len(line) || !window.MatchString(line[i:i+9]) {
				continue
			}
			w := line[i : i+9]
			hasDigit, hasPlain := strings.ContainsAny(w, "0123456789"), strings.ContainsAny(w, "abcdefghijklmnopqrsuvwxy")
			if !digits.MatchString(w) && (!hasDigit || !hasPlain) {
				continue
			}
			least := ^uint64(0)
			for k := range 4 {
				least = min(least, fill(w[k:k+6])*spread)
			}
			keys[gramKey(least)] = w
		}
		for _, run := range runs.FindAllStringIndex(line, -1) {
			text := line[run[0]:run[1]]
			for _, part := range parts.FindAllString(text, -1) {
				if word.MatchString(part) {
					keys[wordKey([]byte(part))] = part
				}
			}
			afterDot := run[0] > 0 && line[run[0]-1] == '.'
			if len(text) >= 4 && len(text) <= 8 && !afterDot && strings.ContainsAny(text, "0123456789") &&
				strings.ContainsAny(text, "abcdefghijklmnopqrsuvwxy") {
				keys[tokenKey([]byte(text))] = text
			}
		}
		for i := range len(line) {
			if found := middle.FindString(line[i:]); found != "" {
				keys[addressKey([]byte(found))] = found
			}
		}
	}
	return keys
}

// latin1 turns bytes that are not ASCII into a letter that no rule knows, one for each, so that regexps see bytes.
func latin1(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] >= 0x80 {
			b[i] = '~'
		}
	}
	return string(b)
}

// requireTwin compares the keys of lines with those of the slow way.
func requireTwin(t require.TestingT, lines []string) {
	want, got := slowKeys(lines), map[uint64]bool{}
	keys := keysOf(lines)
	for _, key := range keys {
		got[key] = true
		require.Contains(t, want, key, "%q", lines)
	}
	for key, text := range want {
		require.True(t, got[key], "no key for %q", text)
	}
	require.Less(t, len(keys), len(want)*11/10+10, "keys that are there twice")
}

func TestKeysAgainstSlowTwin(t *testing.T) {
	for _, c := range append([]corpus{{"hostile", hostileLine}}, corpora...) {
		requireTwin(t, c.lines(7, 6000))
	}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abtZ01723456_-. \n")), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		requireTwin(t, rapid.SliceOfN(text, 1, 5).Draw(t, "lines"))
	})
}

// TestProbe shows the rules, one in each line.
func TestProbe(t *testing.T) {
	f := filterOf(`an error of user_id=req-7f9c trace=4bf92f3577b34da6a3ce929d0e0e4736 from 10.20.30.40 at 1700000000123456789`,
		"second line: Timeout", "caf\u00e9 au lait")
	skips := func(filters ...match.Filter) {
		t.Helper()
		require.False(t, probeOf(t, filters...).MayMatch(f))
	}
	keeps := func(filters ...match.Filter) {
		t.Helper()
		require.True(t, probeOf(t, filters...).MayMatch(f))
	}
	none := func(filters ...match.Filter) {
		t.Helper()
		require.Nil(t, probeOf(t, filters...))
	}
	keeps(contains("error"))
	skips(contains("errors"))
	keeps(contains("rror of"))
	skips(contains("horror"))
	skips(contains(" warn "))
	keeps(contains(" of "))
	none(contains("503"))
	none(contains("warn"))
	none(contains(" warn")) // may be a warning
	none()
	none(contains(""))
	keeps(contains("trace=4bf92f35"))
	keeps(contains("34da6a3ce929d"))
	skips(contains("34da6a3ce929e0"))
	keeps(contains("=req-7f9c "))
	skips(contains("=req-7f9 "))
	keeps(contains("10.20.30.40"))
	skips(contains("10.20.31.40"))
	none(contains(".20.31."))
	keeps(contains("0000012345"))
	skips(contains("0000099346"))
	none(contains("2026-11-23T12:00:00"))
	keeps(matches("(?i)TIMEOUT"))
	skips(matches("(?i)TIMEOUTS"))
	keeps(matches("errors|timeout|error")) // one of them
	skips(matches("errors|timeouts"))
	none(matches("errors|x")) // nothing is known of x
	keeps(matches("err.r"))
	skips(matches("horror.*[0-9]"))
	keeps(contains("error"), contains("4bf92f3577b34da6"))
	skips(contains("error"), contains("4bf92f3877b34da6"))
	keeps(contains("error"), contains("x"))
	none(match.Filter{Any: []string{"horror"}, Negate: true})
	skips(match.Filter{Any: []string{"horror", "terror"}})
	keeps(match.Filter{Any: []string{"horror", "error"}})
	skips(contains("lineTimeout")) // not across lines
	p := probeOf(t, contains("error"), matches("(?i)timeout|wait"))
	require.Zero(t, testing.AllocsPerRun(100, func() { p.MayMatch(f) }))
	require.True(t, probeOf(t, contains("horror")).MayMatch(Filter{}), "the zero filter knows nothing")
	require.False(t, probeOf(t, contains("horror")).MayMatch(filterOf("...")), "lines without keys")
}

// TestProbeExotic: (?i) finds k and s outside of ASCII, in chunks that have such.
func TestProbeExotic(t *testing.T) {
	plain, exotic := filterOf("some words"), filterOf("some words", "the \u212aelvin \u017fcale")
	f := func(expr string, wantPlain, wantExotic bool) {
		t.Helper()
		require.Equal(t, wantPlain, probeOf(t, matches(expr)).MayMatch(plain))
		require.Equal(t, wantExotic, probeOf(t, matches(expr)).MayMatch(exotic))
	}
	f("(?i)kelvin", false, true)
	f("(?i)scale", false, true)
	f("kelvin", false, false)
	f("(?i)elvin", false, true)
	f("(?i)velvet", false, false)
	f("(?i)WORDS", true, true)
}

// TestProbeProperty: whatever lines there are, a text that stands in one of them, or a regular expression that matches one,
// is not denied.
func TestProbeProperty(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abkKsS\u212a\u017f017_-. \n\u00e9")), 0, 30, -1)
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(text, 1, 6).Draw(t, "lines")
		f := filterOf(lines...)
		line := rapid.SampledFrom(lines).Draw(t, "line")
		from := rapid.IntRange(0, len(line)).Draw(t, "from")
		requireNotDenied(t, f, line, line[from:rapid.IntRange(from, len(line)).Draw(t, "to")])
		expr := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.Map(text, regexp.QuoteMeta),
			rapid.SampledFrom([]string{".*", "(?i)", "a+", "[ks]", "|", "(?:ab|k)?", "(?i:ks1)", `\b`, "^", "."})), 1, 4).Draw(t, "expr"), "")
		if regexp.MustCompile(expr).MatchString(line) {
			require.True(t, probeOf(t, matches(expr)).MayMatch(f), "%q matches %q", expr, line)
		}
	})
}

// requireNotDenied checks a needle that stands in a line, as it is and regardless of case.
func requireNotDenied(t require.TestingT, f Filter, line, needle string) {
	require.True(t, probeOf(t, contains(needle)).MayMatch(f), "%q in %q", needle, line)
	if utf8.ValidString(needle) {
		for _, s := range []string{needle, strings.ToUpper(needle), strings.ToLower(needle)} {
			if re := "(?i)" + regexp.QuoteMeta(s); regexp.MustCompile(re).MatchString(line) {
				require.True(t, probeOf(t, matches(re)).MayMatch(f), "%q in %q", re, line)
			}
		}
	}
}

func FuzzProbe(f *testing.F) {
	f.Add("an error\x00trace=4bf92f3577b34da6a3ce929d0e0e4736", uint16(3), uint16(40))
	f.Add("\u212aelvin 10.20.30.40:80\x00a\nb", uint16(0), uint16(9))
	f.Add("7-7710123456789.ZT", uint16(2), uint16(18))
	f.Add("_a-1_\xff0123456789abcdef.7f9c.x", uint16(1), uint16(30))
	f.Fuzz(func(t *testing.T, text string, from, to uint16) {
		lines := strings.Split(text, "\x00")
		filter := filterOf(lines...)
		requireTwin(t, lines)
		for _, line := range lines {
			a, b := min(int(from), len(line)), min(int(to), len(line))
			requireNotDenied(t, filter, line, line[min(a, b):max(a, b)])
		}
	})
}

// FuzzFilter: bytes that are no filter are refused, and whatever opens can be asked.
func FuzzFilter(f *testing.F) {
	e := encode(f, Options{}, goldenRuns()...)
	f.Add(e.Filter.raw[:len(e.Filter.raw)-4], "error", "id", "x")
	f.Add(e.MetaFilter.raw[:len(e.MetaFilter.raw)-4], "error", "dict", "a")
	f.Add(append(make([]byte, filterZeros), 1, 1, 3, 0), "10.20.30.40", "", "")
	f.Fuzz(func(t *testing.T, b []byte, needle, name, value string) {
		b = sign(b)
		filter, err := OpenFilter(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		probeOf(t, contains(needle)).MayMatch(filter)
		meta, err := OpenMetaFilter(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		meta.MayHold(name, value)
	})
}

func TestMetaFilter(t *testing.T) {
	e := encode(t, Options{}, append(goldenRuns(), runOf(9, wideEntries()...))...)
	for _, r := range append(goldenRuns(), runOf(9, wideEntries()...)) {
		var pairs []model.Pair
		for i := range r.Rows.Len() {
			pairs = r.Rows.Metadata(pairs[:0], i)
			for _, p := range pairs {
				require.True(t, e.MetaFilter.MayHold(p.Name, p.Value), "%v", p)
			}
		}
	}
	require.False(t, e.MetaFilter.MayHold("const", "d"))
	require.False(t, e.MetaFilter.MayHold("cons", "tc"))
	require.False(t, e.MetaFilter.MayHold("id", "00000000000000000000000000000000"))
	require.True(t, e.MetaFilter.MayHold("id", ""), "absent")
	require.True(t, MetaFilter{}.MayHold("id", "x"), "the zero filter knows nothing")
	bare := encode(t, Options{}, runOf(1, model.Entry{Line: "a", Level: "info"}))
	require.False(t, bare.MetaFilter.MayHold("id", "x"))
	require.Len(t, bare.MetaFilter.Bytes(), filterTrailer)
	absent := 0
	for i := range 10_000 {
		if e.MetaFilter.MayHold("id", fmt.Sprint(i)) {
			absent++
		}
	}
	require.Less(t, absent, 250)
}

// TestFilterSizes: in proportion to the pages, and nothing for a huge entry.
func TestFilterSizes(t *testing.T) {
	f := func(want, keys, pagesBytes int) {
		t.Helper()
		require.Equal(t, want, filterLines(keys, pagesBytes))
	}
	f(0, 0, 1000)
	f(1, 1, 10)
	f(1000, 64_000, 1<<20)
	f(1000, 64_000, 1001*64*5)
	f(899, 64_000, 900*64*5)
	f(1, 64_000, 1)

	huge := encode(t, Options{}, runOf(1, model.Entry{Line: strings.Repeat("abcdefg ", filterTextMax/8+1)}))
	require.Len(t, huge.Filter.Bytes(), filterTrailer)
	require.True(t, probeOf(t, contains("horror")).MayMatch(huge.Filter))
	again, err := OpenFilter(huge.Filter.Bytes())
	require.NoError(t, err)
	require.Equal(t, huge.Filter, again)
}

func TestFilterBitFlips(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	f := func(data []byte, open func([]byte) error) {
		t.Helper()
		require.NoError(t, open(data))
		for i := range data {
			data[i] ^= 1 << (i % 8)
			require.ErrorIs(t, open(data), ErrCorrupt)
			data[i] ^= 1 << (i % 8)
		}
		for n := range filterTrailer + 1 {
			require.ErrorIs(t, open(data[:n]), ErrCorrupt)
		}
		strange := bytes.Clone(data[:len(data)-4])
		strange[len(data)-filterTrailer] = 1 // what a later format might put there
		require.ErrorIs(t, open(sign(strange)), ErrCorrupt)
	}
	text := func(b []byte) error { _, err := OpenFilter(b); return err }
	metadata := func(b []byte) error { _, err := OpenMetaFilter(b); return err }
	f(bytes.Clone(e.Filter.Bytes()), text)
	f(bytes.Clone(e.MetaFilter.Bytes()), metadata)
	require.ErrorIs(t, metadata(e.Filter.Bytes()), ErrCorrupt, "the one taken for the other")
	require.ErrorIs(t, text(e.MetaFilter.Bytes()), ErrCorrupt)
	require.ErrorIs(t, text(newBloom(0).seal(filterText, 4)), ErrCorrupt)
	require.ErrorIs(t, metadata(newBloom(0).seal(filterMetadata, 1)), ErrCorrupt)
}

// TestStored: the bytes of a chunk pass through a reader unchanged, or are refused.
func TestStored(t *testing.T) {
	e := encode(t, Options{Level: Fastest}, goldenRuns()...)
	require.NotZero(t, e.Table.Flags&Fast)
	require.Zero(t, encode(t, Options{}, goldenRuns()...).Table.Flags&Fast)
	for _, r := range []*Reader{e.Reader(), reopen(t, e)} {
		require.NoError(t, r.VerifyFilters(e.Filter, e.MetaFilter))
		got, err := r.Encoded(e.Filter, e.MetaFilter)
		require.NoError(t, err)
		require.Equal(t, e, got)
	}
	e.Pages[len(e.Pages)/2] ^= 1
	for _, r := range []*Reader{e.Reader(), reopen(t, e)} {
		_, err := r.Encoded(e.Filter, e.MetaFilter)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

// TestVerifyFilters: a filter that lacks a key, signed as if it were right, is found.
func TestVerifyFilters(t *testing.T) {
	e := encode(t, Options{}, goldenRuns()...)
	other := encode(t, Options{}, runOf(1, model.Entry{Line: "something else"}))
	require.NoError(t, e.Reader().VerifyFilters(e.Filter, e.MetaFilter))
	require.ErrorIs(t, e.Reader().VerifyFilters(other.Filter, e.MetaFilter), ErrCorrupt)
	require.ErrorIs(t, e.Reader().VerifyFilters(Filter{}, e.MetaFilter), ErrCorrupt)
	require.ErrorIs(t, e.Reader().VerifyFilters(e.Filter, MetaFilter{}), ErrCorrupt)
	wide := encode(t, Options{}, runOf(9, wideEntries()...))
	require.NoError(t, wide.Reader().VerifyFilters(wide.Filter, wide.MetaFilter))
	bloom(wide.MetaFilter.raw)[3] ^= 1
	require.ErrorIs(t, wide.Reader().VerifyFilters(wide.Filter, wide.MetaFilter), ErrCorrupt)
}
