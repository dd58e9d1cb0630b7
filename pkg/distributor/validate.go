package distributor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// What Loki says. Agents print these texts, and people search the web for them.
const (
	textMissingStreams     = "error at least one valid stream is required for ingestion"
	textMissingLabels      = "error at least one label pair is required per stream"
	textInvalidLabels      = "error parsing labels '%s' with error: %s"
	textLabelNames         = "entry for stream '%s' has %d label names; limit %d"
	textLabelName          = "stream '%s' has label name too long: '%s'"
	textLabelValue         = "stream '%s' has label value too long: '%s'"
	textDuplicateLabel     = "stream '%s' has duplicate label name: '%s'"
	textEnforcedLabels     = "missing required labels '%s' for user '%s' for stream '%s' (policy: '%s')"
	textTooOld             = "entry for stream '%s' has timestamp too old: %v, oldest acceptable timestamp is: %v"
	textTooNew             = "entry for stream '%s' has timestamp too new: %v"
	textLineTooLong        = "max entry size '%d' bytes exceeded for stream '%s' while adding an entry with length '%d' bytes"
	textMetadataDisallowed = "stream '%s' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"
	textMetadataTooLarge   = "stream '%s' has structured metadata too large: '%d' bytes, limit: '%d' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it"
	textMetadataTooMany    = "stream '%s' has too many structured metadata labels: '%d', limit: '%d'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it"
	textRateLimited        = "ingestion rate limit exceeded for user %s (limit: %d bytes/sec) while attempting to ingest '%d' lines totaling '%d' bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased"
	textStreamLimit        = "maximum active stream limit exceeded when trying to create stream %s, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: '%s'"
	textStreamRate         = "Per stream rate limit exceeded (limit: %s/sec) while attempting to ingest for stream '%s' totaling %s, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased"
	textOverloaded         = "The server cannot accept more requests at this time."
)

// checkLabels compares a stream's labels with the limits; text is empty when they pass. A limit of 0 is none.
func (p *push) checkLabels(s *derive.Stream) (r reason, text string) {
	l := p.limits
	if s.Labels.IsEmpty() {
		return reasonMissingLabels, textMissingLabels
	}
	if over(s.LabelsCount, l.MaxLabelNamesPerSeries) {
		return reasonLabelNames, fmt.Sprintf(textLabelNames, s.Labels, s.LabelsCount, l.MaxLabelNamesPerSeries)
	}
	if over(s.NameBytesMax, l.MaxLabelNameLength) || over(s.ValueBytesMax, l.MaxLabelValueLength) || s.DuplicateLabel != "" {
		return p.firstBadLabel(s)
	}
	var missing []string
	for _, name := range l.EnforcedLabels {
		if !s.Labels.Has(name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return reasonEnforcedLabels, fmt.Sprintf(textEnforcedLabels, strings.Join(missing, ","), p.tenant, s.Labels, "")
	}
	return reasonNone, ""
}

// firstBadLabel says which label of a stream breaks a limit.
func (p *push) firstBadLabel(s *derive.Stream) (r reason, text string) {
	last := ""
	s.Labels.Range(func(l labels.Label) {
		switch {
		case text != "":
		case over(len(l.Name), p.limits.MaxLabelNameLength):
			r, text = reasonLabelName, fmt.Sprintf(textLabelName, s.Labels, l.Name)
		case over(len(l.Value), p.limits.MaxLabelValueLength):
			r, text = reasonLabelValue, fmt.Sprintf(textLabelValue, s.Labels, l.Value)
		case l.Name == last:
			r, text = reasonDuplicateLabel, fmt.Sprintf(textDuplicateLabel, s.Labels, l.Name)
		}
		last = l.Name
	})
	return r, text
}

func over(n, limit int) bool { return limit > 0 && n > limit }

// checkEntry returns why an entry is refused.
func (p *push) checkEntry(e *model.Entry, metadataBytes int) reason {
	l := p.limits
	switch {
	case e.Timestamp < p.oldest:
		return reasonTooOld
	case e.Timestamp > p.newest:
		return reasonTooNew
	case l.MaxLineSize != 0 && len(e.Line) > int(l.MaxLineSize):
		return reasonLineTooLong
	case len(e.Metadata) == 0:
		return reasonNone
	case !l.AllowStructuredMetadata:
		return reasonMetadataDisallowed
	case l.MaxStructuredMetadataSize != 0 && metadataBytes > int(l.MaxStructuredMetadataSize):
		return reasonMetadataTooLarge
	case over(len(e.Metadata), l.MaxStructuredMetadataEntriesCount):
		return reasonMetadataTooMany
	}
	return reasonNone
}

// refuseEntry notes one refused entry. Entries with the same text are told apart by the little that the text depends on, so
// a push full of bad entries prints few texts.
func (p *push) refuseEntry(r reason, e *model.Entry, metadataBytes int, s *derive.Stream) {
	l := p.limits
	key := groupKey{reason: r, fingerprint: s.Fingerprint}
	var format func() string
	sample := int64(0) // what the text for people tells of: a distance in time, a size or a count
	switch r {
	case reasonTooOld, reasonTooNew:
		key.number = secondOf(e.Timestamp)
		at := e.Timestamp
		sample = int64(p.now.Sub(at.Time()))
		format = func() string {
			if r == reasonTooNew {
				return fmt.Sprintf(textTooNew, s.Labels, formatTime(at))
			}
			return fmt.Sprintf(textTooOld, s.Labels, formatTime(at), formatTime(p.oldest))
		}
	case reasonLineTooLong:
		n := len(e.Line)
		key.number, sample = int64(n), int64(n)
		format = func() string { return fmt.Sprintf(textLineTooLong, l.MaxLineSize.Int(), s.Labels, n) }
	case reasonMetadataDisallowed:
		format = func() string { return fmt.Sprintf(textMetadataDisallowed, s.Labels) }
	case reasonMetadataTooLarge:
		key.number, sample = int64(metadataBytes), int64(metadataBytes)
		format = func() string {
			return fmt.Sprintf(textMetadataTooLarge, s.Labels, metadataBytes, l.MaxStructuredMetadataSize.Int())
		}
	case reasonMetadataTooMany:
		n := len(e.Metadata)
		key.number, sample = int64(n), int64(n)
		format = func() string {
			return fmt.Sprintf(textMetadataTooMany, s.Labels, n, l.MaxStructuredMetadataEntriesCount)
		}
	}
	p.groups.add(key, format)
	p.discard(r, 1, len(e.Line)+metadataBytes, s, sample)
}

// secondOf numbers the second that a time lies in; formatTime prints no more.
func secondOf(t model.Timestamp) int64 { return t.Time().Unix() }

// formatTime prints a time as Loki does. An entry without a time, or with Go's zero time, was decoded to the earliest one.
func formatTime(t model.Timestamp) string {
	if t == model.MinTimestamp {
		return time.Time{}.Format(time.RFC3339)
	}
	return t.Time().Format(time.RFC3339)
}
