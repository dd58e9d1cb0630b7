package logdb

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func app(name string) []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", name)}
}

func TestDelete(t *testing.T) {
	cfg := testConfig(t, vfs.NewMem())
	db := openDB(t, cfg)
	ctx := context.Background()
	var streams []model.Stream
	for _, name := range []string{"a", "b", "c"} {
		s := streamOf(name)
		for i := range 4 {
			s.Entries = append(s.Entries, model.Entry{Timestamp: at(time.Duration(i) * time.Second), Line: fmt.Sprintf("%s %d", name, i), Level: "info"})
		}
		streams = append(streams, s)
	}
	require.NoError(t, db.Append(ctx, pushOf("t", streams...)))
	require.NoError(t, db.Append(ctx, pushOf("other", streams...)))

	// Everything of one stream; one stream within an interval; by line.
	_, err := db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("a"), Interval: always})
	require.NoError(t, err)
	_, err = db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("b"), Interval: model.Interval{Start: at(time.Second), End: at(3 * time.Second)}})
	require.NoError(t, err)
	_, err = db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("c"), Interval: always, Filters: []storage.LineFilter{{Any: []string{" 2"}}}})
	require.NoError(t, err)
	want := []string{"b 0", "c 0", "c 1", "b 3", "c 3"}
	check := func() {
		t.Helper()
		require.Equal(t, want, lines(t, db, "t"))
		require.Len(t, lines(t, db, "other"), 12)
		values, err := db.LabelValues(ctx, "t", "app", storage.Scope{Interval: always})
		require.NoError(t, err)
		require.Equal(t, []string{"b", "c"}, values)
		got, _ := askCount(t, db, "t", storage.CountRequest{Matchers: anyApp(), Edges: []model.Timestamp{at(0), at(time.Hour)}, LabelNames: []string{}})
		require.EqualValues(t, len(want), got[tallyName(labels.EmptyLabels(), "", nil, 0)].entries)
	}
	check()
	deletes, err := db.Deletes(ctx, "t")
	require.NoError(t, err)
	require.Len(t, deletes, 3)
	require.Equal(t, 1, deletes[0].Blocks)
	require.Equal(t, app("b")[0].String(), deletes[1].Request.Matchers[0].String())

	// What comes after a delete stays, even if it is the same.
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(time.Minute), Line: "new"}))))
	want = append(want, "new")
	require.Equal(t, want, lines(t, db, "t"))
	require.NoError(t, db.Close())
	db = openDB(t, cfg)
	require.Equal(t, want, lines(t, db, "t"))

	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.tendBlocks(ctx))
	require.Equal(t, want, lines(t, db, "t"))
	deletes, err = db.Deletes(ctx, "t")
	require.NoError(t, err)
	require.Empty(t, deletes, "their bytes are gone")
	require.Equal(t, uint64(len(want)), db.lookup("t").view.blocks[0].meta.Entries+db.lookup("t").view.blocks[1].meta.Entries)
	require.NoError(t, db.Close())
	require.Equal(t, want, lines(t, openDB(t, cfg), "t"))
}

func TestDeleteRefusesWhatItCannotMean(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	f := func(r storage.DeleteRequest, says string) {
		t.Helper()
		_, err := db.Delete(context.Background(), "t", r)
		require.ErrorIs(t, err, storage.ErrInvalid)
		require.ErrorContains(t, err, says)
	}
	f(storage.DeleteRequest{Interval: always}, "does not match the empty value")
	f(storage.DeleteRequest{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".*")}, Interval: always}, "does not match the empty value")
	f(storage.DeleteRequest{Matchers: app("a")}, "time range is empty")
	f(storage.DeleteRequest{Matchers: app("a"), Interval: always, Filters: []storage.LineFilter{{}}}, "without a text")
	f(storage.DeleteRequest{Matchers: app("a"), Interval: always, Filters: []storage.LineFilter{{Kind: storage.FilterRegexp, Any: []string{"("}}}}, "missing closing")
	f(storage.DeleteRequest{Matchers: app("a"), Interval: always, Metadata: []model.Pair{{Name: "k"}}}, "with a value")
	f(storage.DeleteRequest{Matchers: app("a"), Interval: always, Metadata: []model.Pair{{Name: "k", Value: "1"}, {Name: "k", Value: "2"}}}, "once")
	f(storage.DeleteRequest{Matchers: app("a"), Interval: always, Filters: []storage.LineFilter{{Any: []string{"\xff"}}}}, "UTF-8")
}

// A delete that cannot be made durable is none.
func TestDeleteIsDurableOrRefused(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	db := openDB(t, testConfig(t, inject))
	ctx := context.Background()
	require.NoError(t, db.Append(ctx, pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	require.NoError(t, db.Flush(ctx))
	inject.Arm(vfs.Fault{At: 1, Forever: true, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpCreate }})
	_, err := db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("a"), Interval: always})
	require.ErrorIs(t, err, syscall.EIO)
	require.Equal(t, []string{"x"}, lines(t, db, "t"))
	inject.Disarm()
	_, err = db.Delete(ctx, "t", storage.DeleteRequest{Matchers: app("a"), Interval: always})
	require.NoError(t, err)
	require.Empty(t, lines(t, db, "t"))
	_, err = db.Delete(ctx, "nobody", storage.DeleteRequest{Matchers: app("a"), Interval: always})
	require.NoError(t, err)
}
