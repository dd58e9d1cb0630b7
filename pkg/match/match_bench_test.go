package match

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	grafana "github.com/grafana/regexp"
)

// benchLines is a chunk's worth of lines, of the kind that JSON and logfmt services write; every share-th holds needle.
func benchLines(needle string, share int) (buf []byte, ends []uint32) {
	r := rand.New(rand.NewPCG(1, 2))
	paths := []string{"/api/v1/push", "/api/v1/query_range", "/health", "/static/app.js", "/api/v1/labels"}
	for i := 0; len(buf) < 1<<20; i++ {
		mark := ""
		if i%share == share/2 {
			mark = needle
		}
		buf = fmt.Appendf(buf, `level=%s ts=2026-03-01T12:%02d:%02d.%03dZ caller=http.go:%d method=GET path=%s status=%d duration=%dms trace=%08x%08x %s`,
			[]string{"info", "warn", "debug"}[r.IntN(3)], r.IntN(60), r.IntN(60), r.IntN(1000), r.IntN(500), paths[r.IntN(len(paths))],
			200+r.IntN(4)*100, r.IntN(2000), r.Uint32(), r.Uint32(), mark)
		ends = append(ends, uint32(len(buf)))
	}
	return buf, ends
}

var benchFilters = []struct {
	name   string
	share  int // one line in share matches
	filter Filter
}{
	{"literal/match=0.1%", 1000, Filter{Any: []string{"connection refused"}}},
	{"literal/match=10%", 10, Filter{Any: []string{"connection refused"}}},
	{"literal/match=100%", 1, Filter{Any: []string{"connection refused"}}},
	{"common/match=100%", 1000, Filter{Any: []string{"level="}}},
	{"not/match=99.9%", 1000, Filter{Any: []string{"connection refused"}, Negate: true}},
	{"or/match=0.1%", 1000, Filter{Any: []string{"connection refused", "timeout", "panic"}}},
	{"fold/match=0.1%", 1000, Filter{Regexp: true, Any: []string{"(?i)Connection Refused"}}},
	{"alternation/match=0.1%", 1000, Filter{Regexp: true, Any: []string{"connection refused|timeout|panic"}}},
	{"regexp/match=0.1%", 1000, Filter{Regexp: true, Any: []string{`connection \w+ed`}}},
	{"regexp/match=10%", 10, Filter{Regexp: true, Any: []string{`connection \w+ed`}}},
	{"regexp/literal-alone/match=0.1%", 1000, Filter{Any: []string{"connection "}}},
	{"regexp/common-literal", 1000, Filter{Regexp: true, Any: []string{`level=(info|warn).*\d{4}ms`}}},
	{"regexp/many-literals", 1000, Filter{Regexp: true, Any: []string{`error|fatal|panic|refused|denied|abort`}}},
	{"or-many/match=0.1%", 1000, Filter{Any: []string{"error", "fatal", "panic", "refused", "denied", "abort"}}},
	{"regexp/no-literal", 1000, Filter{Regexp: true, Any: []string{`[a-z]+\d{6,} `}}},
}

func BenchmarkSelect(b *testing.B) {
	for _, c := range benchFilters {
		b.Run(c.name, func(b *testing.B) {
			buf, ends := benchLines("connection refused", c.share)
			m, err := Compile(c.filter)
			if err != nil {
				b.Fatal(err)
			}
			var sel Selection
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				sel.Fill(len(ends))
				m.Select(buf, ends, &sel)
			}
		})
	}
}

// BenchmarkPrimitive is what BenchmarkSelect is to be compared with: the standard library on each line, and one pass over
// the whole buffer.
func BenchmarkPrimitive(b *testing.B) {
	eachLine := func(b *testing.B, share int, found func(line []byte) bool) {
		buf, ends := benchLines("connection refused", share)
		lines := &buffer{buf, ends}
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			for i := range ends {
				found(lines.line(i))
			}
		}
	}
	needle := []byte("connection refused")
	for _, share := range []int{1000, 10, 1} {
		b.Run(fmt.Sprintf("bytes.Contains/each-line/match=%g%%", 100/float64(share)), func(b *testing.B) {
			eachLine(b, share, func(line []byte) bool { return bytes.Contains(line, needle) })
		})
	}
	b.Run("bytes.Index/whole-buffer/absent", func(b *testing.B) {
		buf, _ := benchLines("", 1000)
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			bytes.Index(buf, needle)
		}
	})
	for _, text := range []string{"(?i)Connection Refused", "connection refused|timeout|panic", `connection \w+ed`, `[a-z]+\d{6,} `} {
		b.Run("regexp/each-line/"+text, func(b *testing.B) {
			re := regexp.MustCompile(text)
			eachLine(b, 1000, re.Match)
		})
	}
}

// BenchmarkRegexp compares the automaton, on all lines of a buffer and on one after the other, with the standard library
// and with grafana/regexp.
func BenchmarkRegexp(b *testing.B) {
	buf, ends := benchLines("connection refused", 1000)
	lines := &buffer{buf, ends}
	all, hits := make([]uint64, (len(ends)+63)/64), make([]uint64, (len(ends)+63)/64)
	markAll(lines, all)
	for _, expr := range benchExpressions {
		run := func(name string, mark func()) {
			b.Run(expr+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(buf)))
				for b.Loop() {
					clear(hits)
					mark()
				}
			})
		}
		d := newDFA(parse(b, expr))
		run("cursors=4", func() { d.mark(lines, all, hits) })
		run("cursors=1", func() { markEach(lines, all, hits, d.Match) })
		std, other := regexp.MustCompile(expr), grafana.MustCompile(expr)
		run("std", func() { markEach(lines, all, hits, std.Match) })
		run("grafana", func() { markEach(lines, all, hits, other.Match) })
	}
}

var benchExpressions = []string{
	`5\d\d`, `(?i)outofmemory`, `(error|fatal|panic)`, `[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}`, `\d+\.\d+\.\d+\.\d+:\d{5}`,
	`(?i)(timeout|refused|unreachable|denied|reset|broken).*\d{3}`, `\b[45]\d\d\b`, `^level=.*\d$`,
}

// BenchmarkCompile measures what a query pays for an automaton, the last ones for none.
func BenchmarkCompile(b *testing.B) {
	for _, expr := range append(slices.Clone(benchExpressions), `\pL+x`, `(a|b)*a(a|b){12}`, `a.{0,50}b`, `\pL{1000}`, `(?s).{1000}`) {
		tree := parse(b, expr)
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newDFA(tree)
			}
		})
	}
}
