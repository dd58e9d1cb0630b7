package logdb

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// LabelNames implements storage.Querier.
func (db *DB) LabelNames(ctx context.Context, id model.TenantID, s storage.Scope) ([]string, error) {
	return db.labelStrings(ctx, id, s,
		func(h *head.Head) ([]string, error) { return h.LabelNames(s.Matchers, s.Interval) },
		func(b *block.Block, refs *roaring.Bitmap) ([]string, error) { return b.LabelNames(refs) })
}

// LabelValues implements storage.Querier.
func (db *DB) LabelValues(ctx context.Context, id model.TenantID, name string, s storage.Scope) ([]string, error) {
	return db.labelStrings(ctx, id, s,
		func(h *head.Head) ([]string, error) { return h.LabelValues(name, s.Matchers, s.Interval) },
		func(b *block.Block, refs *roaring.Bitmap) ([]string, error) { return b.LabelValues(name, refs) })
}

// labelStrings merges what heads and blocks answer.
func (db *DB) labelStrings(ctx context.Context, id model.TenantID, s storage.Scope,
	ofHead func(*head.Head) ([]string, error), ofBlock func(*block.Block, *roaring.Bitmap) ([]string, error),
) ([]string, error) {
	set := map[string]struct{}{}
	err := db.forScope(ctx, id, s, func(h *head.Head) error {
		found, err := ofHead(h)
		for _, v := range found {
			set[v] = struct{}{}
		}
		return err
	}, func(b *block.Block, masks []*tombstone) error {
		refs, err := scopeRefs(b, s, masks)
		if err != nil {
			return err
		}
		found, err := ofBlock(b, refs)
		for _, v := range found {
			set[v] = struct{}{}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// scopeRefs returns the block's streams in the scope of which no delete hides every entry; nil when that is all of them.
func scopeRefs(b *block.Block, s storage.Scope, masks []*tombstone) (*roaring.Bitmap, error) {
	refs, err := streamsIn(b, s)
	if err != nil {
		return nil, err
	}
	for _, ts := range masks {
		if !ts.whole() {
			continue
		}
		hidden, err := hiddenStreams(b, ts)
		if err != nil {
			return nil, err
		}
		if hidden.IsEmpty() {
			continue
		}
		if refs == nil {
			refs = roaring.New()
			refs.AddRange(0, b.Meta().Streams)
		}
		refs.AndNot(hidden)
	}
	return refs, nil
}

// hiddenStreams returns the streams of the block all of whose entries a delete of whole streams hides.
func hiddenStreams(b *block.Block, ts *tombstone) (*roaring.Bitmap, error) {
	refs, err := b.Resolve(ts.matchers)
	if err != nil || refs.IsEmpty() {
		return refs, err
	}
	streams, err := b.Streams(refs)
	if err != nil {
		return nil, err
	}
	for i := range streams {
		if streams[i].MinTime < ts.interval.Start || streams[i].MaxTime >= ts.interval.End {
			refs.Remove(uint32(streams[i].Ref))
		}
	}
	return refs, nil
}

// streamsIn returns the block's streams in the scope; nil when that is all of them.
func streamsIn(b *block.Block, s storage.Scope) (*roaring.Bitmap, error) {
	m := b.Meta()
	whole := s.Interval.Start <= m.MinTime && m.MaxTime < s.Interval.End
	if whole && len(s.Matchers) == 0 {
		return nil, nil
	}
	var refs *roaring.Bitmap
	if len(s.Matchers) > 0 {
		var err error
		if refs, err = b.Resolve(s.Matchers); err != nil {
			return nil, err
		}
	}
	if whole {
		return refs, nil
	}
	streams, err := b.Streams(refs)
	if err != nil {
		return nil, err
	}
	inside := roaring.New()
	for i := range streams {
		if s.Interval.Overlaps(streams[i].MinTime, streams[i].MaxTime) {
			inside.Add(uint32(streams[i].Ref))
		}
	}
	return inside, nil
}

// forScope calls the functions for each head and block that the interval meets. A block that turns out corrupt is
// quarantined and left out.
func (db *DB) forScope(ctx context.Context, id model.TenantID, s storage.Scope, ofHead func(*head.Head) error, ofBlock func(*block.Block, []*tombstone) error) error {
	t := db.lookup(id)
	if t == nil || s.Interval.Empty() {
		return nil
	}
	v := t.acquire()
	defer v.release()
	for _, h := range v.within(s.Interval) {
		if err := ctx.Err(); err != nil {
			return err
		}
		masks := v.masksOf(h)
		err := db.useTwice(h, func(b *block.Block) error { return ofBlock(b, masks) })
		if isCorrupt(err) {
			db.dropBad(t, h, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, h := range v.heads {
		if err := ofHead(h); err != nil {
			return err
		}
	}
	return nil
}

// Series implements storage.Querier.
func (db *DB) Series(ctx context.Context, id model.TenantID, s storage.Scope) ([]labels.Labels, error) {
	set := map[string]labels.Labels{}
	err := db.forScope(ctx, id, s, func(h *head.Head) error {
		return h.Series(s.Matchers, s.Interval, func(st head.StreamStats) { set[string(st.Labels.Bytes(nil))] = st.Labels })
	}, func(b *block.Block, masks []*tombstone) error {
		refs, err := scopeRefs(b, s, masks)
		if err != nil {
			return err
		}
		streams, err := b.Streams(refs)
		for i := range streams {
			set[string(streams[i].Labels.Bytes(nil))] = streams[i].Labels
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(set), labels.Compare), nil
}

// Stats implements storage.Querier.
func (db *DB) Stats(ctx context.Context, id model.TenantID, s storage.Scope) (storage.Stats, error) {
	var st storage.Stats
	set := map[model.Fingerprint]struct{}{}
	err := db.forScope(ctx, id, s, func(h *head.Head) error {
		return h.Series(s.Matchers, s.Interval, func(stream head.StreamStats) {
			set[model.FingerprintOf(stream.Labels)] = struct{}{}
			st.Chunks += stream.Chunks
			st.Entries += stream.Entries
			st.Bytes += stream.Bytes
		})
	}, func(b *block.Block, masks []*tombstone) error {
		refs, err := scopeRefs(b, s, masks)
		if err != nil {
			return err
		}
		return db.addBlockStats(b, refs, s.Interval, &statsSum{set, &st})
	})
	st.Streams = uint64(len(set))
	return st, err
}

// statsSum collects statistics over heads and blocks.
type statsSum struct {
	set map[model.Fingerprint]struct{}
	st  *storage.Stats
}

func (db *DB) addBlockStats(b *block.Block, refs *roaring.Bitmap, iv model.Interval, sum *statsSum) error {
	st := sum.st
	streams, err := b.Streams(refs)
	if err != nil {
		return err
	}
	for i := range streams {
		sum.set[streams[i].Fingerprint] = struct{}{}
	}
	chunks, err := b.Chunks(refs, iv)
	if err != nil {
		return err
	}
	for _, c := range chunks { // from here on the block is not called corrupt: nothing is counted twice
		st.Chunks++
		if !c.Packed || refs == nil {
			st.Entries += uint64(c.Entries)
			st.Bytes += c.RawBytes
			continue
		}
		reader, err := b.Chunk(c) // a packed chunk holds other streams too
		if errors.Is(err, chunk.ErrCorrupt) {
			db.metrics.badChunks.Inc() // missing from every answer; the rest of the block is not
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range reader.Table().Runs {
			if refs.Contains(uint32(r.Ref)) {
				st.Entries += uint64(r.Count)
				st.Bytes += r.RawBytes
			}
		}
	}
	return nil
}
