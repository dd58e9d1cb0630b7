package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/grafana/grafana-plugin-sdk-go/build/buildinfo"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/lokiapi"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
)

// Ready implements plugin.Store.
func (p *process) Ready() <-chan struct{} { return p.store.ready }

// Status implements plugin.Store.
func (p *process) Status(ctx context.Context) plugin.StatusInfo {
	s := plugin.StatusInfo{Version: p.version, DataDir: p.store.dir, Retention: p.retentionWords(), Memory: p.memory.words()}
	s.Listen, s.ListenError = p.listener.state()
	p.store.mu.Lock()
	s.State, s.Reason = p.store.phase, p.store.reason
	if p.store.total > 0 {
		s.Progress = float64(p.store.done) / float64(p.store.total)
	}
	p.store.mu.Unlock()
	if db := p.store.db.Load(); db != nil {
		t := db.Totals(ctx)
		s.Streams, s.Entries, s.Bytes = t.Streams, t.Entries, uint64(t.RawBytes)
		s.DiskBytes = uint64(t.DiskBytes + db.LogState().Bytes)
		if !t.Empty {
			s.Oldest = t.Oldest.Time()
		}
		s.Space = spaceWords(db.Guard())
		s.Warnings = append(s.Warnings, storeWarnings(db, t)...)
	}
	s.Warnings = append(s.Warnings, p.warnings()...)
	for _, r := range p.push.Refusals(time.Now()) {
		s.Refusals = append(s.Refusals, plugin.Refusal{Tenant: r.Tenant, Reason: r.Reason, Entries: uint64(r.Entries), Text: r.String()})
	}
	return s
}

// warnings are those that do not depend on the store.
func (p *process) warnings() []plugin.Notice {
	var out []plugin.Notice
	if n, ok := p.store.crashWarning(time.Now()); ok {
		out = append(out, n)
	}
	out = append(out, p.volatile...)
	for _, w := range slices.Concat(p.cfg.Warnings(), p.memory.lowered) {
		n := plugin.Notice{Text: w}
		if strings.HasPrefix(w, limits.OverridesPrefix) {
			n.Apart = "The limits of a tenant have a setting that does nothing; the log of Grafana says which."
		}
		out = append(out, n)
	}
	return out
}

// retentionWords tell how long logs are kept.
func (p *process) retentionWords() string {
	out := p.limits.For(model.DefaultTenant).Retention().String()
	if n := p.cfg.Storage.RetentionBytes; n > 0 {
		out += fmt.Sprintf("; the oldest go when blocks take more than %s", humanize.IBytes(uint64(n)))
	}
	if len(p.cfg.Overrides) > 0 {
		out += "; tenants with overrides may differ"
	}
	return out
}

// spaceWords tell how much room the disk has.
func spaceWords(g logdb.GuardState) string {
	if g.Disk.Total == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s free; below %s pushes are refused", humanize.IBytes(g.Disk.Free), humanize.IBytes(g.Disk.Total), humanize.IBytes(g.Guard))
}

// Report implements lokiapi.Reporter.
func (p *process) Report(ctx context.Context) lokiapi.Report {
	s := p.Status(ctx)
	r := lokiapi.Report{
		Ready: s.State == plugin.StateReady, State: string(s.State), Detail: s.Reason.For(true), Started: p.started,
		DataDir: s.DataDir, Listen: s.Listen, Streams: s.Streams, Entries: s.Entries, RawBytes: s.Bytes, DiskBytes: s.DiskBytes,
		Retention: s.Retention, Space: s.Space, Memory: s.Memory,
	}
	p.store.mu.Lock()
	r.Replay = lokiapi.Progress{Done: uint64(p.store.done), Total: uint64(p.store.total)}
	p.store.mu.Unlock()
	if !s.Oldest.IsZero() {
		r.Oldest = model.TimestampOf(s.Oldest)
	}
	r.EntriesPerSecond, r.BytesPerSecond = p.rates.perSecond()
	if db := p.store.db.Load(); db != nil {
		r.LastFlush, r.LastCompaction = db.LastFlush(), db.LastCompaction()
		if gone := db.Removed(); gone.Blocks > 0 {
			r.Removed = fmt.Sprintf("%s lines in %d blocks (%s) since the start, last at %s: %s", humanize.Comma(int64(gone.Entries)),
				gone.Blocks, humanize.IBytes(gone.Bytes), gone.Last.UTC().Format(time.RFC3339), gone.LastText)
		}
	}
	for _, f := range p.push.Refusals(time.Now()) {
		r.Refusals = append(r.Refusals, lokiapi.Refusals{Tenant: f.Tenant, Entries: uint64(f.Entries), Reason: f.Text})
	}
	for _, w := range s.Warnings {
		r.Warnings = append(r.Warnings, w.For(true))
	}
	return r
}

func buildInfo(version string) lokiapi.BuildInfo {
	out := lokiapi.BuildInfo{Version: version}
	if info, err := buildinfo.GetBuildInfo(); err == nil && info.Time > 0 {
		out.BuildDate = time.UnixMilli(info.Time).UTC().Format(time.RFC3339)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				out.Revision = s.Value
			}
		}
	}
	return out
}

// rates watches how much is appended.
type rates struct {
	store *store

	mu             sync.Mutex // guards the fields below
	entries, bytes float64    // per second, over the last interval

	cancel context.CancelFunc
	done   chan struct{}
}

const ratesEvery = 5 * time.Second

func newRates(s *store) *rates { return &rates{store: s, done: make(chan struct{})} }

func (r *rates) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.run(ctx)
}

func (r *rates) stop() {
	r.cancel()
	<-r.done
}

func (r *rates) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(ratesEvery)
	defer tick.Stop()
	var lastEntries, lastBytes uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		db := r.store.db.Load()
		if db == nil {
			continue
		}
		entries, bytes := db.Appended()
		r.mu.Lock()
		r.entries = float64(entries-lastEntries) / ratesEvery.Seconds()
		r.bytes = float64(bytes-lastBytes) / ratesEvery.Seconds()
		r.mu.Unlock()
		lastEntries, lastBytes = entries, bytes
	}
}

func (r *rates) perSecond() (entries, bytes float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries, r.bytes
}

// engineLimits gives the engine a tenant's limits.
func engineLimits(o *limits.Overrides) func(model.TenantID) engine.Limits {
	return func(t model.TenantID) engine.Limits {
		l := o.For(t)
		return engine.Limits{
			Entries: l.MaxEntriesLimitPerQuery, Series: l.MaxQuerySeries, Matchers: l.MaxStreamsMatchersPerQuery,
			Length: time.Duration(l.MaxQueryLength), Range: time.Duration(l.MaxQueryRange),
			BytesRead: uint64(l.MaxQueryBytesRead), Timeout: time.Duration(l.QueryTimeout),
		}
	}
}
