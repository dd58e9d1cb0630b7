package syntax

import (
	"fmt"
	"text/template/parse"
)

// templateFunctions are the names that a template may call: Loki's own, those Loki takes from sprig, and Go's. What they
// do is the affair of package template, whose tests insist on the same names.
var templateFunctions = templateNames(
	"__line__", "__timestamp__",
	"ToLower", "ToUpper", "Replace", "Trim", "TrimLeft", "TrimRight", "TrimPrefix", "TrimSuffix", "TrimSpace",
	"regexReplaceAll", "regexReplaceAllLiteral", "count", "urldecode", "urlencode", "bytes", "duration", "duration_seconds",
	"unixEpochMillis", "unixEpochNanos", "toDateInZone", "unixToTime", "alignLeft", "alignRight", "b64dec",

	"b64enc", "lower", "upper", "title", "trunc", "substr", "contains", "hasPrefix", "hasSuffix", "indent", "nindent",
	"replace", "repeat", "trim", "trimAll", "trimSuffix", "trimPrefix", "int", "float64", "add", "sub", "mul", "div", "mod",
	"addf", "subf", "mulf", "divf", "max", "min", "maxf", "minf", "ceil", "floor", "round", "fromJson", "date", "toDate",
	"now", "unixEpoch", "default",

	"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "call", "print", "printf", "println",
	"html", "js", "urlquery",
)

// templateNames makes a set in the form that the parser of templates asks for.
func templateNames(names ...string) map[string]any {
	set := map[string]any{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// TemplateFunctions returns whether a template may call a name, for each that it may.
func TemplateFunctions() map[string]any { return templateFunctions }

// ParseTemplate parses the template of a line_format ("line") or label_format ("label"). The trees are those of the
// template, under its name, and of what it defines; they belong to the caller. A template that calls itself, by whatever
// way, is refused: text/template would follow it until the stack is full.
func ParseTemplate(name, text string) (map[string]*parse.Tree, error) {
	trees := map[string]*parse.Tree{}
	tree, err := parse.New(name).Parse(text, "", "", trees, templateFunctions)
	if err != nil {
		return nil, err
	}
	if trees[name] == nil { // of nothing but definitions
		trees[name] = tree
	}
	calls := map[string][]string{}
	for name, t := range trees {
		calls[name] = templateCalls(nil, t.Root)
	}
	done := map[string]bool{}
	for name := range trees {
		if callsItself(calls, name, done, map[string]bool{}) {
			return nil, fmt.Errorf("template: %s: a template calls itself", name)
		}
	}
	return trees, nil
}

// templateCalls appends the names of the templates that the node calls.
func templateCalls(names []string, n parse.Node) []string {
	branch := func(b *parse.BranchNode) []string {
		names := templateCalls(names, b.List)
		if b.ElseList != nil {
			names = templateCalls(names, b.ElseList)
		}
		return names
	}
	switch n := n.(type) {
	case *parse.TemplateNode:
		return append(names, n.Name)
	case *parse.ListNode:
		for _, child := range n.Nodes {
			names = templateCalls(names, child)
		}
	case *parse.IfNode:
		return branch(&n.BranchNode)
	case *parse.RangeNode:
		return branch(&n.BranchNode)
	case *parse.WithNode:
		return branch(&n.BranchNode)
	}
	return names
}

// callsItself looks for a cycle that can be reached from name. done are names from which there is none; path are those
// that lead here.
func callsItself(calls map[string][]string, name string, done, path map[string]bool) bool {
	if done[name] {
		return false
	}
	if path[name] {
		return true
	}
	path[name] = true
	for _, called := range calls[name] {
		if callsItself(calls, called, done, path) {
			return true
		}
	}
	delete(path, name)
	done[name] = true
	return false
}
