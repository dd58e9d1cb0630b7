package tidy

import (
	"cmp"
	"fmt"
	"go/ast"
	"slices"
)

// Sizes to hold, as a guide: what is longer is listed, not refused.
const (
	fileLinesMax         = 500
	functionLinesMax     = 70
	interfaceMethodsMax  = 6
	functionParamsMax    = 5
	reportedFunctionsMax = 40
)

// Lengths lists what is longer than the style guide likes, longest first within each kind.
func (t *Tree) Lengths() []string {
	type long struct {
		kind, where string
		size, limit int
	}
	var found []long
	add := func(f *File, kind string, n ast.Node, name string, size, limit int) {
		if size <= limit {
			return
		}
		where := f.Path
		if n != nil {
			where = fmt.Sprintf("%s:%d %s", f.Path, t.fset.Position(n.Pos()).Line, name)
		}
		found = append(found, long{kind, where, size, limit})
	}
	for f := range t.written {
		add(f, "lines in a file", nil, "", f.Lines, fileLinesMax)
		for _, d := range f.AST.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				size := t.fset.Position(d.End()).Line - t.fset.Position(d.Pos()).Line + 1
				add(f, "lines in a function", d, d.Name.Name, size, functionLinesMax)
				add(f, "parameters", d, d.Name.Name, d.Type.Params.NumFields(), functionParamsMax)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() {
						if it, ok := ts.Type.(*ast.InterfaceType); ok {
							add(f, "methods of an interface", ts, ts.Name.Name, it.Methods.NumFields(), interfaceMethodsMax)
						}
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b long) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(b.size, a.size))
	})
	lines := make([]string, 0, len(found))
	for _, l := range found {
		lines = append(lines, fmt.Sprintf("%d %s (guide: %d): %s", l.size, l.kind, l.limit, l.where))
	}
	return lines[:min(len(lines), reportedFunctionsMax)]
}
