package dev

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// What Grafana's plugin-validator asks of an archive and can be asked without a network is asked here, of every archive
// that is made: docs/validator.md lists the rules, those that a store has to break, and why. A rule answers with
// sentences, one for each thing that is wrong.

// packed is a file of an archive.
type packed struct {
	mode fs.FileMode
	data []byte
}

// pack is an archive, unpacked: files by their names below the plugin's folder.
type pack struct {
	names []string // all of the archive, as they stand in it
	files map[string]packed
	size  int64 // of the archive
	meta  pluginMeta

	root    string   // of the repository
	machine []string // paths of the building machine that must not be told
}

// pluginMeta is what the rules read of plugin.json.
type pluginMeta struct {
	Type, Name, ID, Executable string
	Backend                    bool
	Info                       struct {
		Description, Version, Updated string
		Author                        struct{ Name string }
		Keywords                      []string
		Logos                         struct{ Small, Large string }
		Links                         []struct{ Name, URL string }
		Screenshots                   []struct{ Name, Path string }
	}
	Includes     []struct{ Type, Name, Path string }
	Dependencies struct{ GrafanaDependency string }
}

// packageRules are named as in docs/validator.md.
var packageRules = []struct {
	name  string
	check func(*pack) []string
}{
	{"archive", checkLayout},
	{"metadata", checkMetadata},
	{"version", checkVersion},
	{"readme", checkReadme},
	{"license", checkLicense},
	{"changelog", checkChangelog},
	{"logos", checkLogos},
	{"screenshots", checkScreenshots},
	{"paths", checkPaths},
	{"binaries", checkBinaries},
	{"go-manifest", checkGoManifest},
	{"module.js", checkModule},
	{"source map", checkSourceMap},
	{"css", checkStyles},
	{"leftovers", checkLeftovers},
	{"machine", checkMachine},
	{"size", checkSize},
}

// CheckPackage holds an archive against the rules. Root is the repository that it was made from.
func CheckPackage(ctx context.Context, archive, root string) error {
	p, err := openPack(archive)
	if err != nil {
		return err
	}
	if p.root, err = filepath.Abs(root); err != nil {
		return err
	}
	p.machine = []string{p.root}
	if out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output(); err == nil {
		if cache := strings.TrimSpace(string(out)); len(cache) > 1 {
			p.machine = append(p.machine, cache)
		}
	}
	return p.check()
}

func (p *pack) check() error {
	var errs []error
	for _, rule := range packageRules {
		for _, text := range rule.check(p) {
			errs = append(errs, fmt.Errorf("%s: %s", rule.name, text))
		}
	}
	return errors.Join(errs...)
}

func openPack(archive string) (*pack, error) {
	info, err := os.Stat(archive)
	if err != nil {
		return nil, err
	}
	r, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	p := &pack{files: map[string]packed{}, size: info.Size()}
	for _, f := range r.File {
		src, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		data, err := io.ReadAll(src)
		if err = errors.Join(err, src.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		p.names = append(p.names, f.Name)
		if name, below := strings.CutPrefix(f.Name, pluginID+"/"); below {
			p.files[name] = packed{f.Mode(), data}
		}
	}
	if err := json.Unmarshal(p.files["plugin.json"].data, &p.meta); err != nil {
		return nil, fmt.Errorf("plugin.json of %s: %w", archive, err)
	}
	return p, nil
}

// checkLayout: everything lies in one folder named as the plugin, where unpacking cannot leave it.
func checkLayout(p *pack) (wrong []string) {
	for n, name := range p.names {
		switch {
		case !strings.HasPrefix(name, pluginID+"/"):
			wrong = append(wrong, fmt.Sprintf("%s is not below %s/", name, pluginID))
		case path.Clean(name) != name || strings.Contains(name, `\`):
			wrong = append(wrong, fmt.Sprintf("%s is not a clean name", name))
		case slices.Contains(p.names[:n], name):
			wrong = append(wrong, fmt.Sprintf("%s is there twice", name))
		}
	}
	for name, f := range p.files {
		if !f.mode.IsRegular() {
			wrong = append(wrong, fmt.Sprintf("%s is no regular file (%s)", name, f.mode))
		}
	}
	return wrong
}

// checkPaths: what plugin.json names is there, by a path below the plugin's folder.
func checkPaths(p *pack) (wrong []string) {
	paths := []string{p.meta.Info.Logos.Small, p.meta.Info.Logos.Large}
	for _, s := range p.meta.Info.Screenshots {
		paths = append(paths, s.Path)
	}
	for _, i := range p.meta.Includes {
		if i.Type == "dashboard" {
			paths = append(paths, i.Path)
		}
	}
	for _, name := range paths {
		if _, found := p.files[name]; !found || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/") {
			wrong = append(wrong, fmt.Sprintf("plugin.json names %q, which is not in the archive", name))
		}
	}
	return wrong
}

// leftovers are files that a debugging session, an editor or a build leaves in dist/.
var leftovers = []string{"standalone.txt", "pid.txt", ".env", ".DS_Store", "Thumbs.db", "node_modules", ".git", ".gitignore", "package.json"}

func checkLeftovers(p *pack) (wrong []string) {
	for name := range p.files {
		for _, part := range strings.Split(name, "/") {
			test := strings.Contains(part, ".test.") || strings.Contains(part, ".spec.")
			if test || slices.Contains(leftovers, part) || strings.HasSuffix(part, "~") || strings.HasSuffix(part, ".zip") {
				wrong = append(wrong, fmt.Sprintf("%s does not belong there", name))
			}
		}
	}
	return wrong
}

// checkMachine: where the building machine keeps its sources is nobody's business, and differs from build to build.
func checkMachine(p *pack) (wrong []string) {
	for name, f := range p.files {
		for _, dir := range p.machine {
			if strings.Contains(string(f.data), dir+string(filepath.Separator)) {
				wrong = append(wrong, fmt.Sprintf("%s names %s of the building machine", name, dir))
			}
		}
	}
	return wrong
}

// sizeMax is far above what an archive takes today (14 MB), and below what a person notices.
const sizeMax = 40 << 20

func checkSize(p *pack) (wrong []string) {
	if p.size > sizeMax {
		wrong = append(wrong, fmt.Sprintf("the archive has %d MB; more than %d is too much for one binary", p.size>>20, sizeMax>>20))
	}
	return wrong
}
