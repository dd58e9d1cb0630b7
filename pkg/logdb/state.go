package logdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// stateVersion is the version of state.json. An older or newer one is refused: marks that are misread lose data.
const stateVersion = 1

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
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
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
	if err := replaceFile(fsys, path.Join(dir, tmpName, stateName), path.Join(dir, stateName), b); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// replaceFile makes name hold b, or leaves what it held: at no crash is it missing or half written.
func replaceFile(fsys vfs.FS, temp, name string, b []byte) error {
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync() // before the rename: else a crash could leave the name on an empty file
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name)) // before anyone relies on it: else a crash could bring the old file back
}
