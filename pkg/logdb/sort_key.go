package logdb

import (
	"cmp"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// sortKey orders entries by (timestamp, label set, arrival).
type sortKey struct {
	time    model.Timestamp
	rank    uint32
	entry   uint32
	arrived int // of the source
}

func (a *sortKey) compare(b *sortKey) int {
	switch { // most times differ: the rest is not looked at
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	case a.rank != b.rank:
		return cmp.Compare(a.rank, b.rank)
	case a.arrived != b.arrived:
		return cmp.Compare(a.arrived, b.arrived)
	}
	return cmp.Compare(a.entry, b.entry)
}
