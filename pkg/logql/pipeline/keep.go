package pipeline

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// keepOp is | keep: it takes all labels away but those it names, of which those with a matcher only stay where it holds.
// An error stays whatever it says. As drop it needs nothing of an entry.
type keepOp struct{ picks []syntax.LabelPick }

func (o *keepOp) apply(r *row) bool {
	r.stream.Range(func(l labels.Label) {
		if !r.hidden(l.Name) && !o.keeps(l.Name, l.Value) {
			r.removed = append(r.removed, l.Name)
		}
	})
	for i := range r.own {
		if l := &r.own[i]; !l.gone && !o.keeps(l.Name, l.Value) {
			r.removeOwn(i)
		}
	}
	return true
}

func (o *keepOp) keeps(name, value string) bool {
	return slices.ContainsFunc(o.picks, func(p syntax.LabelPick) bool {
		return p.Name == name && (p.Matcher == nil || p.Matcher.Matches(value))
	})
}
