package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// countCorpus is 20 streams of 50,000 lines over a day, in blocks; chunks span about four hours each.
func countCorpus(b *testing.B) (db *logdb.DB, entries int) {
	b.Helper()
	db, err := logdb.Open(b.Context(), logdb.Config{FS: vfs.OS(), Dir: b.TempDir(), HeadBytesMax: 4 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	rng := rand.New(rand.NewPCG(1, 2))
	const streams, lines = 20, 50_000
	for n := range streams {
		s := model.Stream{Labels: labels.FromStrings("app", fmt.Sprint("app-", n), "namespace", fmt.Sprint("ns-", n%4))}
		at := countDay
		for range lines {
			at = at.Add(time.Duration(rng.Int64N(int64(48 * time.Hour / lines))))
			s.Entries = append(s.Entries, model.Entry{
				Timestamp: at, Level: []string{"info", "info", "info", "debug", "error"}[rng.IntN(5)],
				Line: fmt.Sprintf("level=info caller=store.go:%d msg=\"cache lookup\" key=product/%d trace=%016x%016x duration=%dms",
					40+rng.IntN(200), rng.IntN(5000), rng.Uint64(), rng.Uint64(), rng.IntN(400)),
			})
		}
		if err := db.Append(b.Context(), storage.Push{Tenant: model.DefaultTenant, Arrival: 1, Streams: []model.Stream{s}}); err != nil {
			b.Fatal(err)
		}
		entries += lines
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return db, entries
}

// BenchmarkCount asks each question three times: as it is, so that the store counts; with a stage that keeps everything, so
// that the engine reads the columns; with a line filter that keeps everything, so that lines are read.
func BenchmarkCount(b *testing.B) {
	db, entries := countCorpus(b)
	e, err := engine.New(engine.Config{Querier: db})
	if err != nil {
		b.Fatal(err)
	}
	const minutesOfChunks = 20 * 24 * 60 // streams' chunks follow each other
	for _, c := range []struct {
		name, query string
		cut         bool
	}{
		{"histogram-aligned", `sum by (detected_level) (count_over_time({namespace=~".+"}%s[1m]))`, false},
		{"histogram-cut", `sum by (detected_level) (count_over_time({namespace=~".+"}%s[1m]))`, true},
		{"everything", `sum(count_over_time({namespace=~".+"}%s[1d]))`, false},
		{"rate-by-app", `sum by (app) (rate({namespace=~".+"}%s[5m]))`, false},
		{"rate-by-app-cut", `sum by (app) (rate({namespace=~".+"}%s[5m]))`, true},
		{"bytes-by-namespace", `sum by (namespace) (bytes_over_time({namespace=~".+"}%s[5m]))`, false},
		{"bytes-by-namespace-cut", `sum by (namespace) (bytes_over_time({namespace=~".+"}%s[5m]))`, true},
		{"all-labels", `count_over_time({namespace=~".+"}%s[1m])`, false},
	} {
		for _, way := range []struct{ name, stage string }{
			{"count", ""}, {"columns", ` | __error__="" `}, {"lines", ` != "no such text" `},
		} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				p := engine.Params{
					Tenant: model.DefaultTenant, Query: fmt.Sprintf(c.query, way.stage),
					Start: countDay.Add(time.Minute), End: countDay.Add(24 * time.Hour), Step: time.Minute,
				}
				if c.cut {
					p.Start = p.Start.Add(17 * time.Second)
				}
				p.Instant = strings.Contains(c.query, "1d")
				b.ReportAllocs()
				began := processorTime(b)
				for b.Loop() {
					res, err := e.Exec(b.Context(), p)
					if err != nil || len(res.Series) == 0 {
						b.Fatal(err, "or nothing")
					}
				}
				took := float64(processorTime(b)-began) / float64(b.N)
				b.ReportMetric(took/float64(entries), "cpu-ns/entry")
				b.ReportMetric(took/minutesOfChunks, "cpu-ns/minute·chunk")
			})
		}
	}
}

// processorTime is what the process took of all cores: a count uses them all, and so may others.
func processorTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
