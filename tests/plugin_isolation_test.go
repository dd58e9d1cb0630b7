package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// bravoLines is how many lines the other tenant has: a number that stands nowhere else.
const bravoLines = 7919

// launchTwoTenants is a plugin with the logs of two organisations: everything of the second has bravo in it.
func launchTwoTenants(t *testing.T) *plugin {
	t.Helper()
	p := launchPlugin(t, testkit.FreeAddr(t), filepath.Join(t.TempDir(), "logs"),
		"GF_PLUGIN_WOODSHED_AUTH_ENABLED=true", "GF_PLUGIN_WOODSHED_ORG_TENANTS=1=team-a 2=team-b")
	p.waitReady(t)
	pushTwoTenants(t, p)
	return p
}

func pushTwoTenants(t *testing.T, p *plugin) {
	t.Helper()
	now := time.Now().Add(-time.Minute)
	alpha, bravo := labels.FromStrings("app", "api", "team", "alpha"), labels.FromStrings("app", "api", "team", "bravo", "bravo_secret", "yes")
	testkit.MustPush(t, p.url, "team-a", testkit.Stream(alpha, now, testkit.Lines("alpha", 5)...))
	testkit.MustPush(t, p.url, "team-b", testkit.Stream(bravo, now, testkit.Lines("bravo", bravoLines)...))
}

// requireNothingOf fails when a text tells of the other tenant. What the request itself said is taken out first.
func requireNothingOfBravo(t *testing.T, text, what string) {
	t.Helper()
	for _, secret := range []string{"bravo", "team-b", fmt.Sprint(bravoLines), "7,919"} {
		require.NotContains(t, text, secret, what)
	}
}

// everything asks all that a data source can be asked, and returns what comes back.
func (p *plugin) everything(t *testing.T, pc backend.PluginContext, headers map[string]string) string {
	t.Helper()
	var out strings.Builder
	resp, err := p.QueryRequest(patience(t), &backend.QueryDataRequest{PluginContext: pc, Headers: headers, Queries: []backend.DataQuery{
		testkit.DataQuery("lines", `{"expr":"{app=\"api\"}","maxLines":5000}`),
		testkit.DataQuery("all", `{"expr":"{app=~\".+\"} | json | logfmt","direction":"forward"}`),
		testkit.DataQuery("count", `{"expr":"sum by (team) (count_over_time({app=\"api\"}[1h]))","queryType":"instant"}`),
		testkit.DataQuery("bytes", `{"expr":"bytes_over_time({app=\"api\"}[1h])","queryType":"instant"}`),
		testkit.DataQuery("id", `{"expr":"{__tenant_id__=~\".+\"}"}`),
		testkit.DataQuery("group", `{"expr":"count by (__tenant_id__) (rate({app=\"api\"}[1h]))"}`),
		testkit.DataQuery("wrong", `{"expr":"{app="}`),
	}})
	require.NoError(t, err)
	b, err := json.Marshal(resp)
	require.NoError(t, err)
	out.Write(b)
	for _, target := range []string{
		"labels", "label/team/values", "label/app/values", "series", "index/stats?query=" + url.QueryEscape(`{app="api"}`), "status",
		"series?match[]=" + url.QueryEscape(`{team=~".+"}`), "labels?query=" + url.QueryEscape(`{team!=""}`), "nothing",
	} {
		r, err := p.Resource(patience(t), pc, "GET", target)
		require.NoError(t, err)
		fmt.Fprintf(&out, "\n%s %d %s", target, r.Status, r.Body)
	}
	h := p.health(t, pc)
	fmt.Fprintf(&out, "\n%v %s %s", h.Status, h.Message, h.JSONDetails)
	return out.String()
}

// TestNoTenantIsSeenByAnother has the plugin's own tests beside it (pkg/plugin/isolation_test.go), which walk every field:
// here are real logs, and everything that a store of two tenants says.
func TestNoTenantIsSeenByAnother(t *testing.T) {
	p := launchTwoTenants(t)
	foreign := p.everything(t, testkit.PluginContext(2, "Admin", ""), nil)
	for _, secret := range []string{"bravo 0", "bravo_secret", fmt.Sprint(bravoLines), "team-b"} {
		require.Contains(t, foreign, secret, "the other organisation reads its own: what follows could find it")
	}
	for _, role := range []string{"", "Viewer", "Editor", "Admin"} {
		text := p.everything(t, testkit.PluginContext(1, role, ""), nil)
		require.Contains(t, text, "alpha 000004")
		requireNothingOfBravo(t, text, role)
	}
	for _, header := range []string{"X-Scope-OrgID", "http_X-Scope-OrgID", "tenantid", "X-Grafana-Org-Id"} {
		text := p.everything(t, testkit.PluginContext(1, "Admin", ""), map[string]string{header: "team-b"})
		require.Contains(t, text, "alpha 000004")
		requireNothingOfBravo(t, text, header)
	}
	for _, jsonData := range []string{
		`{"tenant":"PROBE"}`, `{"tenant":"team-a|PROBE"}`, `{"tenant":["PROBE"]}`, `{"tenant":{"name":"PROBE"}}`, `{"httpHeaderName1":"X-Scope-OrgID","httpHeaderValue1":"PROBE"}`,
	} {
		text := p.everything(t, testkit.PluginContext(1, "Admin", strings.ReplaceAll(jsonData, "PROBE", "team-b")), nil)
		requireNothingOfBravo(t, strings.ReplaceAll(text, "team-b", "PROBE"), jsonData) // it may be told what it asked for
	}
	text := p.everything(t, testkit.PluginContext(3, "Admin", ""), nil)
	require.Contains(t, text, "Organisation 3 may read no tenant")
	requireNothingOfBravo(t, text, "an organisation without a tenant")
	require.NotContains(t, text, "alpha")
}

// TestDamageOfOneTenantIsNotTold: a block that is corrupt has its tenant's name in the sentence, and the reason names its
// files.
func TestDamageOfOneTenantIsNotTold(t *testing.T) {
	p := launchTwoTenants(t)
	flushBlocks(t, p.url)
	metas, err := filepath.Glob(filepath.Join(p.dir, "blocks", "team-b", "*", "meta.json"))
	require.NoError(t, err)
	require.NotEmpty(t, metas)
	require.NoError(t, p.Kill9())
	testkit.Eventually(t, "the plugin is gone", testkit.Gone(p.PID()))
	p.Kill() // it may have come back
	require.NoError(t, os.WriteFile(metas[0], []byte(`{"half":`), 0o600))

	again := launchPlugin(t, p.addr, p.dir, p.env...)
	again.waitReady(t)
	report := health(t, again.url)
	require.Contains(t, report, "team-b", "whoever runs the store reads whose block it was")
	h := again.health(t, testkit.PluginContext(1, "Admin", ""))
	require.Contains(t, h.Message, "Stored logs were found damaged; the log of Grafana says which")
	requireNothingOfBravo(t, again.everything(t, testkit.PluginContext(1, "Admin", ""), nil), "damage")
}

// TestRefusalsOfOneTenantAreNotTold: how much another tenant was refused is its own affair.
func TestRefusalsOfOneTenantAreNotTold(t *testing.T) {
	p := launchTwoTenants(t)
	late := testkit.Stream(labels.FromStrings("app", "bravo"), time.Now().Add(48*time.Hour), testkit.Lines("late bravo", 7)...)
	status, _, err := testkit.Push(patience(t), p.url, "team-b", testkit.ContentProtobuf, testkit.ProtobufBody(t, late))
	require.NoError(t, err)
	require.Equal(t, 400, status)
	testkit.Eventually(t, "the other organisation is told", func() error {
		if h := p.health(t, testkit.PluginContext(2, "Viewer", "")); !strings.Contains(h.Message, "7 entries were refused") {
			return errors.New(h.Message)
		}
		return nil
	})
	require.NotContains(t, p.health(t, testkit.PluginContext(1, "Admin", "")).Message, "refused in the last")
}

// TestASingleTenantHasNoOther: without auth_enabled every organisation reads the default tenant, and only that: what came
// with a tenant's header is nobody's in Grafana.
func TestASingleTenantHasNoOther(t *testing.T) {
	p := startPlugin(t)
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, time.Now(), "alpha"))
	testkit.MustPush(t, p.url, "team-b", testkit.Stream(labels.FromStrings("app", "api", "team", "bravo"), time.Now(), "bravo"))
	for _, pc := range []backend.PluginContext{
		testkit.PluginContext(1, "", ""), testkit.PluginContext(2, "Admin", ""), testkit.PluginContext(1, "Admin", `{"tenant":"team-b"}`),
	} {
		text := p.everything(t, pc, map[string]string{"X-Scope-OrgID": "team-b"})
		require.NotContains(t, text, "bravo")
	}
}

// TestNobodyReadsToo: an alert rule and a public dashboard have no user; they have the organisation's tenant.
func TestNobodyReadsToo(t *testing.T) {
	p := launchTwoTenants(t)
	pc := testkit.PluginContext(1, "", "")
	require.Nil(t, pc.User)
	resp, err := p.QueryRequest(patience(t), &backend.QueryDataRequest{PluginContext: pc, Headers: map[string]string{"FromAlert": "true"}, Queries: []backend.DataQuery{
		testkit.DataQuery("A", `{"expr":"sum(count_over_time({app=\"api\"}[1h]))","queryType":"instant"}`),
	}})
	require.NoError(t, err)
	require.NoError(t, resp.Responses["A"].Error)
	require.EqualValues(t, 5, resp.Responses["A"].Frames[0].Fields[1].At(0))
	resp, err = p.Query(patience(t), pc, testkit.DataQuery("A", `{"expr":"{app=\"api\"}"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Responses["A"].Error)
	require.Equal(t, 5, resp.Responses["A"].Frames[0].Rows())
	require.Equal(t, backend.HealthStatusOk, p.health(t, pc).Status)
}
