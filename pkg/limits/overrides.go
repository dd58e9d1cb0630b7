package limits

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Overrides finds the limits of a tenant. It never changes, so any number of goroutines may ask it.
type Overrides struct {
	base    *Limits
	tenants map[model.TenantID]*Limits
}

// New checks the limits for everybody and those of single tenants.
func New(base Limits, overrides map[model.TenantID]Partial) (*Overrides, error) {
	var errs []error
	if err := base.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("limits_config: %w", err))
	}
	o := &Overrides{base: &base, tenants: make(map[model.TenantID]*Limits, len(overrides))}
	for _, tenant := range slices.Sorted(maps.Keys(overrides)) {
		if _, err := model.ParseTenantID(string(tenant)); err != nil {
			errs = append(errs, fmt.Errorf("overrides: %w", err))
			continue
		}
		l, err := overrides[tenant].Over(base)
		if err == nil {
			err = l.Validate()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("overrides: tenant %s: %w", tenant, err))
			continue
		}
		o.tenants[tenant] = &l
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return o, nil
}

// For returns the limits of a tenant, to be read only.
func (o *Overrides) For(tenant model.TenantID) *Limits {
	if l, ok := o.tenants[tenant]; ok {
		return l
	}
	return o.base
}

// All returns the distinct sets of limits: the one for everybody, then those of single tenants.
func (o *Overrides) All() []*Limits {
	all := []*Limits{o.base}
	for _, tenant := range slices.Sorted(maps.Keys(o.tenants)) {
		all = append(all, o.tenants[tenant])
	}
	return all
}

// QueryEntriesMax is the highest limit that a log query of the tenant may ask for; 0 = any.
func (o *Overrides) QueryEntriesMax(tenant model.TenantID) int {
	return o.For(tenant).MaxEntriesLimitPerQuery
}

// OverridesPrefix begins the warnings that name a tenant.
const OverridesPrefix = "overrides, tenant "

// Warnings lists keys without effect, in sentences.
func (o *Overrides) Warnings() []string {
	var out []string
	for _, w := range o.base.warnings {
		out = append(out, "limits_config, "+w)
	}
	for _, tenant := range slices.Sorted(maps.Keys(o.tenants)) {
		for _, w := range o.tenants[tenant].warnings {
			out = append(out, fmt.Sprintf("%s%s, %s", OverridesPrefix, tenant, w))
		}
	}
	return out
}
