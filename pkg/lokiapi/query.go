package lokiapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func (a *API) queryRange(w http.ResponseWriter, r *http.Request) error {
	p, err := a.queryParams(w, r, rangeParams)
	if err != nil {
		return err
	}
	return a.exec(w, r, p)
}

func (a *API) queryInstant(w http.ResponseWriter, r *http.Request) error {
	p, err := a.queryParams(w, r, instantParams)
	if err != nil {
		return err
	}
	return a.exec(w, r, p)
}

// queryParams reads what both kinds of query share; kind reads the rest.
func (a *API) queryParams(w http.ResponseWriter, r *http.Request, kind func(url.Values, *engine.Params) error) (engine.Params, error) {
	var p engine.Params
	var err error
	if p.Tenant, err = a.tenant(r); err != nil {
		return p, err
	}
	if err = parseForm(w, r); err != nil {
		return p, err
	}
	p.Query = r.Form.Get("query")
	if p.Limit, err = limitParam(r.Form); err != nil {
		return p, err
	}
	if p.Direction, err = directionParam(r.Form); err != nil {
		return p, err
	}
	if p.Explain, err = boolParam(r.Form, "explain"); err != nil {
		return p, err
	}
	if err = kind(r.Form, &p); err != nil {
		return p, err
	}
	return p, a.checkQuery(p)
}

func rangeParams(form url.Values, p *engine.Params) error {
	iv, err := bounds(form, now())
	if err != nil {
		return err
	}
	if iv.End < iv.Start {
		return fail(http.StatusBadRequest, textEndBeforeStart)
	}
	p.Start, p.End = iv.Start, iv.End
	if p.Step, err = stepParam(form, iv); err != nil {
		return err
	}
	return checkInterval(form)
}

func instantParams(form url.Values, p *engine.Params) error {
	at, err := timeParam(form, "time", now())
	if err != nil {
		return err
	}
	since, err := sinceParam(form)
	if err != nil {
		return err
	}
	p.Start, p.End, p.Instant = at.Add(-since), at, true
	return nil
}

// checkQuery refuses what needs neither data nor a turn to refuse, in the engine's words: text that does not parse, and
// more entries than the tenant may ask for.
func (a *API) checkQuery(p engine.Params) error {
	isLog, err := isLogQuery(p.Query)
	if err != nil || !isLog {
		return err
	}
	entriesMax := queryEntriesMaxDefault
	if a.Limits != nil {
		entriesMax = a.Limits.QueryEntriesMax(p.Tenant)
	}
	if entriesMax > 0 && p.Limit > entriesMax {
		return fail(http.StatusBadRequest,
			"max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > %d)", p.Limit, entriesMax)
	}
	return nil
}

// exec waits for a turn, runs the query and writes the answer. The turn is given back before the answer is sent: a
// client that reads slowly holds its result, which is bounded, but nobody up. How long the query itself may take is the
// engine's to say, tenant by tenant.
func (a *API) exec(w http.ResponseWriter, r *http.Request, p engine.Params) error {
	if err := a.turn(r.Context()); err != nil {
		return err
	}
	res, err := a.run(r.Context(), p)
	if err != nil {
		return err
	}
	return respond(w, r, func(an *answer) { an.result(res, wantsCategorized(r)) })
}

func (a *API) run(ctx context.Context, p engine.Params) (*engine.Result, error) {
	defer a.gate.leave()
	return a.Executor.Exec(ctx, p)
}

// bounded runs a listing within the limits on their number and time.
func (a *API) bounded(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.QueryTimeout)
	defer cancel()
	if err := a.gate.enter(ctx); err != nil {
		return err
	}
	defer a.gate.leave()
	return read(ctx)
}

// turn waits for a turn, no longer than a query may take.
func (a *API) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.QueryTimeout)
	defer cancel()
	return a.gate.enter(ctx)
}

func now() model.Timestamp { return model.TimestampOf(time.Now()) }
