package wire

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	typeJSON  = "application/json"
	typeProto = "application/x-protobuf"
)

func timeOf(ns int64) time.Time { return time.Unix(1700000000, ns).UTC() }

func marshal(t testing.TB, req push.PushRequest) []byte {
	t.Helper()
	b, err := req.Marshal()
	require.NoError(t, err)
	return b
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// sample has two streams, one with metadata, one without entries.
func sample() push.PushRequest {
	return push.PushRequest{Streams: []push.Stream{
		{Labels: `{app="api"}`, Entries: []push.Entry{
			{Timestamp: timeOf(1), Line: "first"},
			{Timestamp: timeOf(2), Line: "", StructuredMetadata: push.LabelsAdapter{{Name: "trace_id", Value: "abc"}, {Name: "a", Value: ""}}},
		}},
		{Labels: `{app="empty"}`, Hash: 17},
		{Labels: `{app="web"}`, Entries: []push.Entry{{Timestamp: timeOf(3), Line: strings.Repeat("long ", 100)}}},
	}}
}

func requireSample(t *testing.T, r *Request) {
	t.Helper()
	require.Len(t, r.Streams, 3)
	require.False(t, r.LabelsParsed)
	require.Equal(t, `{app="api"}`, r.Streams[0].LabelsText)
	require.Equal(t, []model.Entry{
		{Timestamp: model.TimestampOf(timeOf(1)), Line: "first"},
		{Timestamp: model.TimestampOf(timeOf(2)), Metadata: []model.Pair{{Name: "trace_id", Value: "abc"}, {Name: "a", Value: ""}}},
	}, r.Streams[0].Entries)
	require.Equal(t, `{app="empty"}`, r.Streams[1].LabelsText)
	require.Empty(t, r.Streams[1].Entries)
	require.Equal(t, strings.Repeat("long ", 100), r.Streams[2].Entries[0].Line)
}

func TestDecodeProtobuf(t *testing.T) {
	plain := marshal(t, sample())
	packed := snappy.Encode(nil, plain)
	f := func(contentType, contentEncoding string, body []byte) {
		t.Helper()
		r, err := Decode(bytes.Clone(body), contentType, contentEncoding, Options{BodyBytesMax: 1 << 20, DecompressedBytesMax: 1 << 20})
		require.NoError(t, err)
		requireSample(t, r)
		require.Equal(t, packed, r.Raw)
		require.Equal(t, len(body), r.BodyBytes)
		require.Equal(t, len(plain), r.DecompressedBytes)
		again, err := DecodeSnappyProto(bytes.Clone(r.Raw), Options{})
		require.NoError(t, err)
		requireSample(t, again)
		require.Equal(t, len(packed), again.BodyBytes)
		again.Release()
		r.Release()
	}
	f(typeProto, "", packed)
	f(typeProto, "snappy", packed)
	f(typeProto+"; proto=x", "", packed)
	f("text/plain", "", packed) // whatever is not JSON
	f(typeProto, "gzip", gzipped(packed))
	f(typeProto, "deflate", deflated(packed))
}

func TestDecodeJSON(t *testing.T) {
	body := []byte(`{"streams":[{"stream":{"app":"api","b":"c"},"values":[["1","one"],["2","two",{"trace_id":"abc"}]]}]}`)
	f := func(contentType, contentEncoding string, body []byte) {
		t.Helper()
		r, err := Decode(bytes.Clone(body), contentType, contentEncoding, Options{BodyBytesMax: 1 << 20, DecompressedBytesMax: 1 << 20})
		require.NoError(t, err)
		require.Len(t, r.Streams, 1)
		require.True(t, r.LabelsParsed)
		require.Nil(t, r.Raw)
		require.Equal(t, `{app="api", b="c"}`, r.Streams[0].Labels.String())
		require.Equal(t, []model.Entry{
			{Timestamp: 1, Line: "one"},
			{Timestamp: 2, Line: "two", Metadata: []model.Pair{{Name: "trace_id", Value: "abc"}}},
		}, r.Streams[0].Entries)
		r.Release()
	}
	f(typeJSON, "", body)
	f(typeJSON+"; charset=utf-8", "", body)
	f(typeJSON, "gzip", gzipped(body))
	f(typeJSON, "deflate", deflated(body))
	f(typeJSON, "snappy", snappy.Encode(nil, body))
	f(typeJSON, "snappy", body) // Loki takes no notice of the header
}

// refusal decodes and returns class and text of the refusal.
func refusal(t *testing.T, body []byte, contentType, contentEncoding string, o Options) (Class, string) {
	t.Helper()
	r, err := Decode(bytes.Clone(body), contentType, contentEncoding, o)
	require.Nil(t, r)
	var e *Error
	require.ErrorAs(t, err, &e)
	return e.Class, e.Error()
}

func TestBadBodies(t *testing.T) {
	limits := Options{BodyBytesMax: 4096, DecompressedBytesMax: 8192}
	f := func(contentType, contentEncoding string, body []byte, class Class, text string) {
		t.Helper()
		gotClass, gotText := refusal(t, body, contentType, contentEncoding, limits)
		require.Equal(t, text, gotText)
		require.Equal(t, class, gotClass)
	}
	packed := func(b ...byte) []byte { return snappy.Encode(nil, b) }
	sampleBody := snappy.Encode(nil, marshal(t, sample()))

	f("", "", sampleBody, Malformed, "mime: no media type")
	f("a/b/c", "", sampleBody, Malformed, "mime: unexpected content after media subtype")
	f(typeProto, "br", sampleBody, Malformed, `Content-Encoding "br" not supported`)
	f(typeProto, "GZIP", sampleBody, Malformed, `Content-Encoding "GZIP" not supported`)
	f(typeProto, "gzip", sampleBody, Malformed, "gzip: invalid header")
	f(typeProto, "gzip", nil, Malformed, "EOF")
	f(typeProto, "gzip", gzipped(sampleBody)[:40], Malformed, "unexpected EOF")
	f(typeProto, "deflate", []byte{0xff, 0xff, 0xff}, Malformed, "flate: corrupt input before offset 1")
	f(typeProto, "", nil, Malformed, "snappy: corrupt input")
	f(typeProto, "", []byte("no snappy at all"), Malformed, "snappy: corrupt input")
	f(typeProto, "gzip", gzipped(marshal(t, sample())), Malformed, "snappy: corrupt input")
	f(typeProto, "", sampleBody[:len(sampleBody)-1], Malformed, "snappy: corrupt input")

	f(typeProto, "", packed(0x0a), Malformed, "unexpected EOF")
	f(typeProto, "", packed(0x0a, 0x05, 0x0a), Malformed, "unexpected EOF")
	f(typeProto, "", packed(0x0c), Malformed, "proto: PushRequest: wiretype end group for non-group")
	f(typeProto, "", packed(0x02, 0x00), Malformed, "proto: PushRequest: illegal tag 0 (wire type 2)")
	f(typeProto, "", packed(0x08, 0x00), Malformed, "proto: wrong wireType = 0 for field Streams")
	f(typeProto, "", packed(0x0f), Malformed, "proto: wrong wireType = 7 for field Streams")
	f(typeProto, "", packed(0x7f), Malformed, "proto: illegal wireType 7")
	f(typeProto, "", packed(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), Malformed, "proto: negative length found during unmarshaling")
	f(typeProto, "", packed(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), Malformed, "proto: integer overflow")
	f(typeProto, "", packed(0x0a, 0x02, 0x12, 0x00, 0x0a, 0x04, 0x12, 0x02, 0x0a, 0x09), Malformed, "unexpected EOF")
	f(typeProto, "", packed(entryAt(253402300800, 0)...), Malformed, "timestamp: &types.Timestamp{Seconds: 253402300800,\nNanos: 0,\n} after 10000-01-01")
	f(typeProto, "", packed(entryAt(-62135596801, 0)...), Malformed, "timestamp: &types.Timestamp{Seconds: -62135596801,\nNanos: 0,\n} before 0001-01-01")
	f(typeProto, "", packed(entryAt(0, 1e9)...), Malformed, "timestamp: &types.Timestamp{Seconds: 0,\nNanos: 1000000000,\n}: nanos not in range [0, 1e9)")

	// Too large: as sent, by its own account, in truth, and after inflating.
	f(typeProto, "", make([]byte, 4097), TooLarge, "request body too large: message size too large than max (4097 vs 4096)")
	f(typeJSON, "", make([]byte, 4097), TooLarge, "request body too large: message size too large than max (4097 vs 4096)")
	f(typeProto, "", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, TooLarge, "request body too large: decompressed message size too large than max (4294967295 vs 8192)")
	f(typeProto, "", packed(make([]byte, 8193)...), TooLarge, "request body too large: decompressed message size too large than max (8193 vs 8192)")
	f(typeProto, "", []byte{0x80, 0x40, 0x00, 0x00}, Malformed, "snappy: corrupt input") // promises 8192 bytes in two
	f(typeJSON, "gzip", gzipped(make([]byte, 1<<20)), TooLarge, "request body too large: decompressed message size too large than max (8193 vs 8192)")
	f(typeProto, "deflate", deflated(make([]byte, 1<<20)), TooLarge, "request body too large: decompressed message size too large than max (8193 vs 8192)")
	f(typeJSON, "snappy", packed(make([]byte, 1<<16)...), TooLarge, "request body too large: decompressed message size too large than max (65536 vs 8192)")
	// Small on the wire, large in memory: nothing but empty entries.
	f(typeProto, "", packed(append([]byte{0x0a, 0x80, 0x3c}, bytes.Repeat([]byte{0x12, 0x00}, 3840)...)...), TooLarge,
		"request body too large: too many streams, entries or metadata pairs for one request")
}

func entryAt(seconds int64, nanos int32) []byte {
	ts := protowire.AppendTag(nil, 1, protowire.VarintType)
	ts = protowire.AppendVarint(ts, uint64(seconds))
	ts = protowire.AppendTag(ts, 2, protowire.VarintType)
	ts = protowire.AppendVarint(ts, uint64(nanos))
	entry := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), ts)
	stream := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), entry)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), stream)
}

func TestTimestamps(t *testing.T) {
	f := func(seconds int64, nanos int32, want model.Timestamp) {
		t.Helper()
		r, err := DecodeSnappyProto(snappy.Encode(nil, entryAt(seconds, nanos)), Options{})
		require.NoError(t, err)
		require.Equal(t, want, r.Streams[0].Entries[0].Timestamp)
		r.Release()
	}
	f(0, 0, 0)
	f(1700000000, 123456789, 1700000000123456789)
	f(-1, 999999999, -1)
	f(-62135596800, 0, model.MinTimestamp) // Go's zero time
	f(253402300799, 0, TimestampMax)
	// An entry without a time is one of the earliest, which limits refuse.
	r, err := DecodeSnappyProto(snappy.Encode(nil, []byte{0x0a, 0x02, 0x12, 0x00}), Options{})
	require.NoError(t, err)
	require.Equal(t, model.MinTimestamp, r.Streams[0].Entries[0].Timestamp)
	r.Release()
}

// What no client of ours writes is read as the generated decoder reads it.
func TestOddProtobuf(t *testing.T) {
	f := func(b ...byte) {
		t.Helper()
		compareWithGogo(t, b)
	}
	f()
	f(0x0a, 0x00)
	f(0x8a, 0x00, 0x00)                                     // a tag in two bytes
	f(0x8a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01) // and one whose number is cut to 32 bits
	f(0x12, 0x01, 'x')                                      // the format
	f(0x1a, 0x01, 'x', 0x20, 0x01, 0x2d, 1, 2, 3, 4, 0x31, 1, 2, 3, 4, 5, 6, 7, 8)
	f(0x1b, 0x23, 0x24, 0x1c) // groups in groups
	f(0x1b, 0x23, 0x24)
	f(0x0a, 0x06, 0x0a, 0x01, 'a', 0x0a, 0x01, 'b')                   // labels twice
	f(0x0a, 0x08, 0x12, 0x06, 0x12, 0x01, 'a', 0x12, 0x01, 'b')       // line twice
	f(0x0a, 0x06, 0x12, 0x04, 0x22, 0x02, 0x0a, 0x00)                 // parsed
	f(0x0a, 0x06, 0x12, 0x04, 0x22, 0x02, 0x0a, 0x01)                 // parsed, cut short
	f(0x0a, 0x0a, 0x12, 0x08, 0x0a, 0x02, 0x08, 0x05, 0x0a, 0x02, 16) // a time given twice, the second cut short
	f(append(bytes.Repeat([]byte{0x1b}, 1<<20), bytes.Repeat([]byte{0x1c}, 1<<20)...)[:1<<10]...)
}

// A million groups in one another are stepped over without a stack as deep.
func TestDeepGroups(t *testing.T) {
	b := append(bytes.Repeat([]byte{0x1b}, 1<<20), bytes.Repeat([]byte{0x1c}, 1<<20)...)
	r, err := DecodeSnappyProto(snappy.Encode(nil, b), Options{})
	require.NoError(t, err)
	require.Empty(t, r.Streams)
	r.Release()
}

func compareWithGogo(t *testing.T, b []byte) {
	t.Helper()
	var want push.PushRequest
	wantErr := want.Unmarshal(b)
	r, err := DecodeSnappyProto(snappy.Encode(nil, b), Options{})
	if wantErr != nil {
		require.Error(t, err, "gogo says %v", wantErr)
		return
	}
	require.NoError(t, err)
	defer r.Release()
	require.Len(t, r.Streams, len(want.Streams))
	for i, s := range want.Streams {
		got := r.Streams[i]
		require.Equal(t, s.Labels, got.LabelsText)
		require.Len(t, got.Entries, len(s.Entries))
		for j, e := range s.Entries {
			require.Equal(t, saturate(e.Timestamp.Unix(), int64(e.Timestamp.Nanosecond())), got.Entries[j].Timestamp)
			require.Equal(t, e.Line, got.Entries[j].Line)
			require.Len(t, got.Entries[j].Metadata, len(e.StructuredMetadata))
			for k, p := range e.StructuredMetadata {
				require.Equal(t, model.Pair{Name: p.Name, Value: p.Value}, got.Entries[j].Metadata[k])
			}
		}
	}
}

func FuzzDecodeSnappyProto(f *testing.F) {
	f.Add(marshal(f, sample()))
	f.Add(entryAt(1700000000, 5))
	f.Add([]byte{0x1b, 0x23, 0x24, 0x1c, 0x8a, 0x00, 0x00})
	f.Add([]byte{0x0a, 0x06, 0x12, 0x04, 0x22, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		compareWithGogo(t, b)
		// As it came: any bytes may be sent.
		if r, err := Decode(bytes.Clone(b), typeProto, "", Options{BodyBytesMax: 1 << 20, DecompressedBytesMax: 1 << 20}); err == nil {
			r.Release()
		}
	})
}

func TestLabelTextTooLarge(t *testing.T) {
	const text = "request body too large: stream labels size 17 MB exceeds limit of 17 MB"
	huge := strings.Repeat("x", labelsBytesMax+1)
	class, got := refusal(t, snappy.Encode(nil, marshal(t, push.PushRequest{Streams: []push.Stream{{Labels: huge}}})), typeProto, "", Options{})
	require.Equal(t, TooLarge, class)
	require.Equal(t, text, got)
	class, got = refusal(t, []byte(`{"streams":[{"stream":{"a":"`+huge+`"}}]}`), typeJSON, "", Options{})
	require.Equal(t, TooLarge, class)
	require.Equal(t, text, got)
	class, got = refusal(t, []byte(`{"streams":[{"labels":"`+huge+`"}]}`), typeJSON, "", Options{LegacyJSON: true})
	require.Equal(t, TooLarge, class)
	require.Equal(t, text, got)
}

// Requests are recycled: what one leaves behind is not seen in the next, and slices handed out early survive growth.
func TestRecycling(t *testing.T) {
	for i := range 50 {
		req := push.PushRequest{}
		for s := range 1 + i%7 {
			stream := push.Stream{Labels: fmt.Sprintf(`{round="%d", stream="%d"}`, i, s)}
			for l := range (i * 37) % 900 {
				stream.Entries = append(stream.Entries, push.Entry{
					Timestamp: timeOf(int64(l)), Line: fmt.Sprintf("%d %d %d", i, s, l),
					StructuredMetadata: push.LabelsAdapter{{Name: "l", Value: fmt.Sprint(l)}}[:l%2],
				})
			}
			req.Streams = append(req.Streams, stream)
		}
		compareWithGogo(t, marshal(t, req))
	}
}

func TestReserve(t *testing.T) {
	body := snappy.Encode(nil, marshal(t, sample()))
	total := 0
	r, err := Decode(bytes.Clone(body), typeProto, "", Options{Reserve: func(n int) error { require.Positive(t, n); total += n; return nil }})
	require.NoError(t, err)
	require.GreaterOrEqual(t, total, r.DecompressedBytes+3*streamBytes+3*entryBytes+2*pairBytes)
	r.Release()

	// Each reservation may be the one that fails, and its error comes back as it is.
	full := errors.New("no memory left")
	for _, f := range []struct {
		contentType, contentEncoding string
		body                         []byte
	}{
		{typeProto, "", body},
		{typeProto, "gzip", gzipped(body)},
		{typeJSON, "snappy", snappy.Encode(nil, []byte(`{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"c":"d"}]]}]}`))},
	} {
		for k := 0; ; k++ {
			calls := 0
			r, err := Decode(bytes.Clone(f.body), f.contentType, f.contentEncoding, Options{Reserve: func(int) error {
				if calls++; calls > k {
					return full
				}
				return nil
			}})
			if err == nil {
				require.Greater(t, k, 2)
				r.Release()
				break
			}
			require.Same(t, full, err)
			require.Less(t, k, 20)
		}
	}
}

// What was reserved covers what is allocated, also for many small entries.
func TestReserveCoversStructures(t *testing.T) {
	var req push.PushRequest
	for range 20 {
		s := push.Stream{Labels: `{a="b"}`}
		for l := range 1000 {
			s.Entries = append(s.Entries, push.Entry{Timestamp: timeOf(int64(l)), Line: "x", StructuredMetadata: push.LabelsAdapter{{Name: "a", Value: "b"}}})
		}
		req.Streams = append(req.Streams, s)
	}
	total := 0
	r, err := DecodeSnappyProto(snappy.Encode(nil, marshal(t, req)), Options{Reserve: func(n int) error { total += n; return nil }})
	require.NoError(t, err)
	require.GreaterOrEqual(t, total, 20_000*(entryBytes+pairBytes))
	require.LessOrEqual(t, total, r.DecompressedBytes+6*20_000*(entryBytes+pairBytes))
	r.Release()
}

func TestReleaseTwice(t *testing.T) {
	body := snappy.Encode(nil, marshal(t, sample()))
	r, err := DecodeSnappyProto(body, Options{})
	require.NoError(t, err)
	r.Release()
	r.Release()
	(*Request)(nil).Release()
	// Were it in the pool twice, two requests would now share buffers.
	first, err := DecodeSnappyProto(body, Options{})
	require.NoError(t, err)
	second, err := DecodeSnappyProto(snappy.Encode(nil, entryAt(1, 0)), Options{})
	require.NoError(t, err)
	requireSample(t, first)
	first.Release()
	second.Release()
}

func TestReleaseOverwrites(t *testing.T) {
	if !invariant.Enabled {
		t.Skip("built without the tag invariant")
	}
	body := []byte(`{"streams":[{"stream":{"a":"b"},"values":[["1","kept too long"]]}]}`)
	r, err := Decode(body, typeJSON, "", Options{})
	require.NoError(t, err)
	line := r.Streams[0].Entries[0].Line
	require.Equal(t, "kept too long", line)
	r.Release()
	require.NotContains(t, line, "kept")
}
