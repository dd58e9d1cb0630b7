package lokiapi

import (
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ready answers 200 as soon as pushes and queries work, and 503 with the reason before. Probes read the status, people
// add ?verbose.
func (a *API) ready(w http.ResponseWriter, r *http.Request) error {
	rp := a.Reporter.Report(r.Context())
	var text strings.Builder
	if rp.Ready {
		text.WriteString("ready\n")
	} else {
		text.WriteString("not ready: " + rp.stateWords() + "\n")
	}
	if r.URL.Query().Has("verbose") {
		for _, line := range rp.words() {
			text.WriteString(line + "\n")
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !rp.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	writeText(w, text.String())
	return nil
}

func (a *API) scrape(w http.ResponseWriter, r *http.Request) error {
	if a.Gatherer == nil {
		return fail(http.StatusNotFound, "this process has no metrics here: Grafana serves them at /metrics/plugins/woodshed-logs-datasource")
	}
	promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // one bad collector must not hide the others
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	}).ServeHTTP(w, r)
	return nil
}

func (a *API) dumpConfig(w http.ResponseWriter, _ *http.Request) error {
	if a.ConfigDumper == nil {
		return fail(http.StatusNotFound, "this process does not show its configuration")
	}
	b, err := a.ConfigDumper.YAML()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(b)
	return err
}

// flush answers when everything that was acknowledged before is in blocks.
func (a *API) flush(w http.ResponseWriter, r *http.Request) error {
	if a.Flusher == nil {
		return fail(http.StatusNotFound, "this process has nothing to flush")
	}
	if err := a.Flusher.Flush(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) buildInfo(w http.ResponseWriter, r *http.Request) error {
	b := a.cfg.Build
	return respond(w, r, func(an *answer) {
		an.value(struct {
			Version   string `json:"version"`
			Revision  string `json:"revision"`
			Branch    string `json:"branch"`
			BuildUser string `json:"buildUser"`
			BuildDate string `json:"buildDate"`
			GoVersion string `json:"goVersion"`
		}{b.Version, b.Revision, b.Branch, b.BuildUser, b.BuildDate, runtime.Version()})
		an.raw("\n")
	})
}

// formatQuery prints a query in its canonical form. Its errors have a JSON form of their own in Loki.
func (a *API) formatQuery(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	pretty, err := prettyQuery(r.Form.Get("query"))
	type reply struct {
		Status string `json:"status"`
		Data   string `json:"data,omitempty"`
		Err    string `json:"error,omitempty"`
	}
	if err != nil {
		return respondStatus(w, r, http.StatusBadRequest, reply{Status: "invalid-query", Err: words(err)})
	}
	return respondStatus(w, r, http.StatusOK, reply{Status: "success", Data: pretty})
}

func respondStatus(w http.ResponseWriter, r *http.Request, status int, v any) error {
	return respondWith(w, r, status, func(an *answer) {
		an.value(v)
		an.raw("\n")
	})
}
