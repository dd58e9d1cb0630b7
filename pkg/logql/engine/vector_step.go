package engine

import "context"

// stepper goes through the samples of many series step by step, in time that grows with the samples and the steps but not
// with their product: at each step it looks only at the series that have a sample there. To that end each series waits,
// in a list, at the step of its next sample.
type stepper struct {
	grid    grid
	series  []Series
	waiting []int32 // by step: the first series of its list, plus one
	behind  []int32 // by series: the next one of its list, plus one
	next    []int32 // by series: its next sample
}

// newStepper puts the series in place; give its bytes back when it is done with.
func (q *query) newStepper(series []Series) (*stepper, error) {
	s := &stepper{grid: q.grid, series: series}
	if err := q.budget.take(s.bytes()); err != nil {
		return nil, err
	}
	s.waiting = make([]int32, q.grid.steps)
	s.behind = make([]int32, len(series))
	s.next = make([]int32, len(series))
	for i := len(series) - 1; i >= 0; i-- {
		s.wait(int32(i))
	}
	return s, nil
}

func (s *stepper) bytes() int64 { return 4*int64(s.grid.steps) + 8*int64(len(s.series)) }

// wait puts a series where it is visited next.
func (s *stepper) wait(i int32) {
	samples := s.series[i].Samples
	if int(s.next[i]) == len(samples) {
		return
	}
	at := s.grid.index(samples[s.next[i]].Timestamp)
	s.behind[i] = s.waiting[at]
	s.waiting[at] = i + 1
}

// each visits the samples of a step, in no order of the series but always the same. Steps must be taken in order.
func (s *stepper) each(step int, visit func(series int32, v float64) error) error {
	for at := s.waiting[step]; at != 0; {
		i := at - 1
		at = s.behind[i]
		v := s.series[i].Samples[s.next[i]].Value
		s.next[i]++
		s.wait(i)
		if err := visit(i, v); err != nil {
			return err
		}
	}
	return nil
}

// eachStep calls visit for each step, until the context ends.
func (q *query) eachStep(ctx context.Context, visit func(step int) error) error {
	for step := range q.grid.steps {
		if step%64 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := visit(step); err != nil {
			return err
		}
	}
	return nil
}

// shrink gives back what is not kept of the samples. The kept ones are moved when most of the memory would stay behind
// with them.
func (q *query) shrink(samples, kept []Sample) []Sample {
	q.budget.give(int64(len(samples)-len(kept)) * sampleBytes)
	if 2*len(kept) >= len(samples) {
		return kept
	}
	return append(make([]Sample, 0, len(kept)), kept...)
}

// filtered is series that lose samples. Samples are kept in place, behind those that a stepper has yet to read.
type filtered struct {
	series []Series
	kept   []int32
}

func newFiltered(series []Series) *filtered {
	return &filtered{series: series, kept: make([]int32, len(series))}
}

// keep keeps a sample that has been read.
func (f *filtered) keep(series int32, s Sample) {
	f.series[series].Samples[f.kept[series]] = s
	f.kept[series]++
}

// result returns the series that have samples left.
func (f *filtered) result(q *query) []Series {
	out := f.series[:0]
	for i, s := range f.series {
		if s.Samples = q.shrink(s.Samples, s.Samples[:f.kept[i]]); len(s.Samples) > 0 {
			out = append(out, s)
		}
	}
	clear(f.series[len(out):])
	return out
}
