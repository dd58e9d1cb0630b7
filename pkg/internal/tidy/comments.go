package tidy

import (
	"path"
	"regexp"
	"strings"
)

// checkPackageComments asks for one comment per package that starts as Go's tools expect.
func checkPackageComments(t *Tree) []Violation {
	first := map[string]*File{}
	has := map[string]bool{}
	var order []string
	for f := range t.written {
		if f.Test {
			continue
		}
		dir := path.Dir(f.Path)
		if first[dir] == nil {
			first[dir] = f
			order = append(order, dir)
		}
		if f.AST.Doc == nil {
			continue
		}
		want := "Package " + f.AST.Name.Name + " "
		if f.AST.Name.Name == "main" {
			want = ""
		}
		if strings.HasPrefix(f.AST.Doc.Text(), want) {
			has[dir] = true
		}
	}
	var found []Violation
	for _, dir := range order {
		if f := first[dir]; !has[dir] {
			found = append(found, Violation{Path: f.Path, Text: "package " + f.AST.Name.Name +
				" has no comment that begins with \"Package " + f.AST.Name.Name + " \": say what it is, owns and must not know"})
		}
	}
	return found
}

// The words that mark something unfinished. Written in pieces, so that this file does not break its own rule.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// checkUnfinished refuses notes about work that is left: it is done, or it is an issue.
func checkUnfinished(t *Tree) []Violation {
	var found []Violation
	for f := range t.written {
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				if word := unfinished.FindString(c.Text); word != "" {
					found = append(found, t.at(f, c.Pos(), "a comment says %s: finish it, or file an issue and describe what is", word))
				}
			}
		}
	}
	return found
}
