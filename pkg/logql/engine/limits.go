package engine

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	prommodel "github.com/prometheus/common/model"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	// stepsMax is the number of steps, less one, that a range query may have; Prometheus' and Loki's figure.
	stepsMax = 11_000
	// memoryBytesDefault bounds what one query keeps: entries of its answer, series and their samples. 500 series of 11,000
	// steps take about half of it.
	memoryBytesDefault = 256 << 20
	// warningsMax bounds the warnings of an answer; one per damaged chunk could be many.
	warningsMax = 20
)

// Limits are what a tenant's queries may cost. A limit of 0 means none.
type Limits struct {
	Entries   int           // max_entries_limit_per_query
	Series    int           // max_query_series: of the answer
	Matchers  int           // max_streams_matchers_per_query: of one selector
	Length    time.Duration // max_query_length: from Start to End
	Range     time.Duration // max_query_range: of one [range]
	BytesRead uint64        // max_query_bytes_read: as the index estimates before reading
	Timeout   time.Duration // query_timeout
}

// refuse returns an error for the caller, who asked for what cannot be.
func refuse(format string, args ...any) error {
	return &storage.Refusal{Class: storage.ErrInvalid, Text: fmt.Sprintf(format, args...)}
}

// exceed returns an error for the caller, who asked for more than a limit allows.
func exceed(format string, args ...any) error {
	return &storage.Refusal{Class: storage.ErrLimit, Text: fmt.Sprintf(format, args...)}
}

// checkParams refuses what can be refused before reading. The texts are Loki's.
func checkParams(p Params, e syntax.Expr, l Limits) error {
	if !p.Instant {
		if p.End < p.Start {
			return refuse("end timestamp must not be before or equal to start time")
		}
		if length := span(p.Start, p.End); l.Length > 0 && length > l.Length {
			return exceed("the query time range exceeds the limit (query length: %s, limit: %s)", length, prommodel.Duration(l.Length))
		}
	}
	if err := checkSelectors(e, l); err != nil {
		return err
	}
	if syntax.IsLog(e) {
		return checkLogParams(p, l)
	}
	if p.Instant {
		return nil
	}
	if p.Step <= 0 {
		return refuse("zero or negative query resolution step widths are not accepted. Try a positive integer")
	}
	if span(p.Start, p.End)/p.Step > stepsMax {
		return exceed("exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter")
	}
	return nil
}

func checkLogParams(p Params, l Limits) error {
	switch {
	case p.Limit <= 0:
		return refuse("limit must be a positive value")
	case l.Entries > 0 && p.Limit > l.Entries:
		return exceed("max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > %d)", p.Limit, l.Entries)
	case p.Direction != storage.Forward && p.Direction != storage.Backward:
		return refuse("a log query needs a direction, forward or backward")
	}
	return nil
}

// checkSelectors looks at every selector and range of the query.
func checkSelectors(e syntax.Expr, l Limits) error {
	var err error
	syntax.Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.LogExpr:
			if err == nil && l.Matchers > 0 && len(e.Matchers) > l.Matchers {
				err = exceed("max streams matchers per query exceeded, matchers-count > limit (%d > %d)", len(e.Matchers), l.Matchers)
			}
		case *syntax.RangeAggregation:
			if err == nil && l.Range > 0 && e.Range > l.Range {
				err = exceed("[interval] value exceeds limit: [%s] > [%s]", prommodel.Duration(e.Range), prommodel.Duration(l.Range))
			}
		}
		return err == nil
	})
	return err
}

func errBytesRead(bytes, limit uint64) error {
	return exceed("the query would read too many bytes (query: %s, limit: %s); consider adding more specific stream selectors "+
		"or reduce the time range of the query", humanize.IBytes(bytes), humanize.IBytes(limit))
}

// budget is the memory that one query may still keep.
type budget struct{ left, max int64 }

// memoryError is the refusal of a budget.
type memoryError struct{ *storage.Refusal }

// Unwrap makes errors.As find the refusal.
func (e memoryError) Unwrap() error { return e.Refusal }

// take sets bytes aside, or says with a memoryError that there are none left.
func (b *budget) take(bytes int64) error {
	if bytes > b.left {
		text := fmt.Sprintf("the query would keep more than %s in memory; consider more specific stream selectors, a shorter time "+
			"range, a larger step, or aggregating with sum()", humanize.IBytes(uint64(b.max)))
		return memoryError{&storage.Refusal{Class: storage.ErrLimit, Text: text}}
	}
	b.left -= bytes
	return nil
}

// give takes bytes back that are not kept any more.
func (b *budget) give(bytes int64) { b.left += bytes }
