package template

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a template says, it compiles or not, and runs within its bounds. What it makes does not depend on the fast path,
// nor on labels that it is not said to read.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		`{{.app}} {{.status}}`, `{{__line__}}`, `{{.app.x}}`, `{{range $k, $v := .}}{{$k}}={{$v}}{{end}}`,
		`{{if .app}}{{.msg | upper | trunc 3}}{{else}}{{.n}}{{end}}`, `{{with .app}}{{.}}{{end}}`, `{{index . "app"}}`,
		`{{printf "%-5s|%5d" .app 3}}`, `{{round (divf .n 3) 2}}`, `{{range 99999999}}{{.}}{{end}}`, `{{repeat 99999999 .app}}`,
		`{{define "a"}}{{.}}{{end}}{{template "a" .app}}`, `{{(fromJson .json).a}}`, `{{regexReplaceAll "(.)" .msg "$1$1"}}`,
		`{{$x := .}}{{$x.app}}`, `{{$.app}}{{index $ "n"}}`, `{{substr -1 -1 .app}}`, `{{slice .app 9}}`, `{{block "b" .}}{{.n}}{{end}}`,
	} {
		f.Add(text, "app", "api")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		tmpl, err := Compile("line", text)
		if err != nil {
			return
		}
		e := newTestEntry()
		e.labels[name] = value
		got, gotErr := tmpl.Append(nil, e)
		require.LessOrEqual(t, len(got), outputBytesMax)
		if gotErr != nil {
			require.Empty(t, got)
		}
		if strings.Contains(text, "now") || strings.Contains(text, "date") {
			return // they tell the time
		}
		want, wantErr := slowTwin(t, text).Append(nil, e)
		require.Equal(t, wantErr == nil, gotErr == nil, "%v and %v", wantErr, gotErr)
		require.Equal(t, string(want), string(got))
	})
}
