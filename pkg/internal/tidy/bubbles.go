package tidy

import (
	"go/ast"
	"go/token"
)

// bubbles are the parts of a package that run with a fake clock: the arguments of synctest.Test, and the functions of its
// tests that are referred to from such parts alone.
type bubbles struct{ parts []ast.Node }

func (b *bubbles) contain(n ast.Node) bool { return b.at(n.Pos()) }

func (b *bubbles) at(pos token.Pos) bool {
	for _, p := range b.parts {
		if p.Pos() <= pos && pos < p.End() {
			return true
		}
	}
	return false
}

// bubblesOf looks through the tests of one package.
func bubblesOf(files []*File) *bubbles {
	b := &bubbles{}
	functions := map[string]*ast.FuncDecl{}
	uses := map[string][]token.Pos{}
	for _, f := range files {
		if !f.Test {
			continue
		}
		b.parts = append(b.parts, synctestCalls(f)...)
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				functions[fn.Name.Name] = fn
			}
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				uses[id.Name] = append(uses[id.Name], id.Pos())
			}
			return true
		})
	}
	// A function joins when all its uses lie in parts that joined before; until nothing changes.
	for grown := true; grown; {
		grown = false
		for name, fn := range functions {
			if !b.at(fn.Pos()) && b.onlyUse(fn, uses[name]) {
				b.parts = append(b.parts, fn)
				grown = true
			}
		}
	}
	return b
}

// onlyUse reports whether a function is used at all, and only from what is known already.
func (b *bubbles) onlyUse(fn *ast.FuncDecl, uses []token.Pos) bool {
	used := false
	for _, pos := range uses {
		if pos == fn.Name.Pos() {
			continue
		}
		if !b.at(pos) {
			return false
		}
		used = true
	}
	return used
}

// synctestCalls returns the calls of synctest.Test in a file.
func synctestCalls(f *File) []ast.Node {
	name, ok := importName(f, "testing/synctest")
	if !ok {
		return nil
	}
	var calls []ast.Node
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && isSelector(sel, name, "Test") {
				calls = append(calls, call)
			}
		}
		return true
	})
	return calls
}
