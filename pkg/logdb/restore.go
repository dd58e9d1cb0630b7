package logdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// restoreName is what a restore works in: a directory in the data directory when that is there already (it may be a mount,
// and its owner is right), or one beside it that becomes the data directory.
const restoreName = "restore.tmp"

// The steps of a restore, for progress.
const (
	StepVerify  = "verify"
	StepRestore = "restore"
)

// RestoreConfig says what to restore and where. Nobody else may use the two directories meanwhile.
type RestoreConfig struct {
	FS       vfs.FS
	Backup   string // the directory that Backup wrote
	Dir      string // the data directory to be: empty or not there
	Link     bool   // hard-link instead of copying, where that is possible
	NoVerify bool   // only lengths are checked: a damaged backup is restored with its damage
	Progress func(step string, done, total int64)
}

// DamagedBackupError says what is wrong with a backup; nothing was restored.
type DamagedBackupError struct{ Damage []string }

func (e *DamagedBackupError) Error() string {
	return fmt.Sprintf("the backup is damaged: %s", strings.Join(e.Damage, "; "))
}

// Restore makes a data directory of a backup. It stands there whole or not at all: the tree is made apart and renamed into
// place. The report is that of the backup, Copied excepted.
func Restore(ctx context.Context, cfg RestoreConfig) (BackupReport, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(string, int64, int64) {}
	}
	cfg.Backup, cfg.Dir = path.Clean(cfg.Backup), path.Clean(cfg.Dir)
	r := &restore{RestoreConfig: cfg}
	if err := r.run(ctx); err != nil {
		return BackupReport{}, fmt.Errorf("restore %s: %w", cfg.Backup, err)
	}
	return r.content.BackupReport, nil
}

type restore struct {
	RestoreConfig
	content *backupContent
	state   []byte
}

func (r *restore) run(ctx context.Context) error {
	if err := r.read(); err != nil {
		return err
	}
	exists, err := r.checkDir()
	if err != nil {
		return err
	}
	damage, err := r.verify(ctx)
	if err != nil {
		return err
	}
	if len(damage) > 0 {
		return &DamagedBackupError{damage}
	}
	stage := r.Dir + "." + restoreName
	if exists {
		stage = path.Join(r.Dir, restoreName)
	}
	err = r.FS.RemoveAll(stage) // of a restore that was cut short
	if err == nil {
		if err = r.fill(ctx, stage); err == nil {
			err = r.publish(stage, exists)
		}
	}
	if err != nil {
		return errors.Join(err, r.FS.RemoveAll(stage))
	}
	return nil
}

// read reads what the backup says of itself.
func (r *restore) read() error {
	name := path.Join(r.Backup, backupName)
	b, err := vfs.ReadFile(r.FS, name, backupBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: this is no backup, or one that was cut short", name)
	}
	if err != nil {
		return err
	}
	if r.content, err = decodeBackup(b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	name = path.Join(r.Backup, stateName)
	if r.state, err = vfs.ReadFile(r.FS, name, stateBytesMax); err != nil {
		return err
	}
	if _, err = decodeState(r.state); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkDir refuses a directory with something in it, and tells whether it is there.
func (r *restore) checkDir() (exists bool, err error) {
	if r.Dir == r.Backup || strings.HasPrefix(r.Dir, r.Backup+"/") {
		return false, fmt.Errorf("%s lies in the backup; choose another place", r.Dir)
	}
	names, err := r.FS.List(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(names) == 1 && names[0] == restoreName { // all that a restore that was cut short left
		return true, nil
	}
	_, err = checkEmpty(r.FS, r.Dir)
	return true, err
}

// verify looks at every block of the list, and reads all of it unless told not to.
func (r *restore) verify(ctx context.Context) (damage []string, err error) {
	var done, total int64
	metas := make([]block.Meta, len(r.content.List))
	for i := range r.content.List {
		b := &r.content.List[i]
		m, problem, err := r.look(b)
		if err != nil {
			return nil, err
		}
		if problem != "" {
			damage = append(damage, problem)
			continue
		}
		metas[i] = m
		total += m.ExamineBytes()
	}
	if r.NoVerify {
		return damage, nil
	}
	for i := range r.content.List {
		if len(metas[i].Files) == 0 {
			continue // damaged, as said
		}
		b := &r.content.List[i]
		before := done
		x, err := block.Examine(ctx, r.FS, b.dir(r.Backup), func(n int64) {
			done += n
			r.Progress(StepVerify, min(done, total), total)
		})
		if err != nil {
			return nil, err
		}
		for _, d := range x.Damage {
			damage = append(damage, fmt.Sprintf("block %s of tenant %s: %v", b.ULID, b.Tenant, d.Err))
		}
		done = before + metas[i].ExamineBytes()
	}
	return damage, nil
}

// look checks that a block is there and has the right lengths.
func (r *restore) look(b *backupBlock) (m block.Meta, problem string, err error) {
	dir := b.dir(r.Backup)
	m, err = block.ReadMeta(r.FS, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, fmt.Sprintf("block %s of tenant %s is missing", b.ULID, b.Tenant), nil
	case errors.Is(err, block.ErrCorrupt):
		return m, fmt.Sprintf("block %s of tenant %s: %v", b.ULID, b.Tenant, err), nil
	case err != nil:
		return m, "", err
	case m.ULID != b.ULID || m.Tenant != b.Tenant:
		return m, fmt.Sprintf("%s holds block %s of tenant %s", dir, m.ULID, m.Tenant), nil
	}
	for _, f := range m.Files {
		problem, err := fileProblem(r.FS, path.Join(dir, f.Name), f.Bytes)
		if err != nil {
			return m, "", err
		}
		if problem != "" {
			return m, fmt.Sprintf("block %s of tenant %s: %s %s", b.ULID, b.Tenant, f.Name, problem), nil
		}
	}
	return m, "", nil
}

// fileProblem says in words what is wrong with the length of a file.
func fileProblem(fsys vfs.FS, name string, bytes int64) (string, error) {
	info, err := fsys.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing", nil
	case err != nil:
		return "", err
	case info.Size() != bytes:
		return fmt.Sprintf("has %d bytes, want %d", info.Size(), bytes), nil
	}
	return "", nil
}

// fill makes the tree of the data directory, durable but for its final name.
func (r *restore) fill(ctx context.Context, stage string) error {
	if err := vfs.MkdirAllSynced(r.FS, path.Join(stage, blocksName)); err != nil {
		return err
	}
	var done int64
	total := r.content.Bytes
	r.Progress(StepRestore, 0, total)
	t := newTransfer(r.FS, !r.Link, func(n int64) {
		done = min(done+n, total) // meta.json is not in the total
		r.Progress(StepRestore, done, total)
	})
	for i := range r.content.List {
		b := &r.content.List[i]
		if err := t.block(ctx, b.dir(r.Backup), b.dir(stage)); err != nil {
			return err
		}
	}
	if err := vfs.ReplaceFile(r.FS, path.Join(stage, stateName), r.state); err != nil {
		return err
	}
	r.content.Copied = t.copied
	return t.finish(stage)
}

// publish gives the finished tree its name.
func (r *restore) publish(stage string, exists bool) error {
	if !exists {
		if err := r.FS.Rename(stage, r.Dir); err != nil {
			return err
		}
		return r.FS.SyncDir(path.Dir(r.Dir))
	}
	// State first: a crash between the two leaves a store without blocks that nobody was told is restored, and never blocks
	// without what hides deleted entries in them.
	for _, name := range []string{stateName, blocksName} {
		if err := r.FS.Rename(path.Join(stage, name), path.Join(r.Dir, name)); err != nil {
			return err
		}
		if err := r.FS.SyncDir(r.Dir); err != nil {
			return err
		}
	}
	return errors.Join(r.FS.Remove(stage), r.FS.SyncDir(r.Dir))
}
