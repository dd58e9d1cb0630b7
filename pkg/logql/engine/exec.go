package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Config is what an Engine works with.
type Config struct {
	Querier storage.Querier
	Limits  func(model.TenantID) Limits // nil: none
	Now     func() time.Time            // nil: time.Now; for durations in Stats alone
	// MemoryBytes bounds what one query keeps; 0: 256 MiB. A log query that reaches it is answered in part, with a warning;
	// a metric query fails.
	MemoryBytes int64
	// Plan says how to plan; the zero value is best.
	Plan plan.Options
}

// Engine is an Executor over one store. It is safe for concurrent use and starts no goroutines.
type Engine struct{ cfg Config }

var _ Executor = (*Engine)(nil)

// New returns an Engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Querier == nil {
		return nil, errors.New("engine: a Querier is required")
	}
	if cfg.MemoryBytes < 0 {
		return nil, fmt.Errorf("engine: MemoryBytes is %d", cfg.MemoryBytes)
	}
	if cfg.Limits == nil {
		cfg.Limits = func(model.TenantID) Limits { return Limits{} }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MemoryBytes == 0 {
		cfg.MemoryBytes = memoryBytesDefault
	}
	return &Engine{cfg: cfg}, nil
}

// query is one query under way.
type query struct {
	Params
	querier      storage.Querier
	now          func() time.Time
	limits       Limits
	budget       budget
	grid         grid
	plannedBytes uint64            // as estimated for the scans opened so far
	store        storage.ScanStats // of the scans that ended, without warnings
	stats        Stats             // besides those
	explain      *Explain          // nil: nobody asked
	warnings     []string
}

// Exec runs one query.
func (e *Engine) Exec(ctx context.Context, p Params) (*Result, error) {
	began := e.cfg.Now()
	limits := e.cfg.Limits(p.Tenant)
	if limits.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limits.Timeout)
		defer cancel()
	}
	expr, err := syntax.Parse(p.Query)
	if err != nil {
		return nil, err
	}
	if err := checkParams(p, expr, limits); err != nil {
		return nil, err
	}
	node, err := e.cfg.Plan.Build(expr)
	if err != nil {
		return nil, fmt.Errorf("plan query: %w", err)
	}
	q := &query{
		Params:  p,
		querier: e.cfg.Querier,
		now:     e.cfg.Now,
		limits:  limits,
		budget:  budget{left: e.cfg.MemoryBytes, max: e.cfg.MemoryBytes},
		grid:    gridOf(p),
	}
	if p.Explain {
		q.explain = &Explain{Plan: plan.Text(node)}
	}
	res, err := q.run(ctx, node)
	if err != nil {
		return nil, err
	}
	res.Explain = q.explain
	res.Stats, res.Warnings = q.sum(), q.warnings
	res.Stats.Exec = e.cfg.Now().Sub(began)
	return res, nil
}

func (q *query) run(ctx context.Context, node plan.Node) (*Result, error) {
	switch n := node.(type) {
	case *plan.Log:
		return q.runLog(ctx, n)
	case *plan.Scalar:
		if q.Instant {
			return &Result{Type: ResultScalar, Scalar: Sample{Timestamp: q.End, Value: n.Value}}, nil
		}
		node = &plan.Constant{Value: n.Value} // Loki's answer to a number asked over a range
	}
	series, err := q.eval(ctx, node)
	if err != nil {
		return nil, err
	}
	byValue := q.Instant && plan.SortsByValue(node)
	if series, err = q.answerSeries(series, byValue); err != nil {
		return nil, err
	}
	res := &Result{Type: ResultMatrix, Series: series}
	if q.Instant {
		res.Type = ResultVector
	}
	return res, nil
}

// answerSeries sorts the series of the answer, unless the query did, and holds them to the limit. Here label_replace and
// group_left may have made series equal that were not; inside of a query that is no harm, as a sum may follow.
func (q *query) answerSeries(series []Series, sorted bool) ([]Series, error) {
	ordered := slices.Clone(series)
	sortByLabels(ordered)
	unique := ordered[:0]
	for _, s := range ordered {
		if last := len(unique) - 1; last >= 0 && labels.Equal(unique[last].Labels, s.Labels) {
			samples, ok := joinSamples(unique[last].Samples, s.Samples)
			if !ok {
				return nil, refuse("vector cannot contain metrics with the same labelset: %s", s.Labels)
			}
			unique[last].Samples = samples
			continue
		}
		unique = append(unique, s)
	}
	if sorted { // each has one sample, so none was joined
		return q.topSeries(series), nil
	}
	return q.topSeries(unique), nil
}

// joinSamples merges two sequences of samples, unless both have a sample at the same time.
func joinSamples(a, b []Sample) (joined []Sample, ok bool) {
	joined = append(append(make([]Sample, 0, len(a)+len(b)), a...), b...)
	slices.SortFunc(joined, func(a, b Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	for i := 1; i < len(joined); i++ {
		if joined[i-1].Timestamp == joined[i].Timestamp {
			return nil, false
		}
	}
	return joined, true
}

// eval returns the series of a metric node, each with at least one sample, in an order that the same data always yields:
// what adds them up comes to the same sum. The samples are on the query's account.
func (q *query) eval(ctx context.Context, node plan.Node) ([]Series, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch n := node.(type) {
	case *plan.Range:
		return q.evalRange(ctx, n)
	case *plan.Count:
		return q.evalCount(ctx, n)
	case *plan.Absent:
		return q.evalAbsent(ctx, n)
	case *plan.Aggregate:
		return q.evalInput(ctx, n.Input, func(input []Series) ([]Series, error) { return q.aggregate(ctx, n, input) })
	case *plan.TopK:
		return q.evalInput(ctx, n.Input, func(input []Series) ([]Series, error) { return q.topK(ctx, n, input) })
	case *plan.Sort:
		return q.evalInput(ctx, n.Input, func(input []Series) ([]Series, error) { return q.sortSeries(n, input), nil })
	case *plan.LabelReplace:
		return q.evalLabelReplace(ctx, n)
	case *plan.Binary:
		return q.evalBinary(ctx, n)
	case *plan.Constant:
		return q.constant(n.Value)
	}
	return nil, fmt.Errorf("plan node %T yields no series", node)
}

// evalInput evaluates a node and what is done with its series.
func (q *query) evalInput(ctx context.Context, input plan.Node, do func([]Series) ([]Series, error)) ([]Series, error) {
	series, err := q.eval(ctx, input)
	if err != nil {
		return nil, err
	}
	return do(series)
}

// constant returns one series without labels.
func (q *query) constant(value float64) ([]Series, error) {
	if err := q.budget.take(int64(q.grid.steps) * sampleBytes); err != nil {
		return nil, err
	}
	s := Series{Samples: make([]Sample, q.grid.steps)}
	for i := range s.Samples {
		s.Samples[i] = Sample{Timestamp: q.grid.at(i), Value: value}
	}
	return []Series{s}, nil
}

// warn adds a warning to the answer, once.
func (q *query) warn(text string) {
	if len(q.warnings) < warningsMax && !slices.Contains(q.warnings, text) {
		q.warnings = append(q.warnings, text)
	}
}

// grid is the instants at which a metric query is evaluated: start, start+step, … steps of them.
type grid struct {
	start model.Timestamp
	step  int64 // nanoseconds, positive
	steps int
}

func gridOf(p Params) grid {
	if p.Instant || p.Step <= 0 {
		return grid{start: p.End, step: 1, steps: 1}
	}
	return grid{start: p.Start, step: int64(p.Step), steps: 1 + int(span(p.Start, p.End)/p.Step)}
}

// at returns the instant of a step.
func (g grid) at(i int) model.Timestamp { return g.start + model.Timestamp(int64(i)*g.step) }

// last returns the last instant.
func (g grid) last() model.Timestamp { return g.at(g.steps - 1) }

// index returns the step of an instant of the grid.
func (g grid) index(t model.Timestamp) int { return int(int64(t-g.start) / g.step) }

// windows are the steps [lo, hi] whose windows hold every time of [from, to]; none when lo > hi.
type windows struct {
	from, to model.Timestamp
	lo, hi   int
}

// windows returns the steps T whose windows (T-length, T] hold t.
func (g grid) windows(t model.Timestamp, length time.Duration) windows {
	first := ceilDiv(sub(t, g.start), g.step)              // t <= T
	behind := ceilDiv(sub(t.Add(length), g.start), g.step) // T < t+length
	n := int64(g.steps)
	w := windows{from: t, to: t, lo: int(max(min(first, n), 0)), hi: int(max(min(behind, n), 0)) - 1}
	if first < 0 || first >= n || behind < 0 || behind >= n {
		return w // near the ends of the grid, where times may saturate: good for t alone
	}
	// Up to the first of: t passes step "first"; t+length passes step "behind".
	w.to = min(g.at(int(first)), g.at(int(behind))-model.Timestamp(length))
	return w
}

// span is the time between two instants, saturating.
func span(from, to model.Timestamp) time.Duration { return time.Duration(sub(to, from)) }

// sub returns a-b, saturating.
func sub(a, b model.Timestamp) int64 {
	d := int64(a) - int64(b)
	switch {
	case a >= b && d < 0:
		return math.MaxInt64
	case a < b && d >= 0:
		return math.MinInt64
	}
	return d
}

// ceilDiv returns a/b rounded up; b is positive.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
