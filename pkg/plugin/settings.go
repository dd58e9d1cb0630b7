package plugin

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// settings is what a person configured in one data source, by hand or in a provisioning file. Whatever stands there, a
// query is answered: a setting that means nothing has its default, and faults says so under Save & test.
type settings struct {
	tenant   string   // "" = the organisation's first
	maxLines int      // default number of log lines
	faults   []string // sentences
}

// parseSettings reads jsonData. Keys that it does not know belong to others: Grafana and Loki's data source have many.
func parseSettings(raw json.RawMessage) settings {
	s := settings{maxLines: linesDefault}
	if len(raw) == 0 || string(raw) == "null" {
		return s
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(raw, &in); err != nil {
		s.fault("The settings of the data source could not be read, so the defaults are in force: %s.", err)
		return s
	}
	s.readTenant(in["tenant"])
	s.readMaxLines(in["maxLines"])
	s.faults = append(s.faults, derivedFaults(in["derivedFields"])...)
	return s
}

func (s *settings) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// readTenant takes a number too: YAML makes one of a tenant called 1234.
func (s *settings) readTenant(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var name string
	var digits json.Number
	switch {
	case json.Unmarshal(raw, &name) == nil:
		s.tenant = strings.TrimSpace(name)
	case json.Unmarshal(raw, &digits) == nil:
		s.tenant = digits.String()
	default:
		s.fault("The tenant of the data source is %s, which is no name; the first tenant of the organisation is read.", clipped(string(raw)))
	}
}

func (s *settings) readMaxLines(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var lines number
	if err := lines.UnmarshalJSON(raw); err != nil {
		s.fault("The line limit of the data source is %s, which is not a whole number; %s lines are in force.", clipped(string(raw)), countText(linesDefault))
		return
	}
	switch {
	case !lines.given:
	case lines.value <= 0:
		s.fault("The line limit of the data source is %d, but at least 1 is needed; %s lines are in force.", lines.value, countText(linesDefault))
	default:
		s.maxLines = int(lines.value)
	}
}

// tenant says whose logs a request reads: those that the process's configuration opens to the organisation, and among
// them the one that the data source names. The data source alone opens nothing, for any Admin of any organisation can
// make one.
func (i *Instance) tenant(pluginCtx backend.PluginContext) (model.TenantID, error) {
	org := orgOf(pluginCtx)
	allowed := i.p.Config.TenantsOf(org)
	if len(allowed) == 0 {
		return "", fault(403, "%s", noTenantText(org))
	}
	if i.settings.tenant == "" {
		return allowed[0], nil
	}
	if t := model.TenantID(i.settings.tenant); slices.Contains(allowed, t) {
		return t, nil
	}
	return "", fault(403, "Tenant %q is not open to organisation %d, which may read %s. Choose one of these in the data source, or add it to woodshed_org_tenants.",
		i.settings.tenant, org, joinTenants(allowed))
}

func noTenantText(org int64) string {
	return fmt.Sprintf("Organisation %d may read no tenant: auth_enabled is set and woodshed_org_tenants does not list it. Add for example %d=team-a there and restart.", org, org)
}

func joinTenants(tenants []model.TenantID) string {
	names := make([]string, len(tenants))
	for i, t := range tenants {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

// orgOf returns the number of the organisation. Newer Grafanas send a namespace, "default" for the first organisation
// and org-N for the others; 12 sends only the number.
func orgOf(pluginCtx backend.PluginContext) int64 {
	if pluginCtx.OrgID > 0 { //nolint:staticcheck // the only field that Grafana 12 fills
		return pluginCtx.OrgID //nolint:staticcheck // as above
	}
	if pluginCtx.Namespace == "default" {
		return 1
	}
	if digits, found := strings.CutPrefix(pluginCtx.Namespace, "org-"); found {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func isAdmin(pluginCtx backend.PluginContext) bool {
	return pluginCtx.User != nil && pluginCtx.User.Role == "Admin"
}

// number is a whole number that may come as a JSON number or in a string, as Grafana's own data sources store it. The
// empty string and null are no number.
type number struct {
	given bool
	value int64
}

// UnmarshalJSON reads 1000, "1000", "" and null.
func (n *number) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(strings.Trim(string(b), `"`))
	if text == "" || text == "null" {
		*n = number{}
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return fmt.Errorf("%s is not a whole number", b)
	}
	*n = number{given: true, value: int64(f)}
	return nil
}
