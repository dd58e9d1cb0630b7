package pipeline

import "github.com/woodshed-logs/woodshed/pkg/logql/syntax"

// dropOp is | drop: it takes labels away, those with a matcher only where it holds. The details of an error go with the
// error: without it they would only tear a series apart.
//
// It needs nothing of an entry: whether a label that nobody reads is dropped makes no difference.
type dropOp struct{ picks []syntax.LabelPick }

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
