package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// The texts are Loki's.
const (
	textDuplicate = "found duplicate series on the %s hand-side;many-to-many matching not allowed: matching labels must be " +
		"unique on one side"
	textManyToOne = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
	textNotUnique = "multiple matches for labels: grouping labels must ensure unique matches"
)

// matching pairs the samples of two sides step by step. Each sample of the "many" side is paired with the only one of the
// same group on the "one" side. One to one, only one sample of the many side may be, too.
//
// What matches is judged before a comparison drops anything, or whether a query fails would depend on values.
type matching struct {
	q       *query
	n       *plan.Binary
	grouped bool // group_left or group_right
	swapped bool // the many side is the right one

	many, one             *stepper
	manyGroups, oneGroups []int32
	groups                []matchedGroup

	group      plan.Group
	builder    labels.ScratchBuilder
	includer   *labels.Builder
	byLabels   *groupNumbers // of the results of group_left
	outs       []*matched
	lastOfMany []lastMatch // by series of the many side
}

// matchedGroup is a group at one step.
type matchedGroup struct {
	step    int32 // that the fields are of, plus one
	series  int32 // of the one side
	value   float64
	matched bool
	out     *matched // one to one: the group's series
}

// lastMatch remembers what a series of the many side was paired with.
type lastMatch struct {
	one int32 // plus one
	out *matched
}

// matched is a series of the result.
type matched struct {
	Series
	rank int32 // the series of the many side that made it
	step int32 // the last that it was matched at, plus one
}

// matchSeries applies the operator to the samples of each step whose series match.
func (q *query) matchSeries(ctx context.Context, n *plan.Binary, left, right []Series) ([]Series, error) {
	o, err := q.newOperands(n, left, right)
	if err != nil {
		return nil, err
	}
	m := &matching{
		q: q, n: n,
		many: o.left, one: o.right, manyGroups: o.leftGroups, oneGroups: o.rightGroups,
		groups:  make([]matchedGroup, o.groups),
		group:   matchGroup(n.Matching),
		builder: labels.NewScratchBuilder(16),
	}
	if n.Matching != nil && n.Matching.Card != syntax.OneToOne {
		m.grouped = true
		m.includer = labels.NewBuilder(labels.EmptyLabels())
		m.byLabels = newGroupNumbers(plan.Group{Mode: plan.GroupAll})
	}
	if n.Matching != nil && n.Matching.Card == syntax.OneToMany {
		m.swapped = true
		m.many, m.one = m.one, m.many
		m.manyGroups, m.oneGroups = m.oneGroups, m.manyGroups
	}
	m.lastOfMany = make([]lastMatch, len(m.many.series))
	scratch := 16 * int64(len(m.lastOfMany))
	if err := q.budget.take(scratch); err != nil {
		return nil, err
	}
	if err := q.eachStep(ctx, m.step); err != nil {
		return nil, err
	}
	q.budget.give(scratch + o.bytes)
	q.give(left)
	q.give(right)
	return m.result(), nil
}

// step pairs the samples of one step.
func (m *matching) step(step int) error {
	now := int32(step + 1)
	err := m.one.each(step, func(series int32, v float64) error {
		g := &m.groups[m.oneGroups[series]]
		if g.step == now {
			side := "right"
			if m.swapped {
				side = "left"
			}
			return refuse(textDuplicate, side)
		}
		g.step, g.series, g.value, g.matched = now, series, v, false
		return nil
	})
	if err != nil {
		return err
	}
	return m.many.each(step, func(series int32, v float64) error {
		g := &m.groups[m.manyGroups[series]]
		if g.step != now {
			return nil
		}
		out, err := m.out(g, series)
		if err != nil {
			return err
		}
		switch {
		case !m.grouped && g.matched:
			return refuse(textManyToOne)
		case m.grouped && out.step == now:
			return refuse(textNotUnique)
		}
		g.matched, out.step = true, now
		return m.add(out, step, v, g.value)
	})
}

// add appends the operator's result.
func (m *matching) add(out *matched, step int, many, one float64) error {
	l, r := many, one
	if m.swapped {
		l, r = r, l
	}
	v, keep := apply(m.n, l, r, l)
	if !keep {
		return nil
	}
	if err := m.q.budget.take(sampleBytes); err != nil {
		return err
	}
	out.Samples = append(out.Samples, Sample{Timestamp: m.q.grid.at(step), Value: v})
	return nil
}

// out returns the series that the result for a series of the many side belongs to.
func (m *matching) out(g *matchedGroup, series int32) (*matched, error) {
	if !m.grouped {
		if g.out == nil {
			var err error
			if g.out, err = m.newOut(groupLabels(&m.builder, m.group, m.many.series[series].Labels), series); err != nil {
				return nil, err
			}
		}
		return g.out, nil
	}
	last := &m.lastOfMany[series]
	if last.one == g.series+1 {
		return last.out, nil
	}
	m.includer.Reset(m.many.series[series].Labels)
	for _, name := range m.n.Matching.Include {
		m.includer.Set(name, m.one.series[g.series].Labels.Get(name)) // the empty value deletes
	}
	ls := m.includer.Labels()
	number := m.byLabels.of(ls)
	if int(number) == len(m.outs) {
		if _, err := m.newOut(ls, series); err != nil {
			return nil, err
		}
	}
	last.one, last.out = g.series+1, m.outs[number]
	return last.out, nil
}

func (m *matching) newOut(ls labels.Labels, rank int32) (*matched, error) {
	const fixed = 256 // the series, its place in the map
	if err := m.q.budget.take(fixed + 2*textBytes(ls)); err != nil {
		return nil, err
	}
	out := &matched{Series: Series{Labels: ls}, rank: rank}
	m.outs = append(m.outs, out)
	return out, nil
}

// result returns the series that have samples, in the order of the many side.
func (m *matching) result() []Series {
	slices.SortFunc(m.outs, func(a, b *matched) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), labels.Compare(a.Labels, b.Labels))
	})
	var series []Series
	for _, out := range m.outs {
		if len(out.Samples) > 0 {
			series = append(series, out.Series)
		}
	}
	return series
}
