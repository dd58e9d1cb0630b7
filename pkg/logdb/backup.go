package logdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// A backup is a directory like a data directory without a log: state.json, blocks/<tenant>/<ULID>/, and
//
//	backup.json   {"crc32c": …, "backup": {…}}: what the backup holds; the checksum is that of the inner object's bytes
//
// backup.json is written last, when everything else is durable: a directory without it is no backup. State.json is of the
// same moment as the blocks: its marks are not below any of theirs, so a store that opens on the backup counts the log's
// positions from above them, and no replay ever skips what is pushed to it. Heads are not in a backup; it begins with a
// flush.

// backupVersion counts changes of backup.json. Another version is refused.
const backupVersion = 1

// backupBytesMax bounds backup.json: a million blocks fit.
const backupBytesMax = 256 << 20

// BackupRequest says where a backup goes.
type BackupRequest struct {
	// Dest is an absolute path: a directory that is empty or not there.
	Dest string
	// Copy copies files that could be hard-linked: a linked backup shares its bytes with the store, so it costs no space
	// and does not outlive the disk.
	Copy     bool
	Progress func(done, total int64) // nil or told how many bytes of blocks are there; not concurrently
}

// BackupReport tells what a backup holds.
type BackupReport struct {
	Version  int       `json:"version"`
	Made     time.Time `json:"made"` // everything acknowledged before is in it
	Instance string    `json:"instance"`
	Tenants  int       `json:"tenants"`
	Blocks   int       `json:"blocks"`
	Entries  uint64    `json:"entries"`
	RawBytes uint64    `json:"rawBytes"` // lines and metadata, uncompressed
	Bytes    int64     `json:"bytes"`    // of block files
	Copied   int64     `json:"copied"`   // of them; the rest is hard-linked
	LeftOut  []string  `json:"leftOut,omitempty"`
}

// backupContent is the inner object of backup.json.
type backupContent struct {
	BackupReport
	List []backupBlock `json:"list"`
}

type backupBlock struct {
	Tenant model.TenantID `json:"tenant"`
	ULID   ulid.ULID      `json:"ulid"`
	Bytes  int64          `json:"bytes"` // without meta.json
}

func (b *backupBlock) dir(root string) string {
	return path.Join(root, blocksName, string(b.Tenant), b.ULID.String())
}

// backupFile frames backupContent with the checksum of its exact bytes.
type backupFile struct {
	Checksum uint32          `json:"crc32c"`
	Backup   json.RawMessage `json:"backup"`
}

// backups is what the database keeps about backups.
type backups struct {
	mu      sync.Mutex // held by the one that runs
	made    *prometheus.CounterVec
	seconds prometheus.Gauge
	bytes   prometheus.Gauge
	last    prometheus.Gauge
}

func (b *backups) register(r prometheus.Registerer) {
	f := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "woodshed_" + name, Help: help})
	}
	b.made = f.NewCounterVec(prometheus.CounterOpts{Name: "woodshed_backups_total", Help: "Backups, by result."}, []string{"result"})
	b.seconds = gauge("backup_last_duration_seconds", "How long the last complete backup took.")
	b.bytes = gauge("backup_last_bytes", "Bytes of blocks in the last complete backup.")
	b.last = gauge("backup_last_timestamp_seconds", "When the last complete backup was made, as Unix time; 0 when none was since the start.")
}

// Backup writes everything that was acknowledged before the call to another directory: it flushes, takes one moment of all
// tenants, and hard-links the blocks of that moment, or copies them where links are not possible. Pushes, queries, flushes
// and removals go on meanwhile. After an error there is no backup, and what was made of it is removed as far as possible.
func (db *DB) Backup(ctx context.Context, r BackupRequest) (BackupReport, error) {
	if !db.backups.mu.TryLock() {
		return BackupReport{}, &storage.Refusal{Class: storage.ErrOverloaded, Text: "another backup is running; one is made at a time"}
	}
	defer db.backups.mu.Unlock()
	ctx, cancel := db.untilClosed(ctx)
	defer cancel()
	start := time.Now()
	report, err := db.backup(ctx, r)
	if err != nil {
		db.backups.made.WithLabelValues("error").Inc()
		return report, fmt.Errorf("back up to %s: %w", r.Dest, err)
	}
	db.backups.made.WithLabelValues("ok").Inc()
	db.backups.seconds.Set(time.Since(start).Seconds())
	db.backups.bytes.Set(float64(report.Bytes))
	db.backups.last.Set(float64(report.Made.Unix()))
	db.cfg.Logger.Info("backup made", "dest", r.Dest, "blocks", report.Blocks, "bytes", report.Bytes, "copied", report.Copied, "took", time.Since(start))
	return report, nil
}

// untilClosed is a context that ends with the database too.
func (db *DB) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-db.stop:
			cancel(storage.ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (db *DB) backup(ctx context.Context, r BackupRequest) (BackupReport, error) {
	if err := db.checkDest(r.Dest); err != nil {
		return BackupReport{}, err
	}
	made := db.cfg.Now().UTC()
	if err := db.Flush(ctx); err != nil {
		return BackupReport{}, fmt.Errorf("flush: %w", err)
	}
	m, err := db.moment()
	if err != nil {
		return BackupReport{}, err
	}
	defer m.release()
	m.content.Made, m.content.Instance = made, db.cfg.Instance
	if err := db.writeBackup(ctx, r, m); err != nil {
		removeUnfinished(db.cfg.FS, r.Dest)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return BackupReport{}, err
	}
	return m.content.BackupReport, nil
}

// removeUnfinished takes away what a failed backup left, so that nobody has to before the next try. Whatever cannot be
// removed stays: backup.json goes first and for good, or all of it stays, because a backup.json must not outlive its blocks.
func removeUnfinished(fsys vfs.FS, dest string) {
	err := fsys.Remove(path.Join(dest, backupName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if fsys.SyncDir(dest) != nil {
		return
	}
	for _, name := range []string{stateName, blocksName} {
		if fsys.RemoveAll(path.Join(dest, name)) != nil {
			return
		}
	}
}

// checkDest refuses places where a backup would do harm or be lost.
func (db *DB) checkDest(dest string) error {
	refuse := func(format string, args ...any) error {
		return &storage.Refusal{Class: storage.ErrInvalid, Text: fmt.Sprintf(format, args...)}
	}
	if !path.IsAbs(dest) {
		return refuse("the directory of a backup must be an absolute path, not %q", dest)
	}
	dest, data := path.Clean(dest), path.Clean(db.cfg.Dir)
	if dest == data {
		return refuse("%s is the data directory itself", dest)
	}
	for _, name := range []string{walName, blocksName, quarantineName, tmpName} {
		if own := path.Join(data, name); dest == own || strings.HasPrefix(dest, own+"/") {
			return refuse("%s lies in %s, which belongs to the store; choose another place", dest, own)
		}
	}
	names, err := checkEmpty(db.cfg.FS, dest)
	if err != nil && slices.Contains(names, blocksName) && !slices.Contains(names, backupName) && !slices.Contains(names, walName) {
		return refuse("%v; it looks like a backup that was cut short (it has no %s): remove it, or name another directory", err, backupName)
	}
	return err
}

// checkEmpty makes sure that a directory is empty or not there, and returns what is in it.
func checkEmpty(fsys vfs.FS, dir string) ([]string, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &storage.Refusal{Class: storage.ErrInvalid, Text: fmt.Sprintf("%s cannot be used: %v", dir, err)}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "lost+found" }) // a file system of its own
	if len(names) > 0 {
		return names, &storage.Refusal{Class: storage.ErrInvalid, Text: fmt.Sprintf("%s is not empty (there is %s in it); it has to be empty or not there", dir, names[0])}
	}
	return nil, nil
}

// moment is what goes into a backup: views of all tenants and the state that belongs to them.
type moment struct {
	views   []*view
	handles []*blockHandle // of all views
	state   []byte
	content backupContent
	total   int64
}

func (m *moment) release() {
	for _, v := range m.views {
		v.release()
	}
}

// moment takes state and views while no flush moves a mark between the two. State comes first: it may name a delete that
// the blocks of the views do not need any more, and never misses one that they need.
func (db *DB) moment() (*moment, error) {
	m := &moment{content: backupContent{BackupReport: BackupReport{Version: backupVersion}, List: []backupBlock{}}}
	db.flushMu.Lock()
	db.stateMu.Lock()
	var err error
	m.state, err = db.state.encode()
	db.stateMu.Unlock()
	if err == nil {
		for _, t := range db.allTenants() {
			m.views = append(m.views, t.acquire())
		}
	}
	db.flushMu.Unlock()
	if err != nil {
		return nil, err
	}
	for _, v := range m.views {
		m.handles = append(m.handles, v.blocks...)
		for _, h := range v.blocks {
			m.total += h.meta.Bytes()
		}
	}
	slices.SortFunc(m.handles, func(a, b *blockHandle) int {
		return cmp.Or(cmp.Compare(a.meta.Tenant, b.meta.Tenant), a.meta.ULID.Compare(b.meta.ULID))
	})
	return m, nil
}

// writeBackup makes the directory. Its order is its promise: backup.json comes when all else is durable.
func (db *DB) writeBackup(ctx context.Context, r BackupRequest, m *moment) error {
	fsys, progress := db.cfg.FS, r.Progress
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if err := vfs.MkdirAllSynced(fsys, path.Join(r.Dest, blocksName)); err != nil {
		return err
	}
	var done int64
	progress(0, m.total)
	t := newTransfer(fsys, r.Copy, func(n int64) {
		done = min(done+n, m.total) // meta.json is not in the total
		progress(done, m.total)
	})
	tenants := map[model.TenantID]bool{}
	c := &m.content
	for _, h := range m.handles {
		b := backupBlock{Tenant: h.meta.Tenant, ULID: h.meta.ULID, Bytes: h.meta.Bytes()}
		left, err := db.backUpBlock(ctx, t, h, b.dir(r.Dest))
		if err != nil {
			return err
		}
		if left {
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("block %s of tenant %s (%s, %d entries) is corrupt and in %s",
				b.ULID, b.Tenant, h.meta.Day, h.meta.Entries, quarantineName))
			continue
		}
		tenants[b.Tenant] = true
		c.List = append(c.List, b)
		c.Entries += h.meta.Entries
		c.RawBytes += h.meta.RawBytes
		c.Bytes += b.Bytes
	}
	c.Tenants, c.Blocks, c.Copied = len(tenants), len(c.List), t.copied
	if err := vfs.ReplaceFile(fsys, path.Join(r.Dest, stateName), m.state); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := t.finish(r.Dest); err != nil {
		return err
	}
	b, err := c.encode()
	if err != nil {
		return err
	}
	if err := vfs.ReplaceFile(fsys, path.Join(r.Dest, backupName), b); err != nil {
		return fmt.Errorf("write %s: %w", backupName, err)
	}
	progress(m.total, m.total)
	return nil
}

// backUpBlock brings one block to the backup, unless it was found corrupt and is in quarantine. Its directory may move
// meanwhile: to tmp when it is replaced, and there the view keeps it, or to quarantine.
func (db *DB) backUpBlock(ctx context.Context, t *transfer, h *blockHandle, to string) (leftOut bool, err error) {
	for {
		from, bad := h.place()
		if bad {
			return true, nil
		}
		err := t.block(ctx, from, to)
		now, bad := h.place()
		if err == nil || !errors.Is(err, fs.ErrNotExist) || now == from && !bad {
			return false, err
		}
		if err := db.cfg.FS.RemoveAll(to); err != nil {
			return false, err
		}
	}
}

// place is where the block lies now, and whether it was found corrupt.
func (h *blockHandle) place() (dir string, bad bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.path, h.bad != nil
}

func (c *backupContent) encode() ([]byte, error) {
	content, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", backupName, err)
	}
	b, err := json.Marshal(backupFile{Checksum: crc32.Checksum(content, castagnoli), Backup: content})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", backupName, err)
	}
	return b, nil
}

func decodeBackup(b []byte) (*backupContent, error) {
	var f backupFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: decode: %w", storage.ErrCorrupt, err)
	}
	if sum := crc32.Checksum(f.Backup, castagnoli); sum != f.Checksum {
		return nil, fmt.Errorf("%w: checksum %08x does not fit its content (%08x)", storage.ErrCorrupt, f.Checksum, sum)
	}
	c := &backupContent{}
	if err := json.Unmarshal(f.Backup, c); err != nil {
		return nil, fmt.Errorf("%w: decode: %w", storage.ErrCorrupt, err)
	}
	if c.Version != backupVersion {
		return nil, fmt.Errorf("version %d; this program reads version %d", c.Version, backupVersion)
	}
	if c.Blocks != len(c.List) {
		return nil, fmt.Errorf("%w: %d blocks in a list of %d", storage.ErrCorrupt, c.Blocks, len(c.List))
	}
	for i := range c.List {
		if _, err := model.ParseTenantID(string(c.List[i].Tenant)); err != nil { // becomes part of a path
			return nil, fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
		}
	}
	return c, nil
}
