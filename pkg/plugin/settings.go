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

// settings is what a person configured in one data source.
type settings struct {
	tenant   string // "" = the organisation's first
	maxLines int    // default number of log lines
}

func parseSettings(raw json.RawMessage) (settings, error) {
	s := settings{maxLines: linesDefault}
	if len(raw) == 0 || string(raw) == "null" {
		return s, nil
	}
	var in struct {
		Tenant   string `json:"tenant"`
		MaxLines number `json:"maxLines"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return s, fmt.Errorf("the settings of the data source could not be read: %w", err)
	}
	s.tenant = strings.TrimSpace(in.Tenant)
	if in.MaxLines.given {
		if in.MaxLines.value <= 0 {
			return s, fmt.Errorf("the line limit of the data source is %d; it must be positive", in.MaxLines.value)
		}
		s.maxLines = int(in.MaxLines.value)
	}
	return s, nil
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
