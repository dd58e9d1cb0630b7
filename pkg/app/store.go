package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

const (
	// retryEvery is the pause between attempts to take the lock, to open the store and to bind the listener: the old
	// process of an upgrade is gone within two seconds, and a person who repairs something does not wait long.
	retryEvery = time.Second
	lockName   = "LOCK"
)

// store opens the database in the background, for as long as that takes, and stands for it from the first moment:
// calls before it is open answer storage.ErrNotReady. It implements storage.Appender and storage.Querier.
type store struct {
	cfg      config.Config
	memory   memoryBudget
	dir      string // "" when dirErr says why there is none
	dirErr   error
	cfgErr   error // of a configuration with which nothing may be opened
	log      *slog.Logger
	register prometheus.Registerer
	fsys     plugin.FileSystem

	retention func(model.TenantID) logdb.Retention

	version string

	db    atomic.Pointer[logdb.DB]
	ready chan struct{} // closed when db is set

	mu     sync.Mutex // guards the fields below
	phase  plugin.State
	reason plugin.Notice // why it is not open
	done   int64         // replay progress, bytes
	tenth  int64         // of the replay, told last
	total  int64
	// crashes are when earlier processes were found to have ended without notice.
	crashes []time.Time

	runBegun bool // used by the opening goroutine alone

	cancel  context.CancelFunc
	stopped chan struct{} // closed when the opening goroutine ended and everything is closed
}

// start begins to open the store. It ends with close.
func (s *store) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.ready, s.stopped = make(chan struct{}), make(chan struct{})
	s.setPhase(plugin.StateStarting, plugin.Notice{})
	go s.run(ctx)
}

// run holds the lock and the database from the first success until ctx ends.
func (s *store) run(ctx context.Context) {
	defer close(s.stopped)
	if s.cfgErr != nil {
		s.setPhase(plugin.StateDegraded, plugin.Notice{
			Text:   "The configuration has a fault, so that neither the logs nor the listener are opened; an Admin sees here which.",
			Detail: "The configuration has a fault, so that neither the logs nor the listener are opened: " + s.cfgErr.Error() + ". Mend it and restart Grafana.",
			Apart:  "The configuration has a fault, so that neither the logs nor the listener are opened; the log of Grafana says which.",
		})
		<-ctx.Done()
		return
	}
	if s.dirErr != nil {
		s.setPhase(plugin.StateDegraded, plugin.Notice{
			Text:   "The store has no data directory; an Admin sees here why.",
			Detail: "The store could not open: " + s.dirErr.Error(),
		})
		s.log.Error("no data directory", "err", s.dirErr)
		<-ctx.Done()
		return
	}
	lock, db := s.openUntil(ctx)
	if db == nil {
		s.endRun(time.Now())
		return
	}
	s.db.Store(db)
	s.setPhase(plugin.StateReady, plugin.Notice{})
	close(s.ready)
	s.log.Info("store is ready", "dir", s.dir, "replayed_entries", db.Replay().Entries, "replay_took", db.Replay().Took)
	<-ctx.Done()
	err := db.Close()
	s.endRun(time.Now())
	if err := errors.Join(err, lock.Close()); err != nil {
		s.log.Error("store did not close cleanly; nothing acknowledged is lost", "err", err)
	}
}

// openUntil tries until the store opens or ctx ends: whatever is in the way, a person or the end of another process can
// remove it, and a process that leaves instead would be started again by Grafana every second, for ever.
func (s *store) openUntil(ctx context.Context) (io.Closer, *logdb.DB) {
	last := ""
	for {
		lock, db, err := s.open(ctx)
		if err == nil {
			return lock, db
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		notice := s.explain(err)
		s.setPhase(plugin.StateDegraded, notice)
		if err.Error() != last { // once for each reason, not once a second
			s.log.Error("store cannot open; trying again every second", "dir", s.dir, "err", err)
			last = err.Error()
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(retryEvery):
		}
	}
}

func (s *store) open(ctx context.Context) (io.Closer, *logdb.DB, error) {
	if err := vfs.MkdirAllSynced(vfs.OS(), s.dir); err != nil {
		return nil, nil, err
	}
	lock, err := vfs.Lock(filepath.Join(s.dir, lockName), []byte(ownerInfo(s.version)))
	if err != nil {
		return nil, nil, err
	}
	s.logCrashes()
	s.beginRun(time.Now())
	s.setPhase(plugin.StateReplaying, plugin.Notice{})
	// A failed attempt leaves its metrics in a registry that nobody gathers.
	registry := prometheus.NewRegistry()
	db, err := logdb.Open(ctx, s.dbConfig(registry))
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	if err := s.register.Register(registry); err != nil {
		s.log.Warn("metrics of the store are not shown", "err", err)
	}
	return lock, db, nil
}

func (s *store) dbConfig(registry prometheus.Registerer) logdb.Config {
	return logdb.Config{
		FS: vfs.OS(), Dir: s.dir, Instance: hostName(),
		SegmentBytes: int64(s.cfg.WAL.SegmentBytes), Sync: syncPolicy(s.cfg.WAL.Sync), SyncInterval: time.Duration(s.cfg.WAL.SyncInterval),
		FlushBytes: s.memory.flushBytes, FlushAge: time.Duration(s.cfg.Storage.FlushAge),
		ChunkIdle:     time.Duration(s.cfg.Storage.ChunkIdle),
		HeadOpenBytes: s.memory.headOpen, HeadBytesMax: s.memory.heads, OpenBlocks: s.memory.openBlocks,
		Retention: s.retention, RetentionBytes: int64(s.cfg.Storage.RetentionBytes),
		DiskSpace: s.diskSpace, FreeSpaceMin: int64(s.cfg.Storage.FreeSpaceMin),
		NoCompaction: !s.cfg.Storage.Compaction, CompactionBytes: s.memory.background,
		QueryBytes: s.memory.queriesDecoded, CacheBytes: s.memory.chunkCache * 3 / 4, TableBytes: s.memory.chunkCache / 4,
		QueryPageBytes: s.memory.queryPage, Logger: s.log, Registerer: registry, Progress: s.progress,
	}
}

func (s *store) diskSpace() (logdb.Disk, error) {
	free, total, err := vfs.Space(s.dir)
	return logdb.Disk{Free: free, Total: total}, err
}

func syncPolicy(s config.Sync) wal.SyncPolicy {
	switch s {
	case config.SyncInterval:
		return wal.SyncInterval
	case config.SyncOff:
		return wal.SyncOff
	}
	return wal.SyncBatch
}

func (s *store) progress(done, total int64) {
	s.mu.Lock()
	s.done, s.total = done, total
	percent, told := s.replayStep(done, total)
	s.mu.Unlock()
	if told {
		s.log.Info("replaying the log", "percent", percent, "bytes", done, "of", total)
	}
}

// replayStep reports whether replay passed another tenth, up to nine of them. Called with mu held.
func (s *store) replayStep(done, total int64) (percent int64, passed bool) {
	if total <= 0 {
		return 0, false
	}
	tenth := min(10*done/total, 9)
	passed = tenth > s.tenth
	s.tenth = tenth
	return 10 * tenth, passed
}

func (s *store) setPhase(phase plugin.State, reason plugin.Notice) {
	s.mu.Lock()
	s.phase, s.reason = phase, reason
	s.mu.Unlock()
}

// explain turns why the store cannot open into a sentence that a person can act on.
func (s *store) explain(err error) plugin.Notice {
	var locked *vfs.LockedError
	if errors.As(err, &locked) {
		return ownedElsewhere(s.dir, string(locked.Info))
	}
	if n, ok := plugin.ExplainAccess(s.dir, err, s.fsys); ok {
		return n
	}
	if n, ok := plugin.ExplainDisk(s.dir, err); ok {
		return n
	}
	return plugin.Notice{
		Text:   "The store could not open. An Admin sees here why; the log of Grafana has it too.",
		Detail: "The store could not open: " + err.Error(),
		Apart:  "The store could not open; the log of Grafana says why.",
	}
}

// ownedElsewhere says that another process has the data directory, and what may be done: for an upgrade nothing, for a
// second Grafana a directory of its own.
func ownedElsewhere(dir, owner string) plugin.Notice {
	if owner == "" {
		owner = "it has not said which yet"
	}
	const waits = "This one takes over by itself when that one ends; until then it answers no query and takes no push."
	return plugin.Notice{
		Text: "The store could not open: another process owns the data directory. " + waits + " An Admin sees here which process that is.",
		Detail: fmt.Sprintf("The store could not open: another process (%s) owns the data directory %s. %s If it belongs to another Grafana, give this one a directory and a port of its own (woodshed_data_dir, woodshed_listen); if it was left behind, stop it.",
			owner, dir, waits),
	}
}

// close ends the store; nothing needs to be flushed. It waits until the files are closed or ctx ends.
func (s *store) close(ctx context.Context) {
	s.cancel()
	select {
	case <-s.stopped:
	case <-ctx.Done():
		s.log.Warn("store is still closing; the log has everything that was acknowledged")
	}
}

// open database, or why there is none.
func (s *store) opened() (*logdb.DB, error) {
	if db := s.db.Load(); db != nil {
		return db, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == plugin.StateReplaying && s.total > 0 {
		return nil, fmt.Errorf("%w: replaying the log, %d %%", storage.ErrNotReady, 100*s.done/s.total)
	}
	if s.reason.Text != "" {
		return nil, fmt.Errorf("%w: %s", storage.ErrNotReady, s.reason.Text)
	}
	return nil, fmt.Errorf("%w: opening", storage.ErrNotReady)
}

// Append implements storage.Appender.
func (s *store) Append(ctx context.Context, p storage.Push) error {
	db, err := s.opened()
	if err != nil {
		return err
	}
	return db.Append(ctx, p)
}

// Flush writes all heads to blocks.
func (s *store) Flush(ctx context.Context) error {
	db, err := s.opened()
	if err != nil {
		return err
	}
	return db.Flush(ctx)
}

// Select implements storage.Querier.
func (s *store) Select(ctx context.Context, t model.TenantID, r storage.SelectRequest) (storage.Iterator, error) {
	db, err := s.opened()
	if err != nil {
		return nil, err
	}
	return db.Select(ctx, t, r)
}

// Count implements storage.Querier.
func (s *store) Count(ctx context.Context, t model.TenantID, r storage.CountRequest, add func(*storage.Counts) error) (storage.ScanStats, error) {
	db, err := s.opened()
	if err != nil {
		return storage.ScanStats{}, err
	}
	return db.Count(ctx, t, r, add)
}

// LabelNames implements storage.Querier.
func (s *store) LabelNames(ctx context.Context, t model.TenantID, scope storage.Scope) ([]string, error) {
	db, err := s.opened()
	if err != nil {
		return nil, err
	}
	return db.LabelNames(ctx, t, scope)
}

// LabelValues implements storage.Querier.
func (s *store) LabelValues(ctx context.Context, t model.TenantID, name string, scope storage.Scope) ([]string, error) {
	db, err := s.opened()
	if err != nil {
		return nil, err
	}
	return db.LabelValues(ctx, t, name, scope)
}

// Series implements storage.Querier.
func (s *store) Series(ctx context.Context, t model.TenantID, scope storage.Scope) ([]labels.Labels, error) {
	db, err := s.opened()
	if err != nil {
		return nil, err
	}
	return db.Series(ctx, t, scope)
}

// Stats implements storage.Querier.
func (s *store) Stats(ctx context.Context, t model.TenantID, scope storage.Scope) (storage.Stats, error) {
	db, err := s.opened()
	if err != nil {
		return storage.Stats{}, err
	}
	return db.Stats(ctx, t, scope)
}

// LastSeen tells when the streams that match were last written to.
func (s *store) LastSeen(ctx context.Context, t model.TenantID, matchers []*labels.Matcher) (model.Timestamp, bool, error) {
	db, err := s.opened()
	if err != nil {
		return 0, false, err
	}
	return db.LastSeen(ctx, t, matchers)
}

// StreamCount returns how many streams the tenant writes to.
func (s *store) StreamCount(t model.TenantID) int {
	if db := s.db.Load(); db != nil {
		return db.StreamCount(t)
	}
	return 0
}

// HasStream reports whether the tenant writes to the stream.
func (s *store) HasStream(t model.TenantID, ls labels.Labels) bool {
	db := s.db.Load()
	return db != nil && db.HasStream(t, ls)
}
