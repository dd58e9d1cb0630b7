package syntax

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"selector", `{app="api", env=~"prod|stage"}`},
		{"filters", `{app="api"} |= "error" or "fatal" != "timeout" |~ "(?i)refused" | json | status >= 500 and took > 1.5s`},
		{"metric", `sum by (app, status) (rate({env="prod"} | json | status >= 500 | __error__="" [5m])) / on (app) group_left () sum by (app) (rate({env="prod"}[5m])) > 0.05`},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
