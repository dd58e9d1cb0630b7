package tests

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// agent pushes as agents do: one batch after the other, each until it is acknowledged.
type agent struct {
	t       *testing.T
	url     string
	cancel  context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	acked   []string
	refused map[string]int // texts of answers that were no acknowledgement
}

func startAgent(t *testing.T, url string) *agent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &agent{t: t, url: url, cancel: cancel, stopped: make(chan struct{}), refused: map[string]int{}}
	go a.run(ctx)
	t.Cleanup(a.stop)
	return a
}

func (a *agent) run(ctx context.Context) {
	defer close(a.stopped)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		lines := testkit.Lines(fmt.Sprintf("batch %06d", n), 2)
		body := testkit.ProtobufBody(a.t, testkit.Stream(stderrLabels, time.Now(), lines...)) // the same body each time: sent twice is stored once
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			status, text, err := testkit.Push(ctx, a.url, "", testkit.ContentProtobuf, body)
			if err == nil && status == 204 {
				break
			}
			a.mu.Lock()
			a.refused[fmt.Sprint(status, " ", strings.TrimSpace(text))]++
			a.mu.Unlock()
		}
		a.mu.Lock()
		a.acked = append(a.acked, lines...)
		a.mu.Unlock()
	}
}

func (a *agent) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.acked)
}

// more waits until something else was acknowledged.
func (a *agent) more() {
	a.t.Helper()
	before := a.count()
	testkit.Eventually(a.t, "pushes are acknowledged", func() error {
		if a.count() <= before {
			return fmt.Errorf("none since %d lines", before)
		}
		return nil
	})
}

// stop ends the agent. What it had sent without hearing of it may be stored or not.
func (a *agent) stop() {
	a.cancel()
	<-a.stopped
}

// requireAll checks that every acknowledged line is there once.
func (a *agent) requireAll(p *plugin) {
	a.t.Helper()
	resp, err := p.Query(patience(a.t), viewer, testkit.DataQuery("A", `{"expr":"{app=\"api\"}","direction":"forward","maxLines":5000}`))
	require.NoError(a.t, err)
	require.NoError(a.t, resp.Responses["A"].Error)
	body, _ := resp.Responses["A"].Frames[0].FieldByName("body")
	found := map[string]int{}
	for n := range body.Len() {
		found[body.At(n).(string)]++
	}
	require.Less(a.t, body.Len(), 5000, "the test pushes fewer lines than one answer has")
	for _, line := range a.acked {
		require.Equal(a.t, 1, found[line], line)
	}
}

// TestUpgradeUnderLoad is what happens when Grafana is upgraded while agents push and people query: the new process finds
// directory and port taken, says so, and goes on where the old one leaves.
func TestUpgradeUnderLoad(t *testing.T) {
	older := startPlugin(t)
	a := startAgent(t, older.url)
	a.more()
	newer := launchPlugin(t, older.addr, older.dir)
	a.more()
	_, err := newer.lines(patience(t), `{app="api"}`)
	require.ErrorContains(t, err, "This one takes over by itself when that one ends")
	_, err = older.lines(patience(t), `{app="api"}`)
	require.NoError(t, err, "the older one is not disturbed")

	var answered, explained atomic.Int32
	asked := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { // a dashboard that refreshes all the while
		defer close(asked)
		for ctx.Err() == nil {
			_, err := newer.lines(ctx, `{app="api"} |= "batch 000000"`)
			switch {
			case ctx.Err() != nil:
			case err == nil:
				answered.Add(1)
			case strings.Contains(err.Error(), "takes over by itself"), strings.Contains(err.Error(), "The store is "):
				explained.Add(1)
			default:
				asked <- err
				return
			}
		}
	}()
	older.Kill()
	require.Equal(t, 0, older.ExitCode())
	newer.waitReady(t)
	a.more()
	testkit.Eventually(t, "queries are answered again", func() error {
		if answered.Load() == 0 {
			return fmt.Errorf("%d were told why not", explained.Load())
		}
		return nil
	})
	stop()
	require.NoError(t, <-asked, "every query is answered, or told why not")
	a.stop()
	a.requireAll(newer)
	require.Equal(t, 1, newer.Starts())
	require.NotContains(t, newer.health(t, admin).Message, "without notice")
	for text := range a.refused { // 0: nobody listened for a moment
		require.True(t, strings.HasPrefix(text, "0 ") || strings.HasPrefix(text, "503 "), "an agent drops what is refused with %q", text)
	}
}

// TestTwoGrafanasOnOneDirectory: the second one has a port of its own. It runs, and refuses everything with the reason.
func TestTwoGrafanasOnOneDirectory(t *testing.T) {
	first := startPlugin(t)
	want := testkit.Lines("kept", 10)
	testkit.MustPush(t, first.url, "", testkit.Stream(stderrLabels, time.Now(), want...))
	second := launchPlugin(t, testkit.FreeAddr(t), first.dir)
	testkit.Eventually(t, "health names the owner", func() error {
		h := second.health(t, admin)
		if h.Status != backend.HealthStatusError || !strings.Contains(h.Message, fmt.Sprintf("another process (pid %d, ", first.PID())) {
			return errors.New(h.Message)
		}
		return nil
	})
	h := second.health(t, admin)
	for _, says := range []string{first.dir, "takes over by itself", "woodshed_data_dir", "woodshed_listen", "Listening on " + second.addr} {
		require.Contains(t, h.Message, says)
	}
	h = second.health(t, viewer)
	require.Contains(t, h.Message, "another process owns the data directory")
	for _, hidden := range []string{first.dir, fmt.Sprint(first.PID())} {
		require.NotContains(t, h.Message+string(h.JSONDetails), hidden)
	}

	_, err := second.lines(patience(t), `{app="api"}`)
	require.ErrorContains(t, err, "another process owns the data directory")
	status, body := second.resource(t, "GET", "labels")
	require.Equal(t, 503, status)
	require.Contains(t, body, "another process owns the data directory")
	status, text, err := testkit.Push(patience(t), second.url, "", testkit.ContentProtobuf, testkit.ProtobufBody(t, testkit.Stream(stdoutLabels, time.Now(), "refused")))
	require.NoError(t, err)
	require.Equal(t, 503, status, "an agent keeps it and sends it again")
	require.Contains(t, text, "another process owns the data directory")
	for range 20 {
		require.Equal(t, backend.HealthStatusOk, first.health(t, admin).Status, "the owner is not disturbed")
	}
	require.Equal(t, 1, second.Starts(), "it must not exit: Grafana would start it every second")

	require.NoError(t, testkit.Signal(first.PID(), syscall.SIGTERM)) // the first Grafana's plugin leaves
	first.Kill()
	second.waitReady(t)
	second.wantLines(t, `{app="api"}`, want)
	testkit.MustPush(t, second.url, "", testkit.Stream(stdoutLabels, time.Now(), "taken"))
	require.Equal(t, 1, second.Starts())
}

// TestGrafanaIsKilledWhileTheNextWaits: the orphan leaves by itself, and whoever was started meanwhile has directory and
// port.
func TestGrafanaIsKilledWhileTheNextWaits(t *testing.T) {
	addr, dir := testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs")
	helper := testkit.StartHelper(t, nil, pluginEnv(addr, dir)...)
	t.Cleanup(func() { _ = testkit.Signal(helper.Plugin, syscall.SIGKILL) }) // should it not leave
	testkit.Eventually(t, "plugin is healthy", func() error {
		if a := helper.Ask(t); !a.OK {
			return errors.New(a.Message + a.Err)
		}
		return nil
	})
	a := startAgent(t, "http://"+addr)
	a.more()
	next := launchPlugin(t, addr, dir)
	_, err := next.lines(patience(t), `{app="api"}`)
	require.Error(t, err)
	helper.Kill9()
	testkit.Eventually(t, "the orphan is gone", testkit.Gone(helper.Plugin))
	next.waitReady(t)
	a.more()
	a.stop()
	a.requireAll(next)
	require.Equal(t, 1, next.Starts())
}
