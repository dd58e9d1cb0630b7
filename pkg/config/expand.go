package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expandNode replaces $VAR, ${VAR} and ${VAR:default} in the values of a document, and $$ by one dollar. It works on
// parsed values rather than on the text, so a variable can never add keys, and errors name the right line.
func expandNode(n *yaml.Node, lookup func(string) (string, bool)) error {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if err := expandNode(n.Content[i], lookup); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := expandNode(item, lookup); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		if !strings.Contains(n.Value, "$") {
			return nil
		}
		value, err := Expand(n.Value, lookup)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		if value != n.Value {
			n.Value = value
			if n.Style == 0 { // plain: the new text may be a number or a bool
				n.Tag = ""
			}
		}
	}
	// An alias repeats a node that is expanded where it stands.
	return nil
}

// Expand replaces variables in one value. A dollar that begins no name stays, so regular expressions need no escapes.
func Expand(s string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{"):
			body, after, closed := strings.Cut(rest[1:], "}")
			name, fallback, hasFallback := strings.Cut(body, ":")
			if !closed || name == "" || nameLen(name) != len(name) {
				b.WriteString("${") // not a variable: ${1} of a template, x${ of a regular expression
				s = rest[1:]
				continue
			}
			value, ok := lookup(name)
			switch {
			case ok && value != "":
				b.WriteString(value)
			case hasFallback:
				b.WriteString(fallback)
			case !ok:
				return "", fmt.Errorf("the environment has no %s; write ${%s:default} to do without", name, name)
			}
			s = after
		default:
			n := nameLen(rest)
			if n == 0 {
				b.WriteByte('$')
				s = rest
				continue
			}
			value, ok := lookup(rest[:n])
			if !ok {
				return "", fmt.Errorf("the environment has no %s; write ${%s:default} to do without, or $$ for a dollar", rest[:n], rest[:n])
			}
			b.WriteString(value)
			s = rest[n:]
		}
	}
}

// nameLen returns how many leading bytes of s are a variable's name.
func nameLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
