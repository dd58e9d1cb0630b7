package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// evalRange counts the entries, or their bytes, of the window of each step, in one pass over the entries in any order.
func (q *query) evalRange(ctx context.Context, n *plan.Range) ([]Series, error) {
	if n.Values {
		return q.evalValues(ctx, n)
	}
	f := newFold(q, n)
	for _, scan := range n.Scans {
		r := request{
			scan:     scan,
			interval: q.rangeInterval(n),
			order:    storage.Unordered,
			stages:   n.Stages,
		}
		err := q.scan(ctx, r, func(s *scanned) (bool, error) { return true, f.add(s) })
		if err != nil {
			return nil, err
		}
	}
	return f.result(ctx)
}

// fold is the state of one range aggregation.
type fold struct {
	node       *plan.Range
	q          *query
	grid       grid
	countBytes bool // the sample is a sum of bytes, not of entries
	sliding    bool // windows overlap: pages hold differences

	groups  grouper
	windows windows // of the last entry
	series  []*rangeSeries
}

func newFold(q *query, n *plan.Range) *fold {
	f := &fold{
		node:       n,
		q:          q,
		grid:       q.grid,
		countBytes: n.Op == syntax.OpBytesOverTime || n.Op == syntax.OpBytesRate,
		sliding:    int64(n.Length) > q.grid.step,
		windows:    windows{from: 1, to: 0}, // holds no time
	}
	f.groups = newGrouper(n.Group, f.newSeries)
	return f
}

// rangeInterval is the union of all windows: (first-Length-Offset, last-Offset].
func (q *query) rangeInterval(n *plan.Range) model.Interval {
	back := negate(n.Offset)
	return model.Interval{
		Start: q.grid.start.Add(negate(n.Length)).Add(back).Add(1),
		End:   q.grid.last().Add(back).Add(1),
	}
}

func negate(d time.Duration) time.Duration {
	if d == math.MinInt64 {
		return math.MaxInt64
	}
	return -d
}

// newSeries is called for each new group.
func (f *fold) newSeries(ls labels.Labels, labelBytes int) (*rangeSeries, error) {
	pages := f.grid.steps/pageSteps + 1
	if err := f.q.takeSeries(int64(2*labelBytes + 8*pages)); err != nil {
		return nil, err
	}
	s := &rangeSeries{labels: ls, pages: make([]*page, pages)}
	f.series = append(f.series, s)
	return s, nil
}

// takeSeries sets aside what a series takes, and so many bytes.
func (q *query) takeSeries(bytes int64) error {
	const fixed = 256 // the series, its place in the map
	return q.budget.take(fixed + bytes)
}

// add counts the entries of a batch. Neighbours mostly fall into the same windows of the same series: they are counted
// together.
func (f *fold) add(s *scanned) error {
	f.groups.startBatch(s)
	var run run
	for i, at := range s.Timestamps {
		if s.partial && !s.Selected.Contains(i) {
			continue
		}
		at = at.Add(f.node.Offset)
		if at < f.windows.from || at > f.windows.to {
			f.windows = f.grid.windows(at, f.node.Length)
		}
		w := &f.windows
		if w.lo > w.hi {
			continue // between two windows
		}
		if len(s.Errors) > 0 {
			if err := checkError(f.node, s, i); err != nil {
				return err
			}
		}
		series, err := f.groups.of(s, i)
		if err != nil {
			return err
		}
		if series != run.series || w.lo != run.lo || w.hi != run.hi {
			if err := f.count(run); err != nil {
				return err
			}
			run.series, run.lo, run.hi, run.entries, run.bytes = series, w.lo, w.hi, 0, 0
		}
		run.entries++
		switch {
		case !f.countBytes:
		case f.node.Stages.ChangesLines:
			run.bytes += int64(len(s.Line(i)))
		default:
			run.bytes += int64(s.LineBytes[i])
		}
	}
	return f.count(run)
}

// entryLabels returns the labels of an entry, as far as the query has read or made them.
func entryLabels(s *scanned, i int) labels.Labels {
	g := newGrouper(plan.Group{Mode: plan.GroupAll}, nil)
	if s.HasRows() {
		return g.labelsOfRow(s, i)
	}
	level, metadata := "", []model.Pair(nil)
	if s.Levels != nil {
		level = s.Levels[i]
	}
	if s.Metadata != nil {
		metadata = s.Metadata[i]
	}
	return g.labelsOf(s.Streams[s.StreamIndex[i]], metadata, level)
}

// checkError fails the query for an entry that no stage could make sense of, unless the query filtered it out.
func checkError(n *plan.Range, s *scanned, i int) error {
	e, ok := s.Errors[i]
	if !ok || n.KeepsErrors && e.OfParser() {
		return nil
	}
	b := labels.NewBuilder(entryLabels(s, i))
	b.Set(pipeline.ErrorLabel, e.Class)
	b.Set(pipeline.ErrorDetailsLabel, e.Details)
	return refuse("pipeline error: '%s' for series: '%s'.\nUse a label filter to intentionally skip this error. "+
		"(e.g | __error__!=\"%s\").\nTo skip all potential errors you can match empty errors.(e.g __error__=\"\")\n"+
		"The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n",
		e.Class, b.Labels(), e.Class)
}

// pageSteps is the number of steps that are allocated together. A series that is seen once takes little.
const pageSteps = 32

// page is a part of a series. With overlapping windows its cells are differences: what is added at step lo and taken away
// behind step hi; else they are the counts themselves. Integers make either exact.
type page struct {
	entries [pageSteps]int64
	bytes   []int64 // nil unless bytes are counted
}

// rangeSeries is the counts, or the values, of one group.
type rangeSeries struct {
	labels labels.Labels
	pages  []*page // nil where nothing was counted
	values seriesValues
}

// run is some entries of one series that fall into the windows of steps lo to hi.
type run struct {
	series         *rangeSeries
	lo, hi         int
	entries, bytes int64
}

// count adds a run to its windows.
func (f *fold) count(r run) error {
	if r.entries == 0 {
		return nil
	}
	if err := f.addAt(r.series, r.lo, r.entries, r.bytes); err != nil || !f.sliding { // else lo is hi
		return err
	}
	return f.addAt(r.series, r.hi+1, -r.entries, -r.bytes)
}

func (f *fold) addAt(s *rangeSeries, step int, entries, bytes int64) error {
	p := s.pages[step/pageSteps]
	if p == nil {
		var err error
		if p, err = f.newPage(); err != nil {
			return err
		}
		s.pages[step/pageSteps] = p
	}
	p.entries[step%pageSteps] += entries
	if f.countBytes {
		p.bytes[step%pageSteps] += bytes
	}
	return nil
}

func (f *fold) newPage() (*page, error) {
	if err := f.q.budget.take(f.pageBytes()); err != nil {
		return nil, err
	}
	p := &page{}
	if f.countBytes {
		p.bytes = make([]int64, pageSteps)
	}
	return p, nil
}

func (f *fold) pageBytes() int64 {
	if f.countBytes {
		return 16*pageSteps + 32
	}
	return 8*pageSteps + 32
}

// sampleBytes is what a Sample takes.
const sampleBytes = 16

// result turns the counts into samples.
func (f *fold) result(ctx context.Context) ([]Series, error) {
	return collect(ctx, f.series, f.samples)
}

// collect takes the samples of each series, sorted by labels so that sums of floats over them come out the same each time.
func collect(ctx context.Context, series []*rangeSeries, samples func(*rangeSeries) ([]Sample, error)) ([]Series, error) {
	slices.SortFunc(series, func(a, b *rangeSeries) int { return labels.Compare(a.labels, b.labels) })
	out := make([]Series, 0, len(series))
	for i, s := range series {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		list, err := samples(s)
		if err != nil {
			return nil, err
		}
		out = append(out, Series{Labels: s.labels, Samples: list})
		series[i] = nil
	}
	return out, nil
}

// samples returns a sample for each step whose window holds an entry, and gives the pages back.
func (f *fold) samples(s *rangeSeries) ([]Sample, error) {
	count := 0
	f.eachStep(s, func(int, int64, int64) { count++ })
	if err := f.q.budget.take(int64(count) * sampleBytes); err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, count)
	f.eachStep(s, func(step int, entries, bytes int64) {
		samples = append(samples, Sample{Timestamp: f.grid.at(step), Value: f.value(entries, bytes)})
	})
	for _, p := range s.pages {
		if p != nil {
			f.q.budget.give(f.pageBytes())
		}
	}
	return samples, nil
}

// eachStep calls visit for each step whose window holds an entry.
func (f *fold) eachStep(s *rangeSeries, visit func(step int, entries, bytes int64)) {
	var entries, bytes int64
	for step := range f.grid.steps {
		p := s.pages[step/pageSteps]
		if !f.sliding {
			entries, bytes = 0, 0
		}
		if p != nil {
			entries += p.entries[step%pageSteps]
			if f.countBytes {
				bytes += p.bytes[step%pageSteps]
			}
		}
		if entries > 0 {
			visit(step, entries, bytes)
		}
	}
}

func (f *fold) value(entries, bytes int64) float64 {
	switch f.node.Op {
	case syntax.OpCountOverTime:
		return float64(entries)
	case syntax.OpRate:
		return float64(entries) / f.node.Length.Seconds()
	case syntax.OpBytesOverTime:
		return float64(bytes)
	case syntax.OpBytesRate:
		return float64(bytes) / f.node.Length.Seconds()
	}
	panic(fmt.Sprintf("range operation %s was planned and has no value", f.node.Op)) // plan.Build lets no other through
}
