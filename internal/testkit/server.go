package testkit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a gpx_woodshed server of its own process.
type Server struct {
	URL     string // http://127.0.0.1:PORT
	DataDir string

	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when the process has ended
	err  error         // of Wait; read after done
}

// StartServer starts the binary as a server with the arguments and waits until it is ready. Without --data it stores in a
// directory of the test, without --listen it listens on a free port.
func StartServer(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := LaunchServer(tb, args...)
	Eventually(tb, "server is ready", s.Ready)
	return s
}

// LaunchServer is StartServer without waiting: for servers that are expected not to come up.
func LaunchServer(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{DataDir: argument(args, "data"), out: &output{}, done: make(chan struct{})}
	if s.DataDir == "" {
		s.DataDir = tb.TempDir()
		args = append(slices.Clone(args), "--data", s.DataDir)
	}
	listen := argument(args, "listen")
	if listen == "" {
		listen = FreeAddr(tb)
		args = append(slices.Clone(args), "--listen", listen)
	}
	s.URL = "http://" + listen
	s.cmd = exec.CommandContext(context.Background(), BuildBinary(tb), append([]string{"server"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		tb.Fatalf("start the server: %v", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	tb.Cleanup(s.Kill9)
	showOnFailure(tb, "server", s.out)
	return s
}

// argument returns the value of --name VALUE or --name=VALUE.
func argument(args []string, name string) string {
	for i, a := range args {
		a = strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		if value, found := strings.CutPrefix(a, name+"="); found {
			return value
		}
		if a == name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// Ready is nil when the server answers that it is ready.
func (s *Server) Ready() error {
	select {
	case <-s.done:
		return fmt.Errorf("the server ended: %w", s.err)
	default:
	}
	return ready(s.URL)
}

func ready(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ready", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/ready: %d %s", resp.StatusCode, body)
	}
	return nil
}

// PID returns the process's id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Output returns what the process printed so far.
func (s *Server) Output() string { return s.out.String() }

// Kill9 kills the process as kill -9 does, and waits for its end.
func (s *Server) Kill9() {
	_ = s.cmd.Process.Kill() // an error says that it has ended
	<-s.done
}

// Stop sends SIGTERM, waits for the end, and returns the exit code.
func (s *Server) Stop(tb testing.TB) int {
	tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatalf("stop the server: %v", err)
	}
	return s.Wait(tb)
}

// Wait waits for the end of the process and returns the exit code, -1 after a signal.
func (s *Server) Wait(tb testing.TB) int {
	tb.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(startTimeout):
		tb.Fatalf("the server did not end within %s", startTimeout)
		return -1
	}
}
