package testkit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// helperEnv carries the HostConfig of a helper process, as JSON.
const helperEnv = "WOODSHED_TESTKIT_HELPER"

// Helper is a Host in a process of its own, so that a test can kill the host and look at what the plugin does then.
type Helper struct {
	// Self and Plugin are the process ids as the helper sees them: in a namespace of its own they mean nothing outside.
	Self, Plugin int

	cmd    *exec.Cmd
	in     io.WriteCloser
	answer chan HelperAnswer
}

// HelperAnswer is what a helper says of its plugin: once when it shook hands, and then whenever it is asked.
type HelperAnswer struct {
	Self, Plugin, Starts int
	Message              string // of the health check
	OK                   bool   // its verdict
	Err                  string
}

// StartHelper runs the test binary once more as a host that launches the plugin with the variables in its environment.
// Words of wrap stand before the command: unshare and its flags. The test package's TestMain must call Main.
func StartHelper(tb testing.TB, wrap []string, env ...string) *Helper {
	tb.Helper()
	cfg, err := json.Marshal(HostConfig{Binary: BuildBinary(tb), Env: env})
	if err != nil {
		tb.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	words := append(append([]string{}, wrap...), self)
	h := &Helper{cmd: exec.CommandContext(context.Background(), words[0], words[1:]...), answer: make(chan HelperAnswer)}
	h.cmd.Env = append(os.Environ(), helperEnv+"="+string(cfg))
	errors := &output{}
	h.cmd.Stderr = errors
	showOnFailure(tb, "helper", errors)
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		tb.Fatalf("start the helper: %v", err)
	}
	go h.read(out)
	tb.Cleanup(h.Kill9)
	first := h.receive(tb)
	if first.Err != "" {
		tb.Fatalf("helper: %s", first.Err)
	}
	h.Self, h.Plugin = first.Self, first.Plugin
	return h
}

// read passes answers on until the helper ends.
func (h *Helper) read(out io.Reader) {
	defer close(h.answer)
	dec := json.NewDecoder(out)
	for {
		var a HelperAnswer
		if dec.Decode(&a) != nil {
			return
		}
		h.answer <- a
	}
}

func (h *Helper) receive(tb testing.TB) HelperAnswer {
	tb.Helper()
	select {
	case a, ok := <-h.answer:
		if !ok {
			tb.Fatal("the helper ended")
		}
		return a
	case <-time.After(startTimeout):
		tb.Fatalf("the helper did not answer within %s", startTimeout)
		return HelperAnswer{}
	}
}

// Ask returns the plugin's health.
func (h *Helper) Ask(tb testing.TB) HelperAnswer {
	tb.Helper()
	if _, err := io.WriteString(h.in, "health\n"); err != nil {
		tb.Fatalf("ask the helper: %v", err)
	}
	return h.receive(tb)
}

// Kill9 kills the helper as kill -9 does, and leaves its plugin behind. It may be called more than once.
func (h *Helper) Kill9() {
	if h.cmd.ProcessState != nil {
		return
	}
	_ = h.cmd.Process.Kill()
	for range h.answer { // read ends with the pipe, which Wait closes only then
	}
	_ = h.cmd.Wait()
}

// helperMain is the helper's side.
func helperMain(text string, in io.Reader, out io.Writer) int {
	enc := json.NewEncoder(out)
	fail := func(err error) int {
		_ = enc.Encode(HelperAnswer{Err: err.Error()}) // nobody is left to tell when this fails
		return 1
	}
	var cfg HostConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return fail(fmt.Errorf("read the helper's configuration: %w", err))
	}
	if err := os.Unsetenv(helperEnv); err != nil {
		return fail(err)
	}
	h, err := NewHost(cfg)
	if err != nil {
		return fail(err)
	}
	defer h.Kill()
	if err := enc.Encode(HelperAnswer{Self: os.Getpid(), Plugin: h.PID(), Starts: h.Starts()}); err != nil {
		return 1
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		a := HelperAnswer{Self: os.Getpid(), Plugin: h.PID(), Starts: h.Starts()}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		health, err := h.Health(ctx, PluginContext(1, "Admin", ""))
		cancel()
		if err != nil {
			a.Err = err.Error()
		} else {
			a.Message, a.OK = health.Message, health.Status == backend.HealthStatusOk
		}
		if err := enc.Encode(a); err != nil {
			return 1
		}
	}
	return 0
}
