package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

const (
	durabilityLines   = 200_000
	durabilityClients = 4
	durabilityBatch   = 250
	durabilityKills   = 12
)

// client pushes its share of the lines and sends every batch again until it is acknowledged, as Promtail does.
type client struct {
	number int
	url    string
	acked  *atomic.Int64
	start  time.Time
	noise  int // bytes of text in each line that hardly compress
}

func (c *client) line(i int) string {
	return fmt.Sprintf("client %d line %d level=info some text that makes it a line of usual length %s", c.number, i, noise(i, c.noise))
}

func (c *client) at(i int) time.Time { return c.start.Add(time.Duration(i) * time.Microsecond) }

func (c *client) run(ctx context.Context, tb testing.TB, lines int) error {
	ls := fmt.Sprintf(`{job="durability", client="%d"}`, c.number)
	for from := 0; from < lines; from += durabilityBatch {
		s := push.Stream{Labels: ls}
		for i := from; i < min(from+durabilityBatch, lines); i++ {
			s.Entries = append(s.Entries, push.Entry{Timestamp: c.at(i), Line: c.line(i)})
		}
		body := testkit.ProtobufBody(tb, s)
		for {
			status, text, err := testkit.Push(ctx, c.url, "", "application/x-protobuf", body)
			if err == nil && status == http.StatusNoContent {
				break
			}
			if err == nil && status < 500 && status != http.StatusTooManyRequests {
				return fmt.Errorf("push answered %d: %s", status, text) // Promtail would drop the batch
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("batch at %d was never acknowledged: %w (last: %d %s %w)", from, ctx.Err(), status, text, err)
			case <-time.After(20 * time.Millisecond): // the back-off of a client, not a wait for anything
			}
		}
		c.acked.Add(1)
	}
	return nil
}

// TestKillNineLosesNothing kills the server with SIGKILL at random moments while clients push, and counts every line.
func TestKillNineLosesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	args := []string{"--data", filepath.Join(t.TempDir(), "data"), "--listen", testkit.FreeAddr(t)}
	server := testkit.StartServer(t, args...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	var acked atomic.Int64
	var clients sync.WaitGroup
	errs := make(chan error, durabilityClients)
	const share = durabilityLines / durabilityClients
	all := make([]*client, durabilityClients)
	start := time.Now().Add(-time.Hour)
	for n := range all {
		all[n] = &client{number: n, url: server.URL, acked: &acked, start: start}
		clients.Add(1)
		go func() {
			defer clients.Done()
			errs <- all[n].run(ctx, t, share)
		}()
	}
	total := int64(durabilityClients * ((share + durabilityBatch - 1) / durabilityBatch))
	for kill := range int64(durabilityKills) {
		at := kill*total/durabilityKills + rng.Int64N(total/durabilityKills/2)
		testkit.Eventually(t, fmt.Sprintf("%d acknowledged batches", at), func() error {
			if n := acked.Load(); n < at {
				return fmt.Errorf("only %d", n)
			}
			return nil
		})
		server.Kill9()
		server = testkit.StartServer(t, args...)
	}
	clients.Wait()
	for range all {
		require.NoError(t, <-errs)
	}
	server.Kill9()
	server = testkit.StartServer(t, args...)
	for _, c := range all {
		requireLines(t, server.URL, c, share)
	}
	// The same from blocks.
	resp, err := http.Post(server.URL+"/flush", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	for _, c := range all {
		requireLines(t, server.URL, c, share)
	}
	require.Zero(t, server.Stop(t))
}

// requireLines reads all lines of a client back, page by page, and requires each exactly once and in order.
func requireLines(t *testing.T, base string, c *client, count int) {
	t.Helper()
	const page = 5000
	next := 0
	for from := 0; from < count; from += page {
		params := url.Values{
			"query": {fmt.Sprintf(`{client="%d"}`, c.number)}, "direction": {"forward"}, "limit": {strconv.Itoa(page)},
			"start": {strconv.FormatInt(c.at(from).UnixNano(), 10)}, "end": {strconv.FormatInt(c.at(from+page).UnixNano(), 10)},
		}
		for _, v := range queryRange(t, base, params) {
			require.Equal(t, c.line(next), v[1])
			next++
		}
	}
	require.Equal(t, count, next, "client %d", c.number)
	// Nothing before, after or between that was never sent.
	params := url.Values{
		"query": {fmt.Sprintf(`sum(count_over_time({client="%d"}[3h]))`, c.number)},
		"time":  {strconv.FormatInt(c.start.Add(2*time.Hour).UnixNano(), 10)},
	}
	var out struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	get(t, base+"/loki/api/v1/query?"+params.Encode(), &out)
	require.Len(t, out.Data.Result, 1)
	require.Equal(t, strconv.Itoa(count), out.Data.Result[0].Value[1])
}

func queryRange(t *testing.T, base string, params url.Values) [][2]string {
	t.Helper()
	var out struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][2]string
			}
		}
	}
	get(t, base+"/loki/api/v1/query_range?"+params.Encode(), &out)
	var values [][2]string
	for _, s := range out.Data.Result {
		values = append(values, s.Values...)
	}
	return values
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	require.NoError(t, json.Unmarshal(body, into))
}

// What the Go runtime prints at its end is in the data directory: Grafana shows a plugin's stderr only at debug level.
func TestCrashIsLogged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	server := testkit.StartServer(t, "--data", dir)
	require.NoError(t, syscall.Kill(server.PID(), syscall.SIGABRT))
	server.Wait(t)
	b, err := os.ReadFile(filepath.Join(dir, "crash.log"))
	require.NoError(t, err)
	require.Contains(t, string(b), "SIGABRT")
	require.Contains(t, string(b), "goroutine")
}

// A thousand tenants with ten lines each are normal: all are found, apart from each other, after a restart too.
func TestThousandTenants(t *testing.T) {
	args := []string{"--data", filepath.Join(t.TempDir(), "data"), "--listen", testkit.FreeAddr(t)}
	server := testkit.StartServer(t, args...)
	const tenants = 1000
	now := time.Now()
	var pushes sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range tenants {
		pushes.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; pushes.Done() }()
			ls := labels.FromStrings("app", "a")
			body := testkit.ProtobufBody(t, testkit.Stream(ls, now, testkit.Lines(fmt.Sprintf("tenant %d", i), 10)...))
			status, text, err := testkit.Push(t.Context(), server.URL, fmt.Sprintf("tenant-%d", i), "application/x-protobuf", body)
			if err != nil || status != http.StatusNoContent {
				t.Errorf("tenant %d: %d %s %v", i, status, text, err)
			}
		}()
	}
	pushes.Wait()
	check := func() {
		t.Helper()
		for _, i := range []int{0, 1, 499, 999} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
				server.URL+"/loki/api/v1/query_range?query="+url.QueryEscape(`{app="a"}`)+"&since=1h", nil)
			require.NoError(t, err)
			req.Header.Set("X-Scope-OrgID", fmt.Sprintf("tenant-%d", i))
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			require.NoError(t, err)
			require.Equal(t, 10, strings.Count(string(body), fmt.Sprintf("tenant %d ", i)), "%s", body)
		}
	}
	check()
	server.Kill9()
	server = testkit.StartServer(t, args...)
	check()
}
