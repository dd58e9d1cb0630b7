package derive

import (
	"fmt"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

var benchLines = []struct{ name, line string }{
	{"json level first", `{"ts":"2023-11-14T22:13:20.123456Z","level":"info","msg":"request served","path":"/api/v1/users/4711","status":200,"duration_ms":12,"user":{"id":"u-4711","plan":"pro"},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`},
	{"json level last", `{"ts":"2023-11-14T22:13:20.123456Z","msg":"request served","path":"/api/v1/users/4711","status":200,"duration_ms":12,"user":{"id":"u-4711","plan":"pro"},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","level":"info"}`},
	{"json without level", `{"ts":"2023-11-14T22:13:20.123456Z","msg":"request served","path":"/api/v1/users/4711","status":200,"duration_ms":12,"user":{"id":"u-4711","plan":"pro"},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`},
	{"logfmt", `ts=2023-11-14T22:13:20.123456Z caller=handler.go:120 level=info msg="request served" path=/api/v1/users/4711 status=200 duration=12ms trace_id=4bf92f3577b34da6a3ce929d0e0e4736`},
	{"access log", `10.0.0.17 - - [14/Nov/2023:22:13:20 +0000] "GET /api/v1/users/4711?page=2&sort=name HTTP/1.1" 200 5120 "https://example.com/users" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`},
	{"word early", `2023-11-14 22:13:20,123 INFO  [http-nio-8080-exec-4] c.e.users.UserController : served request for user 4711 in 12 ms from cache region eu-west`},
	{"no word", `Nov 14 22:13:20 host-17 sshd[4711]: Accepted publickey for deploy from 10.0.0.17 port 50022 ssh2: ED25519 SHA256:9f86d081884c7d659a2feaa0c55ad015`},
}

func BenchmarkLevelOfLine(b *testing.B) {
	d := New(testOptions())
	for _, l := range benchLines {
		b.Run(l.name, func(b *testing.B) {
			b.SetBytes(int64(len(l.line)))
			b.ReportAllocs()
			for b.Loop() {
				d.levelOfLine(l.line)
			}
		})
	}
}

func BenchmarkEntryWithMetadata(b *testing.B) {
	d := New(testOptions())
	s, err := d.Stream(`{app="api"}`)
	if err != nil {
		b.Fatal(err)
	}
	pairs := []model.Pair{{Name: "trace_id", Value: "4bf92f3577b34da6a3ce929d0e0e4736"}, {Name: "span.id", Value: "00f067aa0ba902b7"}, {Name: "pod", Value: "api-1"}}
	e := model.Entry{Line: benchLines[0].line}
	work := make([]model.Pair, len(pairs))
	b.ReportAllocs()
	for b.Loop() {
		copy(work, pairs)
		e.Metadata = work
		d.Entry(s, &e)
	}
}

func BenchmarkStream(b *testing.B) {
	text := `{namespace="prod", app="api", pod="api-7c9d8b5f4-x2x8p", container="api", node="node-17", stream="stderr", cluster="eu-west-1", job="prod/api"}`
	set := labels.FromStrings("namespace", "prod", "app", "api", "pod", "api-7c9d8b5f4-x2x8p", "container", "api", "stream", "stderr")
	d := New(testOptions())
	b.Run("known text", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = d.Stream(text)
		}
	})
	b.Run("known set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = d.StreamOf(set)
		}
	})
	b.Run("new text", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			_, _ = d.Stream(fmt.Sprintf(`{namespace="prod", app="api", pod="api-%d", container="api", node="node-17", stream="stderr"}`, i))
		}
	})
}
