package distributor

import (
	"fmt"
	"math"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/limits"
)

// explain says why entries were refused, to a person who looks after agents or limits: what was wrong with the last one,
// what usually causes it, and which limit to change.
func explain(r reason, lost *discardedEntries, l *limits.Limits) string {
	what := explainReason(r, lost.number, l)
	switch r {
	case reasonBodyTooLarge, reasonMalformedBody:
		return what + ": " + cut(lost.sample.String(), sampleBytesMax)
	case reasonRateLimited, reasonMissingLabels:
		return what
	case reasonInvalidLabels:
		return what + ": " + cut(lost.sample.String(), sampleBytesMax)
	}
	return what + "; last in stream " + cut(lost.sample.String(), sampleBytesMax)
}

func explainReason(r reason, number int64, l *limits.Limits) string {
	switch r {
	case reasonMissingLabels:
		return "streams without labels (and discover_service_name is empty, so none is added)"
	case reasonInvalidLabels:
		return "labels that cannot be parsed"
	case reasonLabelNames:
		return fmt.Sprintf("more than %d labels (max_label_names_per_series; keep what varies in the line or in structured metadata)", l.MaxLabelNamesPerSeries)
	case reasonLabelName:
		return fmt.Sprintf("a label name longer than %d bytes (max_label_name_length)", l.MaxLabelNameLength)
	case reasonLabelValue:
		return fmt.Sprintf("a label value longer than %d bytes (max_label_value_length; is a message used as a label?)", l.MaxLabelValueLength)
	case reasonDuplicateLabel:
		return "a label that occurs twice"
	case reasonEnforcedLabels:
		return "labels that must be there are missing (enforced_labels)"
	case reasonTooOld:
		return explainOld(time.Duration(number), l)
	case reasonTooNew:
		return fmt.Sprintf("timestamp %s in the future (clock or time zone of the agent?)", roughly(-time.Duration(number)))
	case reasonLineTooLong:
		return fmt.Sprintf("a line of %s, longer than %s (max_line_size; max_line_size_truncate cuts instead)", humanize.IBytes(uint64(number)), l.MaxLineSize)
	case reasonMetadataDisallowed:
		return "structured metadata, which allow_structured_metadata: false forbids"
	case reasonMetadataTooLarge:
		return fmt.Sprintf("structured metadata of %s, more than %s (max_structured_metadata_size)", humanize.IBytes(uint64(number)), l.MaxStructuredMetadataSize)
	case reasonMetadataTooMany:
		return fmt.Sprintf("%d pairs of structured metadata, more than %d (max_structured_metadata_entries_count)", number, l.MaxStructuredMetadataEntriesCount)
	case reasonRateLimited:
		return fmt.Sprintf("faster than %s/s for the whole tenant (ingestion_rate_mb, ingestion_burst_size_mb); agents send again", humanize.IBytes(uint64(number)))
	case reasonStreamRate:
		return fmt.Sprintf("faster than %s/s for one stream (per_stream_rate_limit); agents send again", humanize.IBytes(uint64(number)))
	case reasonStreamLimit:
		return fmt.Sprintf("more than %d streams (max_global_streams_per_user, max_streams_per_user; a label with many values?)", number)
	case reasonBodyTooLarge:
		return "the body is too large (make the agent's batches smaller)"
	case reasonMalformedBody:
		return "the body cannot be read"
	}
	return r.String()
}

func explainOld(age time.Duration, l *limits.Limits) string {
	if age == math.MaxInt64 {
		return "no timestamp, or one before the year 1678"
	}
	return fmt.Sprintf("timestamp %s in the past, more than %s (reject_old_samples_max_age; old files, or the clock of the agent?)",
		roughly(age), l.RejectOldSamplesMaxAge)
}

// roughly prints a duration in its largest unit of which there are at least two, or one year.
func roughly(d time.Duration) string {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, u := range []struct {
		from, unit time.Duration
		name       string
	}{{year, year, "years"}, {2 * day, day, "d"}, {2 * time.Hour, time.Hour, "h"}, {2 * time.Minute, time.Minute, "min"}} {
		if d >= u.from {
			return fmt.Sprintf("%d %s", int64((d+u.unit/2)/u.unit), u.name)
		}
	}
	return fmt.Sprintf("%d s", int64(d/time.Second))
}
