package logdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// LastSeen is compared with the times of all lines, over blocks, their merging, a head, and deletes.
func TestLastSeen(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	ctx := context.Background()
	matchers := func(op labels.MatchType, value string) []*labels.Matcher {
		return []*labels.Matcher{labels.MustNewMatcher(op, "app", value)}
	}
	lastOf := func(ms []*labels.Matcher) (model.Timestamp, bool) {
		t.Helper()
		it, err := db.Select(ctx, "t", storage.SelectRequest{Matchers: ms, Interval: always, Order: storage.Backward, Limit: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, it.Close()) }()
		b, err := it.Next(ctx)
		require.NoError(t, err)
		if b == nil {
			return 0, false
		}
		return b.Timestamps[0], true
	}
	check := func() {
		t.Helper()
		for _, ms := range [][]*labels.Matcher{
			matchers(labels.MatchEqual, "a"), matchers(labels.MatchEqual, "b"), matchers(labels.MatchEqual, "c"),
			matchers(labels.MatchRegexp, "a|b"), matchers(labels.MatchRegexp, ".+"), matchers(labels.MatchEqual, "nobody"),
		} {
			want, wantOK := lastOf(ms)
			got, ok, err := db.LastSeen(ctx, "t", ms)
			require.NoError(t, err)
			require.Equal(t, wantOK, ok, ms)
			require.Equal(t, want, got, ms)
		}
	}
	push := func(app string, hour int) {
		t.Helper()
		entry := model.Entry{Timestamp: at(time.Duration(hour) * time.Hour), Line: fmt.Sprint(app, hour)}
		require.NoError(t, db.Append(ctx, pushOf("t", streamOf(app, entry))))
	}
	check() // a tenant that nobody knows
	push("a", 1)
	push("b", 3)
	check()
	require.NoError(t, db.Flush(ctx))
	push("a", 2)
	push("c", -50)
	require.NoError(t, db.Flush(ctx))
	check()
	push("b", -100) // the head is not the newest
	push("c", 4)
	check()
	_, err := db.Delete(ctx, "t", storage.DeleteRequest{Matchers: matchers(labels.MatchEqual, "b"), Interval: always})
	require.NoError(t, err)
	check()
	_, ok, err := db.LastSeen(ctx, "t", matchers(labels.MatchEqual, "b"))
	require.NoError(t, err)
	require.False(t, ok)
}

func TestLastSeenStopsWhenNobodyWaits(t *testing.T) {
	db := openDB(t, testConfig(t, vfs.NewMem()))
	require.NoError(t, db.Append(context.Background(), pushOf("t", streamOf("a", model.Entry{Timestamp: at(0), Line: "x"}))))
	require.NoError(t, db.Flush(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := db.LastSeen(ctx, "t", nil)
	require.ErrorIs(t, err, context.Canceled)
}
