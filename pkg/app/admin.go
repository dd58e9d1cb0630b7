package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/lokiapi"
)

var _ lokiapi.StoreAdmin = (*store)(nil)

// Store implements lokiapi.StoreAdmin.
func (s *store) Store(context.Context) (lokiapi.StoreInfo, error) {
	db, err := s.opened()
	if err != nil {
		return lokiapi.StoreInfo{}, err
	}
	info := lokiapi.StoreInfo{Version: s.version, PID: os.Getpid(), DataDir: s.dir, Heads: []lokiapi.HeadInfo{}}
	for _, h := range db.Heads() {
		info.Heads = append(info.Heads, lokiapi.HeadInfo(h))
	}
	return info, nil
}

// Backup implements lokiapi.StoreAdmin.
func (s *store) Backup(ctx context.Context, r lokiapi.BackupRequest, progress func(done, total int64)) (lokiapi.BackupReport, error) {
	db, err := s.opened()
	if err != nil {
		return lokiapi.BackupReport{}, err
	}
	report, err := db.Backup(ctx, logdb.BackupRequest{Dest: s.reallyAt(r.Dir), Copy: r.Copy, Progress: progress})
	return lokiapi.BackupReport(report), err
}

// reallyAt follows the symbolic links above a directory that need not be there, so that no detour leads into the store's
// own directories. It returns the name as the data directory would be spelt.
func (s *store) reallyAt(dir string) string {
	if !filepath.IsAbs(dir) {
		return dir // refused by whoever is asked to write there
	}
	data, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return dir
	}
	rest := ""
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			real = filepath.Join(real, rest)
			if inside, err := filepath.Rel(data, real); err == nil && filepath.IsLocal(inside) {
				return filepath.Join(s.dir, inside)
			}
			return real
		}
		if at == filepath.Dir(at) {
			return dir
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}
