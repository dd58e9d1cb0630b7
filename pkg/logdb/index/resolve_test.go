package index

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// memOf indexes the streams under refs 0, 1, ….
func memOf(streams []labels.Labels) *Mem {
	m := NewMem()
	for i, ls := range streams {
		m.Add(model.StreamRef(i), ls)
	}
	return m
}

// oneChunkEach gives stream i the chunk i.
func oneChunkEach(streams []labels.Labels) Source {
	s := Source{Streams: streams, ChunksCount: uint32(len(streams))}
	for i := range streams {
		s.Chunks = append(s.Chunks, []uint32{uint32(i)})
	}
	return s
}

func buildBytes(t require.TestingT, dir string, s Source) []byte {
	var b bytes.Buffer
	require.NoError(t, Build(ctx(t), dir, s, &b))
	return b.Bytes()
}

func diskOf(t *testing.T, s Source) *Disk {
	dir := t.TempDir()
	path := filepath.Join(dir, "index.db")
	require.NoError(t, os.WriteFile(path, buildBytes(t, dir, s), 0o600))
	d, err := openFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func matcher(t require.TestingT, typ labels.MatchType, name, value string) *labels.Matcher {
	m, err := labels.NewMatcher(typ, name, value)
	require.NoError(t, err)
	return m
}

// TestResolve states Prometheus' rules on absent labels one by one, for the live index and the one on disk.
func TestResolve(t *testing.T) {
	streams := []labels.Labels{
		labels.FromStrings("app", "api", "env", "prod"),
		labels.FromStrings("app", "api", "env", "dev", "pod", "api-1"),
		labels.FromStrings("app", "web", "pod", "web-1"),
		labels.FromStrings("app", "web", "env", "prod", "pod", "web-2"),
		labels.FromStrings("job", "a\nb"),
	}
	readers := map[string]Reader{"mem": memOf(streams).Snapshot(), "disk": diskOf(t, oneChunkEach(streams))}
	eq, ne, re, nre := labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp
	f := func(want []uint32, ms ...*labels.Matcher) {
		t.Helper()
		for name, r := range readers {
			got, err := Resolve(r, ms)
			require.NoError(t, err)
			require.Equal(t, want, got.ToArray(), "%s %v", name, ms)
		}
	}
	m := func(typ labels.MatchType, name, value string) *labels.Matcher { return matcher(t, typ, name, value) }
	f([]uint32{0, 1, 2, 3, 4})
	f([]uint32{0, 1}, m(eq, "app", "api"))
	f([]uint32{}, m(eq, "app", "none"))
	f([]uint32{}, m(eq, "none", "x"))
	f([]uint32{2, 4}, m(eq, "env", ""))
	f([]uint32{0, 1, 3}, m(ne, "env", ""))
	f([]uint32{1, 2, 4}, m(ne, "env", "prod"))
	f([]uint32{0, 1, 2, 3, 4}, m(ne, "none", "x"))
	f([]uint32{1, 2, 3}, m(re, "pod", ".+"))
	f([]uint32{0, 1, 2, 3, 4}, m(re, "pod", ".*"))
	f([]uint32{0, 4}, m(nre, "pod", ".+"))
	f([]uint32{}, m(nre, "pod", ".*"))
	f([]uint32{2, 3}, m(re, "pod", "web-.*"))
	f([]uint32{2, 3}, m(re, "pod", "web-1|web-2"))
	f([]uint32{0, 2, 4}, m(re, "pod", "web-1|"))
	f([]uint32{1, 3}, m(nre, "pod", "web-1|"))
	f([]uint32{0, 1, 4}, m(nre, "pod", "web-[12]"))
	f([]uint32{0, 1, 4}, m(re, "pod", "(api.*)?"))
	f([]uint32{2, 3}, m(nre, "pod", "(api.*)?"))
	f([]uint32{1, 2, 3}, m(re, "pod", "(?i)(WEB|API)-.")) // no prefix: case does not matter
	f([]uint32{4}, m(re, "job", "a.b"))                   // a dot matches a newline
	f([]uint32{3}, m(eq, "app", "web"), m(re, "env", "p.*"), m(ne, "pod", "web-1"))
	f([]uint32{2}, m(eq, "app", "web"), m(eq, "env", ""))
}

// genStreams draws label sets over few names and values, so that they overlap.
var genStreams = rapid.Custom(func(t *rapid.T) []labels.Labels {
	names := []string{"app", "env", "pod"}
	value := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "ab", "abc", "b", "ba", "B", "a\nb", "\xff", "é"}),
		rapid.StringMatching(`[ab]{1,4}`),
		rapid.Map(rapid.IntRange(0, 400), func(i int) string { return fmt.Sprintf("pod-%03d", i) }),
	)
	count := rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(10, 700)).Draw(t, "streams")
	streams := make([]labels.Labels, count)
	for i := range streams {
		b := labels.NewBuilder(labels.EmptyLabels())
		for _, n := range names {
			b.Set(n, value.Draw(t, n)) // Builder drops empty values
		}
		streams[i] = b.Labels()
	}
	return streams
})

var genMatcher = rapid.Custom(func(t *rapid.T) *labels.Matcher {
	typ := rapid.SampledFrom([]labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp,
		labels.MatchNotRegexp}).Draw(t, "type")
	name := rapid.SampledFrom([]string{"app", "env", "pod", "none"}).Draw(t, "name")
	value := rapid.SampledFrom([]string{"", "a", "ab", "B", "pod-001", "zzz"}).Draw(t, "value")
	if typ == labels.MatchRegexp || typ == labels.MatchNotRegexp {
		value = rapid.SampledFrom([]string{"", ".*", ".+", "a|b", "a|", "a.*", "ab?", ".*b", ".*b.*", "(?i)b.*", "(?i:B)",
			"pod-.*", "pod-0.*", "pod-1[0-9]+", "pod-(001|002|003)", "[^a].*", "a\\nb", "a.b", "(a|pod-0).*", "pod-00.", "()", "^a$",
			"a{1,2}", "b*", ".", "..", ".?", "\\x{e9}"}).Draw(t, "regexp")
	}
	return labels.MustNewMatcher(typ, name, value)
})

// naive is the definition: a stream matches when each matcher matches the label's value, empty when absent.
func naive(streams []labels.Labels, ms []*labels.Matcher) []uint32 {
	out := []uint32{}
	for i, ls := range streams {
		if !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) }) {
			out = append(out, uint32(i))
		}
	}
	return out
}

// naiveValues lists the values of a name among the streams in refs.
func naiveValues(streams []labels.Labels, name string, refs []uint32) []string {
	var out []string
	for _, r := range refs {
		if v := streams[r].Get(name); v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestResolveAgainstNaive compares both indexes with the definition over random label sets and matchers.
func TestResolveAgainstNaive(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		streams := genStreams.Draw(t, "streams")
		path := filepath.Join(dir, "index.db")
		require.NoError(t, os.WriteFile(path, buildBytes(t, dir, oneChunkEach(streams)), 0o600))
		d, err := openFile(path)
		require.NoError(t, err)
		defer func() { require.NoError(t, d.Close()) }()
		readers := []Reader{memOf(streams).Snapshot(), d}
		for range 8 {
			ms := rapid.SliceOfN(genMatcher, 0, 3).Draw(t, "matchers")
			want := naive(streams, ms)
			for _, r := range readers {
				got, err := Resolve(r, ms)
				require.NoError(t, err)
				require.Equal(t, want, got.ToArray(), "%T %v", r, ms)
				checkListings(t, r, streams, got)
			}
			chunks, err := d.Chunks(roaring.BitmapOf(want...))
			require.NoError(t, err)
			require.Equal(t, want, chunks.ToArray())
		}
		for _, r := range readers {
			checkListings(t, r, streams, nil)
			checkPrefix(t, r, streams, rapid.SampledFrom([]string{"", "a", "pod-", "pod-1", "pod-27", "zz", "\xff"}).Draw(t, "prefix"))
		}
	})
}

func checkListings(t require.TestingT, r Reader, streams []labels.Labels, refs *roaring.Bitmap) {
	all := refs
	if all == nil {
		all = roaring.New()
		all.AddRange(0, uint64(len(streams)))
	}
	var wantNames []string
	for _, name := range []string{"app", "env", "none", "pod"} {
		want := naiveValues(streams, name, all.ToArray())
		got, err := LabelValues(r, name, refs)
		require.NoError(t, err)
		require.Equal(t, want, got, "%T %s", r, name)
		if len(want) > 0 {
			wantNames = append(wantNames, name)
		}
	}
	names, err := LabelNames(r, refs)
	require.NoError(t, err)
	require.Equal(t, wantNames, names)
}

func checkPrefix(t require.TestingT, r Reader, streams []labels.Labels, prefix string) {
	var got, want []string
	require.NoError(t, r.Values("pod", prefix, func(v string, p Postings) error {
		got = append(got, strings.Clone(v))
		set := roaring.New()
		require.NoError(t, p.AddTo(set))
		wantSet := naive(streams, []*labels.Matcher{matcher(t, labels.MatchEqual, "pod", v)})
		require.Equal(t, wantSet, set.ToArray())
		one, err := r.Postings("pod", v)
		require.NoError(t, err)
		require.Equal(t, wantSet, one.ToArray())
		return nil
	}))
	for _, v := range naiveValues(streams, "pod", seq(len(streams))) {
		if strings.HasPrefix(v, prefix) {
			want = append(want, v)
		}
	}
	slices.Sort(got)
	require.Equal(t, want, got)
}

func seq(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

func TestCluster(t *testing.T) {
	f := func(a, b labels.Labels, names, cluster bool) {
		t.Helper()
		require.Equal(t, names, Cluster(a)>>32 == Cluster(b)>>32, "label names")
		require.Equal(t, cluster, Cluster(a) == Cluster(b), "cluster")
	}
	pod := func(app, namespace, pod string) labels.Labels {
		return labels.FromStrings("app", app, "namespace", namespace, "pod", pod)
	}
	f(pod("a", "n", "1"), pod("a", "n", "2"), true, true)
	f(pod("a", "n", "1"), pod("b", "n", "1"), true, false)
	f(pod("a", "n", "1"), pod("n", "a", "1"), true, false)
	f(pod("a", "n", "1"), labels.FromStrings("app", "a", "namespace", "n"), false, false)
	f(labels.FromStrings("app", "a"), labels.FromStrings("job", "a"), false, false)
	f(labels.FromStrings("x", "1"), labels.FromStrings("x", "2"), true, true)
	f(labels.EmptyLabels(), labels.EmptyLabels(), true, true)
}
