package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// healthDetails is what the configuration page and the query editor read: CheckHealth's JSONDetails and the answer of the
// status resource.
type healthDetails struct {
	Version     string           `json:"version"`
	State       State            `json:"state"`
	Message     string           `json:"message"`
	Listen      string           `json:"listen"`
	ListenError string           `json:"listenError,omitempty"`
	DataDir     string           `json:"dataDir,omitempty"` // for Admins
	Tenant      model.TenantID   `json:"tenant"`            // that this data source reads
	Tenants     []model.TenantID `json:"tenants"`           // that its organisation may read
	AuthEnabled bool             `json:"authEnabled"`       // every push names its tenant
	Streams     uint64           `json:"streams"`
	Entries     uint64           `json:"entries"`
	Bytes       uint64           `json:"bytes"`
	DiskBytes   uint64           `json:"diskBytes"`
	Oldest      *time.Time       `json:"oldest,omitempty"`
	Retention   string           `json:"retention,omitempty"`
	Space       string           `json:"space,omitempty"`  // of the disk; for Admins
	Memory      []string         `json:"memory,omitempty"` // who gets how much; for Admins
	Refused     []refusedJSON    `json:"refused"`
	Warnings    []string         `json:"warnings"`
	Replay      *replayJSON      `json:"replay,omitempty"`
	MaxLines    int              `json:"maxLines"` // default line limit of this data source
	RowsMax     int              `json:"rowsMax"`  // that no query may exceed
}

type refusedJSON struct {
	Reason  string         `json:"reason"`
	Tenant  model.TenantID `json:"tenant"`
	Entries uint64         `json:"entries"`
	Text    string         `json:"text"`
}

type replayJSON struct {
	Progress float64 `json:"progress"`
}

// CheckHealth says in sentences how the store is and, when something is wrong, what to do. Every Viewer may ask.
func (i *Instance) CheckHealth(ctx context.Context, req *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	details, ok := i.health(ctx, req.PluginContext)
	body, err := json.Marshal(details)
	if err != nil {
		return nil, fmt.Errorf("encode health: %w", err)
	}
	status := backend.HealthStatusError
	if ok {
		status = backend.HealthStatusOk
	}
	return &backend.CheckHealthResult{Status: status, Message: details.Message, JSONDetails: body}, nil
}

// health gathers the details and reports whether all is well.
func (i *Instance) health(ctx context.Context, pluginCtx backend.PluginContext) (healthDetails, bool) {
	s := i.p.Store.Status(ctx)
	admin := isAdmin(pluginCtx)
	d := healthDetails{
		Version: s.Version, State: s.State, Listen: s.Listen, ListenError: i.notice(s.ListenError, admin),
		Tenants: i.p.Config.TenantsOf(orgOf(pluginCtx)), Refused: []refusedJSON{}, Warnings: []string{},
		Retention: s.Retention, AuthEnabled: i.p.Config.AuthEnabled,
		MaxLines: min(i.settings.maxLines, i.p.Config.Grafana.RowsMax), RowsMax: i.p.Config.Grafana.RowsMax,
	}
	if d.Tenants == nil {
		d.Tenants = []model.TenantID{}
	}
	if admin {
		d.DataDir, d.Space, d.Memory = s.DataDir, s.Space, s.Memory
	}
	if s.State == StateReplaying {
		d.Replay = &replayJSON{Progress: s.Progress}
	}
	for _, w := range s.Warnings {
		if text := i.notice(w, admin); !slices.Contains(d.Warnings, text) { // several parts of the process may know of one trouble
			d.Warnings = append(d.Warnings, text)
		}
	}
	for _, r := range s.Refusals {
		if slices.Contains(d.Tenants, r.Tenant) {
			d.Refused = append(d.Refused, refusedJSON{Reason: r.Reason, Tenant: r.Tenant, Entries: r.Entries, Text: r.Text})
		}
	}
	if i.settings.maxLines > d.RowsMax {
		d.Warnings = append(d.Warnings, fmt.Sprintf("The data source asks for %s lines by default, and one query returns at most %s (grafana.rows_max).",
			countText(uint64(i.settings.maxLines)), countText(uint64(d.RowsMax))))
	}
	slices.SortStableFunc(d.Refused, func(a, b refusedJSON) int { return cmp.Compare(b.Entries, a.Entries) })

	tenant, err := i.tenant(pluginCtx)
	if err != nil {
		d.Message = joinSentences(append([]string{err.Error()}, i.settings.faults...))
		return d, false
	}
	d.Tenant = tenant
	i.sizes(ctx, &d, s)
	d.Message = i.healthMessage(&d, s, admin)
	return d, s.State == StateReady && s.ListenError == (Notice{}) && len(i.settings.faults) == 0
}

// sizes fills in how much is stored: in the whole store, or where organisations are kept apart, of the tenant alone.
func (i *Instance) sizes(ctx context.Context, d *healthDetails, s StatusInfo) {
	if !i.p.keptApart() {
		d.Streams, d.Entries, d.Bytes, d.DiskBytes = s.Streams, s.Entries, s.Bytes, s.DiskBytes
		if !s.Oldest.IsZero() {
			oldest := s.Oldest.UTC()
			d.Oldest = &oldest
		}
		return
	}
	select {
	case <-i.p.Store.Ready():
	default:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	everything := storage.Scope{Interval: model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp}}
	stats, err := i.p.Querier.Stats(ctx, d.Tenant, everything)
	if err != nil {
		i.p.Log.Warn("tenant could not be sized", slog.String("tenant", string(d.Tenant)), slog.Any("err", err))
		d.Warnings = append(d.Warnings, "How much this tenant has stored could not be read in time.")
		return
	}
	d.Streams, d.Entries, d.Bytes = stats.Streams, stats.Entries, stats.Bytes
}

// healthMessage is the line under Save & test.
func (i *Instance) healthMessage(d *healthDetails, s StatusInfo, admin bool) string {
	name := strings.TrimSpace("Woodshed " + s.Version)
	var out []string
	switch s.State {
	case StateReady:
		out = append(out, fmt.Sprintf("%s is running: %s.", name, i.storedText(d)))
	case StateReplaying:
		out = append(out, fmt.Sprintf("%s is replaying its write-ahead log: %s. It answers when that is done.", name, percentText(s.Progress)))
	case StateDegraded:
		out = append(out, i.notice(s.Reason, admin))
	default:
		out = append(out, name+" is starting. Try again in a moment.")
	}
	switch {
	case d.ListenError != "":
		out = append(out, "Nothing can be pushed.", capital(d.ListenError))
	case s.Listen != "":
		out = append(out, "Listening on "+s.Listen+".")
	case s.State == StateReady:
		out = append(out, "No listener is open, so nothing can be pushed.")
	}
	out = append(out, i.settings.faults...)
	const shown = 3
	for n, r := range d.Refused {
		if n == shown {
			out = append(out, fmt.Sprintf("%d more reasons of refusals.", len(d.Refused)-shown))
			break
		}
		out = append(out, capital(r.Text))
	}
	for _, w := range d.Warnings {
		out = append(out, "Warning: "+w)
	}
	return joinSentences(out)
}

func (i *Instance) storedText(d *healthDetails) string {
	if d.Entries == 0 {
		return "nothing stored yet"
	}
	text := fmt.Sprintf("%s, %s, %s", plural(d.Streams, "stream", "streams"), plural(d.Entries, "line", "lines"), bytesText(d.Bytes))
	if d.Oldest != nil {
		text += ", oldest " + ageText(i.p.now().Sub(*d.Oldest))
	}
	return text
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
