package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// TestHealthTellsNothingOfOthers walks the status: what is of the whole process is listed here, with the reason that it
// may be shown, and nothing else is.
func TestHealthTellsNothingOfOthers(t *testing.T) {
	shown := map[string]string{
		"Version": "the process's", "State": "the process's", "Progress": "the process's", "Listen": "an address", "DataDir": "for Admins: one directory for all",
		"Retention": "the default's; overrides are not named", "Space": "for Admins: of the disk", "Memory": "for Admins: of the process",
		"Reason": "its Apart", "ListenError": "its Apart", "Warnings": "their Apart", "Refusals": "those of the organisation's tenants",
		"Streams": "", "Entries": "", "Bytes": "", "DiskBytes": "", "Oldest": "", // of all tenants: not shown
	}
	requireCases(t, StatusInfo{}, shown)
	i := newInstance(t, newPlugin(t, newTwoTenants().process, worlds[0].change), "")
	f := i.p.Store.(*process)
	f.stats = storage.Stats{Streams: 3, Entries: 3, Bytes: 3}
	for _, state := range []State{StateStarting, StateReplaying, StateReady, StateDegraded} {
		n := Notice{Text: trace, Detail: trace + " in detail", Apart: "something is wrong"}
		f.status.State, f.status.Reason, f.status.ListenError, f.status.Warnings = state, n, n, []Notice{n}
		for _, role := range []string{"", "Viewer", "Admin"} {
			h := healthOf(t, i, pluginContext(1, role))
			for _, secret := range []string{trace, theirs, fmt.Sprint(traceCount), countText(traceCount), f.status.Oldest.Format(time.DateOnly)} {
				require.NotContains(t, h.Message+string(h.JSONDetails), secret, "%s %s", state, role)
			}
			require.Contains(t, string(h.JSONDetails), "3 of alpha", "its own refusals are told")
			h = healthOf(t, i, pluginContext(3, role))
			require.NotContains(t, h.Message+string(h.JSONDetails), "alpha", "an organisation without a tenant")
		}
	}
}

// TestEveryServiceIsWalked: a service that the data source begins to offer needs its cases here first.
func TestEveryServiceIsWalked(t *testing.T) {
	i := any(&Instance{})
	_, stream := i.(backend.StreamHandler)
	_, chunked := i.(backend.QueryChunkedDataHandler)
	_, admission := i.(backend.AdmissionHandler)
	_, conversion := i.(backend.ConversionHandler)
	_, metrics := i.(backend.CollectMetricsHandler)
	require.False(t, stream || chunked || admission || conversion || metrics)
}

// TestNobodyMayAsk: alert rules and public dashboards have an organisation and no user.
func TestNobodyMayAsk(t *testing.T) {
	for _, w := range worlds {
		a := newAttempt()
		a.pc = pluginContext(1, "")
		require.Nil(t, a.pc.User)
		text, read := a.outcome(t, w)
		require.Contains(t, text, "a line of alpha", w.name)
		require.NotEmpty(t, read)

		a.headers["FromAlert"] = "true"
		a.query.JSON = json.RawMessage(`{"expr":"sum(count_over_time({app=\"a\"}[5m]))","queryType":"instant"}`)
		text, _ = a.outcome(t, w)
		require.NotContains(t, text, `"error"`, w.name)
	}
	a := newAttempt()
	a.pc = pluginContext(3, "") // an organisation that nobody listed
	text, read := a.outcome(t, worlds[0])
	require.Contains(t, text, "Organisation 3 may read no tenant")
	require.Empty(t, read)
}

// TestErrorsNameNoFile: where files lie, and whose they are, is for the log.
func TestErrorsNameNoFile(t *testing.T) {
	f, i := newDefault(t)
	for _, err := range []error{
		&fs.PathError{Op: "open", Path: "/data/blocks/" + trace, Err: syscall.EACCES},
		fmt.Errorf("read block: %w", &fs.PathError{Op: "open", Path: "/data/blocks/" + trace, Err: syscall.EIO}),
		errors.Join(&fs.PathError{Op: "open", Path: "/data/" + trace, Err: syscall.EIO}, &fs.PathError{Op: "close", Path: "/data/" + trace, Err: syscall.EIO}),
	} {
		f.err = err
		f.exec = func(context.Context, engine.Params) (*engine.Result, error) { return nil, err }
		status, body := call(t, i, "GET", "labels")
		require.Equal(t, 500, status)
		require.NotContains(t, body, trace)
		require.Contains(t, body, "the log of Grafana says which")
		answer := askOne(t, i, `{"expr":"{app=\"a\"}"}`)
		require.ErrorContains(t, answer.Error, "A file of the store could not be used")
		require.NotContains(t, answer.Error.Error(), trace)
	}
}
