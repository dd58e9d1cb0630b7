package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// goPackages are ours. Not ./...: npm packages come with Go files of their own.
var goPackages = []string{"./pkg/...", "./internal/...", "./tests/..."}

// Test checks everything and ends with a line that counts what passed, failed and was skipped.
func Test(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"gofmt", s.gofmt},
		{"go vet", func(ctx context.Context) error {
			return s.exec(ctx, cmdline(append([]string{"go", "vet"}, goPackages...)...))
		}},
		{"tidy: go.mod", s.goModTidy},
		{"golangci-lint", s.golangci},
		{"npm packages", s.npmInstall},
		{"front end: types", func(ctx context.Context) error { return s.npm(ctx, "typecheck") }},
		{"front end: lint", func(ctx context.Context) error { return s.npm(ctx, "lint") }},
		{"front end: unit tests", func(ctx context.Context) error { return s.npm(ctx, "test:ci") }},
		{"front end: build", s.buildFrontEnd},
		{"front end: module.js loads with what Grafana 12.2.0 shares", func(ctx context.Context) error { return s.npm(ctx, "check:amd") }},
		{"front end: types and unit tests with Grafana 13's packages", func(ctx context.Context) error { return s.npm(ctx, "compat:13") }},
		{"binary", func(context.Context) error { return buildBinary(runtime.GOOS, runtime.GOARCH) }},
		{"package: what can be asked of an archive (docs/validator.md)", s.checkPackage},
		{"go test", s.goTest},
		{"benchmarks, once each", s.benchOnce},
		{"end to end", s.endToEnd},
	}
	for _, st := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		_ = s.step(st.name, func() error { return st.run(ctx) }) // go on: one run should show everything that is wrong
	}
	return s.summary()
}

func (s *shop) summary() error {
	fmt.Fprintln(s.out)
	for _, name := range s.skipped {
		fmt.Fprintf(s.out, "skipped: %s\n", name)
	}
	for _, name := range s.failed {
		fmt.Fprintf(s.out, "failed: %s\n", name)
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed-len(s.skipped), len(s.failed), len(s.skipped))
	if len(s.failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(s.failed, "; "))
	}
	return nil
}

func (s *shop) npm(ctx context.Context, script string) error {
	return s.exec(ctx, cmdline("npm", "run", "--silent", script))
}

func (s *shop) gofmt(ctx context.Context) error {
	var list bytes.Buffer
	cmd := exec.CommandContext(ctx, "gofmt", "-l", "Magefile.go", "pkg", "internal", "tests")
	cmd.Stdout, cmd.Stderr = &list, s.out
	if err := cmd.Run(); err != nil {
		return err
	}
	if list.Len() > 0 {
		return fmt.Errorf("not formatted:\n%s", list.String())
	}
	return nil
}

// goModTidy fails when go.mod or go.sum would change.
func (s *shop) goModTidy(ctx context.Context) error {
	return s.exec(ctx, cmdline("go", "mod", "tidy", "-diff"))
}

func (s *shop) golangci(ctx context.Context) error {
	return s.exec(ctx, cmdline("go", "tool", "-modfile=tools/go.mod", "golangci-lint", "run", "--timeout", "15m", "./pkg/...", "./internal/...", "./tests/..."))
}

// goTest runs every Go test with the invariants compiled in, and the race detector where a C compiler is.
func (s *shop) goTest(ctx context.Context) error {
	args := []string{"go", "test", "-timeout", "20m", "-tags", "invariant"}
	if cgo(ctx) {
		args = append(args, "-race")
	} else {
		s.skip("race detector", "no C compiler (gcc) found; the tests run without it")
	}
	return s.exec(ctx, cmdline(append(args, goPackages...)...))
}

// cgo reports whether the race detector can be linked: it needs a C compiler.
func cgo(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CC").Output()
	if err != nil {
		return false
	}
	fields := strings.Fields(string(out))
	return len(fields) > 0 && have(fields[0])
}

func (s *shop) benchOnce(ctx context.Context) error {
	return s.exec(ctx, cmdline("go", "test", "-run", "^$", "-bench", ".", "-benchtime", "1x", "-timeout", "15m", "./pkg/..."))
}

// Bench runs every benchmark six times and keeps the output where benchstat finds it.
func Bench(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(stateDir, "bench.txt"))
	if err != nil {
		return err
	}
	defer f.Close()
	s := &shop{out: io.MultiWriter(out, f)}
	return s.exec(ctx, cmdline("go", "test", "-run", "^$", "-bench", ".", "-count", "6", "-timeout", "2h", "./pkg/..."))
}

// Crash runs the crash and fault loops with their output shown.
func Crash(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	return s.exec(ctx, cmdline("env", "WOODSHED_CRASH=all", "go", "test", "-v", "-count", "3", "-timeout", "60m", "-run", "Crash|Fault|Sabotage|Kill",
		"./pkg/wal/...", "./pkg/logdb/...", "./tests/..."))
}

// Fuzz runs every fuzz target in turn.
func Fuzz(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	budget := os.Getenv("FUZZTIME")
	if budget == "" {
		budget = "30s"
	}
	targets, err := fuzzTargets("pkg")
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("no fuzz target found below pkg")
	}
	for _, t := range targets {
		_ = s.step(t.dir+" "+t.name, func() error {
			return s.exec(ctx, cmdline("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", budget, "./"+t.dir))
		})
	}
	return s.summary()
}

type fuzzTarget struct{ dir, name string }

// fuzzTargets finds the functions named Fuzz… in test files below root.
func fuzzTargets(root string) ([]fuzzTarget, error) {
	var targets []fuzzTarget
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(src), "\n") {
			name, ok := strings.CutPrefix(line, "func Fuzz")
			if !ok {
				continue
			}
			if i := strings.IndexByte(name, '('); i > 0 {
				targets = append(targets, fuzzTarget{filepath.ToSlash(filepath.Dir(path)), "Fuzz" + name[:i]})
			}
		}
		return nil
	})
	return targets, err
}
