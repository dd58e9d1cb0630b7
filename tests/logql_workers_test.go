package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// heavyQueries are those whose stages have something to remember from batch to batch.
var heavyQueries = []string{
	`sum by (level, a_b) (count_over_time({app=~".+"} | json | __error__="" [1m]))`,
	`count_over_time({app=~".+"} | json | json | __error__="" | drop n, id, msg [1m])`,
	`sum by (k3) (count_over_time({app=~".+"} | logfmt --keep-empty | logfmt [1m]))`,
	`sum by (x, app_extracted) (bytes_over_time({app=~".+"} | json | __error__="" | line_format "{{.id}} {{.msg | upper}} {{regexReplaceAll \"[0-9]+\" .id .app}}" [1m]))`,
	`sum by (x) (count_over_time({app=~".+"} | json | label_format x="{{regexReplaceAll .id .msg \"y\"}}{{toDateInZone \"2006\" .zone \"2024\"}}" | __error__="" [1m]))`,
	`sum by (__error__) (count_over_time({app=~".+"} | logfmt --strict | line_format "{{.nothing}}{\"q\":{\"r\":1}}" | json | __error__=~".*" [1m]))`,
	`sum by (v) (count_over_time({app=~".+"} | regexp "\"n\":(?P<v>[0-9])" | v=~"[0-7]" [1m]))`,
	`sum by (p) (count_over_time({app=~".+"} | pattern "<_>\"n\":<p>,<_>" | p > 3 [1m]))`,
	`quantile_over_time(0.9, {app=~".+"} | json | unwrap n | __error__="" [1m]) by (app)`,
	`sum(sum_over_time({app=~".+"} | unwrap size [1m])) by (app)`,
	`first_over_time({app=~".+"} | json n="n" | unwrap n | __error__="" [1m]) by (app)`,
	`topk(3, sum by (trace) (rate({app=~".+"} |~ "msg.*[3-7]" | unpack | decolorize | __error__="" | size > 3 [1m])))`,
	`{app=~".+"} | json | distinct n, msg`,
	`{app=~".+"} | logfmt --strict | keep __error__, __error_details__, trace`,
}

// TestLogQLWorkers asks a database of many small chunks, with one worker and with several: stages run in all of them at
// once. It says most under the race detector.
func TestLogQLWorkers(t *testing.T) {
	fsys := vfs.NewMem()
	const rounds = 12
	open := func(workers int) *logdb.DB {
		db, err := logdb.Open(t.Context(), logdb.Config{FS: fsys, Dir: "/data", ScratchDir: t.TempDir(), Instance: "test", SegmentBytes: 1 << 20, QueryWorkers: workers})
		require.NoError(t, err)
		return db
	}
	db := open(1)
	for round := range rounds {
		require.NoError(t, db.Append(t.Context(), storage.Push{Tenant: model.DefaultTenant, Arrival: 1, Streams: heavyStreams(round)}))
		if round < rounds-1 {
			require.NoError(t, db.Flush(t.Context()))
		}
	}
	var want [][]string
	for _, workers := range []int{1, 4} {
		require.NoError(t, db.Close())
		db = open(workers)
		e, err := engine.New(engine.Config{Querier: db})
		require.NoError(t, err)
		for i, query := range heavyQueries {
			for range 2 {
				res, err := e.Exec(t.Context(), engine.Params{
					Tenant: model.DefaultTenant, Query: query, End: model.Timestamp(rounds * time.Minute), Step: 30 * time.Second, Limit: 50, Direction: storage.Backward,
				})
				require.NoError(t, err, query)
				got := textOf(res)
				require.NotEmpty(t, got, query)
				if i == len(want) {
					want = append(want, got)
				}
				require.Equal(t, want[i], got, "%d workers: %s", workers, query)
			}
		}
	}
	require.NoError(t, db.Close())
}

// heavyStreams is a minute of lines, of many keys, some of which are broken.
func heavyStreams(round int) []model.Stream {
	var streams []model.Stream
	for s := range 4 {
		st := model.Stream{Labels: labels.FromStrings("app", fmt.Sprint("app", s), "round", fmt.Sprint(round%3))}
		for i := range 60 {
			id := fmt.Sprintf("%d-%d-%d", round, s, i)
			line := fmt.Sprintf(`{"id":"%s","n":%d,"app":"x","msg":"msg \"%d\"","a":{"b":"%d","k%d":true},"zone":"Europe/%s"}`,
				id, i%10, i%7, i%5, i, []string{"Berlin", "Paris", "None"}[i%3])
			switch i % 6 {
			case 1:
				line = strings.Repeat("k3="+id[:1]+" k"+id+`="q\n" `, 3) + strings.Repeat("=", i%4)
			case 2:
				line = line[:len(line)-i]
			case 3:
				line = fmt.Sprintf(`{"_entry":"\u001b[31mmsg %d","trace":"%s"}`, i, id)
			}
			st.Entries = append(st.Entries, model.Entry{
				Timestamp: model.Timestamp(round)*model.Timestamp(time.Minute) + model.Timestamp(i+1)*model.Timestamp(time.Second),
				Line:      line, Level: []string{"info", "error", ""}[i%3],
				Metadata: []model.Pair{{Name: "size", Value: fmt.Sprint(i)}, {Name: "trace", Value: id}},
			})
		}
		streams = append(streams, st)
	}
	return streams
}

func textOf(res *engine.Result) []string {
	var list []string
	for _, e := range res.Entries {
		list = append(list, fmt.Sprint(e.ID, e.Timestamp, e.Labels, e.Metadata, e.Parsed, e.Line))
	}
	for _, s := range res.Series {
		list = append(list, fmt.Sprint(s.Labels, s.Samples))
	}
	return list
}
