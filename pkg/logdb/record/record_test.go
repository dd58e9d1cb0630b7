package record

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

var update = flag.Bool("update", false, "rewrite golden files")

func sample() Push {
	return Push{
		Tenant: "team-a", Arrival: 1_700_000_000_000_000_000,
		Streams: []model.Stream{
			{Labels: labels.FromStrings("app", "a", "env", "prod"), Entries: []model.Entry{
				{Timestamp: 1_700_000_000_000_000_001, Line: "one", Level: "info"},
				{Timestamp: 1_699_999_999_000_000_000, Line: "earlier\nline", Metadata: []model.Pair{{Name: "trace", Value: "ff"}, {Name: "z", Value: ""}}},
			}},
			{Labels: labels.EmptyLabels(), Entries: []model.Entry{{Timestamp: model.MinTimestamp}, {Timestamp: model.MaxTimestamp, Line: "last"}}},
			{Labels: labels.FromStrings("b", "c")},
		},
	}
}

func text(p Push) string { return fmt.Sprintf("%+v", p) }

func TestKeptRoundTrip(t *testing.T) {
	payload := AppendKept([]byte("before"), sample())
	require.True(t, bytes.HasPrefix(payload, []byte("before")))
	payload = payload[len("before"):]
	for _, typ := range []byte{TypePushKept, TypeCarry} {
		got, err := NewDecoder().Decode(typ, payload)
		require.NoError(t, err)
		want := sample()
		for i := range want.Streams {
			if want.Streams[i].Entries == nil {
				want.Streams[i].Entries = []model.Entry{}
			}
		}
		require.Equal(t, text(want), text(got.Push))
		got.Release()
	}
}

func rawPayload(tb testing.TB) []byte {
	tb.Helper()
	req := push.PushRequest{Streams: []push.Stream{{Labels: `{app="shop"}`, Entries: []push.Entry{
		{Timestamp: time.Unix(1_700_000_000, 5), Line: "level=warn x", StructuredMetadata: push.LabelsAdapter{{Name: "trace.id", Value: "7"}}},
	}}}}
	body, err := req.Marshal()
	require.NoError(tb, err)
	options := derive.Options{Version: derive.Version1, ServiceNames: []string{"app"}, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2}
	return append(AppendRawHeader(nil, "team-a", 1_700_000_000_000_000_000, options.AppendBinary(nil)), snappy.Encode(nil, body)...)
}

func TestRawIsDerivedWithTheRecordedOptions(t *testing.T) {
	got, err := NewDecoder().Decode(TypePushRaw, rawPayload(t))
	require.NoError(t, err)
	defer got.Release()
	require.EqualValues(t, "team-a", got.Tenant)
	require.Len(t, got.Streams, 1)
	require.Equal(t, `{app="shop", service_name="shop"}`, got.Streams[0].Labels.String())
	e := got.Streams[0].Entries[0]
	require.Equal(t, "warn", e.Level)
	require.Equal(t, []model.Pair{{Name: "trace_id", Value: "7"}}, e.Metadata)
}

// The tenant becomes a key of maps; the payload's buffer is used again for the next record.
func TestTenantOutlivesThePayload(t *testing.T) {
	payload := AppendKept(nil, sample())
	id, err := TenantOf(payload)
	require.NoError(t, err)
	p, err := NewDecoder().Decode(TypePushKept, payload)
	require.NoError(t, err)
	clear(payload)
	require.EqualValues(t, "team-a", id)
	require.EqualValues(t, "team-a", p.Tenant)
}

func TestGolden(t *testing.T) {
	f := func(name string, got []byte) {
		t.Helper()
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, got, "the bytes of records have changed: that needs a new version")
	}
	f("raw.v1", rawPayload(t))
	f("kept.v1", AppendKept(nil, sample()))
}

func TestMalformedIsRefused(t *testing.T) {
	d := NewDecoder()
	f := func(typ byte, payload []byte) {
		t.Helper()
		_, err := d.Decode(typ, payload)
		require.ErrorIs(t, err, ErrMalformed)
	}
	kept, raw := AppendKept(nil, sample()), rawPayload(t)
	f(0, kept)
	f(9, kept)
	f(TypePushKept, nil)
	f(TypePushKept, append([]byte{2}, kept[1:]...))
	f(TypePushRaw, append([]byte{2}, raw[1:]...))
	for n := range kept {
		f(TypePushKept, kept[:n])
	}
	for n := range 20 {
		f(TypePushRaw, raw[:n])
	}
	f(TypePushKept, append(kept[:len(kept):len(kept)], 1))
}

func FuzzDecode(f *testing.F) {
	f.Add(TypePushKept, AppendKept(nil, sample()))
	f.Add(TypeCarry, AppendKept(nil, Push{Tenant: "t"}))
	f.Add(TypePushRaw, rawPayload(f))
	// The streams of a kept record unpacked, so that the fuzzer reaches behind the compression.
	f.Add(byte(200), appendStreams(nil, sample().Streams))
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, typ byte, payload []byte) {
		if typ == 200 {
			c := cursor{b: payload}
			streams := c.streams()
			if c.err != nil || len(c.b) > 0 {
				return
			}
			again := cursor{b: appendStreams(nil, streams)}
			require.Equal(t, fmt.Sprint(streams), fmt.Sprint(again.streams()))
			return
		}
		p, err := d.Decode(typ, payload)
		if err != nil {
			return
		}
		defer p.Release()
		q, err := d.Decode(TypePushKept, AppendKept(nil, p.Push))
		require.NoError(t, err)
		require.Equal(t, text(p.Push), text(q.Push))
	})
}
