package logqltest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

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

// spell writes the value as a JSON string or a quoted value of logfmt may, each character in one of its ways.
func spell(t *rapid.T, value string) string {
	var b strings.Builder
	for _, r := range value {
		units := fmt.Sprintf(`\u%04x`, r)
		if r > 0xffff {
			units = fmt.Sprintf(`\u%04X\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
		ways := []string{string(r), string(r), units, strings.ToUpper(units[:2]) + units[2:]}
		if short, ok := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\n': `\n`, '\t': `\t`, '\'': `\'`, 'a': `\a`, 'b': `\b`}[r]; ok {
			ways = append(ways, short, short)
		}
		b.WriteString(drawOf(t, "way", ways...))
	}
	return b.String()
}

// TestImpliedLinesMissNothing: whichever way a value is written in a line, asking for it finds the line as if nothing had
// been implied.
func TestImpliedLinesMissNothing(t *testing.T) {
	found, cut := 0, 0
	parsers := []string{`json`, `json v="v"`, `logfmt`, `logfmt v="v"`, `logfmt --strict`, `regexp "v\":? ?=?\"?(?P<v>[^,}]*)\""`, `pattern "<_>v\":\"<v>\"<_>"`, `pattern "<_>v=<v>"`, `unpack`}
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(rapid.SliceOfN(rapid.SampledFrom(spelled), 1, 6).Draw(t, "value"), "")
		s := model.Stream{Labels: labels.FromStrings("app", "a")}
		for range 8 {
			text := spell(t, value)
			line := drawOf(t, "line", `{"x":1,"v":"`+text+`","y":2}`, `x=1 v="`+text+`" y=2`, `x=1 v=`+value, `{"v":"`+value+`"}`, `{"_entry":"e","v":"`+text+`"}`, `{"v":{"w":"`+text+`"},"x"`)
			e := model.Entry{Timestamp: day.Add(1), Line: line}
			if drawOften(t, "metadata", 2) {
				e.Metadata = []model.Pair{{Name: "v", Value: value}}
			}
			s.Entries = append(s.Entries, e)
		}
		for range 12 {
			p := engine.Params{Start: day, End: day.Add(1000), Limit: 100, Direction: storage.Forward}
			p.Query = fmt.Sprintf(`{app="a"} | %s | drop __error__ | %s`, drawOf(t, "parser", parsers...), drawImplying(t, value))
			want, wantErr := askOf(t, s, p, "implied")
			got, err := askOf(t, s, p)
			require.NoError(t, err, p.Query)
			require.NoError(t, wantErr, p.Query)
			if why := differentAnswers(want, got, nil, nil); why != "" {
				t.Fatalf("%s\n\n%s", why, scriptOf([]model.Stream{s}, p))
			}
			found += len(want.Entries)
			cut += int(want.Stats.Lines - got.Stats.LinesMatched)
		}
	})
	require.Positive(t, found)
	require.Positive(t, cut)
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

func askOf(t *rapid.T, s model.Stream, p engine.Params, without ...string) (*engine.Result, error) {
	e, err := engine.New(engine.Config{Querier: NewSlowStore(s), Plan: plan.Options{Without: without}})
	require.NoError(t, err)
	return e.Exec(t.Context(), p)
}
