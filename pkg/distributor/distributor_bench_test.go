package distributor

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	lokipush "github.com/grafana/loki/pkg/push"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

type discard struct{}

func (discard) Append(context.Context, storage.Push) error { return nil }

// benchBodies are pushes of about 1 MiB, snappy-compressed.
func benchBodies(b *testing.B) map[string][]byte {
	b.Helper()
	lines := map[string]func(i int) string{
		"json": func(i int) string {
			return fmt.Sprintf(`{"ts":"2023-11-14T22:13:20.%06dZ","level":"info","msg":"request served","path":"/api/v1/users/%d","status":200,"duration_ms":%d}`, i, i, i%977)
		},
		"logfmt": func(i int) string {
			return fmt.Sprintf(`ts=2023-11-14T22:13:20.%06dZ caller=handler.go:120 level=info msg="request served" path=/api/v1/users/%d status=200 duration=%dms`, i, i, i%977)
		},
		"syslog": func(i int) string {
			return fmt.Sprintf(`Nov 14 22:13:20 host-17 sshd[%d]: Accepted publickey for deploy from 10.0.0.%d port 50022 ssh2: ED25519 SHA256:%016x`, i, i%250, i*7919)
		},
	}
	out := map[string][]byte{}
	for name, line := range lines {
		req := lokipush.PushRequest{}
		for s := range 20 {
			st := lokipush.Stream{Labels: fmt.Sprintf(`{app="api", pod="api-%d", namespace="prod", stream="stderr"}`, s)}
			for i := range 350 {
				st.Entries = append(st.Entries, lokipush.Entry{Timestamp: now.Add(time.Duration(i) * time.Microsecond), Line: line(s*350 + i)})
			}
			req.Streams = append(req.Streams, st)
		}
		body, err := req.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		out[name] = snappy.Encode(nil, body)
	}
	return out
}

// BenchmarkPush is all that a push costs before the write-ahead log; compare with the snappy decoding of the same body.
func BenchmarkPush(b *testing.B) {
	o, err := limits.New(limits.Default(), nil)
	if err != nil {
		b.Fatal(err)
	}
	d, err := New(Config{Limits: o, Appender: discard{}, Clock: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range benchBodies(b) {
		n, _ := snappy.DecodedLen(body)
		b.Run(name+"/push", func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				r, err := wire.Decode(body, "application/x-protobuf", "", wire.Options{DecompressedBytesMax: 64 << 20})
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Push(context.Background(), "t", r); err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
		b.Run(name+"/snappy", func(b *testing.B) {
			b.SetBytes(int64(n))
			dst := make([]byte, n)
			for b.Loop() {
				if _, err := snappy.Decode(dst, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A push in which everything is refused must not cost much more than one that is stored.
func BenchmarkPushRefused(b *testing.B) {
	o, err := limits.New(limits.Default(), nil)
	if err != nil {
		b.Fatal(err)
	}
	d, err := New(Config{Limits: o, Appender: discard{}, Clock: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	var s strings.Builder
	s.WriteString(`{"streams":[{"stream":{"app":"api"},"values":[`)
	for i := range 10_000 {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `["%d","x"]`, now.Add(-30*24*time.Hour+time.Duration(i)*time.Millisecond).UnixNano())
	}
	s.WriteString(`]}]}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := wire.Decode(bytes.Clone([]byte(s.String())), "application/json", "", wire.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if d.Push(context.Background(), "t", r) == nil {
			b.Fatal("accepted")
		}
		r.Release()
	}
}
