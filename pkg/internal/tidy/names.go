package tidy

import (
	"fmt"
	"go/ast"
	"strings"
	"unicode"
)

// banned are words of the glossary's right column that never fit, with the word to use. Those that are right somewhere
// (record in the WAL, frame in Grafana, range in LogQL, …) are left to reviewers.
var banned = map[string]string{
	"tag":       "label",
	"tags":      "labels",
	"user":      "tenant",
	"users":     "tenants",
	"memtable":  "head",
	"sstable":   "block",
	"gateway":   "distributor",
	"visitor":   "rule",
	"datapoint": "sample",
	"point":     "sample",
	"points":    "samples",
	"metadatas": "metadata",
}

// namesAllowed lists exported names, as package.Name, that may hold a banned word, with the reason.
var namesAllowed = map[string]string{
	"lokiapi.BuildUser":              "a field of Loki's buildinfo",
	"limits.MaxLocalStreamsPerUser":  "a key of Loki's limits_config",
	"limits.MaxGlobalStreamsPerUser": "a key of Loki's limits_config",
}

// checkNames holds exported names to the glossary.
func checkNames(t *Tree) []Violation {
	var found []Violation
	for f := range t.written {
		if f.Test {
			continue
		}
		for _, id := range exported(f.AST) {
			if namesAllowed[f.Package+"."+id.Name] != "" {
				continue
			}
			for _, w := range words(id.Name) {
				if use, bad := banned[w]; bad {
					found = append(found, t.at(f, id.Pos(), "%s: the glossary has no %q here, it says %q", id.Name, w, use))
				}
			}
		}
	}
	return found
}

// exported returns the exported names that a file declares: types and their fields and methods, functions, values.
func exported(file *ast.File) []*ast.Ident {
	var ids []*ast.Ident
	add := func(list ...*ast.Ident) {
		for _, id := range list {
			if id != nil && id.IsExported() {
				ids = append(ids, id)
			}
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add(d.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					add(s.Names...)
				case *ast.TypeSpec:
					add(s.Name)
					for _, field := range fieldsOf(s.Type) {
						add(field.Names...)
					}
				}
			}
		}
	}
	return ids
}

func fieldsOf(e ast.Expr) []*ast.Field {
	switch e := e.(type) {
	case *ast.StructType:
		return e.Fields.List
	case *ast.InterfaceType:
		return e.Methods.List
	}
	return nil
}

// words splits a Go name: HTTPServerID is http, server, id.
func words(name string) []string {
	var list []string
	rs := []rune(name)
	start := 0
	for i := 1; i <= len(rs); i++ {
		if i < len(rs) && !wordStart(rs, i) {
			continue
		}
		if w := strings.Trim(string(rs[start:i]), "_0123456789"); w != "" {
			list = append(list, strings.ToLower(w))
		}
		start = i
	}
	return list
}

// wordStart reports whether a word begins at i: an upper-case letter after a lower-case one, or before one.
func wordStart(rs []rune, i int) bool {
	if rs[i] == '_' {
		return true
	}
	if !unicode.IsUpper(rs[i]) {
		return false
	}
	return !unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])
}

func (t *Tree) count() string {
	tests := 0
	for _, f := range t.Files {
		if f.Test {
			tests++
		}
	}
	return fmt.Sprintf("%d files, %d of them tests", len(t.Files), tests)
}
