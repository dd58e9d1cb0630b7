package plugin

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	prommodel "github.com/prometheus/common/model"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// CallResource answers what the label picker asks, under Loki's paths. Every Viewer may call it, so it only reads.
func (i *Instance) CallResource(ctx context.Context, req *backend.CallResourceRequest, sender backend.CallResourceResponseSender) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, instanceKey{}, i), resourceTimeout)
	defer cancel()
	return i.p.resources.CallResource(ctx, req, sender)
}

// instanceKey carries the data source through httpadapter, whose handler is made once for the process.
type instanceKey struct{}

// resourceFunc answers one resource: something to encode, and what is incomplete about it.
type resourceFunc func(ctx context.Context, c *resourceCall) (answer any, err error)

// resourceCall is one request after all common steps.
type resourceCall struct {
	p        *Plugin
	tenant   model.TenantID
	name     string // of the label, for label/NAME/values
	params   url.Values
	interval model.Interval
}

// The allow-list. TestNoOtherTenantIsReached walks it: a path without a case there fails.
var (
	// routes read one tenant's logs.
	routes = map[string]resourceFunc{
		"/labels":        labelNames,
		"/series":        series,
		"/index/stats":   indexStats,
		"/last-seen":     lastSeen,
		"/count":         countLines,
		"/labels/counts": nameCounts,
		"/statistics":    listStatistics,
	}
	// labelRoutes do so for one label: /label/NAME/ and what stands here.
	labelRoutes = map[string]resourceFunc{
		"values": labelValues,
		"counts": valueCounts,
	}
	// storelessRoutes answer also while the store opens, and those to whom nothing is open.
	storelessRoutes = map[string]func(*Instance, *http.Request) (any, error){
		"/status": status,
		"/check":  func(_ *Instance, r *http.Request) (any, error) { return checkQuery(r.URL.Query()) },
	}
)

// resourceHandler answers GET of the allow-list, and 404 to everything else.
type resourceHandler struct{ p *Plugin }

func (h resourceHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			h.p.Log.Error("resource call panicked", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			writeJSON(w, http.StatusInternalServerError, errorJSON("Woodshed failed while it answered this request; its log has the details."))
		}
	}()
	instance, ok := r.Context().Value(instanceKey{}).(*Instance)
	if !ok || r.Method != http.MethodGet {
		h.respondNotFound(w)
		return
	}
	if answer, found := storelessRoutes[r.URL.Path]; found {
		body, err := answer(instance, r)
		h.respond(w, r, body, err)
		return
	}
	answer, name := route(r.URL.Path)
	if answer == nil {
		h.respondNotFound(w)
		return
	}
	body, err := instance.resource(r, answer, name)
	h.respond(w, r, body, err)
}

func (h resourceHandler) respondNotFound(w http.ResponseWriter) {
	writeJSON(w, http.StatusNotFound, errorJSON("There is no such resource."))
}

// respond sends an answer, or the error in its place.
func (h resourceHandler) respond(w http.ResponseWriter, r *http.Request, body any, err error) {
	if err != nil {
		failed := h.p.classify(r.Context(), err)
		if failed.status == backend.StatusInternal {
			h.p.Log.Error("resource call failed", slog.String("path", r.URL.Path), slog.Any("err", err))
		}
		writeJSON(w, int(failed.status), errorJSON(failed.text))
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// route finds the answer to a path that reads logs, nil for none. An unclean path is none: nothing here may be reached by
// ../.
func route(p string) (answer resourceFunc, name string) {
	if path.Clean(p) != p {
		return nil, ""
	}
	if answer, found := routes[p]; found {
		return answer, ""
	}
	rest, isLabel := strings.CutPrefix(p, "/label/")
	name, what, _ := strings.Cut(rest, "/")
	if !isLabel || name == "" {
		return nil, ""
	}
	return labelRoutes[what], name
}

// status is what CheckHealth tells, as JSON.
func status(i *Instance, r *http.Request) (any, error) {
	details, _ := i.health(r.Context(), backend.PluginConfigFromContext(r.Context()))
	return details, nil
}

// resource runs one call.
func (i *Instance) resource(r *http.Request, answer resourceFunc, name string) (any, error) {
	ctx := r.Context()
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault(400, "The parameters could not be read: %s.", err)
	}
	interval, err := resourceInterval(params, model.TimestampOf(i.p.now()))
	if err != nil {
		return nil, err
	}
	tenant, done, err := i.begin(ctx, backend.PluginConfigFromContext(ctx))
	if err != nil {
		return nil, err
	}
	defer done()
	return answer(ctx, &resourceCall{p: i.p, tenant: tenant, name: name, params: params, interval: interval})
}

// listingJSON is Loki's envelope.
type listingJSON[T any] struct {
	Status   string   `json:"status"`
	Data     []T      `json:"data"`
	Warnings []string `json:"warnings,omitempty"`
}

func labelNames(ctx context.Context, c *resourceCall) (any, error) {
	scope, err := c.scope(c.params["query"])
	if err != nil {
		return nil, err
	}
	names, err := c.p.Querier.LabelNames(ctx, c.tenant, scope)
	return stringListing(names, "label names"), err
}

func labelValues(ctx context.Context, c *resourceCall) (any, error) {
	scope, err := c.scope(c.params["query"])
	if err != nil {
		return nil, err
	}
	values, err := c.p.Querier.LabelValues(ctx, c.tenant, c.name, scope)
	return stringListing(values, "values"), err
}

// series merges the answers to several selectors, as Loki does.
func series(ctx context.Context, c *resourceCall) (any, error) {
	selectors := append(c.params["match[]"], c.params["match"]...)
	if len(selectors) > selectorsMax {
		return nil, fault(400, "%d selectors are too many; at most %d are read.", len(selectors), selectorsMax)
	}
	if len(selectors) == 0 {
		selectors = []string{""}
	}
	out := listingJSON[map[string]string]{Status: "success", Data: []map[string]string{}}
	seen := map[string]bool{}
	bytesLeft := listingBytesMax
	for _, selector := range selectors {
		scope, err := c.scope([]string{selector})
		if err != nil {
			return nil, err
		}
		sets, err := c.p.Querier.Series(ctx, c.tenant, scope)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			key := set.String()
			if seen[key] {
				continue
			}
			if bytesLeft -= len(key); len(out.Data) == listingMax || bytesLeft < 0 {
				out.Warnings = append(out.Warnings, "Only the first "+countText(uint64(len(out.Data)))+" series are listed.")
				return out, nil
			}
			seen[key] = true
			out.Data = append(out.Data, set.Map())
		}
	}
	return out, nil
}

// statsJSON is Loki's answer, without an envelope.
type statsJSON struct {
	Streams uint64 `json:"streams"`
	Chunks  uint64 `json:"chunks"`
	Entries uint64 `json:"entries"`
	Bytes   uint64 `json:"bytes"`
}

func indexStats(ctx context.Context, c *resourceCall) (any, error) {
	scope, err := c.scope(c.params["query"])
	if err != nil {
		return nil, err
	}
	s, err := c.p.Querier.Stats(ctx, c.tenant, scope)
	return statsJSON{Streams: s.Streams, Chunks: s.Chunks, Entries: s.Entries, Bytes: s.Bytes}, err
}

// scope narrows a listing to the first selector that is given; none, "" and {} mean every stream.
func (c *resourceCall) scope(selectors []string) (storage.Scope, error) {
	scope := storage.Scope{Interval: c.interval}
	if len(selectors) == 0 || strings.TrimSpace(selectors[0]) == "" {
		return scope, nil
	}
	if len(selectors[0]) > queryBytesMax {
		return scope, fault(400, "The selector is %d bytes long; at most %d are read.", len(selectors[0]), queryBytesMax)
	}
	var err error
	scope.Matchers, err = parseSelector(selectors[0])
	return scope, err
}

func stringListing(all []string, what string) listingJSON[string] {
	out := listingJSON[string]{Status: "success", Data: []string{}}
	bytesLeft := listingBytesMax
	for n, s := range all {
		if bytesLeft -= len(s); n == listingMax || bytesLeft < 0 {
			out.Warnings = []string{"Only the first " + countText(uint64(n)) + " of " + countText(uint64(len(all))) + " " + what + " are listed."}
			break
		}
		out.Data = append(out.Data, s)
	}
	return out
}

// resourceInterval reads start, end and since as Loki does; the end is inclusive.
func resourceInterval(params url.Values, now model.Timestamp) (model.Interval, error) {
	since := time.Hour
	if text := params.Get("since"); text != "" {
		d, err := prommodel.ParseDuration(text)
		if err != nil {
			return model.Interval{}, fault(400, "since %q is not a duration; write for example 6h.", text)
		}
		since = time.Duration(d)
	}
	end, err := parseTime(params.Get("end"), now)
	if err != nil {
		return model.Interval{}, err
	}
	start, err := parseTime(params.Get("start"), min(end, now).Add(-since))
	if err != nil {
		return model.Interval{}, err
	}
	if end < start {
		return model.Interval{}, fault(400, "The time range ends before it begins.")
	}
	return model.Interval{Start: start, End: end.Add(1)}, nil
}

// parseTime reads whole seconds (up to ten digits), nanoseconds (more), seconds with a fraction, or RFC 3339.
func parseTime(text string, otherwise model.Timestamp) (model.Timestamp, error) {
	if text == "" {
		return otherwise, nil
	}
	bad := fault(400, "%q is not a time; write Unix seconds, Unix nanoseconds or RFC 3339.", text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		const secondsMax = math.MaxInt64 / int64(time.Second)
		if len(strings.TrimPrefix(text, "-")) > 10 {
			return model.Timestamp(n), nil
		}
		return model.Timestamp(max(min(n, secondsMax), -secondsMax) * int64(time.Second)), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.Contains(text, ".") {
		if !(f > -9.2e9 && f < 9.2e9) {
			return 0, bad
		}
		return model.Timestamp(int64(f*1000) * int64(time.Millisecond)), nil // a float holds no more than that today
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Before(model.MinTimestamp.Time()) || t.After(model.MaxTimestamp.Time()) {
		return 0, bad
	}
	return model.TimestampOf(t), nil
}

func errorJSON(text string) any {
	return struct {
		Status  string `json:"status"`
		Message string `json:"message"` // where Grafana's front end looks
		Error   string `json:"error"`   // where clients of Loki's data source look
	}{"error", text, text}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"status":"error","message":"The answer could not be encoded."}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // into the adapter's buffer
}
