package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	sdkconfig "github.com/grafana/grafana-plugin-sdk-go/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// The tests of this file hold one sentence: whoever writes a data source, a query or a request in an organisation reaches
// the tenants that the process's configuration opens to that organisation, and learns nothing of any other. They walk
// every field and every path; a field or a path that is new fails them until it has a case. tests/plugin_isolation_test.go
// tries the same with real logs.

const (
	ours, theirs = "team-a", "team-b"
	nobody       = "team-q"       // a tenant that does not exist: to ask for it and for theirs must look the same
	trace        = "bravo"        // in everything that belongs to theirs
	traceCount   = uint64(770077) // so many there is of everything of theirs
)

// twoTenants is a store of which every answer tells whose it is.
type twoTenants struct{ *process }

func newTwoTenants() twoTenants {
	s := twoTenants{newProcess()}
	s.status = stored()
	s.status.Streams, s.status.Entries, s.status.Bytes, s.status.DiskBytes = traceCount, traceCount, traceCount, traceCount
	s.status.Refusals = []Refusal{{Tenant: theirs, Reason: trace, Entries: traceCount, Text: "so many of " + trace}, {Tenant: ours, Reason: "alpha", Entries: 3, Text: "3 of alpha"}}
	s.status.Warnings = []Notice{{Text: "a block is damaged", Detail: "a block of " + trace + " is damaged", Apart: "something is damaged"}}
	s.exec = func(_ context.Context, p engine.Params) (*engine.Result, error) {
		e := engine.Entry{Labels: labels.FromStrings("name", nameOf(p.Tenant)), ID: "1"}
		e.Timestamp, e.Line = model.TimestampOf(t0), "a line of "+nameOf(p.Tenant)
		return &engine.Result{Entries: []engine.Entry{e}, Stats: engine.Stats{Lines: countOf(p.Tenant)}}, nil
	}
	return s
}

func nameOf(t model.TenantID) string {
	if t == theirs {
		return trace
	}
	return "alpha"
}

func countOf(t model.TenantID) uint64 {
	if t == theirs {
		return traceCount
	}
	return 3
}

func (s twoTenants) LabelNames(_ context.Context, t model.TenantID, scope storage.Scope) ([]string, error) {
	return []string{nameOf(t)}, s.note(t, scope)
}

func (s twoTenants) LabelValues(_ context.Context, t model.TenantID, name string, scope storage.Scope) ([]string, error) {
	return []string{nameOf(t)}, s.note(t, scope)
}

func (s twoTenants) Series(_ context.Context, t model.TenantID, scope storage.Scope) ([]labels.Labels, error) {
	return []labels.Labels{labels.FromStrings("name", nameOf(t))}, s.note(t, scope)
}

func (s twoTenants) Stats(_ context.Context, t model.TenantID, scope storage.Scope) (storage.Stats, error) {
	n := countOf(t)
	return storage.Stats{Streams: n, Chunks: n, Entries: n, Bytes: n}, s.note(t, scope)
}

// world is a process with a configuration, and what its organisation 1 may read.
type world struct {
	name   string
	change func(*config.Config)
	may    model.TenantID
	shared bool // one store for everybody, whose size and faults are everybody's to know
}

var worlds = []world{
	{"auth on", func(c *config.Config) {
		c.AuthEnabled, c.OrgTenants = true, config.OrgTenants{1: {ours}, 2: {theirs}}
	}, ours, false},
	{"auth off, organisations kept apart", func(c *config.Config) {
		c.OrgTenants = config.OrgTenants{1: {ours}, 2: {theirs}}
	}, ours, false},
	{"auth off", func(*config.Config) {}, model.DefaultTenant, true},
}

// attempt is a data source and everything that is asked of it. Nothing in it may matter to whose logs are read.
type attempt struct {
	settings backend.DataSourceInstanceSettings
	pc       backend.PluginContext
	query    backend.DataQuery
	target   string // of the resource
	method   string
	body     string
	headers  map[string]string
}

func newAttempt() *attempt {
	a := &attempt{
		settings: backend.DataSourceInstanceSettings{UID: "u", JSONData: json.RawMessage(`{}`), DecryptedSecureJSONData: map[string]string{}},
		pc:       pluginContext(1, "Admin"), query: dataQuery("A", `{"expr":"{app=\"a\"}"}`), target: "labels", method: "GET", headers: map[string]string{},
	}
	return a
}

// outcome is all that a person or a program gets to see.
func (a *attempt) outcome(t *testing.T, w world) (text string, read []model.TenantID) {
	t.Helper()
	store := newTwoTenants()
	if w.shared {
		store.status = stored()
	}
	cfg := config.Default()
	w.change(&cfg)
	p, err := New(Deps{Executor: store, Querier: store, Store: store, Config: &cfg, Log: newDefaultLog()})
	require.NoError(t, err)
	p.now = func() time.Time { return t0 }
	a.pc.DataSourceInstanceSettings = &a.settings
	made, err := p.NewInstance(t.Context(), a.settings)
	require.NoError(t, err)
	i := made.(*Instance)

	var out strings.Builder
	resp, err := i.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: a.pc, Headers: a.headers, Queries: []backend.DataQuery{a.query}})
	require.NoError(t, err)
	b, err := json.Marshal(resp)
	require.NoError(t, err)
	out.Write(b)

	multi := map[string][]string{}
	for name, value := range a.headers {
		multi[strings.TrimPrefix(name, "http_")] = []string{value}
	}
	path, _, _ := strings.Cut(a.target, "?")
	err = i.CallResource(t.Context(), &backend.CallResourceRequest{PluginContext: a.pc, Method: a.method, Path: path, URL: a.target, Headers: multi, Body: []byte(a.body)},
		backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
			fmt.Fprintf(&out, "\n%d %v %s", r.Status, r.Headers, r.Body)
			return nil
		}))
	if err != nil {
		fmt.Fprintf(&out, "\n%v", err)
	}
	h, err := i.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: a.pc, Headers: a.headers})
	require.NoError(t, err)
	fmt.Fprintf(&out, "\n%v %s %s", h.Status, h.Message, h.JSONDetails)

	read = slices.Clone(store.who)
	for _, p := range store.asked {
		read = append(read, p.Tenant)
	}
	return out.String(), read
}

// tryAll runs an attempt in every world, with theirs in the place of the probe and with a tenant that does not exist.
func tryAll(t *testing.T, what string, write func(a *attempt, probe string)) {
	t.Helper()
	for _, w := range worlds {
		var texts []string
		for _, probe := range []string{theirs, nobody} {
			a := newAttempt()
			write(a, probe)
			text, read := a.outcome(t, w)
			text = strings.ReplaceAll(text, probe, "PROBE") // what they wrote themselves may be said back to them
			for _, tenant := range read {
				require.Equal(t, w.may, tenant, "%s, %s: the store was asked for another tenant", w.name, what)
			}
			for _, secret := range []string{trace, theirs, fmt.Sprint(traceCount), countText(traceCount)} {
				require.NotContains(t, text, secret, "%s, %s", w.name, what)
			}
			texts = append(texts, text)
		}
		require.Equal(t, texts[1], texts[0], "%s, %s: a tenant that exists must look like one that does not", w.name, what)
	}
}

// requireCases fails when a struct has a field without a case, or a case has no field.
func requireCases[T any](t *testing.T, of any, cases map[string]T) {
	t.Helper()
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
		if f.IsExported() && !f.Anonymous {
			fields = append(fields, f.Name)
		}
	}
	require.ElementsMatch(t, fields, slices.Collect(maps.Keys(cases)), "%T: every field needs a case here that tries to reach another tenant by it", of)
}

// TestTheTrapsWork: the tests below would see it if another tenant were read.
func TestTheTrapsWork(t *testing.T) {
	a := newAttempt()
	a.pc = pluginContext(2, "Admin")
	for _, target := range []string{"labels", "series", "label/x/values", "index/stats"} {
		a.target = target
		text, read := a.outcome(t, worlds[0])
		require.Contains(t, text, "a line of "+trace)
		require.Contains(t, text, fmt.Sprint(traceCount))
		require.Contains(t, read, model.TenantID(theirs))
	}
}

// tenantValues are ways to name a tenant where a string is read.
var tenantValues = []string{
	"$", " $ ", "$|team-a", "team-a|$", "$,team-a", "team-a,$", "team-a $", "../$", "team-a/../$", "TEAM-B", "*", ".*", "team-.*", "%", "\x00$", "$\n", "2", "org-2", "",
}

// TestNoOtherTenantIsReachedBySettings walks the fields of a data source: whoever may make one writes them all.
func TestNoOtherTenantIsReachedBySettings(t *testing.T) {
	type settings = backend.DataSourceInstanceSettings
	text := func(set func(*settings, string)) func(*settings, string) []func() {
		return func(s *settings, probe string) []func() {
			var out []func()
			for _, v := range tenantValues {
				out = append(out, func() { set(s, strings.ReplaceAll(v, "$", probe)) })
			}
			return append(out, func() { set(s, "http://"+probe+"@127.0.0.1:3110/"+probe+"?tenant="+probe) })
		}
	}
	cases := map[string]func(*settings, string) []func(){
		"ID": func(s *settings, _ string) []func() {
			return []func(){func() { s.ID = 2 }, func() { s.ID = 2<<32 + 1 }}
		},
		"UID":      text(func(s *settings, v string) { s.UID = v }),
		"Type":     text(func(s *settings, v string) { s.Type = v }),
		"Name":     text(func(s *settings, v string) { s.Name = v }),
		"URL":      text(func(s *settings, v string) { s.URL = v }),
		"User":     text(func(s *settings, v string) { s.User = v }),
		"Database": text(func(s *settings, v string) { s.Database = v }),
		"BasicAuthEnabled": func(s *settings, v string) []func() {
			return []func(){func() { s.BasicAuthEnabled = true; s.User = v }}
		},
		"BasicAuthUser": text(func(s *settings, v string) { s.BasicAuthEnabled, s.BasicAuthUser = true, v }),
		"Updated":       func(s *settings, _ string) []func() { return []func(){func() { s.Updated = t0 }} },
		"APIVersion":    text(func(s *settings, v string) { s.APIVersion = v }),
		"JSONData": func(s *settings, v string) []func() {
			var out []func()
			for _, raw := range jsonDataCases(v) {
				out = append(out, func() { s.JSONData = json.RawMessage(raw) })
			}
			return out
		},
		"DecryptedSecureJSONData": func(s *settings, v string) []func() {
			var out []func()
			for _, key := range tenantKeys {
				out = append(out, func() {
					s.DecryptedSecureJSONData = map[string]string{key: v, "httpHeaderValue1": v}
					s.JSONData = json.RawMessage(`{"httpHeaderName1":"X-Scope-OrgID"}`)
				})
			}
			return out
		},
	}
	requireCases(t, settings{}, cases)
	for field, f := range cases {
		for n := range f(&settings{}, "") {
			tryAll(t, fmt.Sprintf("settings' %s, case %d", field, n), func(a *attempt, probe string) { f(&a.settings, probe)[n]() })
		}
	}
}

// tenantKeys are names under which a tenant is known somewhere: ours, Loki's, Grafana's, other data sources'.
var tenantKeys = []string{
	"tenant", "tenants", "tenantId", "tenant_id", "tenantID", "Tenant", "TENANT", "org", "orgId", "orgID", "org_id", "organization", "namespace",
	"X-Scope-OrgID", "x-scope-orgid", "scope", "account", "accountId", "project", "user", "username", "database", "url", "path", "dataDir", "listen",
	"authEnabled", "auth_enabled", "orgTenants", "org_tenants", "datasource", "datasourceUid", "id", "refId", "__tenant_id__", "adminOrgs", "predefinedOperations", "token",
}

// jsonDataCases are the settings that people write, as JSON.
func jsonDataCases(probe string) []string {
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	var out []string
	for _, v := range tenantValues {
		out = append(out, `{"tenant":`+quote(strings.ReplaceAll(v, "$", probe))+`}`)
	}
	for _, key := range tenantKeys {
		p := quote(probe)
		out = append(out, `{`+quote(key)+`:`+p+`}`, `{`+quote(key)+`:[`+p+`]}`, `{`+quote(key)+`:{"name":`+p+`}}`, `{`+quote(key)+`:2}`)
	}
	return append(out,
		`{"tenant":"team-a","tenant":`+quote(probe)+`}`, `{"Tenant":`+quote(probe)+`,"tenant":"team-a"}`, quote(probe), `[`+quote(probe)+`]`, `{"tenant":`,
		`{"maxLines":`+quote(probe)+`}`, `{"derivedFields":[{"name":`+quote(probe)+`,"matcherRegex":`+quote(probe)+`,"url":"${__tenant}"}]}`,
		`{"httpHeaderName1":"X-Scope-OrgID","httpHeaderValue1":`+quote(probe)+`}`, `{"oauthPassThru":true,"keepCookies":[`+quote(probe)+`]}`)
}

// TestNoOtherTenantIsReachedByAQuery walks the query's JSON and the envelope that Grafana puts around it.
func TestNoOtherTenantIsReachedByAQuery(t *testing.T) {
	exprs := []string{
		`{app="a"}`, `{__tenant_id__="$"}`, `{tenant="$"}`, `{__tenant_id__=~".+"}`, `{app=~".*$.*"}`, `{app="a"} |= "$"`, `{app="a"} | tenant="$"`,
		`sum by (__tenant_id__) (count_over_time({app="a"}[1h]))`, `count_over_time({__tenant_id__="$"}[1h])`, `{app="$"`, `$`, `label_replace(rate({a="b"}[1m]),"x","$","y","z")`,
	}
	requireKeys := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(queryJSON{})) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		require.NotEmpty(t, name, f.Name)
		requireKeys[name] = true
	}
	// Every field is tried with every way to name a tenant, whatever its type: the list is the struct's.
	for key := range requireKeys {
		for _, v := range append(slices.Clone(tenantValues), exprs...) {
			tryAll(t, "query's "+key+" "+v, func(a *attempt, probe string) {
				q := map[string]any{"expr": `{app="a"}`}
				q[key] = strings.ReplaceAll(v, "$", probe)
				b, err := json.Marshal(q)
				require.NoError(t, err)
				a.query.JSON = b
			})
		}
		for _, raw := range []string{"true", "2", `"2"`, "1e300", "null", `["$"]`, `{"tenant":"$"}`} {
			tryAll(t, "query's "+key+" "+raw, func(a *attempt, probe string) {
				a.query.JSON = fmt.Appendf(nil, `{"expr":"{app=\"a\"}",%q:%s}`, key, strings.ReplaceAll(raw, "$", probe))
			})
		}
	}
	for _, key := range tenantKeys {
		tryAll(t, "query's unknown "+key, func(a *attempt, probe string) {
			a.query.JSON = fmt.Appendf(nil, `{"expr":"{app=\"a\"}",%q:%q,"datasource":{"uid":%q,"type":%q}}`, key, probe, probe, probe)
		})
	}
	cases := map[string]func(*backend.DataQuery, string){
		"RefID":         func(q *backend.DataQuery, v string) { q.RefID = v },
		"QueryType":     func(q *backend.DataQuery, v string) { q.QueryType = v },
		"MaxDataPoints": func(q *backend.DataQuery, _ string) { q.MaxDataPoints = 1 << 40 },
		"Interval":      func(q *backend.DataQuery, _ string) { q.Interval = -1 },
		"TimeRange": func(q *backend.DataQuery, _ string) {
			q.TimeRange = backend.TimeRange{From: time.Unix(0, 0), To: t0.AddDate(50, 0, 0)}
		},
		"JSON": func(q *backend.DataQuery, v string) { q.JSON = json.RawMessage(`{"expr":"` + v) },
	}
	requireCases(t, backend.DataQuery{}, cases)
	for name, f := range cases {
		tryAll(t, "data query's "+name, func(a *attempt, probe string) { f(&a.query, probe) })
	}
}

// TestNoOtherTenantIsReachedByARequest walks what comes around queries: of it only the organisation counts, which Grafana
// fills and no author can.
func TestNoOtherTenantIsReachedByARequest(t *testing.T) {
	for _, header := range []string{
		"X-Scope-OrgID", "x-scope-orgid", "http_X-Scope-OrgID", "tenantid", "X-Tenant", "X-Org-Id", "X-Grafana-Org-Id", "http_X-Grafana-Org-Id", "X-DS-Authorization",
		"Authorization", "Cookie", "X-Grafana-User", "X-Grafana-Id", "X-Id-Token", "X-Forwarded-For", "X-Forwarded-Host", "X-Original-URL", "X-HTTP-Method-Override", "Host", "Accept", "Query-Tags",
	} {
		for _, v := range []string{"$", "team-a|$", "Bearer $", "tenant=$", "2"} {
			tryAll(t, "header "+header, func(a *attempt, probe string) { a.headers[header] = strings.ReplaceAll(v, "$", probe) })
		}
	}
	cases := map[string]func(*backend.PluginContext, string){
		"OrgID":         func(*backend.PluginContext, string) {}, // Grafana's word: it is what the configuration maps
		"PluginID":      func(p *backend.PluginContext, v string) { p.PluginID = v },
		"PluginVersion": func(p *backend.PluginContext, v string) { p.PluginVersion = v },
		"User": func(p *backend.PluginContext, v string) {
			p.User = &backend.User{Login: v, Name: v, Email: v + "@" + v, Role: "Grafana Admin"}
		},
		"AppInstanceSettings": func(p *backend.PluginContext, v string) {
			p.AppInstanceSettings = &backend.AppInstanceSettings{JSONData: fmt.Appendf(nil, `{"tenant":%q}`, v)}
		},
		"DataSourceInstanceSettings": func(*backend.PluginContext, string) {}, // walked above
		"GrafanaConfig": func(p *backend.PluginContext, v string) {
			p.GrafanaConfig = sdkconfig.NewGrafanaCfg(map[string]string{"GF_PLUGIN_WOODSHED_ORG_TENANTS": "1=" + v})
		},
		"UserAgent":  func(*backend.PluginContext, string) {}, // a version
		"APIVersion": func(p *backend.PluginContext, v string) { p.APIVersion = v },
		"Namespace":  func(p *backend.PluginContext, _ string) { p.Namespace = "org-2" },
	}
	requireCases(t, backend.PluginContext{}, cases)
	for name, f := range cases {
		tryAll(t, "plugin context's "+name, func(a *attempt, probe string) { f(&a.pc, probe) })
	}
	for _, role := range []string{"", "Viewer", "Editor", "Admin", "admin", "Grafana Admin", "None"} {
		tryAll(t, "role "+role, func(a *attempt, _ string) { a.pc = pluginContext(1, role) })
	}
}

// TestNoOtherTenantIsReachedByAResource walks the route tables.
func TestNoOtherTenantIsReachedByAResource(t *testing.T) {
	selectors := []string{"", `{}`, `{app="$"}`, `{__tenant_id__="$"}`, `{tenant=~".*"}`, `$`}
	// How each path is asked: parameters, with the probe. A new path is added to the tables in callresource.go and here.
	listing := []string{"query", "match[]", "match"}
	cases := map[string][]string{
		"/labels": listing, "/series": listing, "/index/stats": listing, "/status": nil, "/label/NAME/values": listing,
		"/labels/counts": append(listing, "search", "limit"), "/label/NAME/counts": append(listing, "search", "limit"),
		"/count": listing, "/last-seen": listing, "/check": listing, "/statistics": append(listing, "stat", "by"),
	}
	var paths []string
	for p := range routes {
		paths = append(paths, p)
	}
	for p := range storelessRoutes {
		paths = append(paths, p)
	}
	for what := range labelRoutes {
		paths = append(paths, "/label/NAME/"+what)
	}
	require.ElementsMatch(t, paths, slices.Collect(maps.Keys(cases)), "every path of callresource.go needs a case here that tries to reach another tenant by it")

	for path, params := range cases {
		ask := func(query string) {
			tryAll(t, "resource "+path+"?"+query, func(a *attempt, probe string) {
				a.target = strings.TrimPrefix(strings.ReplaceAll(path, "NAME", probe), "/") + "?" + strings.ReplaceAll(query, url.QueryEscape("$"), probe)
			})
		}
		for _, key := range slices.Concat(params, tenantKeys) {
			for _, v := range selectors {
				ask(url.QueryEscape(key) + "=" + url.QueryEscape(v))
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			tryAll(t, method+" "+path, func(a *attempt, probe string) {
				a.method, a.target, a.body = method, strings.TrimPrefix(path, "/"), `{"tenant":"`+probe+`"}`
			})
		}
	}
	for _, p := range []string{"$/labels", "tenants", "tenant/$/labels", "../$/labels", "labels/../../$", "label/..%2F$/values", "label/$%00/values"} {
		tryAll(t, "path "+p, func(a *attempt, probe string) { a.target = strings.ReplaceAll(p, "$", probe) })
	}
}
