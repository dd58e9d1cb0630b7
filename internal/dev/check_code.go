package dev

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	binaryPattern = regexp.MustCompile(`^` + executable + `_(linux|darwin)_(amd64|arm64)$`)
	amdPattern    = regexp.MustCompile(`define\(\[([^\]]*)\]`)
)

// readBuild returns the settings of a Go binary.
var readBuild = func(data []byte) (map[string]string, error) {
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, s := range info.Settings {
		out[s.Key] = s.Value
	}
	return out, nil
}

// checkBinaries: what runs has its platform's name, may be run, needs nothing of the machine and tells nothing of the one
// that built it. Nothing else may be run.
func checkBinaries(p *pack) (wrong []string) {
	found := 0
	for name, f := range p.files {
		m := binaryPattern.FindStringSubmatch(name)
		switch {
		case m == nil && strings.HasPrefix(name, executable):
			wrong = append(wrong, fmt.Sprintf("%s is no name of a platform", name))
			continue
		case m == nil:
			if f.mode.Perm() != 0o644 {
				wrong = append(wrong, fmt.Sprintf("%s has mode %s", name, f.mode))
			}
			continue
		}
		found++
		if f.mode.Perm() != 0o755 {
			wrong = append(wrong, fmt.Sprintf("%s has mode %s; it could not be run", name, f.mode))
		}
		built, err := readBuild(f.data)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		for key, want := range map[string]string{"GOOS": m[1], "GOARCH": m[2], "CGO_ENABLED": "0", "-trimpath": "true"} {
			if built[key] != want {
				wrong = append(wrong, fmt.Sprintf("%s was built with %s=%s, not %s", name, key, built[key], want))
			}
		}
	}
	if found != 1 {
		wrong = append(wrong, fmt.Sprintf("there are %d binaries; each archive has one", found))
	}
	return wrong
}

// checkGoManifest: every Go file of the repository stands in go_plugin_build_manifest with the checksum that it has.
func checkGoManifest(p *pack) (wrong []string) {
	sums := map[string]string{}
	for line := range strings.Lines(string(p.files["go_plugin_build_manifest"].data)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || len(sum) != 2*sha256.Size {
			wrong = append(wrong, fmt.Sprintf("line %q", line))
		}
		sums[filepath.ToSlash(name)] = sum
	}
	err := filepath.WalkDir(p.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", ".git", distDir}, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(p.root, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		if sums[filepath.ToSlash(rel)] != hex.EncodeToString(sum[:]) {
			wrong = append(wrong, fmt.Sprintf("%s is not in the manifest, or changed since the build", rel))
		}
		return nil
	})
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// forbiddenInModule is what no front end may do, with the reason. Of console, errors and warnings are allowed.
var forbiddenInModule = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`react/jsx-(dev-)?runtime`), "Grafana 12.2.0 does not share it: the module would not load"},
	{regexp.MustCompile(`\bconsole\.(log|info|table|dir|count|group|time|trace|clear)\b`), "logs to the console"},
	{regexp.MustCompile(`\beval\(|\bnew Function\(`), "makes code of text, which a content security policy forbids"},
	{regexp.MustCompile(`__SECRET_INTERNALS`), "is React's own"},
	{regexp.MustCompile(`window\.(grafanaBootData|grafanaRuntime|__grafanaSceneContext)`), "is Grafana's own"},
	{regexp.MustCompile(`\b(google-analytics\.com|googletagmanager|hotjar|segment\.io)`), "tracks people"},
	{regexp.MustCompile(`(?:^|[^.\w])(alert|confirm|prompt)\(["'\x60]`), "is a dialogue of the browser"},
}

// checkModule: an AMD module that Grafana can load and a reviewer lets pass.
func checkModule(p *pack) (wrong []string) {
	text := string(p.files["module.js"].data)
	amd := amdPattern.FindStringSubmatch(text)
	if amd == nil || !strings.Contains(amd[1], `"@grafana/data"`) {
		wrong = append(wrong, "module.js is missing, or no AMD module")
	}
	for _, f := range forbiddenInModule {
		if m := f.pattern.FindString(text); m != "" {
			wrong = append(wrong, fmt.Sprintf("module.js has %q, which %s", m, f.why))
		}
	}
	return wrong
}

// checkSourceMap: the map is there and has the very sources of this repository.
func checkSourceMap(p *pack) (wrong []string) {
	var m struct {
		Sources        []string `json:"sources"`
		SourcesContent []string `json:"sourcesContent"`
	}
	if err := json.Unmarshal(p.files["module.js.map"].data, &m); err != nil {
		return []string{fmt.Sprintf("module.js.map is missing, or no JSON: %v", err)}
	}
	if len(m.Sources) != len(m.SourcesContent) {
		return []string{"module.js.map has not the text of every source"}
	}
	ours := 0
	for n, source := range m.Sources {
		name, isOurs := strings.CutPrefix(source, "webpack://"+pluginID+"/./")
		switch {
		case !strings.HasPrefix(source, "webpack://"):
			wrong = append(wrong, fmt.Sprintf("module.js.map names the source %s", source))
		case !isOurs || strings.HasPrefix(name, "node_modules/"):
		default:
			ours++
			data, err := os.ReadFile(filepath.Join(p.root, "src", filepath.FromSlash(name)))
			if err != nil || !bytes.Equal(bytes.TrimSpace(data), []byte(strings.TrimSpace(m.SourcesContent[n]))) {
				wrong = append(wrong, fmt.Sprintf("src/%s is not what module.js was built from", name))
			}
		}
	}
	if ours == 0 {
		wrong = append(wrong, "module.js.map has no source of ours")
	}
	return wrong
}

var stylePattern = regexp.MustCompile(`(?m)^\s*import\s+(?:[^'"]*from\s+)?['"][^'"]+\.(css|scss|sass|less)['"]`)

// checkStyles: a style sheet that is imported applies to all of Grafana.
func checkStyles(p *pack) (wrong []string) {
	err := filepath.WalkDir(filepath.Join(p.root, "src"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".ts") && !strings.HasSuffix(name, ".tsx") {
			return err
		}
		data, err := os.ReadFile(name)
		if m := stylePattern.Find(data); m != nil {
			wrong = append(wrong, fmt.Sprintf("%s imports a style sheet: %s", filepath.Base(name), bytes.TrimSpace(m)))
		}
		return err
	})
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	for name := range p.files {
		if strings.HasSuffix(name, ".css") {
			wrong = append(wrong, name+" is a style sheet")
		}
	}
	return wrong
}
