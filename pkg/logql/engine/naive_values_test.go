package engine_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// valueQuery is an aggregation of values that are unwrapped from the label v, and what its text says.
type valueQuery struct {
	op             string
	quantile       float64
	length, offset time.Duration
	outer          string // an aggregation around it; "": none
	group          []string
	grouped        bool
	without        bool
}

func (q valueQuery) text() string {
	param := ""
	if q.op == "quantile_over_time" {
		param = fmt.Sprintf("%g, ", q.quantile)
	}
	text := fmt.Sprintf(`%s(%s{app=~".+"} | unwrap v [%dms] offset %s)`, q.op, param, q.length.Milliseconds(), q.offset)
	if q.outer != "" {
		text = q.outer + "(" + text + ")"
	}
	if !q.grouped {
		return text
	}
	mode := " by ("
	if q.without {
		mode = " without ("
	}
	for i, name := range q.group {
		if i > 0 {
			mode += ", "
		}
		mode += name
	}
	return text + mode + ")"
}

// timed is a value and its time.
type timed struct {
	at model.Timestamp
	v  float64
}

// naive evaluates the query at one instant by its definition: gather the values of each series, sort them by time, and fold
// them one after the other. Values of one time are equal, so their order does not matter.
func (q valueQuery) naive(streams []model.Stream, at model.Timestamp) map[string]float64 {
	values := map[string][]timed{}
	sets := map[string]map[string]string{}
	for _, s := range streams {
		for _, e := range s.Entries {
			set := labelsOf(s, e)
			if e.Timestamp <= at.Add(-q.offset-q.length) || e.Timestamp > at.Add(-q.offset) || set["v"] == "" {
				continue
			}
			v, err := strconv.ParseFloat(set["v"], 64)
			if err != nil {
				panic(err)
			}
			delete(set, "v")
			if q.grouped && q.outer == "" {
				maps.DeleteFunc(set, func(name, _ string) bool { return slices.Contains(q.group, name) == q.without })
			}
			key := labels.FromMap(set).String()
			sets[key] = set
			values[key] = append(values[key], timed{e.Timestamp, v})
		}
	}
	samples := map[string]float64{}
	for key, list := range values {
		slices.SortStableFunc(list, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
		samples[key] = q.fold(list, at.Add(-q.offset))
	}
	if q.outer == "" {
		return samples
	}
	folded := map[string]float64{}
	groups := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(samples)) {
		maps.DeleteFunc(sets[key], func(name, _ string) bool { return slices.Contains(q.group, name) == q.without })
		group, v := labels.FromMap(sets[key]).String(), samples[key]
		held := folded[group]
		switch {
		case !groups[group]:
			folded[group] = v
		case q.outer == "sum":
			folded[group] += v
		case math.IsNaN(held), q.outer == "max" && v > held, q.outer == "min" && v < held:
			folded[group] = v
		}
		groups[group] = true
	}
	return folded
}

func (q valueQuery) fold(list []timed, end model.Timestamp) float64 {
	sum, squares := 0.0, 0.0
	least, most := math.NaN(), math.NaN()
	var sorted []float64
	for _, s := range list {
		sum += s.v
		sorted = append(sorted, s.v)
		if s.v < least || math.IsNaN(least) {
			least = s.v
		}
		if s.v > most || math.IsNaN(most) {
			most = s.v
		}
	}
	n := float64(len(list))
	for _, s := range list {
		squares += (s.v - sum/n) * (s.v - sum/n)
	}
	slices.Sort(sorted)
	switch q.op {
	case "sum_over_time":
		return sum
	case "rate":
		return sum / q.length.Seconds()
	case "avg_over_time":
		return sum / n
	case "min_over_time":
		return least
	case "max_over_time":
		return most
	case "stdvar_over_time":
		return squares / n
	case "stddev_over_time":
		return math.Sqrt(squares / n)
	case "first_over_time":
		return list[0].v
	case "last_over_time":
		return list[len(list)-1].v
	case "quantile_over_time":
		place := q.quantile * (n - 1)
		lower := int(place)
		if weight := place - float64(lower); weight > 0 {
			return sorted[lower]*(1-weight) + sorted[lower+1]*weight
		}
		return sorted[lower]
	}
	return naiveRateCounter(list, q.length, end)
}

// naiveRateCounter is Prometheus' extrapolated rate, with the window's own ends.
func naiveRateCounter(list []timed, length time.Duration, end model.Timestamp) float64 {
	if len(list) < 2 {
		return 0
	}
	first, last := list[0], list[len(list)-1]
	increase := last.v - first.v
	for i := 1; i < len(list); i++ {
		if list[i].v < list[i-1].v {
			increase += list[i-1].v
		}
	}
	sampled := float64(last.at-first.at) / 1e9
	if sampled == 0 {
		return increase / length.Seconds()
	}
	distance := sampled / float64(len(list)-1)
	before, behind := float64(first.at-end.Add(-length))/1e9, float64(end-last.at)/1e9
	if before >= 1.1*distance {
		before = distance / 2
	}
	if behind >= 1.1*distance {
		behind = distance / 2
	}
	if zero := sampled * first.v / increase; increase > 0 && first.v >= 0 && zero < before {
		before = zero
	}
	return increase * (sampled + before + behind) / sampled / length.Seconds()
}

func drawValueQuery(t *rapid.T, op string) valueQuery {
	half := func(from, to int, name string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Second / 2
	}
	q := valueQuery{length: half(1, 60, "length"), offset: half(-20, 20, "offset")}
	q.op = op
	q.quantile = rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.9, 1}).Draw(t, "quantile")
	q.outer = rapid.SampledFrom([]string{"", "", "sum", "max", "min"}).Draw(t, "outer")
	allowed := q.outer != "" || q.op != "sum_over_time" && q.op != "rate" && q.op != "rate_counter"
	q.grouped = allowed && rapid.Bool().Draw(t, "grouped")
	if q.grouped {
		q.without = rapid.Bool().Draw(t, "without")
		q.group = rapid.SampledFrom([][]string{{}, {"app"}, {"zone"}, {"detected_level", "app", "zone_extracted"}}).Draw(t, "group")
	}
	return q
}

// drawValues draws entries with the label v. Half of the time that is all the metadata there is, so that series have many
// values.
func drawValues(t *rapid.T) []model.Stream {
	streams := drawStreams(t)
	numbers := []string{"", "0", "1", "2", "-3", "7", "12", "5", "30"}
	if rapid.Bool().Draw(t, "wild") {
		numbers = append(numbers, "2.5", "1e3", "0.1", "NaN", "Inf", "-Inf", "1e-3")
	}
	table := rapid.SliceOfN(rapid.SampledFrom(numbers), 121, 121).Draw(t, "values by time")
	plain := rapid.Bool().Draw(t, "plain")
	for _, s := range streams {
		for i := range s.Entries {
			e := &s.Entries[i]
			if plain {
				e.Metadata, e.Level = nil, ""
			}
			if v := table[e.Timestamp/(sec/2)]; v != "" {
				e.Metadata = append(e.Metadata, model.Pair{Name: "v", Value: v})
				slices.SortFunc(e.Metadata, func(a, b model.Pair) int { return cmp.Compare(a.Name, b.Name) })
			}
		}
	}
	return streams
}

// Every aggregation of values answers at every step what folding the values of the window one by one answers, whatever
// windows overlap and in whatever order the store yields the entries.
func TestValuesProperty(t *testing.T) {
	for _, op := range []string{
		"sum_over_time", "rate", "avg_over_time", "min_over_time", "max_over_time", "stdvar_over_time", "stddev_over_time",
		"first_over_time", "last_over_time", "quantile_over_time", "rate_counter",
	} {
		t.Run(op, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkValues(t, drawValues(t), drawValueQuery(t, op)) })
		})
	}
}

func checkValues(t *rapid.T, streams []model.Stream, q valueQuery) {
	e, err := engine.New(engine.Config{Querier: logqltest.NewSlowStore(streams...)})
	require.NoError(t, err)
	p := engine.Params{
		Query: q.text(),
		Start: model.Timestamp(rapid.IntRange(-20, 100).Draw(t, "start")) * sec / 2,
		Step:  time.Duration(rapid.IntRange(1, 40).Draw(t, "step")) * time.Second / 2,
	}
	p.End = p.Start.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "end")) * time.Second)
	res, err := e.Exec(t.Context(), p)
	require.NoError(t, err, p.Query)
	samples := 0
	for _, s := range res.Series {
		samples += len(s.Samples)
	}
	for at := p.Start; at <= p.End; at = at.Add(p.Step) {
		for key, want := range q.naive(streams, at) {
			i := slices.IndexFunc(res.Series, func(s engine.Series) bool { return s.Labels.String() == key })
			require.GreaterOrEqual(t, i, 0, "%s at %v lacks %s", p.Query, at, key)
			k := slices.IndexFunc(res.Series[i].Samples, func(s engine.Sample) bool { return s.Timestamp == at })
			require.GreaterOrEqual(t, k, 0, "%s at %v lacks a sample of %s", p.Query, at, key)
			got := res.Series[i].Samples[k].Value
			same := got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))
			require.True(t, same, "%s of %s at %v: %g, want %g", p.Query, key, at, got, want)
			samples--
		}
	}
	require.Zero(t, samples, "%s has samples where no value is", p.Query)
}
