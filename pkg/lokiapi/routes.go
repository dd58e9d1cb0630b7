package lokiapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// handlerFunc answers a request itself or returns the error to answer with.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// route is one row of the table. Its pattern is also its label in metrics, so that there are only as many label values
// as rows.
type route struct {
	pattern string
	methods []string
	handler handlerFunc
	// status maps the handler's errors.
	status func(error) (int, string)
	// changes says that the route changes what is stored: browsers may not call it for another site.
	changes bool
}

var (
	reads = []string{http.MethodGet, http.MethodHead, http.MethodPost} // Loki takes a form on every query route
	gets  = []string{http.MethodGet, http.MethodHead}
	posts = []string{http.MethodPost}
)

// table lists every route. docs/http-api.md describes each; a test compares the two.
func (a *API) table() []route {
	return []route{
		{"/loki/api/v1/push", posts, a.push, pushStatus, true},
		{"/api/prom/push", posts, a.pushLegacy, pushStatus, true},

		{"/loki/api/v1/query_range", reads, a.queryRange, queryStatus, false},
		{"/loki/api/v1/query", reads, a.queryInstant, queryStatus, false},
		{"/loki/api/v1/labels", reads, a.labelNames, queryStatus, false},
		{"/loki/api/v1/label", reads, a.labelNames, queryStatus, false},
		{"/loki/api/v1/label/{name}/values", reads, a.labelValues, queryStatus, false},
		{"/loki/api/v1/series", reads, a.series, queryStatus, false},
		{"/loki/api/v1/index/stats", reads, a.indexStats, queryStatus, false},
		{"/loki/api/v1/format_query", reads, a.formatQuery, queryStatus, false},
		{"/loki/api/v1/status/buildinfo", gets, a.buildInfo, queryStatus, false},

		{"/ready", gets, a.ready, queryStatus, false},
		{"/metrics", gets, a.scrape, queryStatus, false},
		{"/config", gets, a.dumpConfig, queryStatus, false},
		{"/flush", posts, a.flush, pushStatus, true},
		{"/woodshed/api/v1/store", gets, a.storeInfo, queryStatus, false},
		{"/woodshed/api/v1/backup", posts, a.backup, pushStatus, true},
		{"/{$}", gets, a.statusPage, queryStatus, false},
		{"/", nil, a.notFound, queryStatus, false},
	}
}

func (a *API) routes() {
	for _, rt := range a.table() {
		a.mux.Handle(rt.pattern, a.serve(rt))
	}
}

// serve wraps a route: metrics, panics, method, host, error.
func (a *API) serve(rt route) http.Handler {
	label := rt.pattern
	if label == "/" {
		label = "other"
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &responseWriter{ResponseWriter: rw}
		defer func() {
			if p := recover(); p != nil {
				a.recovered(w, r, p)
			}
			a.metrics.observe(label, w.status, time.Since(start))
			if w.cut {
				// The status is sent: only a broken connection tells the client that the answer is not whole.
				panic(http.ErrAbortHandler)
			}
		}()
		if err := a.checkRequest(rt, w, r); err != nil {
			status, text := commonStatus(err)
			writeError(w, status, text)
			return
		}
		if err := rt.handler(w, r); err != nil {
			a.answerError(w, r, err, rt.status)
		}
	})
}

func (a *API) checkRequest(rt route, w http.ResponseWriter, r *http.Request) error {
	if rt.methods != nil && !slices.Contains(rt.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(rt.methods, ", "))
		return fail(http.StatusMethodNotAllowed, "%s is not allowed on %s: use %s", r.Method, r.URL.Path, strings.Join(rt.methods, " or "))
	}
	return a.hosts.check(r, rt.changes)
}

// answerError maps an error of a handler. What a client that went away causes comes back as whatever the layers below
// made of it, so the request's context is asked too. Faults of ours are logged, the client's only counted.
func (a *API) answerError(w *responseWriter, r *http.Request, err error, statusOf func(error) (int, string)) {
	status, text := statusOf(err)
	if status >= http.StatusInternalServerError && errors.Is(context.Cause(r.Context()), context.Canceled) {
		status, text = statusClientClosed, textCancelled
	}
	if status == http.StatusInternalServerError {
		a.log.Error("request failed", slog.String("path", r.URL.Path), slog.Int("status", status), slog.String("err", err.Error()))
	}
	if w.status != 0 {
		w.cut = true
		return
	}
	writeError(w, status, text)
}

func (a *API) recovered(w *responseWriter, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		w.cut = true
		return
	}
	a.metrics.panics.Inc()
	a.log.Error("handler panicked", slog.String("path", r.URL.Path), slog.String("panic", fmt.Sprint(p)),
		slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		w.cut = true
		return
	}
	writeError(w, http.StatusInternalServerError, "internal error: the request hit a fault of Woodshed, which is in its log; nothing else is affected")
}

func (a *API) notFound(_ http.ResponseWriter, r *http.Request) error {
	path := r.URL.Path
	if len(path) > 200 {
		path = path[:200] + "…"
	}
	return fail(http.StatusNotFound, "there is nothing at %q: this is Woodshed, which serves Loki's API under /loki/api/v1/ and its status at /", path)
}

// responseWriter remembers the status for metrics and for errors that come too late.
type responseWriter struct {
	http.ResponseWriter
	status int
	cut    bool // the answer broke off after its status was sent
}

func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusLabel bounds the label: what no handler set is 200, as net/http answers.
func statusLabel(status int) string {
	if status == 0 {
		status = http.StatusOK
	}
	return strconv.Itoa(status)
}
