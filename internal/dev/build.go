package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/magefile/mage/mg"

	sdk "github.com/grafana/grafana-plugin-sdk-go/build"
)

// Build completes dist/ for this platform.
func Build(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	return s.buildAll(ctx)
}

func (s *shop) buildAll(ctx context.Context) error {
	if err := s.step("front end", func() error { return s.buildFrontEnd(ctx) }); err != nil {
		return err
	}
	return s.step("binary", func() error { return buildBinary(runtime.GOOS, runtime.GOARCH) })
}

func (s *shop) buildFrontEnd(ctx context.Context) error {
	if err := s.npmInstall(ctx); err != nil {
		return err
	}
	return s.exec(ctx, cmdline("npm", "run", "--silent", "build"))
}

// buildBinary builds dist/gpx_woodshed_OS_ARCH as the plugin SDK does: static, stripped, with the version inside; and, as it
// does not, without the paths of this machine.
func buildBinary(goos, goarch string) error {
	const name = "GOFLAGS"
	flags := os.Getenv(name)
	if err := os.Setenv(name, strings.TrimSpace(flags+" -trimpath")); err != nil {
		return err
	}
	err := sdk.Build(mg.Namespace{}).Custom(goos, goarch)
	return errors.Join(err, os.Setenv(name, flags))
}

func binaryPath(goos, goarch string) string {
	return filepath.Join(distDir, fmt.Sprintf("%s_%s_%s", executable, goos, goarch))
}

// packageVersion reads the version that everything shares: package.json's.
func packageVersion() (string, error) {
	b, err := os.ReadFile("package.json")
	if err != nil {
		return "", err
	}
	var p struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return "", fmt.Errorf("package.json: %w", err)
	}
	return p.Version, nil
}
