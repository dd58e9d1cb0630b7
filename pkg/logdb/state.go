package logdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// stateVersion is the version of state.json. An older or newer one is refused: marks that are misread lose data, and a
// program of version 1 would show what was deleted. 2: tombstones and groups.
const stateVersion = 2

// stateBytesMax bounds state.json: a million tenants fit.
const stateBytesMax = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// state is what must survive besides the log and the blocks. It is small, and replaced whole.
type state struct {
	Version int `json:"version"`
	// WalTo holds for each tenant the position below which its records are in blocks. Replay skips those.
	WalTo map[model.TenantID]wal.Position `json:"walTo"`
	// Tombstones are the deletes that are in force, by tenant, oldest first.
	Tombstones map[model.TenantID][]tombstoneRecord `json:"tombstones,omitempty"`
	// Groups are the flushed groups whose records the log still has, by tenant, oldest first: from these a block that turns
	// out corrupt can be made again. They are a chance, not a duty: whoever removes or replaces a block forgets it here
	// first.
	Groups map[model.TenantID][]groupRecord `json:"groups,omitempty"`
}

// groupRecord says where the log has what a group of blocks was made of.
type groupRecord struct {
	From   wal.Position `json:"from"` // of the first record
	To     wal.Position `json:"to"`   // behind the last one
	Blocks []groupBlock `json:"blocks"`
}

// groupBlock is a member: all entries of one UTC day.
type groupBlock struct {
	ULID ulid.ULID `json:"ulid"`
	Day  string    `json:"day"`
}

// forget takes blocks out of the groups and reports whether any was there.
func (s *state) forget(id model.TenantID, blocks ...ulid.ULID) (found bool) {
	groups := s.Groups[id]
	for i := range groups {
		before := len(groups[i].Blocks)
		groups[i].Blocks = slices.DeleteFunc(groups[i].Blocks, func(b groupBlock) bool { return slices.Contains(blocks, b.ULID) })
		found = found || len(groups[i].Blocks) != before
	}
	s.setGroups(id, slices.DeleteFunc(groups, func(g groupRecord) bool { return len(g.Blocks) == 0 }))
	return found
}

// forgetBefore takes out the groups that the log does not have whole any more, and reports whether there were any.
func (s *state) forgetBefore(first wal.Position) (found bool) {
	for id, groups := range s.Groups {
		kept := slices.DeleteFunc(groups, func(g groupRecord) bool { return g.From < first })
		found = found || len(kept) != len(groups)
		s.setGroups(id, kept)
	}
	return found
}

// cloneGroups copies groups, so that forget does not change the copy.
func cloneGroups(groups []groupRecord) []groupRecord {
	out := slices.Clone(groups)
	for i := range out {
		out[i].Blocks = slices.Clone(out[i].Blocks)
	}
	return out
}

func (s *state) setGroups(id model.TenantID, groups []groupRecord) {
	if len(groups) == 0 {
		delete(s.Groups, id)
		return
	}
	s.Groups[id] = groups
}

// stateFile frames state with the checksum of its exact bytes.
type stateFile struct {
	Checksum uint32          `json:"crc32c"`
	State    json.RawMessage `json:"state"`
}

func newState() *state {
	return &state{
		Version: stateVersion, WalTo: map[model.TenantID]wal.Position{},
		Tombstones: map[model.TenantID][]tombstoneRecord{}, Groups: map[model.TenantID][]groupRecord{},
	}
}

// loadState reads state.json; a missing one is an empty state.
func loadState(fsys vfs.FS, dir string) (*state, error) {
	name := path.Join(dir, stateName)
	b, err := vfs.ReadFile(fsys, name, stateBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s, err := decodeState(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func decodeState(b []byte) (*state, error) {
	var f stateFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if sum := crc32.Checksum(f.State, castagnoli); sum != f.Checksum {
		return nil, fmt.Errorf("checksum %08x does not fit its content (%08x)", f.Checksum, sum)
	}
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(f.State, &v); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if v.Version != stateVersion {
		return nil, fmt.Errorf("version %d; this program reads version %d", v.Version, stateVersion)
	}
	s := newState()
	if err := json.Unmarshal(f.State, s); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return s, nil
}

// encode is the content of state.json.
func (s *state) encode() ([]byte, error) {
	content, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	b, err := json.Marshal(stateFile{Checksum: crc32.Checksum(content, castagnoli), State: content})
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return b, nil
}

// save replaces state.json.
func (s *state) save(fsys vfs.FS, dir string) error {
	b, err := s.encode()
	if err != nil {
		return err
	}
	if err := vfs.ReplaceFile(fsys, path.Join(dir, stateName), b); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// changeState changes the state and saves it. After an error the change is in memory but may not be on disk; the next save
// brings it, and the log is not dropped before.
func (db *DB) changeState(change func(*state)) error {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	change(db.state)
	db.stateDirty = true
	return db.saveLocked()
}

// saveState saves a change that could not be saved before.
func (db *DB) saveState() error {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	if !db.stateDirty {
		return nil
	}
	return db.saveLocked()
}

func (db *DB) saveLocked() error {
	if err := db.state.save(db.cfg.FS, db.cfg.Dir); err != nil {
		return err
	}
	db.stateDirty = false
	return nil
}
