package distributor

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// push is one push on its way through the gate.
type push struct {
	d       *Distributor
	tenant  model.TenantID
	now     time.Time
	limits  *limits.Limits
	deriver *derive.Deriver
	// Entries must lie between the two, ends included.
	oldest, newest model.Timestamp

	streams []model.Stream   // accepted so far
	derived []*derive.Stream // of the same streams
	bytes   []int            // of the same streams: lines and metadata

	receivedEntries, receivedBytes int
	verbatim                       bool // nothing was dropped or changed

	groups    groupedErrors                  // what a 400 says
	limited   *storage.Refusal               // a 429, which goes before a 400
	discarded [reasonsCount]discardedEntries // by reason
}

func (p *push) start(d *Distributor, tenant model.TenantID, req *wire.Request) {
	p.d, p.tenant, p.now = d, tenant, d.clock()
	p.limits = d.limits.For(tenant)
	p.deriver = d.derivers[p.limits]
	now := model.TimestampOf(p.now)
	p.oldest, p.newest = model.MinTimestamp, now.Add(time.Duration(p.limits.CreationGracePeriod))
	if p.limits.RejectOldSamples {
		p.oldest = now.Add(-time.Duration(p.limits.RejectOldSamplesMaxAge))
	}
	p.verbatim = req.Raw != nil
}

func (p *push) reset() {
	clear(p.streams)
	clear(p.derived)
	if cap(p.streams) > keptStreamsMax {
		p.streams, p.derived, p.bytes = nil, nil, nil
	}
	*p = push{streams: p.streams[:0], derived: p.derived[:0], bytes: p.bytes[:0]}
}

// appended is what goes to the store.
func (p *push) appended(req *wire.Request) storage.Push {
	out := storage.Push{
		Tenant: p.tenant, Arrival: model.TimestampOf(p.now), Streams: p.streams, Derivation: p.deriver.Binary(),
	}
	if p.verbatim {
		out.Raw = req.Raw
	}
	return out
}

// addStream derives and checks one stream and keeps what passes.
func (p *push) addStream(s *wire.Stream, labelsParsed bool) {
	if len(s.Entries) == 0 {
		p.verbatim = false // a replay need not know that such streams are skipped, whatever their labels
		return
	}
	size := entriesBytes(s.Entries)
	p.receivedEntries += len(s.Entries)
	p.receivedBytes += size
	var derived *derive.Stream
	var err error
	if labelsParsed {
		derived, err = p.deriver.StreamOf(s.Labels)
	} else {
		derived, err = p.deriver.Stream(s.LabelsText)
	}
	if err != nil {
		text := s.LabelsText
		if labelsParsed {
			text = s.Labels.String()
		}
		p.refuseStream(reasonInvalidLabels, s, size, fmt.Sprintf(textInvalidLabels, text, err), labelsSample(text))
		return
	}
	if reason, text := p.checkLabels(derived); text != "" {
		p.refuseStream(reason, s, size, text, derived)
		return
	}
	p.truncate(s.Entries)
	kept, size := p.keepEntries(s.Entries, derived)
	if len(kept) < len(s.Entries) {
		p.verbatim = false
	}
	if len(kept) == 0 {
		return
	}
	p.streams = append(p.streams, model.Stream{Labels: derived.Labels, Entries: kept})
	p.derived = append(p.derived, derived)
	p.bytes = append(p.bytes, size)
}

// refuseStream refuses all entries of a stream with one text.
func (p *push) refuseStream(r reason, s *wire.Stream, size int, text string, sample fmt.Stringer) {
	p.verbatim = false
	p.groups.add(groupKey{reason: r, stream: text}, func() string { return text })
	p.discard(r, len(s.Entries), size, sample, 0)
}

// keepEntries checks and derives the entries in place, moves those that pass to the front, and returns them with their size.
func (p *push) keepEntries(entries []model.Entry, s *derive.Stream) (kept []model.Entry, size int) {
	n := 0
	previous := entries[0].Timestamp
	for i := range entries {
		e := &entries[i]
		metadataBytes := metadataBytes(e.Metadata)
		if r := p.checkEntry(e, metadataBytes); r != reasonNone {
			p.refuseEntry(r, e, metadataBytes, s)
			continue
		}
		p.deriver.Entry(s, e)
		if n != i {
			entries[n] = *e
			e = &entries[n]
		}
		if p.limits.IncrementDuplicateTimestamp && n > 0 {
			previous = p.increment(&entries[n-1], e, previous)
		}
		n++
		size += len(e.Line)
		for j := range e.Metadata {
			size += len(e.Metadata[j].Name) + len(e.Metadata[j].Value)
		}
	}
	clear(entries[n:])
	return entries[:n], size
}

// increment keeps the order of entries with equal times by adding a nanosecond, as Loki does when told to. Equal lines
// keep equal times, so that duplicates are still recognised. It returns the time that the next entry is compared with.
func (p *push) increment(before, e *model.Entry, previous model.Timestamp) model.Timestamp {
	if before.Line == e.Line || e.Timestamp != previous && e.Timestamp != before.Timestamp {
		return e.Timestamp
	}
	e.Timestamp = before.Timestamp.Add(1)
	p.verbatim = false
	return previous
}

// truncate cuts lines that are too long, where that is wanted instead of refusing them.
func (p *push) truncate(entries []model.Entry) {
	lineMax := int(p.limits.MaxLineSize)
	if !p.limits.MaxLineSizeTruncate || lineMax == 0 {
		return
	}
	suffix := p.limits.MaxLineSizeTruncateIdentifier
	for i := range entries {
		line := entries[i].Line
		if len(line) <= lineMax {
			continue
		}
		cut := lineMax - len(suffix)
		for back := 0; back < utf8.UTFMax && cut > 0 && !utf8.RuneStart(line[cut]); back++ {
			cut-- // half a character helps nobody
		}
		entries[i].Line = line[:cut] + suffix
		p.verbatim = false
		p.d.metrics.truncated.WithLabelValues(p.d.metrics.tenantLabel(p.tenant)).Inc()
	}
}

// refusal is the answer to what was not accepted, nil when all was.
func (p *push) refusal() error {
	if p.limited != nil {
		return p.limited
	}
	if p.groups.empty() {
		return nil
	}
	return &storage.Refusal{Class: storage.ErrInvalid, Text: p.groups.text()}
}

// metadataBytes is the size that limits are compared with; detected_level is never counted.
func metadataBytes(pairs []model.Pair) int {
	n := 0
	for i := range pairs {
		if pairs[i].Name != derive.MetadataLevel {
			n += len(pairs[i].Name) + len(pairs[i].Value)
		}
	}
	return n
}

func entriesBytes(entries []model.Entry) int {
	n := 0
	for i := range entries {
		n += len(entries[i].Line) + metadataBytes(entries[i].Metadata)
	}
	return n
}

// labelsSample is a label text that could not be parsed.
type labelsSample string

func (s labelsSample) String() string { return strings.ToValidUTF8(string(s), "\uFFFD") }
