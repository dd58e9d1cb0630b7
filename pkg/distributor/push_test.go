package distributor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lokipush "github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

func TestPushAccepted(t *testing.T) {
	g := newGate(t, "")
	require.NoError(t, g.push(
		stream(`{app="api"}`, entry(0, "an error", "trace.id", "abc"), entry(-time.Second, "level=info x=y")),
		stream(`{job="web", level="WARN"}`, entry(0, "x")),
	))
	require.Len(t, g.store.pushes, 1)
	p := g.store.pushes[0]
	require.Equal(t, model.TenantID("t"), p.Tenant)
	require.Equal(t, model.TimestampOf(now), p.Arrival)
	require.NotNil(t, p.Raw, "all of it is stored as it came")
	require.Equal(t, []model.Stream{
		{Labels: labels.FromStrings("app", "api", "service_name", "api"), Entries: []model.Entry{
			{Timestamp: model.TimestampOf(now), Line: "an error", Metadata: []model.Pair{{Name: "trace_id", Value: "abc"}}, Level: "error"},
			{Timestamp: model.TimestampOf(now.Add(-time.Second)), Line: "level=info x=y", Level: "info"},
		}},
		{Labels: labels.FromStrings("job", "web", "level", "WARN", "service_name", "web"), Entries: []model.Entry{
			{Timestamp: model.TimestampOf(now), Line: "x", Level: "warn"},
		}},
	}, p.Streams)
	require.Empty(t, g.Refusals(now))
	require.NoError(t, testutil.GatherAndCompare(g.registry, strings.NewReader(`
# HELP woodshed_received_bytes_total Bytes of lines and structured metadata in such pushes.
# TYPE woodshed_received_bytes_total counter
woodshed_received_bytes_total{tenant="t"} 34
# HELP woodshed_received_entries_total Entries in pushes that could be decoded, accepted or not.
# TYPE woodshed_received_entries_total counter
woodshed_received_entries_total{tenant="t"} 3
`)))
}

func TestPushJSON(t *testing.T) {
	g := newGate(t, "")
	r := jsonRequest(t, fmt.Sprintf(`{"streams":[{"stream":{"app":"api"},"values":[["%d","x"]]},{"stream":{"a-b":"c"},"values":[["%d","y"]]}]}`,
		now.UnixNano(), now.UnixNano()))
	defer r.Release()
	requireRefusal(t, g.Push(context.Background(), "t", r), storage.ErrInvalid,
		`error parsing labels '{"a-b"="c"}' with error: 1:3: parse error: unexpected character inside braces: '-'`)
	require.Nil(t, g.store.pushes[0].Raw)
	require.Equal(t, []string{`{app="api", service_name="api"}`, "x"}, g.store.lines())
}

func TestNothingToStore(t *testing.T) {
	g := newGate(t, "")
	g.refused(storage.ErrUnprocessable, "error at least one valid stream is required for ingestion")
	require.NoError(t, g.push(stream(`{app="api"}`)), "a stream without entries is nothing to refuse")
	require.NoError(t, g.push(stream(`{bad`)))
	require.Empty(t, g.store.pushes)

	require.NoError(t, g.push(stream(`{bad`), stream(`{app="api"}`, entry(0, "x"))))
	require.Nil(t, g.store.pushes[0].Raw, "a replay need not know of streams that were skipped")
}

// Everything that is refused, with class, text, reason and what remains.
func TestRefused(t *testing.T) {
	const api = `{app="api", service_name="api"}`
	f := func(config, reason, text string, bad ...lokipush.Stream) {
		t.Helper()
		g := newGate(t, "limits_config: {"+config+"}")
		good := stream(`{app="good", env="x"}`, entry(0, "kept"))
		g.refused(storage.ErrInvalid, text, append(bad, good)...)
		require.Equal(t, "kept", slices.Clone(g.store.lines())[len(g.store.lines())-1])
		require.Nil(t, g.store.pushes[0].Raw)
		require.Equal(t, 1.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues(reason, "t")), reason)
		refusals := g.Refusals(now)
		require.Len(t, refusals, 1)
		require.Equal(t, reason, refusals[0].Reason)
	}
	f("", "greater_than_max_sample_age",
		`entry for stream '`+api+`' has timestamp too old: 2026-11-16T11:59:59Z, oldest acceptable timestamp is: 2026-11-16T12:00:00Z`,
		stream(`{app="api"}`, entry(-7*24*time.Hour-time.Nanosecond, "x")))
	f("", "greater_than_max_sample_age",
		`entry for stream '`+api+`' has timestamp too old: 0001-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-11-16T12:00:00Z`,
		stream(`{app="api"}`, lokipush.Entry{Line: "x"}))
	f("", "too_far_in_future", `entry for stream '`+api+`' has timestamp too new: 2026-11-23T12:10:00Z`,
		stream(`{app="api"}`, entry(10*time.Minute+time.Nanosecond, "x")))
	f("creation_grace_period: 0s", "too_far_in_future", `entry for stream '`+api+`' has timestamp too new: 2026-11-23T12:00:01Z`,
		stream(`{app="api"}`, entry(time.Second, "x")))
	f("", "line_too_long", `max entry size '262144' bytes exceeded for stream '`+api+`' while adding an entry with length '262145' bytes`,
		stream(`{app="api"}`, entry(0, strings.Repeat("x", 256<<10+1))))
	f("max_line_size: 5", "line_too_long", `max entry size '5' bytes exceeded for stream '`+api+`' while adding an entry with length '6' bytes`,
		stream(`{app="api"}`, entry(0, "abcdef")))
	f("allow_structured_metadata: false", "disallowed_structured_metadata",
		"stream '"+api+"' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it",
		stream(`{app="api"}`, entry(0, "x", "a", "b")))
	f("max_structured_metadata_size: 3", "structured_metadata_too_large",
		"stream '"+api+"' has structured metadata too large: '4' bytes, limit: '3' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it",
		stream(`{app="api"}`, entry(0, "x", "detected_level", "not counted", "ab", "cd")))
	f("max_structured_metadata_entries_count: 1", "structured_metadata_too_many",
		"stream '"+api+"' has too many structured metadata labels: '2', limit: '1'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it",
		stream(`{app="api"}`, entry(0, "x", "a", "b", "c", "d")))
	f("max_label_names_per_series: 2", "max_label_names_per_series",
		`entry for stream '{a="1", b="2", c="3", service_name="unknown_service"}' has 3 label names; limit 2`,
		stream(`{a="1", b="2", c="3"}`, entry(0, "x")))
	f("max_label_name_length: 12", "label_name_too_long", `stream '{app="api", longer_names="x", longer_names2="x", service_name="api"}' has label name too long: 'longer_names2'`,
		stream(`{app="api", longer_names="x", longer_names2="x"}`, entry(0, "x")))
	f("max_label_value_length: 4", "label_value_too_long", `stream '{app="api", b="12345", service_name="api"}' has label value too long: '12345'`,
		stream(`{app="api", b="12345"}`, entry(0, "x")))
	f("", "duplicate_label_names", `stream '{a="1", a="2", service_name="unknown_service"}' has duplicate label name: 'a'`,
		stream(`{a="1", a="2"}`, entry(0, "x")))
	f("enforced_labels: [app, env, env]", "missing_enforced_labels",
		`missing required labels 'env' for user 't' for stream '`+api+`' (policy: '')`, stream(`{app="api"}`, entry(0, "x")))
	f("discover_service_name: []", "missing_labels", `error at least one label pair is required per stream`, stream(`{}`, entry(0, "x")))
	f("", "invalid_labels", `error parsing labels '{app="api' with error: 1:6: parse error: unterminated quoted string`, stream(`{app="api`, entry(0, "x")))
}

// The limits stand exactly where they stand in Loki.
func TestAccepted(t *testing.T) {
	f := func(config string, streams ...lokipush.Stream) {
		t.Helper()
		g := newGate(t, "limits_config: {"+config+"}")
		require.NoError(t, g.push(streams...))
		require.NotNil(t, g.store.pushes[0].Raw)
	}
	api := func(e lokipush.Entry) lokipush.Stream { return stream(`{app="api"}`, e) }
	f("", api(entry(-7*24*time.Hour, "x")))
	f("", api(entry(10*time.Minute, "x")))
	f("reject_old_samples: false", api(lokipush.Entry{Line: "x"}))
	f("", api(entry(0, strings.Repeat("x", 256<<10))))
	f("max_line_size: 0", api(entry(0, strings.Repeat("x", 1<<20))))
	f("max_structured_metadata_size: 4", api(entry(0, "x", "ab", "cd")))
	f("max_structured_metadata_entries_count: 1", api(entry(0, "x", "ab", "cd")))
	f("max_structured_metadata_size: 0, max_structured_metadata_entries_count: 0", api(entry(0, "x", "ab", "cd", "e", "f")))
	f("allow_structured_metadata: false", api(entry(0, "x")))
	f("max_label_names_per_series: 2", stream(`{a="1", b="2", service_name="not counted"}`, entry(0, "x")))
	f("max_label_names_per_series: 0, max_label_name_length: 0, max_label_value_length: 0", api(entry(0, "x")))
	f("max_label_value_length: 3, max_label_name_length: 12", api(entry(0, "x")))
	f("discover_service_name: []", stream(`{a="b"}`, entry(0, "x")))
	f("enforced_labels: [app, service_name]", api(entry(0, "x")))
}

func TestDerivationFollowsLimits(t *testing.T) {
	g := newGate(t, `
limits_config: {log_level_from_json_max_depth: 1}
overrides:
  plain: {discover_log_levels: false, discover_service_name: []}
  bare: {allow_structured_metadata: false}
  own: {log_level_fields: [sev], discover_service_name: [team]}
  none: {log_level_fields: []}
`)
	f := func(tenant, line, wantLabels, wantLevel string) {
		t.Helper()
		r := protobuf(t, stream(`{app="api", team="core"}`, entry(0, line)))
		defer r.Release()
		require.NoError(t, g.Push(context.Background(), model.TenantID(tenant), r))
		p := g.store.pushes[len(g.store.pushes)-1]
		require.Equal(t, wantLabels, p.Streams[0].Labels.String())
		require.Equal(t, wantLevel, p.Streams[0].Entries[0].Level)
	}
	const named = `{app="api", service_name="api", team="core"}`
	f("t", `lvl=trc`, named, "trace")
	f("t", `{"a":{"lvl":"trc"}}`, named, "unknown")
	f("plain", `lvl=trc`, `{app="api", team="core"}`, "")
	f("bare", `lvl=trc`, named, "")
	f("own", `sev=trc`, `{app="api", service_name="core", team="core"}`, "trace")
	f("own", `lvl=trc`, `{app="api", service_name="core", team="core"}`, "unknown")
	f("none", `lvl=trc`, named, "trace") // an empty list means the one that Loki comes with
	require.Same(t, g.derivers[g.limits.For("t")], g.derivers[g.limits.For("none")], "equal options share their cache")
}

func TestErrorsAreGrouped(t *testing.T) {
	g := newGate(t, "limits_config: {max_line_size: 5}")
	late := -8 * 24 * time.Hour
	g.refused(storage.ErrInvalid,
		`2 errors like: max entry size '5' bytes exceeded for stream '{app="a", service_name="a"}' while adding an entry with length '6' bytes`+
			`; 3 errors like: entry for stream '{app="a", service_name="a"}' has timestamp too old: 2026-11-15T12:00:00Z, oldest acceptable timestamp is: 2026-11-16T12:00:00Z`+
			`; 1 errors like: max entry size '5' bytes exceeded for stream '{app="b", service_name="b"}' while adding an entry with length '6' bytes`+
			`; 1 errors like: error parsing labels '{' with error: 1:2: parse error: unexpected end of input inside braces`,
		stream(`{app="a"}`, entry(0, "123456"), entry(0, "ok"), entry(late, "1"), entry(late+time.Millisecond, "2")),
		stream(`{app="b"}`, entry(0, "abcdef")),
		stream(`{`, entry(0, "x"), entry(0, "y")),
		stream(`{app="a"}`, entry(0, "654321"), entry(late, "3"), entry(0, "ok 2")),
	)
	require.Equal(t, []string{`{app="a", service_name="a"}`, "ok", `{app="a", service_name="a"}`, "ok 2"}, g.store.lines())
	require.Equal(t, 3.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues("line_too_long", "t")))
	require.Equal(t, 18.0, testutil.ToFloat64(g.metrics.discardedBytes.WithLabelValues("line_too_long", "t")))
	require.Equal(t, 2.0, testutil.ToFloat64(g.metrics.discardedEntries.WithLabelValues("invalid_labels", "t")))

	g.refused(storage.ErrInvalid,
		`2 errors like: max entry size '5' bytes exceeded for stream '{app="a", service_name="a"}' while adding an entry with length '6' bytes`,
		stream(`{app="a"}`, entry(0, "123456"), entry(0, "123456")))
}

func TestRefusalTextIsBounded(t *testing.T) {
	g := newGate(t, "")
	var many []lokipush.Stream
	for i := range 3 * groupsMax {
		many = append(many, stream(fmt.Sprintf(`{a%d`, i), entry(0, "x")))
	}
	err := g.push(many...)
	require.ErrorIs(t, err, storage.ErrInvalid)
	require.True(t, strings.HasSuffix(err.Error(), fmt.Sprintf("; %d other errors", 2*groupsMax)), err.Error())

	long := strings.Repeat("x", 2*refusalTextBytesMax)
	err = g.push(stream(`{a`+long, entry(0, "x")), stream(`{b`+long, entry(0, "x")))
	require.LessOrEqual(t, len(err.Error()), refusalTextBytesMax+100)
	require.True(t, strings.HasSuffix(err.Error(), "; 1 other errors"))
	err = g.push(stream(`{a`+long, entry(0, "x")))
	require.LessOrEqual(t, len(err.Error()), refusalTextBytesMax+10)
}

func TestTruncate(t *testing.T) {
	g := newGate(t, `limits_config: {max_line_size: 8, max_line_size_truncate: true, max_line_size_truncate_identifier: "..."}`)
	require.NoError(t, g.push(stream(`{app="a"}`, entry(0, "12345678"), entry(0, "123456789"), entry(0, "1234éxxx"))))
	require.Equal(t, []string{`{app="a", service_name="a"}`, "12345678", "12345...", "1234..."}, g.store.lines())
	require.Nil(t, g.store.pushes[0].Raw)
	require.Equal(t, 2.0, testutil.ToFloat64(g.metrics.truncated.WithLabelValues("t")))
}

func TestIncrementDuplicateTimestamp(t *testing.T) {
	g := newGate(t, `limits_config: {increment_duplicate_timestamp: true}`)
	f := func(want string, entries ...lokipush.Entry) {
		t.Helper()
		g.store.pushes = nil
		require.NoError(t, g.push(stream(`{app="a"}`, entries...)))
		p := g.store.pushes[0]
		var got []string
		changed := false
		for i, e := range p.Streams[0].Entries {
			got = append(got, fmt.Sprint(int64(e.Timestamp)-now.UnixNano()))
			changed = changed || e.Timestamp != model.TimestampOf(entries[i].Timestamp)
		}
		require.Equal(t, want, strings.Join(got, " "))
		require.Equal(t, changed, p.Raw == nil)
	}
	f("0 1 2", entry(0, "a"), entry(0, "b"), entry(0, "c"))
	f("0 0 1", entry(0, "a"), entry(0, "a"), entry(0, "b")) // duplicates stay duplicates
	f("0 5 6", entry(0, "a"), entry(5, "b"), entry(5, "c"))
	f("0 1 2 1", entry(0, "a"), entry(0, "b"), entry(0, "c"), entry(1, "d")) // no more than Loki does
	f("0 7", entry(0, "a"), entry(7, "b"))
}

func TestAppendFails(t *testing.T) {
	g := newGate(t, "")
	g.store.err = &storage.Refusal{Class: storage.ErrOverloaded, Text: "the disk is full"}
	err := g.push(stream(`{app="a"}`, entry(0, "1")), stream(`{`, entry(0, "2")))
	requireRefusal(t, err, storage.ErrOverloaded, "the disk is full")
	g.store.err = errors.New("broken")
	require.EqualError(t, g.push(stream(`{app="a"}`, entry(0, "1"))), "append push: broken")
}

func TestNewNeedsLimitsAndAppender(t *testing.T) {
	_, err := New(Config{})
	require.EqualError(t, err, "distributor: limits and an appender are needed")
	o, err := limits.New(limits.Default(), nil)
	require.NoError(t, err)
	d, err := New(Config{Limits: o, Appender: &store{t: t}})
	require.NoError(t, err, "the rest has defaults")
	r := protobuf(t, stream(`{app="a"}`, lokipush.Entry{Timestamp: time.Now(), Line: "x"}))
	defer r.Release()
	require.NoError(t, d.Push(context.Background(), "t", r))

	g := newGate(t, "")
	_, err = New(Config{Limits: o, Appender: g.store, Registerer: g.registry})
	require.ErrorContains(t, err, "distributor: register metrics: duplicate")
}

// What was sent is stored or refused, entry by entry, and nothing else is stored; what is stored verbatim replays the same.
func TestEveryEntryIsStoredOrRefused(t *testing.T) {
	texts := rapid.SampledFrom([]string{`{app="a"}`, `{app="b", level="warn"}`, `{`, `{a="1", b="2", c="3", d="4"}`, `{}`, `{app="a", app="b"}`})
	lines := rapid.SampledFrom([]string{"", "x", "level=info", `{"level":"error"}`, "too long for the limit"})
	names := rapid.SampledFrom([]string{"a", "a.b", "detected_level", "severity", ""})
	rapid.Check(t, func(rt *rapid.T) {
		g := newGate(t, "limits_config: {max_line_size: 20, max_label_names_per_series: 3, max_structured_metadata_entries_count: 2}")
		var streams []lokipush.Stream
		sent := 0
		for range rapid.IntRange(1, 5).Draw(rt, "streams") {
			s := stream(texts.Draw(rt, "labels"))
			for range rapid.IntRange(0, 5).Draw(rt, "entries") {
				e := entry(time.Duration(rapid.IntRange(-9, 1).Draw(rt, "days"))*24*time.Hour, lines.Draw(rt, "line"))
				for range rapid.IntRange(0, 3).Draw(rt, "pairs") {
					e.StructuredMetadata = append(e.StructuredMetadata, lokipush.LabelAdapter{Name: names.Draw(rt, "name"), Value: lines.Draw(rt, "value")})
				}
				s.Entries = append(s.Entries, e)
				sent++
			}
			streams = append(streams, s)
		}
		err := g.push(streams...)
		stored, refused := 0, 0
		for _, p := range g.store.pushes {
			for _, s := range p.Streams {
				require.NotEmpty(t, s.Entries)
				stored += len(s.Entries)
				for _, e := range s.Entries {
					require.LessOrEqual(t, len(e.Line), 20)
					require.NotEmpty(t, e.Level)
				}
			}
		}
		for _, r := range g.Refusals(now) {
			refused += r.Entries
		}
		require.Equal(t, sent, stored+refused)
		require.Equal(t, refused > 0, err != nil)
		if stored == sent && sent > 0 && !slices.ContainsFunc(streams, func(s lokipush.Stream) bool { return len(s.Entries) == 0 }) {
			require.NotNil(t, g.store.pushes[0].Raw)
		}
		if refused > 0 && stored > 0 {
			require.Nil(t, g.store.pushes[0].Raw)
		}
	})
}

// Pushes share pools and caches; none sees another's.
func TestConcurrentPushes(t *testing.T) {
	g := newGateOver(t, "limits_config: {max_line_size: 50, per_stream_rate_limit: 1GB, ingestion_rate_mb: 1000, max_global_streams_per_user: 1000000}", &held{})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				name := fmt.Sprintf("w%d-%d", worker, i)
				body := stream(fmt.Sprintf(`{app=%q}`, name))
				for l := range 20 {
					body.Entries = append(body.Entries, entry(0, fmt.Sprintf("%s line %d", name, l), "n.o", name))
				}
				if i%3 == 0 {
					body.Entries = append(body.Entries, entry(0, strings.Repeat("x", 51)))
				}
				r := protobuf(t, body)
				err := g.Push(context.Background(), model.TenantID(fmt.Sprintf("tenant-%d", worker)), r)
				r.Release()
				if (err != nil) != (i%3 == 0) {
					t.Errorf("push %s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, g.store.pushes, 400)
	for _, p := range g.store.pushes {
		app := p.Streams[0].Labels.Get("app")
		require.True(t, strings.HasPrefix(app, "w"+strings.TrimPrefix(string(p.Tenant), "tenant-")+"-"))
		require.Len(t, p.Streams[0].Entries, 20)
		for l, e := range p.Streams[0].Entries {
			require.Equal(t, fmt.Sprintf("%s line %d", app, l), e.Line)
			require.Equal(t, []model.Pair{{Name: "n_o", Value: app}}, e.Metadata)
		}
	}
}

// Any body that can be decoded is stored or refused, and never more than it held.
func FuzzPush(f *testing.F) {
	f.Add([]byte(`{"streams":[{"stream":{"app":"api"},"values":[["1795435200000000000","one",{"a.b":"c"}],["1","old"]]},{"stream":{"a-b":""},"values":[["1","x"]]}]}`))
	g := newFuzzGate(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := wire.Decode(bytes.Clone(body), "application/json", "", wire.Options{BodyBytesMax: 1 << 16, DecompressedBytesMax: 1 << 16})
		if err != nil {
			return
		}
		defer r.Release()
		sent := 0
		for _, s := range r.Streams {
			sent += len(s.Entries)
		}
		g.stored = 0
		err = g.Push(context.Background(), "t", r)
		var refusal *storage.Refusal
		require.True(t, err == nil || errors.As(err, &refusal))
		require.LessOrEqual(t, g.stored, sent)
		if err == nil {
			require.Equal(t, sent, g.stored)
		}
	})
}

type fuzzGate struct {
	*Distributor
	stored int
}

func newFuzzGate(f *testing.F) *fuzzGate {
	g := &fuzzGate{}
	o, err := limits.New(limits.Default(), nil)
	require.NoError(f, err)
	g.Distributor, err = New(Config{Limits: o, Appender: g, Clock: func() time.Time { return now }})
	require.NoError(f, err)
	return g
}

func (g *fuzzGate) Append(_ context.Context, p storage.Push) error {
	for _, s := range p.Streams {
		g.stored += len(s.Entries)
		if s.Labels.Get(derive.LabelServiceName) == "" {
			return errors.New("a stream without service_name")
		}
	}
	return nil
}
