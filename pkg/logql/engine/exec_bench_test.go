package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// batches is a store that hands out ready batches at no cost, so that what is measured is the engine.
type batches struct {
	*logqltest.SlowStore
	list []*storage.Batch
}

func (s *batches) Select(_ context.Context, _ model.TenantID, r storage.SelectRequest) (storage.Iterator, error) {
	for _, m := range r.Matchers {
		if m.Type == labels.MatchNotEqual && m.Value == "" {
			return &batchIterator{}, nil // streams that have as a label what is metadata here
		}
	}
	return &batchIterator{rest: s.list}, nil
}

type batchIterator struct{ rest []*storage.Batch }

func (it *batchIterator) Next(context.Context) (*storage.Batch, error) {
	if len(it.rest) == 0 {
		return nil, nil
	}
	b := it.rest[0]
	it.rest = it.rest[1:]
	return b, nil
}

func (*batchIterator) Stats() storage.ScanStats { return storage.ScanStats{} }
func (*batchIterator) Close() error             { return nil }

const benchEntries = 1 << 20

// benchStore holds a million entries over an hour: 16 streams, eight levels, metadata of 64 values.
func benchStore() *batches {
	levels := []string{"", "trace", "debug", "info", "warn", "error", "critical", "fatal"}
	s := &batches{SlowStore: logqltest.NewSlowStore()}
	for at := 0; at < benchEntries; {
		b := &storage.Batch{Streams: []labels.Labels{labels.FromStrings("app", fmt.Sprint("app-", at>>13&15), "env", "prod")}}
		for range 8192 {
			b.StreamIndex = append(b.StreamIndex, 0)
			b.Timestamps = append(b.Timestamps, model.Timestamp(at)*model.Timestamp(time.Hour)/benchEntries)
			b.Levels = append(b.Levels, levels[at*7&7])
			b.LineBytes = append(b.LineBytes, 120)
			b.Metadata = append(b.Metadata, []model.Pair{{Name: "pod", Value: fmt.Sprint("pod-", at&63)}})
			at++
		}
		s.list = append(s.list, b)
	}
	return s
}

func BenchmarkRange(b *testing.B) {
	for _, c := range []struct {
		name, query string
		columns     storage.Columns
	}{
		{"sum", `sum(count_over_time({app=~".+"}[1m]))`, 0},
		{"sum-sliding", `sum(count_over_time({app=~".+"}[10m]))`, 0},
		{"sum-bytes", `sum(bytes_over_time({app=~".+"}[1m]))`, storage.ColumnLineBytes},
		{"by-stream-label", `sum by (app) (count_over_time({app=~".+"}[1m]))`, 0},
		{"by-level", `sum by (detected_level) (count_over_time({app=~".+"}[1m]))`, storage.ColumnLevel},
		{"without", `sum without (env) (count_over_time({app=~".+"}[1m]))`, storage.ColumnMetadata},
		{"level-filter", `sum(count_over_time({app=~".+"} | detected_level="error" [1m]))`, storage.ColumnLevel},
		{"all-labels", `max(count_over_time({app=~".+"}[1m]))`, storage.ColumnLevel | storage.ColumnMetadata},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchStore()
			for _, batch := range s.list {
				if c.columns&storage.ColumnLevel == 0 {
					batch.Levels = nil
				}
				if c.columns&storage.ColumnMetadata == 0 {
					batch.Metadata = nil
				}
			}
			e, err := engine.New(engine.Config{Querier: s})
			if err != nil {
				b.Fatal(err)
			}
			// A filter, which the store ignores, or it would be asked to count.
			query := strings.Replace(c.query, `{app=~".+"}`, `{app=~".+"} |= "x"`, 1)
			p := engine.Params{Query: query, End: model.Timestamp(time.Hour), Step: time.Minute}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Exec(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
		})
	}
}

func BenchmarkLog(b *testing.B) {
	var s model.Stream
	s.Labels = labels.FromStrings("app", "x")
	for i := range 5000 {
		s.Entries = append(s.Entries, model.Entry{
			Timestamp: model.Timestamp(i), Line: "level=info msg=\"a line of the usual length, as services write them\" took=17ms", Level: "info",
			Metadata: []model.Pair{{Name: "trace_id", Value: "0af7651916cd43dd8448eb211c80319c"}},
		})
	}
	e, err := engine.New(engine.Config{Querier: logqltest.NewSlowStore(s)})
	if err != nil {
		b.Fatal(err)
	}
	p := engine.Params{Query: `{app="x"}`, End: 5000, Limit: 5000, Direction: storage.Backward}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Exec(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValues folds a million values of one label, in one series, or in one for each of 64 pods. What it takes to unwrap
// them is in it.
func BenchmarkValues(b *testing.B) {
	for _, c := range []struct {
		name, query string
		step        time.Duration
	}{
		{"sum", `sum(sum_over_time({app=~".+"} | unwrap took [1m]))`, time.Minute},
		{"sum-sliding", `sum(sum_over_time({app=~".+"} | unwrap took [10m]))`, 15 * time.Second},
		{"max-sliding", `max_over_time({app=~".+"} | unwrap took [10m]) by (app)`, 15 * time.Second},
		{"stddev-sliding", `stddev_over_time({app=~".+"} | unwrap took [10m]) by (pod)`, 15 * time.Second},
		{"quantile", `quantile_over_time(0.99, {app=~".+"} | unwrap took [1m]) by ()`, time.Minute},
		{"quantile-sliding", `quantile_over_time(0.99, {app=~".+"} | unwrap took [10m]) by ()`, 15 * time.Second},
		{"quantile-sliding-pod", `quantile_over_time(0.99, {app=~".+"} | unwrap took [10m]) by (pod)`, 15 * time.Second},
		{"rate_counter-sliding", `rate_counter({app=~".+"} | unwrap took [10m])`, 15 * time.Second},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchStore()
			at := 0
			for _, batch := range s.list {
				batch.Levels = nil
				for i := range batch.Metadata {
					at++
					batch.Metadata[i] = append(batch.Metadata[i], model.Pair{Name: "took", Value: fmt.Sprint(at * 7919 % 100_003)})
				}
			}
			e, err := engine.New(engine.Config{Querier: s})
			if err != nil {
				b.Fatal(err)
			}
			p := engine.Params{Query: c.query, End: model.Timestamp(time.Hour), Step: c.step}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Exec(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
		})
	}
}

// BenchmarkManySeries counts a million entries in 20,000 series that have few in most steps, as of requests by their paths.
func BenchmarkManySeries(b *testing.B) {
	s := benchStore()
	at := 0
	for _, batch := range s.list {
		batch.Levels = nil
		for i := range batch.Metadata {
			at++
			batch.Metadata[i] = []model.Pair{{Name: "path", Value: fmt.Sprint("/api/v1/items/", at*7919%20_000)}}
		}
	}
	e, err := engine.New(engine.Config{Querier: s})
	if err != nil {
		b.Fatal(err)
	}
	for name, query := range map[string]string{
		"sum":     `sum by (path) (count_over_time({app=~".+"} |= "x" [1m]))`,
		"sliding": `sum by (path) (count_over_time({app=~".+"} |= "x" [10m]))`,
		"topk":    `topk(5, sum by (path) (count_over_time({app=~".+"} |= "x" [1m])))`,
		"instant": `sum by (path) (count_over_time({app=~".+"} |= "x" [1h]))`,
	} {
		b.Run(name, func(b *testing.B) {
			p := engine.Params{Query: query, End: model.Timestamp(time.Hour), Step: time.Minute, Instant: name == "instant"}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Exec(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
		})
	}
}
