package pipeline

import (
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// keepOp is | keep: it takes all labels away but those it names, of which those with a matcher only stay where it holds.
// An error stays whatever it says. As drop it needs nothing of an entry.
type keepOp struct {
	picks   []syntax.LabelPick
	removed []string
}

func (o *keepOp) apply(r *row) bool {
	o.removed = o.removed[:0]
	for name, value := range r.labels() {
		if !slices.ContainsFunc(o.picks, func(p syntax.LabelPick) bool {
			return p.Name == name && (p.Matcher == nil || p.Matcher.Matches(value))
		}) {
			o.removed = append(o.removed, name)
		}
	}
	for _, name := range o.removed { // not while they are walked
		r.remove(name)
	}
	return true
}
