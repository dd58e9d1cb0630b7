package distributor

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"
	lokipush "github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// now is when the tests play.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// store keeps copies of what is appended, and holds every push to the contract of storage.Push.
type store struct {
	t *testing.T

	mu     sync.Mutex // guards what follows
	pushes []storage.Push
	err    error
}

func (s *store) Append(_ context.Context, p storage.Push) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	p.Raw = bytes.Clone(p.Raw)
	streams := make([]model.Stream, len(p.Streams))
	for i, stream := range p.Streams {
		streams[i].Labels = stream.Labels
		for _, e := range stream.Entries {
			copied := model.Entry{Timestamp: e.Timestamp, Line: strings.Clone(e.Line), Level: e.Level}
			for _, pair := range e.Metadata {
				copied.Metadata = append(copied.Metadata, model.Pair{Name: strings.Clone(pair.Name), Value: strings.Clone(pair.Value)})
			}
			streams[i].Entries = append(streams[i].Entries, copied)
		}
	}
	p.Streams = streams
	if p.Raw != nil {
		if replayed := replay(s.t, p); !equalStreams(streams, replayed) {
			s.t.Errorf("replayed %v, appended %v", replayed, streams)
		}
	}
	s.pushes = append(s.pushes, p)
	return nil
}

// replay derives a verbatim body again, as the store does after a crash.
func replay(t *testing.T, p storage.Push) []model.Stream {
	o, err := derive.ParseOptions(p.Derivation)
	require.NoError(t, err)
	r, err := wire.DecodeSnappyProto(p.Raw, wire.Options{})
	require.NoError(t, err)
	d := derive.New(o)
	var out []model.Stream
	for _, s := range r.Streams {
		derived, err := d.Stream(s.LabelsText)
		require.NoError(t, err)
		for i := range s.Entries {
			d.Entry(derived, &s.Entries[i])
		}
		out = append(out, model.Stream{Labels: derived.Labels, Entries: s.Entries})
	}
	return out
}

func equalStreams(a, b []model.Stream) bool {
	return slices.EqualFunc(a, b, func(a, b model.Stream) bool {
		return labels.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Entries, b.Entries, func(a, b model.Entry) bool {
			return a.Timestamp == b.Timestamp && a.Line == b.Line && a.Level == b.Level && slices.Equal(a.Metadata, b.Metadata)
		})
	})
}

// lines prints what is stored: the labels of each stream, then its lines.
func (s *store) lines() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pushes {
		for _, stream := range p.Streams {
			out = append(out, stream.Labels.String())
			for _, e := range stream.Entries {
				out = append(out, e.Line)
			}
		}
	}
	return out
}

// gate is a distributor over such a store.
type gate struct {
	*Distributor
	t        *testing.T
	store    *store
	registry *prometheus.Registry
	clock    *time.Time
}

// newGate reads limits_config and overrides from YAML.
func newGate(t *testing.T, config string) *gate {
	t.Helper()
	return newGateOver(t, config, nil)
}

func newGateOver(t *testing.T, config string, streams Streams) *gate {
	t.Helper()
	file := struct {
		Limits    limits.Limits                     `yaml:"limits_config"`
		Overrides map[model.TenantID]limits.Partial `yaml:"overrides"`
	}{Limits: limits.Default()}
	require.NoError(t, yaml.Unmarshal([]byte(config), &file))
	o, err := limits.New(file.Limits, file.Overrides)
	require.NoError(t, err)
	clock := now
	g := &gate{t: t, store: &store{t: t}, registry: prometheus.NewRegistry(), clock: &clock}
	g.Distributor, err = New(Config{
		Limits: o, Appender: g.store, Streams: streams, Clock: func() time.Time { return *g.clock }, Registerer: g.registry,
	})
	require.NoError(t, err)
	return g
}

// protobuf decodes a push as the HTTP edge does.
func protobuf(t *testing.T, streams ...lokipush.Stream) *wire.Request {
	t.Helper()
	body, err := (&lokipush.PushRequest{Streams: streams}).Marshal()
	require.NoError(t, err)
	r, err := wire.Decode(snappy.Encode(nil, body), "application/x-protobuf", "", wire.Options{})
	require.NoError(t, err)
	return r
}

func jsonRequest(t *testing.T, body string) *wire.Request {
	t.Helper()
	r, err := wire.Decode([]byte(body), "application/json", "", wire.Options{})
	require.NoError(t, err)
	return r
}

// push sends streams as tenant "t".
func (g *gate) push(streams ...lokipush.Stream) error {
	g.t.Helper()
	r := protobuf(g.t, streams...)
	defer r.Release()
	return g.Push(context.Background(), "t", r)
}

// refused sends streams and checks the refusal.
func (g *gate) refused(class error, text string, streams ...lokipush.Stream) {
	g.t.Helper()
	requireRefusal(g.t, g.push(streams...), class, text)
}

func requireRefusal(t *testing.T, err, class error, text string) {
	t.Helper()
	var r *storage.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, text, r.Text)
	require.ErrorIs(t, err, class)
}

func stream(labels string, entries ...lokipush.Entry) lokipush.Stream {
	return lokipush.Stream{Labels: labels, Entries: entries}
}

// entry is a line at so long after now.
func entry(after time.Duration, line string, kv ...string) lokipush.Entry {
	e := lokipush.Entry{Timestamp: now.Add(after), Line: line}
	for i := 0; i < len(kv); i += 2 {
		e.StructuredMetadata = append(e.StructuredMetadata, lokipush.LabelAdapter{Name: kv[i], Value: kv[i+1]})
	}
	return e
}
