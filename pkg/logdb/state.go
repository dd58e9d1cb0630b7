package logdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// stateVersion is the version of state.json. An older or newer one is refused: marks that are misread lose data.
const stateVersion = 1

// stateBytesMax bounds state.json: a million tenants fit.
const stateBytesMax = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// state is what must survive besides the log and the blocks. It is small, and replaced whole.
type state struct {
	Version int `json:"version"`
	// WalTo holds for each tenant the position below which its records are in blocks. Replay skips those.
	WalTo map[model.TenantID]wal.Position `json:"walTo"`
}

// stateFile frames state with the checksum of its exact bytes.
type stateFile struct {
	Checksum uint32          `json:"crc32c"`
	State    json.RawMessage `json:"state"`
}

func newState() *state {
	return &state{Version: stateVersion, WalTo: map[model.TenantID]wal.Position{}}
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
	s := newState()
	if err := json.Unmarshal(f.State, s); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("version %d; this program reads version %d", s.Version, stateVersion)
	}
	return s, nil
}

// save replaces state.json.
func (s *state) save(fsys vfs.FS, dir string) error {
	content, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	b, err := json.Marshal(stateFile{Checksum: crc32.Checksum(content, castagnoli), State: content})
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := vfs.ReplaceFile(fsys, path.Join(dir, stateName), b); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
