package cli

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const streamsAnswer = `{"status":"success","warnings":["chunk 3 is damaged"],"data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":[
 {"stream":{"app":"api","env":"prod"},"values":[["1700000003000000000","third <b>",{"structuredMetadata":{"detected_level":"error","trace":"t"},"parsed":{"status":"500"}}],["1700000001000000000","first \u001b[31m",{}]]},
 {"stream":{"app":"web","env":"prod"},"values":[["1700000003000000000","same time",{"structuredMetadata":{"detected_level":"info"}}],["1700000002500000000","second",{"structuredMetadata":{"detected_level":"unknown"}}]]}]}}`

const (
	at1 = "2023-11-14T22:13:21.000Z"
	at2 = "2023-11-14T22:13:22.500Z"
	at3 = "2023-11-14T22:13:23.000Z"
)

// inUTC pins the zone that output is written in.
func inUTC(t *testing.T) {
	t.Helper()
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

func TestQueryOutput(t *testing.T) {
	inUTC(t)
	store := newFakeStore(t, says(200, streamsAnswer))
	f := func(s session, want string, args ...string) ran {
		t.Helper()
		got := s.run(t, append([]string{"query", "--addr", store.URL, `{env="prod"}`}, args...)...)
		require.Zero(t, got.code, got.err)
		require.Equal(t, want, got.out)
		return got
	}
	plain := at3 + ` INFO  {app="web"} same time` + "\n" + at3 + ` ERROR {app="api"} third <b>` + "\n" + at2 + ` {app="web"} second` + "\n" + at1 + ` {app="api"} first ` + "\x1b[31m\n"
	got := f(session{}, plain)
	require.Equal(t, "warning: chunk 3 is damaged\nlabels of every line: {env=\"prod\"}\n", got.err)
	require.Empty(t, f(session{}, plain, "--quiet").err)
	f(session{}, at1+` {app="api"} first `+"\x1b[31m\n"+at2+` {app="web"} second`+"\n"+at3+` ERROR {app="api"} third <b>`+"\n"+at3+` INFO  {app="web"} same time`+"\n", "--direction", "forward")
	f(session{}, "same time\nthird <b>\nsecond\nfirst \x1b[31m\n", "--output", "raw")
	f(session{terminal: true}, "same time\nthird <b>\nsecond\nfirst \\x1b[31m\n", "--output", "raw")
	f(session{}, `{"timestamp":"2023-11-14T22:13:23Z","labels":{"app":"web","env":"prod"},"metadata":{"detected_level":"info"},"line":"same time"}
{"timestamp":"2023-11-14T22:13:23Z","labels":{"app":"api","env":"prod"},"metadata":{"detected_level":"error","trace":"t"},"parsed":{"status":"500"},"line":"third <b>"}
{"timestamp":"2023-11-14T22:13:22.5Z","labels":{"app":"web","env":"prod"},"metadata":{"detected_level":"unknown"},"line":"second"}
{"timestamp":"2023-11-14T22:13:21Z","labels":{"app":"api","env":"prod"},"line":"first \u001b[31m"}
`, "--output", "jsonl")

	colored := "\x1b[32m" + at3 + "\x1b[0m \x1b[32mINFO \x1b[0m {app=\"web\"} same time\n\x1b[31m" + at3 + "\x1b[0m \x1b[31mERROR\x1b[0m {app=\"api\"} third <b>\n" +
		"\x1b[90m" + at2 + "\x1b[0m {app=\"web\"} second\n\x1b[90m" + at1 + "\x1b[0m {app=\"api\"} first \\x1b[31m\n"
	f(session{terminal: true}, colored)
	f(session{}, strings.ReplaceAll(colored, `\x1b`, "\x1b"), "--color", "always")
	f(session{terminal: true, env: map[string]string{"NO_COLOR": "1"}}, strings.ReplaceAll(plain, "\x1b", `\x1b`))
	f(session{terminal: true, env: map[string]string{"TERM": "dumb"}}, strings.ReplaceAll(plain, "\x1b", `\x1b`))
	f(session{terminal: true}, strings.ReplaceAll(plain, "\x1b", `\x1b`), "--color", "never")

	require.Equal(t, "categorize-labels", store.requests()[0].header.Get("X-Loki-Response-Encoding-Flags"))
	got = f(session{}, streamsAnswer, "--json")
	require.Empty(t, got.err)
	f(session{}, streamsAnswer, "--output=json")
	all := store.requests()
	require.Empty(t, all[len(all)-1].header.Get("X-Loki-Response-Encoding-Flags"), "json is the answer as Loki gives it")
	require.Contains(t, f(session{}, plain, "--limit", "4").err, "the newest 4 lines are shown; --limit gets more\n")
}

func TestQueryMetrics(t *testing.T) {
	inUTC(t)
	f := func(answer, want string, args ...string) {
		t.Helper()
		store := newFakeStore(t, says(200, answer))
		got := session{}.run(t, append([]string{"query", "--addr", store.URL, "1"}, args...)...)
		require.Zero(t, got.code, got.err)
		require.Equal(t, want, got.out)
	}
	matrix := `{"data":{"resultType":"matrix","result":[{"metric":{"app":"a"},"values":[[1700000000,"1"],[1700000000.5,"NaN"]]}]}}`
	f(matrix, "2023-11-14T22:13:20.000Z {app=\"a\"} 1\n2023-11-14T22:13:20.500Z {app=\"a\"} NaN\n")
	f(matrix, "1\nNaN\n", "--output", "raw")
	f(matrix, `{"timestamp":"2023-11-14T22:13:20Z","metric":{"app":"a"},"value":"1"}
{"timestamp":"2023-11-14T22:13:20.5Z","metric":{"app":"a"},"value":"NaN"}
`, "--output", "jsonl")
	f(`{"data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"5"]}]}}`, "2023-11-14T22:13:20.000Z {} 5\n", "--instant")
	f(`{"data":{"resultType":"scalar","result":[1700000000,"2"]}}`, "2023-11-14T22:13:20.000Z {} 2\n", "--instant")
	f(`{"data":{"resultType":"scalar","result":[1700000000,"2"]}}`, `{"timestamp":"2023-11-14T22:13:20Z","metric":{},"value":"2"}`+"\n", "--instant", "--output", "jsonl")
}

func TestQueryParams(t *testing.T) {
	store := newFakeStore(t, says(200, `{"data":{"resultType":"streams","result":[]}}`))
	f := func(path string, want url.Values, args ...string) {
		t.Helper()
		got := session{}.run(t, append([]string{"query", "--addr", store.URL}, args...)...)
		require.Equal(t, exitFailed, got.code, "no match")
		require.Empty(t, got.out)
		require.Equal(t, "no match in this window; --since and --from look elsewhere\n", got.err)
		all := store.requests()
		require.Equal(t, path, all[len(all)-1].path)
		require.Equal(t, want, all[len(all)-1].form)
	}
	const ranged = "/loki/api/v1/query_range"
	f(ranged, url.Values{"query": {"q"}, "limit": {"100"}, "direction": {"backward"}, "start": {"1699999999000000000"}, "end": {"1700003599000000000"}},
		"q", "--to", "1700003599")
	f(ranged, url.Values{"query": {"q"}, "limit": {"7"}, "direction": {"forward"}, "start": {"1700000000000000000"}, "end": {"1700000000000000001"}, "step": {"1m"}},
		"--limit=7", "--direction", "forward", "q", "--from", "2023-11-14T22:13:20Z", "--to", "1700000000000000001", "--step", "1m")
	f("/loki/api/v1/query", url.Values{"query": {"q"}, "limit": {"100"}, "direction": {"backward"}, "time": {"1700000000000000000"}, "since": {"3600000ms"}},
		"--instant", "--to", "1700000000", "q")
	f(ranged, url.Values{"query": {"--limit"}, "limit": {"100"}, "direction": {"backward"}, "start": {"1699999999000000000"}, "end": {"1700003599000000000"}},
		"--to", "1700003599", "--", "--limit")
}

func TestQueryErrorsDrawTheCaret(t *testing.T) {
	store := newFakeStore(t, nil)
	f := func(width int, query, text, want string) {
		t.Helper()
		store.answer = says(400, text+"\n")
		got := session{width: width}.run(t, "query", "--addr", store.URL, query)
		require.Equal(t, exitFailed, got.code)
		require.Empty(t, got.out)
		require.Equal(t, "gpx_woodshed query: "+want+"\n", got.err)
	}
	const unexpected = "syntax error: unexpected IDENTIFIER, expecting STRING"
	f(0, `{app="api"} |= timeout`, "parse error at line 1, col 16: "+unexpected, `the query is not LogQL

{app="api"} |= timeout
               ^ parse error at line 1, col 16: `+unexpected+` (put the text in quotes)`)
	f(0, "{app=\"api\"}\n\t|= ä ö", "parse error at line 2, col 7: "+unexpected, "the query is not LogQL\n\n |= ä ö\n      ^ parse error at line 2, col 7: "+unexpected+" (put the text in quotes)")
	f(0, `{`, "parse error at line 1, col 2: syntax error: unexpected $end", "the query is not LogQL\n\n{\n ^ parse error at line 1, col 2: syntax error: unexpected $end")
	f(20, strings.Repeat("a", 50)+"!"+strings.Repeat("b", 50), "parse error at line 1, col 51: x", "the query is not LogQL\n\n…aaaaaaaaa!bbbbbbbb…\n          ^ parse error at line 1, col 51: x")
	f(20, strings.Repeat("a", 50)+"!", "parse error at line 1, col 51: x", "the query is not LogQL\n\n…aaaaaaaaaaaaaaaaaa!\n                   ^ parse error at line 1, col 51: x")
	f(20, "!"+strings.Repeat("a", 50), "parse error at line 1, col 1: x", "the query is not LogQL\n\n!aaaaaaaaaaaaaaaaaa…\n^ parse error at line 1, col 1: x")
	// Places that are not in the query, and errors without a place, are said as they are.
	f(0, "{", "parse error at line 7, col 1: x", "parse error at line 7, col 1: x")
	f(0, "{", "parse error at line 1, col 0: x", "parse error at line 1, col 0: x")
	f(0, "{", "parse error at line 99999999999999999999, col 1: x", "parse error at line 99999999999999999999, col 1: x")
	f(0, "{", "max entries limit per query exceeded", "max entries limit per query exceeded")
}

func TestQueryBadAnswers(t *testing.T) {
	f := func(body string) {
		t.Helper()
		store := newFakeStore(t, says(200, body))
		got := session{}.run(t, "query", "--addr", store.URL, "{}")
		require.Equal(t, exitFailed, got.code, body)
		require.NotEmpty(t, got.err)
		require.Empty(t, got.out)
	}
	f("")
	f("[]")
	f(`{"data":{"resultType":"parquet","result":[]}}`)
	f(`{"data":{"resultType":"streams","result":{}}}`)
	f(`{"data":{"resultType":"streams","result":[{"values":[["x","y"]]}]}}`)
	f(`{"data":{"resultType":"streams","result":[{"values":[[]]}]}}`)
	f(`{"data":{"resultType":"matrix","result":[{"values":[[1]]}]}}`)
	f(`{"data":{"resultType":"scalar","result":"1"}}`)
}

func TestParseTime(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, zone)
	f := func(value string, want time.Time) {
		t.Helper()
		got, err := parseTime(value, now, now.Add(time.Hour))
		require.NoError(t, err)
		require.True(t, want.Equal(got), "%s is %s", value, got)
	}
	f("", now.Add(time.Hour))
	f("now", now)
	f("1700000000", time.Unix(1700000000, 0))
	f("1700000000000000000", time.Unix(1700000000, 0))
	f("2026-01-02T03:04:05Z", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	f("2026-01-02T03:04:05.5+02:00", time.Date(2026, 1, 2, 1, 4, 5, 5e8, time.UTC))
	f("2026-01-02 03:04", time.Date(2026, 1, 2, 3, 4, 0, 0, zone))
	f("2026-01-02", time.Date(2026, 1, 2, 0, 0, 0, 0, zone))
	f("03:04", time.Date(2026, 3, 4, 3, 4, 0, 0, zone))
	f("03:04:05", time.Date(2026, 3, 4, 3, 4, 5, 0, zone))
}

func FuzzCaret(f *testing.F) {
	f.Add(`{app="api"} |= timeout`, "parse error at line 1, col 16: x", 20)
	f.Add("a\nb\xff\n", "parse error at line 2, col 2: x", 1)
	f.Fuzz(func(t *testing.T, query, text string, width int) {
		if width < widthMin {
			width = widthMin
		}
		picture := drawCaret(query, text, width)
		if picture == "" {
			return
		}
		lines := strings.SplitN(picture, "\n", 3)
		require.LessOrEqual(t, len([]rune(lines[0])), width)
		require.LessOrEqual(t, strings.IndexByte(lines[1], '^'), width)
	})
}

func FuzzShown(f *testing.F) {
	f.Add("plain\ttext \x1b]0;title\x07 \xff \u202e \u009b")
	f.Fuzz(func(t *testing.T, s string) {
		got := (&printer{safe: true}).shown(s)
		for _, r := range got {
			require.False(t, control(r), "%q", got)
		}
		require.Equal(t, got, (&printer{safe: true}).shown(got))
	})
}
