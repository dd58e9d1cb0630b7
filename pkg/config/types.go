package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Bytes is written as in the limits, so that 64MB means the same in every line of the file: 64MiB, or 67108864.
type Bytes = limits.Bytes

// Duration is written as in the limits: 30s, 1h30m, 7d.
type Duration = limits.Duration

// Sync says when the write-ahead log is fsynced.
type Sync string

// The ways to sync: before every acknowledgement, every so often, or when the system pleases.
const (
	SyncBatch    Sync = "batch"
	SyncInterval Sync = "interval"
	SyncOff      Sync = "off"
)

func (s Sync) valid() bool { return s == SyncBatch || s == SyncInterval || s == SyncOff }

// OrgTenants maps an organisation's id in Grafana to the tenants that it may read, the first one by default.
type OrgTenants map[int64][]model.TenantID

// ParseOrgTenants reads "1=fake,team-a 2=team-b". The separator is a space because grafana.ini takes ; and # for comments.
func ParseOrgTenants(s string) (OrgTenants, error) {
	const want = "write for example 1=fake,team-a 2=team-b"
	m := OrgTenants{}
	for _, part := range strings.Fields(s) {
		org, list, found := strings.Cut(part, "=")
		id, err := strconv.ParseInt(org, 10, 64)
		if !found || err != nil || id <= 0 {
			return nil, fmt.Errorf("%q is not an organisation with its tenants; %s", part, want)
		}
		if _, twice := m[id]; twice {
			return nil, fmt.Errorf("organisation %d is listed twice; %s", id, want)
		}
		m[id] = nil
		if list == "" {
			continue // listed with nothing: it reads nothing
		}
		for _, name := range strings.Split(list, ",") {
			tenant, err := model.ParseTenantID(name)
			if err != nil {
				return nil, fmt.Errorf("organisation %d: %w; %s", id, err, want)
			}
			m[id] = append(m[id], tenant)
		}
	}
	return m, nil
}

// String prints the map as ParseOrgTenants reads it, in order of ids.
func (m OrgTenants) String() string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(m)) {
		names := make([]string, len(m[id]))
		for i, t := range m[id] {
			names[i] = string(t)
		}
		parts = append(parts, strconv.FormatInt(id, 10)+"="+strings.Join(names, ","))
	}
	return strings.Join(parts, " ")
}

// UnmarshalYAML reads a mapping of id to one tenant or a list of tenants, or the one-line form.
func (m *OrgTenants) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		if n.ShortTag() == "!!null" {
			*m = nil
			return nil
		}
		v, err := ParseOrgTenants(n.Value)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		*m = v
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected a mapping of organisation ids to lists of tenants", n.Line)
	}
	out := OrgTenants{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		id, err := strconv.ParseInt(key.Value, 10, 64)
		if err != nil || id <= 0 {
			return fmt.Errorf("line %d: %q is not an organisation's id (a positive number)", key.Line, key.Value)
		}
		if _, twice := out[id]; twice {
			return fmt.Errorf("line %d: organisation %d is listed twice", key.Line, id)
		}
		names := []string{}
		if value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" {
			names = []string{value.Value}
		} else if err := value.Decode(&names); err != nil {
			return fmt.Errorf("line %d: organisation %d needs a list of tenants", value.Line, id)
		}
		out[id] = nil
		for _, name := range names {
			tenant, err := model.ParseTenantID(name)
			if err != nil {
				return fmt.Errorf("line %d: organisation %d: %w", value.Line, id, err)
			}
			out[id] = append(out[id], tenant)
		}
	}
	*m = out
	return nil
}
