package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrgIDsForms(t *testing.T) {
	f := func(text string, want OrgIDs) {
		t.Helper()
		c, err := load1(t, "grafana:\n  stats_orgs: "+text+"\n", nil, nil)
		require.NoError(t, err)
		require.Equal(t, want, c.Grafana.StatsOrgs)
	}
	f("1 3 1", OrgIDs{1, 3})
	f("[1, 3]", OrgIDs{1, 3})
	f("1,3", OrgIDs{1, 3})
	f("7", OrgIDs{7})
	f("", nil)
	f("[]", nil)
	require.Equal(t, "1 3", OrgIDs{1, 3}.String())
	for _, text := range []string{"0", "-1", "all", "[1, [2]]", "{1: 2}"} {
		_, err := load1(t, "grafana:\n  stats_orgs: "+text+"\n", nil, nil)
		require.Error(t, err, text)
	}
}
