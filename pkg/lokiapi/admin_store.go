package lokiapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// StoreAdmin is what the operator's tools ask of an open store.
type StoreAdmin interface {
	// Store describes what only the process itself knows.
	Store(ctx context.Context) (StoreInfo, error)
	// Backup writes a backup. It calls progress from its own goroutine, with bytes.
	Backup(ctx context.Context, r BackupRequest, progress func(done, total int64)) (BackupReport, error)
}

// StoreInfo is the answer of /woodshed/api/v1/store.
type StoreInfo struct {
	Version string     `json:"version"`
	PID     int        `json:"pid"`
	DataDir string     `json:"data_dir"`
	Heads   []HeadInfo `json:"heads"`
}

// HeadInfo is one tenant's part that is in memory and in the log, not in blocks.
type HeadInfo struct {
	Tenant   model.TenantID `json:"tenant"`
	Streams  int            `json:"streams"`
	Entries  uint64         `json:"entries"`
	Raw      int64          `json:"raw_bytes"`
	Memory   int64          `json:"memory_bytes"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Flushing bool           `json:"flushing"`
	Segment  uint32         `json:"segment"`
}

// BackupRequest says where a backup goes.
type BackupRequest struct {
	Dir  string // absolute, in the eyes of the store
	Copy bool   // copy what could be hard-linked
}

// BackupReport tells what a backup holds.
type BackupReport struct {
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	Instance string    `json:"instance"`
	Tenants  int       `json:"tenants"`
	Blocks   int       `json:"blocks"`
	Entries  uint64    `json:"entries"`
	RawBytes uint64    `json:"raw_bytes"`
	Bytes    int64     `json:"bytes"`
	Copied   int64     `json:"copied_bytes"`
	LeftOut  []string  `json:"left_out,omitempty"`
}

// backupLine is one line of the answer of /woodshed/api/v1/backup: progress, and last of all a report or an error.
type backupLine struct {
	Done   *int64        `json:"done,omitempty"`
	Total  *int64        `json:"total,omitempty"`
	Report *BackupReport `json:"report,omitempty"`
	Error  string        `json:"error,omitempty"`
}

// backupLineEvery is how often progress is told.
const backupLineEvery = 200 * time.Millisecond

func (a *API) storeInfo(w http.ResponseWriter, r *http.Request) error {
	if a.Admin == nil {
		return fail(http.StatusNotFound, "this process has no store")
	}
	info, err := a.Admin.Store(r.Context())
	if err != nil {
		return err
	}
	return respondStatus(w, r, http.StatusOK, info)
}

// backup answers with lines of JSON as the work goes on, because it may take long. What is refused before anything was
// done has a status of its own; later the status is sent, and only the last line tells how it ended.
func (a *API) backup(w http.ResponseWriter, r *http.Request) error {
	if a.Admin == nil {
		return fail(http.StatusNotFound, "this process has no store")
	}
	if !fromThisMachine(r) {
		// It makes directories under names that the caller chooses, with the rights of the store.
		return fail(http.StatusForbidden, "refused: a backup is asked for on the machine of the store, over the loopback interface")
	}
	req := BackupRequest{Dir: r.URL.Query().Get("dir")}
	if text := r.URL.Query().Get("copy"); text != "" {
		var err error
		if req.Copy, err = strconv.ParseBool(text); err != nil {
			return fail(http.StatusBadRequest, "copy=%.20q is neither true nor false", text)
		}
	}
	out := &backupLines{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetWriteDeadline(time.Time{}) // the flush that comes first takes as long as it takes; see line
	report, err := a.Admin.Backup(r.Context(), req, out.progress)
	if err != nil && !out.started {
		return err
	}
	if err != nil {
		_, text := pushStatus(err)
		a.log.Error("backup failed", slog.String("err", err.Error()))
		out.line(backupLine{Error: text})
		return nil
	}
	out.line(backupLine{Report: &report})
	return nil
}

// backupLines writes the answer. An error of the connection ends the request's context, and with it the backup.
type backupLines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
	last    time.Time
}

func (l *backupLines) progress(done, total int64) {
	now := time.Now()
	if done < total && now.Sub(l.last) < backupLineEvery {
		return
	}
	l.last = now
	l.line(backupLine{Done: &done, Total: &total})
}

func (l *backupLines) line(v backupLine) {
	if !l.started {
		l.started = true
		h := l.w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		l.w.WriteHeader(http.StatusOK)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return // numbers and strings always encode
	}
	// However long the backup takes, a client that does not read for this long is gone. A writer without deadlines or
	// flushing (in tests) is as good.
	_ = l.control.SetWriteDeadline(time.Now().Add(writeSlack))
	_, _ = l.w.Write(append(b, '\n'))
	_ = l.control.Flush()
}

// fromThisMachine reports whether both ends of the connection are loopback addresses.
func fromThisMachine(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() && overLoopback(r)
}
