package logdb

import (
	"cmp"
	"slices"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// HeadInfo is one tenant's part that is in memory and in the log, not in blocks.
type HeadInfo struct {
	Tenant   model.TenantID `json:"tenant"`
	Streams  int            `json:"streams"`
	Entries  uint64         `json:"entries"`
	Raw      int64          `json:"raw_bytes"`
	Memory   int64          `json:"memory_bytes"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Flushing bool           `json:"flushing"` // part of it is on its way to a block
	Segment  uint32         `json:"segment"`  // of the log, the oldest that it needs; 0 = none
}

// Heads describes the heads of all tenants that hold something, by tenant.
func (db *DB) Heads() []HeadInfo {
	out := []HeadInfo{}
	for _, t := range db.allTenants() {
		v := t.acquire()
		info := HeadInfo{Tenant: t.id}
		t.mu.RLock()
		info.Flushing = t.flushing != nil
		from := t.from
		if info.Flushing && t.flushing.from != 0 {
			from = t.flushing.from
		}
		t.mu.RUnlock()
		info.Segment = from.Segment()
		for _, h := range v.heads {
			h.Summary(func(_ model.Fingerprint, minTime, maxTime model.Timestamp) {
				info.Streams++ // one that is in both is counted twice, for as long as the flush takes
				if info.From.IsZero() || minTime.Time().Before(info.From) {
					info.From = minTime.Time()
				}
				if maxTime.Time().After(info.To) {
					info.To = maxTime.Time()
				}
			})
			info.Entries += h.EntryCount()
			info.Raw += h.Bytes().Raw.Load()
			info.Memory += h.Bytes().MemoryBytes()
		}
		v.release()
		if info.Entries > 0 {
			out = append(out, info)
		}
	}
	slices.SortFunc(out, func(a, b HeadInfo) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return out
}
