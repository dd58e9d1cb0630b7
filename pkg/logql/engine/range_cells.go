package engine

import (
	"math"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// sumCell is a sum and what rounding took from it (Neumaier's), so that the order of the entries makes no difference.
type sumCell struct {
	sum, lost float64
	count     int64
}

func (c *sumCell) empty() bool { return c.count == 0 }

func (c *sumCell) add(_ model.Timestamp, v float64) {
	c.count++
	c.plus(v)
}

func (c *sumCell) plus(v float64) {
	t := c.sum + v
	switch {
	case math.IsInf(t, 0):
		c.lost = 0
	case math.Abs(c.sum) >= math.Abs(v):
		c.lost += (c.sum - t) + v
	default:
		c.lost += (v - t) + c.sum
	}
	c.sum = t
}

func (c *sumCell) merge(later *sumCell) {
	c.count += later.count
	c.plus(later.sum)
	c.lost += later.lost
}

func (c *sumCell) value(w window) float64 {
	v := c.sum + c.lost
	switch w.op {
	case syntax.OpRate:
		v /= w.length.Seconds()
	case syntax.OpAvgOverTime:
		v /= float64(c.count)
	}
	return v
}

// minCell is the smallest value; what is not a number only when there is nothing else.
type minCell struct {
	least float64
	any   bool
}

func (c *minCell) empty() bool { return !c.any }

func (c *minCell) add(_ model.Timestamp, v float64) {
	if !c.any || v < c.least || math.IsNaN(c.least) {
		c.least = v
	}
	c.any = true
}

func (c *minCell) merge(later *minCell) { c.add(0, later.least) }
func (c *minCell) value(window) float64 { return c.least }

// maxCell is the largest value; what is not a number only when there is nothing else.
type maxCell struct {
	most float64
	any  bool
}

func (c *maxCell) empty() bool { return !c.any }

func (c *maxCell) add(_ model.Timestamp, v float64) {
	if !c.any || v > c.most || math.IsNaN(c.most) {
		c.most = v
	}
	c.any = true
}

func (c *maxCell) merge(later *maxCell) { c.add(0, later.most) }
func (c *maxCell) value(window) float64 { return c.most }

// momentCell is the mean and the sum of squared distances from it, by Welford, and merged by Chan.
type momentCell struct{ count, mean, squares float64 }

func (c *momentCell) empty() bool { return c.count == 0 }

func (c *momentCell) add(_ model.Timestamp, v float64) {
	c.count++
	delta := v - c.mean
	c.mean += delta / c.count
	c.squares += delta * (v - c.mean)
}

func (c *momentCell) merge(later *momentCell) {
	count := c.count + later.count
	delta := later.mean - c.mean
	c.squares += later.squares + delta*delta*(c.count*later.count/count)
	c.mean += delta * (later.count / count)
	c.count = count
}

func (c *momentCell) value(w window) float64 {
	v := c.squares / c.count
	if w.op == syntax.OpStddevOverTime {
		v = math.Sqrt(v)
	}
	return v
}

// firstCell is the first value; values come in order.
type firstCell struct {
	v   float64
	any bool
}

func (c *firstCell) empty() bool { return !c.any }

func (c *firstCell) add(_ model.Timestamp, v float64) {
	if !c.any {
		c.v, c.any = v, true
	}
}

func (c *firstCell) merge(*firstCell)     {}
func (c *firstCell) value(window) float64 { return c.v }

// lastCell is the last value; values come in order.
type lastCell struct {
	v   float64
	any bool
}

func (c *lastCell) empty() bool                      { return !c.any }
func (c *lastCell) add(_ model.Timestamp, v float64) { c.v, c.any = v, true }
func (c *lastCell) merge(later *lastCell)            { *c = *later }
func (c *lastCell) value(window) float64             { return c.v }

// counterCell is what is needed of a counter's values, which come in order.
type counterCell struct {
	first, last     float64
	firstAt, lastAt model.Timestamp
	resets          float64 // the values before the counter went down, added up
	count           int64
}

func (c *counterCell) empty() bool { return c.count == 0 }

func (c *counterCell) add(at model.Timestamp, v float64) {
	switch {
	case c.count == 0:
		c.first, c.firstAt = v, at
	case v < c.last:
		c.resets += c.last
	}
	c.last, c.lastAt = v, at
	c.count++
}

func (c *counterCell) merge(later *counterCell) {
	if later.first < c.last {
		c.resets += c.last
	}
	c.resets += later.resets
	c.last, c.lastAt = later.last, later.lastAt
	c.count += later.count
}

// value is the increase per second, extrapolated to the ends of the window as Prometheus does: when the first and the last
// value lie no farther from them than values lie from each other, to the ends, else by half of such a distance. A counter
// is not taken below zero.
func (c *counterCell) value(w window) float64 {
	if c.count < 2 {
		return 0
	}
	increase := c.last - c.first + c.resets
	sampled := seconds(c.firstAt, c.lastAt)
	if sampled == 0 { // all at one time: there is no slope to extrapolate
		return increase / w.length.Seconds()
	}
	distance := sampled / float64(c.count-1)
	const allowance = 1.1
	toStart := seconds(w.end.Add(-w.length), c.firstAt)
	if toStart >= distance*allowance {
		toStart = distance / 2
	}
	if increase > 0 && c.first >= 0 {
		toStart = min(toStart, sampled*(c.first/increase)) // to where it was zero
	}
	toEnd := seconds(c.lastAt, w.end)
	if toEnd >= distance*allowance {
		toEnd = distance / 2
	}
	return increase * ((sampled + toStart + toEnd) / sampled) / w.length.Seconds()
}

func seconds(from, to model.Timestamp) float64 { return span(from, to).Seconds() }
