package pipeline

import (
	"encoding/binary"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// distinctOp keeps the first entry of those that agree in the values of some labels, in the order of the query. An absent
// label is "". It remembers every combination that it has seen, within the query's memory.
type distinctOp struct {
	names []string
	seen  map[string]struct{}
	key   []byte
}

func newDistinctOp(s *syntax.Distinct, needs *Needs) op {
	for _, name := range s.Labels {
		needs.AddName(name)
	}
	return &distinctOp{names: s.Labels, seen: map[string]struct{}{}}
}

func (o *distinctOp) apply(r *row) bool {
	o.key = o.key[:0]
	for _, name := range o.names {
		v, _ := r.get(name)
		o.key = append(binary.AppendUvarint(o.key, uint64(len(v))), v...)
	}
	if _, ok := o.seen[string(o.key)]; ok {
		return false
	}
	const fixed = 64 // the map's share
	if !r.reserve(int64(fixed + len(o.key))) {
		return false
	}
	o.seen[string(o.key)] = struct{}{}
	return true
}
