package pipeline

import (
	"net/netip"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// stagesOf parses {x="x"} followed by the stages.
func stagesOf(t testing.TB, text string) []syntax.Stage {
	t.Helper()
	e, err := syntax.Parse(`{x="x"} ` + text)
	require.NoError(t, err)
	return e.(*syntax.LogExpr).Stages
}

func pairs(nameValue ...string) []model.Pair {
	var list []model.Pair
	for i := 0; i < len(nameValue); i += 2 {
		list = append(list, model.Pair{Name: nameValue[i], Value: nameValue[i+1]})
	}
	return list
}

var all = Options{Wanted: Needs{AllNames: true}}

// One batch of two streams; each case says which of its entries pass.
func TestRun(t *testing.T) {
	b := &Batch{
		Streams:     []labels.Labels{labels.FromStrings("app", "api", "size", "12kB"), labels.FromStrings("app", "web", "code", "503")},
		StreamIndex: []uint32{0, 0, 1, 1, 1},
		Lines:       []string{"from 10.0.0.7 to x", "hello world", "client=192.168.1.9:80 ok", "fe80::1 up", ""},
		Levels:      []string{"error", "info", "", "error", "warn"},
		Metadata: [][]model.Pair{
			pairs("code", "200", "took", "1.5s"), pairs("code", "404"), nil, pairs("code", "7", "took", "soon"), pairs("ip", "10.1.2.3"),
		},
	}
	f := func(stages string, want ...uint32) {
		t.Helper()
		for _, first := range []string{"", "| drop __error_details__ |= `` "} { // column by column, and entry by entry
			p, err := Compile(stagesOf(t, first+stages), all)
			require.NoError(t, err)
			for range 2 { // the second run must not see the first one's leftovers
				b.Selected.Fill(len(b.StreamIndex))
				require.NoError(t, p.Run(b, 0))
				require.Equal(t, want, b.Selected.AppendTo(nil), first+stages)
			}
		}
	}
	f(``, 0, 1, 2, 3, 4)
	f(`| app="api"`, 0, 1)
	f(`| app!="api"`, 2, 3, 4)
	f(`| app=~"a.*"`, 0, 1)
	f(`| app=~"a"`)
	f(`| app!~"a.*|x"`, 2, 3, 4)
	f(`| detected_level="error"`, 0, 3)
	f(`| detected_level=""`, 2)
	f(`| code="503"`, 2, 3, 4)
	f(`| code="404"`, 1)
	f(`| code_extracted="7"`, 3)
	f(`| code>=400`, 1, 2, 3, 4)
	f(`| code=200`, 0)
	f(`| code==200`, 0)
	f(`| code!=503`, 0, 1)
	f(`| took>1s`, 0, 3)
	f(`| took>1s | __error__=""`, 0)
	f(`| took<1m30s`, 0, 3)
	f(`| took="1.5s"`, 0)
	f(`| size>10KB`, 0, 1)
	f(`| size=12KB`, 0, 1)
	f(`| size<=11KiB`)
	f(`| app>5`, 0, 1, 2, 3, 4)
	f(`| app>5 | __error__!="LabelFilterErr"`)
	f(`| app="web" and (code=503 or detected_level="warn")`, 2, 3, 4)
	f(`| (app="api" and took>5m) or code="7" or detected_level="error"`, 0, 3)
	f(`| (app="api" and took>5m) or code_extracted="7" | __error__=""`)
	f(`| app="api" or detected_level="warn"`, 0, 1, 4)
	f(`| took>1s or app="web" | __error__=""`, 0, 2, 4)
	f(`| app="web" or took>1s | __error__=""`, 0, 2, 3, 4)
	f(`| ip=ip("10.0.0.0/8")`, 4)
	f(`| ip!=ip("10.0.0.0/8")`)
	f(`| app>5 | ip!=ip("10.0.0.0/8")`, 0, 1, 2, 3, 4)
	f(`|= ip("10.0.0.0-10.0.0.9")`, 0)
	f(`|= ip("10.0.0.0-10.0.0.9") or "hello"`, 0, 1)
	f(`!= ip("10.0.0.0-10.0.0.9") or "hello"`, 2, 3, 4)
	f(`|= ip("192.168.0.0/16")`, 2)
	f(`|= ip("fe80::/10")`, 3)
	f(`|> "hello <_>"`, 1)
	f(`!> "hello <_>"`, 0, 2, 3, 4)
	f(`|> "<_>ok" or "fe80::1 up"`, 2, 3)
	f(`|> ""`, 4)
	f(`|> "<_>"`, 0, 1, 2, 3)
	f(`|> "hello"`)
	f(`|> "hello world" | app="api"`, 1)
}

func TestRunErrors(t *testing.T) {
	p, err := Compile(stagesOf(t, `| took>1s | size>1KB`), all)
	require.NoError(t, err)
	b := &Batch{
		Streams:     []labels.Labels{labels.FromStrings("size", "big")},
		StreamIndex: []uint32{0, 0},
		Metadata:    [][]model.Pair{pairs("took", "2s"), pairs("took", "soon")},
	}
	b.Selected.Fill(2)
	require.NoError(t, p.Run(b, 0))
	require.Equal(t, map[int]EntryError{
		0: {Class: "LabelFilterErr", Details: `strconv.ParseFloat: parsing "": invalid syntax`},
		1: {Class: "LabelFilterErr", Details: `time: invalid duration "soon"`}, // the first note stays
	}, b.Errors)
	require.Equal(t, Needs{Names: map[string]bool{"took": true, "size": true}}, p.Needs)
}

func TestDropErrors(t *testing.T) {
	f := func(stages string, want map[int]EntryError) {
		t.Helper()
		p, err := Compile(stagesOf(t, `| took>1s `+stages), all)
		require.NoError(t, err)
		b := &Batch{
			Streams: []labels.Labels{labels.FromStrings("a", "b")}, StreamIndex: []uint32{0}, Metadata: [][]model.Pair{pairs("took", "soon")},
		}
		b.Selected.Fill(1)
		require.NoError(t, p.Run(b, 0))
		require.Equal(t, 1, b.Selected.Count())
		require.Equal(t, want, b.Errors)
	}
	f(`| drop __error__`, map[int]EntryError{})
	f(`| drop __error_details__, __error__`, map[int]EntryError{})
	f(`| drop __error_details__`, map[int]EntryError{0: {Class: "LabelFilterErr"}})
	f(`| drop __error__="x"`, map[int]EntryError{0: {Class: "LabelFilterErr", Details: `time: invalid duration "soon"`}})
	f(`| drop __error__=~"Label.*"`, map[int]EntryError{})
	f(`| drop __error_details__=~".*soon.*"`, map[int]EntryError{0: {Class: "LabelFilterErr"}})
	f(`| drop a, took`, map[int]EntryError{0: {Class: "LabelFilterErr", Details: `time: invalid duration "soon"`}})
	f(`| keep a`, map[int]EntryError{0: {Class: "LabelFilterErr", Details: `time: invalid duration "soon"`}})
}

func TestMatchesPattern(t *testing.T) {
	f := func(pattern, line string, want bool) {
		t.Helper()
		parts, err := syntax.ParseLinePattern(pattern)
		require.NoError(t, err)
		require.Equal(t, want, matchesPattern(line, parts), "%q on %q", pattern, line)
	}
	f("foo", "foo", true)
	f("foo", "foo bar", false)
	f("foo", "xfoo", false)
	f("foo <_>", "foo bar", true)
	f("foo <_>", "x foo bar", false)
	f("foo <_>", "foo ", false)
	f("<_> bar", "foo bar", true)
	f("<_> bar", " bar", false)
	f("<_> bar", "foo bar baz", false)
	f("<_> bar <_>", "foo bar baz", true)
	f("<_>a<_>b<_>", "xaxbx", true)
	f("<_>a<_>b<_>", "xabx", false)
	f("unicode <_> character", "unicode 🤷 character", true)
}

func TestContainsIP(t *testing.T) {
	f := func(within, text string, want bool) {
		t.Helper()
		r, err := syntax.ParseIPRange(within)
		require.NoError(t, err)
		require.Equal(t, want, containsIP(text, r), "%s in %q", within, text)
	}
	f("10.0.0.1", "10.0.0.1", true)
	f("10.0.0.1", "from 10.0.0.1.", true)
	f("10.0.0.1", "110.0.0.1", false)
	f("10.0.0.1", "10.0.0.11", false)
	f("10.0.0.1", "1.2.3 10.0.0.1:80", true)
	f("10.0.0.0/30", "10.0.0.4 10.0.0.3", true)
	f("10.0.0.0/30", "10.0.0.4", false)
	f("::1", "[::1]:80", true)
	f("2001:db8::/32", "at 2001:DB8::7, done", true)
	f("2001:db8::/32", "12:30:15 nothing", false)
	f("fe80::", "via fe80::", true)
	f("10.0.0.1", "", false)
	f("0.0.0.0/0", "1.2.3", false)
	f("0.0.0.0/0", "::ffff", false)
}

func TestAppendMetadata(t *testing.T) {
	f := func(stream labels.Labels, metadata []model.Pair, level string, want ...string) {
		t.Helper()
		got := AppendMetadata(pairs("before", ""), stream, metadata, level)
		require.Equal(t, append(pairs("before", ""), pairs(want...)...), got)
		for _, p := range got[1:] { // what it lists, Lookup finds
			v, ok := Lookup(stream, metadata, level, p.Name)
			require.True(t, ok)
			require.Equal(t, p.Value, v)
		}
	}
	s := labels.FromStrings("app", "x", "b", "y")
	f(s, nil, "")
	f(s, nil, "info", "detected_level", "info")
	f(s, pairs("a", "1", "z", "2"), "info", "a", "1", "detected_level", "info", "z", "2")
	f(s, pairs("app", "1", "apple", "2"), "", "app_extracted", "1", "apple", "2")
	f(s, pairs("b", "1", "b_a", "2", "c", "3"), "", "b_a", "2", "b_extracted", "1", "c", "3")
	f(s, pairs("app", "1", "app_extracted", "2"), "", "app_extracted", "2")
	f(s, pairs("__error__", "1", "e", "2"), "", "e", "2")
	f(labels.FromStrings("app", "x", "app_extracted", "y"), pairs("app", "1"), "", "app_extracted", "1")
	f(labels.FromStrings("app", "x", "app_extracted", "y"), pairs("app_extracted", "1"), "", "app_extracted_extracted", "1")
	f(labels.FromStrings("detected_level", "high"), pairs("a", "1"), "low", "a", "1", "detected_level_extracted", "low")
}

func FuzzContainsIP(f *testing.F) {
	f.Add("a 10.0.0.1.: x", "10.0.0.0/8")
	f.Add("fe80::1%eth0", "fe80::/10")
	f.Fuzz(func(t *testing.T, text, within string) {
		r, err := syntax.ParseIPRange(within)
		if err != nil {
			return
		}
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			require.Equal(t, r.Contains(a), containsIP(text, r))
		}
		containsIP(text, r)
	})
}
