package tests

import (
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// BenchmarkLineFilter counts lines that pass a filter, in chunks that no cache holds, and says how much longer that takes
// than to decompress the same lines, of processor time both. A regular expression is also set against its literal.
func BenchmarkLineFilter(b *testing.B) {
	db, lineBytes, _ := requestLines(b)
	e, err := engine.New(engine.Config{Querier: db})
	if err != nil {
		b.Fatal(err)
	}
	frames := compressed(b, db)
	perRun := func(b *testing.B, f func()) time.Duration {
		b.SetBytes(lineBytes)
		began := processorTime(b)
		for b.Loop() {
			f()
		}
		took := (processorTime(b) - began) / time.Duration(b.N)
		b.ReportMetric(float64(lineBytes)/1e6/took.Seconds(), "cpu-MB/s")
		return took
	}
	var decode, literal time.Duration
	b.Run("primitive=zstd", func(b *testing.B) {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			b.Fatal(err)
		}
		defer d.Close()
		var lines []byte
		decode = perRun(b, func() {
			for _, frame := range frames {
				if lines, err = d.DecodeAll(frame, lines[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	for _, c := range []struct{ name, filter string }{
		{"literal=1%", "|= `\"status\":503`"},
		{"literal=20%", "|= `\"status\":204`"},
		{"literal=all", "|= `request_id`"},
		{"negated=20%", "!= `\"status\":204`"},
		{"two", "|= `\"status\":204` != `user-77`"},
		{"regex-without-literal", "|~ `[45]03,.*user-7[0-9]`"},
		{"literal", "|= `\"status\":20`"},
		{"regex-of-literal", "|~ `\"status\":20[34],`"},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := engine.Params{
				Tenant: model.DefaultTenant, Query: `sum(count_over_time({app=~".+"} ` + c.filter + ` [5m]))`,
				Start: countDay.Add(5 * time.Minute), End: countDay.Add(10 * time.Hour), Step: 5 * time.Minute,
			}
			took := perRun(b, func() {
				if res, err := e.Exec(b.Context(), p); err != nil || len(res.Series) == 0 {
					b.Fatal(err, "or nothing was found")
				}
			})
			if decode > 0 {
				b.ReportMetric(float64(took)/float64(decode), "x-decode")
			}
			if c.name == "literal" {
				literal = took
			} else if c.name == "regex-of-literal" && literal > 0 {
				b.ReportMetric(float64(took)/float64(literal), "x-literal")
			}
		})
	}
}

// compressed returns the lines of a store as chunks compress them.
func compressed(b *testing.B, db *logdb.DB) [][]byte {
	b.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	it, err := db.Select(b.Context(), model.DefaultTenant, storage.SelectRequest{
		Interval: model.Interval{Start: countDay, End: countDay.Add(24 * time.Hour)}, Columns: storage.ColumnLine,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer it.Close()
	var frames [][]byte
	for {
		batch, err := it.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if batch == nil {
			return frames
		}
		var lines []byte
		for _, line := range batch.Lines { // a batch is a chunk
			lines = append(lines, line...)
		}
		frames = append(frames, enc.EncodeAll(lines, nil))
	}
}
