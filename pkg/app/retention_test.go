package app

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func retentionOf(t *testing.T, base, tenant string) (*limits.Overrides, error) {
	t.Helper()
	l := limits.Default()
	require.NoError(t, yaml.Unmarshal([]byte(base), &l))
	var p limits.Partial
	require.NoError(t, yaml.Unmarshal([]byte(tenant), &p))
	return limits.New(l, map[model.TenantID]limits.Partial{"a": p})
}

func TestRetentionOfAStream(t *testing.T) {
	o, err := retentionOf(t, `
retention_period: 30d
retention_stream:
  - {selector: '{env=~"dev|test"}', period: 2d}
  - {selector: '{app="audit", env!=""}', priority: 5, period: 0s}
  - {selector: '{env="test"}', period: 1d}
`, "retention_stream: [{selector: '{app=\"x\"}', period: 1w}]")
	require.NoError(t, err)
	all, err := parseRetention(o)
	require.NoError(t, err)
	const day = 24 * time.Hour
	f := func(tenant model.TenantID, want time.Duration, pairs ...string) {
		t.Helper()
		r := all[o.For(tenant)]
		got := r.Period
		for _, rule := range slices.Backward(r.Streams) { // so that the first one has the last word
			if labels.Selector(rule.Matchers).Matches(labels.FromStrings(pairs...)) {
				got = rule.Period
			}
		}
		require.Equal(t, want, got)
	}
	f("fake", 30*day, "app", "x")
	f("fake", 2*day, "env", "dev")
	f("fake", day, "env", "test") // of equal priority the shortest
	f("fake", 0, "env", "test", "app", "audit")
	f("fake", 30*day, "app", "audit")
	f("a", 7*day, "app", "x")
	f("a", 30*day, "env", "dev")
}

func TestRetentionRefusesBadSelectors(t *testing.T) {
	f := func(selector, want string) {
		t.Helper()
		o, err := retentionOf(t, "", "retention_stream: [{selector: '"+selector+"', period: 1w}]")
		require.NoError(t, err)
		_, err = parseRetention(o)
		require.ErrorContains(t, err, want)
	}
	f(`{app=x}`, "retention_stream: selector {app=x}: ")
	f(`{}`, "retention_stream: selector {}: ")
	f(`{app=~".*"}`, "retention_stream: selector")
	f(`{app="x"} |= "y"`, "only label matchers")
}
