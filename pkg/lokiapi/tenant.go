package lokiapi

import (
	"net/http"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// tenantHeader is the header that every client of Loki sends its tenant in.
const tenantHeader = "X-Scope-OrgID"

// tenant returns the request's tenant.
func (a *API) tenant(r *http.Request) (model.TenantID, error) {
	id := r.Header.Get(tenantHeader)
	if id == "" {
		if a.cfg.AuthEnabled {
			return "", fail(http.StatusUnauthorized, textNoTenant)
		}
		return model.DefaultTenant, nil
	}
	return model.ParseTenantID(id)
}
