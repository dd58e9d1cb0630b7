package engine_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// rangeQuery is a metric query and what its text says, so that the naive twin need not parse.
type rangeQuery struct {
	op             string
	length, offset time.Duration
	needle         string // of a line filter
	zone           string // of a label filter on a name that is a label here and metadata there; "": none
	vector         string // "": none
	without        bool
	group          []string // nil: no grouping
}

func (q rangeQuery) text() string {
	selector := `{app=~".+"} |= "` + q.needle + `"`
	if q.zone != "" {
		selector += ` | zone="` + q.zone + `"`
	}
	text := fmt.Sprintf(`%s(%s [%dms] offset %s)`, q.op, selector, q.length.Milliseconds(), q.offset)
	if q.vector == "" {
		return text
	}
	grouping := ""
	if q.group != nil {
		grouping = " by (" + strings.Join(q.group, ",") + ")"
		if q.without {
			grouping = " without (" + strings.Join(q.group, ",") + ")"
		}
	}
	return q.vector + grouping + "(" + text + ")"
}

// labelsOf returns an entry's labels, as the documentation says them.
func labelsOf(s model.Stream, e model.Entry) map[string]string {
	m := map[string]string{}
	s.Labels.Range(func(l labels.Label) { m[l.Name] = l.Value })
	for _, p := range append(slices.Clone(e.Metadata), model.Pair{Name: "detected_level", Value: e.Level}) {
		if s.Labels.Get(p.Name) != "" {
			p.Name += "_extracted"
		}
		if p.Value != "" {
			m[p.Name] = p.Value
		}
	}
	return m
}

// naive evaluates a query at one instant by its definition: look at every entry.
func (q rangeQuery) naive(streams []model.Stream, at model.Timestamp) map[string]float64 {
	samples := map[string]float64{}
	sets := map[string]map[string]string{}
	for _, s := range streams {
		for _, e := range s.Entries {
			set := labelsOf(s, e)
			inWindow := e.Timestamp > at.Add(-q.offset-q.length) && e.Timestamp <= at.Add(-q.offset)
			if !inWindow || !strings.Contains(e.Line, q.needle) || q.zone != "" && set["zone"] != q.zone {
				continue
			}
			key := labels.FromMap(set).String()
			sets[key] = set
			if strings.HasPrefix(q.op, "bytes") {
				samples[key] += float64(len(e.Line))
			} else {
				samples[key]++
			}
		}
	}
	for key := range samples {
		if strings.HasSuffix(q.op, "rate") {
			samples[key] /= q.length.Seconds()
		}
	}
	if q.vector == "" {
		return samples
	}
	groups := map[string][]float64{}
	for _, key := range slices.Sorted(maps.Keys(samples)) {
		maps.DeleteFunc(sets[key], func(name, _ string) bool { return slices.Contains(q.group, name) == q.without })
		group := labels.FromMap(sets[key]).String()
		groups[group] = append(groups[group], samples[key])
	}
	folded := map[string]float64{}
	for group, values := range groups {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		folded[group] = map[string]float64{
			"sum": sum, "avg": sum / float64(len(values)), "count": float64(len(values)),
			"min": slices.Min(values), "max": slices.Max(values),
		}[q.vector]
	}
	return folded
}

func drawStreams(t *rapid.T) []model.Stream {
	sets := []labels.Labels{
		labels.FromStrings("app", "a"), labels.FromStrings("app", "a", "zone", "1"), labels.FromStrings("app", "b", "zone", "2"),
		labels.FromStrings("app", "b", "detected_level", "x"),
	}
	word := rapid.SampledFrom([]string{"", "a", "ab", "b", "xyz"})
	var streams []model.Stream
	for i, n := range rapid.SliceOfN(rapid.IntRange(0, 12), 1, len(sets)).Draw(t, "entries of streams") {
		s := model.Stream{Labels: sets[i]}
		times := rapid.SliceOfN(rapid.IntRange(0, 120), n, n).Draw(t, "times")
		slices.Sort(times)
		for _, at := range times {
			e := model.Entry{Timestamp: model.Timestamp(at) * sec / 2, Line: word.Draw(t, "line"), Level: word.Draw(t, "level")}
			for _, name := range []string{"app", "pod", "zone"} {
				if v := rapid.SampledFrom([]string{"", "", "1", "2"}).Draw(t, name); v != "" {
					e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: v})
				}
			}
			s.Entries = append(s.Entries, e)
		}
		streams = append(streams, s)
	}
	return streams
}

func drawQuery(t *rapid.T) rangeQuery {
	half := func(from, to int, name string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Second / 2
	}
	q := rangeQuery{
		op:      rapid.SampledFrom([]string{"count_over_time", "rate", "bytes_over_time", "bytes_rate"}).Draw(t, "op"),
		length:  half(1, 60, "length"),
		offset:  half(-20, 20, "offset"),
		needle:  rapid.SampledFrom([]string{"", "a", "yz"}).Draw(t, "needle"),
		zone:    rapid.SampledFrom([]string{"", "", "1"}).Draw(t, "zone"),
		vector:  rapid.SampledFrom([]string{"", "sum", "sum", "avg", "min", "max", "count"}).Draw(t, "vector"),
		without: rapid.Bool().Draw(t, "without"),
		group: rapid.SampledFrom([][]string{
			nil, {}, {"app"}, {"zone"}, {"detected_level"}, {"pod", "zone"}, {"app", "zone_extracted", "app_extracted"}, {"none", "detected_level_extracted"},
		}).Draw(t, "group"),
	}
	q.without = q.without && q.group != nil
	return q
}

// Every range query answers at every step what looking at each entry answers.
func TestRangeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		streams, q := drawStreams(t), drawQuery(t)
		e, err := engine.New(engine.Config{Querier: logqltest.NewSlowStore(streams...)})
		require.NoError(t, err)
		p := engine.Params{
			Query: q.text(),
			Start: model.Timestamp(rapid.IntRange(-20, 100).Draw(t, "start")) * sec / 2,
			Step:  time.Duration(rapid.IntRange(1, 40).Draw(t, "step")) * time.Second / 2,
		}
		p.End = p.Start.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "end")) * time.Second)
		if rapid.Bool().Draw(t, "instant") {
			p.Instant, p.Start, p.Step = true, 0, 0
		}
		res, err := e.Exec(t.Context(), p)
		require.NoError(t, err, p.Query)
		got := map[model.Timestamp]map[string]float64{}
		for i, s := range res.Series {
			require.NotEmpty(t, s.Samples)
			require.True(t, i == 0 || labels.Compare(res.Series[i-1].Labels, s.Labels) < 0, "sorted")
			for _, sample := range s.Samples {
				if got[sample.Timestamp] == nil {
					got[sample.Timestamp] = map[string]float64{}
				}
				got[sample.Timestamp][s.Labels.String()] = sample.Value
			}
		}
		steps := []model.Timestamp{p.End}
		if !p.Instant {
			steps = nil
			for at := p.Start; at <= p.End; at = at.Add(p.Step) {
				steps = append(steps, at)
			}
		}
		for _, at := range steps {
			want := q.naive(streams, at)
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got[at])), "%s at %v", p.Query, at)
			for key, v := range want {
				require.LessOrEqual(t, math.Abs(v-got[at][key]), 1e-9, "%s of %s at %v", p.Query, key, at)
			}
			delete(got, at)
		}
		require.Empty(t, got, "samples off the grid")
	})
}
