package plugin

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestLastSeen(t *testing.T) {
	f, i := newDefault(t)
	ask := func(want string) {
		t.Helper()
		status, body := call(t, i, "GET", "last-seen?query="+url.QueryEscape(`{app="api"}`))
		require.Equal(t, 200, status, body)
		require.JSONEq(t, want, body)
	}
	ask(`{"known":true}`)
	f.last = model.TimestampOf(t0.Add(time.Millisecond))
	ask(`{"known":true,"lastSeen":"2026-03-01T12:00:00.001Z"}`)
	require.Len(t, f.scopes[1].Matchers, 1)

	i.p.Querier = struct{ storage.Querier }{f} // a store that does not know
	ask(`{"known":false}`)
}

func TestLastSeenFaults(t *testing.T) {
	f, i := newDefault(t)
	for target, text := range map[string]string{
		"last-seen":             "The parameter query is missing",
		"last-seen?query=%20":   "The parameter query is missing",
		"last-seen?query=%7Ba=": "parse error",
	} {
		status, body := call(t, i, "GET", target)
		require.Equal(t, 400, status, target)
		require.Contains(t, body, text)
	}
	require.Empty(t, f.who, "nothing was read")
}
