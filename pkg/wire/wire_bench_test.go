package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
)

// benchBody is a push of about 1 MiB: so many streams, lines of about 150 bytes, so many pairs of metadata each.
func benchBody(b *testing.B, streams, pairs int) (body []byte, lineBytes int64) {
	b.Helper()
	req := push.PushRequest{}
	const lines = 7000
	for s := range streams {
		stream := push.Stream{Labels: fmt.Sprintf(`{app="api", pod="api-%d", namespace="prod", stream="stderr"}`, s)}
		for l := range lines / streams {
			line := fmt.Sprintf(`{"ts":"2023-11-14T22:13:20.%06dZ","level":"info","msg":"request served","path":"/api/v1/users/%d","status":200,"duration_ms":%d}`, l, s*l, l%977)
			e := push.Entry{Timestamp: timeOf(int64(l) * 1e6), Line: line + strings.Repeat(" ", l%10)}
			for p := range pairs {
				e.StructuredMetadata = append(e.StructuredMetadata, push.LabelAdapter{Name: fmt.Sprintf("trace_id_%d", p), Value: fmt.Sprintf("%016x", l*7919)})
			}
			lineBytes += int64(len(e.Line))
			stream.Entries = append(stream.Entries, e)
		}
		req.Streams = append(req.Streams, stream)
	}
	body, err := req.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	return body, lineBytes
}

// The walk must be at least five times as fast as gogo: compare walk and gogo of the same shape.
func BenchmarkDecode(b *testing.B) {
	for _, shape := range []struct{ streams, pairs int }{{1, 0}, {20, 2}, {200, 0}} {
		body, lineBytes := benchBody(b, shape.streams, shape.pairs)
		packed := snappy.Encode(nil, body)
		name := fmt.Sprintf("streams=%d/pairs=%d/", shape.streams, shape.pairs)
		b.Run(name+"walk", func(b *testing.B) {
			b.SetBytes(lineBytes)
			b.ReportAllocs()
			for b.Loop() {
				r := newRequest(Options{})
				if err := r.walkRequest(body); err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
		b.Run(name+"gogo", func(b *testing.B) {
			b.SetBytes(lineBytes)
			b.ReportAllocs()
			for b.Loop() {
				var req push.PushRequest
				if err := req.Unmarshal(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"snappy", func(b *testing.B) {
			b.SetBytes(lineBytes)
			dst := make([]byte, len(body))
			for b.Loop() {
				if _, err := snappy.Decode(dst, packed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"snappy+walk", func(b *testing.B) {
			b.SetBytes(lineBytes)
			b.ReportAllocs()
			for b.Loop() {
				r, err := DecodeSnappyProto(packed, Options{})
				if err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"streams":[{"stream":{"app":"api","pod":"api-1"},"values":[`)
	lineBytes := int64(0)
	for l := range 7000 {
		if l > 0 {
			s.WriteByte(',')
		}
		line := fmt.Sprintf(`level=info msg=\"request served\" path=/api/v1/users/%d status=200 duration=%dms`, l, l%977)
		lineBytes += int64(len(line) - 2)
		fmt.Fprintf(&s, `["%d","%s",{"trace_id":"%016x"}]`, 1700000000000000000+l, line, l*7919)
	}
	s.WriteString(`]}]}`)
	body := make([]byte, s.Len())
	b.SetBytes(lineBytes)
	b.ReportAllocs()
	for b.Loop() {
		copy(body, s.String()) // strings are unescaped in place
		r, err := Decode(body, "application/json", "", Options{})
		if err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
}
