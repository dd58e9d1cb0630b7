package plugin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/woodshed-logs/woodshed/pkg/history"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// History is what the process remembers of its own metrics.
type History interface {
	// Select returns all series of one of StatMetrics, with the value now.
	Select(metric string) []history.Series
}

// queryTypeStats asks for what the process knows of itself instead of logs.
const queryTypeStats = "stats"

// statQueryJSON is a query of type stats.
type statQueryJSON struct {
	QueryType    string `json:"queryType"`
	Stat         string `json:"stat"`
	By           string `json:"by"` // a label of the statistic, or none; empty is the statistic's own choice
	Instant      bool   `json:"instant"`
	Step         string `json:"step"`
	Resolution   number `json:"resolution"`
	LegendFormat string `json:"legendFormat"`
}

// statQuery is such a query with everything decided.
type statQuery struct {
	*statistic
	split  string
	tenant model.TenantID // whose numbers; "" = everybody's
	query  query          // step, instant, legend, for the frames
	from   time.Time
	to     time.Time
}

// isStats reports a query of type stats. What cannot be read is none: whoever parses it says so.
func isStats(dq backend.DataQuery) bool {
	var in struct {
		QueryType string `json:"queryType"`
	}
	return json.Unmarshal(dq.JSON, &in) == nil && in.QueryType == queryTypeStats
}

// runStats answers a query of type stats.
func (i *Instance) runStats(ctx context.Context, req *backend.QueryDataRequest, dq backend.DataQuery) (frames, error) {
	q, err := parseStatQuery(dq)
	if err != nil {
		return nil, err
	}
	tenant, done, err := i.begin(ctx, req.PluginContext)
	if err != nil {
		return nil, err
	}
	defer done()
	if q.tenant, err = i.statScope(req.PluginContext, tenant, q); err != nil {
		return nil, err
	}
	if i.p.History == nil {
		return nil, &requestError{status: http.StatusServiceUnavailable, source: backend.ErrorSourcePlugin, text: "This process keeps no statistics."}
	}
	return q.frames(q.eval(i.p.History)), nil
}

// statScope says whose numbers a query is told: "" for everybody's, else those of one tenant.
//
// Where organisations are kept apart, a statistic about a tenant is told of the tenant that the data source reads and of
// no other, to whoever may query; what is about the whole process says how much others have, so it is told only to Admins
// of organisations that the configuration names. Being an Admin alone opens nothing: each organisation has its own, and
// alert rules, which Editors write, run as one. Nor is a request without a person an Admin's.
func (i *Instance) statScope(pluginCtx backend.PluginContext, own model.TenantID, q *statQuery) (model.TenantID, error) {
	if !i.p.Config.SeparatesOrgs() {
		return "", nil
	}
	if !q.process && q.split != "tenant" {
		return own, nil
	}
	org := orgOf(pluginCtx)
	if isAdmin(pluginCtx) && slices.Contains(i.p.Config.Grafana.StatsOrgs, org) {
		return "", nil
	}
	return "", fault(http.StatusForbidden, "%s of the whole store is only for Admins of organisations in woodshed_grafana_stats_orgs, and organisation %d asks. Those of the tenant alone are open: %s.",
		q.title, org, statNames(func(s *statistic) bool { return !s.process }))
}

// parseStatQuery reads a query. Its errors are the user's.
func parseStatQuery(dq backend.DataQuery) (*statQuery, error) {
	var in statQueryJSON
	if err := json.Unmarshal(dq.JSON, &in); err != nil {
		return nil, fault(400, "The query could not be read: %s.", err)
	}
	s, found := findStatistic(strings.TrimSpace(in.Stat))
	if !found {
		return nil, fault(400, "There is no statistic %q. There are: %s.", in.Stat, statNames(func(*statistic) bool { return true }))
	}
	split := in.By
	if split == "" {
		split = s.by[0]
	}
	if !slices.Contains(s.by, split) {
		return nil, fault(400, "%s cannot be split by %q, but by %s.", s.name, in.By, strings.Join(s.by, ", "))
	}
	if _, err := parseRange(dq.TimeRange); err != nil {
		return nil, err
	}
	span := dq.TimeRange.To.Sub(dq.TimeRange.From)
	auto := autoInterval(dq.Interval, span, dq.MaxDataPoints)
	step, err := parseStep(interpolation{interval: auto, span: span, auto: auto}.text(in.Step), auto, in.Resolution, span)
	if err != nil {
		return nil, err
	}
	q := &statQuery{statistic: s, split: split, from: dq.TimeRange.From, to: dq.TimeRange.To}
	q.query = query{refID: dq.RefID, step: step, instant: in.Instant, legend: in.LegendFormat, expr: s.name + " by " + split}
	if q.query.legend == "" {
		q.query.legend = q.defaultLegend()
	}
	return q, nil
}

// defaultLegend names series by what makes them different.
func (q *statQuery) defaultLegend() string {
	var parts []string
	if q.mode == modeQuantile {
		parts = append(parts, "{{quantile}}")
	}
	if q.split != splitNone {
		parts = append(parts, "{{"+q.split+"}}")
	}
	if len(parts) == 0 {
		return q.title
	}
	return strings.Join(parts, " ")
}

// frames makes frames of series, with the unit on their values.
func (q *statQuery) frames(series []engine.Series) frames {
	r := &engine.Result{Type: engine.ResultMatrix, Series: series}
	if q.query.instant {
		r.Type = engine.ResultVector
	}
	out := seriesFrames(&q.query, r)
	out[0].Meta.Stats, out[0].Meta.Custom = nil, nil // no lines were read
	for _, frame := range out {
		for _, field := range frame.Fields {
			if field.Name == "Value" {
				field.Config.Unit = q.unit
			}
		}
	}
	return out
}

// statisticJSON is one statistic for the query editor.
type statisticJSON struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	By      []string `json:"by"`
	Process bool     `json:"process"` // about the whole process
}

// listStatistics answers the resource statistics: what a query of type stats may ask for.
func listStatistics(context.Context, *resourceCall) (any, error) {
	out := listingJSON[statisticJSON]{Status: "success"}
	for _, s := range statistics {
		out.Data = append(out.Data, statisticJSON{Name: s.name, Title: s.title, By: s.by, Process: s.process})
	}
	return out, nil
}
