package distributor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// reason is why entries were refused.
type reason uint8

const (
	reasonNone reason = iota
	reasonMissingLabels
	reasonInvalidLabels
	reasonLabelNames
	reasonLabelName
	reasonLabelValue
	reasonDuplicateLabel
	reasonEnforcedLabels
	reasonTooOld
	reasonTooNew
	reasonLineTooLong
	reasonMetadataDisallowed
	reasonMetadataTooLarge
	reasonMetadataTooMany
	reasonRateLimited
	reasonStreamRate
	reasonStreamLimit
	reasonBodyTooLarge
	reasonMalformedBody
	reasonsCount
)

// reasonNames are Loki's names, but for the last: Loki does not count bodies that it cannot read.
var reasonNames = [reasonsCount]string{
	"", "missing_labels", "invalid_labels", "max_label_names_per_series", "label_name_too_long", "label_value_too_long",
	"duplicate_label_names", "missing_enforced_labels", "greater_than_max_sample_age", "too_far_in_future", "line_too_long",
	"disallowed_structured_metadata", "structured_metadata_too_large", "structured_metadata_too_many", "rate_limited",
	"per_stream_rate_limit", "stream_limit", "request_body_too_large", "malformed_body",
}

func (r reason) String() string { return reasonNames[r] }

// discardedEntries sums what one push lost for one reason.
type discardedEntries struct {
	entries, bytes int
	sample         fmt.Stringer // the stream of the last one
	number         int64        // what the text tells of it
}

func (p *push) discard(r reason, entries, bytes int, sample fmt.Stringer, number int64) {
	d := &p.discarded[r]
	d.entries += entries
	d.bytes += bytes
	d.sample, d.number = sample, number
}

func (p *push) countReceived() {
	tenant := p.d.metrics.tenantLabel(p.tenant)
	p.d.metrics.receivedEntries.WithLabelValues(tenant).Add(float64(p.receivedEntries))
	p.d.metrics.receivedBytes.WithLabelValues(tenant).Add(float64(p.receivedBytes))
}

// report counts and remembers what the push lost.
func (p *push) report() {
	for r := range p.discarded {
		if d := &p.discarded[r]; d.entries > 0 {
			p.d.report(p.now, p.tenant, reason(r), d, p.limits)
		}
	}
}

func (d *Distributor) report(now time.Time, tenant model.TenantID, r reason, lost *discardedEntries, l *limits.Limits) {
	label := d.metrics.tenantLabel(tenant)
	d.metrics.discardedBytes.WithLabelValues(r.String(), label).Add(float64(lost.bytes))
	if !r.ofBody() {
		d.metrics.discardedEntries.WithLabelValues(r.String(), label).Add(float64(lost.entries))
	}
	why := explain(r, lost, l)
	if d.refusals.note(now, refusalKey{tenant, r}, lost.entries, why) {
		d.log.Warn("entries refused", "tenant", string(tenant), "reason", r.String(), "why", why)
	}
}

// ofBody tells the reasons for which whole bodies are refused; nobody knows how many entries they held.
func (r reason) ofBody() bool { return r == reasonBodyTooLarge || r == reasonMalformedBody }

// RefusedBody counts a body that could not be decoded, which never becomes a push.
func (d *Distributor) RefusedBody(tenant model.TenantID, bodyBytes int, err *wire.Error) {
	r := reasonMalformedBody
	if err.Class == wire.TooLarge {
		r = reasonBodyTooLarge
	}
	lost := &discardedEntries{entries: 1, bytes: bodyBytes, sample: labelsSample(err.Text)}
	d.report(d.clock(), tenant, r, lost, d.limits.For(tenant))
}

// Refusal says how many entries of a tenant were refused for one reason in the last 15 minutes.
type Refusal struct {
	Tenant  model.TenantID // "" sums those for whom there was no room
	Reason  string         // Loki's name
	Entries int            // or bodies, for request_body_too_large and malformed_body
	Text    string         // why, for a person, with what to do where that is known
	Last    time.Time
}

// String is the whole sentence.
func (r Refusal) String() string {
	what, verb := "entries", "were"
	switch body := r.Reason == reasonBodyTooLarge.String() || r.Reason == reasonMalformedBody.String(); {
	case body && r.Entries == 1:
		what, verb = "push", "was"
	case body:
		what = "pushes"
	case r.Entries == 1:
		what, verb = "entry", "was"
	}
	return fmt.Sprintf("%s %s %s refused in the last %d minutes: %s", humanize.Comma(int64(r.Entries)), what, verb, minutesInWindow, r.Text)
}

// Refusals returns what was refused in the 15 minutes before now, the most entries first.
func (d *Distributor) Refusals(now time.Time) []Refusal { return d.refusals.list(now) }

type refusalKey struct {
	tenant model.TenantID
	reason reason
}

// refusals remembers refusals for a quarter of an hour, minute by minute.
type refusals struct {
	mu   sync.Mutex // guards keys
	keys map[refusalKey]*refusalWindowOf
}

// refusalWindowOf counts one kind of refusal. Bucket i holds the minute that is i modulo the number of buckets.
type refusalWindowOf struct {
	minutes [windowBuckets]int64
	entries [windowBuckets]int
	why     string
	last    time.Time
}

func newRefusals() *refusals { return &refusals{keys: map[refusalKey]*refusalWindowOf{}} }

// note counts refused entries, and reports whether nothing of the kind happened in the window before.
func (r *refusals) note(now time.Time, key refusalKey, entries int, why string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.keys[key]
	if w == nil {
		if len(r.keys) >= refusalKeysMax {
			r.forgetLocked(now)
		}
		if len(r.keys) >= refusalKeysMax {
			key.tenant = "" // at most one more for each reason
		}
		if w = r.keys[key]; w == nil {
			w = &refusalWindowOf{}
			r.keys[key] = w
		}
	}
	fresh := w.count(now) == 0
	minute := minuteOf(now)
	i := int(minute % windowBuckets)
	if w.minutes[i] != minute {
		w.minutes[i], w.entries[i] = minute, 0
	}
	w.entries[i] += entries
	w.why, w.last = why, now
	return fresh
}

func (r *refusals) forgetLocked(now time.Time) {
	for key, w := range r.keys {
		if w.count(now) == 0 {
			delete(r.keys, key)
		}
	}
}

func (r *refusals) list(now time.Time) []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(now)
	out := make([]Refusal, 0, len(r.keys))
	for key, w := range r.keys {
		out = append(out, Refusal{Tenant: key.tenant, Reason: key.reason.String(), Entries: w.count(now), Text: w.why, Last: w.last})
	}
	slices.SortFunc(out, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), strings.Compare(string(a.Tenant), string(b.Tenant)), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// count sums the minutes of the window that ends now.
func (w *refusalWindowOf) count(now time.Time) int {
	n, minute := 0, minuteOf(now)
	for i, m := range w.minutes {
		if m > minute-windowBuckets && m <= minute {
			n += w.entries[i]
		}
	}
	return n
}
