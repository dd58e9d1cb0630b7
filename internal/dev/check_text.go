package dev

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	idPattern        = regexp.MustCompile(`^[0-9a-z]+-[0-9a-z]+-(app|panel|datasource)$`)
	versionPattern   = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)
	grafanaPattern   = regexp.MustCompile(`^(>=|\^|~)?\d+\.\d+\.\d+(-\d+)?( <\d+(\.\d+(\.\d+)?)?)?$`)
	templatePattern  = regexp.MustCompile(`(?i)Grafana (Panel|Data Source|Datasource|App|Data Source Backend) Plugin Template`)
	commentPattern   = regexp.MustCompile(`(?s)<!--.*?-->`)
	imagePattern     = regexp.MustCompile(`!\[[^\]]*\]\(([^)\s]*)|<img[^>]*src="([^"]*)"`)
	changelogPattern = regexp.MustCompile(`(?m)^## +(\S+)`)
)

// checkMetadata: what the schema of plugin.json requires, what the catalogue requires, and the naming of ids.
func checkMetadata(p *pack) (wrong []string) {
	m := p.meta
	need := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("plugin.json: "+format, args...))
		}
	}
	need(m.ID == pluginID && idPattern.MatchString(m.ID), "id %q is not %s, or not organisation-name-type", m.ID, pluginID)
	need(m.Type != "" && strings.HasSuffix(m.ID, "-"+m.Type), "id %q does not end with the type %q", m.ID, m.Type)
	need(m.Name != "" && m.Name != m.ID, "name %q is empty or the id", m.Name)
	need(m.Backend && m.Executable == executable, "backend is %v and executable %q", m.Backend, m.Executable)
	need(m.Info.Description != "", "info.description is empty")
	need(m.Info.Author.Name != "", "info.author.name is empty")
	need(len(m.Info.Keywords) > 0, "info.keywords is empty")
	_, err := time.Parse(time.DateOnly, m.Info.Updated)
	need(err == nil, "info.updated is %q", m.Info.Updated)
	need(grafanaPattern.MatchString(m.Dependencies.GrafanaDependency), "dependencies.grafanaDependency %q is no range of versions", m.Dependencies.GrafanaDependency)
	need(len(m.Info.Links) > 0, "info.links is empty")
	for _, l := range m.Info.Links {
		u, err := url.Parse(l.URL)
		need(err == nil && u.Scheme == "https" && u.Host != "" && l.Name != "", "link %q to %q", l.Name, l.URL)
	}
	need(!regexp.MustCompile(`%[A-Z_]+%`).Match(p.files["plugin.json"].data), "a placeholder was not replaced")
	return wrong
}

// checkVersion: one version everywhere. The newest heading of the changelog is it, or says that it is not released yet.
func checkVersion(p *pack) (wrong []string) {
	v := p.meta.Info.Version
	if !versionPattern.MatchString(v) {
		wrong = append(wrong, fmt.Sprintf("plugin.json: version %q is no semantic version", v))
	}
	var npm struct{ Version string }
	data, err := os.ReadFile(filepath.Join(p.root, "package.json"))
	if err == nil {
		err = json.Unmarshal(data, &npm)
	}
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("package.json: %v", err))
	} else if npm.Version != v {
		wrong = append(wrong, fmt.Sprintf("package.json has version %s, plugin.json %s", npm.Version, v))
	}
	newest := changelogPattern.FindSubmatch(p.files["CHANGELOG.md"].data)
	if newest == nil || string(newest[1]) != v && string(newest[1]) != "Unreleased" {
		wrong = append(wrong, fmt.Sprintf("CHANGELOG.md begins with %q, not with ## %s or ## Unreleased", newest, v))
	}
	return wrong
}

// checkReadme: the catalogue and Grafana's plugin page show it, away from the repository.
func checkReadme(p *pack) (wrong []string) {
	text := string(p.files["README.md"].data)
	if len(strings.TrimSpace(text)) < 200 {
		return []string{"README.md is missing, or says next to nothing"}
	}
	if m := templatePattern.FindString(text); m != "" {
		wrong = append(wrong, "README.md is the template's: "+m)
	}
	if m := commentPattern.FindString(text); m != "" {
		wrong = append(wrong, "README.md has a comment: "+m)
	}
	for _, m := range imagePattern.FindAllStringSubmatch(text, -1) {
		if src := m[1] + m[2]; !strings.HasPrefix(src, "https://") {
			wrong = append(wrong, fmt.Sprintf("README.md has the picture %q; only absolute addresses work where it is shown", src))
		}
	}
	for _, word := range []string{"yarn", "nodejs", "npm install"} {
		if strings.Contains(text, word) {
			wrong = append(wrong, fmt.Sprintf("README.md speaks of %q; people who install read it, not developers", word))
		}
	}
	return wrong
}

func checkLicense(p *pack) (wrong []string) {
	text := string(p.files["LICENSE"].data)
	if !strings.Contains(text, "Apache License") || !strings.Contains(text, "Version 2.0") {
		wrong = append(wrong, "LICENSE is not Apache-2.0")
	}
	if strings.Contains(text, "{yyyy}") || strings.Contains(text, "{name of copyright owner}") {
		wrong = append(wrong, "LICENSE has places that were to be filled in")
	}
	return wrong
}

func checkChangelog(p *pack) (wrong []string) {
	if len(strings.TrimSpace(string(p.files["CHANGELOG.md"].data))) == 0 {
		wrong = append(wrong, "CHANGELOG.md is missing or empty")
	}
	return wrong
}

// checkLogos: both are there, and no SVG of the archive can do anything but be drawn.
func checkLogos(p *pack) (wrong []string) {
	for _, name := range []string{p.meta.Info.Logos.Small, p.meta.Info.Logos.Large} {
		if !strings.HasSuffix(name, ".svg") || len(p.files[name].data) == 0 {
			wrong = append(wrong, fmt.Sprintf("logo %q is missing, or no SVG", name))
		}
	}
	for name, f := range p.files {
		if strings.HasSuffix(name, ".svg") {
			if err := checkSVG(f.data); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
			}
		}
	}
	return wrong
}

// drawing is what our pictures are made of; the validator allows more.
var drawing = []string{"svg", "g", "path", "circle", "rect", "line", "polygon", "polyline", "ellipse", "title", "desc", "defs", "linearGradient", "stop", "clipPath"}

func checkSVG(data []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains(drawing, element.Name.Local) {
			return fmt.Errorf("<%s> is not safe", element.Name.Local)
		}
		for _, a := range element.Attr {
			name := strings.ToLower(a.Name.Local)
			if strings.HasPrefix(name, "on") || name == "href" || strings.Contains(a.Value, "javascript:") {
				return fmt.Errorf("attribute %s is not safe", a.Name.Local)
			}
		}
	}
}

var pngMagic = []byte("\x89PNG\r\n\x1a\n")

func checkScreenshots(p *pack) (wrong []string) {
	if len(p.meta.Info.Screenshots) == 0 {
		wrong = append(wrong, "plugin.json: info.screenshots is empty")
	}
	for _, s := range p.meta.Info.Screenshots {
		if s.Name == "" || !strings.HasSuffix(s.Path, ".png") || !bytes.HasPrefix(p.files[s.Path].data, pngMagic) {
			wrong = append(wrong, fmt.Sprintf("screenshot %q (%s) is no picture, or has no name", s.Path, s.Name))
		}
	}
	return wrong
}
