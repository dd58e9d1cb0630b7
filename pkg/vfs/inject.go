package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
)

// ErrCrashed is the answer to every operation after Inject crashed: the process is dead and only does not know it.
var ErrCrashed = errors.New("vfs: crashed")

// OpKind says which operation of FS or File an Op is.
type OpKind uint8

// The operations; those from OpCreate on change something that a crash could lose.
const (
	OpOpen OpKind = iota
	OpList
	OpStat
	OpRead
	OpSize
	OpClose
	OpOpenReadWrite
	OpCreate
	OpRename
	OpRemove
	OpRemoveAll
	OpMkdirAll
	OpSyncDir
	OpWrite
	OpSync
	OpTruncate
	OpLink
)

var opNames = [...]string{"open", "list", "stat", "read", "size", "close", "openrw", "create", "rename", "remove", "removeall",
	"mkdirall", "syncdir", "write", "sync", "truncate", "link"}

func (k OpKind) String() string { return opNames[k] }

// Op is one operation on a file system.
type Op struct {
	Kind   OpKind
	Name   string // an open file's is its present one, after renames
	To     string // OpRename, OpLink: the new name
	Offset int64  // OpRead, OpWrite: -1 means at the file's position
	Bytes  int64  // OpRead, OpWrite: how many; OpTruncate: the size
}

// Mutates tells whether the operation changes something, or makes it durable.
func (o Op) Mutates() bool { return o.Kind >= OpCreate }

func (o Op) String() string {
	switch o.Kind {
	case OpRename, OpLink:
		return fmt.Sprintf("%s %s -> %s", o.Kind, o.Name, o.To)
	case OpRead, OpWrite, OpTruncate:
		return fmt.Sprintf("%s %s [%d, +%d)", o.Kind, o.Name, o.Offset, o.Bytes)
	default:
		return fmt.Sprintf("%s %s", o.Kind, o.Name)
	}
}

// Fault is what happens at an operation.
type Fault struct {
	// At is the number, from 1, of the matching operation that meets the fault; it is not carried out (half of a failing
	// write is). With Forever all later matching ones meet it too.
	At      int
	Forever bool
	// Match says which operations count; nil means those that mutate.
	Match func(Op) bool
	// Err is what the operation returns, usually a syscall error. Nil is a crash: this and every later operation of any
	// kind returns ErrCrashed, and the file system below stays as it is for CrashClone.
	Err error
}

// Inject passes operations on to another file system and breaks them as told.
type Inject struct {
	// Sabotage, for tests that prove that tests see it. Set before first use. NoSync and NoSyncDir report success and do
	// nothing. LateSync reports success at once and syncs when the file is next written or synced, as a log does that
	// acknowledges before its fsync.
	NoSync, NoSyncDir, LateSync bool

	base  FS
	count atomic.Int64

	mu      sync.RWMutex // read-held across each operation, so that a crash falls between two and never into one
	fault   Fault
	armed   bool
	fired   bool
	crashed bool

	filesMu sync.Mutex // guards files and the names of those in it
	files   map[*injectFile]struct{}

	traceMu sync.Mutex
	tracing bool
	trace   []Op
}

// NewInject returns an Inject that breaks nothing yet.
func NewInject(base FS) *Inject { return &Inject{base: base, files: map[*injectFile]struct{}{}} }

// Arm sets the fault and starts counting from zero.
func (i *Inject) Arm(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fault, i.armed, i.fired = f, true, false
	i.count.Store(0)
}

// Disarm ends the fault. It does not undo a crash.
func (i *Inject) Disarm() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = false
}

// Crash makes every operation from now on fail with ErrCrashed. Operations under way finish first.
func (i *Inject) Crash() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.crashed = true
}

// Fired tells whether an operation met the fault since Arm.
func (i *Inject) Fired() bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.fired
}

// Count returns how many matching operations were seen since Arm, or how many mutating ones when nothing was armed.
func (i *Inject) Count() int { return int(i.count.Load()) }

// StartTrace forgets the trace and records operations from now on.
func (i *Inject) StartTrace() {
	i.traceMu.Lock()
	defer i.traceMu.Unlock()
	i.tracing, i.trace = true, nil
}

// Trace returns the operations recorded, in the order they began.
func (i *Inject) Trace() []Op {
	i.traceMu.Lock()
	defer i.traceMu.Unlock()
	return append([]Op(nil), i.trace...)
}

// do carries out an operation, or its fault. broken, when not nil, is run in place of run at an injected error.
func (i *Inject) do(op Op, run func() error, broken func()) error {
	i.mu.RLock()
	if i.crashed {
		i.mu.RUnlock()
		return ErrCrashed
	}
	i.record(op)
	if i.meets(op) {
		f := i.fault
		i.mu.RUnlock()
		return i.fire(op, f, broken)
	}
	defer i.mu.RUnlock()
	return run()
}

func (i *Inject) record(op Op) {
	i.traceMu.Lock()
	defer i.traceMu.Unlock()
	if i.tracing {
		i.trace = append(i.trace, op)
	}
}

// meets counts the operation and tells whether the fault is its.
func (i *Inject) meets(op Op) bool {
	match := i.fault.Match
	if match == nil {
		match = Op.Mutates
	}
	if !match(op) {
		return false
	}
	n := int(i.count.Add(1))
	return i.armed && (n == i.fault.At || (i.fault.Forever && n > i.fault.At))
}

func (i *Inject) fire(op Op, f Fault, broken func()) error {
	i.mu.Lock()
	i.fired = true
	if f.Err == nil {
		i.crashed = true
	}
	i.mu.Unlock()
	if f.Err == nil {
		return ErrCrashed
	}
	if broken != nil {
		broken()
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: f.Err}
}

// Create implements FS.
func (i *Inject) Create(name string) (File, error) { return i.open(OpCreate, name, i.base.Create) }

// Open implements FS.
func (i *Inject) Open(name string) (File, error) { return i.open(OpOpen, name, i.base.Open) }

// OpenReadWrite implements FS.
func (i *Inject) OpenReadWrite(name string) (File, error) {
	return i.open(OpOpenReadWrite, name, i.base.OpenReadWrite)
}

func (i *Inject) open(kind OpKind, name string, open func(string) (File, error)) (File, error) {
	var f File
	err := i.do(Op{Kind: kind, Name: name}, func() (err error) {
		f, err = open(name)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	file := &injectFile{inject: i, base: f, name: name}
	i.filesMu.Lock()
	defer i.filesMu.Unlock()
	i.files[file] = struct{}{}
	return file, nil
}

// Rename implements FS.
func (i *Inject) Rename(oldName, newName string) error {
	return i.do(Op{Kind: OpRename, Name: oldName, To: newName}, func() error {
		i.filesMu.Lock()
		defer i.filesMu.Unlock()
		err := i.base.Rename(oldName, newName)
		for f := range i.files {
			if err == nil && f.name == oldName {
				f.name = newName
			}
		}
		return err
	}, nil)
}

// Remove implements FS.
func (i *Inject) Remove(name string) error {
	return i.do(Op{Kind: OpRemove, Name: name}, func() error { return i.base.Remove(name) }, nil)
}

// RemoveAll implements FS.
func (i *Inject) RemoveAll(name string) error {
	return i.do(Op{Kind: OpRemoveAll, Name: name}, func() error { return i.base.RemoveAll(name) }, nil)
}

// MkdirAll implements FS.
func (i *Inject) MkdirAll(name string) error {
	return i.do(Op{Kind: OpMkdirAll, Name: name}, func() error { return i.base.MkdirAll(name) }, nil)
}

// List implements FS.
func (i *Inject) List(dir string) (names []string, err error) {
	err = i.do(Op{Kind: OpList, Name: dir}, func() (err error) {
		names, err = i.base.List(dir)
		return err
	}, nil)
	return names, err
}

// Stat implements FS.
func (i *Inject) Stat(name string) (info fs.FileInfo, err error) {
	err = i.do(Op{Kind: OpStat, Name: name}, func() (err error) {
		info, err = i.base.Stat(name)
		return err
	}, nil)
	return info, err
}

// SyncDir implements FS.
func (i *Inject) SyncDir(dir string) error {
	return i.do(Op{Kind: OpSyncDir, Name: dir}, func() error {
		if i.NoSyncDir {
			return nil
		}
		return i.base.SyncDir(dir)
	}, nil)
}
