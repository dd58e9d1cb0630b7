// Package tidy is the repository's own lint, run as a test: what a reviewer would otherwise have to say again and again.
//
// It parses every Go file below pkg/, internal/ and tests/ (no type checking, so it takes a second) and holds them to rules, one
// file each: who may import whom (imports.go, the table of docs/architecture.md), third-party names (fences.go), comments
// (comments.go), calls (calls.go), names (names.go), files that must be links (links.go). Lengths are only reported
// (lengths.go). An exception stands in the rule's own allow-list, with the reason beside it.
//
// To add a rule: a function from a Tree to violations, a row in rules, and in rules_test.go one source that it accepts
// and one that it refuses.
package tidy

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// module is our import path. Packages are named by their path below pkg ("wal"; "" is main), those outside pkg by their
// path with a leading slash ("/internal/dev").
const module = "github.com/woodshed-logs/woodshed"

// Violation is one breach of a rule.
type Violation struct {
	Rule string
	Path string
	Line int // 0 when it is about the whole file
	Text string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return fmt.Sprintf("%s: %s [%s]", v.Path, v.Text, v.Rule)
	}
	return fmt.Sprintf("%s:%d: %s [%s]", v.Path, v.Line, v.Text, v.Rule)
}

// rules is every check, by the name that its violations carry.
var rules = []struct {
	name  string
	check func(*Tree) []Violation
}{
	{"layers", checkLayers},
	{"fences", checkFences},
	{"package-comment", checkPackageComments},
	{"unfinished", checkUnfinished},
	{"sleep", checkSleep},
	{"print", checkPrint},
	{"injected", checkInjected},
	{"glossary", checkNames},
}

// Check runs every rule and returns what it found, in order of files.
func (t *Tree) Check() []Violation {
	var found []Violation
	for _, r := range rules {
		for _, v := range r.check(t) {
			v.Rule = r.name
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return found
}

// Tree is a parsed repository.
type Tree struct {
	Files []*File // in order of paths
	fset  *token.FileSet
}

// File is one parsed Go file.
type File struct {
	Path      string // slash separated, below the repository's root
	Package   string // "wal", "logql/syntax", "" for pkg itself, "/internal/dev" outside pkg
	Test      bool   // *_test.go, or below tests/
	Generated bool
	Lines     int
	AST       *ast.File
}

// Load parses the repository at root.
func Load(root string) (*Tree, error) {
	sources := map[string][]byte{}
	for _, top := range []string{"pkg", "internal", "tests"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // no such top directory, or a file that another process just removed
			case err != nil:
				return err
			case d.IsDir() && skippedDir(d.Name()):
				return filepath.SkipDir
			case d.IsDir() || path.Ext(d.Name()) != ".go":
				return nil
			}
			src, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			sources[filepath.ToSlash(rel)] = src
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", top, err)
		}
	}
	return parse(sources)
}

func skippedDir(name string) bool {
	return name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// parse builds a tree from sources by path.
func parse(sources map[string][]byte) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	for name, src := range sources {
		f, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		t.Files = append(t.Files, &File{
			Path:      name,
			Package:   packageOf(path.Dir(name)),
			Test:      strings.HasSuffix(name, "_test.go") || under(path.Dir(name), "tests"),
			Generated: ast.IsGenerated(f),
			Lines:     t.fset.Position(f.FileEnd).Line,
			AST:       f,
		})
	}
	slices.SortFunc(t.Files, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
	return t, nil
}

// packageOf names the package in a directory.
func packageOf(dir string) string {
	if dir == "pkg" {
		return ""
	}
	if below, ok := strings.CutPrefix(dir, "pkg/"); ok {
		return below
	}
	return "/" + dir
}

// at makes a violation at a node.
func (t *Tree) at(f *File, pos token.Pos, format string, args ...any) Violation {
	return Violation{Path: f.Path, Line: t.fset.Position(pos).Line, Text: fmt.Sprintf(format, args...)}
}

// written yields the files that people wrote.
func (t *Tree) written(yield func(*File) bool) {
	for _, f := range t.Files {
		if !f.Generated && !yield(f) {
			return
		}
	}
}

// under reports whether a package is dir or lies below it.
func under(pkg, dir string) bool {
	return pkg == dir || strings.HasPrefix(pkg, dir+"/")
}
