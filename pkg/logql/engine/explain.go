package engine

import (
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Explain tells how a query was answered.
type Explain struct {
	Plan  string        // as plan.Text prints it
	Scans []ExplainScan // in the order in which they ended
}

// ExplainScan is what one scan of the plan came to.
type ExplainScan struct {
	Scan    string // its line of the plan
	Counted bool   // by the store: no entry was handed out
	// Complete: everything in the scan's interval was asked for. Else there were enough entries before its end.
	Complete bool
	Store    storage.ScanStats // without warnings
	Passed   uint64            // entries behind all stages
	Took     time.Duration     // with what was done behind the store meanwhile
}

// began is a scan under way.
type began struct {
	scan    plan.Scan
	counted bool
	at      time.Time
}

func (q *query) begin(scan plan.Scan, counted bool) began {
	b := began{scan: scan, counted: counted}
	if q.explain != nil {
		b.at = q.now()
	}
	return b
}

// end adds a scan to the statistics of the query.
func (q *query) end(b began, st storage.ScanStats, passed uint64, complete bool) {
	for _, w := range st.Warnings {
		q.warn(w)
	}
	st.Warnings = nil
	q.stats.LinesMatched += passed
	q.store.Add(&st)
	if q.explain != nil {
		q.explain.Scans = append(q.explain.Scans, ExplainScan{
			Scan: plan.ScanText(b.scan), Counted: b.counted, Complete: complete, Store: st, Passed: passed, Took: q.now().Sub(b.at),
		})
	}
}

// sum is the statistics of all scans.
func (q *query) sum() Stats {
	s, st := q.stats, &q.store
	s.Bytes, s.Lines, s.Chunks, s.ChunksSkipped = st.Bytes, st.Entries, st.Chunks, st.ChunksSkipped
	s.Skipped, s.Counted = st.Skipped, st.Counted
	s.Pages, s.BytesRead, s.BytesDecoded = st.Pages, st.BytesRead, st.BytesDecoded
	return s
}
