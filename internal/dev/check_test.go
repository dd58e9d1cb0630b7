package dev

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// soundPack is an archive with nothing wrong, of a repository of three files.
func soundPack(t *testing.T) *pack {
	t.Helper()
	root := t.TempDir()
	source := "export const plugin = 1;\n"
	for name, text := range map[string]string{
		"package.json": `{"version":"1.2.3"}`, "pkg/main.go": "package main\n", "src/module.ts": source, "node_modules/x/x.go": "package x\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	sum := sha256.Sum256([]byte("package main\n"))
	sources, err := json.Marshal(map[string]any{
		"sources":        []string{"webpack://" + pluginID + "/./module.ts", "webpack://" + pluginID + "/../node_modules/x/x.js"},
		"sourcesContent": []string{source, "x"},
	})
	require.NoError(t, err)
	p := &pack{root: root, machine: []string{root}, size: 1 << 20, files: map[string]packed{
		"README.md": {0o644, []byte("# Sound\n" + strings.Repeat("It says what it is for. ", 20) + "![p](https://example.com/p.png)")},
		"LICENSE":   {0o644, []byte("Apache License\nVersion 2.0, January 2004")}, "CHANGELOG.md": {0o644, []byte("# Changelog\n\n## 1.2.3\n")},
		"img/logo.svg": {0o644, []byte(`<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`)}, "img/a.png": {0o644, pngMagic},
		"dashboards/d.json": {0o644, []byte("{}")}, "gpx_woodshed_linux_amd64": {0o755, []byte("\x7fELF")},
		"go_plugin_build_manifest": {0o644, []byte(hex.EncodeToString(sum[:]) + ":pkg/main.go\n")},
		"module.js":                {0o644, []byte(`define(["@grafana/data","react"],(e)=>{console.error("x")})`)}, "module.js.map": {0o644, sources},
		"plugin.json": {0o644, []byte(`{
			"type":"datasource","name":"Sound","id":"` + pluginID + `","executable":"gpx_woodshed","backend":true,
			"info":{"description":"d","version":"1.2.3","updated":"2026-01-02","author":{"name":"a"},"keywords":["k"],"logos":{"small":"img/logo.svg","large":"img/logo.svg"},
				"links":[{"name":"repository","url":"https://example.com/r"}],"screenshots":[{"name":"A","path":"img/a.png"}]},
			"includes":[{"type":"dashboard","name":"D","path":"dashboards/d.json"},{"type":"page","name":"P","path":"/elsewhere"}],
			"dependencies":{"grafanaDependency":">=12.2.0"}}`)},
	}}
	p.name(t)
	return p
}

// name reads plugin.json and lists the files as the archive would.
func (p *pack) name(t *testing.T) {
	t.Helper()
	p.names = nil
	for name := range p.files {
		p.names = append(p.names, pluginID+"/"+name)
	}
	p.meta = pluginMeta{}
	require.NoError(t, json.Unmarshal(p.files["plugin.json"].data, &p.meta))
}

func (p *pack) replace(name, from, to string) {
	f := p.files[name]
	p.files[name] = packed{f.mode, []byte(strings.Replace(string(f.data), from, to, 1))}
}

// soundBuild stands for what a Go binary says of itself; the real one is read in tests/package_test.go.
func soundBuild(t *testing.T, change map[string]string) {
	t.Helper()
	real := readBuild
	t.Cleanup(func() { readBuild = real })
	readBuild = func([]byte) (map[string]string, error) {
		out := map[string]string{"GOOS": "linux", "GOARCH": "amd64", "CGO_ENABLED": "0", "-trimpath": "true"}
		for k, v := range change {
			out[k] = v
		}
		return out, nil
	}
}

func TestASoundPackagePasses(t *testing.T) {
	soundBuild(t, nil)
	require.NoError(t, soundPack(t).check())
}

// TestEveryRuleCanFail breaks one thing at a time.
func TestEveryRuleCanFail(t *testing.T) {
	text := func(name, from, to string) func(*pack) { return func(p *pack) { p.replace(name, from, to) } }
	add := func(name string, mode os.FileMode, data string) func(*pack) {
		return func(p *pack) { p.files[name] = packed{mode, []byte(data)} }
	}
	drop := func(name string) func(*pack) { return func(p *pack) { delete(p.files, name) } }
	broken := map[string][]func(*pack){
		"archive": {add("../x", 0o644, ""), add(`a\b`, 0o644, ""), add("link", os.ModeSymlink|0o644, "")},
		"metadata": {
			text("plugin.json", `"type":"datasource"`, `"type":"panel"`), text("plugin.json", `"name":"Sound"`, `"name":"`+pluginID+`"`),
			text("plugin.json", `"id":"`+pluginID, `"id":"Woodshed`), text("plugin.json", `"backend":true`, `"backend":false`),
			text("plugin.json", `"keywords":["k"]`, `"keywords":[]`), text("plugin.json", `>=12.2.0`, `latest`), text("plugin.json", `2026-01-02`, `%TODAY%`),
			text("plugin.json", `https://example.com/r`, `http://example.com/r`), text("plugin.json", `"description":"d"`, `"description":""`),
			text("plugin.json", `"executable":"gpx_woodshed"`, `"executable":"other"`), text("plugin.json", `"author":{"name":"a"}`, `"author":{}`),
			text("plugin.json", `{"name":"repository","url":"https://example.com/r"}`, ``),
		},
		"version":   {text("plugin.json", `1.2.3`, `1.2.4`), text("plugin.json", `1.2.3`, `v1`), text("CHANGELOG.md", `1.2.3`, `1.2.2`)},
		"readme":    {drop("README.md"), text("README.md", "Sound", "Grafana Data Source Plugin Template"), text("README.md", "Sound", "<!-- x -->"), text("README.md", "https://example.com/", "img/"), text("README.md", "Sound", `<img src="p.png">`), text("README.md", "Sound", "yarn install")},
		"license":   {drop("LICENSE"), text("LICENSE", "Apache", "Some"), text("LICENSE", "January", "{yyyy}")},
		"changelog": {add("CHANGELOG.md", 0o644, " \n")},
		"logos": {
			drop("img/logo.svg"), text("img/logo.svg", `<path d="M0 0"/>`, `<script/>`), text("img/logo.svg", `d="M0 0"`, `onclick="x"`), text("img/logo.svg", `d="M0 0"`, `href="x"`),
			text("img/logo.svg", `</svg>`, ``), text("plugin.json", `"small":"img/logo.svg"`, `"small":"img/a.png"`),
		},
		"screenshots": {text("plugin.json", `{"name":"A","path":"img/a.png"}`, ``), add("img/a.png", 0o644, "<svg"), text("plugin.json", `"name":"A"`, `"name":""`)},
		"paths":       {text("plugin.json", "dashboards/d.json", "dashboards/e.json"), text("plugin.json", "dashboards/d.json", "/dashboards/d.json"), drop("dashboards/d.json")},
		"binaries": {
			drop("gpx_woodshed_linux_amd64"), add("gpx_woodshed_linux_amd64", 0o644, ""), add("gpx_woodshed_linux_arm64", 0o755, ""), add("gpx_woodshed_plan9_mips", 0o755, ""), add("run.sh", 0o755, ""),
		},
		"go-manifest": {drop("go_plugin_build_manifest"), add("go_plugin_build_manifest", 0o644, "x:pkg/main.go\n"), add("go_plugin_build_manifest", 0o644, strings.Repeat("0", 64)+":pkg/main.go\n")},
		"module.js": {
			drop("module.js"), text("module.js", "define", "System.register"), text("module.js", `"react"`, `"react/jsx-runtime"`), text("module.js", "console.error", "console.log"),
			text("module.js", "console.error", "eval"), text("module.js", "console.error", "new Function"), text("module.js", "console.error", "window.grafanaBootData"), text("module.js", "console.error", "e.__SECRET_INTERNALS"),
			text("module.js", "console.error", "alert"),
		},
		"source map": {
			drop("module.js.map"), text("module.js.map", "plugin = 1", "plugin = 2"), text("module.js.map", "/./module.ts", "/./other.ts"), text("module.js.map", "webpack://", "/home/me/"),
			text("module.js.map", `,"x"`, ``), text("module.js.map", "/./module.ts", "/../module.ts"),
		},
		"css":       {add("a.css", 0o644, ""), func(p *pack) { writeSource(t, p, "import './a.scss';\n") }, func(p *pack) { writeSource(t, p, "x();\nimport s from \"./a.css\";\n") }},
		"leftovers": {add("standalone.txt", 0o644, ""), add("pid.txt", 0o644, ""), add("node_modules/x", 0o644, ""), add("a.test.ts", 0o644, ""), add("x.zip", 0o644, "")},
		"machine":   {func(p *pack) { p.files["x"] = packed{0o644, []byte("at " + p.root + "/pkg/main.go")} }},
		"size":      {func(p *pack) { p.size = sizeMax + 1 }},
	}
	for _, rule := range packageRules {
		require.NotEmpty(t, broken[rule.name], "%s: a rule needs a package that breaks it", rule.name)
	}
	for name, changes := range broken {
		for n, change := range changes {
			soundBuild(t, nil)
			p := soundPack(t)
			change(p)
			p.name(t)
			require.ErrorContains(t, p.check(), name+": ", "%s, case %d", name, n)
		}
	}
	for key, value := range map[string]string{"GOOS": "darwin", "GOARCH": "arm64", "CGO_ENABLED": "1", "-trimpath": ""} {
		soundBuild(t, map[string]string{key: value})
		require.ErrorContains(t, soundPack(t).check(), "binaries: ", key)
	}
	soundBuild(t, nil)
	p := soundPack(t)
	p.names = append(p.names, p.names[0], "elsewhere/x")
	require.Len(t, checkLayout(p), 2)
}

func writeSource(t *testing.T, p *pack, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.root, "src", "other.tsx"), []byte(text), 0o600))
}

// TestTheRulesAreDocumented: docs/validator.md names each.
func TestTheRulesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "validator.md"))
	require.NoError(t, err)
	for _, rule := range packageRules {
		require.Contains(t, string(doc), fmt.Sprintf("| `%s` |", rule.name))
	}
}
