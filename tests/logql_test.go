package tests

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// TestLogQLScripts holds the database to the same answers as the slow obvious store, wherever the entries are: in the
// head, in blocks, half here and half there, or replayed from the log.
func TestLogQLScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "pkg", "logql", "logqltest", "testdata", "*.test"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for name, newStore := range places {
		t.Run(name, func(t *testing.T) {
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) { logqltest.Run(t, file, newStore) })
			}
		})
	}
}

// places are where entries may be.
var places = map[string]logqltest.NewStore{
	"head": func(t *testing.T, streams ...model.Stream) storage.Querier {
		db := scriptDB(t, vfs.NewMem())
		appendStreams(t, db, streams)
		return db
	},
	"blocks": func(t *testing.T, streams ...model.Stream) storage.Querier {
		db := scriptDB(t, vfs.NewMem())
		appendStreams(t, db, streams)
		require.NoError(t, db.Flush(t.Context()))
		return db
	},
	"both": func(t *testing.T, streams ...model.Stream) storage.Querier {
		db := scriptDB(t, vfs.NewMem())
		early, late := halves(streams)
		appendStreams(t, db, early)
		require.NoError(t, db.Flush(t.Context()))
		appendStreams(t, db, late)
		return db
	},
	"replayed": func(t *testing.T, streams ...model.Stream) storage.Querier {
		fsys := vfs.NewMem()
		db := scriptDB(t, fsys)
		appendStreams(t, db, streams)
		require.NoError(t, db.Close())
		return scriptDB(t, fsys)
	},
}

// TestLogQLRandom asks the database random queries, as logqltest does its own store.
func TestLogQLRandom(t *testing.T) {
	for _, name := range []string{"blocks", "both"} {
		t.Run(name, func(t *testing.T) { logqltest.RunRandom(t, places[name]) })
	}
}

// TestLogQLRules asks the database the same queries with rules of the planner and without.
func TestLogQLRules(t *testing.T) {
	for _, name := range []string{"blocks", "both"} {
		t.Run(name, func(t *testing.T) { logqltest.RunRules(t, places[name]) })
	}
}

// TestLogQLImplied asks the database for values that lines spell in every way there is.
func TestLogQLImplied(t *testing.T) {
	for _, name := range []string{"blocks", "both"} {
		t.Run(name, func(t *testing.T) { logqltest.RunImplied(t, places[name]) })
	}
}

func scriptDB(t *testing.T, fsys vfs.FS) *logdb.DB {
	t.Helper()
	db, err := logdb.Open(t.Context(), logdb.Config{FS: fsys, Dir: "/data", ScratchDir: t.TempDir(), Instance: "test", SegmentBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// appendStreams appends entries. A head keeps equal ones once, because agents send again what they got no answer for; so a
// flush comes between those of a script.
func appendStreams(t *testing.T, db *logdb.DB, streams []model.Stream) {
	t.Helper()
	// An error names the first series that has it, and unordered reads follow the order in which streams came.
	rest := slices.SortedFunc(slices.Values(streams), func(a, b model.Stream) int { return labels.Compare(a.Labels, b.Labels) })
	for len(rest) > 0 {
		var push, later []model.Stream
		for _, s := range rest {
			first, again := model.Stream{Labels: s.Labels}, model.Stream{Labels: s.Labels}
			seen := map[string]bool{}
			for _, e := range s.Entries {
				to := &first
				if key := fmt.Sprint(e); seen[key] {
					to = &again
				} else {
					seen[key] = true
				}
				to.Entries = append(to.Entries, e)
			}
			push = append(push, first)
			if len(again.Entries) > 0 {
				later = append(later, again)
			}
		}
		require.NoError(t, db.Append(t.Context(), storage.Push{Tenant: model.DefaultTenant, Arrival: 1, Streams: push}))
		if rest = later; len(rest) > 0 {
			require.NoError(t, db.Flush(t.Context()))
		}
	}
}

// halves gives the first half of each stream's entries, and the rest.
func halves(streams []model.Stream) (early, late []model.Stream) {
	for _, s := range streams {
		n := len(s.Entries) / 2
		early = append(early, model.Stream{Labels: s.Labels, Entries: s.Entries[:n]})
		late = append(late, model.Stream{Labels: s.Labels, Entries: s.Entries[n:]})
	}
	return early, late
}
