package template

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkAppend(b *testing.B) {
	for _, bm := range []struct{ name, text string }{
		{"label", `{{.msg}}`},
		{"parts", `{{.app}} {{.status}} {{.msg}}`},
		{"default", `{{.app}} {{.status | default "-"}}`},
		{"if", `{{if eq .status "200"}}ok{{else}}{{.msg | upper}}{{end}}`},
		{"range", `{{range $k, $v := .}}{{$k}}={{$v}} {{end}}`},
		{"regexp", `{{regexReplaceAll "(l+)" .msg "<$1>"}}`},
	} {
		tmpl := mustCompile(b, bm.text)
		run := func(name string, tmpl *Template) {
			b.Run("template="+bm.name+"/path="+name, func(b *testing.B) {
				e := newTestEntry()
				var out []byte
				var err error
				b.ReportAllocs()
				for b.Loop() {
					out, err = tmpl.Append(out[:0], e)
				}
				require.NoError(b, err)
			})
		}
		run("own", tmpl)
		run("slow", slowTwin(b, bm.text))
	}
}
