package template

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Each of these would take gigabytes or hours.
func TestLimits(t *testing.T) {
	e := newTestEntry()
	e.line = strings.Repeat("x ", 128<<10)
	e.labels["m"] = strings.Repeat("y", 1<<20)
	f := func(text string, want error) {
		t.Helper()
		got, err := mustCompile(t, text).Append([]byte("before"), e)
		require.ErrorIs(t, err, want, "%.60s", text)
		require.Equal(t, "before", string(got))
	}
	many := func(text string) string { return strings.Repeat(text, 20_000) }

	f(`{{repeat 99999999999 "x"}}`, errTooLong)
	f(`{{repeat 9 __line__}}`, errTooLong)
	f(`{{indent 99999999999 "x"}}`, errTooLong)
	f(`{{indent 9223372036854775807 "x"}}`, errTooLong)
	f(`{{nindent 100000 (repeat 1000 "\n")}}`, errTooLong)
	f(`{{alignLeft 99999999999 "x"}}`, errTooLong)
	f(`{{alignRight 99999999999 "x"}}`, errTooLong)
	f(`{{replace "x" .m __line__}}`, errTooLong)
	f(`{{Replace __line__ "" .m -1}}`, errTooLong)
	f(`{{regexReplaceAll "x" __line__ .m}}`, errTooLong)
	f(`{{regexReplaceAllLiteral "" __line__ .m}}`, errTooLong)
	f(`{{regexReplaceAll "(.*)" .m "`+strings.Repeat("$1", 10_000)+`"}}`, errTooLong)
	f(`{{printf "%1000000d%1000000d" 1 2}}`, errTooLong)
	f(`{{printf "`+many("%999999d")+`" 1}}`, errTooLong)
	f(`{{printf "`+many("%[1]*d")+`" 999999}}`, errTooLong)
	f(`{{printf "`+many("%[1]s")+`" .m}}`, errTooLong)
	f(`{{print`+many(" .m")+`}}`, errWork)
	f(`{{html`+many(" .m")+`}}`, errWork)
	f(`{{urlencode (repeat 500000 "é")}}`, errTooLong)
	f(`{{print .}}`, errTooLong)
	f(`{{__line__}}{{.m}}`, errTooLong)
	f(`{{$x := "x"}}{{range 100}}{{$x = print $x $x}}{{end}}`, errTooLong)
	f(`{{range 999999999999}}{{end}}`, errSteps)
	f(`{{range 99999}}{{range 99999}}{{end}}{{end}}`, errSteps)
	f(`{{range 99999}}{{$x := 1}}{{end}}`, errSteps)
	f(`{{range 1000}}{{if or`+many(" 0")+`}}{{end}}{{end}}`, errSteps)
	f(`{{range 1000}}{{$x := lower $.m}}{{end}}`, errWork)
	f(`{{range 1000}}{{$x := count "y" $.m}}{{end}}`, errWork)
	f(`{{range 60000}}{{$x := contains "z" $.m}}{{end}}`, errWork)
	f(`{{range 100}}{{$x := fromJson (repeat 100000 "[],")}}{{end}}`, errWork)
	f(doubling(40), errSteps)
	f(`{{mulf`+many(" 1e300")+`}}`, errNumberSize)

	_, err := mustCompile(t, "{{count `(((x{100}){10}y){100}z)` .app}}").Append(nil, e)
	require.ErrorContains(t, err, "invalid repeat count")
	_, err = mustCompile(t, `{{count (repeat 300 "(x{1000})") .app}}`).Append(nil, e)
	require.ErrorContains(t, err, "regular expressions are too large")
}

// doubling is a template whose n templates call the next one twice.
func doubling(n int) string {
	var b strings.Builder
	name := func(i int) string { return strings.Repeat("t", i+1) }
	for i := range n {
		b.WriteString(`{{define "` + name(i) + `"}}{{template "` + name(i+1) + `"}}{{template "` + name(i+1) + `"}}{{end}}`)
	}
	b.WriteString(`{{define "` + name(n) + `"}}{{end}}{{template "` + name(0) + `"}}`)
	return b.String()
}

// The next entry has an allowance of its own.
func TestLimitsAreOfOneRun(t *testing.T) {
	e := newTestEntry()
	e.labels["m"] = strings.Repeat("y", 1<<20)
	tmpl := mustCompile(t, `{{range 20}}{{$x := lower $.m}}{{end}}{{range 40000}}{{end}}ok`)
	for range 5 {
		got, err := tmpl.Append(nil, e)
		require.NoError(t, err)
		require.Equal(t, "ok", string(got))
	}
}

// Expressions made from labels do not pile up.
func TestCachesAreBounded(t *testing.T) {
	e := newTestEntry()
	tmpl := mustCompile(t, `{{count .app .msg}}{{toDateInZone "2006" .app "2020" | len | print}}`)
	for i := range 1000 {
		e.labels["app"] = strings.Repeat("l", i)
		_, _ = tmpl.Append(nil, e)
		require.LessOrEqual(t, len(tmpl.run.regexps), cachedMax)
		require.LessOrEqual(t, len(tmpl.run.zones), cachedMax)
	}
	require.NotEmpty(t, tmpl.run.regexps)
}

func TestRecursionIsRefused(t *testing.T) {
	f := func(text string) {
		t.Helper()
		_, err := Compile("line", text)
		require.ErrorContains(t, err, "calls itself")
	}
	f(`{{template "line"}}`)
	f(`{{define "a"}}{{template "a"}}{{end}}`)
	f(`{{define "a"}}{{if 1}}{{template "b"}}{{end}}{{end}}{{define "b"}}{{with 1}}x{{else}}{{range 2}}{{template "a"}}{{end}}{{end}}{{end}}x`)
	_, err := Compile("line", `{{define "a"}}x{{end}}{{define "b"}}{{template "a"}}{{template "a"}}{{end}}{{template "b"}}{{template "a"}}`)
	require.NoError(t, err)
}

// An expression that looks at all the rest of a text for each match ends when nobody waits.
func TestSlowRegexpsEnd(t *testing.T) {
	for _, text := range []string{"{{count `a*b|a` __line__}}", "{{regexReplaceAll `a*b|a` __line__ `x`}}", "{{regexReplaceAllLiteral `a*b|a` __line__ `x`}}"} {
		e := newTestEntry()
		e.line, e.until = strings.Repeat("a", 128<<10), 3
		_, err := mustCompile(t, text).Append(nil, e)
		require.ErrorIs(t, err, errEnded, text)
		require.Equal(t, 4, e.asked, text)
	}
}

func TestManyStepsEnd(t *testing.T) {
	e := newTestEntry()
	e.until = 3
	_, err := mustCompile(t, "{{range 60000}}{{if eq $.app $.msg}}{{end}}{{end}}").Append(nil, e)
	require.ErrorIs(t, err, errEnded)
	require.Equal(t, 4, e.asked)
}

// What a template remembers of an expression or time zone that is made of an entry outlives the entry.
func TestCachesOwnTheirTexts(t *testing.T) {
	f := func(template, value string) {
		t.Helper()
		tmpl := mustCompile(t, template)
		e, memory := newTestEntry(), []byte(value)
		e.labels["v"] = unsafe.String(&memory[0], len(memory))
		want, wantErr := tmpl.Append(nil, e)
		for i := range memory {
			memory[i] = '!'
		}
		e.labels["v"] = value
		got, err := tmpl.Append(nil, e)
		require.Equal(t, wantErr == nil, err == nil)
		if err != nil {
			require.NotContains(t, err.Error(), "!")
		}
		require.Equal(t, string(want), string(got))
	}

	f(`{{count .v "x"}}`, "x(")
	f(`{{printf "%#v" (toDateInZone "2006-01-02" .v "2024-02-03")}}`, "Europe/Berlin")
}
