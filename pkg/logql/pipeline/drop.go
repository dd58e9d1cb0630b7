package pipeline

import "github.com/woodshed-logs/woodshed/pkg/logql/syntax"

// dropOp is | drop: it takes labels away, those with a matcher only where it holds. The details of an error go with the
// error: without it they would only tear a series apart.
type dropOp struct{ picks []syntax.LabelPick }

func newDropOp(s *syntax.Drop, needs *Needs) op {
	addMatchers(needs, s.Labels)
	return &dropOp{s.Labels}
}

// addMatchers notes the labels whose values decide.
func addMatchers(needs *Needs, picks []syntax.LabelPick) {
	for _, pick := range picks {
		if pick.Matcher != nil {
			needs.AddName(pick.Name)
		}
	}
}

func (o *dropOp) apply(r *row) bool {
	for _, pick := range o.picks {
		if pick.Matcher != nil {
			if value, _ := r.get(pick.Name); !pick.Matcher.Matches(value) {
				continue
			}
		}
		switch pick.Name {
		case ErrorLabel:
			r.Err = EntryError{}
		case ErrorDetailsLabel:
			r.Err.Details = ""
		default:
			r.remove(pick.Name)
		}
	}
	return true
}
