package plugin

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/history"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	statRateWindow  = time.Minute     // of a rate now: four samples
	statGaugeWindow = 5 * time.Minute // how old a value now may be
)

// gapSteps is how many steps of the history may lie between two samples of a process that ran.
const gapSteps = 2.5

// axis is the time of an answer: count steps from start. What happened from one to before the next stands at the first.
type axis struct {
	start time.Time
	step  time.Duration
	count int
}

func (a axis) at(n int) time.Time { return a.start.Add(time.Duration(n) * a.step) }

// index returns the step that a time is in, which may be out of range.
func (a axis) index(t time.Time) int {
	d := t.Sub(a.start)
	if d < 0 {
		return -1
	}
	return int(d / a.step)
}

// values are one number for each step, NaN for none.
type values []float64

func newValues(n int) values {
	out := make(values, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// plus adds what is there.
func (v values) plus(other values, sign float64) {
	for n, x := range other {
		switch {
		case math.IsNaN(x):
		case math.IsNaN(v[n]):
			v[n] = sign * x
		default:
			v[n] += sign * x
		}
	}
}

// group is one value of the split.
type group struct {
	labels map[string]string
	sum    values
	over   values
	bounds map[string]values // of a histogram, by le
}

// eval computes the statistic, one series for each value of the split that has a number.
func (q *statQuery) eval(h History) []engine.Series {
	always := h.Select(metricAlways)
	a := q.axis(always)
	groups := map[string]*group{}
	for _, t := range q.terms {
		q.addTerm(groups, h, t, a, false)
	}
	for _, t := range q.over {
		q.addTerm(groups, h, t, a, true)
	}
	if q.split == splitNone && (q.mode == modeRate || q.mode == modeIncrease) {
		q.zeros(groups, always, a)
	}
	var out []engine.Series
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, q.finish(groups[key], a)...)
	}
	return out
}

// axis aligns the range to the step, which is not finer than what is remembered of the range. Of an instant it is one step
// that ends after it: the value now is a little younger than the question.
func (q *statQuery) axis(always []history.Series) axis {
	if q.query.instant {
		window := statGaugeWindow
		switch q.mode {
		case modeRate:
			window = statRateWindow
		case modeIncrease, modeQuantile:
			window = max(q.to.Sub(q.from), history.Resolution)
		case modeGauge, modeAge:
		}
		return axis{start: q.to.Add(-window), step: window + history.Resolution, count: 1}
	}
	step := max(q.query.step, history.Resolution)
	for _, s := range always {
		for _, one := range s.Samples {
			if !one.At.Before(q.from) && !one.At.After(q.to) {
				step = max(step, one.Step)
				break // older ones are further apart
			}
		}
	}
	q.query.step = step
	start, end := alignToStep(model.TimestampOf(q.from), model.TimestampOf(q.to), step)
	count := int(time.Duration(end-start)/step) + 1
	return axis{start: start.Time(), step: step, count: min(count, stepsMax+2)}
}

func (q *statQuery) addTerm(groups map[string]*group, h History, t statTerm, a axis, over bool) {
	sign := 1.0
	if t.minus {
		sign = -1
	}
	for _, s := range h.Select(t.metric) {
		if q.tenant != "" && s.Labels["tenant"] != string(q.tenant) || !t.selects(s.Labels) {
			continue
		}
		g := q.group(groups, t, s.Labels, a)
		target := g.sum
		switch {
		case over:
			target = g.over
		case q.mode == modeQuantile:
			le := s.Labels[history.LabelLE]
			if g.bounds[le] == nil {
				g.bounds[le] = newValues(a.count)
			}
			target = g.bounds[le]
		}
		target.plus(q.read(s.Samples, a), sign)
	}
}

func (q *statQuery) group(groups map[string]*group, t statTerm, of map[string]string, a axis) *group {
	key := ""
	switch {
	case q.split == splitNone:
	case t.as != "":
		key = t.as
	default:
		key = of[q.split]
	}
	g := groups[key]
	if g == nil {
		g = &group{labels: map[string]string{}, sum: newValues(a.count), over: newValues(a.count), bounds: map[string]values{}}
		if q.split != splitNone {
			g.labels[q.split] = key
		}
		groups[key] = g
	}
	return g
}

// zeros makes nothing that was counted a 0 wherever the process ran long enough to tell.
func (q *statQuery) zeros(groups map[string]*group, always []history.Series, a axis) {
	g := q.group(groups, statTerm{}, nil, a)
	for _, s := range always {
		ran := slices.Clone(s.Samples)
		for n := range ran {
			ran[n].Value = 0
		}
		for n, v := range q.read(ran, a) {
			if math.IsNaN(g.sum[n]) {
				g.sum[n] = v
			}
		}
	}
}

// read makes numbers of samples.
func (q *statQuery) read(samples []history.Sample, a axis) values {
	switch q.mode {
	case modeRate:
		return readRate(samples, a)
	case modeIncrease, modeQuantile:
		return readIncrease(samples, a)
	case modeGauge, modeAge:
	}
	return readGauge(samples, a)
}

// readGauge takes the last value of each step, and the one before it where a sample came late.
func readGauge(samples []history.Sample, a axis) values {
	out := newValues(a.count)
	for n, s := range samples {
		i := a.index(s.At)
		if n > 0 && within(samples[n-1], s) {
			for late := max(a.index(samples[n-1].At)+1, 0); late < min(i, a.count); late++ {
				out[late] = samples[n-1].Value
			}
		}
		if i >= 0 && i < a.count && !math.IsNaN(s.Value) {
			out[i] = s.Value
		}
	}
	return out
}

// within reports whether the process ran from one sample to the next.
func within(before, s history.Sample) bool {
	return float64(s.At.Sub(before.At)) <= gapSteps*float64(before.Step)
}

// delta is what was counted since the sample before, and in which time. A counter that was not there began at 0 after the
// sample before. After a gap, it all came in the last step: while the process did not run nothing was counted.
func delta(before, s history.Sample) (counted float64, in time.Duration) {
	in = s.At.Sub(before.At)
	if !within(before, s) {
		in = s.Step
	}
	if math.IsNaN(before.Value) {
		return s.Value, in
	}
	return s.Value - before.Value, in
}

// readIncrease sums what was counted in each step.
func readIncrease(samples []history.Sample, a axis) values {
	out := newValues(a.count)
	for n := 1; n < len(samples); n++ {
		before, s := samples[n-1], samples[n]
		i := a.index(s.At)
		if i < 0 || math.IsNaN(s.Value) {
			continue
		}
		if within(before, s) { // a step without a sample counted nothing of its own
			for late := max(a.index(before.At)+1, 0); late < min(i, a.count); late++ {
				out[late] = 0
			}
		}
		if i < a.count {
			counted, _ := delta(before, s)
			if math.IsNaN(out[i]) {
				out[i] = 0
			}
			out[i] += counted
		}
	}
	return out
}

// readRate spreads what was counted evenly over the time since the sample before.
func readRate(samples []history.Sample, a axis) values {
	counted, covered := newValues(a.count), make([]time.Duration, a.count)
	for n := 1; n < len(samples); n++ {
		d, in := delta(samples[n-1], samples[n])
		if in <= 0 {
			continue
		}
		begin, end := samples[n].At.Add(-in), samples[n].At
		for i := max(a.index(begin), 0); i < a.count && a.at(i).Before(end); i++ {
			part := minTime(end, a.at(i+1)).Sub(maxTime(begin, a.at(i)))
			covered[i] += part // also of what is not there yet: it counts nothing
			switch share := d * float64(part) / float64(in); {
			case math.IsNaN(share):
			case math.IsNaN(counted[i]):
				counted[i] = share
			default:
				counted[i] += share
			}
		}
	}
	out := newValues(a.count)
	for i, d := range covered {
		if d >= min(a.step, history.Resolution)/2 { // of the step that has just begun nothing can be said
			out[i] = counted[i] / d.Seconds()
		}
	}
	return out
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// finish makes series of a group.
func (q *statQuery) finish(g *group, a axis) []engine.Series {
	switch {
	case q.mode == modeQuantile:
		var out []engine.Series
		for _, p := range []struct {
			name string
			of   float64
		}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
			set := maps.Clone(g.labels)
			set["quantile"] = p.name
			out = append(out, q.series(set, quantiles(g.bounds, p.of, a.count), a)...)
		}
		return out
	case q.mode == modeAge:
		for n, v := range g.sum {
			g.sum[n] = math.NaN()
			if v > 0 {
				g.sum[n] = max(0, minTime(a.at(n+1), q.to).Sub(time.UnixMilli(int64(v*1000))).Seconds())
			}
		}
	case len(q.over) > 0:
		for n, v := range g.over {
			g.sum[n] /= v
			if v == 0 {
				g.sum[n] = math.NaN()
			}
		}
	case q.mode == modeIncrease && q.split != splitNone && !slices.ContainsFunc(g.sum, func(v float64) bool { return v > 0 }):
		return nil // a reason for which nothing happened is no part of the answer
	case q.mode == modeRate || q.mode == modeIncrease:
		for n, v := range g.sum {
			if v < 0 { // of a difference of two counters that are read one after the other
				g.sum[n] = 0
			}
		}
	}
	return q.series(g.labels, g.sum, a)
}

// series leaves out steps without a number, and series without any.
func (q *statQuery) series(set map[string]string, v values, a axis) []engine.Series {
	out := engine.Series{Labels: labels.FromMap(set)}
	for n, x := range v {
		if math.IsNaN(x) {
			continue
		}
		at := a.at(n)
		if q.query.instant {
			at = q.to
		}
		out.Samples = append(out.Samples, engine.Sample{Timestamp: model.TimestampOf(at), Value: x})
	}
	if len(out.Samples) == 0 {
		return nil
	}
	return []engine.Series{out}
}

// quantiles are computed as Prometheus does it: evenly within a bucket, and no higher than the highest bound.
func quantiles(bounds map[string]values, of float64, count int) values {
	out := newValues(count)
	type bucket struct {
		le     float64
		counts values
	}
	var buckets []bucket
	for le, counts := range bounds {
		if f, err := strconv.ParseFloat(le, 64); err == nil { // +Inf, too
			buckets = append(buckets, bucket{f, counts})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int {
		if a.le < b.le {
			return -1
		}
		return 1
	})
	for n := range out {
		if len(buckets) == 0 {
			break
		}
		total := buckets[len(buckets)-1].counts[n]
		if math.IsNaN(total) || total <= 0 {
			continue
		}
		lower, below := 0.0, 0.0
		for _, b := range buckets {
			if b.counts[n] >= of*total {
				out[n] = lower
				if !math.IsInf(b.le, 1) && b.counts[n] > below {
					out[n] = lower + (b.le-lower)*(of*total-below)/(b.counts[n]-below)
				}
				break
			}
			lower, below = b.le, b.counts[n]
		}
	}
	return out
}
