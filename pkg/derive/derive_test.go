package derive

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func stringOver(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func TestStream(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		s, err := New(testOptions()).Stream(text)
		require.NoError(t, err)
		require.Equal(t, want, s.Labels.String())
		require.Equal(t, model.FingerprintOf(s.Labels), s.Fingerprint)
	}
	f(`{app="api"}`, `{app="api", service_name="api"}`)
	f(`{z="1", a="2"}`, `{a="2", service_name="unknown_service", z="1"}`)
	f(`{job="j", service="s"}`, `{job="j", service="s", service_name="s"}`)
	f(`{app="api", service_name="mine"}`, `{app="api", service_name="mine"}`)
	f(`{app="", job="j"}`, `{job="j", service_name="j"}`)
	f(`{app="api", service_name=""}`, `{app="api", service_name="api"}`)
	f(`{}`, `{service_name="unknown_service"}`)
	f(``, `{service_name="unknown_service"}`)
	// The grammar is that of a metric.
	f(`foo{a="b"}`, `{__name__="foo", a="b", service_name="unknown_service"}`)
	f(`foo:bar`, `{__name__="foo:bar", service_name="unknown_service"}`)
	f(`foo{__name__="x"}`, `{__name__="foo", service_name="unknown_service"}`)
	f(`sum{}`, `{__name__="sum", service_name="unknown_service"}`)
	f(`{"foo"}`, `{__name__="foo", service_name="unknown_service"}`)
	f(`{"a.b"="c"}`, `{"a.b"="c", service_name="unknown_service"}`)
	f(` { a = 'b' , c = `+"`d`"+` , } # comment`, `{a="b", c="d", service_name="unknown_service"}`)
	f("# first\r\n{a=\"b\"}", `{a="b", service_name="unknown_service"}`)
	f(`{sum="1", on="2"}`, `{on="2", service_name="unknown_service", sum="1"}`)
	f(`{a="\t\"\\\x41\101\u00e9\U0001F600'"}`, `{a="\t\"\\AAé😀'", service_name="unknown_service"}`)
	f(`{a='\''}`, `{a="'", service_name="unknown_service"}`)
	f("{a=`\\n`}", `{a="\\n", service_name="unknown_service"}`)
	// Bytes that are no UTF-8 come only by escapes, and no answer could carry them.
	f(`{"\xff"="y"}`, "{service_name=\"unknown_service\", \"\uFFFD\"=\"y\"}")
	f(`{a="x\xffy"}`, "{a=\"x\uFFFDy\", service_name=\"unknown_service\"}")
}

func TestStreamErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := New(testOptions()).Stream(text)
		require.EqualError(t, err, want)
	}
	f(`{a="b"`, `1:7: parse error: unexpected end of input inside braces`)
	f(`{`, `1:2: parse error: unexpected end of input inside braces`)
	f(`{a}`, `1:3: parse error: unexpected "}" in label set, expected "="`)
	f(`{a=}`, `1:4: parse error: unexpected "}" in label set, expected string`)
	f(`{a=b}`, `1:4: parse error: unexpected identifier "b" in label set, expected string`)
	f(`{a="b" c="d"}`, `1:8: parse error: unexpected identifier "c" in label set, expected "," or "}"`)
	f(`{a="b", , c="d"}`, `1:9: parse error: unexpected "," in label set, expected identifier or "}"`)
	f(`{,}`, `1:2: parse error: unexpected "," in label set, expected identifier or "}"`)
	f(`{a=~"b"}`, `1:3: parse error: unexpected <op:=~> in label set, expected "="`)
	f(`{a!="b"}`, `1:3: parse error: unexpected <op:!=> in label set, expected "="`)
	f(`{a!b}`, `1:3: parse error: unexpected character after '!' inside braces: 'b'`)
	f(`{a-b="c"}`, `1:3: parse error: unexpected character inside braces: '-'`)
	f(`{1a="b"}`, `1:2: parse error: unexpected character inside braces: '1'`)
	f(`{a:b="c"}`, `1:3: parse error: unexpected character inside braces: ':'`)
	f(`{{`, `1:2: parse error: unexpected left brace '{'`)
	f(`{é="c"}`, `1:2: parse error: unexpected character inside braces: 'é'`)
	f(`{a="b`, `1:4: parse error: unterminated quoted string`)
	f("{\na=\"b\n\"}", `2:3: parse error: unterminated quoted string`)
	f("{a=`b", `1:4: parse error: unterminated raw string`)
	f("{a=\"\xff\"}", `1:4: parse error: invalid UTF-8 rune`)
	f(`{a="\q"}`, `1:4: parse error: unknown escape sequence U+0071 'q'`)
	f(`{a="\'"}`, `1:4: parse error: unknown escape sequence U+0027 '''`)
	f(`{a="\x4"}`, `1:4: parse error: illegal character U+0022 '"' in escape sequence`)
	f(`{a="\`, `1:4: parse error: escape sequence not terminated`)
	f(`{a="\u12`, `1:4: parse error: escape sequence not terminated`)
	f(`{a="\uD800"}`, `1:4: parse error: escape sequence is an invalid Unicode code point`)
	f(`{a="\777"}`, `1:4: parse error: escape sequence is an invalid Unicode code point`)
	f(`{a="b"}x`, `1:8: parse error: unexpected identifier "x"`)
	f(`{a="b"},`, `1:8: parse error: unexpected ","`)
	f(`a="b"`, `1:2: parse error: unexpected "="`)
	f(`on{a="b"}`, `1:1: parse error: unexpected <on>`)
	f(`{a="b", ""="x"}`, `1:9: parse error: a label name is empty or has a zero byte`)
	f(`{"a\x00"="x"}`, `1:2: parse error: a label name is empty or has a zero byte`)
	f(`inf`, `1:1: parse error: unexpected number "inf"`)
	f(`"a"`, `1:1: parse error: unexpected string "\"a\""`)
	f(`!`, `1:1: parse error: unexpected character: '!'`)
	f("{"+strings.Repeat(`a="",`, labelsCountMax)+`a=""}`, "more than 4096 labels")
	f(strings.Repeat("x", 1<<24), "labels size 16 MiB exceeds limit of 15")
}

func TestStreamMeasures(t *testing.T) {
	s, err := New(testOptions()).Stream(`{app="api", longer_name="a value"}`)
	require.NoError(t, err)
	require.Equal(t, 2, s.LabelsCount, "service_name is not counted")
	require.Equal(t, len("service_name"), s.NameBytesMax)
	require.Equal(t, len("a value"), s.ValueBytesMax)
	require.Empty(t, s.DuplicateLabel)
	require.Equal(t, s.Labels.String(), s.String())

	s, err = New(testOptions()).Stream(`{b="1", a="2", b="3", a="4"}`)
	require.NoError(t, err)
	require.Equal(t, "a", s.DuplicateLabel)
}

func TestNoServiceName(t *testing.T) {
	o := testOptions()
	o.ServiceNames = nil
	s, err := New(o).Stream(`{app="api"}`)
	require.NoError(t, err)
	require.Equal(t, `{app="api"}`, s.Labels.String())
	s, err = New(o).Stream(`{}`)
	require.NoError(t, err)
	require.True(t, s.Labels.IsEmpty())
}

func TestStreamOf(t *testing.T) {
	d := New(testOptions())
	s, err := d.StreamOf(labels.FromStrings("app", "api", "empty", "", "bytes", "\xff"))
	require.NoError(t, err)
	text, err := d.Stream(`{app="api", bytes="\xff"}`)
	require.NoError(t, err)
	require.Equal(t, text.Labels, s.Labels)
	require.Equal(t, text.Fingerprint, s.Fingerprint)

	again, err := d.StreamOf(labels.FromStrings("app", "api", "empty", "", "bytes", "\xff"))
	require.NoError(t, err)
	require.Same(t, s, again, "known sets come from the cache")

	many := labels.NewScratchBuilder(0)
	for i := range labelsCountMax + 1 {
		many.Add(fmt.Sprintf("l%05d", i), "")
	}
	_, err = d.StreamOf(many.Labels())
	require.EqualError(t, err, "more than 4096 labels")

	f := func(name, want string) {
		t.Helper()
		_, err := d.StreamOf(labels.FromStrings("app", "api", name, "x"))
		require.EqualError(t, err, want)
	}
	f("foo-bar", `1:16: parse error: unexpected character inside braces: '-'`)
	f("foo bar", `1:17: parse error: unexpected identifier "bar" in label set, expected "="`)
	f("", `1:2: parse error: unexpected "=" in label set, expected identifier or "}"`)
	f(`x="y",z`, `"x=\"y\",z" is not a label name`)
}

func TestMetadata(t *testing.T) {
	f := func(want string, kv ...string) {
		t.Helper()
		e := model.Entry{}
		for i := 0; i < len(kv); i += 2 {
			e.Metadata = append(e.Metadata, model.Pair{Name: kv[i], Value: kv[i+1]})
		}
		e = derived(t, testOptions(), `{a="b"}`, e)
		var got []string
		for _, p := range e.Metadata {
			got = append(got, p.Name+"="+p.Value)
		}
		require.Equal(t, want, strings.Join(got, " "))
	}
	f("")
	f("a=1 b=2", "a", "1", "b", "2")
	f("a=1 b=2", "b", "2", "a", "1")
	f("a=1", "a", "1", "b", "")
	f("trace_id=1", "trace.id", "1")
	f("k8s_pod_name=1", "k8s.pod..name", "1")
	f("key_1a=1", "1a", "1")
	f("_a=1", "_a", "1")
	f("a_b=1", "a__b", "1")
	f("__x__=1", "__x__", "1")
	f("__x_y__=1", "__x.y__", "1")
	f("_=1", "___", "1")
	f("_=1", "", "1")
	f("_=1", "é", "1")
	f("a_b=1", "aéb", "1")
	f("a_b=1", "a\xff\xffb", "1")
	f("a=x y", "a", "x\xffy")
	f("a=x y", "a", "x\uFFFDy")
	f("a=é", "a", "é")
	// Of equal names the last counts, and one that was renamed before one that was not.
	f("a=2", "a", "1", "a", "2")
	f("a_b=1", "a.b", "1", "a_b", "2")
	f("a_b=2", "a_b", "1", "a.b", "2")
	f("a_b=3", "a.b", "1", "a_b", "2", "a-b", "3")
}

// The names are those of the library that Loki uses, except where that gives up.
func FuzzNormalName(f *testing.F) {
	for _, s := range []string{"a.b", "__x__", "____", "1a", "_", "a__b", "é", "", "__1__", "_1", "a\xffb", "__a..b__"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want, err := (&otlptranslator.LabelNamer{}).Build(name)
		if err != nil {
			want = "_"
		}
		require.Equal(t, want, normalizeName(name), "%q", name)
		require.Equal(t, want == name, isNormalName(name), "%q", name)
		require.True(t, isNormalName(want), "%q", want)
	})
}

// Deriving what was derived changes nothing: a store may write entries as they are now and derive them again.
func TestEntryIsIdempotent(t *testing.T) {
	name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"detected_level", "level", "severity_number", "a.b", "a_b", "__x__", ""}))
	value := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "WARN", "17", "x\xff"}))
	line := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"an error", `{"level":"info"}`, "lvl=dbg"}))
	rapid.Check(t, func(t *rapid.T) {
		o := testOptions()
		o.DiscoverLevels = rapid.Bool().Draw(t, "discover")
		d := New(o)
		s, err := d.Stream(`{a="b"}`)
		require.NoError(t, err)
		e := model.Entry{Line: line.Draw(t, "line")}
		for range rapid.IntRange(0, 6).Draw(t, "pairs") {
			e.Metadata = append(e.Metadata, model.Pair{Name: name.Draw(t, "name"), Value: value.Draw(t, "value")})
		}
		sent := model.Entry{Line: e.Line, Metadata: slices.Clone(e.Metadata)}
		d.Entry(s, &e)
		require.True(t, slices.IsSortedFunc(e.Metadata, func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) }))
		for i, p := range e.Metadata {
			require.NotEmpty(t, p.Value)
			require.NotEqual(t, MetadataLevel, p.Name)
			require.True(t, utf8.ValidString(p.Value))
			require.True(t, i == 0 || e.Metadata[i-1].Name != p.Name)
		}

		second := model.Entry{Line: sent.Line, Metadata: sent.Metadata}
		New(o).Entry(s, &second)
		require.Equal(t, e.Level, second.Level)
		require.Equal(t, slices.Clone(e.Metadata), slices.Clone(second.Metadata))

		again := model.Entry{Line: e.Line, Metadata: slices.Clone(e.Metadata)}
		if e.Level != "" {
			again.Metadata = append(again.Metadata, model.Pair{Name: MetadataLevel, Value: e.Level})
		}
		d.Entry(s, &again)
		require.Equal(t, e.Level, again.Level)
		require.Equal(t, len(e.Metadata), len(again.Metadata))
		require.True(t, slices.Equal(e.Metadata, again.Metadata))
	})
}

func TestKnownTextsShareAStream(t *testing.T) {
	d := New(testOptions())
	text := []byte(`{app="api"}`)
	s, err := d.Stream(stringOver(text))
	require.NoError(t, err)
	again, err := d.Stream(`{app="api"}`)
	require.NoError(t, err)
	require.Same(t, s, again)
	copy(text, `{xxx="xxx"}`) // the caller's buffer is used again
	again, err = d.Stream(`{app="api"}`)
	require.NoError(t, err)
	require.Same(t, s, again)
	require.Equal(t, `{app="api", service_name="api"}`, again.Labels.String())
}

func TestCacheIsBounded(t *testing.T) {
	const bytesMax = 1 << 20
	c := newCache(bytesMax)
	s := &Stream{labelsBytes: 100}
	for i := range 100_000 {
		c.put(i%keyKinds, fmt.Sprintf("key %d", i), s)
		if i%1000 == 0 {
			c.get(0, "key 0") // asked for, so it stays
		}
	}
	total, kept := 0, 0
	for i := range c.shards {
		shard := &c.shards[i]
		require.LessOrEqual(t, shard.bytes, shard.bytesMax)
		for k := range keyKinds {
			for _, generation := range []map[string]*Stream{shard.young[k], shard.old[k]} {
				kept += len(generation)
				for key := range generation {
					total += len(key) + entryOverheadBytes + s.labelsBytes
				}
			}
		}
	}
	require.LessOrEqual(t, total, bytesMax)
	require.Greater(t, kept, 1000)
	require.Same(t, s, c.get(0, "key 0"))
	require.Nil(t, c.get(1, "key 0"), "the kinds of keys are apart")
	require.Nil(t, c.get(1, "key 1"), "long not asked for")
	c.put(0, strings.Repeat("x", bytesMax), s)
	require.Nil(t, c.get(0, strings.Repeat("x", bytesMax)), "too large for the cache")
}

func TestNameCacheIsBounded(t *testing.T) {
	d := New(testOptions())
	for i := range 3 * namesCachedMax {
		require.Equal(t, fmt.Sprintf("a_%d", i), d.normalName(fmt.Sprintf("a.%d", i)))
	}
	require.LessOrEqual(t, len(d.names.names), namesCachedMax)
	long := strings.Repeat(".", 2*nameCachedBytesMax) + "a"
	require.Equal(t, "_a", d.normalName(long))
	_, cached := d.names.get(long)
	require.False(t, cached)
}

func TestConcurrentUse(t *testing.T) {
	d := NewSized(testOptions(), 64<<10) // so small that generations change all the time
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				app := fmt.Sprintf("app-%d", (i*7+g)%300)
				s, err := d.Stream(fmt.Sprintf(`{app=%q}`, app))
				if err != nil || s.Labels.Get("service_name") != app {
					t.Errorf("stream of %s: %v, %v", app, s, err)
					return
				}
				e := model.Entry{Line: "x", Metadata: []model.Pair{{Name: fmt.Sprintf("n.%d", i%50), Value: "v"}}}
				d.Entry(s, &e)
				if e.Metadata[0].Name != fmt.Sprintf("n_%d", i%50) {
					t.Errorf("name %s", e.Metadata[0].Name)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzStream(f *testing.F) {
	for _, s := range []string{`{app="api"}`, `foo{a="b",c='d'}`, "{a=`b`}#x", `{"a"="\x41\u00e9"}`, `{a="b"`, `{}`} {
		f.Add(s)
	}
	d := New(testOptions())
	f.Fuzz(func(t *testing.T, text string) {
		s, err := d.Stream(text)
		if err != nil {
			require.Contains(t, err.Error(), "parse error: ")
			return
		}
		if s.DuplicateLabel != "" {
			return
		}
		s.Labels.Range(func(l labels.Label) {
			require.NotEmpty(t, l.Value)
			require.True(t, utf8.ValidString(l.Value))
		})
		// What the store prints, it reads back as the same stream.
		again, err := New(testOptions()).Stream(s.Labels.String())
		require.NoError(t, err, "%q", s.Labels.String())
		require.Equal(t, s.Fingerprint, again.Fingerprint)
	})
}
