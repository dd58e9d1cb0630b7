package derive

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/buger/jsonparser"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestLevelOfJSON(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		require.Equal(t, want, derived(t, testOptions(), `{a="b"}`, model.Entry{Line: line}).Level, line)
	}
	f(`{"level":"error"}`, LevelError)
	f(`{"msg":"a warn in passing","level":"INFO"}`, LevelInfo)
	f(`{"msg":"a warn in passing","Severity":"Information"}`, LevelInfo)
	f(`{"lvl":"dbg"}`, LevelDebug)
	f(`{"lvl":"trc"}`, LevelTrace)
	f(`{"lvl":"wrn"}`, LevelWarn)
	f(`{"lvl":"err"}`, LevelError)
	f(`{"severity_text":"Fatal"}`, LevelFatal)
	f(`{"log.level":"critical"}`, LevelCritical)
	f("  \t{\"level\":\"trace\"} \n", LevelTrace)
	// Keys count in the case that is configured, values in any.
	f(`{"lEvEl":"trc"}`, LevelUnknown)
	// Only strings are levels.
	f(`{"level":50,"lvl":"warn"}`, LevelWarn)
	f(`{"level":{"level":"warn"}}`, LevelWarn)
	// The first key of all, in order of the text.
	f(`{"lvl":"warn","level":"error"}`, LevelWarn)
	// Two levels of objects; arrays are not searched.
	f(`{"log":{"level":"warn"},"level":"error"}`, LevelWarn)
	f(`{"a":{"b":{"level":"warn"}},"level":"error"}`, LevelError)
	f(`{"a":[{"level":"warn"}],"level":"error"}`, LevelError)
	f(`{"a":"}","b":"\"","level":"fatal"}`, LevelFatal)
	f(`{"a":"\\","level":"fatal"}`, LevelFatal)
	f(`{"le\u0076el":"fatal"}`, LevelFatal)
	// A value that is no level leaves it to the words of the line.
	f(`{"level":"notice","msg":"disk error"}`, LevelError)
	f(`{"level":"notice"}`, LevelUnknown)
	f(`{"level":"er\u0072or"}`, LevelUnknown)
	f(`{}`, LevelUnknown)
	// What was found before a fault counts, if the objects around it are closed.
	f(`{"level":"warn" "x"}`, LevelWarn)
	f(`{"x":tru,"level":"warn"}`, LevelWarn) // by its quotes: the word stands alone
	f(`{"a":{"level":"critical-ish"}`, LevelUnknown)
	// A long string, and one whose end is escaped.
	f(`{"msg":"`+strings.Repeat("long ", 30)+`\"","level":"warn"}`, LevelWarn)
}

func TestJSONDepth(t *testing.T) {
	f := func(depth int, line, want string) {
		t.Helper()
		o := testOptions()
		o.JSONMaxDepth = depth
		require.Equal(t, want, derived(t, o, `{a="b"}`, model.Entry{Line: line}).Level)
	}
	const three = `{"a":{"b":{"level":"trc"}}}` // trc is no level outside of a field
	f(1, three, LevelUnknown)
	f(2, three, LevelUnknown)
	f(3, three, LevelTrace)
	f(0, three, LevelTrace)
	f(-1, three, LevelTrace)
	f(1, `{"level":"trc"}`, LevelTrace)
}

// A deep line costs as much as a flat one.
func TestDeepJSONIsCheap(t *testing.T) {
	o := testOptions()
	o.JSONMaxDepth = 0
	const depth = 100_000
	line := strings.Repeat(`{"a":`, depth) + `{"level":"trc"}` + strings.Repeat("}", depth)
	require.Equal(t, LevelTrace, derived(t, o, `{a="b"}`, model.Entry{Line: line}).Level)
}

func TestLevelOfLogfmt(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		require.Equal(t, want, derived(t, testOptions(), `{a="b"}`, model.Entry{Line: line}).Level, line)
	}
	f(`level=info`, LevelInfo)
	f(`ts=1 caller=x.go:1 level=wrn msg="an error"`, LevelWarn)
	f(`msg="level=error" lvl=dbg`, LevelDebug)
	f(`LEVEL="Error" msg=x`, LevelError)
	f(`sEvErItY=fatal`, LevelFatal)
	// The name that stands first in the list, not in the line.
	f(`lvl=dbg severity=trc level=wrn`, LevelWarn)
	f(`lvl=dbg severity=trc`, LevelTrace)
	// Reading ends where it is no longer logfmt; what came before counts.
	f(`lvl=dbg url=http://x/?a=b level=wrn`, LevelDebug)
	f(`url=http://x/?a=b lvl=wrn`, LevelUnknown)
	f(`=x level=trc`, LevelUnknown)
	f(`lvl=dbg msg="open`, LevelDebug)
	// A bare word that is the name, with no value, ends the search.
	f(`level is level=trc`, LevelUnknown)
	f(`level= lvl=trc`, LevelUnknown)
	f(`level="" lvl=trc`, LevelUnknown)
	f(`msg="a \"quoted\" word" level=trc`, LevelTrace)
	f(`msg="bad \q escape" level=trc`, LevelUnknown)
	f(`level="tr\u0063"`, LevelTrace)
	f(`level="`+strings.Repeat(`\n`, 100)+`"`, LevelUnknown)
	f("level=trc\tx", LevelTrace)
	f("a\xffb=1 level=trc", LevelUnknown)
	f("\u017feverity=trc", LevelTrace) // ſ is an s
	// Not the value: the words of the line.
	f(`level=notice msg="some warning"`, LevelWarn)
}

func TestLevelOfWords(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		require.Equal(t, want, derived(t, testOptions(), `{a="b"}`, model.Entry{Line: line}).Level, line)
	}
	f(``, LevelUnknown)
	f(`nothing here`, LevelUnknown)
	f(`an Error occurred`, LevelError)
	f(`err`, LevelError)
	f(`ERR: x`, LevelError)
	f(`errors are plural`, LevelUnknown)
	f(`terror`, LevelUnknown)
	f(`[WARN] x`, LevelWarn)
	f(`(warning) x`, LevelWarn)
	f(`warnings`, LevelUnknown)
	f(`2023-11-14 INFO then an error`, LevelInfo)
	f(`debugger debug`, LevelDebug)
	f(`critical!`, LevelCritical)
	f(`a fatal, b`, LevelFatal)
	f("x\ttrace\ty", LevelTrace)
	f("first\ninfo\n", LevelInfo)
	// A colon before makes it a part of something else; behind, it does not.
	f(`kind:error`, LevelUnknown)
	f(`error:kind`, LevelError)
	f(`error.log`, LevelUnknown)
	f(`/error/ -error- ;error`, LevelUnknown)
	f(`|error|`, LevelError)
	f(`'info'`, LevelInfo)
	f(`information`, LevelUnknown)
	f(`WARNİNG and İNFO`, LevelWarn)
	f("\xff error", LevelError)
	f("\xfferror", LevelUnknown)
	f(`{error}`, LevelError)
}

func TestLevelPrecedence(t *testing.T) {
	f := func(labels string, metadata []model.Pair, line, want string) {
		t.Helper()
		require.Equal(t, want, derived(t, testOptions(), labels, model.Entry{Metadata: metadata, Line: line}).Level)
	}
	pairs := func(kv ...string) (ps []model.Pair) {
		for i := 0; i < len(kv); i += 2 {
			ps = append(ps, model.Pair{Name: kv[i], Value: kv[i+1]})
		}
		return ps
	}
	const stream, line = `{app="x", level="Debug"}`, "an error"
	f(stream, pairs("detected_level", "TRACE", "severity", "fatal"), line, LevelTrace)
	f(stream, pairs("detected.level", "TRACE"), line, LevelTrace)
	f(stream, pairs("detected_level", "Notice"), line, "Notice") // unknown values stay as they are
	f(stream, pairs("detected_level", "", "severity", "fatal"), line, LevelDebug)
	f(stream, pairs("severity", "fatal"), line, LevelDebug)
	f(`{app="x", lvl="notice"}`, nil, line, "notice")
	f(`{app="x", severity="warn", Level="info"}`, nil, line, LevelInfo) // in order of the fields
	f(`{app="x"}`, pairs("severity", "Fatal", "severity_number", "1"), line, LevelFatal)
	f(`{app="x"}`, pairs("lvl", "odd", "severity_number", "1"), line, "odd")
	f(`{app="x"}`, pairs("log.level", "fatal"), line, LevelError) // metadata names are normalised before
	for number, want := range map[string]string{
		"0": LevelUnknown, "1": LevelTrace, "4": LevelTrace, "5": LevelDebug, "9": LevelInfo, "12": LevelInfo, "13": LevelWarn,
		"17": LevelError, "20": LevelError, "21": LevelFatal, "24": LevelFatal, "25": LevelUnknown, "-1": LevelTrace, "x": LevelInfo,
	} {
		f(`{app="x"}`, pairs("severity_number", number), line, want)
	}
	f(`{app="x"}`, nil, line, LevelError)
}

func TestLevelsNotDiscovered(t *testing.T) {
	o := testOptions()
	o.DiscoverLevels = false
	e := derived(t, o, `{level="debug"}`, model.Entry{Line: "an error"})
	require.Empty(t, e.Level)
	e = derived(t, o, `{level="debug"}`, model.Entry{Line: "an error", Metadata: []model.Pair{{Name: "detected_level", Value: "WARN"}, {Name: "x", Value: "y"}}})
	require.Equal(t, "WARN", e.Level, "what the client sent is not touched")
	require.Equal(t, []model.Pair{{Name: "x", Value: "y"}}, e.Metadata)
}

// Level outlives the request that the entry points into.
func TestLevelIsCopied(t *testing.T) {
	value := []byte("peculiar")
	d := New(testOptions())
	s, err := d.Stream(`{app="x"}`)
	require.NoError(t, err)
	e := model.Entry{Metadata: []model.Pair{{Name: "detected_level", Value: stringOver(value)}}}
	d.Entry(s, &e)
	copy(value, "........")
	require.Equal(t, "peculiar", e.Level)
}

// levelByLibrary finds a level in JSON with the library that Loki finds it with.
func levelByLibrary(fields []string, line string, maxDepth int) string {
	names := map[string]bool{}
	for _, n := range fields {
		names[n] = true
	}
	found := ""
	errFound := errors.New("found")
	var search func(data []byte, depth int) error
	search = func(data []byte, depth int) error {
		if maxDepth > 0 && depth >= maxDepth {
			return nil
		}
		return jsonparser.ObjectEach(data, func(key, value []byte, kind jsonparser.ValueType, _ int) error {
			switch {
			case kind == jsonparser.String && names[string(key)]:
				found = string(value)
				return errFound
			case kind == jsonparser.Object:
				return search(value, depth+1)
			}
			return nil
		})
	}
	_ = search([]byte(line), 0)
	return found
}

func FuzzLevelOfJSON(f *testing.F) {
	for _, l := range benchLines {
		f.Add(l.line, 2)
	}
	f.Add(`{"a":{"level":"warn"},"b":[1,{"x":2}],"c":"\"}","le\u0076el":"info"}`, 0)
	f.Add(`{"a":{"b":{"level":"warn"}}}`, 1)
	o := testOptions()
	fields := newLevelFields(o.LevelFields)
	f.Fuzz(func(t *testing.T, line string, depth int) {
		depth %= 4
		if !isJSON(line) {
			return
		}
		got := fields.inJSON(line, depth)
		if !json.Valid([]byte(line)) {
			return // there it must only return
		}
		require.Equal(t, levelByLibrary(o.LevelFields, line, depth), got, "%q", line)
	})
}

func FuzzLevelOfLine(f *testing.F) {
	for _, l := range benchLines {
		f.Add(l.line)
	}
	f.Add("level=\"tr\\u0063\" İ error")
	d := New(testOptions())
	f.Fuzz(func(t *testing.T, line string) {
		level := d.levelOfLine(line)
		require.Equal(t, level, knownLevelOrUnknown(level), "%q", line)
		// The quick look at keys never hides what reading the whole line would find.
		if value := logfmtWithoutLook(&d.fields, line); knownLevel(value) != "" {
			require.True(t, d.fields.mayHaveKey(line), "%q", line)
		}
	})
}

func knownLevelOrUnknown(level string) string {
	if level == LevelUnknown {
		return level
	}
	return knownLevel(level)
}

// logfmtWithoutLook is the slow twin of inLogfmt.
func logfmtWithoutLook(f *levelFields, line string) string {
	best, found := len(f.names), ""
	for i := 0; i < len(line); {
		for i < len(line) && line[i] <= ' ' {
			i++
		}
		key, value, next, ok := logfmtPair(line, i)
		if !ok {
			return found
		}
		i = next
		for rank, name := range f.names {
			if rank < best && strings.EqualFold(key, name) {
				best, found = rank, value
			}
		}
	}
	return found
}
