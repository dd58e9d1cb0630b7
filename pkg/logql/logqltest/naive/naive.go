// Package naive evaluates LogQL entry by entry, on plain maps, by the definition of each construct. It is what tests hold
// the engine to, and so it must be obviously right: it does everything the slow way, keeps nothing between entries or steps,
// leaves nothing out because nobody asks for it, and shares no code with the pipeline, the plan and the engine. It takes
// the tree from the parser; it knows no limits of what a query may cost.
//
// The meaning is Loki's, but for the faults that docs/logql.md lists. Where two answers are as good as each other (which of
// several equal series topk keeps) it is the order of label sets that decides.
package naive

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Params says over which time a query is asked. Log queries read [Start, End). Metric queries are evaluated at Start,
// Start+Step, … not after End, or, when Step is 0, at End alone.
type Params struct {
	Start, End model.Timestamp
	Step       time.Duration
	Backward   bool // the order of a log query's entries
	Limit      int  // entries of a log query
}

// instants returns the times at which a metric query is evaluated.
func (p Params) instants() []model.Timestamp {
	if p.Step == 0 {
		return []model.Timestamp{p.End}
	}
	var list []model.Timestamp
	for at := p.Start; at <= p.End; at = at.Add(p.Step) {
		list = append(list, at)
	}
	return list
}

// Labels is a label set. A label with the value "" is a label of a pipeline, but none of a series.
type Labels = map[string]string

// Result is an answer: one of its fields is filled.
type Result struct {
	Entries []Entry
	Scalar  *float64
	// Series has a sample for each instant at which there is one. Of sort and sort_desc at one instant they come in their
	// order, else by labels.
	Series []Series
}

// Entry is one line of a log query's answer, with its labels by where they come from. Those of an error are Parsed.
type Entry struct {
	Timestamp                model.Timestamp
	Line                     string
	Stream, Metadata, Parsed Labels
}

// Series is a label set and its samples.
type Series struct {
	Labels  Labels
	Samples map[model.Timestamp]float64
}

// Sample is one element of the vector of an instant.
type Sample struct {
	Labels Labels
	Value  float64
}

// evaluation is a metric query at one of its instants.
type evaluation struct {
	streams []model.Stream
	at      model.Timestamp
}

// asked is what a range and the aggregation around it read of an entry. When all that is found, it does not matter any more
// what a parser cannot read.
type asked struct {
	labels map[string]bool // nil: all of them
	errors bool            // those of parsers, as labels: they do not fail the query
	around bool            // an aggregation around the range says so
	summed bool            // it is a sum: the label that was unwrapped stays, for the sum to be by it
}

// What the user of a query did wrong and only the data show.
var (
	// ErrPipeline: an entry of a metric query has an error that no filter dropped.
	ErrPipeline = errors.New("pipeline error")
	// ErrMatching: series of a binary operation do not pair up, or two of the answer's are the same.
	ErrMatching = errors.New("series match more than once")
)

// Eval evaluates a query over streams whose entries are in order of time and arrival.
func Eval(e syntax.Expr, streams []model.Stream, p Params) (*Result, error) {
	if l, ok := e.(*syntax.LogExpr); ok {
		return evalLog(l, streams, p)
	}
	if v, ok := constant(e); ok && p.Step == 0 {
		return &Result{Scalar: &v}, nil
	}
	byLabels := map[string]*Series{}
	var order []*Series
	ev := &evaluation{streams: streams}
	for _, ev.at = range p.instants() {
		vector, err := ev.vector(e, asked{})
		if err != nil {
			return nil, err
		}
		for _, s := range vector {
			k := key(s.Labels)
			if byLabels[k] == nil {
				byLabels[k] = &Series{Labels: s.Labels, Samples: map[model.Timestamp]float64{}}
				order = append(order, byLabels[k])
			}
			if _, ok := byLabels[k].Samples[ev.at]; ok {
				return nil, fmt.Errorf("%w: two series have the labels %s", ErrMatching, k)
			}
			byLabels[k].Samples[ev.at] = s.Value
		}
	}
	if !sorted(e) {
		slices.SortFunc(order, func(a, b *Series) int { return compareLabels(a.Labels, b.Labels) })
	}
	res := &Result{}
	for _, s := range order {
		res.Series = append(res.Series, *s)
	}
	return res, nil
}

func sorted(e syntax.Expr) bool {
	v, ok := e.(*syntax.VectorAggregation)
	return ok && (v.Op == syntax.OpSort || v.Op == syntax.OpSortDesc)
}

func evalLog(e *syntax.LogExpr, streams []model.Stream, p Params) (*Result, error) {
	rows, err := run(e, streams, func(at model.Timestamp) bool { return p.Start <= at && at < p.End }, p.Backward, asked{})
	if err != nil {
		return nil, err
	}
	res := &Result{}
	for _, r := range rows[:min(p.Limit, len(rows))] {
		if r.err != "" {
			r.parsed[errorLabel] = r.err
		}
		if r.details != "" {
			r.parsed[detailsLabel] = r.details
		}
		res.Entries = append(res.Entries, Entry{r.at, r.line, r.stream, r.metadata, r.parsed})
	}
	return res, nil
}

// run puts the entries of some time through a pipeline, by time, label set and arrival or the other way round, and returns
// those that are left.
func run(e *syntax.LogExpr, streams []model.Stream, within func(model.Timestamp) bool, backward bool, want asked) ([]*row, error) {
	streams = slices.Clone(streams)
	slices.SortFunc(streams, func(a, b model.Stream) int { return labels.Compare(a.Labels, b.Labels) })
	var rows []*row
	for _, s := range streams {
		for _, entry := range s.Entries {
			if within(entry.Timestamp) && selected(e.Matchers, s.Labels) {
				r := newRow(s.Labels, entry)
				r.want = want
				rows = append(rows, r)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Compare(a.at, b.at) })
	if backward {
		slices.Reverse(rows)
	}
	for _, s := range e.Stages {
		var left []*row
		seen := map[string]bool{} // by a distinct stage
		for _, r := range rows {
			keep, err := r.apply(s, seen)
			if err != nil {
				return nil, err
			}
			if keep {
				left = append(left, r)
			}
		}
		rows = left
	}
	return rows, nil
}

func selected(matchers []*labels.Matcher, ls labels.Labels) bool {
	for _, m := range matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// key makes a label set comparable. Labels without a value are none.
func key(ls Labels) string { return promLabels(ls).String() }

func compareLabels(a, b Labels) int { return labels.Compare(promLabels(a), promLabels(b)) }

func promLabels(ls Labels) labels.Labels {
	ls = maps.Clone(ls)
	maps.DeleteFunc(ls, func(_, value string) bool { return value == "" })
	return labels.FromMap(ls)
}
