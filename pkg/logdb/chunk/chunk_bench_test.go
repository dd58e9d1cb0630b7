package chunk

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// benchRows fill a chunk with JSON lines of about 300 bytes, nanosecond times, and the metadata that an agent adds.
func benchRows() *Rows {
	rng := rand.New(rand.NewPCG(7, 8))
	var r Rows
	at := model.Timestamp(1_700_000_000_000_000_000)
	messages := []string{"request handled", "cache miss, loading from store", "retrying after a temporary failure", "user signed in",
		"payment authorised by the provider", "queue drained"}
	for {
		at += model.Timestamp(rng.ExpFloat64() * 10e6)
		trace := fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
		level := []string{"info", "info", "info", "debug", "warn", "error"}[rng.IntN(6)]
		e := model.Entry{
			Timestamp: at, Level: level,
			Line: fmt.Sprintf(`{"ts":"%s","level":"%s","msg":"%s","trace_id":"%s","span_id":"%016x","user":"user-%d","path":"/api/v1/items/%d",`+
				`"status":%d,"duration_ms":%d,"caller":"server/handler.go:%d"}`, at.Time().Format("2006-01-02T15:04:05.000000Z"), level,
				messages[rng.IntN(len(messages))], trace, rng.Uint64(), int(rng.ExpFloat64()*50), rng.IntN(5000),
				[]int{200, 200, 200, 404, 500}[rng.IntN(5)], int(rng.ExpFloat64()*80), 10+rng.IntN(400)),
			Metadata: []model.Pair{
				{Name: "pod", Value: fmt.Sprint("api-7f9c-", rng.IntN(20))},
				{Name: "size", Value: fmt.Sprint(int(rng.ExpFloat64() * 4000))},
				{Name: "trace_id", Value: trace},
			},
		}
		if !r.Fits(e) {
			return &r
		}
		r.Append(e)
	}
}

// cpuTime is what this process has used. Machines that run tests are busy, so the clock on the wall says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f and reports CPU time for each row of the chunk, and MB/s of its raw bytes.
func measure(b *testing.B, rows *Rows, f func() error) {
	b.ReportAllocs()
	start := time.Duration(0)
	for b.Loop() {
		if start == 0 {
			start = cpuTime(b)
		}
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(cpuTime(b)-start) / float64(b.N)
	b.ReportMetric(each/float64(rows.Len()), "cpu-ns/row")
	b.ReportMetric(float64(rows.RawBytes())*1000/each, "cpu-MB/s")
}

func BenchmarkAppend(b *testing.B) {
	v := benchRows().Snapshot()
	entries := make([]model.Entry, v.Len())
	for i := range entries {
		entries[i] = v.Entry(i)
	}
	var r Rows
	for _, e := range entries {
		r.Append(e)
	}
	measure(b, &r, func() error {
		var r Rows
		for _, e := range entries {
			r.Append(e)
		}
		return nil
	})
}

// BenchmarkEncode/all is a whole chunk; the others are its parts.
func BenchmarkEncode(b *testing.B) {
	rows := benchRows()
	run := []Run{{Ref: 1, Rows: rows.Snapshot()}}
	for _, level := range []Level{Better, Fastest} {
		b.Run(fmt.Sprintf("all/level=%d", level), func(b *testing.B) {
			measure(b, rows, func() error { _, err := Encode(run, Options{Level: level}); return err })
		})
	}
	var w builder
	w.reset(Options{})
	require.NoError(b, w.gather(run))
	t := w.table(Options{})
	part := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			measure(b, rows, func() error {
				w.pages, w.columns = w.pages[:0], w.columns[:0]
				f()
				return nil
			})
			b.ReportMetric(float64(len(w.pages))/float64(rows.Len()), "B/row")
		})
	}
	part("time", func() { w.timePage(t) })
	part("length", func() { w.intPage(columnLength, w.lengths) })
	part("metadata", w.metadataPages)
	part("lines", w.linesPage)
	part("flags", func() { w.table(Options{}) })
	b.Run("zstd", func(b *testing.B) { // the primitive to compare with
		var dst []byte
		measure(b, rows, func() error { dst = encoderBetter().EncodeAll(w.lines, dst[:0]); return nil })
	})
}

func BenchmarkDecode(b *testing.B) {
	rows := benchRows()
	e := encode(b, Options{}, Run{Ref: 1, Rows: rows.Snapshot()})
	r := e.Reader()
	var times []model.Timestamp
	var lines []byte
	var levels Levels
	var md Metadata
	ends, err := r.LineEnds(nil)
	require.NoError(b, err)
	lines, err = r.Lines(lines)
	require.NoError(b, err)
	column := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) { measure(b, rows, f) })
	}
	column("time", func() (err error) { times, err = r.Timestamps(times[:0]); return err })
	column("length", func() (err error) { ends, err = r.LineEnds(ends[:0]); return err })
	column("level", func() error { return r.Levels(&levels) })
	column("lines", func() (err error) { lines, err = r.Lines(lines[:0]); return err })
	column("metadata", func() error { return r.Metadata(&md) })
	column("metadata/dict", func() error { return r.Metadata(&md, "pod") })
	column("metadata/int", func() error { return r.Metadata(&md, "size") })
	column("metadata/inline", func() error { return r.Metadata(&md, "trace_id") })
	column("metadata/inline/lines", func() error { md.UseLines(lines, ends); return r.Metadata(&md, "trace_id") })
	column("minutes", func() error { _, err := r.Table().Minutes(nil); return err })
	column("table", func() error { _, err := DecodeTable(AppendTable(nil, r.Table())); return err })
	b.Run("zstd", func(b *testing.B) { // the primitive to compare with
		frame := encoderBetter().EncodeAll(lines, nil)
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		require.NoError(b, err)
		dst := make([]byte, 0, len(lines)+1<<10)
		measure(b, rows, func() (err error) { dst, err = d.DecodeAll(frame, dst[:0]); return err })
	})
}
