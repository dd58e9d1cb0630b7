package tidy

import (
	"slices"
	"strconv"
	"strings"
)

// everything marks a package that may import any other.
const everything = "*"

// layers is the table of docs/architecture.md: what each package may import of ours, besides shared. A name that ends in
// /... stands for the package and all below it.
var layers = map[string][]string{
	"model": {}, "vfs": {}, "match": {}, "internal/invariant": {}, "internal/jsontext": {},

	"wal":     {},
	"storage": {},
	"wire":    {},
	"derive":  {"internal/jsontext"},
	"limits":  {},
	"history": {},

	"logdb/record":    {"wire", "derive", "storage"},
	"logdb/chunk":     {"storage"},
	"logdb/index":     {"storage"},
	"logql/syntax":    {},
	"logql/template":  {"logql/syntax"},
	"logql/pipeline":  {"logql/syntax", "logql/template", "storage", "internal/jsontext"},
	"logql/plan":      {"logql/syntax", "logql/pipeline", "storage"},
	"logql/engine":    {"logql/syntax", "logql/pipeline", "logql/plan", "storage"},
	"logql/logqltest": {"logql/syntax", "logql/pipeline", "logql/plan", "logql/engine", "logql/logqltest/naive", "storage"},

	// Not the pipeline, the plan, the engine: it is what they are compared with.
	"logql/logqltest/naive": {"logql/syntax", "logql/template"},

	"logdb/head":    {"logdb/record", "logdb/chunk", "logdb/index", "wire", "derive", "storage"},
	"logdb/block":   {"logdb/chunk", "logdb/index", "storage"},
	"logdb/compact": {"logdb/block", "logdb/chunk", "logdb/index", "storage"},

	// derive and wire: replay decodes and derives again what was pushed.
	"logdb":  {"logdb/...", "wal", "storage", "limits", "wire", "derive"},
	"bucket": {"logdb/block", "logdb/chunk", "logdb/index", "storage"},

	"config":  {"limits"},
	"cluster": {},
	"rpc":     {"storage"},

	"ingester":    {"logdb", "bucket", "limits", "storage", "rpc"},
	"distributor": {"wire", "derive", "limits", "cluster", "storage", "rpc"},
	"querier":     {"storage", "bucket", "cluster", "rpc"},
	"compactor":   {"bucket", "logdb/compact", "storage"},

	"lokiapi": {"storage", "wire", "logql/engine", "logql/syntax", "limits", "config"},
	"plugin":  {"storage", "wire", "logql/engine", "logql/syntax", "limits", "config", "history"},
	"cli":     {"storage", "wire", "logql/engine", "logql/syntax", "limits", "config", "logdb/...", "wal", "bucket"},

	"app":               {everything},
	"":                  {everything}, // main
	"internal/tidy":     {},
	"/internal/testkit": {everything}, // outside pkg, so that tests/ can import it
	"/internal/dev":     {},           // what mage runs; it starts the built binary and knows nothing of its inside
}

// shared may be imported by every package above layer 0.
var shared = []string{"model", "vfs", "match", "internal/invariant"}

// layerZero is below shared: these import nothing of ours but the checks.
var layerZero = []string{"model", "vfs", "match", "internal/invariant"}

// edges may never import roles: app hands them in. The table says so too; this names the rule that was broken.
var (
	edges = []string{"lokiapi", "plugin", "cli"}
	roles = []string{"ingester", "distributor", "querier", "compactor"}
)

func checkLayers(t *Tree) []Violation {
	var found []Violation
	reported := map[string]bool{}
	for f := range t.written {
		if under(f.Package, "/tests") {
			continue
		}
		allowed, known := layers[f.Package]
		if !known {
			if !reported[f.Package] {
				reported[f.Package] = true
				found = append(found, Violation{Path: f.Path, Text: "package " + f.Package + " has no row in the table of layers (imports.go, docs/architecture.md)"})
			}
			continue
		}
		for _, spec := range f.AST.Imports {
			to, ours := internalPath(spec.Path.Value)
			if !ours || to == f.Package {
				continue
			}
			if why := forbidden(f, allowed, to); why != "" {
				found = append(found, t.at(f, spec.Pos(), "%s imports %s: %s", nameOf(f.Package), nameOf(to), why))
			}
		}
	}
	return found
}

// forbidden says why a file may not import a package, "" when it may.
func forbidden(f *File, allowed []string, to string) string {
	switch {
	case under(f.Package, "logql") && under(to, "logdb"), under(f.Package, "logdb") && under(to, "logql"):
		return "logql and logdb know only storage, never each other"
	case under(to, testkit) && !f.Test && !under(f.Package, testkit):
		return "testkit is for tests"
	case slices.Contains(edges, f.Package) && slices.Contains(roles, to):
		return "edges declare the interface they need, app hands the role in"
	case slices.Contains(allowed, everything), f.Test && testMay(f, to):
		return ""
	case slices.Contains(layerZero, f.Package):
		if to == "internal/invariant" || f.Test {
			return ""
		}
		return "layer 0 imports nothing of ours"
	case slices.Contains(shared, to):
		return ""
	}
	for _, a := range allowed {
		if dir, tree := strings.CutSuffix(a, "/..."); a == to || tree && under(to, dir) {
			return ""
		}
	}
	return "not in the table of layers"
}

const testkit = "/internal/testkit"

// testMay lists what a test may import besides its package's own: contracts, decoders and the kit, and for the stages of
// LogQL the runner of its scripts.
func testMay(f *File, to string) bool {
	switch to {
	case "storage", "wire", "derive", "limits":
		return true
	case "logql/logqltest":
		return under(f.Package, "logql")
	}
	return under(to, testkit)
}

// internalPath strips the module from a quoted import path.
func internalPath(quoted string) (string, bool) {
	p, err := strconv.Unquote(quoted)
	if err != nil {
		return "", false
	}
	dir, ours := strings.CutPrefix(p, module+"/")
	return packageOf(dir), ours
}

func nameOf(pkg string) string {
	if pkg == "" {
		return "main"
	}
	return pkg
}
