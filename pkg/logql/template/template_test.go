package template

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// testEntry has a few labels and a line.
type testEntry struct {
	line   string
	at     model.Timestamp
	labels map[string]string
	asked  int // Ended
	until  int // after so many times it has; 0: never
}

func (e *testEntry) Ended() bool {
	e.asked++
	return e.until > 0 && e.asked > e.until
}

func (e *testEntry) Line() string               { return e.line }
func (e *testEntry) Timestamp() model.Timestamp { return e.at }
func (e *testEntry) Label(name string) string   { return e.labels[name] }

func (e *testEntry) Labels(yield func(name, value string) bool) {
	for _, name := range slices.Sorted(maps.Keys(e.labels)) {
		if !yield(name, e.labels[name]) {
			return
		}
	}
}

func newTestEntry() *testEntry {
	return &testEntry{
		line:   "GET /a 200",
		at:     1661518453244672570,
		labels: map[string]string{"app": "api", "status": "200", "msg": "hello world", "n": "7", "f": "2.5", "json": `{"a":[1,2,{"b":null}],"c":5}`},
	}
}

// slowTwin compiles without the fast path, for all labels.
func slowTwin(t require.TestingT, text string) *Template {
	trees, err := syntax.ParseTemplate("line", text)
	require.NoError(t, err)
	twin := &Template{reads: Reads{Line: true, AllNames: true}}
	require.NoError(t, twin.compileFull("line", trees))
	return twin
}

func mustCompile(t require.TestingT, text string) *Template {
	tmpl, err := Compile("line", text)
	require.NoError(t, err)
	return tmpl
}

func TestSimple(t *testing.T) {
	e := newTestEntry()
	f := func(text, want string) {
		t.Helper()
		tmpl := mustCompile(t, text)
		require.Nil(t, tmpl.full, "%s is not simple", text)
		got, err := tmpl.Append([]byte("before "), e)
		require.NoError(t, err)
		require.Equal(t, "before "+want, string(got))
		got, err = slowTwin(t, text).Append([]byte("before "), e)
		require.NoError(t, err)
		require.Equal(t, "before "+want, string(got), "text/template says otherwise")
	}
	f(``, ``)
	f(`text`, `text`)
	f(`{{.app}}`, `api`)
	f(`{{ .app }} {{$.status}}`, `api 200`)
	f(`{{.absent}}`, ``)
	f(`a {{- .app -}} b`, `aapib`)
	f(`{{/* nothing */}}a{{"b"}}{{.app}}`, `abapi`)
	f(`{{__line__}}!`, `GET /a 200!`)
	f("{{`{{`}}", `{{`)

	for _, text := range []string{`{{.app.x}}`, `{{.}}`, `{{$x := .app}}`, `{{.app | upper}}`, `{{if .app}}x{{end}}`, `{{__timestamp__}}`, `{{1}}`, `{{nil | print}}`, `{{(.app)}}`} {
		require.NotNil(t, mustCompile(t, text).full, text)
	}
}

func TestSimpleIsBounded(t *testing.T) {
	e := newTestEntry()
	e.labels["app"] = strings.Repeat("x", outputBytesMax)
	got, err := mustCompile(t, `{{.app}}`).Append(nil, e)
	require.NoError(t, err)
	require.Len(t, got, outputBytesMax)
	got, err = mustCompile(t, `{{.app}}{{.app}}`).Append([]byte("before"), e)
	require.ErrorIs(t, err, errTooLong)
	require.Equal(t, "before", string(got))
}

func TestSingleLabel(t *testing.T) {
	f := func(text, want string, wantOK bool) {
		t.Helper()
		name, ok := mustCompile(t, text).SingleLabel()
		require.Equal(t, want, name)
		require.Equal(t, wantOK, ok)
	}
	f(`{{.app}}`, "app", true)
	f(`{{$.app}}`, "app", true)
	f(`{{.app}} `, "", false)
	f(`{{__line__}}`, "", false)
	f(`app`, "", false)
	f(``, "", false)
	f(`{{.app | upper}}`, "", false)
}

// What one run leaves must not show in the next.
func TestReuse(t *testing.T) {
	tmpl := mustCompile(t, `{{range $k, $v := .}}{{$k}}={{$v}} {{end}}{{.x}}`)
	one := &testEntry{labels: map[string]string{"a": "1", "x": "2"}}
	two := &testEntry{labels: map[string]string{"b": "3"}}
	for range 2 {
		got, err := tmpl.Append(nil, one)
		require.NoError(t, err)
		require.Equal(t, "a=1 x=2 2", string(got))
		got, err = tmpl.Append(got, two)
		require.NoError(t, err)
		require.Equal(t, "a=1 x=2 2b=3 ", string(got))
	}
}

// A failed run appends nothing, and says where it failed.
func TestErrors(t *testing.T) {
	e := newTestEntry()
	f := func(text, want string) {
		t.Helper()
		got, err := mustCompile(t, text).Append([]byte("before"), e)
		require.EqualError(t, err, want)
		require.Equal(t, "before", string(got))
	}
	f(`x{{.app.foo}}`, `template: line:1:7: executing "line" at <.app.foo>: can't evaluate field foo in type string`)
	f(`{{.app now}}`, `template: line:1:2: executing "line" at <.app>: app is not a method but has arguments`)
	f(`{{.app | now}}`, `template: line:1:9: executing "line" at <now>: wrong number of args for now: want 0 got 1`)
	f(`{{replace "test" .app}}`, `template: line:1:2: executing "line" at <replace>: wrong number of args for replace: want 3 got 2`)
	f(`{{div 1 0}}`, `template: line:1:2: executing "line" at <div 1 0>: error calling div: runtime error: integer divide by zero`)
	f(`{{mod 1 0}}`, `template: line:1:2: executing "line" at <mod 1 0>: error calling mod: runtime error: integer divide by zero`)
	f(`{{divf 1 0}}`, `template: line:1:2: executing "line" at <divf 1 0>: error calling divf: decimal division by 0`)
	f(`{{addf "NaN" 1}}`, `template: line:1:2: executing "line" at <addf "NaN" 1>: error calling addf: not a finite number`)
	f(`{{divf 1 "inf"}}`, `template: line:1:2: executing "line" at <divf 1 "inf">: error calling divf: not a finite number`)
	f(`{{substr 9 20 .app}}`, `template: line:1:2: executing "line" at <substr 9 20 .app>: error calling substr: runtime error: slice bounds out of range [9:3]`)
	f(`{{repeat -1 .app}}`, `template: line:1:2: executing "line" at <repeat -1 .app>: error calling repeat: strings: negative Repeat count`)
	f(`{{nindent -1 .app}}`, `template: line:1:2: executing "line" at <nindent -1 .app>: error calling nindent: strings: negative Repeat count`)
	f(`{{trunc .n .app}}`, `template: line:1:8: executing "line" at <.n>: wrong type for value; expected int; got string`)
	f(`{{unixEpoch .n}}`, `template: line:1:12: executing "line" at <.n>: wrong type for value; expected time.Time; got string`)
	f(`{{unixToTime "x"}}`, `template: line:1:2: executing "line" at <unixToTime "x">: error calling unixToTime: unable to parse time 'x': strconv.ParseInt: parsing "x": invalid syntax`)
	f(`{{unixToTime "12"}}`, `template: line:1:2: executing "line" at <unixToTime "12">: error calling unixToTime: unable to parse time '12': it has neither 5, 10, 13, 16 nor 19 digits`)
	f(`{{bytes "x"}}`, `template: line:1:2: executing "line" at <bytes "x">: error calling bytes: strconv.ParseFloat: parsing "": invalid syntax`)
	f(`{{duration "x"}}`, `template: line:1:2: executing "line" at <duration "x">: error calling duration: time: invalid duration "x"`)
	f(`{{urldecode "%x"}}`, `template: line:1:2: executing "line" at <urldecode "%x">: error calling urldecode: invalid URL escape "%x"`)
	f("{{count `(` .app}}", "template: line:1:2: executing \"line\" at <count `(` .app>: error calling count: error parsing regexp: missing closing ): `(`")
	f(`{{lt 1 .app}}`, `template: line:1:2: executing "line" at <lt 1 .app>: error calling lt: incompatible types for comparison: int and string`)
	f(`{{call .app}}`, `template: line:1:2: executing "line" at <call .app>: error calling call: non-function .app of type string`)
	f(`{{template "x"}}`, `template: line:1:11: executing "line" at <{{template "x"}}>: template "x" not defined`)
}

// For templates of random parts, the fast path says the same as text/template.
func TestSimpleTwin(t *testing.T) {
	parts := rapid.SampledFrom([]string{"a", " ", "\n", "{{.app}}", "{{ .status -}}", "{{- $.msg }}", "{{.absent}}", "{{__line__}}", `{{"q"}}`, "{{/* c */}}", "é"})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOf(parts).Draw(rt, "parts"), "")
		fast := mustCompile(rt, text)
		require.Nil(rt, fast.full)
		got, err := fast.Append(nil, newTestEntry())
		require.NoError(rt, err)
		want, err := slowTwin(rt, text).Append(nil, newTestEntry())
		require.NoError(rt, err)
		require.Equal(rt, string(want), string(got))
	})
}
