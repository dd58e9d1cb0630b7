package block

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// corpus makes the i-th line of a kind of log, its level and its metadata.
type corpus func(rng *rand.Rand, at model.Timestamp) (line, level string, md []model.Pair)

var levelsByFrequency = []string{"info", "info", "info", "info", "debug", "debug", "warn", "error"}

func zipf(rng *rand.Rand, n int) int { return int(rng.ExpFloat64()*float64(n)/6) % n }

func jsonLine(rng *rand.Rand, at model.Timestamp) (string, string, []model.Pair) {
	level := levelsByFrequency[rng.IntN(8)]
	messages := []string{"request handled", "cache miss, loading from store", "retrying after a temporary failure", "user signed in",
		"payment authorised by the provider", "queue drained", "connection to upstream reset by peer", "configuration reloaded"}
	trace := fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
	return fmt.Sprintf(`{"ts":"%s","level":"%s","msg":"%s","trace_id":"%s","span_id":"%016x","user":"user-%d","path":"/api/v1/items/%d",`+
			`"status":%d,"duration_ms":%d,"caller":"server/handler.go:%d"}`, at.Time().Format("2006-01-02T15:04:05.000000Z"), level,
			messages[zipf(rng, len(messages))], trace, rng.Uint64(), zipf(rng, 900), rng.IntN(5000),
			[]int{200, 200, 200, 404, 500}[rng.IntN(5)], zipf(rng, 900), 10+zipf(rng, 400)), level,
		[]model.Pair{{Name: "pod", Value: fmt.Sprint("api-7f9c-", rng.IntN(20))}}
}

func logfmtLine(rng *rand.Rand, at model.Timestamp) (string, string, []model.Pair) {
	level := levelsByFrequency[rng.IntN(8)]
	return fmt.Sprintf(`ts=%s caller=metrics.go:%d level=%s org_id=%d traceID=%016x latency=%s query_hash=%d query_type=%s `+
		`duration=%d.%06dms status=%d throughput=%.1fMB total_bytes=%d lines=%d`, at.Time().Format("2006-01-02T15:04:05.000000000Z"),
		50+zipf(rng, 200), level, zipf(rng, 50), rng.Uint64(), []string{"fast", "slow"}[rng.IntN(2)], rng.Uint32(),
		[]string{"limited", "filter", "metric"}[rng.IntN(3)], zipf(rng, 3000), rng.IntN(1e6), []int{200, 200, 400, 500}[rng.IntN(4)],
		rng.ExpFloat64()*80, rng.IntN(1e8), zipf(rng, 100000)), level, nil
}

func accessLine(rng *rand.Rand, at model.Timestamp) (string, string, []model.Pair) {
	agents := []string{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36", "curl/8.5.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15", "kube-probe/1.31", "Go-http-client/2.0"}
	return fmt.Sprintf(`10.%d.%d.%d - - [%s] "%s /%s/%d HTTP/1.1" %d %d "-" "%s" %.3f %016x%016x`, rng.IntN(4), rng.IntN(256), rng.IntN(256),
		at.Time().Format("02/Jan/2006:15:04:05 -0700"), []string{"GET", "GET", "GET", "POST"}[rng.IntN(4)],
		[]string{"index", "static/app", "api/v2/orders", "api/v2/carts", "login"}[zipf(rng, 5)], zipf(rng, 2000),
		[]int{200, 200, 200, 304, 404, 502}[rng.IntN(6)], zipf(rng, 90000), agents[zipf(rng, 5)], rng.ExpFloat64(), rng.Uint64(), rng.Uint64()), "", nil
}

// benchContent fills streams with a corpus; chunks as a flush makes them: full ones for big streams, the others packed.
func benchContent(b testing.TB, make corpus, streams, entriesEach int) (c *content, lines []byte) {
	rng := rand.New(rand.NewPCG(11, 12))
	c = &content{}
	var packed []chunk.Run
	packedBytes := int64(0)
	seal := func(runs []chunk.Run) {
		e, err := chunk.Encode(runs, chunk.Options{})
		require.NoError(b, err)
		c.chunks = append(c.chunks, e)
	}
	for ref := range streams {
		ls := labels.FromStrings("app", fmt.Sprint("app-", ref%20), "namespace", "prod", "pod", fmt.Sprintf("app-%d-%08x", ref%20, rng.Uint32()))
		c.streams = append(c.streams, StreamInfo{Labels: ls, Fingerprint: model.FingerprintOf(ls)})
		var r chunk.Rows
		at := dayStart
		for range entriesEach {
			at += model.Timestamp(rng.ExpFloat64() * 10e6)
			line, level, md := make(rng, at)
			e := model.Entry{Timestamp: at, Line: line, Level: level, Metadata: md}
			lines = append(lines, line...)
			for _, p := range md {
				lines = append(append(lines, p.Name...), p.Value...)
			}
			if !r.Fits(e) {
				seal([]chunk.Run{{Ref: model.StreamRef(ref), Rows: r.Snapshot()}})
				r = chunk.Rows{}
			}
			r.Append(e)
		}
		run := chunk.Run{Ref: model.StreamRef(ref), Rows: r.Snapshot()}
		if packedBytes+r.RawBytes() > chunk.RawBytesMax {
			seal(packed)
			packed, packedBytes = nil, 0
		}
		packed, packedBytes = append(packed, run), packedBytes+r.RawBytes()
	}
	seal(packed)
	return c, lines
}

// zstdBytes is the size of the same bytes in chunks of the same size, compressed with the same level and nothing else.
func zstdBytes(b testing.TB, lines []byte) int {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	require.NoError(b, err)
	total := 0
	for len(lines) > 0 {
		n := min(chunk.RawBytesMax, len(lines))
		total += len(e.EncodeAll(lines[:n], nil))
		lines = lines[n:]
	}
	return total
}

// BenchmarkWrite reports how the bytes of a block compare with those of its lines and metadata under zstd alone: chunks.bin
// with all columns and tables as x, the index as a share of the raw bytes.
func BenchmarkWrite(b *testing.B) {
	for _, k := range []struct {
		name             string
		make             corpus
		streams, entries int
	}{
		{"json/streams=4", jsonLine, 4, 12000}, {"logfmt/streams=4", logfmtLine, 4, 14000}, {"access/streams=4", accessLine, 4, 18000},
		{"json/streams=2000", jsonLine, 2000, 20}, {"logfmt/streams=2000", logfmtLine, 2000, 20}, {"access/streams=2000", accessLine, 2000, 20},
	} {
		b.Run(k.name, func(b *testing.B) {
			c, lines := benchContent(b, k.make, k.streams, k.entries)
			scratch := b.TempDir()
			var m Meta
			for b.Loop() {
				fsys := vfs.NewMem()
				var err error
				m, err = c.writeTo(b.Context(), fsys, scratch, testMeta(1))
				require.NoError(b, err)
			}
			b.SetBytes(int64(m.RawBytes))
			b.ReportMetric(float64(m.Files[0].Bytes)/float64(zstdBytes(b, lines)), "x-zstd")
			b.ReportMetric(100*float64(m.Files[1].Bytes)/float64(m.RawBytes), "index-%")
			b.ReportMetric(float64(m.RawBytes)/float64(m.Files[0].Bytes), "ratio")
		})
	}
}

// BenchmarkPacking compares a flush of 50,000 streams of 20 lines with the same lines in 50 streams.
func BenchmarkPacking(b *testing.B) {
	for _, streams := range []int{50, 50_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			c, lines := benchContent(b, logfmtLine, streams, 1_000_000/streams)
			scratch := b.TempDir()
			var m Meta
			for b.Loop() {
				var err error
				m, err = c.writeTo(b.Context(), vfs.NewMem(), scratch, testMeta(1))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(m.Files[0].Bytes)/float64(len(lines)), "B/raw")
			b.ReportMetric(float64(m.Bytes()), "block-B")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/line")
		})
	}
}
