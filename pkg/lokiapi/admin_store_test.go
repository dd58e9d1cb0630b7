package lokiapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// fakeAdmin answers as its fields say.
type fakeAdmin struct {
	info    StoreInfo
	asked   []BackupRequest
	steps   int
	report  BackupReport
	failure error
}

func (f *fakeAdmin) Store(context.Context) (StoreInfo, error) { return f.info, f.failure }

func (f *fakeAdmin) Backup(_ context.Context, r BackupRequest, progress func(done, total int64)) (BackupReport, error) {
	f.asked = append(f.asked, r)
	for i := range f.steps {
		progress(int64(i+1), int64(f.steps))
	}
	return f.report, f.failure
}

const backupPath = "/woodshed/api/v1/backup"

func TestStoreInfo(t *testing.T) {
	admin := &fakeAdmin{info: StoreInfo{Version: "1.2.3", PID: 7, DataDir: "/data", Heads: []HeadInfo{{Tenant: "t1", Entries: 3}}}}
	s := newSite(t, func(_ *Config, d *Deps) { d.Admin = admin })
	got := s.get(t, "/woodshed/api/v1/store")
	require.Equal(t, 200, got.status)
	require.JSONEq(t, `{"version":"1.2.3","pid":7,"data_dir":"/data","heads":[{"tenant":"t1","streams":0,"entries":3,"raw_bytes":0,
		"memory_bytes":0,"from":"0001-01-01T00:00:00Z","to":"0001-01-01T00:00:00Z","flushing":false,"segment":0}]}`, got.body)
	admin.failure = storage.ErrNotReady
	require.Equal(t, 503, s.get(t, "/woodshed/api/v1/store").status)
	require.Equal(t, 403, s.get(t, "/woodshed/api/v1/store", "Host: evil.example.com").status)
	bare := newSite(t)
	require.Equal(t, 404, bare.get(t, "/woodshed/api/v1/store").status)
	require.Equal(t, 404, bare.do(t, "POST", backupPath, "").status)
}

func TestBackup(t *testing.T) {
	admin := &fakeAdmin{steps: 1000, report: BackupReport{Version: 1, Blocks: 4, LeftOut: []string{"x"}}}
	s := newSite(t, func(_ *Config, d *Deps) { d.Admin = admin })
	got := s.do(t, "POST", backupPath+"?dir=/srv/b%20c&copy=true", "")
	require.Equal(t, 200, got.status)
	require.Equal(t, "application/x-ndjson", got.header.Get("Content-Type"))
	require.Equal(t, []BackupRequest{{Dir: "/srv/b c", Copy: true}}, admin.asked)
	lines := strings.Split(strings.TrimSpace(got.body), "\n")
	require.GreaterOrEqual(t, len(lines), 3)
	require.Less(t, len(lines), 500, "progress is told now and then")
	require.JSONEq(t, `{"done":1,"total":1000}`, lines[0])
	require.JSONEq(t, `{"done":1000,"total":1000}`, lines[len(lines)-2])
	require.JSONEq(t, `{"report":{"version":1,"made":"0001-01-01T00:00:00Z","instance":"","tenants":0,"blocks":4,"entries":0,"raw_bytes":0,
		"bytes":0,"copied_bytes":0,"left_out":["x"]}}`, lines[len(lines)-1])

	admin.failure = errors.New("no space left on device")
	got = s.do(t, "POST", backupPath+"?dir=/x", "")
	require.Equal(t, 200, got.status, "it was sent with the first line")
	require.True(t, strings.HasSuffix(got.body, `{"error":"no space left on device"}`+"\n"))
	require.Contains(t, s.log.String(), "backup failed")

	admin.steps = 0
	f := func(status int, path string, failure error, headers ...string) {
		t.Helper()
		admin.failure = failure
		require.Equal(t, status, s.do(t, "POST", path, "", headers...).status)
	}
	f(500, backupPath+"?dir=/x", errors.New("no space left on device"))
	f(400, backupPath+"?dir=x", &storage.Refusal{Class: storage.ErrInvalid, Text: "not absolute"})
	f(503, backupPath+"?dir=/x", &storage.Refusal{Class: storage.ErrOverloaded, Text: "another backup is running"})
	f(503, backupPath+"?dir=/x", storage.ErrNotReady)
	asked := len(admin.asked)
	f(400, backupPath+"?dir=/x&copy=perhaps", nil)
	f(403, backupPath+"?dir=/x", nil, "Origin: http://evil.example.com")
	require.Equal(t, 405, s.get(t, backupPath+"?dir=/x").status)
	require.Len(t, admin.asked, asked, "none of these reached the store")
}

// Only this machine may make directories here.
func TestBackupIsAskedForLocally(t *testing.T) {
	admin := &fakeAdmin{}
	s := newSite(t, func(_ *Config, d *Deps) { d.Admin = admin })
	for _, remote := range []string{"192.0.2.7:1234", "[2001:db8::1]:80", "", "@"} {
		r := httptest.NewRequest(http.MethodPost, backupPath+"?dir=/x", nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r)
		require.Equal(t, http.StatusForbidden, w.Code, remote)
	}
	r := httptest.NewRequest(http.MethodPost, backupPath+"?dir=/x", nil)
	r.RemoteAddr = "127.0.0.1:5" // but it did not come in over the loopback interface
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Empty(t, admin.asked)
}

// deadlines remembers the write deadlines of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// A backup may take longer than an answer may: the server's deadline is off until there is something to write.
func TestBackupOutlivesTheWriteTimeout(t *testing.T) {
	s := newSite(t, func(_ *Config, d *Deps) { d.Admin = &fakeAdmin{steps: 1} })
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, backupPath+"?dir=/x", nil)
	r.RemoteAddr = "127.0.0.1:5"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3110}))
	s.api.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Len(t, w.set, 3, "off, then for each line")
	require.True(t, w.set[0].IsZero())
	require.True(t, w.set[1].After(time.Now()))
}
