package dev

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

const packagesDir = "dist-packages"

// platforms are those that Woodshed supports; Windows and 32-bit are not built.
var platforms = [...]struct{ os, arch string }{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
}

// Package makes a zip per platform and SHA256SUMS over them.
func Package(ctx context.Context, out io.Writer) error {
	s := &shop{out: out}
	version, err := packageVersion()
	if err != nil {
		return err
	}
	if err := s.step("front end", func() error { return s.buildFrontEnd(ctx) }); err != nil {
		return err
	}
	if err := os.RemoveAll(packagesDir); err != nil {
		return err
	}
	if err := os.MkdirAll(packagesDir, 0o755); err != nil {
		return err
	}
	for _, p := range platforms {
		name := fmt.Sprintf("%s-%s.%s_%s.zip", pluginID, version, p.os, p.arch)
		err := s.step(name, func() error {
			if err := buildBinary(p.os, p.arch); err != nil {
				return err
			}
			return zipAndCheck(ctx, filepath.Join(packagesDir, name), binaryPath(p.os, p.arch))
		})
		if err != nil {
			return err
		}
	}
	return s.step("SHA256SUMS", func() error { return writeSums(packagesDir) })
}

// checkPackage packs what Test built and holds it against the rules of packages.
func (s *shop) checkPackage(ctx context.Context) error {
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	return zipAndCheck(ctx, filepath.Join(stateDir, "check.zip"), binaryPath(runtime.GOOS, runtime.GOARCH))
}

func zipAndCheck(ctx context.Context, target, binary string) error {
	if err := ZipPlugin(target, distDir, binary); err != nil {
		return err
	}
	return CheckPackage(ctx, target, ".")
}

// ZipPlugin writes an installable archive: one folder named as the plugin, with everything of dist except other platforms'
// binaries. The binary gets mode 0755, everything else 0644, whatever the umask was.
func ZipPlugin(target, dist, binary string) error {
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	defer f.Close()
	w := zip.NewWriter(f)
	err = filepath.WalkDir(dist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		isBinary := strings.HasPrefix(d.Name(), executable+"_")
		if isBinary && filepath.Base(binary) != d.Name() {
			return nil
		}
		rel, err := filepath.Rel(dist, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if isBinary {
			mode = 0o755
		}
		return addToZip(w, path, pluginID+"/"+filepath.ToSlash(rel), mode)
	})
	if err != nil {
		return fmt.Errorf("zip %s: %w", target, err)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}

func addToZip(w *zip.Writer, path, name string, mode fs.FileMode) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	dst, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

func writeSums(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.zip"))
	if err != nil {
		return err
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(sum[:]), filepath.Base(name))
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(b.String()), 0o644)
}
