package plugin

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"golang.org/x/sync/errgroup"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// QueryData answers the queries of one request, each on its own: a fault in one is an error of that one.
func (i *Instance) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := make([]backend.DataResponse, len(req.Queries))
	var g errgroup.Group
	g.SetLimit(queriesAtOnce)
	for n, q := range req.Queries {
		g.Go(func() error {
			answers[n] = i.answer(ctx, req, q)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	resp := backend.NewQueryDataResponse()
	for n, q := range req.Queries {
		if _, twice := resp.Responses[q.RefID]; twice {
			answers[n] = fault(400, "Two queries of the request are called %q.", q.RefID).response()
		}
		resp.Responses[q.RefID] = answers[n]
	}
	return resp, nil
}

// answer runs one query from its JSON to its frames.
func (i *Instance) answer(ctx context.Context, req *backend.QueryDataRequest, dq backend.DataQuery) (resp backend.DataResponse) {
	defer func() {
		if r := recover(); r != nil {
			i.p.Log.Error("query panicked", slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			resp = (&requestError{backend.StatusInternal, backend.ErrorSourcePlugin, "Woodshed failed while it ran this query; its log has the details."}).response()
		}
	}()
	frames, err := i.run(ctx, req, dq)
	if err != nil {
		failed := i.p.classify(ctx, err)
		if failed.status == backend.StatusInternal {
			i.p.Log.Error("query failed", slog.String("refID", dq.RefID), slog.Any("err", err))
		}
		return failed.response()
	}
	return backend.DataResponse{Status: backend.StatusOK, Frames: frames}
}

func (i *Instance) run(ctx context.Context, req *backend.QueryDataRequest, dq backend.DataQuery) (frames, error) {
	if isStats(dq) {
		return i.runStats(ctx, req, dq)
	}
	q, err := i.parseQuery(dq, isFromAlert(req))
	if err != nil {
		return nil, err
	}
	tenant, done, err := i.begin(ctx, req.PluginContext)
	if err != nil {
		return nil, err
	}
	defer done()
	i.p.bound(q, tenant)
	params, err := q.params(tenant)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, i.p.queryTimeout(tenant))
	defer cancel()
	exec := i.p.Executor.Exec
	if q.logs {
		exec = func(ctx context.Context, params engine.Params) (*engine.Result, error) {
			return i.p.lines(ctx, q, params)
		}
	}
	result, err := exec(ctx, params)
	if err != nil {
		return nil, err
	}
	return i.p.framesFromResult(q, result), nil
}

// bound lowers the number of lines to what the process and the tenant's limits allow. Loki answers an error instead, but
// a person who set the field in a panel wants the lines, and reads under them that there are more.
func (p *Plugin) bound(q *query, tenant model.TenantID) {
	rowsMax := p.Config.Grafana.RowsMax
	if n := p.limits.QueryEntriesMax(tenant); n > 0 {
		rowsMax = min(rowsMax, n)
	}
	q.rowsMax = rowsMax
	if q.limit > rowsMax {
		q.asked, q.limit = q.limit, rowsMax
	}
}

// queryTimeout is how long a query of the tenant may run.
func (p *Plugin) queryTimeout(tenant model.TenantID) time.Duration {
	if d := time.Duration(p.limits.For(tenant).QueryTimeout); d > 0 {
		return min(d, queryTimeoutMax)
	}
	return queryTimeoutMax
}

// params decides what depends on the kind of query.
func (q *query) params(tenant model.TenantID) (engine.Params, error) {
	p := engine.Params{
		Tenant: tenant, Query: q.expr, Start: q.interval.Start, End: q.interval.End,
		Step: q.step, Instant: q.instant, Limit: q.limit, Direction: q.direction,
	}
	logs, words, err := inspectQuery(q.expr)
	q.words, q.logs = words, logs
	switch {
	case err != nil:
		return p, err
	case logs && q.fromAlert:
		return p, fault(400, "An alert rule needs numbers, and this query returns log lines. Count them, for example: sum(count_over_time(%s [5m])).", q.expr)
	case logs && q.instant:
		p.Instant = false // Explore's "instant" of a log query is the same lines: there is no instant of them
	case !logs && !q.instant:
		p.Start, p.End = alignToStep(p.Start, p.End, q.step)
	}
	return p, nil
}

// alignToStep moves both ends outwards to multiples of the step, as Loki's front end does: bars keep their borders while
// the range moves with the clock, and the newest, unfinished one is there.
func alignToStep(start, end model.Timestamp, step time.Duration) (alignedStart, alignedEnd model.Timestamp) {
	s := model.Timestamp(step)
	floor := func(t model.Timestamp) model.Timestamp {
		r := t % s
		if r < 0 {
			r += s
		}
		return t.Add(-time.Duration(r))
	}
	alignedEnd = floor(end)
	if alignedEnd < end {
		alignedEnd = alignedEnd.Add(step)
	}
	return floor(start), alignedEnd
}

// isFromAlert reports a request of Grafana's alerting, which marks it with a header.
func isFromAlert(req *backend.QueryDataRequest) bool {
	for name, value := range req.Headers {
		if strings.EqualFold(strings.TrimPrefix(name, "http_"), backend.FromAlertHeaderName) {
			return strings.EqualFold(value, "true")
		}
	}
	return false
}
