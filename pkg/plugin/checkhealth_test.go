package plugin

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func newDefaultLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func healthOf(t *testing.T, i *Instance, pc backend.PluginContext) *backend.CheckHealthResult {
	t.Helper()
	h, err := i.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: pc})
	require.NoError(t, err)
	require.True(t, json.Valid(h.JSONDetails))
	return h
}

func stored() StatusInfo {
	return StatusInfo{
		Version: "0.3", State: StateReady, Listen: "127.0.0.1:3110", DataDir: "/var/lib/grafana/woodshed",
		Streams: 12, Entries: 4_100_000, Bytes: 380_000_000, DiskBytes: 40_000_000, Oldest: t0.Add(-6*24*time.Hour - time.Hour),
	}
}

// TestHealthSentences holds the line under Save & test.
func TestHealthSentences(t *testing.T) {
	f := func(change func(*StatusInfo), wantStatus backend.HealthStatus, want string) {
		t.Helper()
		process := newProcess()
		process.status = stored()
		change(&process.status)
		h := healthOf(t, newInstance(t, newPlugin(t, process, nil), ""), pluginContext(1, "Viewer"))
		require.Equal(t, want, h.Message)
		require.Equal(t, wantStatus, h.Status)
	}
	ok, bad := backend.HealthStatusOk, backend.HealthStatusError
	f(func(*StatusInfo) {}, ok, "Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. Listening on 127.0.0.1:3110.")
	f(func(s *StatusInfo) { s.Streams, s.Entries, s.Bytes, s.Oldest = 1, 1, 12, t0.Add(-time.Minute) }, ok,
		"Woodshed 0.3 is running: 1 stream, 1 line, 12 B, oldest 1 min. Listening on 127.0.0.1:3110.")
	f(func(s *StatusInfo) { s.Streams, s.Entries, s.Bytes, s.Oldest = 0, 0, 0, time.Time{} }, ok,
		"Woodshed 0.3 is running: nothing stored yet. Listening on 127.0.0.1:3110.")
	f(func(s *StatusInfo) { s.Listen = "" }, ok,
		"Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. No listener is open, so nothing can be pushed.")
	f(func(s *StatusInfo) { s.Listen, s.ListenError = "", Notice{Text: "port 3110 is taken"} }, bad,
		"Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. Nothing can be pushed. Port 3110 is taken.")
	f(func(s *StatusInfo) { s.State, s.Progress = StateReplaying, 0.4 }, bad,
		"Woodshed 0.3 is replaying its write-ahead log: 40%. It answers when that is done. Listening on 127.0.0.1:3110.")
	f(func(s *StatusInfo) { s.State, s.Listen = StateStarting, "" }, bad, "Woodshed 0.3 is starting. Try again in a moment.")
	f(func(s *StatusInfo) {
		s.State, s.Listen = StateDegraded, ""
		s.Reason = Notice{Text: "The store could not open: another process (pid 4711) owns the data directory. Stop it or set woodshed_data_dir.", Detail: "with /path"}
	}, bad, "The store could not open: another process (pid 4711) owns the data directory. Stop it or set woodshed_data_dir.")
	f(func(s *StatusInfo) {
		s.Refusals = []Refusal{
			{Tenant: "fake", Reason: "small", Entries: 1, Text: "one of those."},
			{Tenant: "fake", Reason: "timestamp_too_new", Entries: 1204, Text: "1,204 entries were refused in the last 15 minutes: timestamp 8 h in the future (clock or time zone of the agent?)"},
			{Tenant: "other", Reason: "x", Entries: 9999, Text: "of somebody else"},
		}
		s.Warnings = []Notice{{Text: "the disk is slow", Detail: "/dev/sda is slow"}}
	}, ok, "Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. Listening on 127.0.0.1:3110. "+
		"1,204 entries were refused in the last 15 minutes: timestamp 8 h in the future (clock or time zone of the agent?). "+
		"One of those. Warning: the disk is slow.")
	f(func(s *StatusInfo) {
		s.Refusals = []Refusal{{Tenant: "fake", Entries: 4, Text: "a"}, {Tenant: "fake", Entries: 3, Text: "b"}, {Tenant: "fake", Entries: 2, Text: "c"}, {Tenant: "fake", Entries: 1, Text: "d"}}
	}, ok,
		"Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. Listening on 127.0.0.1:3110. "+
			"A. B. C. 1 more reasons of refusals.")
}

func TestPathsAreForAdmins(t *testing.T) {
	process := newProcess()
	process.status = stored()
	process.status.Warnings = []Notice{{Text: "It lies on tmpfs.", Detail: "/secret/path lies on tmpfs."}}
	process.status.State, process.status.Reason = StateDegraded, Notice{Text: "No access.", Detail: "No access to /secret/path."}
	process.status.ListenError = Notice{Text: "no listener", Detail: "no listener because of /secret/path"}
	i := newInstance(t, newPlugin(t, process, nil), "")

	for _, role := range []string{"Viewer", "Editor", ""} {
		h := healthOf(t, i, pluginContext(1, role))
		require.NotContains(t, h.Message+string(h.JSONDetails), "/secret/path")
		require.NotContains(t, string(h.JSONDetails), "/var/lib")
	}
	h := healthOf(t, i, pluginContext(1, "Admin"))
	require.Equal(t, "No access to /secret/path. Nothing can be pushed. No listener because of /secret/path. Warning: /secret/path lies on tmpfs.", h.Message)
	require.Contains(t, string(h.JSONDetails), `"dataDir":"/var/lib/grafana/woodshed"`)
}

func TestHealthDetails(t *testing.T) {
	process := newProcess()
	process.status = stored()
	process.status.State, process.status.Progress = StateReplaying, 0.25
	process.status.Refusals = []Refusal{{Tenant: "a", Reason: "rate", Entries: 7, Text: "too fast"}}
	process.status.Warnings = []Notice{{Text: "wal.sync is off."}, {Text: "The disk is slow."}, {Text: "wal.sync is off."}}
	process.stats = storage.Stats{Streams: 2, Entries: 30, Bytes: 400} // of the tenant: what others store is not told
	p := newPlugin(t, process, func(c *config.Config) { c.OrgTenants = config.OrgTenants{1: {"a", "b"}} })
	h := healthOf(t, newInstance(t, p, `{"tenant":"b","maxLines":99999}`), pluginContext(1, "Admin"))
	require.JSONEq(t, `{
		"version":"0.3", "state":"replaying", "listen":"127.0.0.1:3110", "dataDir":"/var/lib/grafana/woodshed",
		"tenant":"b", "tenants":["a","b"], "authEnabled":false, "streams":2, "entries":30, "bytes":400, "diskBytes":0, "refused":[{"reason":"rate","tenant":"a","entries":7,"text":"too fast"}],
		"warnings":["wal.sync is off.","The disk is slow.","The data source asks for 99,999 lines by default, and one query returns at most 5,000 (grafana.rows_max)."],
		"replay":{"progress":0.25}, "maxLines":5000, "rowsMax":5000,
		"message":"`+h.Message+`"}`, string(h.JSONDetails))
}

func TestHealthOfAnOrganisationWithoutTenant(t *testing.T) {
	process := newProcess()
	process.status = stored()
	process.status.Refusals = []Refusal{{Tenant: "fake", Entries: 7, Text: "x"}}
	p := newPlugin(t, process, func(c *config.Config) { c.AuthEnabled = true })
	h := healthOf(t, newInstance(t, p, ""), pluginContext(3, "Admin"))
	require.Equal(t, backend.HealthStatusError, h.Status)
	require.Equal(t, "Organisation 3 may read no tenant: auth_enabled is set and woodshed_org_tenants does not list it. Add for example 3=team-a there and restart.", h.Message)
	require.Contains(t, string(h.JSONDetails), `"tenants":[]`)
	require.Contains(t, string(h.JSONDetails), `"entries":0`, "how much others store is not told")
	require.Contains(t, string(h.JSONDetails), `"refused":[]`)
}

func TestWithAuthOnlyTheOwnTenantIsSized(t *testing.T) {
	process := newProcess()
	process.status = stored()
	process.stats = storage.Stats{Streams: 2, Entries: 30, Bytes: 400}
	p := newPlugin(t, process, func(c *config.Config) { c.AuthEnabled, c.OrgTenants = true, config.OrgTenants{4: {"d"}} })
	i := newInstance(t, p, "")
	h := healthOf(t, i, pluginContext(4, "Viewer"))
	require.Equal(t, "Woodshed 0.3 is running: 2 streams, 30 lines, 400 B. Listening on 127.0.0.1:3110.", h.Message)
	require.Equal(t, []model.TenantID{"d"}, process.who)

	process.err = errors.New("slow")
	h = healthOf(t, i, pluginContext(4, "Viewer"))
	require.Equal(t, backend.HealthStatusOk, h.Status)
	require.Contains(t, h.Message, "Warning: How much this tenant has stored could not be read in time.")

	process.ready = make(chan struct{})
	process.status.State = StateStarting
	before := len(process.who)
	require.Equal(t, backend.HealthStatusError, healthOf(t, i, pluginContext(4, "Viewer")).Status)
	require.Len(t, process.who, before, "a store that is not open is not asked")
}

func TestNotReadyTexts(t *testing.T) {
	require.Equal(t, "The store is starting. Try again in a moment.", notReadyText(StatusInfo{State: StateStarting}))
	require.Equal(t, "The store is replaying: 0%. Try again in a moment.", notReadyText(StatusInfo{State: StateReplaying}))
	require.Equal(t, "The store is replaying: 99%. Try again in a moment.", notReadyText(StatusInfo{State: StateReplaying, Progress: 1}))
	require.Equal(t, "The store is not open.", notReadyText(StatusInfo{State: StateDegraded}))
	require.Equal(t, "Disk gone.", notReadyText(StatusInfo{State: StateDegraded, Reason: Notice{Text: "Disk gone.", Detail: "/path"}}))
}

func TestTexts(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 48210: "48,210", 999_999: "999,999", 1_000_000: "1.0 M", 4_149_999: "4.1 M", 9_999_999_999: "9,999.9 M", 12_000_000_000: "12,000 M"} {
		require.Equal(t, want, countText(n))
	}
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567_890: "1.2 GB", 9_960_000: "10 MB", 380_000_000: "380 MB", 999_600_000: "1.0 GB", 1 << 63: "9.2 EB"} {
		require.Equal(t, want, bytesText(n))
	}
	for d, want := range map[time.Duration]string{-1: "0 s", 0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 90 * time.Minute: "1 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days"} {
		require.Equal(t, want, ageText(d))
	}
}
