package lokiapi

import "github.com/woodshed-logs/woodshed/pkg/logql/engine"

// The explain object of a query's answer, which is Woodshed's own. It stands in data beside stats, and only when it was
// asked for: clients of Loki never see it, and pass over what they do not know.
type (
	explainReply struct {
		Plan  string        `json:"plan"`
		Scans []explainScan `json:"scans"`
	}
	explainScan struct {
		Scan           string        `json:"scan"`
		Counted        bool          `json:"counted"`
		Complete       bool          `json:"complete"`
		Seconds        float64       `json:"seconds"`
		Chunks         uint64        `json:"chunks"`
		ChunksSkipped  uint64        `json:"chunksSkipped"`
		SkippedBy      skippedChunks `json:"skippedBy"`
		CountedFrom    countedChunks `json:"countedFrom"`
		Pages          uint64        `json:"pages"`
		BytesRead      uint64        `json:"bytesRead"`
		BytesDecoded   uint64        `json:"bytesDecoded"`
		Entries        uint64        `json:"entries"`
		LineBytes      uint64        `json:"lineBytes"`
		EntriesMatched uint64        `json:"entriesMatched"`
		EntriesPassed  uint64        `json:"entriesPassed"`
	}
	skippedChunks struct {
		Time     uint64 `json:"time"`
		Filter   uint64 `json:"filter"`
		Metadata uint64 `json:"metadata"`
		Level    uint64 `json:"level"`
		Implied  uint64 `json:"implied"`
		Delete   uint64 `json:"delete"`
		Order    uint64 `json:"order"`
	}
	countedChunks struct {
		Directory uint64 `json:"directory"`
		Total     uint64 `json:"total"`
		Minutes   uint64 `json:"minutes"`
		Columns   uint64 `json:"columns"`
		Entries   uint64 `json:"entries"`
	}
)

func explainOf(e *engine.Explain) explainReply {
	reply := explainReply{Plan: e.Plan, Scans: []explainScan{}}
	for _, s := range e.Scans {
		st := &s.Store
		reply.Scans = append(reply.Scans, explainScan{
			Scan:           s.Scan,
			Counted:        s.Counted,
			Complete:       s.Complete,
			Seconds:        s.Took.Seconds(),
			Chunks:         st.Chunks,
			ChunksSkipped:  st.ChunksSkipped,
			SkippedBy:      skippedChunks(st.Skipped),
			CountedFrom:    countedChunks(st.Counted),
			Pages:          st.Pages,
			BytesRead:      st.BytesRead,
			BytesDecoded:   st.BytesDecoded,
			Entries:        st.Entries,
			LineBytes:      st.Bytes,
			EntriesMatched: st.EntriesMatched,
			EntriesPassed:  s.Passed,
		})
	}
	return reply
}
