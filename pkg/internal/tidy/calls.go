package tidy

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// sleepAllowed lists files that may call time.Sleep, each with the reason.
var sleepAllowed = map[string]string{}

// checkSleep refuses time.Sleep: production code waits for an event with a context, tests wait for a condition. Inside
// synctest.Test, and in functions that are called from nowhere else, the clock is not real and sleeping is free.
func checkSleep(t *Tree) []Violation {
	var found []Violation
	byPackage := map[string][]*File{}
	for f := range t.written {
		byPackage[f.Package] = append(byPackage[f.Package], f)
	}
	for f := range t.written {
		timeName, ok := importName(f, "time")
		if !ok || sleepAllowed[f.Path] != "" {
			continue
		}
		var bubbles *bubbles
		ast.Inspect(f.AST, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !isSelector(sel, timeName, "Sleep") {
				return true
			}
			if bubbles == nil {
				bubbles = bubblesOf(byPackage[f.Package])
			}
			if !bubbles.contain(n) {
				found = append(found, t.at(f, n.Pos(), "time.Sleep: wait for the event, or use testing/synctest"))
			}
			return true
		})
	}
	return found
}

// printers may write to the process' own output: programs, not libraries. Tests may too.
var printers = []string{"", "/internal/dev", "app"}

// streamsAllowed lists files of libraries that may name the process' streams, each with the reason.
var streamsAllowed = map[string]string{
	"pkg/cli/stdio.go": "where the streams enter; every command takes them from there",
}

// checkPrint refuses output to the process' streams from libraries: the plugin protocol owns stdout.
func checkPrint(t *Tree) []Violation {
	var found []Violation
	for f := range t.written {
		if f.Test || slices.Contains(printers, f.Package) {
			continue
		}
		fmtName, hasFmt := importName(f, "fmt")
		osName, hasOS := importName(f, "os")
		hasOS = hasOS && streamsAllowed[f.Path] == ""
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if hasFmt && isSelector(n, fmtName, "Print", "Printf", "Println") {
					found = append(found, t.at(f, n.Pos(), "fmt.%s in a library: return it, or log it with slog", n.Sel.Name))
				}
				if hasOS && isSelector(n, osName, "Stdout", "Stderr", "Stdin") {
					found = append(found, t.at(f, n.Pos(), "os.%s in a library: take a reader or writer", n.Sel.Name))
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
					found = append(found, t.at(f, n.Pos(), "%s is for debugging", id.Name))
				}
			}
			return true
		})
	}
	return found
}

// globals are process-wide singletons that only app and main may touch; everything else has them injected.
var globals = []struct {
	path  string
	names []string
	why   string
}{
	{"github.com/prometheus/client_golang/prometheus",
		[]string{"DefaultRegisterer", "DefaultGatherer", "MustRegister", "Register", "Unregister"}, "take a prometheus.Registerer"},
	{"github.com/prometheus/client_golang/prometheus/promauto",
		[]string{"NewCounter", "NewCounterVec", "NewCounterFunc", "NewGauge", "NewGaugeVec", "NewGaugeFunc", "NewHistogram",
			"NewHistogramVec", "NewSummary", "NewSummaryVec", "NewUntypedFunc"}, "use promauto.With(registerer)"},
	{"github.com/prometheus/client_golang/prometheus/promhttp", []string{"Handler"}, "use HandlerFor(gatherer)"},
	{"log/slog", []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext",
		"WarnContext", "ErrorContext"}, "take a *slog.Logger"},
	{"net/http", []string{"Handle", "HandleFunc", "DefaultServeMux", "ListenAndServe", "ListenAndServeTLS"}, "use a server and mux of your own"},
}

var composers = []string{"app", "", "/internal/dev"}

func checkInjected(t *Tree) []Violation {
	var found []Violation
	for f := range t.written {
		if f.Test || slices.Contains(composers, f.Package) {
			continue
		}
		for _, g := range globals {
			name, ok := importName(f, g.path)
			if !ok {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && isSelector(sel, name, g.names...) {
					found = append(found, t.at(f, n.Pos(), "%s.%s is process-wide: %s", name, sel.Sel.Name, g.why))
				}
				return true
			})
		}
	}
	return found
}

// importName returns the name that a file knows an import by.
func importName(f *File, importPath string) (string, bool) {
	for _, spec := range f.AST.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil || p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, true
		}
		return p[strings.LastIndexByte(p, '/')+1:], true
	}
	return "", false
}

// isSelector reports whether sel is pkg.name for one of the names.
func isSelector(sel *ast.SelectorExpr, pkg string, names ...string) bool {
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg && slices.Contains(names, sel.Sel.Name)
}
