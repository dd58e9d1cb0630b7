package chunk

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/match"
)

// chunksOf makes chunks of a corpus, each at another hour.
func chunksOf(b *testing.B, c corpus, count int) (chunks []*Encoded, rawBytes, pagesBytes, filterBytes int) {
	for seed := range uint64(count) {
		rows := rowsOfLines(c.lines(seed, RawBytesMax+1000))
		e := encode(b, Options{}, Run{Ref: 1, Rows: rows.Snapshot()})
		chunks = append(chunks, e)
		rawBytes += int(rows.RawBytes())
		pagesBytes += len(e.Pages)
		filterBytes += len(e.Filter.Bytes())
	}
	return chunks, rawBytes, pagesBytes, filterBytes
}

// absentNeedles makes needles of a kind; by chance one may be there.
var absentNeedles = []struct {
	name string
	make func(rng *rand.Rand) string
}{
	{"uuid", uuid},
	{"hex32", func(rng *rand.Rand) string { return hexID(rng, 32) }},
	{"id13", func(rng *rand.Rand) string { return hexID(rng, 13) }},
	{"id9", func(rng *rand.Rand) string { return hexID(rng, 9) }},
	{"id6", func(rng *rand.Rand) string { return hexID(rng, 6) }},
	{"token", func(rng *rand.Rand) string { return "=" + hexID(rng, 7) + " " }},
	{"number12", func(rng *rand.Rand) string { return fmt.Sprint(1e11 + rng.Int64N(8e11)) }},
	{"word", func(rng *rand.Rand) string {
		return oneOf(rng, "segfault", "quetzal", "deadlock", "unauthorized", "overflow", "panicked", "corruption", "handshake")
	}},
	{"_word_", func(rng *rand.Rand) string {
		return " " + oneOf(rng, "oom", "eof", "kill", "abort", "panic", "fatal", "snag", "usb") + " "
	}},
	{"ipv4", func(rng *rand.Rand) string {
		return fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(220), rng.IntN(256), rng.IntN(256), rng.IntN(256))
	}},
}

// BenchmarkSkip reports, for each kind of needle, the share of chunks without it that are skipped, and the size of the filter
// beside raw lines and compressed pages.
func BenchmarkSkip(b *testing.B) {
	for _, c := range corpora {
		chunks, raw, pages, filters := chunksOf(b, c, 16)
		lines := make([][]byte, len(chunks))
		for i, e := range chunks {
			var err error
			lines[i], err = e.Reader().Lines(nil)
			require.NoError(b, err)
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				for _, kind := range absentNeedles {
					b.ReportMetric(skipRate(b, chunks, lines, kind.make), kind.name+"-%")
				}
			}
			b.ReportMetric(100*float64(filters)/float64(raw), "of-raw-%")
			b.ReportMetric(100*float64(filters)/float64(pages), "of-pages-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func skipRate(b *testing.B, chunks []*Encoded, lines [][]byte, make func(*rand.Rand) string) float64 {
	rng := rand.New(rand.NewPCG(77, 78))
	absent, skipped := 0, 0
	for range 200 {
		filter := match.Filter{Any: []string{make(rng)}}
		m, err := match.Compile(filter)
		require.NoError(b, err)
		p := NewProbe(m)
		for i, e := range chunks {
			if p.MayMatch(e.Filter) {
				if !m.Match(lines[i]) {
					absent++
				}
				continue
			}
			absent++
			skipped++
		}
	}
	return 100 * float64(skipped) / float64(max(absent, 1))
}

// BenchmarkFilterBuild compares building the filter with compressing the same lines.
func BenchmarkFilterBuild(b *testing.B) {
	for _, c := range corpora {
		rows := rowsOfLines(c.lines(1, RawBytesMax+1000))
		v := rows.Snapshot()
		lengths := lineLengths(v.ends)
		var dst []byte
		run := func(name string, f func()) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				measure(b, rows, func() error { f(); return nil })
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(v.lines)), "ns/B")
			})
		}
		run("filter", func() { makeFilter(v.lines, lengths, 1<<20) })
		run("zstd", func() { dst = encoderBetter().EncodeAll(v.lines, dst[:0]) })
	}
}

// BenchmarkMetaFilterBuild is the filter over the metadata of a chunk of three pairs an entry.
func BenchmarkMetaFilterBuild(b *testing.B) {
	rows := benchRows()
	var w builder
	w.reset(Options{})
	require.NoError(b, w.gather([]Run{{Ref: 1, Rows: rows.Snapshot()}}))
	measure(b, rows, func() error { makeMetaFilter(w.cells.names, w.cells.list); return nil })
}

// BenchmarkProbe is one chunk that is skipped, of 4,096 whose filters take 190 MB. A needle asks for the same line of each
// filter: with one needle these lines, 256 KB, stay in the caches; with 512 that take turns, 134 MB of lines do not. CPU time
// counts, the clock on the wall says little on a busy machine.
func BenchmarkProbe(b *testing.B) {
	e := encode(b, Options{}, Run{Ref: 1, Rows: rowsOfLines(corpora[0].lines(1, RawBytesMax+1000)).Snapshot()})
	size := len(e.Filter.raw)
	const count = 4096
	for _, pad := range []int{0, 8} { // as they lie in a block; with lines across two of the cache
		all := make([]byte, count*(size+pad))
		filters := make([]Filter, count)
		for i := range filters {
			at := i * (size + pad)
			copy(all[at:], e.Filter.raw)
			filters[i] = Filter{raw: all[at : at+size]}
		}
		for _, needles := range []int{1, 512} {
			for _, kind := range []string{"uuid", "id13"} {
				b.Run(fmt.Sprintf("%s/needles=%d/pad=%d", kind, needles, pad), func(b *testing.B) {
					probeFilters(b, filters, absentProbes(b, kind, needles))
				})
			}
		}
	}
}

func absentProbes(b *testing.B, kind string, count int) (probes []*Probe) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range count {
		for _, k := range absentNeedles {
			if k.name == kind {
				probes = append(probes, probeOf(b, contains(k.make(rng))))
			}
		}
	}
	return probes
}

// probeFilters asks every filter with one probe, then with the next, as a query asks the chunks of its interval.
func probeFilters(b *testing.B, filters []Filter, probes []*Probe) {
	b.ReportAllocs()
	kept, passes := 0, 0
	start := cpuTime(b)
	for i := 0; i < b.N; i += len(filters) {
		p := probes[passes%len(probes)]
		for k := range filters {
			if p.MayMatch(filters[k]) {
				kept++
			}
		}
		passes++
	}
	asked := float64(passes * len(filters))
	b.ReportMetric(float64(cpuTime(b)-start)/asked, "cpu-ns/chunk")
	b.ReportMetric(float64(kept)/asked, "kept")
}
