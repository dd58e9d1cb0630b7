package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// command runs the real command line and returns what it printed and its exit code.
func command(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testkit.BuildBinary(t), args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WOODSHED_") || strings.HasPrefix(v, "GF_") })
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// done runs a command that must end well.
func done(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := command(t, args...)
	require.Zero(t, code, "%v: %s%s", args, out, errs)
	return out
}

// pushLines pushes a client's lines.
func pushLines(t *testing.T, server *testkit.Server, number, lines int, start time.Time) *client {
	t.Helper()
	c := &client{number: number, url: server.URL, acked: &atomic.Int64{}, start: start}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.run(ctx, t, lines))
	return c
}

// TestBackupAndRestore backs up a running server while a client pushes, restores elsewhere, and asks both the same.
func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	data, dest, back := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	server := testkit.StartServer(t, "--data", data)
	start := time.Now().Add(-time.Hour)
	first := pushLines(t, server, 1, 10_000, start)
	resp, err := http.Post(server.URL+"/flush", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	second := pushLines(t, server, 2, 1_000, start)

	pushing, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		third := &client{number: 3, url: server.URL, acked: &atomic.Int64{}, start: start}
		_ = third.run(pushing, t, 1_000_000) // until it is stopped
	}()
	out := done(t, "backup", "--addr", server.URL, "--json", dest)
	stop()
	<-ended
	var report struct{ Entries uint64 }
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.GreaterOrEqual(t, report.Entries, uint64(11_000))
	_, errs, code := command(t, "backup", "--addr", server.URL, dest)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is not empty")
	_, errs, code = command(t, "restore", dest, data)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is open in another process (pid")
	require.Contains(t, done(t, "verify", "--addr", server.URL, "--data-dir", data), "no damage")
	require.Contains(t, done(t, "inspect", "--addr", server.URL), "open in pid "+fmt.Sprint(server.PID()))

	done(t, "restore", dest, back)
	require.Contains(t, done(t, "verify", "--data-dir", back), "no damage")
	other := testkit.StartServer(t, "--data", back)
	for _, s := range []*testkit.Server{server, other} {
		requireLines(t, s.URL, first, 10_000)
		requireLines(t, s.URL, second, 1_000)
	}
	// The restored store takes pushes, and has them after a crash: no mark hides them from a replay.
	fourth := pushLines(t, other, 4, 1_000, start)
	other.Kill9()
	other = testkit.StartServer(t, "--data", back)
	requireLines(t, other.URL, fourth, 1_000)
	requireLines(t, other.URL, first, 10_000)
	require.Equal(t, countAll(t, other.URL, start), report.Entries+1_000)
	require.Zero(t, other.Stop(t))

	// Without a server the command opens the store itself; what is only in its log is in the backup too.
	done(t, "backup", "--data-dir", back, "--copy", dest+"-2")
	require.Zero(t, server.Stop(t))
	done(t, "restore", "--link", dest+"-2", back+"-2")
	other = testkit.StartServer(t, "--data", back+"-2")
	requireLines(t, other.URL, fourth, 1_000)
	require.Zero(t, other.Stop(t))
}

// countAll counts every line of every stream.
func countAll(t *testing.T, base string, start time.Time) uint64 {
	t.Helper()
	params := url.Values{"query": {`sum(count_over_time({job="durability"}[3h]))`}, "time": {fmt.Sprint(start.Add(2 * time.Hour).UnixNano())}}
	var out struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	get(t, base+"/loki/api/v1/query?"+params.Encode(), &out)
	require.Len(t, out.Data.Result, 1)
	var n uint64
	_, err := fmt.Sscan(out.Data.Result[0].Value[1].(string), &n)
	require.NoError(t, err)
	return n
}

// TestKillNineDuringBackup kills the server at different moments of a backup: what is left says that it is no backup, or
// is a whole one, and the store has everything.
func TestKillNineDuringBackup(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--data", filepath.Join(dir, "data"), "--listen", testkit.FreeAddr(t)}
	server := testkit.StartServer(t, args...)
	start := time.Now().Add(-time.Hour)
	var clients []*client
	cut := 0
	for round := range 6 {
		clients = append(clients, pushLines(t, server, round, 3_000, start))
		dest := filepath.Join(dir, fmt.Sprint("backup-", round))
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			// From nothing there to backup.json there, each round a little later.
			wanted := []string{"", "blocks", "blocks/fake", "state.json", "backup.json.tmp", "backup.json"}[round]
			for range time.Tick(100 * time.Microsecond) {
				if _, err := os.Stat(filepath.Join(dest, wanted)); err == nil || t.Context().Err() != nil {
					break
				}
				if _, err := os.Stat(filepath.Join(dest, "backup.json")); err == nil {
					break // it was too quick for us
				}
			}
			server.Kill9()
		}()
		_, _, code := command(t, "backup", "--copy", "--addr", server.URL, dest)
		<-killed
		_, statErr := os.Stat(filepath.Join(dest, "backup.json"))
		back := filepath.Join(dir, fmt.Sprint("restored-", round))
		_, errs, restoreCode := command(t, "restore", dest, back)
		if statErr != nil {
			cut++
			require.Equal(t, 1, code)
			require.Equal(t, 1, restoreCode)
			require.Contains(t, errs, "cut short")
		} else {
			require.Zero(t, restoreCode, errs)
			other := testkit.StartServer(t, "--data", back)
			for _, c := range clients {
				requireLines(t, other.URL, c, 3_000)
			}
			other.Kill9()
		}
		server = testkit.StartServer(t, args...)
	}
	t.Logf("%d of 6 backups were cut short", cut)
	for _, c := range clients {
		requireLines(t, server.URL, c, 3_000)
	}
	require.Contains(t, done(t, "verify", "--data-dir", filepath.Join(dir, "data")), "no damage")
	require.Zero(t, server.Stop(t))
}
