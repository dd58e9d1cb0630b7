package logdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// drain reads a whole answer.
func drain(b *testing.B, db *DB, r storage.SelectRequest) {
	it, err := db.Select(context.Background(), "t", r)
	require.NoError(b, err)
	for {
		batch, err := it.Next(context.Background())
		require.NoError(b, err)
		if batch == nil {
			break
		}
	}
	require.NoError(b, it.Close())

}

func benchDB(b *testing.B, cfg Config, bodies int) (db *DB, lineBytes int64) {
	all, lineBytes := benchBodies(b, bodies)
	cfg.FS, cfg.Dir, cfg.HeadBytesMax = vfs.OS(), b.TempDir(), 4<<30
	db, err := Open(context.Background(), cfg)
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	d := derive.New(derive.Options{Version: derive.Version1, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2})
	for _, body := range all {
		appendBody(b, db, d, body, 0)
	}
	require.NoError(b, db.Flush(context.Background()))
	return db, lineBytes
}

// BenchmarkSelectAgain asks the same question again and again of a block that fits into the cache, and without one.
func BenchmarkSelectAgain(b *testing.B) {
	for _, cache := range []int64{1, 64 << 20} {
		db, lineBytes := benchDB(b, Config{CacheBytes: cache}, 24)
		r := storage.SelectRequest{
			Matchers: inProd(), Interval: always,
			Filters: []storage.LineFilter{{Any: []string{"duration=7"}}}, Columns: storage.ColumnLine,
		}
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("cache=%dMiB/workers=%d", cache>>20, workers), func(b *testing.B) {
				db.cfg.QueryWorkers = workers
				drain(b, db, r)
				drain(b, db, r)
				b.SetBytes(lineBytes)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					drain(b, db, r)
				}
			})
		}
	}
}

// BenchmarkSelectEqual finds the entry of a trace, with its line and without, in chunks whose columns no cache holds.
func BenchmarkSelectEqual(b *testing.B) {
	db, err := Open(context.Background(), Config{FS: vfs.OS(), Dir: b.TempDir(), CacheBytes: 1})
	require.NoError(b, err)
	defer db.Close()
	var trace model.Pair
	for k := range 20 {
		s := streamOf(fmt.Sprint("app", k))
		for i := range 3000 {
			trace = model.Pair{Name: "trace_id", Value: requestID(3000*k+i) + requestID(-i)}
			s.Entries = append(s.Entries, model.Entry{
				Timestamp: at(time.Duration(i) * time.Second), Metadata: []model.Pair{trace},
				Line: fmt.Sprintf(`{"msg":"request served","path":"/api/v1/items/%d","duration_ms":%d,"trace_id":"%s","user":"%d"}`, i*i, i*7919%991, trace.Value, i*31),
			})
		}
		require.NoError(b, db.Append(context.Background(), pushOf("t", s)))
	}
	require.NoError(b, db.Flush(context.Background()))
	for name, columns := range map[string]storage.Columns{"metadata": storage.ColumnMetadata, "line": storage.ColumnMetadata | storage.ColumnLine} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				drain(b, db, storage.SelectRequest{Matchers: anyApp(), Interval: always, MetadataEqual: []model.Pair{trace}, Columns: columns})
			}
		})
	}
}

// BenchmarkSkip is what a chunk costs whose filter is in memory and tells that there is nothing.
func BenchmarkSkip(b *testing.B) {
	db, _ := benchDB(b, Config{}, 16)
	f := func(name string, r storage.SelectRequest) {
		b.Run(name, func(b *testing.B) {
			r.Matchers, r.Interval = inProd(), always
			it, err := db.Select(context.Background(), "t", r)
			require.NoError(b, err)
			real := it.(*iterator)
			b.ResetTimer()
			skipped := 0
			for i := range b.N {
				if real.prunes(&real.sel.sources[i%len(real.sel.sources)]) {
					skipped++
				}
			}
			b.StopTimer()
			require.Equal(b, b.N, skipped)
			require.NoError(b, it.Close())
		})
	}
	f("text", storage.SelectRequest{Filters: []storage.LineFilter{{Any: []string{"7f83b1657ff1fc53b92dc18148a1d65d"}}}})
	f("metadata", storage.SelectRequest{MetadataEqual: []model.Pair{{Name: "trace_id", Value: "7f83b1657ff1fc53b92dc18148a1d65d"}}})
}

func inProd() []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "namespace", "prod")}
}

// BenchmarkSelectManyRuns reads a head of many streams with few entries each.
func BenchmarkSelectManyRuns(b *testing.B) {
	db, err := Open(context.Background(), Config{FS: vfs.NewMem(), Dir: testDir, ScratchDir: b.TempDir(), HeadOpenBytes: 1 << 30})
	require.NoError(b, err)
	defer db.Close()
	var streams []model.Stream
	for i := range 20_000 {
		s := streamOf(fmt.Sprint("app", i))
		for k := range 5 {
			s.Entries = append(s.Entries, model.Entry{Timestamp: at(time.Duration(k) * time.Second), Line: fmt.Sprint("line ", k)})
		}
		streams = append(streams, s)
	}
	require.NoError(b, db.Append(context.Background(), pushOf("t", streams...)))
	for _, workers := range []int{1, 2} {
		for name, r := range map[string]storage.SelectRequest{
			"unordered": {}, "newest-100": {Order: storage.Backward, Limit: 100, Columns: storage.ColumnLine},
		} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
				db.cfg.QueryWorkers = workers
				r.Matchers, r.Interval = anyApp(), always
				b.ReportAllocs()
				for range b.N {
					drain(b, db, r)
				}
			})
		}
	}
}
