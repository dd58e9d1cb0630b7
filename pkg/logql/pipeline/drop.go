package pipeline

import "github.com/woodshed-logs/woodshed/pkg/logql/syntax"

// dropStep forgets errors: | drop __error__, which Grafana adds to its queries for histograms. The details go with the
// error: without it they would only tear a series apart.
type dropStep struct{ detailsOnly bool }

func newDropStep(s *syntax.Drop) (step, error) {
	st := &dropStep{detailsOnly: true}
	for _, pick := range s.Labels {
		switch {
		case pick.Name == ErrorLabel && pick.Matcher == nil:
			st.detailsOnly = false
		case pick.Name == ErrorDetailsLabel && pick.Matcher == nil:
		default:
			return nil, Unsupported("the drop stage, but for | drop __error__, __error_details__,")
		}
	}
	return st, nil
}

func (st *dropStep) run(b *Batch) {
	if !st.detailsOnly {
		clear(b.Errors)
		return
	}
	for i, e := range b.Errors {
		b.Errors[i] = EntryError{Class: e.Class}
	}
}
