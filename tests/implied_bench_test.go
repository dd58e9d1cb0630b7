package tests

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// requestLines is JSON of 10 streams in blocks. One line of 100 has the status 503, and one of all has the request wanted.
func requestLines(b *testing.B) (db *logdb.DB, lineBytes int64, wanted string) {
	b.Helper()
	db, err := logdb.Open(b.Context(), logdb.Config{FS: vfs.OS(), Dir: b.TempDir(), HeadBytesMax: 4 << 30, CacheBytes: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 10 {
		s := model.Stream{Labels: labels.FromStrings("app", fmt.Sprint("app-", n))}
		at := countDay
		for i := range 30_000 {
			at = at.Add(time.Second)
			status := 200 + rng.IntN(5)
			if i%100 == 7 {
				status = 503
			}
			wanted = fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
			line := fmt.Sprintf(`{"time":"%d","level":"info","request_id":%q,"method":"GET","path":"/api/v1/items/%d","status":%d,"took_ms":%d,"user":"user-%d"}`,
				at, wanted, rng.IntN(100_000), status, rng.IntN(400), rng.IntN(1000))
			s.Entries = append(s.Entries, model.Entry{Timestamp: at, Line: line})
			lineBytes += int64(len(line))
		}
		if err := db.Append(b.Context(), storage.Push{Tenant: model.DefaultTenant, Arrival: 1, Streams: []model.Stream{s}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return db, lineBytes, wanted
}

// BenchmarkImplied asks for values that are parsed, with what they imply of lines and without.
func BenchmarkImplied(b *testing.B) {
	db, lineBytes, wanted := requestLines(b)
	for _, c := range []struct{ name, query string }{
		{"count/status", `sum(count_over_time({app=~".+"} | json | status="503" [10h]))`},
		{"count/request", `sum(count_over_time({app=~".+"} | json | request_id="` + wanted + `" [10h]))`},
		{"lines/request", `{app=~".+"} | json | request_id="` + wanted + `"`},
	} {
		for _, rule := range []struct {
			name    string
			without []string
		}{{"implied", nil}, {"parsed", []string{"implied"}}} {
			b.Run(c.name+"/"+rule.name, func(b *testing.B) {
				e, err := engine.New(engine.Config{Querier: db, Plan: plan.Options{Without: rule.without}})
				if err != nil {
					b.Fatal(err)
				}
				p := engine.Params{Tenant: model.DefaultTenant, Query: c.query, Start: countDay, End: countDay.Add(10 * time.Hour), Limit: 100, Direction: storage.Backward}
				p.Instant = c.query[0] != '{'
				b.ReportAllocs()
				b.SetBytes(lineBytes)
				for b.Loop() {
					res, err := e.Exec(b.Context(), p)
					if err != nil || len(res.Series)+len(res.Entries) == 0 {
						b.Fatal(err, "or nothing was found")
					}
				}
			})
		}
	}
}
