package tidy

import (
	"slices"
	"strconv"
	"strings"
)

// fence keeps a third-party (or standard) package where it belongs.
type fence struct {
	path  string   // the import path or a prefix of it
	in    []string // packages that may import it, with all below them; "" is main
	tests bool     // tests everywhere may
	why   string
}

// nobody is for packages that no package imports.
var nobody = []string{}

var fences = []fence{
	{"github.com/grafana/grafana-plugin-sdk-go", []string{"plugin", "app", "", testkit, "/internal/dev"}, false, "the SDK stays in plugin, app and main, and testkit"},
	{"github.com/hashicorp/go-plugin", []string{"plugin", testkit}, false, "the plugin protocol stays in plugin and testkit"},
	{"github.com/hashicorp/go-hclog", []string{"plugin", testkit}, false, "log/slog everywhere; the adapter is in plugin"},
	{"go.etcd.io/bbolt", []string{"logdb/index"}, false, "bbolt stays in logdb/index"},
	{"github.com/RoaringBitmap/roaring", []string{"logdb"}, false, "bitmaps are how logdb stores postings; others see StreamRefs"},
	{"github.com/grafana/dskit", []string{"cluster"}, false, "dskit stays in cluster"},
	{"gocloud.dev", []string{"bucket"}, false, "the object-store client stays in bucket"},
	{"net/http", []string{"lokiapi", "plugin", "cli", "app", "", testkit, "/internal/dev"}, true, "HTTP belongs to the edges"},
	{"html/template", []string{"lokiapi"}, false, "pages belong to lokiapi"},
	{"golang.org/x/term", []string{"cli", ""}, false, "terminals belong to cli"},
	{"github.com/magefile/mage", []string{"/internal/dev"}, false, "build tools stay in internal/dev"},
	{"github.com/compose-spec/compose-go", nobody, true, "only tests read docker-compose.yaml"},
	{"github.com/stretchr/testify", []string{testkit, "logql/logqltest"}, true, "test code stays in tests"},
	{"go.uber.org/goleak", []string{testkit}, true, "test code stays in tests"},
	{"pgregory.net/rapid", []string{testkit, "logql/logqltest"}, true, "test code stays in tests"},
	{"github.com/google/go-cmp", []string{testkit}, true, "test code stays in tests"},
	{"testing", []string{testkit, "logql/logqltest"}, true, "test code stays in tests"},
	{"github.com/grafana/loki/v3", nobody, false, "Loki is AGPL: learn from it, link none of it"},
	{"github.com/grafana/loki/pkg/push", []string{"cli", testkit}, true, "Loki's own types are for generating and comparing; wire decodes by hand"},
	{"github.com/prometheus/prometheus", nobody, false, "of Prometheus we use only model/labels"},
	{"log", nobody, false, "log/slog everywhere"},
	{"github.com/sirupsen/logrus", nobody, false, "log/slog everywhere"},
	{"github.com/pkg/errors", nobody, false, "errors and fmt do it"},
	{"io/ioutil", nobody, false, "deprecated"},
}

// open are paths below a fence that everybody may import.
var open = []string{
	"github.com/prometheus/prometheus/model/labels",
}

func checkFences(t *Tree) []Violation {
	var found []Violation
	for f := range t.written {
		for _, spec := range f.AST.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil || slices.Contains(open, p) {
				continue
			}
			for _, fc := range fences {
				if fc.keepsOut(f, p) {
					found = append(found, t.at(f, spec.Pos(), "%s imports %s: %s", nameOf(f.Package), p, fc.why))
				}
			}
		}
	}
	return found
}

func (fc fence) keepsOut(f *File, importPath string) bool {
	if importPath != fc.path {
		// log/slog and testing/synctest are packages of their own, not parts of log and testing.
		if !strings.Contains(fc.path, ".") || !strings.HasPrefix(importPath, fc.path+"/") {
			return false
		}
	}
	if f.Test && (fc.tests || under(f.Package, "/tests")) {
		return false
	}
	for _, in := range fc.in {
		if in == f.Package || in != "" && under(f.Package, in) {
			return false
		}
	}
	return true
}
