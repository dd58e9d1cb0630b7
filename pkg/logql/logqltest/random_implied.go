package logqltest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// spelled is what values are made of: what may be escaped, folds to something else, is no UTF-8, means something to a
// regular expression, and plain text.
var spelled = []string{
	"a", "b", "Ks", "ok", "503", "-", ".", "_", "(", ")", "{", "*", " ", `"`, `\`, "/", "'", "`", "<", "&", "+", "=", "é", "K", "ſ", "日", "🎉", "\n", "\t",
	"\x00", "\x7f", "\xff", "\ufffd",
}

// spell writes the value as a JSON string or a quoted value of logfmt may, each character in one of its ways; without escapes
// by numbers unless numbers is set.
func spell(t *rapid.T, value string, numbers bool) string {
	var b strings.Builder
	for _, r := range value {
		units := fmt.Sprintf(`\u%04x`, r)
		if r > 0xffff {
			units = fmt.Sprintf(`\u%04X\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
		ways := []string{string(r), string(r)}
		if numbers {
			ways = append(ways, units, strings.ToUpper(units[:2])+units[2:])
		}
		if short, ok := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\n': `\n`, '\t': `\t`, '\'': `\'`, 'a': `\a`, 'b': `\b`}[r]; ok {
			ways = append(ways, short, short)
		}
		b.WriteString(drawOf(t, "way", ways...))
	}
	return b.String()
}

// impliedParsers find v, or v_w, in the lines of drawSpelled.
var impliedParsers = []string{
	`json`, `json v="v"`, `logfmt`, `logfmt v="v"`, `logfmt --strict`, `regexp "v\":? ?=?\"?(?P<v>[^,}]*)\""`, `pattern "<_>v\":\"<v>\"<_>"`,
	`pattern "<_>v=<v>"`, `unpack`,
}

// RunImplied writes values into lines in every way there is, and asks for them over the stores that newStore makes: what a
// comparison implies of the line leaves out nothing.
func RunImplied(t *testing.T, newStore NewStore) {
	t.Helper()
	found, cut := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		value := strings.Join(rapid.SliceOfN(rapid.SampledFrom(spelled), 1, 6).Draw(rt, "value"), "")
		streams := []model.Stream{drawSpelled(rt, value, labels.FromStrings("app", "a"))}
		if drawOften(rt, "in the stream", 3) {
			streams = append(streams, drawSpelled(rt, value, labels.FromStrings("app", "a", "v", strings.ToValidUTF8(value, " "))))
		}
		store := newStore(t, streams...)
		for range 12 {
			p := engine.Params{Tenant: model.DefaultTenant, Start: day, End: day.Add(1000), Limit: 100, Direction: storage.Forward}
			p.Query = fmt.Sprintf(`{app="a"} | %s | drop __error__ | %s`, drawOf(rt, "parser", impliedParsers...), drawImplying(rt, value))
			want, got := askWithout(rt, store, p, "implied"), askWithout(rt, store, p)
			if why := differentAnswers(want, got, nil, nil); why != "" {
				rt.Fatalf("%s\n\n%s", why, scriptOf(streams, p))
			}
			found += len(want.Entries)
			cut += int(want.Stats.Lines - got.Stats.LinesMatched)
		}
	})
	require.Positive(t, found)
	require.Positive(t, cut)
}

// drawSpelled draws a stream whose lines have the value, each spelled in its own way or in one that all share.
func drawSpelled(t *rapid.T, value string, ls labels.Labels) model.Stream {
	s := model.Stream{Labels: ls}
	escapes := drawOften(t, "escapes", 5) // else a store may know that no line spells by numbers
	for i := range 8 {
		text := spell(t, value, escapes)
		line := drawOf(t, "line", `{"x":1,"v":"`+text+`","y":2}`, `x=1 v="`+text+`" y=2`, `x=1 v=`+value, `{"v":"`+value+`"}`, `{"_entry":"e","v":"`+text+`"}`,
			`{"v":{"w":"`+text+`"},"x"`)
		e := model.Entry{Timestamp: day.Add(time.Duration(i)), Line: line}
		if v := strings.ToValidUTF8(value, " "); drawOften(t, "metadata", 2) {
			e.Metadata = []model.Pair{{Name: "v", Value: v}}
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

// drawImplying draws a filter that holds for the value.
func drawImplying(t *rapid.T, value string) string {
	quoted := strconv.Quote(value)
	literal := func(text string) string { return regexpLiteral(strings.ToValidUTF8(text, " ")) }
	return drawOf(t, "filter",
		`v=`+quoted,
		`v=`+strconv.Quote(strings.ReplaceAll(strings.ToValidUTF8(value, " "), "\ufffd", " ")), // as parsers leave it
		`v="none" or v=`+quoted,
		`x="1" and v=`+quoted+` or v="more"`,
		`v=~`+strconv.Quote(literal(value)),
		`v=~`+strconv.Quote("(?i)"+literal(strings.ToUpper(value))),
		`v=~`+strconv.Quote("(?:"+literal(value)+")|(?i:other)"),
		`v=~`+strconv.Quote(".*"+literal(value)+"x?"),
		`v_w=`+quoted,
	)
}

// regexpLiteral is regexp.QuoteMeta, also for characters outside of ASCII in one of the ways to write them.
func regexpLiteral(text string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, `\x{%x}`, r)
	}
	return b.String()
}

func askWithout(t *rapid.T, store storage.Querier, p engine.Params, rules ...string) *engine.Result {
	e, err := engine.New(engine.Config{Querier: store, Plan: plan.Options{Without: rules}})
	require.NoError(t, err)
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err, p.Query)
	return res
}
