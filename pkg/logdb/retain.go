package logdb

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Retention says how long a tenant's entries are kept. Zero periods keep for ever.
type Retention struct {
	Period  time.Duration     // of streams that no rule selects
	Streams []StreamRetention // the first rule that selects a stream decides
}

// StreamRetention is a rule for some streams.
type StreamRetention struct {
	Matchers []*labels.Matcher
	Period   time.Duration
}

// forStream returns how long entries of a stream are kept; 0: for ever.
func (r *Retention) forStream(ls labels.Labels) time.Duration {
	for _, s := range r.Streams {
		if !slices.ContainsFunc(s.Matchers, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) }) {
			return s.Period
		}
	}
	return r.Period
}

// shortest returns the shortest period of any stream; 0: all are kept for ever.
func (r *Retention) shortest() time.Duration {
	shortest := r.Period
	for _, s := range r.Streams {
		if s.Period > 0 && (shortest == 0 || s.Period < shortest) {
			shortest = s.Period
		}
	}
	return shortest
}

// expired reports whether entries whose newest has this time are to go.
func expired(newest model.Timestamp, period time.Duration, now time.Time) bool {
	return period > 0 && newest < model.TimestampOf(now).Add(-period)
}

// Removal counts what retention removed since the database was opened, for people.
type Removal struct {
	Blocks         int
	Entries, Bytes uint64 // of blocks that went whole; Bytes on disk
	Last           time.Time
	LastText       string
}

// removals is guarded by itself.
type removals struct {
	mu  sync.Mutex
	sum Removal
}

func (r *removals) add(n Removal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Blocks += n.Blocks
	r.sum.Entries += n.Entries
	r.sum.Bytes += n.Bytes
	r.sum.Last, r.sum.LastText = n.Last, n.LastText
}

// Removed tells what retention removed since the database was opened.
func (db *DB) Removed() Removal {
	db.removed.mu.Lock()
	defer db.removed.mu.Unlock()
	return db.removed.sum
}

// retain removes the blocks whose time is over, by age and then by size. Blocks of which only some streams are over are
// left to the compactor, which writes them anew without these.
func (db *DB) retain() error {
	var errs []error
	for _, t := range db.allTenants() {
		errs = append(errs, db.retainByAge(t))
	}
	errs = append(errs, db.retainBySize())
	return errors.Join(errs...)
}

func (db *DB) retentionOf(id model.TenantID) Retention {
	if db.cfg.Retention == nil {
		return Retention{}
	}
	return db.cfg.Retention(id)
}

func (db *DB) retainByAge(t *tenant) error {
	r := db.retentionOf(t.id)
	shortest := r.shortest()
	if shortest == 0 {
		return nil
	}
	now := db.cfg.Now()
	v := t.acquire()
	defer v.release()
	var over []*blockHandle
	var errs []error
	for _, h := range v.blocks {
		if !expired(h.meta.MaxTime, shortest, now) {
			continue
		}
		all := len(r.Streams) == 0
		if !all {
			streams, err := db.expiredStreams(h, &r, now)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			all = uint64(len(streams)) == h.meta.Streams
		}
		if all {
			over = append(over, h)
		}
	}
	_, err := db.removeBlocks(t, removedByAge, over)
	return errors.Join(append(errs, err)...)
}

// expiredStreams returns the streams of the block that are over. A stream's entries in a block go together, when the newest
// of them is over. As long as none is, and none can be, the block is not opened again.
func (db *DB) expiredStreams(h *blockHandle, r *Retention, now time.Time) (over []model.Fingerprint, err error) {
	rules := r.key()
	h.mu.Lock()
	idle := h.keptBy == rules && now.Before(h.keptUntil)
	h.mu.Unlock()
	if idle {
		return nil, nil
	}
	next := now.AddDate(100, 0, 0)
	err = db.use(h, func(b *block.Block) error {
		streams, err := b.Streams(nil)
		for i := range streams {
			period := r.forStream(streams[i].Labels)
			if expired(streams[i].MaxTime, period, now) {
				over = append(over, streams[i].Fingerprint)
			} else if at := streams[i].MaxTime.Time().Add(period); period > 0 && at.Before(next) {
				next = at
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	if len(over) == 0 {
		h.mu.Lock()
		h.keptBy, h.keptUntil = rules, next
		h.mu.Unlock()
	}
	return over, nil
}

// key names the rules: the same rules have the same key.
func (r *Retention) key() string {
	var b strings.Builder
	fmt.Fprint(&b, r.Period)
	for _, s := range r.Streams {
		fmt.Fprint(&b, s.Matchers, s.Period)
	}
	return b.String()
}

// retainBySize removes the blocks with the oldest entries, whoever they belong to, until the rest fits the limit.
func (db *DB) retainBySize() error {
	if db.cfg.RetentionBytes <= 0 {
		return nil
	}
	type candidate struct {
		t *tenant
		h *blockHandle
	}
	var all []candidate
	var total int64
	for _, t := range db.allTenants() {
		v := t.acquire()
		defer v.release()
		for _, h := range v.blocks {
			all = append(all, candidate{t, h})
			total += h.meta.Bytes()
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.h.meta.MaxTime, b.h.meta.MaxTime), a.h.meta.ULID.Compare(b.h.meta.ULID))
	})
	var errs []error
	for _, c := range all {
		if total <= db.cfg.RetentionBytes {
			break
		}
		removed, err := db.removeBlocks(c.t, removedByBytes, []*blockHandle{c.h})
		errs = append(errs, err)
		if removed { // even if it waits to be moved away: the next one must not go in its place
			total -= c.h.meta.Bytes()
		}
	}
	return errors.Join(errs...)
}

// removeBlocks takes blocks out for good, and reports whether that is done, as replaceBlocks does. Queries that read them
// finish.
func (db *DB) removeBlocks(t *tenant, reason string, over []*blockHandle) (removed bool, err error) {
	if len(over) == 0 {
		return true, nil
	}
	installed, err := db.replaceBlocks(t, over, nil)
	if !installed {
		return false, fmt.Errorf("remove %d blocks of tenant %s: %w", len(over), t.id, err)
	}
	sum := Removal{Blocks: len(over), Last: db.cfg.Now()}
	for _, h := range over {
		sum.Entries += h.meta.Entries
		sum.Bytes += uint64(h.meta.Bytes())
		db.metrics.removedBlocks.WithLabelValues(reason).Inc()
		db.metrics.removedEntries.WithLabelValues(reason).Add(float64(h.meta.Entries))
		db.metrics.removedBytes.WithLabelValues(reason).Add(float64(h.meta.Bytes()))
		db.cfg.Logger.Info("retention removed a block", "reason", reason, "tenant", t.id, "block", h.meta.ULID, "day", h.meta.Day,
			"entries", h.meta.Entries, "bytes", h.meta.Bytes())
	}
	newest := slices.MaxFunc(over, func(a, b *blockHandle) int { return cmp.Compare(a.meta.MaxTime, b.meta.MaxTime) })
	sum.LastText = fmt.Sprintf("%d blocks of tenant %s up to %s, %d entries, by %s", sum.Blocks, t.id, newest.meta.Day, sum.Entries, reason)
	db.removed.add(sum)
	return true, err
}

// replaceBlocks puts blocks in the place of others, in one step for queries and so that no crash shows both or neither:
// what is new is durable already and names the old as its parents, or there is nothing new and the old may come back until
// they are removed again. It reports whether that is done; then an error tells that old ones, which are not served any more,
// could not be moved away yet, which is tried again.
func (db *DB) replaceBlocks(t *tenant, old, fresh []*blockHandle) (installed bool, err error) {
	ids := make([]ulid.ULID, len(old))
	for i, h := range old {
		ids[i] = h.meta.ULID
	}
	before, err := db.exchange(t, ids, old, fresh)
	if err != nil {
		return false, err
	}
	before.release()
	db.leaving.add(t, old)
	return true, db.moveLeaving()
}

// exchange is the step of replaceBlocks. It returns the view before, to be released. Whoever quarantines one of the blocks
// asks for its range in the log after it is out of the view, so that range is there whenever the exchange is not done.
func (db *DB) exchange(t *tenant, ids []ulid.ULID, old, fresh []*blockHandle) (before *view, err error) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	groups := cloneGroups(db.state.Groups[t.id])
	// First of all nobody may take them for lost and bring their entries back from the log.
	db.stateDirty = db.state.forget(t.id, ids...) || db.stateDirty
	if db.stateDirty { // what was forgotten at start, too: after this nothing may name it as a parent any more
		err = db.saveLocked()
	}
	if err == nil {
		if before = t.exchange(db, old, fresh); before != nil {
			return before, nil
		}
		err = errQuarantined
	}
	db.state.setGroups(t.id, groups)
	db.stateDirty = true
	return nil, errors.Join(err, db.saveLocked())
}

// exchange installs a view with some blocks in the place of others, and holds these until they are moved away. It returns
// the view before, or nil when one of the blocks is not there any more.
func (t *tenant) exchange(db *DB, old, fresh []*blockHandle) (before *view) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range old {
		if !slices.Contains(t.view.blocks, h) {
			return nil
		}
	}
	for _, h := range old {
		h.views.Add(1)
	}
	blocks := append(without(t.view.blocks, old...), fresh...)
	sortHandles(blocks)
	return t.installLocked(db, blocks, t.view.tombstones)
}

// errQuarantined tells that a block went to quarantine while something was to take its place.
var errQuarantined = errors.New("a block went to quarantine meanwhile")

// leaving holds the blocks that no view names for new queries and whose directories have not moved away yet.
type leaving struct {
	mu        sync.Mutex // guards the fields below
	blocks    map[*tenant][]*blockHandle
	unwanted  []*blockHandle // merged blocks that were not taken: they name others as parents, and must be gone before the next start
	condemned []condemned    // corrupt blocks that could not be moved to quarantine
}

type condemned struct{ dir, name, reason string }

func (l *leaving) condemn(c condemned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.condemned = append(l.condemned, c)
}

func (l *leaving) unwant(h *blockHandle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unwanted = append(l.unwanted, h)
}

// retryLocked does what could not be done when it was due.
func (db *DB) retryLocked() error {
	var errs []error
	l := &db.leaving
	l.unwanted = slices.DeleteFunc(l.unwanted, func(h *blockHandle) bool {
		err := errors.Join(db.cfg.FS.RemoveAll(h.path), db.cfg.FS.SyncDir(path.Dir(h.path)))
		errs = append(errs, err)
		return err == nil
	})
	l.condemned = slices.DeleteFunc(l.condemned, func(c condemned) bool {
		err := db.quarantine(c.dir, c.name, c.reason)
		errs = append(errs, err)
		return err == nil
	})
	return errors.Join(errs...)
}

func (l *leaving) add(t *tenant, handles []*blockHandle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blocks == nil {
		l.blocks = map[*tenant][]*blockHandle{}
	}
	l.blocks[t] = append(l.blocks[t], handles...)
}

// moveLeaving moves the directories of blocks that were removed. What fails is tried again by the next call.
func (db *DB) moveLeaving() error {
	db.leaving.mu.Lock()
	defer db.leaving.mu.Unlock()
	errs := []error{db.retryLocked()}
	for t, handles := range db.leaving.blocks {
		if err := db.moveAway(t, handles...); err != nil {
			errs = append(errs, fmt.Errorf("move removed blocks of tenant %s away: %w", t.id, err))
			continue
		}
		delete(db.leaving.blocks, t)
		for _, h := range handles {
			if h.views.Add(-1) == 0 {
				db.discard(h)
			}
		}
	}
	return errors.Join(errs...)
}

// leavingBlocks returns the blocks that wait to be moved away, or for another one to be gone.
func (db *DB) leavingBlocks() map[ulid.ULID]bool {
	db.leaving.mu.Lock()
	defer db.leaving.mu.Unlock()
	out := map[ulid.ULID]bool{}
	for _, h := range db.leaving.unwanted {
		for _, parent := range h.meta.Parents { // not to be replaced before that is gone
			out[parent] = true
		}
	}
	for _, handles := range db.leaving.blocks {
		for _, h := range handles {
			out[h.meta.ULID] = true
		}
	}
	return out
}
