package logdb

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	guardBytesMin     = 1 << 30 // free space that a flush and a compaction need in any case
	guardPart         = 20      // or one part in so many of the disk, when that is more
	guardPartMax      = 4       // but never more than one part in so many: a small disk must be usable
	guardLookBytesMin = 256 << 10
	guardLooks        = 16 // pushes of one part in so many of the guard make somebody look at the disk
	guardHysteresis   = 20 // what was refused is taken again with one part in so many above the guard
)

// Disk is the room on the file system of the data directory, in bytes.
type Disk struct{ Free, Total uint64 }

// guard watches the free space. The disk is shared with Grafana and others, so it never deletes logs: below the guard it
// stops compaction and gives back caches and spare segments; when that is not enough it refuses pushes while queries go
// on. It heals by itself.
type guard struct {
	min uint64 // configured; 0: automatic

	looking  sync.Mutex   // held by the one who looks and acts
	unlooked atomic.Int64 // bytes pushed since somebody looked

	mu       sync.Mutex // guards the fields below
	disk     Disk
	low      bool      // below the guard
	refusing bool      // and nothing was left to give back
	since    time.Time // of refusing
	err      error     // why the room is not known
}

// GuardState tells how the disk is, for people.
type GuardState struct {
	Disk     Disk
	Guard    uint64 // free bytes below which pushes are refused
	Low      bool
	Refusing bool
	Since    time.Time
	Err      error
}

// bytes is the guard for a disk.
func (g *guard) bytes(total uint64) uint64 {
	if g.min > 0 {
		return g.min
	}
	return min(max(total/guardPart, guardBytesMin), total/guardPartMax)
}

func (g *guard) state() GuardState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GuardState{Disk: g.disk, Guard: g.bytes(g.disk.Total), Low: g.low, Refusing: g.refusing, Since: g.since, Err: g.err}
}

// see notes the room there is and returns whether it is below the guard, and whether that changed.
func (g *guard) see(d Disk, err error) (low, changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	if err != nil {
		return g.low, false // not knowing is no reason to refuse, nor to stop refusing
	}
	g.disk = d
	guard := g.bytes(d.Total)
	was := g.low
	g.low = d.Free < guard || was && d.Free < guard+guard/guardHysteresis
	return g.low, g.low != was
}

// refuse begins or ends to refuse pushes, and reports whether that changed.
func (g *guard) refuse(on bool, now time.Time) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed = on != g.refusing
	g.refusing = on
	if changed {
		g.since = now
	}
	return changed
}

// refusal is what a push is told; nil while pushes are taken.
func (g *guard) refusal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.refusing {
		return nil
	}
	return &storage.Refusal{Class: storage.ErrOverloaded, Text: fmt.Sprintf(
		"the disk of the log store has %s free and %s are kept free (storage.free_space_min); queries go on, send the push again when there is room",
		humanize.IBytes(g.disk.Free), humanize.IBytes(g.bytes(g.disk.Total)))}
}

// room reports whether so many bytes can be written without coming near the guard.
func (g *guard) room(bytes uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err == nil && !g.low && (g.disk.Total == 0 || g.disk.Free > g.bytes(g.disk.Total)+bytes)
}

// watchPushed looks at the free space when so much was pushed since the last look that it may have become short: between two
// looks by the clock a small reserve can be filled.
func (db *DB) watchPushed(bytes int64) {
	if db.cfg.DiskSpace == nil {
		return
	}
	g := &db.guard
	g.mu.Lock()
	most := max(int64(g.bytes(g.disk.Total)/guardLooks), guardLookBytesMin)
	g.mu.Unlock()
	if g.unlooked.Add(bytes) < most {
		return
	}
	select {
	case db.look <- struct{}{}:
	default:
	}
}

// watchDisk looks at the free space and acts on it.
func (db *DB) watchDisk() {
	if db.cfg.DiskSpace == nil || !db.guard.looking.TryLock() {
		return
	}
	defer db.guard.looking.Unlock()
	db.guard.unlooked.Store(0)
	low, changed := db.guard.see(db.cfg.DiskSpace())
	if changed && low {
		st := db.guard.state()
		db.cfg.Logger.Warn("the disk is running full: no compaction, caches and spare log segments are given back",
			"free", st.Disk.Free, "guard", st.Guard)
	}
	if low {
		db.dropCaches()
		if err := db.log.Trim(); err != nil {
			db.cfg.Logger.Warn("spare log segments were not removed", "err", err)
		}
		low, _ = db.guard.see(db.cfg.DiskSpace())
	}
	if !db.guard.refuse(low, db.cfg.Now()) {
		return
	}
	st := db.guard.state()
	if low {
		db.cfg.Logger.Error("the disk is nearly full: pushes are refused until there is room; nothing is deleted, queries go on",
			"free", st.Disk.Free, "guard", st.Guard)
		return
	}
	db.cfg.Logger.Info("the disk has room again: pushes are taken", "free", st.Disk.Free, "guard", st.Guard)
}

// Guard tells how the disk is.
func (db *DB) Guard() GuardState { return db.guard.state() }
