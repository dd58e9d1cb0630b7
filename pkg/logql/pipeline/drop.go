package pipeline

import "github.com/woodshed-logs/woodshed/pkg/logql/syntax"

// dropOp forgets errors: | drop __error__, which Grafana adds to its queries for histograms. The details go with the
// error: without it they would only tear a series apart.
type dropOp struct{ detailsOnly bool }

func newDropOp(s *syntax.Drop) (op, error) {
	o := &dropOp{detailsOnly: true}
	for _, pick := range s.Labels {
		switch {
		case pick.Name == ErrorLabel && pick.Matcher == nil:
			o.detailsOnly = false
		case pick.Name == ErrorDetailsLabel && pick.Matcher == nil:
		default:
			return nil, Unsupported("the drop stage, but for | drop __error__, __error_details__,")
		}
	}
	return o, nil
}

func (o *dropOp) apply(r *row) bool {
	if o.detailsOnly {
		r.Err.Details = ""
	} else {
		r.Err = EntryError{}
	}
	return true
}
