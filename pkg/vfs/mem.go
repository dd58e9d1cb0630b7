package vfs

import (
	"errors"
	"io/fs"
	"math/rand"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that knows what a power cut would leave of it; CrashClone takes that. It holds every
// unsynced write apart, so it is for tests and small data.
type Mem struct {
	mu      sync.Mutex // guards the tree, every file's content and pending
	root    *memNode
	pending []memDirOp // unsynced directory operations, oldest first
}

// NewMem returns an empty file system. Absolute paths and paths relative to its root are the same.
func NewMem() *Mem { return &Mem{root: newMemDir()} }

// memNode is a directory (names is not nil) or a file.
type memNode struct {
	names   map[string]*memNode // what List sees
	durable map[string]*memNode // what a crash surely keeps
	content memContent
}

func newMemDir() *memNode {
	return &memNode{names: map[string]*memNode{}, durable: map[string]*memNode{}}
}

func (n *memNode) isDir() bool { return n.names != nil }

// memName is one name in one directory; the zero value is none.
type memName struct {
	dir  *memNode
	name string
}

// memDirOp is one directory operation: a new name (only added), a lost one (only removed), or a rename (both).
type memDirOp struct {
	removed, added memName
	node           *memNode // what added names
}

// CrashClone returns what a machine could find after losing power now: everything that was synced, and of the rest
// whatever the disk happened to have written: of directory operations a random subset that never tears one apart and
// never reorders two on the same name, of file content a random choice for each 512-byte sector, of growth a random part.
// The clone is all durable; the original lives on and can be cloned again.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := map[*memNode]map[string]*memNode{} // durable names with the surviving operations applied
	for _, op := range surviving(m.pending, rng) {
		op.apply(func(dir *memNode) map[string]*memNode {
			if kept[dir] == nil {
				kept[dir] = cloneNames(dir.durable)
			}
			return kept[dir]
		})
	}
	return &Mem{root: crashNode(m.root, kept, rng)}
}

// crashNode copies a subtree as the crash leaves it.
func crashNode(n *memNode, kept map[*memNode]map[string]*memNode, rng *rand.Rand) *memNode {
	if !n.isDir() {
		data := n.content.crash(rng)
		return &memNode{content: memContent{data: data, disk: slices.Clone(data)}}
	}
	names := n.durable
	if k, ok := kept[n]; ok {
		names = k
	}
	out := newMemDir()
	for _, name := range sortedNames(names) { // sorted: the same seed gives the same clone
		child := crashNode(names[name], kept, rng)
		out.names[name], out.durable[name] = child, child
	}
	return out
}

// surviving chooses the directory operations that reached the disk.
func surviving(pending []memDirOp, rng *rand.Rand) []memDirOp {
	if len(pending) == 0 {
		return nil
	}
	if rng.Intn(2) == 0 { // a journal: a prefix
		return pending[:rng.Intn(len(pending)+1)]
	}
	var out []memDirOp
	lost := map[memName]bool{} // later operations on the same name build on the lost one
	for _, op := range pending {
		if lost[op.removed] || lost[op.added] || rng.Intn(2) == 0 {
			op.mark(lost)
			continue
		}
		out = append(out, op)
	}
	return out
}

// mark notes the names the operation touches.
func (op memDirOp) mark(set map[memName]bool) {
	for _, n := range []memName{op.removed, op.added} {
		if n.dir != nil {
			set[n] = true
		}
	}
}

// apply runs the operation on the name tables that table returns for a directory.
func (op memDirOp) apply(table func(*memNode) map[string]*memNode) {
	if op.removed.dir != nil {
		delete(table(op.removed.dir), op.removed.name)
	}
	if op.added.dir != nil {
		table(op.added.dir)[op.added.name] = op.node
	}
}

// SyncDir makes the names in dir durable. A rename out of dir becomes durable with its new directory, not with this one.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.lookup("sync", dir)
	if err != nil {
		return err
	}
	if !d.isDir() {
		return pathError("sync", dir, syscall.ENOTDIR)
	}
	// An operation drags along the earlier ones on its names, whatever directory those belong to.
	chosen := make([]bool, len(m.pending))
	names := map[memName]bool{}
	for i, op := range slices.Backward(m.pending) {
		own := op.added.dir == d || (op.added.dir == nil && op.removed.dir == d)
		if own || names[op.added] || names[op.removed] {
			chosen[i] = true
			op.mark(names)
		}
	}
	rest := make([]memDirOp, 0, len(m.pending))
	for i, op := range m.pending {
		if chosen[i] {
			op.apply(func(dir *memNode) map[string]*memNode { return dir.durable })
		} else {
			rest = append(rest, op)
		}
	}
	m.pending = rest
	return nil
}

// change runs a directory operation for readers and notes it as unsynced.
func (m *Mem) change(op memDirOp) {
	op.apply(func(dir *memNode) map[string]*memNode { return dir.names })
	m.pending = append(m.pending, op)
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	switch {
	case n == nil:
		n = &memNode{}
		m.change(memDirOp{added: at, node: n})
	case n.isDir():
		return nil, pathError("open", name, syscall.EISDIR)
	default:
		n.content.truncate(0)
	}
	return &memFile{fs: m, node: n, name: name, writable: true}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenReadWrite implements FS.
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, writable bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if n.isDir() && writable {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	return &memFile{fs: m, node: n, name: name, writable: writable}, nil
}

// Rename implements FS.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, n, err := m.parent("rename", oldName)
	if err != nil {
		return err
	}
	to, old, err := m.parent("rename", newName)
	if err != nil {
		return err
	}
	switch {
	case n == nil:
		return pathError("rename", oldName, syscall.ENOENT)
	case n == old:
		return nil
	case old != nil && old.isDir() && !n.isDir():
		return pathError("rename", newName, syscall.EISDIR)
	case old != nil && !old.isDir() && n.isDir():
		return pathError("rename", newName, syscall.ENOTDIR)
	case old != nil && len(old.names) > 0:
		return pathError("rename", newName, syscall.ENOTEMPTY)
	case n.isDir() && strings.HasPrefix(clean(newName)+"/", clean(oldName)+"/"):
		return pathError("rename", newName, syscall.EINVAL)
	}
	m.change(memDirOp{removed: from, added: to, node: n})
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, err := m.parent("remove", name)
	switch {
	case err != nil:
		return err
	case n == nil:
		return pathError("remove", name, syscall.ENOENT)
	case len(n.names) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.change(memDirOp{removed: at})
	return nil
}

// RemoveAll implements FS. Children go before their parents, each as an operation of its own.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, err := m.parent("remove", name)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && n == nil) {
		return nil
	}
	if err != nil {
		return err
	}
	m.removeTree(at, n)
	return nil
}

func (m *Mem) removeTree(at memName, n *memNode) {
	for _, name := range sortedNames(n.names) {
		m.removeTree(memName{n, name}, n.names[name])
	}
	m.change(memDirOp{removed: at})
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := m.root
	for _, part := range split(name) {
		next := dir.names[part]
		if next == nil {
			next = newMemDir()
			m.change(memDirOp{added: memName{dir, part}, node: next})
		}
		if !next.isDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		dir = next
	}
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.lookup("open", dir)
	if err != nil {
		return nil, err
	}
	if !d.isDir() {
		return nil, pathError("readdir", dir, syscall.ENOTDIR)
	}
	return sortedNames(d.names), nil
}

// Stat implements FS. Files of a Mem have no times.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	info := memInfo{name: path.Base(clean(name)), size: int64(len(n.content.data)), mode: fileMode}
	if n.isDir() {
		info.mode = fs.ModeDir | dirMode
	}
	return info, nil
}

// lookup finds what stands under a path.
func (m *Mem) lookup(op, name string) (*memNode, error) {
	n := m.root
	for _, part := range split(name) {
		if !n.isDir() {
			return nil, pathError(op, name, syscall.ENOTDIR)
		}
		if n = n.names[part]; n == nil {
			return nil, pathError(op, name, syscall.ENOENT)
		}
	}
	return n, nil
}

// parent finds the place a path names, whose directory must exist, and what stands there, or nil.
func (m *Mem) parent(op, name string) (memName, *memNode, error) {
	dir, base := path.Split(clean(name))
	if base == "" {
		return memName{}, nil, pathError(op, name, syscall.EINVAL) // the root
	}
	d, err := m.lookup(op, dir)
	if err != nil {
		return memName{}, nil, pathError(op, name, errors.Unwrap(err))
	}
	if !d.isDir() {
		return memName{}, nil, pathError(op, name, syscall.ENOTDIR)
	}
	return memName{d, base}, d.names[base], nil
}

func clean(name string) string { return path.Clean("/" + name) }

func split(name string) []string {
	name = strings.Trim(clean(name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

func sortedNames(names map[string]*memNode) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func cloneNames(names map[string]*memNode) map[string]*memNode {
	out := make(map[string]*memNode, len(names))
	for name, n := range names {
		out[name] = n
	}
	return out
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
