package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// BenchmarkFold folds a million values of one series in an hour, and takes the samples of 240 steps whose windows overlap
// forty times, or of 60 whose windows do not.
func BenchmarkFold(b *testing.B) {
	const count = 1 << 20
	values := make([]float64, count)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range values {
		values[i] = r.ExpFloat64() * 100
	}
	for _, c := range []struct {
		name         string
		op           syntax.RangeOp
		length, step time.Duration
	}{
		{"sum", syntax.OpSumOverTime, time.Minute, time.Minute},
		{"sum-sliding", syntax.OpSumOverTime, 10 * time.Minute, 15 * time.Second},
		{"max-sliding", syntax.OpMaxOverTime, 10 * time.Minute, 15 * time.Second},
		{"stddev-sliding", syntax.OpStddevOverTime, 10 * time.Minute, 15 * time.Second},
		{"rate_counter-sliding", syntax.OpRateCounter, 10 * time.Minute, 15 * time.Second},
		{"quantile", syntax.OpQuantileOverTime, time.Minute, time.Minute},
		{"quantile-sliding", syntax.OpQuantileOverTime, 10 * time.Minute, 15 * time.Second},
		{"quantile-sliding-11000-steps", syntax.OpQuantileOverTime, 10 * time.Minute, time.Hour / 11_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p := Params{End: model.Timestamp(time.Hour), Step: c.step}
				q := &query{Params: p, grid: gridOf(p), budget: budget{left: memoryBytesDefault, max: memoryBytesDefault}}
				f, err := newValueFold(q, &plan.Range{Op: c.op, Quantile: 0.99, Length: c.length})
				if err != nil {
					b.Fatal(err)
				}
				s, err := f.newSeries(labels.EmptyLabels(), 0)
				if err != nil {
					b.Fatal(err)
				}
				for i, v := range values {
					at := model.Timestamp(i) * model.Timestamp(time.Hour) / count
					if at < f.place.from || at > f.place.to {
						f.place = f.locate(at)
					}
					if err := s.values.add(f.place.lo, at, v); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := s.values.samples(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/value")
		})
	}
}
