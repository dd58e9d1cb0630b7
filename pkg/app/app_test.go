package app

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParentIsGoneWhenItChanges(t *testing.T) {
	f := func(want bool, parents ...int) {
		t.Helper()
		tick := make(chan time.Time)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		next := 0
		parent := func() int {
			p := parents[min(next, len(parents)-1)]
			next++
			return p
		}
		left, done := false, make(chan struct{})
		go func() {
			defer close(done)
			watchParent(ctx, parent, tick, func() { left = true })
		}()
		for range len(parents) - 1 {
			select {
			case tick <- time.Time{}:
			case <-done:
			}
		}
		if !want {
			cancel()
		}
		<-done
		require.Equal(t, want, left)
	}
	f(false, 100, 100, 100)
	f(true, 100, 100, 1)
	f(false, 1, 1, 1) // in a container Grafana is pid 1
	f(true, 1, 7)
}

func TestServerRefusesWrongUse(t *testing.T) {
	f := func(code int, says string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		require.Equal(t, code, RunServer(t.Context(), args, &out, &errs), errs.String())
		require.Contains(t, out.String()+errs.String(), says)
	}
	f(exitUsage, "--data DIR")
	f(exitUsage, "is not a flag", "--data", t.TempDir(), "surplus")
	f(exitUsage, "no-such-flag", "--no-such-flag")
	f(exitUsage, "woodshed_insecure", "--data", t.TempDir(), "--listen", "0.0.0.0:0")
	f(exitUsage, "storage.flush-bytes", "--data", t.TempDir(), "--storage.flush-bytes", "many")
	f(exitUsage, "config file", "--data", t.TempDir(), "--config", "/no/such/file.yaml")
	f(exitOK, "Usage:", "--help")
}

func TestReplayIsToldInSteps(t *testing.T) {
	s := &store{}
	var told []int64
	for done := int64(0); done <= 1000; done += 3 {
		if percent, ok := s.replayStep(done, 1000); ok {
			told = append(told, percent)
		}
	}
	require.Equal(t, []int64{10, 20, 30, 40, 50, 60, 70, 80, 90}, told)
	_, ok := s.replayStep(0, 0)
	require.False(t, ok)
}
