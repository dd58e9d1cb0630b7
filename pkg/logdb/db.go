// Package logdb is one node's database: many tenants, each with a head in memory and immutable blocks on disk, over one
// write-ahead log.
//
// A push is logged and fsynced, then applied to the head of its tenant, in the log's order; only then is it acknowledged,
// and only then visible. A flush cuts heads at one position of the log, writes them as a group of blocks, records the
// position in state.json and drops the log below. Opening puts it together again: complete groups of blocks count, marks
// say where each tenant's log begins, and replay applies the rest by the same code as the first time.
//
// What a tenant's entries are in at one moment is a view: heads, blocks, and the deletes that mask some of them. Flush,
// compaction, retention, delete and quarantine install another one in one step; a query holds the one that it began with.
//
// What holds at every moment, after any crash too: an acknowledged entry that no retention and no delete took is in exactly
// one of log-and-head or block as a query sees it; blocks never change; a mark never exceeds what complete blocks hold, or
// held before a removal; state.json forgets where the log has a block's records before anybody removes or replaces the block.
// The package knows records, chunks and blocks, but neither HTTP nor LogQL: it implements storage.Appender, storage.Querier
// and storage.Deleter.
//
// Locks are taken in this order: flushMu, leaving.mu, stateMu; tenant.mu, blockHandle.mu, then those of the caches. None is held
// while the log is waited for but flushMu, and none that queries or pushes need is held across I/O.
package logdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/head"
	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// Config of a DB. Zero values of the tunables mean their defaults.
type Config struct {
	FS  vfs.FS
	Dir string // the data directory; the caller holds its lock
	// ScratchDir is a directory of the real file system for index files under construction; Dir/tmp when empty.
	ScratchDir string
	Instance   string // names this node in block metas

	SegmentBytes int64 // of the log
	Sync         wal.SyncPolicy
	SyncInterval time.Duration

	FlushBytes    int64         // raw bytes in all heads that start a flush; 512 MiB
	FlushAge      time.Duration // age of the oldest entry in a head that starts one; 1 h
	ChunkIdle     time.Duration // a run without new entries is closed after this; 30 min
	HeadOpenBytes int64         // memory of open runs over all streams; 64 MiB
	HeadBytesMax  int64         // memory of all heads above which pushes are refused; 512 MiB
	OpenBlocks    int           // blocks whose files are kept open; 512
	CheckInterval time.Duration // of the maintenance; 1 s

	// Retention says how long a tenant's entries are kept; nil: for ever. It is asked again and again.
	Retention func(model.TenantID) Retention
	// RetentionBytes is how much all blocks together may take before the oldest are removed; 0: no limit.
	RetentionBytes int64
	// DiskSpace tells the room on the file system of Dir; nil: it is not watched.
	DiskSpace func() (Disk, error)
	// FreeSpaceMin is the free space below which pushes are refused; 0: 5 % of the disk, at least 1 GiB, at most a quarter.
	FreeSpaceMin int64
	// NoCompaction leaves blocks as they were flushed, but for what deletes and retention take out of them.
	NoCompaction    bool
	CompactionBytes int64 // entries that a merge holds in memory; 64 MiB

	QueryPageBytes int64 // lines that an ordered query gathers before it hands them out; 16 MiB
	QueryBytes     int64 // that all queries together may decode into at a time; 256 MiB
	QueryWorkers   int   // chunks that one query decodes at a time; GOMAXPROCS
	CacheBytes     int64 // decoded columns that are kept; 64 MiB
	TableBytes     int64 // column tables of chunks kept in memory, to count from; 32 MiB

	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Progress   func(done, total int64) // of replay, in bytes
}

func (c *Config) setDefaults() {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	defDuration := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.FlushBytes, 512<<20)
	def(&c.HeadOpenBytes, 64<<20)
	def(&c.HeadBytesMax, 512<<20)
	def(&c.QueryPageBytes, 16<<20)
	def(&c.QueryBytes, 256<<20)
	def(&c.CacheBytes, 64<<20)
	def(&c.TableBytes, 32<<20)
	defDuration(&c.FlushAge, time.Hour)
	defDuration(&c.ChunkIdle, 30*time.Minute)
	defDuration(&c.CheckInterval, time.Second)
	if c.OpenBlocks <= 0 {
		c.OpenBlocks = 512
	}
	if c.QueryWorkers <= 0 {
		c.QueryWorkers = runtime.GOMAXPROCS(0)
	}
	if c.ScratchDir == "" {
		c.ScratchDir = path.Join(c.Dir, tmpName)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Progress == nil {
		c.Progress = func(int64, int64) {}
	}
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	cfg     Config
	log     *wal.Log
	sealer  *sealer
	cache   *blockCache
	columns *columnCache
	memory  *byteBudget // of queries
	tables  *tableCache
	metrics *metrics
	heads   head.Account // what all heads hold
	decoder *record.Decoder

	mu      sync.RWMutex // guards tenants; never held across I/O
	tenants map[model.TenantID]*tenant

	flushMu sync.Mutex // held by the one flush, delete or recovery that runs; guards every tenant's leftovers

	stateMu    sync.Mutex // guards the two below; held while state.json is written
	state      *state
	stateDirty bool // state holds what state.json does not have yet

	appendedEntries, appendedBytes atomic.Uint64
	active                         atomic.Int64 // pushes and queries that run now: merges let them go first

	guard   guard
	removed removals
	faults  faults
	leaving leaving

	flushed   atomic.Pointer[flushReport]
	compacted atomic.Pointer[time.Time]
	backups   backups
	replay    ReplayReport
	lost      map[model.TenantID][]lostRange // while the database is opened: what replay brings back from below the marks
	cancel    context.CancelFunc             // ends the maintenance, and flushes
	stop      <-chan struct{}                // closed by cancel
	kick      chan struct{}                  // asks the maintenance to look now
	done      chan struct{}                  // closed when the maintenance ended
	asked     atomic.Bool                    // to tend blocks at the next tick
	look      chan struct{}                  // asks for a look at the disk
	workers   sync.WaitGroup                 // who look after blocks and the disk
	closed    atomic.Bool
}

// tenant is one tenant's part. Head is replaced only inside a barrier of the log. Whoever changes head, flushing, or the
// blocks or tombstones of the view installs a new view in the same step.
type tenant struct {
	id model.TenantID

	mu       sync.RWMutex // guards the fields below; never held across I/O
	head     *head.Head
	from     wal.Position // of the first record in head; 0 when it is empty
	flushing *frozen      // cut and not yet in blocks
	view     *view        // the current one; never nil

	recovered []groupBlock // corrupt blocks whose entries came back from the log into head
	lost      []groupBlock // corrupt blocks that nobody has tried to get back yet

	stored streamSet // for health

	leftovers []ulid.ULID // blocks of a flush that failed half-way; guarded by DB.flushMu
}

// frozen is a head that was cut and is on its way to blocks.
type frozen struct {
	head     *head.Head
	from, to wal.Position // its records lie in [from, to)

	recovered []groupBlock // corrupt blocks whose entries are in it
}

// replaces names the corrupt blocks of a day whose entries are in the head.
func (f *frozen) replaces(day string) (out []ulid.ULID) {
	for _, b := range f.recovered {
		if b.Day == day {
			out = append(out, b.ULID)
		}
	}
	return out
}

// ReplayReport tells what opening found in the log.
type ReplayReport struct {
	Records, Entries, Duplicates uint64
	Bytes                        int64
	Took                         time.Duration
	Recovered                    uint64   // entries of lost blocks that the log still had
	Damage                       []string // what was skipped as corrupt, in words
	Groups                       []string // what was found wrong with blocks, in words
}

// Open opens or creates the database in cfg.Dir. It replays the log before it returns; ctx ends that early, with an error.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg.setDefaults()
	db := &DB{
		cfg: cfg, tenants: map[model.TenantID]*tenant{}, decoder: record.NewDecoder(),
		kick: make(chan struct{}, 1), look: make(chan struct{}, 1), done: make(chan struct{}),
		guard: guard{min: uint64(max(cfg.FreeSpaceMin, 0))},
	}
	db.metrics = newMetrics(cfg.Registerer, db)
	db.backups.register(cfg.Registerer)
	db.cache = newBlockCache(cfg.OpenBlocks)
	db.columns = newColumnCache(cfg.CacheBytes, db.metrics)
	db.memory = newByteBudget(cfg.QueryBytes)
	db.sealer = newSealer(cfg.Logger, db.metrics, cfg.HeadBytesMax)
	db.tables = newTableCache(cfg.TableBytes)
	if err := db.open(ctx); err != nil {
		db.sealer.close()
		return nil, fmt.Errorf("open database in %s: %w", cfg.Dir, errors.Join(err, db.cache.close()))
	}
	run, cancel := context.WithCancel(context.Background())
	db.cancel, db.stop = cancel, run.Done()
	go db.maintain(run)
	db.workers.Go(func() { db.tend(run) })
	db.workers.Go(func() { db.watch(run) })
	return db, nil
}

// Close ends the maintenance and closes the log and the files. Nothing is flushed: the log has it. Queries that still run
// fail or finish, as it happens; a flush that runs is ended and waited for.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	db.cancel()
	<-db.done
	db.workers.Wait()
	db.flushMu.Lock()   // a flush that somebody asked for ends soon; later ones see that we are closed
	db.flushMu.Unlock() //nolint:staticcheck // waiting is all that is wanted
	err := db.log.Close()
	db.sealer.close()
	return errors.Join(err, db.cache.close())
}

// Replay tells what opening found in the log.
func (db *DB) Replay() ReplayReport { return db.replay }

// LogState tells whether pushes can be made durable now.
func (db *DB) LogState() wal.State { return db.log.State() }

// tenantFor returns the tenant, made when missing.
func (db *DB) tenantFor(id model.TenantID) *tenant {
	db.mu.RLock()
	t, ok := db.tenants[id]
	db.mu.RUnlock()
	if ok {
		return t
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if t, ok := db.tenants[id]; ok {
		return t
	}
	t = &tenant{id: id, head: head.New(&db.heads)}
	t.view = newView(db, []*head.Head{t.head}, nil, nil)
	db.tenants[id] = t
	return t
}

// lookup returns the tenant or nil.
func (db *DB) lookup(id model.TenantID) *tenant {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.tenants[id]
}

// allTenants returns the tenants of this moment.
func (db *DB) allTenants() []*tenant {
	db.mu.RLock()
	defer db.mu.RUnlock()
	out := make([]*tenant, 0, len(db.tenants))
	for _, t := range db.tenants {
		out = append(out, t)
	}
	return out
}

// StreamCount returns how many streams of the tenant were written since the last cut.
func (db *DB) StreamCount(id model.TenantID) int {
	t := db.lookup(id)
	if t == nil {
		return 0
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.head.Streams()
}

// HasStream reports whether the tenant wrote to the stream since the last cut.
func (db *DB) HasStream(id model.TenantID, ls labels.Labels) bool {
	t := db.lookup(id)
	if t == nil {
		return false
	}
	t.mu.RLock()
	h := t.head
	t.mu.RUnlock()
	return h.HasStream(ls)
}

// Appended returns how many entries, and bytes of lines and metadata, were appended since the database was opened.
func (db *DB) Appended() (entries, bytes uint64) {
	return db.appendedEntries.Load(), db.appendedBytes.Load()
}

var (
	_ storage.Appender = (*DB)(nil)
	_ storage.Querier  = (*DB)(nil)
	_ storage.Deleter  = (*DB)(nil)
)
