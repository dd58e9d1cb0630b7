package logdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// benchBodies makes push bodies of about 1 MiB of lines each, over 20 streams of logfmt with an id in every line.
func benchBodies(b *testing.B, n int) (bodies [][]byte, lineBytes int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Now().Add(-time.Hour)
	for i := range n {
		var req push.PushRequest
		size := 0
		for s := range 20 {
			stream := push.Stream{Labels: fmt.Sprintf(`{namespace="prod", app="app-%d", stream="stdout"}`, s)}
			for j := 0; size < (s+1)<<20/20; j++ {
				line := fmt.Sprintf("level=info caller=store.go:%d msg=\"cache lookup\" key=product/%d trace=%016x%016x duration=%dms",
					40+rng.IntN(200), rng.IntN(5000), rng.Uint64(), rng.Uint64(), rng.IntN(400))
				stream.Entries = append(stream.Entries, push.Entry{Timestamp: start.Add(time.Duration(i)*time.Second + time.Duration(j)*time.Microsecond), Line: line})
				size += len(line)
			}
			req.Streams = append(req.Streams, stream)
		}
		raw, err := req.Marshal()
		require.NoError(b, err)
		bodies = append(bodies, snappy.Encode(nil, raw))
		lineBytes += int64(size)
	}
	return bodies, lineBytes
}

// BenchmarkAckPath is what a push costs from its body to fsynced and visible, against the primitive it stands on.
func BenchmarkAckPath(b *testing.B) {
	bodies, lineBytes := benchBodies(b, 32)
	b.Run("snappy", func(b *testing.B) {
		b.SetBytes(lineBytes / int64(len(bodies)))
		var buf []byte
		for i := range b.N {
			var err error
			if buf, err = snappy.Decode(buf[:cap(buf)], bodies[i%len(bodies)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		db, err := Open(context.Background(), Config{FS: vfs.OS(), Dir: b.TempDir(), HeadBytesMax: 4 << 30})
		require.NoError(b, err)
		defer db.Close()
		d := derive.New(derive.Options{Version: derive.Version1, ServiceNames: []string{"app"}, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2})
		b.SetBytes(lineBytes / int64(len(bodies)))
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			appendBody(b, db, d, bodies[i%len(bodies)], model.Timestamp(i/len(bodies))*model.Timestamp(time.Hour))
		}
	})
}

func appendBody(b *testing.B, db *DB, d *derive.Deriver, body []byte, shift model.Timestamp) {
	req, err := wire.DecodeSnappyProto(body, wire.Options{})
	require.NoError(b, err)
	defer req.Release()
	p := storage.Push{Tenant: "t", Arrival: model.TimestampOf(time.Now()), Raw: body, Derivation: d.Binary()}
	for i := range req.Streams {
		s, err := d.Stream(req.Streams[i].LabelsText)
		require.NoError(b, err)
		for j := range req.Streams[i].Entries {
			e := &req.Streams[i].Entries[j]
			e.Timestamp += shift // or every second round would be duplicates
			d.Entry(s, e)
		}
		p.Streams = append(p.Streams, model.Stream{Labels: s.Labels, Entries: req.Streams[i].Entries})
	}
	require.NoError(b, db.Append(context.Background(), p))
}

// BenchmarkScan reads a flushed block: everything, a literal that is nowhere, and counts without lines.
func BenchmarkScan(b *testing.B) {
	bodies, lineBytes := benchBodies(b, 64)
	db, err := Open(context.Background(), Config{FS: vfs.OS(), Dir: b.TempDir(), HeadBytesMax: 4 << 30})
	require.NoError(b, err)
	defer db.Close()
	d := derive.New(derive.Options{Version: derive.Version1, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2})
	for _, body := range bodies {
		appendBody(b, db, d, body, 0)
	}
	require.NoError(b, db.Flush(context.Background()))
	f := func(name string, r storage.SelectRequest) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(lineBytes)
			r.Interval = always
			r.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "namespace", "prod")}
			for range b.N {
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
		})
	}
	absent := storage.LineFilter{Kind: storage.FilterLiteral, Any: []string{"no such text " + strings.Repeat("z", 8)}}
	f("lines", storage.SelectRequest{Columns: storage.ColumnLine})
	f("absent-literal", storage.SelectRequest{Columns: storage.ColumnLine, Filters: []storage.LineFilter{absent}})
	f("levels", storage.SelectRequest{Columns: storage.ColumnLevel})
	f("newest-100", storage.SelectRequest{Columns: storage.ColumnLine, Order: storage.Backward, Limit: 100})
}
