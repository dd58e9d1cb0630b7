package lokiapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// listingScope reads what label and statistics requests share.
func (a *API) listingScope(w http.ResponseWriter, r *http.Request) (model.TenantID, storage.Scope, error) {
	var scope storage.Scope
	tenant, err := a.tenant(r)
	if err != nil {
		return "", scope, err
	}
	if err = parseForm(w, r); err != nil {
		return "", scope, err
	}
	if scope.Interval, err = listingBounds(r.Form, now()); err != nil {
		return "", scope, err
	}
	scope.Matchers, err = scopeMatchers(r.Form.Get("query"))
	return tenant, scope, err
}

// scopeMatchers parses a selector that may be absent or empty.
func scopeMatchers(text string) ([]*labels.Matcher, error) {
	if everything(text) {
		return nil, nil
	}
	return parseSelector(text)
}

func everything(selector string) bool {
	s := strings.Join(strings.Fields(selector), "")
	return s == "" || s == "{}"
}

func (a *API) labelNames(w http.ResponseWriter, r *http.Request) error {
	return a.list(w, r, func(ctx context.Context, t model.TenantID, s storage.Scope) ([]string, error) {
		return a.Querier.LabelNames(ctx, t, s)
	})
}

func (a *API) labelValues(w http.ResponseWriter, r *http.Request) error {
	return a.list(w, r, func(ctx context.Context, t model.TenantID, s storage.Scope) ([]string, error) {
		return a.Querier.LabelValues(ctx, t, r.PathValue("name"), s)
	})
}

func (a *API) list(w http.ResponseWriter, r *http.Request,
	read func(context.Context, model.TenantID, storage.Scope) ([]string, error)) error {
	tenant, scope, err := a.listingScope(w, r)
	if err != nil {
		return err
	}
	var list []string
	err = a.bounded(r.Context(), func(ctx context.Context) (err error) {
		list, err = read(ctx, tenant, scope)
		return err
	})
	if err != nil {
		return err
	}
	return respond(w, r, func(an *answer) {
		an.raw(`{"status":"success"`)
		if len(list) > 0 { // Loki leaves an empty list out, and clients test for that
			an.raw(`,"data":`)
			an.strs(list)
		}
		an.raw("}\n")
	})
}

// series answers the label sets that fit any of the selectors, each once, sorted.
func (a *API) series(w http.ResponseWriter, r *http.Request) error {
	tenant, err := a.tenant(r)
	if err != nil {
		return err
	}
	if err = parseForm(w, r); err != nil {
		return err
	}
	iv, err := listingBounds(r.Form, now())
	if err != nil {
		return err
	}
	selectors, err := seriesSelectors(r)
	if err != nil {
		return err
	}
	var sets []labels.Labels
	err = a.bounded(r.Context(), func(ctx context.Context) error {
		for _, ms := range selectors {
			found, err := a.Querier.Series(ctx, tenant, storage.Scope{Matchers: ms, Interval: iv})
			if err != nil {
				return err
			}
			sets = append(sets, found...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(selectors) > 1 {
		slices.SortFunc(sets, labels.Compare)
		sets = slices.CompactFunc(sets, labels.Equal)
	}
	return respond(w, r, func(an *answer) {
		an.raw(`{"status":"success","data":[`)
		for i, ls := range sets {
			if i > 0 {
				an.raw(`,`)
			}
			an.labels(ls)
		}
		an.raw("]}\n")
	})
}

// seriesSelectors reads match and match[]; none, or {} alone, selects every stream.
func seriesSelectors(r *http.Request) ([][]*labels.Matcher, error) {
	texts := slices.Concat(r.Form["match"], r.Form["match[]"])
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if len(texts) > seriesSelectorsMax {
		return nil, fail(http.StatusBadRequest, "too many match parameters: %d, at most %d", len(texts), seriesSelectorsMax)
	}
	if len(texts) == 0 || len(texts) == 1 && everything(texts[0]) {
		return [][]*labels.Matcher{nil}, nil
	}
	selectors := make([][]*labels.Matcher, 0, len(texts))
	for _, text := range texts {
		ms, err := parseSelector(text)
		if err != nil {
			return nil, err
		}
		selectors = append(selectors, ms)
	}
	return selectors, nil
}

func (a *API) indexStats(w http.ResponseWriter, r *http.Request) error {
	tenant, scope, err := a.listingScope(w, r)
	if err != nil {
		return err
	}
	var s storage.Stats
	err = a.bounded(r.Context(), func(ctx context.Context) (err error) {
		s, err = a.Querier.Stats(ctx, tenant, scope)
		return err
	})
	if err != nil {
		return err
	}
	return respond(w, r, func(an *answer) {
		an.value(struct {
			Streams uint64 `json:"streams"`
			Chunks  uint64 `json:"chunks"`
			Bytes   uint64 `json:"bytes"`
			Entries uint64 `json:"entries"`
		}{s.Streams, s.Chunks, s.Bytes, s.Entries})
		an.raw("\n")
	})
}
