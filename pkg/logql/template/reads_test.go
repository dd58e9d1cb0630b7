package template

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReads(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		require.Equal(t, Reads{Names: want}, mustCompile(t, text).Reads(), text)
	}
	line := func(text string, want ...string) {
		t.Helper()
		require.Equal(t, Reads{Line: true, Names: want}, mustCompile(t, text).Reads(), text)
	}
	all := func(text string) {
		t.Helper()
		require.Equal(t, Reads{AllNames: true}, mustCompile(t, text).Reads(), text)
	}
	f(`text`)
	f(`{{now}}`)
	f(`{{.b}}{{.a}}{{.b}}`, "a", "b")
	f(`{{$.a}}`, "a")
	f(`{{.a.b}}`, "a")
	f(`{{if .a}}{{.b}}{{else if .c}}{{.d}}{{else}}{{.e}}{{end}}`, "a", "b", "c", "d", "e")
	f(`{{index . "a"}}{{index $ "b"}}{{(index . "c") | upper}}`, "a", "b", "c")
	f(`{{.a | default .b | printf "%s" .c}}`, "a", "b", "c")
	f(`{{with .a}}{{.}}{{.x}}{{$.b}}{{else}}{{.c}}{{end}}`, "a", "b", "c")
	f(`{{range fromJson .a}}{{.}}{{.x}}{{$.b}}{{else}}{{.c}}{{end}}`, "a", "b", "c")
	f(`{{range $i, $e := fromJson .a}}{{$i}}{{$e.x}}{{end}}`, "a")
	f(`{{$x := .a}}{{$x}}{{$x = .b}}`, "a", "b")
	f(`{{(fromJson .a).b}}`, "a")
	f(`{{define "t"}}{{.x}}{{$.y}}{{end}}{{template "t" .a}}{{template "t"}}`, "a")
	f(`{{and (eq .a "x") (not .b)}}`, "a", "b")

	line(`{{__line__}}`)
	line(`{{.a}}{{__line__ | upper}}`, "a")
	line(`{{if contains "x" __line__}}{{.a}}{{end}}`, "a")
	line(`{{define "t"}}{{range 3}}{{__line__}}{{end}}{{end}}{{template "t"}}`)

	all(`{{.}}`)
	all(`{{$}}`)
	all(`{{range .}}{{end}}`)
	all(`{{range $k, $v := $}}{{$k}}{{end}}`)
	all(`{{with .}}{{.a}}{{end}}`)
	all(`{{with .x}}{{with $}}{{.a}}{{end}}{{end}}`)
	all(`{{len .}}`)
	all(`{{$x := .}}{{$x.a}}`)
	all(`{{(.).a}}`)
	all(`{{index . .a}}`)
	all(`{{index . "a" "b"}}`)
	all(`{{"a" | index .}}`)
	all(`{{. | printf "%v"}}`)
	all(`{{define "t"}}{{.x}}{{end}}{{template "t" .}}`)
	all(`{{block "t" $}}{{.x}}{{end}}`)
	all(`{{with .x}}{{index $ .}}{{end}}`)
}
