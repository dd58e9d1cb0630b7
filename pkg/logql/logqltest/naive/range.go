package naive

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// point is what one entry gives to its window.
type point struct {
	at    model.Timestamp
	value float64
}

// window folds the entries of the window (at-Range-Offset, at-Offset] to one sample for each label set.
func (ev *evaluation) window(e *syntax.RangeAggregation, want asked) ([]Sample, error) {
	if !want.around {
		want = asks(e, e.Grouping)
	}
	end := ev.at.Add(-e.Offset)
	start := end.Add(-e.Range)
	log := *e.Log
	log.Stages = stagesOf(e)
	rows, err := run(&log, ev.streams, func(t model.Timestamp) bool { return start < t && t <= end }, false, want)
	if err != nil {
		return nil, err
	}
	sets, points := map[string]Labels{}, map[string][]point{}
	for _, r := range rows {
		value, ok, err := r.sample(e)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if r.err != "" && !(want.errors && strings.Contains(r.err, "Parser")) {
			return nil, fmt.Errorf("%w: %s", ErrPipeline, r.err)
		}
		set := r.all()
		delete(set, detailsLabel)
		if e.Unwrap != nil && (e.Grouping == nil || e.Grouping.Without) && !want.summed {
			delete(set, e.Unwrap.Label)
		}
		set = grouped(set, e.Grouping)
		k := key(set)
		sets[k], points[k] = set, append(points[k], point{r.at, value})
	}
	if e.Op == syntax.OpAbsentOverTime {
		if len(points) > 0 {
			return nil, nil
		}
		return []Sample{{absentLabels(e.Log.Matchers), 1}}, nil
	}
	var vector []Sample
	for k, set := range sets {
		vector = append(vector, Sample{set, fold(e, points[k], start, end)})
	}
	return inOrder(vector), nil
}

// inOrder sorts a vector by labels, so that sums of floats come out the same each time.
func inOrder(vector []Sample) []Sample {
	slices.SortFunc(vector, func(a, b Sample) int { return compareLabels(a.Labels, b.Labels) })
	return vector
}

// grouped returns the labels that are left. Without a grouping all are.
func grouped(set Labels, g *syntax.Grouping) Labels {
	set = maps.Clone(set)
	if g != nil {
		maps.DeleteFunc(set, func(name, _ string) bool { return slices.Contains(g.Labels, name) == g.Without })
	}
	return set
}

// sample returns what an entry counts; ok is false when it has nothing to unwrap, or is filtered out afterwards.
func (r *row) sample(e *syntax.RangeAggregation) (value float64, ok bool, err error) {
	if e.Unwrap == nil {
		if e.Op == syntax.OpBytesOverTime || e.Op == syntax.OpBytesRate {
			return float64(len(r.line)), true, nil
		}
		return 1, true, nil
	}
	text, _ := r.get(e.Unwrap.Label)
	if text == "" {
		return 0, false, nil
	}
	value, err = convert(e.Unwrap.Conversion, text)
	if err != nil {
		r.fail("SampleExtractionErr", err.Error())
	}
	for _, f := range e.Unwrap.Filters {
		if ok, err := r.holds(f); err != nil || !ok {
			return 0, false, err
		}
	}
	return value, true, nil
}

func convert(c syntax.Conversion, text string) (float64, error) {
	switch c {
	case syntax.ConvertBytes:
		n, err := humanize.ParseBytes(text)
		return float64(n), err
	case syntax.ConvertDuration, syntax.ConvertDurationSeconds:
		d, err := time.ParseDuration(text)
		return d.Seconds(), err
	}
	return strconv.ParseFloat(text, 64)
}

// absentLabels are those that the selector says of what is not there: equalities of names that it compares once.
func absentLabels(ms []*labels.Matcher) Labels {
	set := Labels{}
	for _, m := range ms {
		once := 0
		for _, other := range ms {
			if other.Name == m.Name {
				once++
			}
		}
		if m.Type == labels.MatchEqual && once == 1 {
			set[m.Name] = m.Value
		}
	}
	return set
}

// fold makes one value of the points of a window (start, end], which are in order of time.
func fold(e *syntax.RangeAggregation, points []point, start, end model.Timestamp) float64 {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.value
	}
	seconds := e.Range.Seconds()
	switch e.Op {
	case syntax.OpCountOverTime:
		return float64(len(values))
	case syntax.OpBytesOverTime, syntax.OpSumOverTime:
		return sum(values)
	case syntax.OpRate, syntax.OpBytesRate:
		return sum(values) / seconds
	case syntax.OpRateCounter:
		return increase(points, start, end) / seconds
	case syntax.OpAvgOverTime:
		return mean(values)
	case syntax.OpMinOverTime:
		return least(values)
	case syntax.OpMaxOverTime:
		return greatest(values)
	case syntax.OpStdvarOverTime:
		return variance(values)
	case syntax.OpStddevOverTime:
		return math.Sqrt(variance(values))
	case syntax.OpQuantileOverTime:
		return quantile(e.Param, values)
	case syntax.OpFirstOverTime:
		return values[0]
	case syntax.OpLastOverTime:
		return values[len(values)-1]
	}
	panic("range aggregation " + e.Op.String() + " is unknown here")
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

func mean(values []float64) float64 { return sum(values) / float64(len(values)) }

// least and greatest pass over NaN, if there is anything else.
func least(values []float64) float64 {
	result := math.NaN()
	for _, v := range values {
		if math.IsNaN(result) || v < result {
			result = v
		}
	}
	return result
}

func greatest(values []float64) float64 {
	result := math.NaN()
	for _, v := range values {
		if math.IsNaN(result) || v > result {
			result = v
		}
	}
	return result
}

// variance is Welford's, so that noise in the last digits is the same as elsewhere.
func variance(values []float64) float64 {
	mean, total := 0.0, 0.0
	for i, v := range values {
		delta := v - mean
		mean += delta / float64(i+1)
		total += delta * (v - mean)
	}
	return total / float64(len(values))
}

// quantile interpolates between the two values at the rank.
func quantile(q float64, values []float64) float64 {
	switch {
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	values = slices.Sorted(slices.Values(values))
	rank := q * float64(len(values)-1)
	below := int(math.Floor(rank))
	above := min(below+1, len(values)-1)
	weight := rank - math.Floor(rank)
	if weight == 0 {
		return values[below] // whatever comes above, be it infinite
	}
	return values[below]*(1-weight) + values[above]*weight
}

// increase is how far a counter came that may have begun again from 0. As in Prometheus, it is extrapolated to the ends of
// the window when the first and the last point are about as near to them as points are to each other, else by half of that
// distance, and not to below 0. What is all of one time is not: it has no slope.
func increase(points []point, start, end model.Timestamp) float64 {
	if len(points) < 2 {
		return 0
	}
	first, last := points[0], points[len(points)-1]
	total, before := last.value-first.value, 0.0
	for _, p := range points {
		if p.value < before {
			total += before
		}
		before = p.value
	}
	span := time.Duration(last.at - first.at).Seconds()
	if span == 0 {
		return total // nothing to extrapolate from
	}
	apart := span / float64(len(points)-1)
	head, tail := time.Duration(first.at-start).Seconds(), time.Duration(end-last.at).Seconds()
	if head >= apart*1.1 {
		head = apart / 2
	}
	if total > 0 && first.value >= 0 {
		head = min(head, span*first.value/total)
	}
	if tail >= apart*1.1 {
		tail = apart / 2
	}
	return total * (span + head + tail) / span
}
