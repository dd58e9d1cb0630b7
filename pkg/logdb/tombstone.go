package logdb

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/match"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// tombstone is a delete whose entries may still be in blocks. It hides every entry that was logged below its position and
// that it selects. Heads hold none of these: the tenant's head is flushed before a tombstone is made, so a block holds
// entries that it hides only if the block's walTo is not above the position.
type tombstone struct {
	tombstoneRecord
	position wal.Position
	matchers []*labels.Matcher
	filters  *match.Matcher // on the line; nil: every line
	metadata []model.Pair   // all must be there; sorted by name
	interval model.Interval
}

// tombstoneRecord is a tombstone as state.json has it.
type tombstoneRecord struct {
	ID       ulid.ULID        `json:"id"`
	Made     time.Time        `json:"made"`
	Position wal.Position     `json:"position"`
	Start    model.Timestamp  `json:"start"` // inclusive
	End      model.Timestamp  `json:"end"`   // exclusive
	Matchers []matcherRecord  `json:"matchers"`
	Filters  []filterRecord   `json:"filters,omitempty"`
	Metadata []metadataRecord `json:"metadata,omitempty"`
}

type matcherRecord struct {
	Type  string `json:"type"` // =, !=, =~, !~
	Name  string `json:"name"`
	Value string `json:"value"`
}

type filterRecord struct {
	Regexp bool     `json:"regexp,omitempty"`
	Negate bool     `json:"negate,omitempty"`
	Any    []string `json:"any"`
}

type metadataRecord struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// recordOf writes a request down.
func recordOf(r storage.DeleteRequest) tombstoneRecord {
	out := tombstoneRecord{Start: r.Interval.Start, End: r.Interval.End}
	for _, m := range r.Matchers {
		out.Matchers = append(out.Matchers, matcherRecord{Type: m.Type.String(), Name: m.Name, Value: m.Value})
	}
	for _, f := range r.Filters {
		out.Filters = append(out.Filters, filterRecord{Regexp: f.Kind == storage.FilterRegexp, Negate: f.Negate, Any: f.Any})
	}
	for _, p := range r.Metadata {
		out.Metadata = append(out.Metadata, metadataRecord(p))
	}
	return out
}

// request is the opposite of recordOf.
func (r *tombstoneRecord) request() (storage.DeleteRequest, error) {
	out := storage.DeleteRequest{Interval: model.Interval{Start: r.Start, End: r.End}}
	types := map[string]labels.MatchType{}
	for _, t := range []labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp} {
		types[t.String()] = t
	}
	for _, m := range r.Matchers {
		t, ok := types[m.Type]
		if !ok {
			return out, fmt.Errorf("matcher type %q", m.Type)
		}
		made, err := labels.NewMatcher(t, m.Name, m.Value)
		if err != nil {
			return out, fmt.Errorf("matcher of %s: %w", m.Name, err)
		}
		out.Matchers = append(out.Matchers, made)
	}
	for _, f := range r.Filters {
		kind := storage.FilterLiteral
		if f.Regexp {
			kind = storage.FilterRegexp
		}
		out.Filters = append(out.Filters, storage.LineFilter{Kind: kind, Negate: f.Negate, Any: f.Any})
	}
	for _, p := range r.Metadata {
		out.Metadata = append(out.Metadata, model.Pair(p))
	}
	return out, nil
}

// newTombstone compiles a record.
func newTombstone(r tombstoneRecord) (*tombstone, error) {
	request, err := r.request()
	if err != nil {
		return nil, fmt.Errorf("delete %s: %w", r.ID, err)
	}
	filters, err := compileFilters(request.Filters)
	if err != nil {
		return nil, fmt.Errorf("delete %s: %w", r.ID, err)
	}
	slices.SortFunc(request.Metadata, func(a, b model.Pair) int { return cmp.Compare(a.Name, b.Name) })
	return &tombstone{
		tombstoneRecord: r, position: r.Position, matchers: request.Matchers, filters: filters, metadata: request.Metadata,
		interval: request.Interval,
	}, nil
}

// covers reports whether the tombstone may hide an entry of the block.
func (t *tombstone) covers(h *blockHandle) bool {
	return wal.Position(h.meta.WalTo) <= t.position && t.interval.Overlaps(h.meta.MinTime, h.meta.MaxTime)
}

// selects reports whether the tombstone may hide entries of the stream.
func (t *tombstone) selects(ls labels.Labels) bool {
	return !slices.ContainsFunc(t.matchers, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) })
}

// whole reports whether the tombstone hides every entry of its streams in its interval, whatever its content.
func (t *tombstone) whole() bool { return t.filters == nil && len(t.metadata) == 0 }

// hides reports whether the tombstone hides an entry of a stream that it selects.
func (t *tombstone) hides(e *model.Entry) bool {
	if !t.interval.Contains(e.Timestamp) || t.filters != nil && !t.filters.MatchString(e.Line) {
		return false
	}
	return !slices.ContainsFunc(t.metadata, func(p model.Pair) bool { return !slices.Contains(e.Metadata, p) })
}

// masksOf returns the tombstones that may hide an entry of the block.
func (v *view) masksOf(h *blockHandle) []*tombstone {
	var out []*tombstone
	for _, t := range v.tombstones {
		if t.covers(h) {
			out = append(out, t)
		}
	}
	return out
}
