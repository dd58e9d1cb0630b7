package pipeline

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/buger/jsonparser"
	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

const benchLines = 1024

// benchBatch is a batch of lines as an HTTP service writes them, about 300 bytes each.
func benchBatch(line func(i int) string) *Batch {
	b := &Batch{Streams: []labels.Labels{labels.FromStrings("app", "api", "env", "prod", "pod", "api-7d9f-x2b4", "cluster", "eu-1")}}
	for i := range benchLines {
		b.StreamIndex = append(b.StreamIndex, 0)
		b.Timestamps = append(b.Timestamps, 0)
		b.Lines = append(b.Lines, line(i))
		b.Levels = append(b.Levels, "info")
		b.Metadata = append(b.Metadata, []model.Pair{{Name: "trace_id", Value: fmt.Sprintf("%032x", i*7919)}})
	}
	return b
}

func benchJSONLine(i int) string {
	level := []string{"info", "info", "debug", "warn"}[i&3]
	optional := ""
	if i%5 == 0 {
		optional = `"retry":true,`
	}
	return fmt.Sprintf(`{"ts":"2026-03-01T12:%02d:%02d.%06dZ","level":"%s","caller":"http/server.go:%d","msg":"request handled",%s`+
		`"method":"GET","path":"/api/v1/items/%d","status":%d,"duration_ms":%d.%03d,"bytes":%d,"client":{"ip":"10.%d.%d.7","agent":"Mozilla/5.0 (X11; Linux x86_64)"},`+
		`"trace_id":"%032x","user":"user-%d"}`,
		i/60%60, i%60, i*977%1000000, level, 40+i%900, optional, i*31%10000, 200+i%4*100, i%900, i%1000, i*97%100000, i%256, i*3%256, i*7919, i%500)
}

// run parses the batch again and again, and says how many bytes of lines it saw.
func run(b *testing.B, batch *Batch, stages string, o Options) {
	b.Helper()
	p, err := Compile(stagesOf(b, stages), o)
	require.NoError(b, err)
	total := 0
	for _, line := range batch.Lines {
		total += len(line)
	}
	b.SetBytes(int64(total))
	b.ReportAllocs()
	for b.Loop() {
		batch.Selected.Fill(len(batch.Lines))
		require.NoError(b, p.Run(batch, 0))
	}
}

// reads is what a metric query has its parsers look for.
func reads(names ...string) Options {
	o := wants(names...)
	o.Wanted.Errors = false
	return o
}

// perLine measures a primitive over the same lines.
func perLine(b *testing.B, batch *Batch, f func(line []byte)) {
	b.Helper()
	var lines [][]byte
	total := 0
	for _, line := range batch.Lines {
		lines = append(lines, []byte(line))
		total += len(line)
	}
	b.SetBytes(int64(total))
	for b.Loop() {
		for _, line := range lines {
			f(line)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	batch := benchBatch(benchJSONLine)
	b.Run("primitive=ObjectEach", func(b *testing.B) {
		var each func(key, value []byte, kind jsonparser.ValueType, _ int) error
		each = func(_, value []byte, kind jsonparser.ValueType, _ int) error {
			if kind == jsonparser.Object {
				return jsonparser.ObjectEach(value, each)
			}
			return nil
		}
		perLine(b, batch, func(line []byte) {
			if err := jsonparser.ObjectEach(line, each); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("keys=none", func(b *testing.B) { run(b, batch, "| json", Options{}) })
	b.Run("keys=early", func(b *testing.B) { run(b, batch, "| json", reads("level")) })
	b.Run("keys=late", func(b *testing.B) { run(b, batch, "| json", reads("user")) })
	b.Run("keys=5", func(b *testing.B) {
		run(b, batch, "| json", reads("level", "status", "client_ip", "duration_ms", "path"))
	})
	b.Run("keys=5,errors", func(b *testing.B) { // lines are read to their ends
		run(b, batch, "| json", wants("level", "status", "client_ip", "duration_ms", "path"))
	})
	b.Run("keys=all", func(b *testing.B) { run(b, batch, "| json", all) })
	b.Run("paths=2", func(b *testing.B) { run(b, batch, `| json status, ip="client.ip"`, all) })
	b.Run("text", func(b *testing.B) {
		run(b, benchBatch(func(int) string { return "no JSON at all" }), "| json", all)
	})
}

func benchLogfmtLine(i int) string {
	level := []string{"info", "info", "debug", "warn"}[i&3]
	optional := ""
	if i%5 == 0 {
		optional = "retry=true "
	}
	return fmt.Sprintf(`ts=2026-03-01T12:%02d:%02d.%06dZ level=%s caller=http/server.go:%d msg="request handled" %s`+
		`method=GET path=/api/v1/items/%d status=%d duration_ms=%d.%03d bytes=%d client_ip=10.%d.%d.7 agent="Mozilla/5.0 (X11; Linux x86_64)" `+
		`trace_id=%032x user=user-%d`,
		i/60%60, i%60, i*977%1000000, level, 40+i%900, optional, i*31%10000, 200+i%4*100, i%900, i%1000, i*97%100000, i%256, i*3%256, i*7919, i%500)
}

// scanLogfmt is the fastest scanner that does nothing but find all keys and values.
func scanLogfmt(line []byte) (pairs int) {
	for i := 0; i < len(line); i++ {
		for i < len(line) && line[i] != '=' {
			i++
		}
		if i++; i >= len(line) {
			return pairs
		}
		pairs++
		if line[i] == '"' {
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' {
					i++
				}
			}
			continue
		}
		for i < len(line) && line[i] > ' ' {
			i++
		}
	}
	return pairs
}

func BenchmarkLogfmt(b *testing.B) {
	batch := benchBatch(benchLogfmtLine)
	b.Run("primitive=scanner", func(b *testing.B) {
		perLine(b, batch, func(line []byte) {
			if scanLogfmt(line) < 13 {
				b.Fatal("pairs are missing")
			}
		})
	})
	b.Run("keys=none", func(b *testing.B) { run(b, batch, "| logfmt", Options{}) })
	b.Run("keys=early", func(b *testing.B) { run(b, batch, "| logfmt", reads("level")) })
	b.Run("keys=late", func(b *testing.B) { run(b, batch, "| logfmt", reads("user")) })
	b.Run("keys=5", func(b *testing.B) {
		run(b, batch, "| logfmt", reads("level", "status", "client_ip", "duration_ms", "path"))
	})
	b.Run("keys=5,errors", func(b *testing.B) { // lines are read to their ends
		run(b, batch, "| logfmt", wants("level", "status", "client_ip", "duration_ms", "path"))
	})
	b.Run("keys=all", func(b *testing.B) { run(b, batch, "| logfmt", all) })
	b.Run("list=2", func(b *testing.B) { run(b, batch, `| logfmt status, ip="client_ip"`, reads("status", "ip")) })
	b.Run("list=2,all", func(b *testing.B) { run(b, batch, `| logfmt status, ip="client_ip"`, all) })
	b.Run("text", func(b *testing.B) {
		run(b, benchBatch(func(i int) string { return fmt.Sprint("Connection from 10.0.0.7 port ", i, " closed by remote host") }), "| logfmt", all)
	})
}

func benchAccessLine(i int) string {
	return fmt.Sprintf(`10.%d.%d.7 - user-%d [01/Mar/2026:12:%02d:%02d +0000] "GET /api/v1/items/%d?page=%d HTTP/1.1" %d %d "https://example.com/shop/items" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36" rt=%d.%03d`,
		i%256, i*3%256, i%500, i/60%60, i%60, i*31%10000, i%9, 200+i%4*100, i*97%100000, i%9, i%1000)
}

func BenchmarkPattern(b *testing.B) {
	batch := benchBatch(benchAccessLine)
	const stage = "| pattern `<ip> - <user> [<_>] \"<method> <path> <_>\" <status> <size> <_>`"
	literals := [][]byte{[]byte(" - "), []byte(" ["), []byte(`] "`), []byte(" "), []byte(" "), []byte(`" `), []byte(" "), []byte(" ")}
	b.Run("primitive=Index", func(b *testing.B) {
		perLine(b, batch, func(line []byte) {
			for _, l := range literals {
				line = line[bytes.Index(line, l)+len(l):]
			}
		})
	})
	b.Run("keys=status", func(b *testing.B) { run(b, batch, stage, reads("status")) })
	b.Run("keys=all", func(b *testing.B) { run(b, batch, stage, all) })
}

func BenchmarkRegexp(b *testing.B) {
	batch := benchBatch(benchAccessLine)
	const expression = `"(?P<method>[A-Z]+) (?P<path>[^ ?]+)[^"]*" (?P<status>\d+) (?P<size>\d+)`
	re := regexp.MustCompile(expression)
	b.Run("primitive=FindSubmatchIndex", func(b *testing.B) {
		perLine(b, batch, func(line []byte) {
			if re.FindSubmatchIndex(line) == nil {
				b.Fatal("no match")
			}
		})
	})
	b.Run("keys=status", func(b *testing.B) { run(b, batch, "| regexp `"+expression+"`", reads("status")) })
	b.Run("keys=all", func(b *testing.B) { run(b, batch, "| regexp `"+expression+"`", all) })
	b.Run("match=1%", func(b *testing.B) { run(b, batch, "| regexp `rt=(?P<rt>7\\.[0-9]77)`", all) })
}

func BenchmarkUnpack(b *testing.B) {
	batch := benchBatch(func(i int) string {
		return fmt.Sprintf(`{"pod":"api-%d","node":"node-%d","_entry":%q}`, i%9, i%50, benchLogfmtLine(i))
	})
	b.Run("all", func(b *testing.B) { run(b, batch, "| unpack", all) })
}

// What an entry costs without any parser.
func BenchmarkRow(b *testing.B) {
	batch := benchBatch(benchLogfmtLine)
	b.Run("keys=none", func(b *testing.B) { run(b, batch, "| regexp `(?P<a>x)`", Options{}) })
	b.Run("keys=one", func(b *testing.B) { run(b, batch, "| regexp `(?P<a>x)`", reads("user")) })
	b.Run("keys=all", func(b *testing.B) { run(b, batch, "| regexp `(?P<a>\x01)`", all) })
}
