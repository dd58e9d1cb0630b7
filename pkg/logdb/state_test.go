package logdb

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const stateGolden = "testdata/state.json"

func goldenState(t testing.TB) *state {
	t.Helper()
	s := newState()
	s.WalTo["fake"], s.WalTo["team-a"] = wal.NewPosition(3, 4096), wal.NewPosition(2, 8)
	rec := recordOf(storage.DeleteRequest{
		Matchers: []*labels.Matcher{
			labels.MustNewMatcher(labels.MatchEqual, "app", "shop"), labels.MustNewMatcher(labels.MatchNotRegexp, "env", "dev|test"),
		},
		Interval: model.Interval{Start: 1_000, End: 2_000},
		Filters: []storage.LineFilter{
			{Any: []string{"card", "iban"}}, {Kind: storage.FilterRegexp, Negate: true, Any: []string{`\d{4}`}},
		},
		Metadata: []model.Pair{{Name: "user", Value: "7"}},
	})
	rec.ID, rec.Position = ulid.MustParse("01M89FZ37MPYFKQTM5M7WDSX54"), wal.NewPosition(3, 16)
	rec.Made = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s.Tombstones["fake"] = []tombstoneRecord{rec}
	s.Groups["fake"] = []groupRecord{{
		From: wal.NewPosition(3, 16), To: wal.NewPosition(3, 4096),
		Blocks: []groupBlock{{ULID: ulid.MustParse("01M89FJ0VJCYM63SQDE6NYH3QE"), Day: "2026-05-04"}},
	}}
	return s
}

// TestStateGolden pins state.json.
func TestStateGolden(t *testing.T) {
	want := goldenState(t)
	b, err := want.encode()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(stateGolden, b, 0o600))
	}
	golden, err := os.ReadFile(stateGolden)
	require.NoError(t, err)
	require.Equal(t, string(golden), string(b))
	got, err := decodeState(golden)
	require.NoError(t, err)
	require.Equal(t, want, got)
	ts, err := newTombstone(got.Tombstones["fake"][0])
	require.NoError(t, err)
	e := model.Entry{Timestamp: 1_999, Line: "a card", Metadata: []model.Pair{{Name: "user", Value: "7"}}}
	require.True(t, ts.selects(labels.FromStrings("app", "shop", "env", "prod")))
	require.False(t, ts.selects(labels.FromStrings("app", "shop", "env", "dev")))
	require.True(t, ts.hides(&e))
	e.Line = "a card 1234"
	require.False(t, ts.hides(&e))
}

func TestStateRefusesOtherVersions(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll(testDir))
	s := newState()
	s.Version = 1
	require.NoError(t, s.save(fsys, testDir))
	_, err := loadState(fsys, testDir)
	require.ErrorContains(t, err, "version 1; this program reads version 2")
}
