// Package testkit runs the real binary as a test needs it: as a plugin under a host that behaves like Grafana
// (host.go), and as a server of its own (server.go). It also makes push bodies (push.go).
//
// Everything it starts ends with the test that started it. It waits for conditions, never for times, and every wait has
// an end. What a process printed is shown when its test fails. It is imported by tests alone; a test package that uses
// it has Main as its TestMain, so that the binary is removed again and the test binary can serve as a host that is killed
// (helper.go).
package testkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// startTimeout is how long a process may take until it answers. The machine may be busy with other tests.
	startTimeout = time.Minute
	pollEvery    = 20 * time.Millisecond
	outputMax    = 1 << 20 // bytes of output kept of one process
)

// Main runs the tests of a package and returns the exit code. In a process that StartHelper started it is that helper
// instead; in and out are then the process's standard input and output.
func Main(m *testing.M, in io.Reader, out io.Writer) int {
	if text, ok := os.LookupEnv(helperEnv); ok {
		return helperMain(text, in, out)
	}
	defer removeBinary()
	return m.Run()
}

var binary struct {
	once sync.Once
	dir  string // of our own making, "" when the binary was given
	path string
	err  error
}

// BuildBinary builds the command once in a test process and returns its path. WOODSHED_TEST_BINARY names one that is
// built already.
func BuildBinary(tb testing.TB) string {
	tb.Helper()
	binary.once.Do(func() { binary.path, binary.err = build() })
	if binary.err != nil {
		tb.Fatalf("build the binary: %v", binary.err)
	}
	return binary.path
}

func build() (string, error) {
	if path := os.Getenv("WOODSHED_TEST_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if binary.dir, err = os.MkdirTemp("", "woodshed-test-"); err != nil {
		return "", err
	}
	path := filepath.Join(binary.dir, fmt.Sprintf("gpx_woodshed_%s_%s", runtime.GOOS, runtime.GOARCH))
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./pkg")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

func removeBinary() {
	if binary.dir != "" {
		_ = os.RemoveAll(binary.dir)
	}
}

// moduleRoot finds go.mod above the directory that tests run in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}

// FreePort returns a port of the loopback interface that nobody listened on a moment ago.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// FreeAddr returns such a port as 127.0.0.1:PORT.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("127.0.0.1:%d", FreePort(tb))
}

// Eventually calls check until it returns nil, and fails the test with its last error when that takes longer than a
// minute.
func Eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
	if err := poll(startTimeout, check); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}

func poll(timeout time.Duration, check func() error) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("not after %s: %w", timeout, err)
		case <-tick.C:
		}
	}
}

// output keeps the end of what a process prints. It is safe for concurrent use.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len()+len(p) > outputMax {
		o.buf.Next(min(o.buf.Len(), outputMax/2))
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// showOnFailure logs what a process printed when its test failed.
func showOnFailure(tb testing.TB, name string, o *output) {
	tb.Cleanup(func() {
		if text := strings.TrimSpace(o.String()); tb.Failed() && text != "" {
			tb.Logf("output of the %s:\n%s", name, text)
		}
	})
}
