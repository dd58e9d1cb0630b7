package template

import (
	"maps"
	"slices"
	"text/template/parse"
)

// Reads is what a template may read of an entry.
type Reads struct {
	Line     bool
	AllNames bool     // the labels as a whole, as {{range .}} does
	Names    []string // sorted; none with AllNames
}

// readsOf finds out what the template of that name reads: a label is read as .name, $.name or index . "name". Whenever the
// dot is used otherwise, anything may be read. Templates that it defines see a dot of their own; to hand them the labels is
// such a use.
func readsOf(trees map[string]*parse.Tree, name string) Reads {
	a := analysis{names: map[string]bool{}}
	a.node(trees[name].Root, true)
	for other, tree := range trees {
		if other != name {
			line := analysis{names: map[string]bool{}}
			line.node(tree.Root, false)
			a.line = a.line || line.line
		}
	}
	if a.all {
		return Reads{Line: a.line, AllNames: true}
	}
	return Reads{Line: a.line, Names: slices.Sorted(maps.Keys(a.names))}
}

type analysis struct {
	names     map[string]bool
	all, line bool
}

// node notes what the node reads. labels says whether the dot is the labels there.
func (a *analysis) node(n parse.Node, labels bool) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			a.node(child, labels)
		}
	case *parse.ActionNode:
		a.pipe(n.Pipe, labels)
	case *parse.TemplateNode:
		a.pipe(n.Pipe, labels)
	case *parse.IfNode:
		a.branch(&n.BranchNode, labels, labels)
	case *parse.WithNode:
		a.branch(&n.BranchNode, labels, false)
	case *parse.RangeNode:
		a.branch(&n.BranchNode, labels, false)
	case *parse.PipeNode:
		a.pipe(n, labels)
	case *parse.ChainNode:
		a.node(n.Node, labels)
	case *parse.DotNode:
		a.all = a.all || labels
	case *parse.FieldNode:
		if labels {
			a.names[n.Ident[0]] = true
		}
	case *parse.VariableNode: // any but $ holds what was noted when it was assigned
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			a.names[n.Ident[1]] = true
		} else if n.Ident[0] == "$" {
			a.all = true
		}
	case *parse.IdentifierNode:
		a.line = a.line || n.Ident == "__line__"
	}
}

// branch notes what if, with and range read; inside is labels for the list that with and range give a dot of its own.
func (a *analysis) branch(b *parse.BranchNode, labels, inside bool) {
	a.pipe(b.Pipe, labels)
	a.node(b.List, inside)
	a.node(b.ElseList, labels)
}

func (a *analysis) pipe(p *parse.PipeNode, labels bool) {
	if p == nil {
		return
	}
	for _, cmd := range p.Cmds {
		if name, ok := indexedName(cmd, labels); ok {
			a.names[name] = true
			continue
		}
		for _, arg := range cmd.Args {
			a.node(arg, labels)
		}
	}
}

// indexedName returns the name in index . "name" and index $ "name".
func indexedName(cmd *parse.CommandNode, labels bool) (string, bool) {
	if len(cmd.Args) != 3 {
		return "", false
	}
	function, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok || function.Ident != "index" {
		return "", false
	}
	switch of := cmd.Args[1].(type) {
	case *parse.DotNode:
		if !labels {
			return "", false
		}
	case *parse.VariableNode:
		if len(of.Ident) != 1 || of.Ident[0] != "$" {
			return "", false
		}
	default:
		return "", false
	}
	name, ok := cmd.Args[2].(*parse.StringNode)
	if !ok {
		return "", false
	}
	return name.Text, true
}
