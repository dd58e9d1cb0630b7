package plan

import (
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// pushCount lets the store count what a Range would read entry by entry. It may when every entry of the scans counts (no
// line filter, no stage) and nothing tells entries apart but what a store can tell apart: labels, level and metadata.
func (o Options) pushCount(n *Range) Node {
	if !o.uses(ruleCount) || !n.Stages.Empty() {
		return n
	}
	for _, s := range n.Scans {
		if len(s.Filters) > 0 || len(s.Implied) > 0 || s.Columns&storage.ColumnLine != 0 {
			return n
		}
	}
	c := &Count{Range: n}
	if n.Group.Mode == GroupBy {
		// What looking up the names reads of a stream's labels is what it may read of metadata: the names, and those that
		// "_extracted" was hung on. Without "by", a label that the group drops still decides how metadata is called.
		c.LabelNames = slices.Compact(slices.Sorted(slices.Values(pipeline.MetadataNames(n.Group.Names))))
		if c.LabelNames == nil {
			c.LabelNames = []string{}
		}
	}
	return c
}
