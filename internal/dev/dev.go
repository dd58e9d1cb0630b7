// Package dev is the workshop behind `go tool mage`: it builds, runs, tests and packages this repository.
//
// It is only imported by Magefile.go and its own tests; the product never sees it. Every target prints what it does, step
// by step with the time each took, installs what it can when something is missing, and says loudly what it left out.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	pluginID   = "woodshed-logs-datasource"
	executable = "gpx_woodshed"
	distDir    = "dist"
	stateDir   = ".woodshed" // what `run` keeps between starts; ignored by git
)

// shop runs steps and reports them.
type shop struct {
	out     io.Writer
	passed  int
	failed  []string
	skipped []string
}

// command describes one child process of a step.
type command struct {
	args []string
	env  []string // added to this process's environment
	dir  string
}

func cmdline(args ...string) command { return command{args: args} }

// exec runs c with its output shown.
func (s *shop) exec(ctx context.Context, c command) error {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = s.out, s.out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(c.args, " "), err)
	}
	return nil
}

// step runs f under a headline. A failure is remembered and returned.
func (s *shop) step(name string, f func() error) error {
	fmt.Fprintf(s.out, "\n=== %s\n", name)
	start := time.Now()
	err := f()
	took := time.Since(start).Round(100 * time.Millisecond)
	if err != nil {
		s.failed = append(s.failed, name)
		fmt.Fprintf(s.out, "--- FAILED %s (%s): %v\n", name, took, err)
		return fmt.Errorf("%s: %w", name, err)
	}
	s.passed++
	fmt.Fprintf(s.out, "--- ok %s (%s)\n", name, took)
	return nil
}

// skip says in a way that nobody overlooks that a step was left out, and why.
func (s *shop) skip(name, why string) {
	s.skipped = append(s.skipped, name)
	fmt.Fprintf(s.out, "\n!!! SKIPPED %s: %s\n", name, why)
}

func have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// newer reports whether file a exists and is at least as new as b.
func newer(a, b string) bool {
	fa, err := os.Stat(a)
	if err != nil {
		return false
	}
	fb, err := os.Stat(b)
	return err == nil && !fa.ModTime().Before(fb.ModTime())
}

// npmInstall makes node_modules what package-lock.json says, unless it is already.
func (s *shop) npmInstall(ctx context.Context) error {
	if !have("npm") {
		return errors.New("npm is not on PATH: install Node.js 20 or later")
	}
	if newer(filepath.Join("node_modules", ".package-lock.json"), "package-lock.json") {
		return nil
	}
	return s.exec(ctx, cmdline("npm", "ci", "--no-audit", "--no-fund"))
}

// chromium returns the browser for end-to-end tests, installing Debian's package when it is missing and we are root.
func (s *shop) chromium(ctx context.Context) (string, error) {
	if path := os.Getenv("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	if os.Geteuid() != 0 || !have("apt-get") {
		return "", errors.New("no Chromium found: install the package chromium, or set PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH")
	}
	apt := func(args ...string) error {
		return s.exec(ctx, command{args: append([]string{"apt-get"}, args...), env: []string{"DEBIAN_FRONTEND=noninteractive"}})
	}
	if err := apt("update", "-q"); err != nil {
		return "", err
	}
	if err := apt("install", "-y", "-q", "--no-install-recommends", "chromium"); err != nil {
		return "", err
	}
	return exec.LookPath("chromium")
}
