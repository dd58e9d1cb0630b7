package logdb

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// copyTree copies a tree from one file system into an empty one.
func copyTree(t testing.TB, from, to vfs.FS, dir string) {
	t.Helper()
	require.NoError(t, to.MkdirAll(dir))
	names, err := from.List(dir)
	require.NoError(t, err)
	for _, n := range names {
		name := path.Join(dir, n)
		info, err := from.Stat(name)
		require.NoError(t, err)
		if info.IsDir() {
			copyTree(t, from, to, name)
			continue
		}
		b, err := vfs.ReadFile(from, name, 1<<30)
		require.NoError(t, err)
		f, err := to.Create(name)
		require.NoError(t, err)
		_, err = f.Write(b)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	require.NoError(t, to.SyncDir(dir))
}

// tree lists the files below a directory with their sizes.
func tree(t testing.TB, fsys vfs.FS, dir string, files map[string]int64) map[string]int64 {
	t.Helper()
	names, err := fsys.List(dir)
	require.NoError(t, err)
	for _, n := range names {
		name := path.Join(dir, n)
		info, err := fsys.Stat(name)
		require.NoError(t, err)
		if info.IsDir() {
			tree(t, fsys, name, files)
		} else {
			files[name] = info.Size()
		}
	}
	return files
}

// readAll returns every entry of a tenant and what was said about missing ones. An error of the query counts as saying so.
func readAll(db *DB, tenant model.TenantID) (got []string, said []string) {
	ctx := context.Background()
	it, err := db.Select(ctx, tenant, storage.SelectRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".*")}, Interval: always, Order: storage.Forward,
		Columns: storage.ColumnLine | storage.ColumnLevel | storage.ColumnMetadata,
	})
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer func() { _ = it.Close() }()
	for {
		b, err := it.Next(ctx)
		if err != nil {
			return got, []string{err.Error()}
		}
		if b == nil {
			return got, it.Stats().Warnings
		}
		for i := range b.Timestamps {
			got = append(got, entryText(b.Streams[b.StreamIndex[i]], model.Entry{
				Timestamp: b.Timestamps[i], Line: b.Lines[i], Level: b.Levels[i], Metadata: b.Metadata[i],
			}))
		}
	}
}

// A flipped bit anywhere in the files: no panic, no wrong entry, and an entry that is missing is spoken of. Where the log
// still has what a damaged block held, nothing is missing.
func TestBitFlips(t *testing.T) {
	for _, covered := range []bool{true, false} {
		t.Run(fmt.Sprintf("blocks covered by the log %t", covered), func(t *testing.T) {
			base := vfs.NewMem()
			cfg := testConfig(t, base)
			cfg.SegmentBytes = 64 << 10
			db := openDB(t, cfg)
			ctx := context.Background()
			for i := range 40 {
				e := model.Entry{
					Timestamp: at(time.Duration(i)*time.Minute - time.Duration(i%2)*day), Level: []string{"info", "error", "odd"}[i%3],
					Line:     fmt.Sprintf("request %d took %dms %s", i, i*i, noise(i, 40)),
					Metadata: []model.Pair{{Name: "trace_id", Value: fmt.Sprintf("%032x", i*7919)}},
				}
				require.NoError(t, db.Append(ctx, pushOf("t", streamOf(fmt.Sprint("app", i%3), e))))
				if i == 19 || i == 29 {
					require.NoError(t, db.Flush(ctx))
				}
			}
			want := all(t, db, "t")
			require.NoError(t, db.Close())
			if !covered { // the marks stay, the groups go, as after the log was dropped
				st, err := loadState(base, testDir)
				require.NoError(t, err)
				st.Groups = nil
				require.NoError(t, st.save(base, testDir))
			}
			flips, lost := 0, 0
			for name, size := range tree(t, base, testDir, map[string]int64{}) {
				step := max(size/60, 1)
				if strings.HasSuffix(name, ".json") {
					step = 5
				}
				for at := int64(0); at < size; at += step {
					pos := min(size-1, at+(at*2654435761>>7)%step)
					flips++
					fsys := vfs.NewMem()
					copyTree(t, base, fsys, testDir)
					flip(t, fsys, name, pos, byte(1)<<(at%8))
					where := fmt.Sprintf("%s at %d of %d", name, pos, size)
					if strings.HasSuffix(name, ".wal") {
						where += walEnd
					}
					missing := openFlipped(t, cfg, fsys, want, where)
					lost += missing
					if covered && strings.Contains(name, blocksName) {
						require.Zero(t, missing, where)
					}
				}
			}
			t.Logf("%d flips, %d entries lost in all of %d", flips, lost, len(want)*flips)
			require.Greater(t, flips, 300)
		})
	}
}

func flip(t *testing.T, fsys vfs.FS, name string, at int64, bit byte) {
	t.Helper()
	f, err := fsys.OpenReadWrite(name)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	require.NoError(t, err)
	b[0] ^= bit
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

const walEnd = " of the log"

// openFlipped opens a damaged database, compares what it says with what was stored, and returns how many entries are gone.
func openFlipped(t *testing.T, cfg Config, fsys vfs.FS, want []string, where string) int {
	t.Helper()
	cfg.FS = fsys
	db, err := Open(context.Background(), cfg)
	if err != nil {
		require.Contains(t, err.Error(), stateName, "%s: only what says where the log begins may keep the database shut: %v", where, err)
		return 0
	}
	defer func() { require.NoError(t, db.Close()) }()
	got, said := readAll(db, "t")
	said = append(append(said, db.Replay().Damage...), db.Replay().Groups...)
	rest := slices.Clone(want)
	for _, line := range got {
		i := slices.Index(rest, line)
		require.GreaterOrEqual(t, i, 0, "%s: %q was never stored, or is there twice", where, line)
		rest = slices.Delete(rest, i, i+1)
	}
	if strings.HasSuffix(where, walEnd) && len(rest) == 1 && strings.Contains(rest[0], "request 39 ") {
		return 1 // the last record, with none behind it, looks like one that a power cut tore
	}
	if len(rest) > 0 {
		require.NotEmpty(t, said, "%s: %d entries are missing and nobody says so", where, len(rest))
	}
	return len(rest)
}
