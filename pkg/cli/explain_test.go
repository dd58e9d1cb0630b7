package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const explainedAnswer = `{"status":"success","data":{"resultType":"streams","result":[],"stats":{},"explain":{
 "plan":"Log limited in the store\n  Scan {app=\"\u001b[31m\"} time, line\n",
 "scans":[{"scan":"Scan {app=\"x\"} time, line","complete":true,"seconds":0.0123456,"chunks":1200,"chunksSkipped":1190,
  "skippedBy":{"time":1,"filter":1000,"implied":180,"metadata":2,"level":3,"delete":2,"order":2},"countedFrom":{"directory":0},
  "pages":30,"bytesRead":2048,"bytesDecoded":1048576,"entries":5000,"lineBytes":900000,"entriesMatched":10,"entriesPassed":7},
 {"scan":"Scan {app=\"y\"} time","complete":false,"skippedBy":{},"countedFrom":{}},
 {"scan":"Scan {app=\"z\"} time","counted":true,"chunks":15,"countedFrom":{"directory":1,"total":2,"minutes":3,"columns":4,"entries":5}}]}}}`

func TestQueryExplain(t *testing.T) {
	store := newFakeStore(t, says(200, explainedAnswer))
	got := session{}.run(t, "query", "--addr", store.URL, "--explain", `{app="x"}`)
	require.Zero(t, got.code, got.err)
	require.Equal(t, "true", store.asked[0].form.Get("explain"))
	require.Equal(t, strings.TrimPrefix(`
Log limited in the store
  Scan {app="`+"\ufffd"+`[31m"} time, line

Scan {app="x"} time, line
  read to its end in 12.35ms
  chunks   1,200, 1 skipped by their times, 1,000 skipped by substring filters, 180 skipped by implied filters, 2 skipped by metadata, 3 skipped by levels, 2 deleted, 2 skipped because others come first
  pages    30, 2.0 KiB as stored, 1.0 MiB decoded
  entries  5,000, 879 KiB of lines; 10 passed the store, 7 the stages

Scan {app="y"} time
  read until there were enough entries in 0s
  chunks   0
  pages    0, 0 B as stored, 0 B decoded
  entries  0, 0 B of lines; 0 passed the store, 0 the stages

Scan {app="z"} time
  counted by the store in 0s
  chunks   15, 1 counted from the directory, 2 counted from their totals, 3 counted from minutes, 4 counted from columns, 5 counted entry by entry
  pages    0, 0 B as stored, 0 B decoded
  entries  0, 0 B of lines; 0 passed the store, 0 the stages
`, "\n"), got.out)

	store = newFakeStore(t, says(200, streamsAnswer))
	got = session{}.run(t, "query", "--addr", store.URL, "--explain", `{app="x"}`)
	require.NotZero(t, got.code)
	require.Contains(t, got.err, "the server does not explain queries")
}
