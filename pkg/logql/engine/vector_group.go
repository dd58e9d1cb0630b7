package engine

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
)

// groupNumbers numbers label sets by what a group keeps of them.
type groupNumbers struct {
	group   plan.Group
	numbers map[string]int32
	builder labels.ScratchBuilder
	key     []byte
	bytes   int64 // that it takes, about
}

func newGroupNumbers(group plan.Group) *groupNumbers {
	return &groupNumbers{group: group, numbers: map[string]int32{}, builder: labels.NewScratchBuilder(16)}
}

// of returns the number of the label set's group, counted from 0 by first appearance.
func (g *groupNumbers) of(ls labels.Labels) int32 {
	if g.group.Mode != plan.GroupAll {
		ls = groupLabels(&g.builder, g.group, ls)
	}
	g.key = ls.Bytes(g.key[:0])
	n, ok := g.numbers[string(g.key)]
	if !ok {
		n = int32(len(g.numbers))
		g.numbers[string(g.key)] = n
		const fixed = 64 + 64 // the map's share, and what is kept of a group elsewhere
		g.bytes += fixed + int64(len(g.key))
	}
	return n
}

// len returns how many groups there are.
func (g *groupNumbers) len() int { return len(g.numbers) }

// groupLabels returns what a group keeps of a label set.
func groupLabels(b *labels.ScratchBuilder, g plan.Group, ls labels.Labels) labels.Labels {
	b.Reset()
	ls.Range(func(l labels.Label) {
		if keeps(g, l.Name) {
			b.Add(l.Name, l.Value)
		}
	})
	return b.Labels()
}
