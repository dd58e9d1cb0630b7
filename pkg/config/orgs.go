package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// OrgIDs are organisations of Grafana, by id.
type OrgIDs []int64

// ParseOrgIDs reads "1 3" or "1,3".
func ParseOrgIDs(s string) (OrgIDs, error) {
	var out OrgIDs
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("%q is not an organisation's id; write for example 1 3", part)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// String prints the ids as ParseOrgIDs reads them.
func (o OrgIDs) String() string {
	parts := make([]string, len(o))
	for i, id := range o {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, " ")
}

// UnmarshalYAML reads a list of ids, one id, or the one-line form.
func (o *OrgIDs) UnmarshalYAML(n *yaml.Node) error {
	text := n.Value
	switch {
	case n.Kind == yaml.SequenceNode:
		var parts []string
		if err := n.Decode(&parts); err != nil {
			return fmt.Errorf("line %d: expected a list of organisation ids", n.Line)
		}
		text = strings.Join(parts, " ")
	case n.Kind != yaml.ScalarNode:
		return fmt.Errorf("line %d: expected a list of organisation ids", n.Line)
	case n.ShortTag() == "!!null":
		text = ""
	}
	v, err := ParseOrgIDs(text)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*o = v
	return nil
}
