package logdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	randv1 "math/rand"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// naive is the obvious database: for each tenant and label set the entries in order of arrival. It does not know what the
// head remembers of duplicates, so the test sends nothing twice but what is still in the head.
type naive map[model.TenantID]map[string]*naiveStream

type naiveStream struct {
	labels  labels.Labels
	entries []model.Entry
}

func (n naive) add(tenant model.TenantID, ls labels.Labels, e model.Entry) {
	if n[tenant] == nil {
		n[tenant] = map[string]*naiveStream{}
	}
	s := n[tenant][ls.String()]
	if s == nil {
		s = &naiveStream{labels: ls}
		n[tenant][ls.String()] = s
	}
	s.entries = append(s.entries, e)
}

func matches(ls labels.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

func passes(line string, filters []storage.LineFilter) bool {
	for _, f := range filters {
		found := slices.ContainsFunc(f.Any, func(text string) bool {
			if f.Kind == storage.FilterRegexp {
				return regexp.MustCompile(text).MatchString(line)
			}
			return strings.Contains(line, text)
		})
		if found == f.Negate {
			return false
		}
	}
	return true
}

// sorted returns the tenant's streams in the order of label sets.
func (n naive) sorted(tenant model.TenantID) []*naiveStream {
	return slices.SortedFunc(maps.Values(n[tenant]), func(a, b *naiveStream) int { return labels.Compare(a.labels, b.labels) })
}

func (n naive) query(tenant model.TenantID, r storage.SelectRequest) []string {
	type row struct {
		time model.Timestamp
		text string
	}
	var rows []row
	for _, s := range n.sorted(tenant) {
		if !matches(s.labels, r.Matchers) {
			continue
		}
		for _, e := range s.entries {
			if r.Interval.Contains(e.Timestamp) && passes(e.Line, r.Filters) && useful(s.labels, e, r.MetadataEqual) && implies(s.labels, e, r.Implied) {
				rows = append(rows, row{e.Timestamp, columnText(s.labels, e, r.Columns)})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.time, b.time) }) // label set and arrival stay
	if r.Order == storage.Backward {
		slices.Reverse(rows)
	}
	if r.Limit > 0 && len(rows) > r.Limit {
		rows = rows[:r.Limit]
	}
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].text
	}
	return out
}

// columnText writes what a query with these columns must tell of an entry.
func columnText(ls labels.Labels, e model.Entry, columns storage.Columns) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", ls, e.Timestamp)
	if columns&storage.ColumnLine != 0 {
		fmt.Fprintf(&b, " %q", e.Line)
	}
	if columns&storage.ColumnLineBytes != 0 {
		fmt.Fprintf(&b, " %d bytes", len(e.Line))
	}
	if columns&storage.ColumnLevel != 0 {
		fmt.Fprintf(&b, " level %q", e.Level)
	}
	if columns&storage.ColumnMetadata != 0 {
		fmt.Fprintf(&b, " %q", e.Metadata)
	}
	return b.String()
}

// ask returns the answer of a database in the same words.
func ask(db *DB, tenant model.TenantID, r storage.SelectRequest) ([]string, error) {
	it, err := db.Select(context.Background(), tenant, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	out := []string{}
	for {
		b, err := it.Next(context.Background())
		if err != nil {
			return nil, err
		}
		if b == nil {
			if w := it.Stats().Warnings; len(w) > 0 {
				return nil, errors.New(w[0])
			}
			return out, nil
		}
		for i := range b.Timestamps {
			e := model.Entry{Timestamp: b.Timestamps[i]}
			if r.Columns&storage.ColumnLine != 0 {
				e.Line = b.Lines[i]
			} else if r.Columns&storage.ColumnLineBytes != 0 {
				e.Line = strings.Repeat(" ", int(b.LineBytes[i]))
			}
			if r.Columns&storage.ColumnLineBytes != 0 && int(b.LineBytes[i]) != len(e.Line) {
				return nil, fmt.Errorf("%d bytes of %q", b.LineBytes[i], e.Line)
			}
			if r.Columns&storage.ColumnLevel != 0 {
				e.Level = b.Levels[i]
			}
			if r.Columns&storage.ColumnMetadata != 0 {
				e.Metadata = b.Metadata[i]
			}
			out = append(out, columnText(b.Streams[b.StreamIndex[i]], e, r.Columns))
		}
	}
}

// modelRun drives a database and the naive one beside it.
type modelRun struct {
	t    *testing.T
	rng  *rand.Rand
	mem  *vfs.Mem
	cfg  Config
	db   *DB
	want naive

	recent map[model.TenantID][]model.Stream // pushes since the last cut: sending one again changes nothing
	grows  bool                              // nothing is deleted: readers beside count what they see
	serial int
	ops    map[string]int

	mu sync.RWMutex // held to replace db, read-held by readers
}

var modelTenants = []model.TenantID{"t1", "t2", "t3"}

func newModelRun(t *testing.T, seed uint64) *modelRun {
	t.Logf("seed %d", seed)
	m := &modelRun{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), mem: vfs.NewMem(), want: naive{},
		recent: map[model.TenantID][]model.Stream{}, ops: map[string]int{},
	}
	m.cfg = testConfig(t, m.mem)
	m.cfg.SegmentBytes = 64 << 10
	m.cfg.OpenBlocks = 3
	m.cfg.HeadOpenBytes = 64 << 10 // runs are squeezed out
	m.cfg.QueryPageBytes = 8 << 10 // an answer takes several pages
	m.db = openDB(t, m.cfg)
	return m
}

func (m *modelRun) tenant() model.TenantID { return modelTenants[m.rng.IntN(len(modelTenants))] }

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// time is mostly within some seconds, so that many are equal and many arrive late; now and then it is another day.
func (m *modelRun) time() model.Timestamp {
	t := at(time.Duration(m.rng.IntN(40)) * time.Second)
	if m.rng.IntN(8) == 0 {
		t = t.Add(time.Duration(m.rng.IntN(5)-2) * 24 * time.Hour)
	}
	return t
}

func (m *modelRun) labels() labels.Labels {
	ls := []string{"app", pick(m.rng, "a", "b", "c")}
	if m.rng.IntN(2) == 0 {
		ls = append(ls, "env", pick(m.rng, "dev", "prod"))
	}
	return labels.FromStrings(ls...)
}

func (m *modelRun) entry() model.Entry {
	m.serial++
	e := model.Entry{Timestamp: m.time(), Level: pick(m.rng, "", "info", "error", "own"), Line: fmt.Sprintf("%d %s", m.serial, pick(m.rng, "GET /", "Error: no\nway", "x", noise(m.serial, m.rng.IntN(300))))}
	for _, name := range []string{"pod", "trace"} {
		if m.rng.IntN(3) == 0 {
			e.Metadata = append(e.Metadata, model.Pair{Name: name, Value: fmt.Sprint(m.rng.IntN(1 + m.serial))})
		}
	}
	if m.rng.IntN(2) == 0 { // an id that the line holds, most often
		id := requestID(m.serial)
		if m.rng.IntN(10) > 0 {
			e.Line += " request=" + id
		}
		e.Metadata = append(e.Metadata, model.Pair{Name: "zrequest", Value: id})
	}
	return e
}

func requestID(serial int) string { return fmt.Sprintf("%016x", uint64(serial)*0x9e3779b97f4a7c15) }

func (m *modelRun) append() {
	tenant := m.tenant()
	byLabels := map[string]int{}
	var streams []model.Stream
	for range 1 + m.rng.IntN(40) {
		ls := m.labels()
		i, ok := byLabels[ls.String()]
		if !ok {
			i = len(streams)
			byLabels[ls.String()] = i
			streams = append(streams, model.Stream{Labels: ls})
		}
		streams[i].Entries = append(streams[i].Entries, m.entry())
	}
	require.NoError(m.t, m.db.Append(context.Background(), pushOf(tenant, streams...)))
	for _, s := range streams {
		for _, e := range s.Entries {
			m.want.add(tenant, s.Labels, e)
		}
	}
	m.recent[tenant] = append(m.recent[tenant], streams...)
}

// again sends something that the head still has, as it was or in another order.
func (m *modelRun) again() {
	tenant := m.tenant()
	if len(m.recent[tenant]) == 0 {
		return
	}
	s := pick(m.rng, m.recent[tenant]...)
	s.Entries = slices.Clone(s.Entries)
	m.rng.Shuffle(len(s.Entries), func(i, j int) { s.Entries[i], s.Entries[j] = s.Entries[j], s.Entries[i] })
	require.NoError(m.t, m.db.Append(context.Background(), pushOf(tenant, s, s)))
}

func (m *modelRun) flush() {
	require.NoError(m.t, m.db.Flush(context.Background()))
	clear(m.recent)
}

// compact merges what is due, and takes out what was deleted.
func (m *modelRun) compact() {
	before := testutil.ToFloat64(m.db.metrics.compactions.WithLabelValues("ok"))
	require.NoError(m.t, m.db.tendBlocks(context.Background()))
	m.ops["merged"] += int(testutil.ToFloat64(m.db.metrics.compactions.WithLabelValues("ok")) - before)
}

// delete hides a few entries, by stream and interval, and often by what is in them.
func (m *modelRun) delete() {
	if m.grows {
		return
	}
	tenant := m.tenant()
	r := storage.DeleteRequest{Matchers: m.matchers(), Interval: m.interval()}
	if r.Interval.Empty() || !slices.ContainsFunc(r.Matchers, func(l *labels.Matcher) bool { return !l.Matches("") }) {
		return
	}
	switch m.rng.IntN(4) {
	case 0:
		r.Interval.End = min(r.Interval.End, r.Interval.Start.Add(3*time.Second))
	case 1:
		r.Filters = []storage.LineFilter{{Any: []string{pick(m.rng, "GET", "Error", "7")}}}
	case 2:
		r.Filters = []storage.LineFilter{{Kind: storage.FilterRegexp, Any: []string{"(?i)error|x$"}}, {Any: []string{"3"}, Negate: true}}
	default:
		r.Metadata = []model.Pair{pick(m.rng, model.Pair{Name: "trace", Value: fmt.Sprint(m.rng.IntN(1 + m.serial/10))},
			model.Pair{Name: "zrequest", Value: requestID(m.rng.IntN(1 + m.serial))})}
	}
	_, err := m.db.Delete(context.Background(), tenant, r)
	require.NoError(m.t, err)
	for key, s := range m.want[tenant] {
		if !matches(s.labels, r.Matchers) {
			continue
		}
		before := len(s.entries)
		s.entries = slices.DeleteFunc(s.entries, func(e model.Entry) bool {
			return r.Interval.Contains(e.Timestamp) && passes(e.Line, r.Filters) &&
				!slices.ContainsFunc(r.Metadata, func(p model.Pair) bool { return !slices.Contains(e.Metadata, p) })
		})
		m.ops["entries deleted"] += before - len(s.entries)
		if len(s.entries) == 0 {
			delete(m.want[tenant], key)
		}
	}
	delete(m.recent, tenant)
}

// count asks for counts of buckets.
func (m *modelRun) count() {
	tenant := m.tenant()
	r := storage.CountRequest{Matchers: m.matchers(), Columns: storage.Columns(m.rng.IntN(8)) << 1}
	r.LabelNames = pick(m.rng, nil, []string{}, []string{"env"})
	for t := at(-2 * day); len(r.Edges) < 2 || m.rng.IntN(12) > 0; {
		r.Edges = append(r.Edges, t)
		t = t.Add(pick(m.rng, time.Second, 7*time.Second, time.Minute, day))
	}
	got, _ := askCount(m.t, m.db, tenant, r)
	require.Equal(m.t, m.want.count(tenant, r), got, "%+v", r)
}

// carry does what the maintenance does: heads that are large become blocks, small ones stay, and their tenants remember.
func (m *modelRun) carry() {
	before := map[model.TenantID]int{}
	for _, id := range modelTenants {
		if t := m.db.lookup(id); t != nil {
			before[id] = len(t.view.blocks)
		}
	}
	carries := testutil.ToFloat64(m.db.metrics.carries)
	require.NoError(m.t, m.db.flush(context.Background(), false))
	m.ops["carried"] += int(testutil.ToFloat64(m.db.metrics.carries) - carries)
	for _, id := range modelTenants {
		if t := m.db.lookup(id); t != nil && len(t.view.blocks) != before[id] {
			delete(m.recent, id)
		}
	}
}

func (m *modelRun) reopen(crash bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if crash {
		m.mem = m.mem.CrashClone(randv1.New(randv1.NewSource(m.rng.Int64())))
	}
	require.NoError(m.t, m.db.Close())
	m.cfg.FS = m.mem
	m.db = openDB(m.t, m.cfg)
	require.Empty(m.t, m.db.Replay().Damage)
}

func (m *modelRun) matchers() []*labels.Matcher {
	out := []*labels.Matcher{pick(m.rng,
		labels.MustNewMatcher(labels.MatchRegexp, "app", ".+"),
		labels.MustNewMatcher(labels.MatchEqual, "app", "b"),
		labels.MustNewMatcher(labels.MatchRegexp, "app", "a|c"),
		labels.MustNewMatcher(labels.MatchEqual, "env", "prod"),
		labels.MustNewMatcher(labels.MatchEqual, "app", "nobody"))}
	if m.rng.IntN(3) == 0 {
		out = append(out, pick(m.rng,
			labels.MustNewMatcher(labels.MatchNotEqual, "env", "dev"),
			labels.MustNewMatcher(labels.MatchEqual, "env", ""),
			labels.MustNewMatcher(labels.MatchNotRegexp, "app", "a|b")))
	}
	return out
}

func (m *modelRun) interval() model.Interval {
	if m.rng.IntN(3) == 0 {
		return always
	}
	start := m.time()
	return model.Interval{Start: start, End: start.Add(pick(m.rng, 0, 1, time.Second, 10*time.Second, 25*time.Hour))}
}

func (m *modelRun) request() storage.SelectRequest {
	r := storage.SelectRequest{
		Matchers: m.matchers(), Interval: m.interval(), Columns: storage.Columns(m.rng.IntN(16)),
		Order: pick(m.rng, storage.Unordered, storage.Forward, storage.Backward),
	}
	if r.Order != storage.Unordered {
		r.Limit = pick(m.rng, 0, 1, 7, 100, 100_000)
	}
	if m.rng.IntN(3) == 0 {
		r.Filters = append(r.Filters, pick(m.rng,
			storage.LineFilter{Any: []string{"GET"}},
			storage.LineFilter{Any: []string{"GET", "Error"}, Negate: true},
			storage.LineFilter{Kind: storage.FilterRegexp, Any: []string{`(?i)error.*no`}},
			storage.LineFilter{Kind: storage.FilterRegexp, Any: []string{`^[0-9]*7 `}}))
	}
	if m.rng.IntN(4) == 0 {
		r.MetadataEqual = append(r.MetadataEqual, pick(m.rng,
			model.Pair{Name: "trace", Value: fmt.Sprint(m.rng.IntN(1 + m.serial))},
			model.Pair{Name: "env", Value: "decided by some streams"},
			model.Pair{Name: "zrequest", Value: requestID(m.rng.IntN(1 + m.serial))},
			model.Pair{Name: levelName, Value: pick(m.rng, "error", "own", "nothing")}))
	}
	return r
}

func (m *modelRun) query() {
	tenant, r := m.tenant(), m.request()
	got, err := ask(m.db, tenant, r)
	require.NoError(m.t, err)
	want := m.want.query(tenant, r)
	if r.Order == storage.Unordered {
		slices.Sort(got)
		slices.Sort(want)
	}
	require.Equal(m.t, want, got, "%+v", r)
}

// scope compares labels, series and statistics. Which streams an interval meets is told by their first and last entry in
// each head or block, so only intervals that do not cut are compared exactly.
func (m *modelRun) scope() {
	tenant, ctx := m.tenant(), context.Background()
	m.compact() // what is only hidden still counts in statistics
	s := storage.Scope{Interval: always}
	if m.rng.IntN(2) == 0 {
		s.Matchers = m.matchers()
	}
	names, values := map[string]bool{}, map[string]bool{}
	wantSeries, want := []string{}, storage.Stats{}
	for _, st := range m.want.sorted(tenant) {
		if !matches(st.labels, s.Matchers) {
			continue
		}
		st.labels.Range(func(l labels.Label) { names[l.Name] = true })
		if v := st.labels.Get("env"); v != "" {
			values[v] = true
		}
		wantSeries = append(wantSeries, st.labels.String())
		want.Streams++
		want.Entries += uint64(len(st.entries))
	}
	gotNames, err := m.db.LabelNames(ctx, tenant, s)
	require.NoError(m.t, err)
	require.Equal(m.t, slices.Sorted(maps.Keys(names)), gotNames)
	gotValues, err := m.db.LabelValues(ctx, tenant, "env", s)
	require.NoError(m.t, err)
	require.Equal(m.t, slices.Sorted(maps.Keys(values)), gotValues)
	series, err := m.db.Series(ctx, tenant, s)
	require.NoError(m.t, err)
	got := []string{}
	for _, ls := range series {
		got = append(got, ls.String())
	}
	require.Equal(m.t, wantSeries, got)
	st, err := m.db.Stats(ctx, tenant, s)
	require.NoError(m.t, err)
	require.Equal(m.t, want.Streams, st.Streams)
	require.Equal(m.t, want.Entries, st.Entries)
}

// step does one operation.
func (m *modelRun) step() {
	ops := []struct {
		name   string
		weight int
		do     func()
	}{
		{"append", 30, m.append},
		{"again", 8, m.again},
		{"query", 40, m.query},
		{"scope", 6, m.scope},
		{"flush", 3, m.flush},
		{"carry", 5, m.carry},
		{"compact", 3, m.compact},
		{"delete", 3, m.delete},
		{"count", 10, m.count},
		{"idle", 3, m.db.closeIdle},
		{"reopen", 2, func() { m.reopen(false) }},
		{"crash", 3, func() { m.reopen(true) }},
	}
	total := 0
	for _, op := range ops {
		total += op.weight
	}
	n := m.rng.IntN(total)
	for _, op := range ops {
		if n -= op.weight; n < 0 {
			m.ops[op.name]++
			op.do()
			return
		}
	}
}

func (m *modelRun) checkAll() {
	for _, tenant := range modelTenants {
		for _, order := range []storage.Order{storage.Forward, storage.Backward} {
			r := storage.SelectRequest{
				Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}, Interval: always, Order: order,
				Columns: storage.ColumnLine | storage.ColumnLineBytes | storage.ColumnLevel | storage.ColumnMetadata,
			}
			got, err := ask(m.db, tenant, r)
			require.NoError(m.t, err)
			require.Equal(m.t, m.want.query(tenant, r), got)
		}
	}
}

const modelSteps = 300

func TestModel(t *testing.T) {
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newModelRun(t, seed)
			m.cfg.ChunkIdle = time.Nanosecond
			for range modelSteps {
				m.step()
			}
			m.checkAll()
			m.reopen(true)
			m.checkAll()
			t.Log(m.ops)
		})
	}
}

// Readers beside all that see each entry at most once, in order, and never fewer than before.
func TestModelWithReaders(t *testing.T) {
	m := newModelRun(t, rand.Uint64())
	m.grows = true
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for i := range 2 {
		order := []storage.Order{storage.Forward, storage.Backward}[i]
		readers.Go(func() {
			last := map[model.TenantID]int{}
			for n := 0; ctx.Err() == nil; n++ {
				tenant := modelTenants[n%len(modelTenants)]
				count, err := m.readWhole(tenant, order)
				if err == nil && count < last[tenant] {
					err = fmt.Errorf("%d entries of %s after %d", count, tenant, last[tenant])
				}
				if err != nil {
					t.Error(err)
					return
				}
				last[tenant] = count
			}
		})
	}
	for range modelSteps {
		m.step()
	}
	stop()
	readers.Wait()
	m.checkAll()
}

func (m *modelRun) readWhole(tenant model.TenantID, order storage.Order) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	it, err := m.db.Select(context.Background(), tenant, storage.SelectRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}, Interval: always, Order: order,
		Columns: storage.ColumnLine,
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = it.Close() }()
	seen := map[string]bool{}
	var last *model.Timestamp
	for {
		b, err := it.Next(context.Background())
		if b == nil || err != nil {
			return len(seen), err
		}
		for i, line := range b.Lines { // every line has a number of its own
			if seen[line] {
				return 0, fmt.Errorf("%q twice", line)
			}
			seen[strings.Clone(line)] = true
			t := b.Timestamps[i]
			if last != nil && (order == storage.Forward && t < *last || order == storage.Backward && t > *last) {
				return 0, fmt.Errorf("%d after %d", t, *last)
			}
			last = &t
		}
	}
}
