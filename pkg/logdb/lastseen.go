package logdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// LastSeen returns the time of the newest entry of the streams that match, and whether there is one. It reads what the
// indexes say of streams and never an entry: heads first, then blocks from the newest on, until the next cannot hold
// anything newer. A delete of single lines does not move the time; one of whole streams does.
func (db *DB) LastSeen(ctx context.Context, id model.TenantID, matchers []*labels.Matcher) (last model.Timestamp, ok bool, err error) {
	t := db.lookup(id)
	if t == nil {
		return 0, false, nil
	}
	always := storage.Scope{Matchers: matchers, Interval: model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}}
	see := func(at model.Timestamp) {
		if !ok || at > last {
			last, ok = at, true
		}
	}
	v := t.acquire()
	defer v.release()
	for _, h := range v.heads {
		if err := h.Series(matchers, always.Interval, func(s head.StreamStats) { see(s.MaxTime) }); err != nil {
			return 0, false, err
		}
	}
	blocks := slices.Clone(v.blocks)
	slices.SortFunc(blocks, func(a, b *blockHandle) int { return cmp.Compare(b.meta.MaxTime, a.meta.MaxTime) })
	for _, h := range blocks {
		if ok && h.meta.MaxTime <= last {
			break
		}
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		masks := v.masksOf(h)
		err := db.useTwice(h, func(b *block.Block) error {
			refs, err := scopeRefs(b, always, masks)
			if err != nil || refs != nil && refs.IsEmpty() {
				return err
			}
			streams, err := b.Streams(refs)
			for i := range streams {
				see(streams[i].MaxTime)
			}
			return err
		})
		if isCorrupt(err) {
			db.dropBad(t, h, err)
			continue
		}
		if err != nil {
			return 0, false, err
		}
	}
	return last, ok, nil
}
